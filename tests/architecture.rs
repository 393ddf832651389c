//! Checks the house rules that the compiler cannot: who may import whom, file length, module docs.

#![expect(clippy::unwrap_used, reason = "a failing helper should fail the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Which modules of this crate each module may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("template", &["event"]),
    ("receive", &["event", "template", "verify", "store"]),
    ("verify", &["event"]),
    ("store", &["event"]),
    ("enrich", &["event"]),
    ("route", &["event", "template"]),
    ("deliver", &["event"]),
    (
        "pipeline",
        &["event", "store", "enrich", "route", "deliver"],
    ),
    ("telemetry", &[]),
];

/// Modules that put the parts together, so they may import any part.
const COMPOSE: &[&str] = &["admin", "cli", "config", "app"];

const FILE_LINES_MAX: usize = 400;

/// Files that may be longer, each with its reason.
const LONGER: &[(&str, &str)] = &[];

#[test]
fn modules_import_only_what_the_map_allows() {
    let mut broken = vec![];
    for (module, allowed) in MAY_IMPORT {
        let folder = Path::new("src").join(module);
        if !folder.exists() {
            continue;
        }
        for file in rust_files(&folder) {
            for imported in crate_imports(&fs::read_to_string(&file).unwrap()) {
                if imported != *module && !allowed.contains(&imported.as_str()) {
                    broken.push(format!("{}: imports crate::{imported}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_module_is_on_the_map() {
    for entry in fs::read_dir("src").unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(
                MAY_IMPORT.iter().any(|(module, _)| *module == name)
                    || COMPOSE.contains(&name.as_str()),
                "add src/{name} to MAY_IMPORT"
            );
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    for file in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        assert!(
            text.starts_with("//! "),
            "{}: first line must be a `//!` sentence",
            file.display()
        );
        assert!(
            code.lines().count() <= FILE_LINES_MAX
                || file.ends_with("tests.rs")
                || LONGER.iter().any(|(path, _)| Path::new(path) == file),
            "{}: over {FILE_LINES_MAX} lines",
            file.display()
        );
    }
}

#[test]
fn no_file_is_left_out_of_the_module_tree() {
    for file in rust_files(Path::new("src")) {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if ["main", "lib", "mod"].contains(&name.as_str()) {
            continue;
        }
        let folder = file.parent().unwrap();
        let declared = ["mod.rs", "lib.rs", "main.rs"]
            .iter()
            .filter_map(|it| fs::read_to_string(folder.join(it)).ok())
            .any(|text| text.contains(&format!("mod {name};")));
        assert!(declared, "{}: no `mod {name};` declares it", file.display());
    }
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

/// Names that follow `crate::`, in both the plain and the braced form of `use`.
fn crate_imports(text: &str) -> Vec<String> {
    let ident = |s: &str| {
        s.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut names = vec![];
    for rest in text.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => names.push(ident(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut at_name = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => at_name = true,
                        c if at_name && !c.is_whitespace() => {
                            names.push(ident(group.get(at..).unwrap_or_default()));
                            at_name = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}
