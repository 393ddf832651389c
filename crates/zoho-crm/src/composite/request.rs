//! Sub-requests, and references from one to what an earlier one answered.

use std::fmt;

use http::Method;
use serde_json::{Map, Value, json};

use crate::{
    Error, Values,
    coql::{self, limit_of},
    records::{is_api_name, is_record_id},
    request::Cost,
};

/// Sub-requests of one call. Zoho: "Composite API", v8.
pub const SUB_REQUESTS_MAX: usize = 5;

/// Where every sub-request's URI begins.
const ROOT: &str = "/crm/v8/";

/// Records that one sub-request may write. Zoho: "Insert records", v8.
const RECORDS_MAX: usize = 100;

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

/// A sub-request of a [`Composite`], once added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubId(usize);

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

    /// The id of the record that it writes as its `index`-th.
    pub fn written_id(self, index: usize) -> Reference {
        Reference {
            to: self.0,
            text: format!("@{{{}:$.data[{index}].details.id}}", self.0 + 1),
        }
    }

    /// Its place in the results.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// One request within a composite call.
#[derive(Clone, Debug, PartialEq)]
pub struct SubRequest {
    method: Method,
    uri: String,
    headers: Map<String, Value>,
    params: Map<String, Value>,
    body: Option<Value>,
    references: Vec<Reference>,
    cost: u64,
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

    /// Inserts 1 to 100 records.
    pub fn insert(module: &str, records: Vec<Values>) -> Self {
        Self::write(Method::POST, format!("{ROOT}{module}"), records)
    }

    /// Changes 1 to 100 records, each with its `id`.
    pub fn update(module: &str, records: Vec<Values>) -> Self {
        Self::write(Method::PUT, format!("{ROOT}{module}"), records)
    }

    /// Inserts 1 to 100 records or changes those there are.
    pub fn upsert(module: &str, records: Vec<Values>) -> Self {
        Self::write(Method::POST, format!("{ROOT}{module}/upsert"), records)
    }

    /// Deletes one record.
    pub fn delete(module: &str, id: impl fmt::Display) -> Self {
        Self::new(Method::DELETE, format!("{ROOT}{module}/{id}"))
    }

    /// A COQL query.
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

    fn write(method: Method, uri: String, records: Vec<Values>) -> Self {
        let cost = Cost::writes(records.len()).credits;
        let body = json!({ "data": records });
        Self {
            cost,
            ..Self::new(method, uri).body(body)
        }
    }

    fn check(&self, index: usize) -> Result<(), Error> {
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
        let records = self.body.as_ref().and_then(|it| it.get("data"));
        let written = records.and_then(Value::as_array).map_or(1, Vec::len);
        if !(1..=RECORDS_MAX).contains(&written) {
            return wrong("a composite request writes 1 to 100 records");
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

/// Up to [`SUB_REQUESTS_MAX`] requests in one call.
///
/// ```
/// use serde_json::json;
/// use zoho_crm::composite::{Composite, SubRequest};
/// # fn main() -> Result<(), zoho_crm::Error> {
/// let mut batch = Composite::new();
/// let account = json!({"Account_Name": "Reed Ltd"}).as_object().cloned().unwrap_or_default();
/// let account = batch.add(SubRequest::insert("Accounts", vec![account]))?;
/// let id = account.written_id(0);
/// let contact = json!({"Last_Name": "Doe", "Account_Name": {"id": id.to_string()}});
/// let contact = contact.as_object().cloned().unwrap_or_default();
/// batch.add(SubRequest::insert("Contacts", vec![contact]).uses(&id))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Composite {
    requests: Vec<SubRequest>,
    rollback_on_fail: bool,
    parallel_execution: bool,
}

impl Composite {
    /// Nothing yet; carried out in order, and what succeeds stays.
    pub fn new() -> Self {
        Self::default()
    }

    /// When one fails, undoes the others.
    #[must_use]
    pub fn rollback_on_fail(self) -> Self {
        Self {
            rollback_on_fail: true,
            ..self
        }
    }

    /// Carries them out all at once.
    #[must_use]
    pub fn parallel(self) -> Self {
        Self {
            parallel_execution: true,
            ..self
        }
    }

    /// Adds a request, for later ones to refer to.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there are five already, when it refers to no earlier one, or when a text of it would be
    /// taken for a reference.
    pub fn add(&mut self, request: SubRequest) -> Result<SubId, Error> {
        let index = self.requests.len();
        if index == SUB_REQUESTS_MAX {
            return Err(Error::Misuse {
                problem: "a composite call takes up to 5 requests",
            });
        }
        request.check(index)?;
        self.requests.push(request);
        Ok(SubId(index))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Itself and what its requests cost.
    pub(crate) fn cost(&self) -> Cost {
        Cost::heavy(1 + self.requests.iter().map(|it| it.cost).sum::<u64>())
    }

    pub(crate) fn to_json(&self) -> Value {
        let requests: Vec<Value> = self
            .requests
            .iter()
            .enumerate()
            .map(|(index, it)| {
                json!({
                    "sub_request_id": (index + 1).to_string(),
                    "method": it.method.as_str(),
                    "uri": it.uri,
                    "headers": it.headers,
                    "params": it.params,
                    "body": it.body,
                })
            })
            .collect();
        json!({
            "rollback_on_fail": self.rollback_on_fail,
            "parallel_execution": self.parallel_execution,
            "__composite_requests": requests,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(value: Value) -> Values {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn only_earlier_requests_can_be_referred_to() {
        let mut batch = Composite::new();
        let first = batch
            .add(SubRequest::insert(
                "Accounts",
                vec![values(json!({"a": 1}))],
            ))
            .unwrap();
        let id = first.written_id(0);
        assert_eq!(id.to_string(), "@{1:$.data[0].details.id}");
        let second = batch
            .add(SubRequest::record("Accounts", &id).uses(&id))
            .unwrap();
        let name = second.at("$.data[0].Account_Name").unwrap();
        assert_eq!(name.to_string(), "@{2:$.data[0].Account_Name}");

        let mut other = Composite::new();
        let early = SubRequest::record("Accounts", &id).uses(&id);
        assert!(other.add(early).is_err());
    }

    #[test]
    fn a_text_that_looks_like_a_reference_is_refused() {
        let text = "@{1:$.data[0].details.id}";
        for body in [
            json!({"Last_Name": text}),
            json!({text: 1}),
            json!({"a": [{"b": text}]}),
        ] {
            let mut batch = Composite::new();
            let refused = batch.add(SubRequest::insert("Leads", vec![values(body)]));
            assert!(refused.is_err());
        }
        let mut batch = Composite::new();
        assert!(
            batch
                .add(SubRequest::new(Method::GET, "/crm/v8/Leads").param("word", text))
                .is_err()
        );
    }

    #[test]
    fn addresses_stay_below_the_root() {
        for uri in [
            "https://example.com/crm/v8/Leads",
            "/oauth/v2/token",
            "/crm/v8/../org",
            "/crm/v8/Leads?x=1",
            "/crm/v8//",
            "/crm/v8/@{1:$.a}",
        ] {
            let mut batch = Composite::new();
            assert!(
                batch.add(SubRequest::new(Method::GET, uri)).is_err(),
                "{uri}"
            );
        }
    }

    #[test]
    fn a_sixth_request_is_refused_and_the_cost_is_the_sum() {
        let mut batch = Composite::new();
        for _ in 0..4 {
            batch.add(SubRequest::record("Leads", "1")).unwrap();
        }
        batch
            .add(SubRequest::coql(
                "select id from Leads where id is not null limit 2000",
            ))
            .unwrap();
        assert!(batch.add(SubRequest::record("Leads", "1")).is_err());
        assert_eq!(batch.cost(), Cost::heavy(1 + 4 + 3));
    }
}
