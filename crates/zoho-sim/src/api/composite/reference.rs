//! References of a sub-request to what another one answered: `@{1:$.data[0].details.id}`.

use serde_json::Value;

/// A reference as it is written, its id, and its JSON path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub(super) id: &'a str,
    path: &'a str,
}

/// The reference that has no value, as it is written.
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

/// The value with what its references stand for; `answer` gives the body that an id answered.
pub(super) fn resolve<'a>(
    value: &Value,
    answer: &impl Fn(&str) -> Option<&'a Value>,
) -> Result<Value, Unresolved> {
    Ok(match value {
        Value::String(text) => resolve_text(text, answer)?,
        Value::Array(items) => {
            let items = items.iter().map(|it| resolve(it, answer));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(object) => {
            let pairs = object.iter();
            let pairs = pairs.map(|(key, it)| Ok((key.clone(), resolve(it, answer)?)));
            Value::Object(pairs.collect::<Result<_, Unresolved>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// A text that is nothing but a reference becomes the value it stands for, of whichever type.
fn resolve_text<'a>(
    text: &str,
    answer: &impl Fn(&str) -> Option<&'a Value>,
) -> Result<Value, Unresolved> {
    let mut resolved = text.to_owned();
    for reference in of(text) {
        let written = reference.text();
        let body = answer(reference.id);
        let found = body.and_then(|it| at(it, reference.path));
        let found = found.ok_or_else(|| Unresolved(written.clone()))?;
        if text == written {
            return Ok(found.clone());
        }
        resolved = resolved.replace(&written, &plain(found));
    }
    Ok(Value::String(resolved))
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
    while let Some((_, after)) = rest.split_once("@{") {
        let Some((inner, tail)) = after.split_once('}') else {
            break;
        };
        if let Some((id, path)) = inner.split_once(':') {
            found.push(Reference { id, path });
        }
        rest = tail;
    }
    found
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
            assert_eq!(resolve(&sent, &answer), expected, "{sent}");
        }
        assert_eq!(ids(&json!({"a": ["@{1:$.x}-@{b_2:$.y}"]})), ["1", "b_2"]);
    }
}
