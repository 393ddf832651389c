//! A composite call as it was sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::reference::{self, Resolver, Unresolved};
use crate::{
    answer::Refusal,
    call::{Call, Operation},
};

/// Sub-requests of one call. Zoho: "Composite API", v8.
const SUB_REQUESTS_MAX: usize = 5;
/// Headers that a sub-request may not have. Same source.
const RESTRICTED_HEADERS: &[&str] = &["authorization", "x-crm-org"];
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];
/// The key of the sub-requests and of their answers.
pub(super) const KEY: &str = "__composite_requests";

/// A composite call, understood.
#[derive(Debug)]
pub(super) struct Composite {
    pub(super) rollback: bool,
    /// In any order that has what is referred to first.
    pub(super) parallel: bool,
    pub(super) subs: Vec<Result<Sub, Refusal>>,
}

/// One of its calls.
#[derive(Clone, Debug)]
pub(super) struct Sub {
    pub(super) at: usize,
    pub(super) id: Option<String>,
    method: Method,
    /// By key: `uri`, `params`, `headers`, `body`.
    parts: Map<String, Value>,
}

impl Composite {
    pub(super) fn read(call: &Call) -> Result<Self, Refusal> {
        let body = call.json().ok_or_else(Refusal::unreadable_json)?;
        let rollback = flag(&body, "rollback_on_fail")?.unwrap_or(false);
        let asked = match flag(&body, "parallel_execution")? {
            None => flag(&body, "concurrent_execution")?,
            asked => asked,
        };
        if rollback && asked == Some(true) {
            return Err(Refusal::new(
                "AMBIGUITY_DURING_PROCESSING",
                "ambiguity while processing the request",
                json!({"ambiguity_due_to": [
                    {"api_name": "rollback_on_fail", "json_path": "$.rollback_on_fail"},
                    {"api_name": "parallel_execution", "json_path": "$.parallel_execution"},
                ]}),
            ));
        }
        let sent = match body.get(KEY) {
            None | Some(Value::Null) => {
                return Err(Refusal::mandatory(KEY, "$.__composite_requests"));
            }
            Some(Value::Array(sent)) if !sent.is_empty() => sent,
            Some(_) => {
                return Err(Refusal::invalid_data(json!({
                    "api_name": KEY, "json_path": "$.__composite_requests",
                    "expected_data_type": "jsonarray",
                })));
            }
        };
        if sent.len() > SUB_REQUESTS_MAX {
            return Err(Refusal::invalid_data(json!({
                "api_name": KEY, "json_path": "$.__composite_requests",
                "maximum_length": SUB_REQUESTS_MAX,
            })));
        }
        let mut subs: Vec<Result<Sub, Refusal>> = vec![];
        for (at, sent) in sent.iter().enumerate() {
            let sub = Sub::read(at, sent).and_then(|sub| {
                let mut others = subs.iter().flatten();
                if sub.id.is_some() && others.any(|it| it.id == sub.id) {
                    let path = format!("$.{KEY}[{at}].sub_request_id");
                    let details = json!({"api_name": "sub_request_id", "json_path": path});
                    return Err(Refusal::new("DUPLICATE_DATA", "duplicate data", details));
                }
                Ok(sub)
            });
            subs.push(sub);
        }
        Ok(Self {
            rollback,
            parallel: asked.unwrap_or(!rollback),
            subs,
        })
    }
}

impl Sub {
    fn read(at: usize, sent: &Value) -> Result<Self, Refusal> {
        let place = |key: &str| format!("$.{KEY}[{at}].{key}");
        let invalid = |key: &str, more: (&str, Value)| {
            Refusal::invalid_data(json!({"api_name": key, "json_path": place(key), more.0: more.1}))
        };
        let text = |key: &str| match sent.get(key) {
            None | Some(Value::Null) => Err(Refusal::mandatory(key, &place(key))),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(invalid(key, ("expected_data_type", json!("text")))),
        };
        let id = match sent.get("sub_request_id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if is_id(id) => Some(id.clone()),
            Some(_) => {
                let regex = json!("[a-zA-Z0-9][a-zA-Z0-9_]*");
                return Err(invalid("sub_request_id", ("regex", regex)));
            }
        };
        let method = text("method")?;
        if !METHODS.contains(&method.as_str()) {
            return Err(invalid("method", ("supported_values", json!(METHODS))));
        }
        let uri = text("uri")?;
        let mut segments = uri.trim_start_matches('/').split('/');
        if segments.next() != Some("crm") || segments.count() < 2 {
            let regex = json!("/crm(/.*)?/v[0-9]+([.][0-9]+)?/.*");
            return Err(invalid("uri", ("regex", regex)));
        }
        let mut parts = Map::from_iter([("uri".to_owned(), json!(uri))]);
        for key in ["params", "headers", "body"] {
            match sent.get(key) {
                None | Some(Value::Null) => {}
                Some(object @ Value::Object(_)) => {
                    parts.insert(key.to_owned(), object.clone());
                }
                Some(_) => return Err(invalid(key, ("expected_data_type", json!("jsonobject")))),
            }
        }
        let headers = parts.get("headers").and_then(Value::as_object);
        let restricted = |name: &String| RESTRICTED_HEADERS.contains(&name.to_lowercase().as_str());
        if headers.is_some_and(|it| it.keys().any(restricted)) {
            return Err(invalid(
                "headers",
                ("restricted_headers", json!(RESTRICTED_HEADERS)),
            ));
        }
        Ok(Self {
            at,
            id,
            method: method.parse().unwrap_or_default(),
            parts,
        })
    }

    /// Ids of the sub-requests that it refers to.
    pub(super) fn refers_to(&self) -> Vec<&str> {
        self.parts.values().flat_map(reference::ids).collect()
    }

    /// The sub-request with what its references stand for.
    pub(super) fn resolved<'a>(
        &self,
        answer: impl Fn(&str) -> Option<&'a Value>,
    ) -> Result<Self, Refusal> {
        let mut resolved = self.clone();
        let mut references = Resolver::new(answer);
        for (key, part) in &mut resolved.parts {
            *part = references
                .resolve(part)
                .map_err(|unresolved| self.invalid_reference(key, &unresolved))?;
        }
        Ok(resolved)
    }

    fn invalid_reference(&self, key: &str, Unresolved(written): &Unresolved) -> Refusal {
        let path = format!("$.{KEY}[{}].{key}", self.at);
        Refusal::new(
            "INVALID_REFERENCE",
            "the reference given seems to be invalid",
            json!({"api_name": key, "json_path": path, "reference": written}),
        )
    }

    /// The call that it is, made with this token.
    pub(super) fn to_call(&self, authorization: Option<&HeaderValue>) -> Call {
        let part = |key| self.parts.get(key);
        let uri = part("uri").and_then(Value::as_str).unwrap_or_default();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let object = |key| part(key).and_then(Value::as_object).into_iter().flatten();
        let mut headers: HeaderMap = object("headers")
            .filter_map(|(name, value)| {
                let name: HeaderName = name.parse().ok()?;
                Some((name, reference::plain(value).parse().ok()?))
            })
            .collect();
        if let Some(token) = authorization {
            headers.insert(http::header::AUTHORIZATION, token.clone());
        }
        let params = object("params").map(|(key, value)| (key.clone(), reference::plain(value)));
        Call {
            operation: Operation::of(&self.method, path),
            method: self.method.clone(),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .chain(params)
                .collect(),
            headers,
            body: part("body").map_or_else(Bytes::new, |it| Bytes::from(it.to_string())),
        }
    }
}

fn is_id(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(fits)
        && text.len() <= 100
}

/// An optional flag of the body.
fn flag(body: &Value, name: &str) -> Result<Option<bool>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(Refusal::invalid_data(json!({
            "api_name": name, "json_path": format!("$.{name}"), "expected_data_type": "boolean",
        }))),
    }
}
