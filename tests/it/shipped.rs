//! The files we ship agree with the binary.

use std::{fs, path::Path};

use zohook::config;

/// Whatever is asked for has a value.
#[expect(
    clippy::unnecessary_wraps,
    reason = "stands for an environment, where a name may be unset"
)]
fn anything(_: &str) -> Option<String> {
    Some("a-value-of-20-letters".to_owned())
}

/// The text of `routes: |` in a file of Helm values.
fn routes_in_values(values: &str) -> String {
    values
        .lines()
        .skip_while(|line| *line != "routes: |")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with("  "))
        .map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned() + "\n")
        .collect()
}

#[test]
fn the_charts_example_routes_load() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = routes_in_values(&fs::read_to_string(root.join("helm/ci/least.yaml")).unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &text).unwrap();

    let loaded = config::load(file.path(), &anything);

    assert!(loaded.is_ok(), "{loaded:?}\n{text}");
    assert_eq!(loaded.unwrap().route_names.len(), 1);
}

#[test]
fn the_image_and_the_chart_name_the_settings_of_serve() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    let chart = fs::read_to_string(root.join("helm/templates/statefulset.yaml")).unwrap();
    for (name, value) in [
        ("ZOHOOK_ROUTES", "/etc/zohook/routes.yaml"),
        ("ZOHOOK_LISTEN", "0.0.0.0:8080"),
        ("ZOHOOK_ADMIN_LISTEN", "0.0.0.0:9180"),
        ("ZOHOOK_STORE", "sqlite:/data/zohook.db"),
    ] {
        assert!(dockerfile.contains(&format!("{name}={value}")), "{name}");
        assert!(
            chart.contains(&format!("name: {name}\n              value: {value}\n")),
            "{name}"
        );
    }
}
