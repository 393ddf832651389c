//! References of a sub-request to what another one answered: `@{1:$.data[0].details.id}`.

use serde_json::Value;

/// A reference as it is written, its id, and its JSON path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub(super) id: &'a str,
    path: &'a str,
}

/// Bytes that the references of one sub-request may stand for, together.
const RESOLVED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The reference that has no value, or one too large, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unresolved(pub(super) String);

impl Reference<'_> {
    fn text(&self) -> String {
        format!("@{{{}:{}}}", self.id, self.path)
    }
}

/// The ids that a value refers to, wherever in it.
pub(super) fn ids(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => of(text).into_iter().map(|it| it.id).collect(),
        Value::Array(items) => items.iter().flat_map(ids).collect(),
        Value::Object(object) => object.values().flat_map(ids).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => vec![],
    }
}

/// Puts what references stand for in their places, up to a size.
#[derive(Debug)]
pub(super) struct Resolver<F> {
    /// The body that an id answered.
    answer: F,
    bytes_left: usize,
}

impl<'a, F: Fn(&str) -> Option<&'a Value>> Resolver<F> {
    pub(super) fn new(answer: F) -> Self {
        Self {
            answer,
            bytes_left: RESOLVED_BYTES_MAX,
        }
    }

    /// The value with what its references stand for.
    pub(super) fn resolve(&mut self, value: &Value) -> Result<Value, Unresolved> {
        Ok(match value {
            Value::String(text) => self.resolve_text(text)?,
            Value::Array(items) => {
                let items = items.iter().map(|it| self.resolve(it));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(object) => {
                let pairs = object.iter();
                let pairs = pairs.map(|(key, it)| Ok((key.clone(), self.resolve(it)?)));
                Value::Object(pairs.collect::<Result<_, Unresolved>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// A text that is nothing but a reference becomes the value it stands for, of whichever type.
    fn resolve_text(&mut self, text: &str) -> Result<Value, Unresolved> {
        let mut resolved = String::new();
        let mut rest = text;
        while let Some((before, reference, behind)) = first(rest) {
            let written = || Unresolved(reference.text());
            let body = (self.answer)(reference.id);
            let found = body.and_then(|it| at(it, reference.path));
            let found = found.ok_or_else(written)?;
            let shown = plain(found);
            let left = self.bytes_left.checked_sub(shown.len());
            self.bytes_left = left.ok_or_else(written)?;
            if before.is_empty() && behind.is_empty() && rest.len() == text.len() {
                return Ok(found.clone());
            }
            resolved.push_str(before);
            resolved.push_str(&shown);
            rest = behind;
        }
        resolved.push_str(rest);
        Ok(Value::String(resolved))
    }
}

/// A value within a text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(",")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn of(text: &str) -> Vec<Reference<'_>> {
    let mut found = vec![];
    let mut rest = text;
    while let Some((_, reference, behind)) = first(rest) {
        found.push(reference);
        rest = behind;
    }
    found
}

/// The first reference in a text, with what stands before it and behind it.
fn first(text: &str) -> Option<(&str, Reference<'_>, &str)> {
    let mut from = 0;
    loop {
        let (skipped, after) = text.get(from..)?.split_once("@{")?;
        let (inner, behind) = after.split_once('}')?;
        let begin = from + skipped.len();
        if let Some((id, path)) = inner.split_once(':') {
            return Some((text.get(..begin)?, Reference { id, path }, behind));
        }
        from = text.len() - behind.len();
    }
}

/// What stands at a path such as `$.data[0].details.id`; empty values are none.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    let steps = path.strip_prefix('$')?.split(['.', '[', ']', '\'', '"']);
    let found = steps
        .filter(|it| !it.is_empty())
        .try_fold(body, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            Value::Object(object) => object.get(step),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })?;
    (!found.is_null()).then_some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_become_what_they_stand_for() {
        let body = json!({"data": [{"details": {"id": "17", "rank": 3}}]});
        let answer = |id: &str| (id == "lead").then_some(&body);
        for (sent, expected) in [
            (json!("plain @ {x}"), Ok(json!("plain @ {x}"))),
            (json!("@{lead:$.data[0].details.rank}"), Ok(json!(3))),
            (
                json!([
                    "/crm/v8/Leads/@{lead:$.data[0].details.id}?n=@{lead:$['data'][0].details.rank}"
                ]),
                Ok(json!(["/crm/v8/Leads/17?n=3"])),
            ),
            (
                json!({"id": "@{lead:$.data[1].details.id}"}),
                Err(Unresolved("@{lead:$.data[1].details.id}".into())),
            ),
            (
                json!("@{other:$.data}"),
                Err(Unresolved("@{other:$.data}".into())),
            ),
        ] {
            assert_eq!(Resolver::new(answer).resolve(&sent), expected, "{sent}");
        }
        assert_eq!(ids(&json!({"a": ["@{1:$.x}-@{b_2:$.y}"]})), ["1", "b_2"]);
        assert_eq!(ids(&json!("@{no} @{1:$.x")), Vec::<&str>::new());
    }

    #[test]
    fn what_references_stand_for_has_a_size() {
        let body = json!({"text": "x".repeat(RESOLVED_BYTES_MAX / 10)});
        let reference = "@{1:$.text}";
        for (times, fits) in [(10, true), (11, false), (1_000_000, false)] {
            let sent = json!(format!("{reference} ").repeat(times));
            let resolved = Resolver::new(|_: &str| Some(&body)).resolve(&sent);
            assert_eq!(resolved.is_ok(), fits, "{times}");
        }
    }
}
