//! From a text to a compiled expression, by way of cel's parser and nothing else of it.

use std::{ops::Range, thread};

use cel::{
    common::ast::SourceInfo,
    parser::{ParseErrors, Parser},
};

use super::{
    CompileError, Place,
    lower::{Lowered, lower},
};

/// Longest text of one condition or template, in bytes.
pub(super) const TEXT_MAX: usize = 16 * 1024;

/// Stack of the parser: it goes one level deeper for each operator in a row, and a text of the longest kind has
/// thousands. Only what is used of it becomes memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Compiles one expression.
pub(super) fn compile(text: &str, place: Place) -> Result<Lowered, CompileError> {
    if text.len() > TEXT_MAX {
        return Err(problem(format!("longer than {TEXT_MAX} bytes")));
    }
    if text.trim().is_empty() {
        return Err(problem("an expression is missing"));
    }
    thread::scope(|scope| {
        thread::Builder::new()
            .name("compile".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || parse(text, place))
            .map_err(|error| problem(format!("no thread to compile on: {error}")))?
            .join()
            .unwrap_or_else(|_| Err(problem("cannot be parsed")))
    })
}

fn parse(text: &str, place: Place) -> Result<Lowered, CompileError> {
    let (expr, source) = Parser::new()
        .parse_with_source_info(text)
        .map_err(|errors| syntax(text, &errors))?;
    let spans = Spans {
        text,
        source: &source,
    };
    lower(&expr, &spans, place)
}

pub(super) fn problem(message: impl Into<String>) -> CompileError {
    CompileError {
        message: message.into(),
        at: None,
        hint: None,
    }
}

/// Where the parts of an expression stand in its text.
pub(super) struct Spans<'a> {
    text: &'a str,
    source: &'a SourceInfo,
}

impl Spans<'_> {
    /// Bytes of the token an expression is known by: a name, an operator, an opening bracket.
    pub(super) fn of(&self, id: u64) -> Option<Range<usize>> {
        let (start, stop) = self.source.offset_for(id)?;
        let start = self.text.floor_char_boundary(usize::try_from(start).ok()?);
        let stop = usize::try_from(stop).ok()?.checked_add(1)?;
        let stop = self.text.ceil_char_boundary(stop);
        (start < stop).then_some(start..stop)
    }

    /// As [`Self::of`], for a call: its name, which stands before the bracket.
    pub(super) fn of_call(&self, id: u64, name: &str) -> Option<Range<usize>> {
        let bracket = self.of(id)?;
        let before = self.text.get(..bracket.start)?.trim_end();
        let start = before.len().checked_sub(name.len())?;
        if before.ends_with(name) {
            Some(start..before.len())
        } else {
            Some(bracket)
        }
    }
}

/// cel counts characters, we count bytes.
fn byte_at(text: &str, chars: usize) -> usize {
    text.char_indices()
        .nth(chars)
        .map_or(text.len(), |(at, _)| at)
}

fn syntax(text: &str, errors: &ParseErrors) -> CompileError {
    let Some(first) = errors.errors.first() else {
        return problem("is not CEL");
    };
    if first.pos == (0, 0) {
        return problem("nested too deep");
    }
    let message = first.msg.trim_start_matches("Syntax error: ");
    let message = message.split(" expecting ").next().unwrap_or(message);
    CompileError {
        message: format!("is not CEL: {message}"),
        at: position(text, first.pos),
        hint: habit(text).map(str::to_owned),
    }
}

/// The character at a line and column, both from 1.
fn position(text: &str, (line, column): (isize, isize)) -> Option<Range<usize>> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(before..)?;
    let start = before + byte_at(rest, column);
    let length = text.get(start..)?.chars().next().map_or(0, char::len_utf8);
    Some(start..start + length)
}

/// What people used to other languages write.
fn habit(text: &str) -> Option<&'static str> {
    let words = [
        (" and ", "CEL says `&&`"),
        (" or ", "CEL says `||`"),
        ("not ", "CEL says `!`"),
        ("<>", "CEL says `!=`"),
        ("=>", "CEL says `>=`"),
        ("=<", "CEL says `<=`"),
    ];
    let single_equals = || {
        let bytes = text.as_bytes();
        bytes.windows(3).any(|it| {
            matches!(it, [before, b'=', after]
                if *after != b'=' && !matches!(before, b'=' | b'!' | b'<' | b'>'))
        })
    };
    words
        .iter()
        .find(|(word, _)| text.contains(word))
        .map(|(_, hint)| *hint)
        .or_else(|| single_equals().then_some("CEL compares with `==`"))
}
