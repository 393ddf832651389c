//! `zohook crm` and `zohook auth` where a person sits: on a terminal, which `script` lends, and with pipes that close.

use std::process::Stdio;

use serde_json::json;

use crate::support::cli::{Org, Ran, ran};

/// In a shell on a terminal of this width, with what the person types.
async fn on_terminal(org: &Org, columns: usize, shell: &str, typed: &str) -> Ran {
    let zohook = std::path::Path::new(env!("CARGO_BIN_EXE_zohook"));
    let path = format!("{}:/usr/bin:/bin", zohook.parent().unwrap().display());
    let line = format!("stty cols {columns} rows 24 && {shell}");
    let mut command = org.like("script", &["-qec", &line, "/dev/null"]);
    command
        .env("PATH", path)
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm");
    ran(&mut command, typed).await
}

#[tokio::test]
async fn a_table_fits_the_terminal_and_breaks_no_id() {
    let org = Org::start().await;
    let row =
        json!({"Last_Name": "Doe ".repeat(30), "Company": "Example", "Email": "doe@example.com"});
    let id = org.sim.insert("Leads", row).unwrap();
    for (columns, list) in [
        (60, "list Leads --fields Last_Name,Company,Email"),
        // Upright: there is no room for so many beside each other.
        (60, "list Leads --fields all"),
        (200, "list Leads"),
    ] {
        let shown = on_terminal(&org, columns, &format!("zohook crm {list}"), "").await;
        assert_eq!(shown.code, 0, "{list}: {shown:?}");
        assert!(shown.out.contains(&id), "{list}: {}", shown.out);
        let widest = shown.out.lines().map(|it| it.trim_end().chars().count());
        let widest = widest.max().unwrap_or_default();
        assert!((40..=columns).contains(&widest), "{list}: {}", shown.out);
    }
}

#[tokio::test]
async fn nothing_is_revoked_before_the_person_says_yes() {
    let org = Org::start().await;
    let unsure = on_terminal(&org, 80, "zohook auth revoke", "n\n").await;
    assert_eq!(unsure.code, 1, "{unsure:?}");
    assert!(unsure.out.contains("Nothing was done."), "{unsure:?}");
    assert_eq!(org.run(&["auth", "status"]).await.code, 0);
    let sure = on_terminal(&org, 80, "zohook auth revoke", "yes\n").await;
    assert_eq!(sure.code, 0, "{sure:?}");
    assert!(sure.out.contains("Revoked."), "{sure:?}");
    assert_eq!(org.run(&["auth", "status"]).await.code, 1);
}

#[tokio::test]
async fn a_bar_shows_the_job_and_leaves_the_rows_alone() {
    let org = Org::start().await;
    org.sim.generate("Leads", 20).unwrap();
    let read = "zohook crm bulk read Leads --fields Last_Name";
    let filed = on_terminal(&org, 80, &format!("{read} --out leads.csv"), "").await;
    assert_eq!(filed.code, 0, "{filed:?}");
    assert!(filed.out.contains("job "), "{filed:?}");
    assert!(filed.out.trim_end().ends_with("20 rows"), "{filed:?}");
    let shown = on_terminal(&org, 80, read, "").await;
    let seen = console::strip_ansi_codes(&shown.out).into_owned();
    let lines = seen.split(['\r', '\n']);
    let rows = lines.filter(|it| it.contains(',') && !it.contains("job "));
    // A header and the rows, each at the start of a line.
    assert_eq!(rows.count(), 21, "{shown:?}");
}

#[tokio::test]
async fn who_hangs_up_gets_no_panic() {
    let org = Org::start().await;
    let id = org
        .sim
        .insert("Leads", json!({"Last_Name": "Doe", "Company": "Example"}))
        .unwrap();
    let zohook = env!("CARGO_BIN_EXE_zohook");
    for (line, code) in [
        (format!("notes add Leads {id} Called"), 0),
        ("org".to_owned(), 0),
        ("list Leads --fields Last_Name --csv".to_owned(), 0),
        ("list Leeds --fields Last_Name 2>&1".to_owned(), 1),
    ] {
        let script = format!("{{ {zohook} crm {line}; echo \"code $?\" >left; }} | true");
        let mut command = org.like("sh", &["-c", &script]);
        command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        let ran = ran(&mut command, "").await;
        assert_eq!(ran.err, "", "{line}");
        let left = std::fs::read_to_string(org.folder().join("left")).unwrap();
        assert_eq!(left, format!("code {code}\n"), "{line}");
    }
}

#[tokio::test]
async fn an_output_that_cannot_be_written_is_told_and_fails() {
    let org = Org::start().await;
    for format in ["--json", "--csv", "--table"] {
        let mut command = org.command(&["crm", "users", format]);
        let full = std::fs::File::options().write(true).open("/dev/full");
        let ran = ran(command.stdout(full.unwrap()), "").await;
        assert_eq!(ran.code, 1, "{format}: {ran:?}");
        assert!(ran.err.contains("cannot write the output"), "{ran:?}");
    }
}

#[tokio::test]
async fn no_command_gives_a_secret_away() {
    let org = Org::start().await;
    let secrets = ["planted-client-secret", "1000.planted-refresh"];
    for arguments in [
        &["auth", "status", "--json"][..],
        &["auth", "revoke", "--yes"],
        &["crm", "org", "--json"],
        &["crm", "raw", "GET", "org"],
    ] {
        for right in [true, false] {
            let mut command = org.command(arguments);
            command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
            if !right {
                command
                    .env("ZOHO_CLIENT_SECRET", secrets[0])
                    .env("ZOHO_REFRESH_TOKEN", secrets[1]);
            }
            let ran = ran(&mut command, "").await;
            // The client's id is none; every token begins like it.
            let said = format!("{}{}", ran.out, ran.err).replace("1000.SIM", "");
            assert!(!said.contains("1000."), "{arguments:?}: {said}");
            assert!(!said.contains(secrets[0]), "{arguments:?}: {said}");
        }
    }
    let code = org.sim.issue_code();
    let given = ran(&mut org.stranger(&["auth", "code", "--out", "kept"]), &code).await;
    assert_eq!(given.code, 0, "{given:?}");
    let said = format!("{}{}", given.out, given.err);
    assert!(!said.contains("1000."), "{said}");
}
