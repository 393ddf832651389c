//! Composite calls: up to five requests in one, later ones using what earlier ones answered.

mod request;
mod sub_request;

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

pub use self::{
    request::{Composite, SUB_REQUESTS_MAX},
    sub_request::{Reference, SubId, SubRequest},
};
use crate::{
    Action, Batch, Call, Client, Error, ItemError, Values, Written,
    client::Answer,
    error::{LATER, failing, from_answer, is_error},
    items::{batch, result},
    records::{records_in, written},
    request::ApiRequest,
};

/// Where the requests and their answers are.
const KEY: &str = "__composite_requests";

/// What a request within a composite call was answered.
#[derive(Clone, PartialEq)]
pub struct SubAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers, as Zoho gives them.
    pub headers: Values,
    /// The body; `None` when there is none.
    pub body: Option<Value>,
    /// What a write was, where its answer does not say.
    action: Action,
}

/// A record's content is left out.
impl fmt::Debug for SubAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl SubAnswer {
    /// The body of a success; else what a call of its own would have failed with.
    ///
    /// # Errors
    /// As the variants say.
    pub fn body(&self) -> Result<Option<&Value>, Error> {
        let text = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let text = text.as_bytes();
        if matches!(self.status, 200..=299 | 304) && !is_error(text) {
            return Ok(self.body.as_ref());
        }
        Err(from_answer(failing(self.status), text, None, LATER))
    }

    /// The records that a read, a search or a COQL query found.
    ///
    /// # Errors
    /// As for a call of its own.
    pub fn records(&self) -> Result<Vec<Values>, Error> {
        self.body()?;
        records_in(&self.answer())
    }

    /// What became of each record of an insert, update, upsert or delete.
    ///
    /// # Errors
    /// As for a call of its own.
    pub fn written(&self) -> Result<Batch<Written>, Error> {
        let is_batch = self
            .body
            .as_ref()
            .is_some_and(|it| it.get("data").is_some());
        if !is_batch {
            self.body()?;
        }
        let each = batch(&self.answer(), "data", None)?;
        let each = each.into_iter().map(|it| written(&it?, self.action));
        Ok(each.collect())
    }

    fn answer(&self) -> Answer {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        Answer {
            status: self.status,
            body: body.into(),
            answered_at: Timestamp::UNIX_EPOCH,
        }
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
        let request = ApiRequest::post(&[KEY]).json(&body).items(KEY);
        let answer = self
            .send(Call::Composite, composite.cost(), &request)
            .await?;
        answers(&answer, composite)
    }
}

fn answers(answer: &Answer, composite: &Composite) -> Result<Batch<SubAnswer>, Error> {
    let malformed = Error::Malformed {
        problem: "no answer to a composite request",
    };
    if answer.is_empty() {
        return Err(malformed);
    }
    let body = answer.json()?;
    let Some(entries) = body.get(KEY).and_then(Value::as_array) else {
        // An error of the whole.
        return Err(batch(answer, KEY, Some(1)).err().unwrap_or(malformed));
    };
    if entries.len() != composite.len() {
        // Where nothing was carried out, Zoho names only what is wrong.
        let wrong = entries.iter().map(|it| result(it.clone(), answer.status));
        let wrong = wrong.filter_map(Result::err).map(Error::from).next();
        return Err(wrong.unwrap_or(malformed));
    }
    let each = entries.iter().zip(composite.actions());
    let each = each.map(|(entry, action)| match sub_answer(entry, action) {
        Some(answer) => Ok(answer),
        None => Err(match result(entry.clone(), answer.status) {
            Err(error) => error,
            Ok(_) => ItemError::of_call(&malformed),
        }),
    });
    Ok(each.collect())
}

/// A request that was carried out has an answer, whatever the entry says of it.
fn sub_answer(entry: &Value, action: Action) -> Option<SubAnswer> {
    let response = entry.pointer("/details/response")?;
    let headers = response.get("headers").and_then(Value::as_object);
    Some(SubAnswer {
        status: response.get("status_code")?.as_u64()?.try_into().ok()?,
        headers: headers.cloned().unwrap_or_default(),
        body: response.get("body").filter(|it| !it.is_null()).cloned(),
        action,
    })
}
