//! `zohook crm`: the real binary against the simulator.

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};
use zoho_sim::{Kind, Sim};

use crate::support::cli::{Org, ran};

fn leads(org: &Org) -> Vec<String> {
    let rows = vec![
        json!({"Last_Name": "Doe", "Company": "Example", "Email": "doe@example.com", "Annual_Revenue": 1000}),
        json!({"Last_Name": "Roe", "Company": "Example", "Email": "roe@example.com"}),
        json!({"Last_Name": "Tab\tand\nline", "Company": "Other"}),
    ];
    org.sim.insert_many("Leads", rows).unwrap()
}

#[tokio::test]
async fn records_are_read_in_the_form_that_is_asked_for() {
    let org = Org::start().await;
    let ids = leads(&org);
    let list = [
        "list",
        "Leads",
        "--fields",
        "Last_Name,Company,Owner",
        "--sort",
        "id",
    ];

    let plain = org.crm(&list).await;
    let owner = org.json(&["users", "--type", "AllUsers"]).await[1].clone();
    let owner = json!({"name": owner["full_name"], "id": owner["id"], "email": owner["email"]});
    let expected = [
        ("Doe", "Example"),
        ("Roe", "Example"),
        ("Tab\\tand\\nline", "Other"),
    ]
    .iter()
    .zip(&ids)
    .map(|((name, company), id)| format!("{id}\t{name}\t{company}\t{owner}\n"));
    let expected: Vec<String> = expected.collect();
    assert_eq!(sorted_keys(&plain), sorted_keys(&expected.concat()));

    let csv = org.crm(&[&list[..], &["--csv"]].concat()).await;
    assert!(csv.starts_with("id,Last_Name,Company,Owner\n"), "{csv}");
    assert_eq!(
        csv::Reader::from_reader(csv.as_bytes()).records().count(),
        3
    );

    let found = org.json(&list).await;
    assert_eq!(found[1]["Last_Name"], "Roe");

    let table = org
        .crm(&[
            "list",
            "Leads",
            "--fields",
            "Last_Name,Company",
            "--sort",
            "id",
            "--max",
            "2",
            "--table",
        ])
        .await;
    let table = table
        .replace(&ids[0], "4876876000000000001")
        .replace(&ids[1], "4876876000000000002");
    insta::assert_snapshot!("a_list_as_a_table", table);

    let one = org.json(&["get", "Leads", &ids[0]]).await;
    assert_eq!(one["Annual_Revenue"], 1000);
    let missing = org
        .run(&["crm", "get", "Leads", "4876876000000999999"])
        .await;
    assert_eq!(missing.code, 1);
    assert!(
        missing
            .err
            .contains("Leads has no record 4876876000000999999"),
        "{missing:?}"
    );
}

/// Lookups have no order of their own.
fn sorted_keys(lines: &str) -> Vec<Vec<Value>> {
    let cell = |it: &str| serde_json::from_str(it).unwrap_or_else(|_| Value::from(it));
    let line = |it: &str| it.split('\t').map(cell).collect();
    lines.lines().map(line).collect()
}

#[tokio::test]
async fn a_list_says_when_there_is_more_and_gives_all_when_asked() {
    let org = Org::start().await;
    org.sim.generate("Leads", 450).unwrap();
    let some = org
        .run(&["crm", "list", "Leads", "--fields", "Last_Name"])
        .await;
    assert_eq!((some.code, some.out.lines().count()), (0, 200));
    assert!(some.err.contains("there is more"), "{}", some.err);
    let all = org
        .run(&["crm", "list", "Leads", "--fields", "Last_Name", "--all"])
        .await;
    assert_eq!((all.code, all.out.lines().count()), (0, 450));
    assert_eq!(all.err, "");
}

#[tokio::test]
async fn who_reads_only_the_first_lines_hears_no_error() {
    let org = Org::start().await;
    org.sim.generate("Leads", 1000).unwrap();
    let zohook = env!("CARGO_BIN_EXE_zohook");
    let script = format!(
        "{{ {zohook} crm list Leads --fields all --all; echo \"code $?\" >&2; }} | head -n 1"
    );
    let mut command = org.like("sh", &["-c", &script]);
    let ran = ran(command.env("PATH", "/usr/bin:/bin"), "").await;
    assert_eq!(ran.out.lines().count(), 1);
    assert_eq!(ran.err, "code 0\n");
}

#[tokio::test]
async fn coql_and_search_find_records() {
    let org = Org::start().await;
    let ids = leads(&org);
    let query = "select Last_Name from Leads where Company = 'Example' order by Last_Name asc";
    let limited = format!("{query} limit 1");
    let one = org.run(&["crm", "coql", &limited, "--json"]).await;
    let rows: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(rows[0]["Last_Name"], "Doe");
    assert_eq!(
        org.json(&["coql", query, "--all"])
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let mut command = org.command(&["crm", "coql", "-", "--json"]);
    let piped = ran(&mut command, &limited).await;
    assert_eq!(piped.out, one.out, "{piped:?}");
    let twice = org.run(&["crm", "coql", &limited, "--all"]).await;
    assert_eq!(twice.code, 2, "{twice:?}");
    let wrong = org.run(&["crm", "coql", "selekt x"]).await;
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.err.contains("a COQL query is `select"),
        "{}",
        wrong.err
    );

    for by in [
        ["--email", "doe@example.com"],
        [
            "--criteria",
            "((Last_Name:equals:Doe)and(Company:equals:Example))",
        ],
    ] {
        let found = org.json(&["search", "Leads", by[0], by[1]]).await;
        assert_eq!(found[0]["id"], ids[0], "{by:?}");
        assert_eq!(found.as_array().unwrap().len(), 1, "{by:?}");
    }
    let none = org.run(&["crm", "search", "Leads"]).await;
    assert_eq!(none.code, 2, "{none:?}");
}

#[tokio::test]
async fn each_record_of_a_write_has_its_row_and_one_failure_fails_it() {
    let org = Org::start().await;
    let one = org
        .crm(&[
            "insert",
            "Leads",
            "--set",
            "Last_Name=Doe",
            "--set",
            "Company=Example",
            "--set",
            "Annual_Revenue:=5",
        ])
        .await;
    let fields: Vec<&str> = one.trim_end_matches('\n').split('\t').collect();
    assert_eq!((fields[0], fields[1], fields[3]), ("1", "inserted", ""));
    let id = fields[2];
    assert_eq!(org.sim.records("Leads")[0]["Annual_Revenue"], 5);

    org.write("mixed.json", r#"[{"Last_Name": "Roe", "Company": "Example", "Email": "roe@example.com"}, {"Last_Name": "Poe", "Company": "Example", "Email": "no address"}]"#);
    let mixed = org
        .run(&["crm", "insert", "Leads", "--file", "mixed.json", "--json"])
        .await;
    assert_eq!(mixed.code, 1, "{mixed:?}");
    let rows: Value = serde_json::from_str(&mixed.out).unwrap();
    assert_eq!(rows[0]["status"], "inserted");
    assert_eq!(
        (&rows[1]["status"], &rows[1]["error"], &rows[1]["field"]),
        (&json!("failed"), &json!("INVALID_DATA"), &json!("Email"))
    );
    assert!(mixed.err.contains("1 of 2 records failed"), "{}", mixed.err);

    let updated = org
        .crm(&["update", "Leads", id, "--set", "Company=Other"])
        .await;
    assert!(updated.starts_with("1\tupdated\t"), "{updated}");
    org.write("leads.csv", "Email,Last_Name,Company,Annual_Revenue\nroe@example.com,Roe,Third,7\nnew@example.com,New,Third,\n");
    let upserted = org
        .json(&["upsert", "Leads", "--by", "Email", "--file", "leads.csv"])
        .await;
    let did: Vec<&Value> = upserted
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["status"])
        .collect();
    assert_eq!(did, ["updated", "inserted"]);
    let roe = org
        .sim
        .records("Leads")
        .into_iter()
        .find(|it| it["Last_Name"] == "Roe")
        .unwrap();
    assert_eq!(
        (&roe["Company"], &roe["Annual_Revenue"]),
        (&json!("Third"), &json!(7))
    );

    let mut command = org.command(&["crm", "delete", "Leads", "-", "--no-workflows"]);
    let deleted = ran(&mut command, &format!("{id}\n4876876000000999999\n")).await;
    assert_eq!(deleted.code, 1, "{deleted:?}");
    assert!(
        deleted.out.starts_with(&format!("1\tdeleted\t{id}\t")),
        "{deleted:?}"
    );
    assert!(
        deleted.out.contains("2\tfailed\t\tINVALID_DATA"),
        "{deleted:?}"
    );
    assert_eq!(org.sim.records("Leads").len(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_the_input_is_said_before_anything_is_sent() {
    let org = Org::start().await;
    org.write("bad.csv", "Last_Name,Annual_Revenue\nDoe,lots\n");
    for (arguments, code, words) in [
        (&["insert", "Leads"][..], 2, "nothing to write"),
        (
            &["insert", "Leads", "--set", "Last_Name"][..],
            2,
            "is not NAME=TEXT",
        ),
        (
            &["update", "Leads", "--set", "Last_Name=Doe"][..],
            2,
            "has no `id`",
        ),
        (
            &["insert", "Leads", "--file", "bad.csv"][..],
            1,
            "line 2, column Annual_Revenue",
        ),
        (
            &["insert", "Leads", "--file", "none.json"][..],
            1,
            "cannot read none.json",
        ),
        (
            &["list", "Leads", "--sort", "Company"][..],
            2,
            "possible values: id, created, modified",
        ),
        (
            &["list", "Leeds", "--fields", "Last_Name"][..],
            1,
            "`zohook crm modules` lists",
        ),
        (&["org", "--json", "--csv"][..], 2, "cannot be used with"),
        (&["fields", "../org"][..], 1, "not a module's name"),
    ] {
        let ran = org.run(&[&["crm"], arguments].concat()).await;
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(words), "{arguments:?}: {ran:?}");
        assert_eq!(ran.out, "", "{arguments:?}");
    }
    assert_eq!(org.sim.counters().records_written, 0);
}

#[tokio::test]
async fn tags_notes_and_conversions_are_made() {
    let org = Org::start().await;
    let ids = leads(&org);
    let created = org.crm(&["tags", "create", "Leads", "hot", "cold"]).await;
    assert_eq!(created.lines().count(), 2);
    let tagged = org
        .crm(&["tags", "add", "Leads", &ids[0], &ids[1], "--tag", "hot"])
        .await;
    assert!(
        tagged.starts_with(&format!("1\ttagged\t{}", ids[0])),
        "{tagged}"
    );
    let hot = org.json(&["tags", "list", "Leads"]).await;
    let hot = hot
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "hot")
        .unwrap();
    let tag = hot["id"].as_str().unwrap();
    assert_eq!(org.crm(&["tags", "count", "Leads", tag]).await, "2\n");
    org.crm(&["tags", "remove", "Leads", &ids[0], "--tag", "hot"])
        .await;
    let having = org
        .json(&["tags", "records", "Leads", "hot", "--fields", "Last_Name"])
        .await;
    assert_eq!(having[0]["id"], ids[1]);
    org.crm(&["tags", "delete", tag]).await;

    let note = org
        .crm(&[
            "notes",
            "add",
            "Leads",
            &ids[0],
            "Called back",
            "--title",
            "Call",
        ])
        .await;
    let notes = org.json(&["notes", "list", "Leads", &ids[0]]).await;
    assert_eq!(notes[0]["Note_Content"], "Called back");
    assert_eq!(notes[0]["id"], note.trim());
    org.crm(&["notes", "update", note.trim(), "Called twice"])
        .await;
    let one = org.json(&["notes", "get", note.trim()]).await;
    assert_eq!(one["Note_Content"], "Called twice");
    org.crm(&["notes", "delete", note.trim()]).await;
    assert_eq!(
        org.json(&["notes", "list", "Leads", &ids[0]]).await,
        json!([])
    );

    let became = org
        .json(&[
            "convert",
            &ids[0],
            "--deal",
            "Deal_Name=First",
            "--deal",
            "Stage=Qualification",
            "--deal",
            "Closing_Date=2027-01-31",
        ])
        .await;
    assert!(
        became["contact"].is_string() && became["deal"].is_string(),
        "{became}"
    );
    let again = org.run(&["crm", "convert", &ids[0]]).await;
    assert_eq!(again.code, 1);
    assert!(again.err.contains("ID_ALREADY_CONVERTED"), "{again:?}");
    let several = org.json(&["convert", &ids[1], &ids[2]]).await;
    assert_eq!(
        (&several["status"], &several["converted"]),
        (&json!("completed"), &json!(2))
    );
}

#[tokio::test]
async fn attachments_go_up_and_come_back() {
    let org = Org::start().await;
    let ids = leads(&org);
    org.write("offer.txt", "an offer");
    let attached = org
        .crm(&["attachments", "upload", "Leads", &ids[0], "offer.txt"])
        .await;
    let attached = attached.trim();
    let list = org.json(&["attachments", "list", "Leads", &ids[0]]).await;
    assert_eq!(
        (&list[0]["File_Name"], &list[0]["id"]),
        (&json!("offer.txt"), &json!(attached))
    );
    let piped = org
        .crm(&[
            "attachments",
            "download",
            "Leads",
            &ids[0],
            attached,
            "--out",
            "-",
        ])
        .await;
    assert_eq!(piped, "an offer");
    // The file that is there stays.
    let over = org
        .run(&[
            "crm",
            "attachments",
            "download",
            "Leads",
            &ids[0],
            attached,
            "--out",
            "offer.txt",
        ])
        .await;
    assert_eq!(over.code, 1, "{over:?}");
    org.crm(&[
        "attachments",
        "download",
        "Leads",
        &ids[0],
        attached,
        "--out",
        "copy.txt",
    ])
    .await;
    let copy = std::fs::read_to_string(org.folder().join("copy.txt")).unwrap();
    assert_eq!(copy, "an offer");
    org.crm(&["attachments", "delete", "Leads", &ids[0], attached])
        .await;
    let gone = org
        .run(&["crm", "attachments", "download", "Leads", &ids[0], attached])
        .await;
    assert_eq!(gone.code, 1, "{gone:?}");
}

#[tokio::test]
async fn the_org_is_described() {
    let org = Org::start().await;
    let users = org.json(&["users"]).await;
    let id = users[0]["id"].as_str().unwrap();
    assert_eq!(org.json(&["users", id]).await["email"], users[0]["email"]);
    assert!(
        org.crm(&["org"])
            .await
            .contains("company_name\tSimulated Ltd\n")
    );
    let modules = org.crm(&["modules"]).await;
    assert!(
        modules.lines().any(|it| it.starts_with("Leads\tLeads\t")),
        "{modules}"
    );
    assert_eq!(org.json(&["modules", "Leads"]).await["api_name"], "Leads");
    let fields = org.crm(&["fields", "Leads", "--csv"]).await;
    assert!(fields.starts_with("api_name,label,data_type,"), "{fields}");
    assert!(
        fields
            .lines()
            .any(|it| it.starts_with("Last_Name,") && it.contains("mandatory")),
        "{fields}"
    );
}

#[tokio::test]
async fn any_call_can_be_made_and_a_refusal_fails() {
    let org = Org::start().await;
    leads(&org);
    let count = org.crm(&["raw", "get", "Leads/actions/count"]).await;
    assert_eq!(serde_json::from_str::<Value>(&count).unwrap()["count"], 3);
    let listed = org
        .crm(&[
            "raw",
            "GET",
            "/crm/v8/Leads",
            "--query",
            "fields=Last_Name",
            "--query",
            "per_page=1",
        ])
        .await;
    assert_eq!(
        serde_json::from_str::<Value>(&listed).unwrap()["info"]["per_page"],
        1
    );
    org.write(
        "body.json",
        r#"{"select_query": "select id from Leads where id is not null limit 1"}"#,
    );
    org.crm(&["raw", "POST", "coql", "--body", "@body.json"])
        .await;
    let refused = org.run(&["crm", "raw", "GET", "Leads"]).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.out.contains("REQUIRED_PARAM_MISSING"),
        "{refused:?}"
    );
    let wrong = org
        .run(&["crm", "raw", "POST", "coql", "--body", "{"])
        .await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[tokio::test]
async fn a_composite_call_declares_its_references_and_shows_each_answer() {
    let server = MockServer::start().await;
    let token = json!({"access_token": "1000.a", "api_domain": server.uri(), "expires_in": 3600});
    Mock::given(path("/oauth/v2/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(&server)
        .await;
    let sub = |id: &str, status: u16, body: Value| json!({"code": "SUCCESS", "status": "success", "message": "", "details": {"sub_request_id": id, "response": {"status_code": status, "headers": {}, "body": body}}});
    let answer = json!({"__composite_requests": [
        sub("1", 201, json!({"data": [{"code": "SUCCESS", "details": {"id": "1"}, "status": "success"}]})),
        sub("2", 400, json!({"code": "INVALID_DATA", "details": {}, "message": "", "status": "error"})),
    ]});
    Mock::given(method("POST"))
        .and(path("/crm/v8/__composite_requests"))
        .respond_with(ResponseTemplate::new(207).set_body_json(answer))
        .mount(&server)
        .await;
    let org = Org::answered_by(server.uri()).await;
    let reference = "@{1:$.data[0].details.id}";
    let requests = json!([
        {"method": "POST", "uri": "/crm/v8/Accounts", "body": {"data": [{"Account_Name": "Example"}]}},
        {"method": "GET", "uri": format!("/crm/v8/Accounts/{reference}"), "params": {"fields": "id"}},
    ]);
    org.write("requests.json", &requests.to_string());
    let ran = org
        .run(&["crm", "composite", "requests.json", "--rollback", "--json"])
        .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&rows[0]["status"], &rows[1]["status"]),
        (&json!(201), &json!(400))
    );
    assert!(
        rows[1]["error"].as_str().unwrap().contains("INVALID_DATA"),
        "{rows}"
    );
    let sent = server.received_requests().await.unwrap();
    let sent = sent
        .iter()
        .find(|it| it.url.path().ends_with("requests"))
        .unwrap();
    let body: Value = sent.body_json().unwrap();
    assert_eq!(body["rollback_on_fail"], true);
    assert_eq!(
        body["__composite_requests"][1]["uri"],
        format!("/crm/v8/Accounts/{reference}")
    );

    org.write(
        "late.json",
        &json!([{"method": "GET", "uri": format!("/crm/v8/Accounts/{reference}")}]).to_string(),
    );
    let late = org.run(&["crm", "composite", "late.json"]).await;
    assert_eq!(late.code, 1);
    assert!(
        late.err.contains("request 1 of late.json") && late.err.contains("not an earlier"),
        "{late:?}"
    );
}

#[tokio::test]
async fn a_composite_call_makes_a_record_and_reads_it_by_reference() {
    let org = Org::start().await;
    let reference = "@{1:$.data[0].details.id}";
    let requests = json!([
        {"method": "POST", "uri": "/crm/v8/Accounts", "body": {"data": [{"Account_Name": "Example"}]}},
        {"method": "GET", "uri": format!("/crm/v8/Accounts/{reference}")},
    ]);
    org.write("requests.json", &requests.to_string());
    let rows = org.json(&["composite", "requests.json"]).await;
    let accounts = org.sim.records("Accounts");
    assert_eq!(accounts.len(), 1);
    assert_eq!(rows[0]["status"], 201, "{rows}");
    let read = &rows[1]["body"]["data"][0];
    assert_eq!(
        (&read["id"], &read["Account_Name"]),
        (&accounts[0]["id"], &json!("Example")),
        "{rows}"
    );
}

#[tokio::test]
async fn what_was_deleted_and_what_happened_to_a_record_is_told() {
    let org = Org::start().await;
    let ids = leads(&org);
    org.crm(&["update", "Leads", &ids[0], "--set", "Company=Other"])
        .await;
    let timeline = org.crm(&["timeline", "Leads", &ids[0]]).await;
    assert!(
        timeline.contains("\tupdated\t") && timeline.contains(r#""new":"Other""#),
        "{timeline}"
    );
    let table = org
        .crm(&["timeline", "Leads", &ids[0], "--table", "--max", "1"])
        .await;
    assert!(table.contains("Company: Example → Other"), "{table}");
    let entries = org
        .json(&["timeline", "Leads", &ids[0], "--oldest-first"])
        .await;
    // Both within one second, which leaves their order open.
    assert_eq!(entries.as_array().unwrap().len(), 2, "{entries}");

    org.crm(&["delete", "Leads", &ids[0]]).await;
    let deleted = org.json(&["deleted", "Leads"]).await;
    assert_eq!(deleted.as_array().unwrap().len(), 1, "{deleted}");
    assert_eq!(
        (&deleted[0]["id"], &deleted[0]["kind"]),
        (&json!(ids[0]), &json!("recycle"))
    );
    let gone = org.json(&["deleted", "Leads", "--kind", "permanent"]).await;
    assert_eq!(gone, json!([]));
}

#[tokio::test]
async fn a_mail_is_sent_with_what_goes_along() {
    let org = Org::start().await;
    let ids = leads(&org);
    let senders = org.json(&["mail", "from"]).await;
    let default = senders.as_array().unwrap();
    let default = default.iter().find(|it| it["default"] == true).unwrap();
    org.write("offer.txt", "an offer");
    let send = ["mail", "send", "Leads", &ids[0], "--to", "doe@example.com"];
    let more = [
        "--subject",
        "Offer",
        "--text",
        "See there",
        "--attach",
        "offer.txt",
    ];
    let id = org.crm(&[&send[..], &more].concat()).await;
    let mails = org.sim.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["message_id"], id.trim());
    let mail = &mails[0]["mail"];
    assert_eq!(mail["from"]["email"], default["email"]);
    assert_eq!(mail["subject"], "Offer");
    assert_eq!(mail["attachments"].as_array().unwrap().len(), 1, "{mail}");
    let bare = org.run(&[&["crm"], &send[..]].concat()).await;
    assert_eq!(bare.code, 2, "{bare:?}");
    assert!(bare.err.contains("--subject"), "{bare:?}");
}

#[tokio::test]
async fn fifteen_commands_ask_for_one_token() {
    let org = Org::start().await;
    for _ in 0..15 {
        org.crm(&["org"]).await;
    }
    let counters = org.sim.counters();
    assert_eq!(
        (counters.calls(Kind::Metadata), counters.token_requests()),
        (15, 1)
    );
    let state = org.folder().join("state");
    for entry in std::fs::read_dir(state).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes.windows(5).any(|it| it == b"1000."),
            "{}",
            path.display()
        );
    }
}

#[tokio::test]
async fn the_org_comes_from_a_route_table_whose_other_secrets_are_not_needed() {
    let org = Org::start().await;
    let url = org.sim.base_url();
    let connection = format!(
        "{{ api_url: \"{url}\", accounts_url: \"{url}\", client_id: {}, client_secret: {}, refresh_token: \"${{TOKEN}}\" }}",
        Sim::CLIENT_ID,
        Sim::CLIENT_SECRET
    );
    let file = format!(
        "version: 1\nconnections:\n  acme: {connection}\n  other: {connection}\ndestinations: {{ queue: {{ kind: amqp, url: \"${{AMQP_URL}}\" }} }}\n"
    );
    org.write("routes.yaml", &file);
    let command = |arguments: &[&str]| {
        let mut command = org.stranger(arguments);
        for name in [
            "ZOHO_API_URL",
            "ZOHO_ACCOUNTS_URL",
            "ZOHO_CLIENT_ID",
            "ZOHO_CLIENT_SECRET",
        ] {
            command.env_remove(name);
        }
        command.env("TOKEN", Sim::REFRESH_TOKEN);
        command
    };
    let named = ran(&mut command(&["crm", "org", "--connection", "acme"]), "").await;
    assert_eq!(named.code, 0, "{named:?}");
    let which = ran(&mut command(&["crm", "org"]), "").await;
    assert_eq!(which.code, 64, "{which:?}");
    assert!(
        which
            .err
            .contains("say which with --connection: acme, other"),
        "{which:?}"
    );
    let unset = ran(
        command(&["crm", "org", "--connection", "acme"]).env_remove("TOKEN"),
        "",
    )
    .await;
    assert_eq!(unset.code, 64, "{unset:?}");
    assert!(unset.err.contains("TOKEN"), "{unset:?}");
}

#[tokio::test]
async fn what_is_missing_is_named_and_no_secret_is_an_argument() {
    let org = Org::start().await;
    let mut command = org.stranger(&["crm", "org"]);
    let ran_alone = ran(command.env_remove("ZOHO_CLIENT_SECRET"), "").await;
    assert_eq!(ran_alone.code, 64, "{ran_alone:?}");
    for words in [
        "ZOHO_CLIENT_SECRET",
        "ZOHO_REFRESH_TOKEN",
        "zohook auth login",
    ] {
        assert!(ran_alone.err.contains(words), "{words}: {ran_alone:?}");
    }
    for flag in ["--client-secret", "--refresh-token", "--code"] {
        let refused = org.run(&["auth", "status", flag, "x"]).await;
        assert_eq!(refused.code, 2, "{flag}: {refused:?}");
    }
    org.write("token", Sim::REFRESH_TOKEN);
    let mut command = org.stranger(&["crm", "org", "--refresh-token-file", "token"]);
    assert_eq!(ran(&mut command, "").await.code, 0);
}

/// The blocks of shell in a document.
fn shell(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(document).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    blocks
        .map(|it| it.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_example_of_the_guide_works() {
    let org = Org::start().await;
    let ids = leads(&org);
    org.sim
        .insert("Leads", json!({"Last_Name": "Poe", "Company": "Old"}))
        .unwrap();
    let blocks = shell("docs/crm.md");
    assert!(blocks.len() >= 4, "{blocks:?}");
    let zohook = std::path::Path::new(env!("CARGO_BIN_EXE_zohook"));
    let path = format!("{}:/usr/bin:/bin", zohook.parent().unwrap().display());
    for block in blocks {
        let mut command = org.like("sh", &["-eu", "-c", &block]);
        command.env("PATH", &path).env("LEAD", &ids[0]);
        let ran = ran(&mut command, "").await;
        assert_eq!(ran.code, 0, "{block}\n{ran:?}");
    }
    assert!(org.folder().join("leads.csv").exists());
}
