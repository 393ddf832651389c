//! Asks a person, or reads from a pipe what a person would have typed.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use anyhow::Context;
use secrecy::SecretString;

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Whether somebody is there to answer.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// One line, as it was typed.
pub(super) fn line(question: &str) -> anyhow::Result<String> {
    let mut out = io::stderr();
    write!(out, "{question}")?;
    out.flush()?;
    read()
}

fn read() -> anyhow::Result<String> {
    let mut answer = String::new();
    io::stdin()
        .lock()
        .take(ANSWER_BYTES_MAX)
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(answer.trim().to_owned())
}

/// One line that is not shown on a terminal. From a pipe it is read as it comes.
pub(super) fn secret(question: &str) -> anyhow::Result<SecretString> {
    let answer = if can_ask() {
        let terminal = console::Term::stderr();
        terminal.write_str(question)?;
        terminal.read_secure_line()?
    } else {
        read()?
    };
    anyhow::ensure!(!answer.trim().is_empty(), "nothing was given");
    Ok(answer.trim().into())
}

/// Whether the answer is yes; anything else is no.
pub(super) fn is_sure(question: &str) -> anyhow::Result<bool> {
    let answer = line(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}
