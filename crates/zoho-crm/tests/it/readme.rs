//! The README's example is a program that runs.

#[expect(unreachable_pub, reason = "a program of its own, too")]
#[path = "../../examples/tour.rs"]
mod tour;

#[test]
fn the_example_of_the_readme_runs_against_the_simulator() {
    let readme = include_str!("../../README.md");
    let example = include_str!("../../examples/tour.rs");
    let shown = format!("```rust,no_run\n{example}```\n");
    assert!(readme.contains(&shown), "copy examples/tour.rs into it");
    tour::main().unwrap();
}
