//! `${NAME}`, `${NAME:-fallback}` and `${file:/path}` in parsed scalars, never in text before parsing.

use std::{fs::File, io::Read, path::Path};

use super::{
    reader::Reader,
    yaml::{Node, Span, Value, span_within},
};

/// Largest file that `${file:…}` reads.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) span: Span,
    pub(super) kind: PartKind<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind<'a> {
    /// As it is.
    Literal(&'a str),
    /// `$${`: a literal `${`.
    Escape,
    /// `${NAME}`, `${NAME:-fallback}`.
    Variable {
        name: &'a str,
        fallback: Option<&'a str>,
    },
    /// `${file:path}`.
    File(&'a str),
    /// `${` and then something else.
    Unknown,
}

/// Where values come from.
#[derive(Clone, Copy)]
pub(super) struct Origins<'a> {
    /// The environment.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// What relative paths are relative to: the folder of the file.
    pub(super) folder: &'a Path,
}

/// Replaces every reference of the tree; what cannot be replaced is a problem, and broken.
pub(super) fn substitute(reader: &mut Reader<'_>, node: &mut Node, origins: Origins<'_>) {
    let text = match &mut node.value {
        Value::Null | Value::Broken => return,
        Value::List(items) => {
            for item in items {
                substitute(reader, item, origins);
            }
            return;
        }
        Value::Map(entries) => {
            for entry in entries {
                substitute(reader, &mut entry.node, origins);
            }
            return;
        }
        Value::Scalar(scalar) => scalar.text.clone(),
    };
    if !text.contains("${") {
        return;
    }
    let mut new = String::new();
    let (mut broken, mut by_fallback) = (false, false);
    for part in parts(&text) {
        if let PartKind::Variable { name, .. } = part.kind {
            by_fallback |= (origins.variable)(name).is_none();
        }
        match resolve(part.kind, origins) {
            Ok(value) => new.push_str(&value),
            Err(Missing { message, hint }) => {
                let span = span_within(reader.source(), node, &part.span);
                reader.error_at(span, &node.path, message, Some(hint));
                broken = true;
            }
        }
    }
    if let Value::Scalar(scalar) = &mut node.value {
        scalar.substituted = new != text;
        scalar.by_fallback = by_fallback;
        scalar.text = new;
    }
    if broken {
        node.value = Value::Broken;
    }
}

struct Missing {
    message: String,
    hint: String,
}

fn resolve(part: PartKind<'_>, origins: Origins<'_>) -> Result<String, Missing> {
    match part {
        PartKind::Literal(text) => Ok(text.to_owned()),
        PartKind::Escape => Ok("${".to_owned()),
        PartKind::Variable { name, fallback } => (origins.variable)(name)
            .or_else(|| fallback.map(str::to_owned))
            .ok_or_else(|| Missing {
                message: format!("the environment variable {name} is not set"),
                hint: format!("set it, or give a fallback: ${{{name}:-…}}"),
            }),
        PartKind::File(path) => read(&origins.folder.join(path)).map_err(|why| Missing {
            message: format!("the file {path} cannot be used: {why}"),
            hint: "mount it where the file says, readable for the user that runs zohook".to_owned(),
        }),
        // Not quoted: where a brace is missing this holds whatever follows.
        PartKind::Unknown => Err(Missing {
            message: "`${` begins no substitution here".to_owned(),
            hint: "write ${NAME} (upper case), ${NAME:-fallback} or ${file:/path}; $${ gives a literal ${"
                .to_owned(),
        }),
    }
}

/// A secret file, without the line break that ends it.
pub(super) fn read(path: &Path) -> Result<String, String> {
    // Before it is opened: a pipe would wait for its writer.
    let is_file = path.metadata().map_err(|error| error.kind().to_string())?;
    if !is_file.is_file() {
        return Err("it is no ordinary file".to_owned());
    }
    let file = File::open(path).map_err(|error| error.kind().to_string())?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.kind().to_string())?;
    if u64::try_from(text.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(format!("it is over {FILE_BYTES_MAX} bytes"));
    }
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(text)
}

/// Takes a text apart. The parts follow each other and cover all of it.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|it| !it.is_empty()) {
        let (kind, length) = next_part(rest);
        parts.push(Part {
            span: at..at + length,
            kind,
        });
        at += length;
    }
    parts
}

fn next_part(rest: &str) -> (PartKind<'_>, usize) {
    if rest.starts_with("$${") {
        return (PartKind::Escape, 3);
    }
    let reference = rest.strip_prefix("${").filter(|it| !it.starts_with('!'));
    let Some(reference) = reference else {
        let next = rest.char_indices().skip(1).find(|it| it.1 == '$');
        let end = next.map_or(rest.len(), |it| it.0);
        return (PartKind::Literal(rest.get(..end).unwrap_or(rest)), end);
    };
    let Some((inner, _)) = reference.split_once('}') else {
        return (PartKind::Unknown, rest.len());
    };
    let length = inner.len() + 3;
    if let Some(path) = inner.strip_prefix("file:").filter(|it| !it.is_empty()) {
        return (PartKind::File(path), length);
    }
    let (name, fallback) = match inner.split_once(":-") {
        Some((name, fallback)) => (name, Some(fallback)),
        None => (inner, None),
    };
    let kind = if is_variable_name(name) {
        PartKind::Variable { name, fallback }
    } else {
        PartKind::Unknown
    };
    (kind, length)
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let variable = |name: &str| match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let folder = Path::new("/nonexistent");
        let origins = Origins {
            variable: &variable,
            folder,
        };
        let all: Result<String, String> = parts(text)
            .into_iter()
            .map(|it| resolve(it.kind, origins).map_err(|it| it.message))
            .collect();
        assert_eq!(
            all.unwrap_or_else(|it| format!("! {it}")),
            expected,
            "{text}"
        );
    }

    #[test]
    fn references_are_replaced_and_all_else_is_left_alone() {
        check("x${A}y${A}", "xaya");
        check("${NONE:-b}", "b");
        check("${NONE:-}", "");
        check("${EMPTY:-b}", "");
        check("$${A} costs $5 $", "${A} costs $5 $");
        check("${!Leads.Id}", "${!Leads.Id}");
        check("é$é${A}", "é$éa");
        check("${NONE}", "! the environment variable NONE is not set");
        check("${none}", "! `${` begins no substitution here");
        check("${A", "! `${` begins no substitution here");
        check(
            "${file:gone}",
            "! the file gone cannot be used: entity not found",
        );
    }

    #[test]
    fn a_file_loses_its_trailing_newline_and_may_not_be_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "a b\r\n\n").unwrap();
        assert_eq!(read(&path), Ok("a b".to_owned()));
        std::fs::write(&path, "a".repeat(65_537)).unwrap();
        assert_eq!(read(&path), Err("it is over 65536 bytes".to_owned()));
    }
}
