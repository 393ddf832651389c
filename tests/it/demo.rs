//! The README's first command, as a newcomer runs it: no broker, no database, no network.

use std::process::Command;

#[test]
fn the_demo_shows_complete_records_and_a_ledger_that_adds_up() {
    let output = Command::new(env!("CARGO_BIN_EXE_zohook"))
        .args(["demo", "--for", "6s", "--rate", "20/s"])
        .env_clear()
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("the ledger adds up"), "{text}");
    let complete = |line: &&str| line.contains("inserted") && line.contains(" · ");
    let inserted = text.lines().filter(complete).count();
    assert!(inserted >= 5, "only {inserted} complete records:\n{text}");
    assert!(text.contains("out of order: 0 · badly signed: 0"), "{text}");
}
