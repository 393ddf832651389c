//! A request within a composite call, and references from one to what an earlier one answered.

use std::fmt;

use http::Method;
use serde_json::{Map, Value, json};

use crate::{
    Action, Error, Values,
    coql::{self, limit_of},
    records::{is_api_name, is_record_id},
};

/// Where every sub-request's URI begins.
const ROOT: &str = "/crm/v8/";

/// A value out of the answer to an earlier sub-request. Its text (`@{1:$.data[0].details.id}`) stands wherever a
/// sub-request takes a string: in its URI, its parameters and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Index of the sub-request that is referred to.
    to: usize,
    /// Which composite it is of.
    text: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Reference> for Value {
    fn from(reference: Reference) -> Self {
        Self::String(reference.text)
    }
}

/// A sub-request of a [`Composite`](super::Composite), once added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubId(pub(super) usize);

impl SubId {
    /// What stands at a JSON path of its answer's body, such as `$.data[0].details.id`.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is not such a path.
    pub fn at(self, json_path: &str) -> Result<Reference, Error> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '$');
        if !json_path.starts_with("$.") || !json_path.chars().all(fits) {
            return Err(Error::Misuse {
                problem: "not a json path that a reference can have",
            });
        }
        Ok(Reference {
            to: self.0,
            text: format!("@{{{}:{json_path}}}", self.0 + 1),
        })
    }

    /// The id of the record that it writes.
    pub fn written_id(self) -> Reference {
        Reference {
            to: self.0,
            text: format!("@{{{}:$.data[0].details.id}}", self.0 + 1),
        }
    }

    /// Its place in the results.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// One request within a composite call. It writes one record, or reads up to 25 (`per_page`); it deletes by a path with
/// an id. Files, mail and bulk jobs are no part of composite calls.
///
/// Zoho: "Composite API", v8.
#[derive(Clone, PartialEq)]
pub struct SubRequest {
    method: Method,
    uri: String,
    headers: Map<String, Value>,
    params: Map<String, Value>,
    body: Option<Value>,
    references: Vec<Reference>,
    pub(super) cost: u64,
}

/// Headers, parameters and body may hold values, and are left out.
impl fmt::Debug for SubRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubRequest")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl SubRequest {
    /// Any request of `/crm/v8/…`, of one credit.
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self {
            method,
            uri: uri.into(),
            headers: Map::new(),
            params: Map::new(),
            body: None,
            references: vec![],
            cost: 1,
        }
    }

    /// One record, all fields.
    pub fn record(module: &str, id: impl fmt::Display) -> Self {
        Self::new(Method::GET, format!("{ROOT}{module}/{id}"))
    }

    /// Inserts a record.
    pub fn insert(module: &str, record: Values) -> Self {
        Self::write(Method::POST, format!("{ROOT}{module}"), record)
    }

    /// Changes a record.
    pub fn update(module: &str, id: impl fmt::Display, changes: Values) -> Self {
        Self::write(Method::PUT, format!("{ROOT}{module}/{id}"), changes)
    }

    /// Inserts a record or changes the one there is.
    pub fn upsert(module: &str, record: Values) -> Self {
        Self::write(Method::POST, format!("{ROOT}{module}/upsert"), record)
    }

    /// Deletes one record.
    pub fn delete(module: &str, id: impl fmt::Display) -> Self {
        Self::new(Method::DELETE, format!("{ROOT}{module}/{id}"))
    }

    /// A COQL query, with a limit of 25 rows at most.
    pub fn coql(query: &str) -> Self {
        Self {
            cost: coql::cost(limit_of(query)).credits,
            ..Self::new(Method::POST, format!("{ROOT}coql")).body(json!({ "select_query": query }))
        }
    }

    /// A parameter of its query string.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.params.insert(name.into(), value.to_string().into());
        self
    }

    /// A header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.headers.insert(name.into(), value.to_string().into());
        self
    }

    /// A JSON body.
    #[must_use]
    pub fn body(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// Says that it uses a reference. A text that looks like a reference and is not declared so is refused: it would
    /// be replaced.
    #[must_use]
    pub fn uses(mut self, reference: &Reference) -> Self {
        self.references.push(reference.clone());
        self
    }

    /// What a write is, where its answer does not say.
    pub(super) fn action(&self) -> Action {
        if self.method == Method::POST {
            Action::Inserted
        } else {
            Action::Updated
        }
    }

    /// As it is sent, with what there is.
    pub(super) fn to_json(&self, id: usize) -> Value {
        let mut sent = Map::new();
        sent.insert("sub_request_id".to_owned(), id.to_string().into());
        sent.insert("method".to_owned(), self.method.as_str().into());
        sent.insert("uri".to_owned(), self.uri.clone().into());
        for (name, held) in [("headers", &self.headers), ("params", &self.params)] {
            if !held.is_empty() {
                sent.insert(name.to_owned(), held.clone().into());
            }
        }
        if let Some(body) = &self.body {
            sent.insert("body".to_owned(), body.clone());
        }
        sent.into()
    }

    fn write(method: Method, uri: String, record: Values) -> Self {
        let data = vec![Value::Object(record)];
        Self::new(method, uri).body(json!({ "data": data }))
    }

    pub(super) fn check(&self, index: usize) -> Result<(), Error> {
        let wrong = |problem| Err(Error::Misuse { problem });
        if self.references.iter().any(|it| it.to >= index) {
            return wrong("a reference to a request that is not an earlier one");
        }
        if !self.looks_declared(&self.uri) || !self.is_path() {
            return wrong("not the address of a composite request");
        }
        let held = self.headers.values().chain(self.params.values());
        if !held.chain(&self.body).all(|it| self.is_declared(it)) {
            return wrong("a text that would be taken for a reference");
        }
        Ok(())
    }

    /// Whether the URI is a path below the root whose segments are names, ids and references.
    fn is_path(&self) -> bool {
        let mut plain = self.uri.clone();
        for reference in &self.references {
            plain = plain.replace(&reference.text, "0");
        }
        plain.strip_prefix(ROOT).is_some_and(|path| {
            path.split('/')
                .all(|it| is_api_name(it) || is_record_id(it))
        })
    }

    fn is_declared(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.looks_declared(text),
            Value::Array(entries) => entries.iter().all(|it| self.is_declared(it)),
            Value::Object(members) => members
                .iter()
                .all(|(name, it)| self.looks_declared(name) && self.is_declared(it)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }

    /// Whether each thing in it that looks like a reference is a declared one.
    fn looks_declared(&self, text: &str) -> bool {
        let mut plain = text.to_owned();
        for reference in &self.references {
            plain = plain.replace(&reference.text, "");
        }
        !plain.contains("@{")
    }
}
