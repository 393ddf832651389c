//! Several requests in one call.

use serde_json::{Value, json};

use super::{
    KEY,
    sub_request::{SubId, SubRequest},
};
use crate::{Action, Error, request::Cost};

/// Sub-requests of one call. Zoho: "Composite API", v8.
pub const SUB_REQUESTS_MAX: usize = 5;

/// How the requests are carried out. Zoho takes no rollback together with parallel execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Execution {
    /// In order; what succeeds stays.
    #[default]
    InOrder,
    /// In order; when one fails, the others are undone.
    AllOrNothing,
    /// At once, but for those that refer to others; what succeeds stays.
    Parallel,
}

/// Up to [`SUB_REQUESTS_MAX`] requests in one call.
///
/// ```
/// use serde_json::json;
/// use zoho_crm::composite::{Composite, SubRequest};
/// # fn main() -> Result<(), zoho_crm::Error> {
/// let mut batch = Composite::new();
/// let account = json!({"Account_Name": "Reed Ltd"}).as_object().cloned().unwrap_or_default();
/// let account = batch.add(SubRequest::insert("Accounts", account))?;
/// let id = account.written_id();
/// let contact = json!({"Last_Name": "Doe", "Account_Name": {"id": id.to_string()}});
/// let contact = contact.as_object().cloned().unwrap_or_default();
/// batch.add(SubRequest::insert("Contacts", contact).uses(&id))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Composite {
    requests: Vec<SubRequest>,
    execution: Execution,
}

impl Composite {
    /// Nothing yet; carried out in order, and what succeeds stays.
    pub fn new() -> Self {
        Self::default()
    }

    /// When one fails, undoes the others; not in parallel then.
    #[must_use]
    pub fn rollback_on_fail(self) -> Self {
        Self {
            execution: Execution::AllOrNothing,
            ..self
        }
    }

    /// Carries them out at once, but for those that refer to others; what succeeds stays then.
    #[must_use]
    pub fn parallel(self) -> Self {
        Self {
            execution: Execution::Parallel,
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
    pub(super) fn cost(&self) -> Cost {
        Cost::heavy(1 + self.requests.iter().map(|it| it.cost).sum::<u64>())
    }

    /// What each request is if it is a write.
    pub(super) fn actions(&self) -> impl Iterator<Item = Action> {
        self.requests.iter().map(SubRequest::action)
    }

    pub(super) fn to_json(&self) -> Value {
        let requests = self.requests.iter().zip(1..);
        let requests: Vec<Value> = requests.map(|(it, id)| it.to_json(id)).collect();
        json!({
            "rollback_on_fail": self.execution == Execution::AllOrNothing,
            "parallel_execution": self.execution == Execution::Parallel,
            (KEY): requests,
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::Values;

    fn values(value: &Value) -> Values {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn only_earlier_requests_can_be_referred_to() {
        let mut batch = Composite::new();
        let first = batch
            .add(SubRequest::insert("Accounts", values(&json!({"a": 1}))))
            .unwrap();
        let id = first.written_id();
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
            let refused = batch.add(SubRequest::insert("Leads", values(&body)));
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
