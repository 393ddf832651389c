//! Composite calls: up to five requests in one, later ones using what earlier ones answered.

mod request;

use std::time::Duration;

use serde_json::Value;

pub use self::request::{Composite, Reference, SUB_REQUESTS_MAX, SubId, SubRequest};
use crate::{Batch, Call, Client, Error, Values, error::from_answer, request::ApiRequest};

/// What a request within a composite call was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct SubAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers, as Zoho gives them.
    pub headers: Values,
    /// The body; `None` when there is none.
    pub body: Option<Value>,
}

impl SubAnswer {
    /// The body of a success; else what a call of its own would have failed with.
    ///
    /// # Errors
    /// As the variants say.
    pub fn body(&self) -> Result<Option<&Value>, Error> {
        if matches!(self.status, 200..=299 | 304) {
            return Ok(self.body.as_ref());
        }
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        Err(from_answer(
            self.status,
            body.as_bytes(),
            None,
            Duration::ZERO,
        ))
    }
}

impl Client {
    /// Carries out up to five requests with one call, and gives their answers in order. Heavy; 1 credit and what each
    /// of them costs. Never sent again unless it was certainly not carried out.
    ///
    /// Zoho: "Composite API", v8. An item fails with `LOOPING_FOUND`, `PROCESSING_STOPPED` or `ROLLBACK_PERFORMED`
    /// where it was not carried out or was undone.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when there is no request in it; else as the variants say.
    pub async fn composite(&self, composite: &Composite) -> Result<Batch<SubAnswer>, Error> {
        if composite.is_empty() {
            return Err(Self::wrong("a composite call takes 1 to 5 requests"));
        }
        let body = composite.to_json();
        let request = ApiRequest::post(&["__composite_requests"])
            .json(&body)
            .items("__composite_requests");
        let sent = Some(composite.len());
        let results = self
            .send_items(Call::Composite, composite.cost(), &request, sent)
            .await?;
        results
            .into_iter()
            .map(|it| match it {
                Ok(entry) => sub_answer(&entry).map(Ok),
                Err(error) => Ok(Err(error)),
            })
            .collect()
    }
}

fn sub_answer(entry: &Value) -> Result<SubAnswer, Error> {
    let malformed = Error::Malformed {
        problem: "no answer to a composite request",
    };
    let response = entry
        .pointer("/details/response")
        .ok_or(malformed.clone())?;
    let status = response.get("status_code").and_then(Value::as_u64);
    let headers = response.get("headers").and_then(Value::as_object);
    Ok(SubAnswer {
        status: status.and_then(|it| it.try_into().ok()).ok_or(malformed)?,
        headers: headers.cloned().unwrap_or_default(),
        body: response.get("body").filter(|it| !it.is_null()).cloned(),
    })
}
