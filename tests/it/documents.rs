//! The documents say what the program does.

use std::{collections::BTreeSet, path::Path};

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

/// Every `zohook_…` between these two marks.
fn names(text: &str, mark: char) -> BTreeSet<String> {
    text.split(mark)
        .filter(|it| it.starts_with("zohook_"))
        .filter(|it| {
            it.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_metric_is_documented_and_no_other() {
    let mut in_code = BTreeSet::new();
    for file in rust_files(Path::new("src")) {
        in_code.extend(names(&std::fs::read_to_string(file).unwrap(), '"'));
    }
    let documented = names(&std::fs::read_to_string("docs/metrics.md").unwrap(), '`');
    assert_eq!(in_code, documented);
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let mut tests = String::new();
    for folder in ["src", "tests", "crates"] {
        for file in rust_files(Path::new(folder)) {
            tests += &std::fs::read_to_string(file).unwrap();
        }
    }
    let text = std::fs::read_to_string("ARCHITECTURE.md").unwrap();
    let promises = text
        .split_once("## Promises")
        .and_then(|(_, rest)| rest.split("\n## ").next())
        .expect("ARCHITECTURE.md has a section Promises");
    let named: BTreeSet<_> = promises
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|it| it.contains('_') && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    assert!(named.len() >= 8, "promises name their tests: {named:?}");
    let simulator = std::fs::read_to_string("docs/simulator.md").unwrap();
    let claims: BTreeSet<_> = simulator
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|it| Some(it.split_once("::")?.1))
        .collect();
    assert!(
        claims.len() >= 8,
        "the simulator's claims name their tests: {claims:?}"
    );
    for name in named.into_iter().chain(claims) {
        assert!(
            tests.contains(&format!("fn {name}(")),
            "no test is called {name}"
        );
    }
}
