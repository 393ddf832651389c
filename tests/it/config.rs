//! `zohook check` on broken files.

use std::{fs, path::Path, process::Command};

use proptest::prelude::*;
use secrecy::ExposeSecret;
use zohook::{
    config::{self, Config, Problems, Severity},
    event::{ConnectionName, DestinationName, RouteName, SourceName},
    receive::Source,
};

const FIXTURES: &str = "tests/fixtures/config";

/// What the fixtures find in the environment.
fn environment(name: &str) -> Option<String> {
    let value = match name {
        "ID" => "1000.ID",
        "SECRET" => "planted-secret-20",
        "TOKEN" => "planted-secret-21",
        "KEY" => "planted-secret-22",
        "BROKER" => "amqp://user:planted-secret-23@localhost/%2f",
        "CONDITION" => "planted_secret_24 == 1",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn refused(fixture: &str) -> Problems {
    let path = Path::new(FIXTURES).join(fixture).with_extension("yaml");
    config::load(&path, &environment).unwrap_err()
}

/// Everything that is said of a file, as a person sees it.
fn check(fixture: &str) {
    let problems = refused(fixture);
    assert!(problems.errors() > 0);
    insta::assert_snapshot!(fixture, format!("{problems}{}", problems.summary()));
}

#[test]
fn what_is_not_yaml_is_shown_where_it_stops_being_so() {
    check("not_yaml");
    check("unclosed_quote");
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    check("unknown_keys");
}

#[test]
fn what_cannot_be_substituted_is_named() {
    check("substitution");
}

#[test]
fn wrong_types_name_what_is_accepted() {
    check("wrong_types");
}

#[test]
fn references_to_nothing_name_the_nearest() {
    check("unknown_names");
}

#[test]
fn a_source_without_proof_is_refused() {
    check("unproven_sources");
}

#[test]
fn a_proof_that_cannot_work_is_refused() {
    check("bad_proofs");
}

#[test]
fn queues_that_lose_messages_are_refused() {
    check("bad_queues");
}

#[test]
fn webhooks_that_leak_or_cannot_work_are_refused() {
    check("bad_webhooks");
}

#[test]
fn writes_to_zoho_that_cannot_be_repeated_or_meant_are_refused() {
    check("bad_zoho");
}

#[test]
fn a_connection_goes_to_one_data_center_over_https() {
    check("bad_connections");
}

#[test]
fn routes_that_cannot_be_meant_are_refused() {
    check("bad_routes");
}

#[test]
fn a_key_given_twice_is_refused() {
    check("given_twice");
}

#[test]
fn templates_and_conditions_are_shown_where_they_are_wrong() {
    check("bad_templates");
}

#[test]
fn an_empty_file_is_refused() {
    check("empty");
}

#[test]
fn a_file_that_is_not_there_is_one_problem() {
    check("nonexistent");
}

#[test]
fn a_file_with_warnings_alone_can_be_used() {
    let path = Path::new(FIXTURES).join("warnings.yaml");
    let config = config::load(&path, &environment).unwrap_or_else(|it| panic!("{it}"));
    assert_eq!(config.warnings.errors(), 0);
    let shown = format!("{}{}", config.warnings, config.warnings.summary());
    insta::assert_snapshot!("warnings", shown);
}

#[test]
fn every_problem_names_its_line_and_column_for_machines() {
    let problems = refused("given_twice");
    insta::assert_snapshot!("given_twice_json", format!("{:#}", problems.to_json()));
}

#[test]
fn several_faults_in_one_file_are_all_named() {
    let problems = refused("unknown_keys");
    let lines: Vec<_> = problems.iter().map(|it| it.line).collect();
    assert_eq!(lines, [2, 4, 5, 10, 17, 18, 19, 22, 23, 23, 23, 27, 28, 29]);
    assert!(problems.iter().all(|it| it.severity == Severity::Error));
}

#[test]
fn no_message_holds_a_secret() {
    let mut files = 0;
    for entry in fs::read_dir(FIXTURES).unwrap() {
        let path = entry.unwrap().path();
        let problems = match config::load(&path, &environment) {
            Ok(config) => config.warnings,
            Err(problems) => problems,
        };
        let shown = [
            problems.to_string(),
            problems.render_coloured(),
            problems.to_json().to_string(),
            format!("{problems:?}"),
        ];
        for text in shown {
            let leak = ["planted", "secret-0", "secret-2", "secret_2"]
                .iter()
                .any(|it| text.contains(it));
            assert!(!leak, "{}: {text}", path.display());
        }
        files += 1;
    }
    assert!(files >= 16, "only {files} fixtures");
}

#[test]
fn the_shipped_file_loads_with_an_empty_environment() {
    let config = config::load(Path::new("routes.yaml"), &|_| None)
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!(config.sources.len(), 2);
}

#[test]
fn secrets_that_the_file_gives_are_warned_of_once_a_real_org_is_named() {
    let set = |name: &str| match name {
        "ZOHO_API_URL" => Some("https://www.zohoapis.com".to_owned()),
        "ZOHO_ACCOUNTS_URL" => Some("https://accounts.zoho.com".to_owned()),
        "WATCH_KEY" => Some("a-key-of-our-own".to_owned()),
        _ => None,
    };
    let config = config::load(Path::new("routes.yaml"), &set)
        .unwrap_or_else(|problems| panic!("{problems}"));
    let warned: Vec<_> = config.warnings.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        warned,
        [
            "connections.acme.client_id",
            "connections.acme.client_secret",
            "connections.acme.refresh_token",
            "sources.crm.verify.token[0]",
            "sources.new-lead.verify.header.X-Zohook-Secret[0]",
        ]
    );
    let text = config.warnings.to_string();
    assert!(
        text.contains("whoever can read the file knows it"),
        "{text}"
    );
    assert!(!text.contains("try-me"), "{text}");
}

#[test]
fn every_key_arrives_in_the_settings() {
    let path = Path::new(FIXTURES).join("all_keys.yaml");
    let config = config::load(&path, &environment).unwrap_or_else(|it| panic!("{it}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    insta::assert_snapshot!("all_keys", settings(&config));
    let names: Vec<_> = config.route_names.iter().map(RouteName::as_str).collect();
    assert_eq!(names, ["second", "first", "back"], "in the file's order");
    let reaches = |source, destination| {
        let source = SourceName::new(source);
        let destination = DestinationName::new(destination);
        config.routes.reaches(&source, &destination)
    };
    assert!(reaches("crm", "queue"));
    assert!(!reaches("billing", "queue"), "its route is for crm alone");
    assert!(reaches("billing", "erp"));
}

/// All settings but templates and routes, which have tests of their own.
fn settings(config: &Config) -> String {
    let sources: String = config.sources.values().map(settings_of_source).collect();
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{sources}",
        config.service, config.connections, config.destinations
    )
}

fn settings_of_source(source: &Source) -> String {
    let window = source.dedup.as_ref().map(|it| it.window);
    format!(
        "{} of {:?}: fetch {:?}, dedup {window:?}, {:#?}\n",
        source.name, source.connection, source.fetch, source.proof
    )
}

#[test]
fn secrets_arrive_as_they_are() {
    let path = Path::new(FIXTURES).join("all_keys.yaml");
    let config = config::load(&path, &environment).unwrap_or_else(|it| panic!("{it}"));
    let acme = &config.connections[&ConnectionName::new("acme")];
    let secrets: Vec<_> = acme
        .client_secret
        .iter()
        .map(ExposeSecret::expose_secret)
        .collect();
    assert_eq!(secrets, ["planted-secret-20", "new-planted-secret-22"]);
    let local = &config.connections[&ConnectionName::new("local")];
    assert_eq!(local.client_secret[0].expose_secret(), "12345");
}

#[test]
fn a_secret_file_is_found_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routes.yaml");
    let text = "version: 1\nconnections:\n  acme: { data_center: eu, client_id: a, client_secret: b, refresh_token: \"${file:token}\" }\n";
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("token"), "1000.abc\n").unwrap();
    let config = config::load(&path, &environment).unwrap_or_else(|it| panic!("{it}"));
    let acme = &config.connections[&ConnectionName::new("acme")];
    assert_eq!(acme.refresh_token[0].expose_secret(), "1000.abc");
}

/// Loads a text as a file.
fn load_text(text: &str) -> Result<Config, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routes.yaml");
    fs::write(&path, text).unwrap();
    config::load(&path, &environment)
}

#[test]
fn hostile_files_are_refused_with_a_place() {
    let deep = "[".repeat(100_000);
    let wide = format!(
        "version: 1\nservice: {}1{}",
        "{a: ".repeat(500),
        "}".repeat(500)
    );
    let bomb = "version: 1\na: &a [x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &(1..12).fold(String::new(), |text, level| {
            let (letter, above) = (b'a' + level, b'a' + level - 1);
            let alias = format!("*{},", char::from(above)).repeat(9);
            text + &format!("{0}: &{0} [{alias}]\n", char::from(letter))
        });
    let large = "#".repeat(5 << 20);
    for text in [
        &deep,
        &wide,
        &bomb,
        &large,
        "\0",
        "\t- a",
        "a: !!binary x",
        "? [a]\n: b",
    ] {
        let problems = load_text(text).unwrap_err();
        assert!(problems.errors() > 0);
        assert!(problems.to_string().len() < 10_000);
    }
}

#[test]
fn places_are_right_with_a_byte_order_mark_and_windows_line_ends() {
    let problems = load_text("\u{feff}version: 1\r\n  \r\nx: \"1\r\n  2\"\r\n").unwrap_err();
    let problem = problems.iter().next().unwrap();
    assert_eq!((problem.line, problem.column), (3, 1));
    assert!(problems.to_string().contains("3 | x: ***\n"), "{problems}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    /// One typing error anywhere in the shipped file.
    #[test]
    fn no_typing_error_panics_or_shows_a_secret(
        at in any::<prop::sample::Index>(),
        typed in prop::sample::select(vec!["", " ", ":", "-", "[", "]", "{", "}", "\"", "'", "#", "&", "*", "|", "\n", "é", "$"]),
    ) {
        let text = fs::read_to_string("routes.yaml").unwrap();
        let text = text.replace(":-try-me", "}hunter2-try-me${NOT_SET:-");
        let at = at.index(text.chars().count());
        let before = text.chars().take(at);
        let text: String = before.chain(typed.chars()).chain(text.chars().skip(at + 1)).collect();
        let problems = load_text(&text).map_or_else(|it| it, |it| it.warnings);
        let shown = format!("{problems} {problems:?} {}", problems.to_json());
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
    }
}

/// Exit code and standard output of `zohook check` with an empty environment.
fn zohook_check(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_zohook"))
        .arg("check")
        .args(arguments)
        .env_clear()
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn the_command_exits_with_64_for_errors_and_0_for_the_shipped_file() {
    let (code, out) = zohook_check(&["routes.yaml"]);
    let fine = "routes.yaml is fine: 1 connection, 2 sources, 2 destinations, 2 routes\n";
    assert_eq!((code, out.as_str()), (Some(0), fine));

    let (code, out) = zohook_check(&["tests/fixtures/config/given_twice.yaml"]);
    assert_eq!(code, Some(64));
    assert!(out.ends_with("is refused: 3 errors\n"), "{out}");

    let (code, out) = zohook_check(&["--json", "tests/fixtures/config/given_twice.yaml"]);
    assert_eq!(code, Some(64));
    let list: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(list.len(), 3);
}
