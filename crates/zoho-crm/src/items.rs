//! Answers with one result an item: each its own success or failure, in the order sent.

use serde_json::Value;

use crate::{
    Call, Client, Code, Error,
    client::Answer,
    error::{LATER, Wait, code_of, decide, failing, from_answer, name_of},
    records::is_record_id,
    request::{Accept, ApiRequest, Cost},
};

/// One result an item, in the order sent.
pub type Batch<T> = Vec<Result<T, ItemError>>;

/// The longest `json_path` that is kept.
const PATH_CHARS_MAX: usize = 200;

/// Why one item of a call was not done. Holds no values.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct ItemError {
    /// What to do about it, as for a call of its own.
    #[source]
    pub error: Error,
    /// Zoho's code; `none` where the whole call failed without one.
    pub code: Code,
    /// The field that Zoho names as the cause.
    pub api_name: Option<Code>,
    /// Where in the request that is: `$.data[0].Email`.
    pub json_path: Option<Box<str>>,
    /// `DUPLICATE_DATA`: the record that is there already.
    pub duplicate_id: Option<Box<str>>,
    /// Whether it may be done nevertheless, as [`Error::may_be_done`].
    pub may_be_done: bool,
}

impl ItemError {
    /// One entry of an answer. `status` is the answer's.
    fn read(entry: &Value, status: u16) -> Self {
        let code = code_of(entry);
        let api_name = name_of(entry);
        let error = decide(
            failing(status),
            code.clone(),
            api_name.clone(),
            Wait::default(),
        );
        Self {
            may_be_done: error.may_be_done(),
            error,
            json_path: json_path(entry),
            duplicate_id: duplicate_id(entry, &code),
            code,
            api_name,
        }
    }

    /// An item whose whole call failed.
    pub(crate) fn of_call(error: &Error) -> Self {
        Self {
            may_be_done: error.may_be_done(),
            error: error.clone(),
            code: error.code().cloned().unwrap_or_else(|| Code::new("")),
            api_name: None,
            json_path: None,
            duplicate_id: None,
        }
    }

    /// An item that was not sent, since an earlier call failed.
    pub(crate) fn not_sent(error: &Error) -> Self {
        Self {
            may_be_done: false,
            ..Self::of_call(error)
        }
    }
}

impl From<ItemError> for Error {
    fn from(item: ItemError) -> Self {
        item.error
    }
}

impl Client {
    /// Sends a call that is answered item by item, and gives each done item's entry. `sent` is how many answers there
    /// must be, if that can be known.
    pub(crate) async fn send_items(
        &self,
        call: Call,
        cost: Cost,
        request: &ApiRequest<'_>,
        sent: Option<usize>,
    ) -> Result<Batch<Value>, Error> {
        let Accept::Items(key) = request.accept else {
            return Err(Self::wrong("a call without items"));
        };
        let answer = self.send(call, cost, request).await?;
        batch(&answer, key, sent)
    }
}

/// The results of several calls, as if they were one. After a call that failed nothing is sent.
#[derive(Debug)]
pub(crate) struct Batches<T> {
    done: Batch<T>,
    failed: Option<Error>,
}

impl<T> Default for Batches<T> {
    fn default() -> Self {
        Self {
            done: vec![],
            failed: None,
        }
    }
}

impl<T> Batches<T> {
    /// Whether no more is sent; then these many items have that for their result.
    pub(crate) fn has_stopped(&mut self, items: usize) -> bool {
        let Some(error) = &self.failed else {
            return false;
        };
        let not_sent = ItemError::not_sent(error);
        self.done.extend((0..items).map(|_| Err(not_sent.clone())));
        true
    }

    /// Takes what one call of so many items gave; the first call's failure is that of all.
    pub(crate) fn add(
        &mut self,
        items: usize,
        result: Result<Batch<T>, Error>,
    ) -> Result<(), Error> {
        match result {
            Ok(batch) => self.done.extend(batch),
            Err(error) if self.done.is_empty() => return Err(error),
            Err(error) => {
                let failed = ItemError::of_call(&error);
                self.done.extend((0..items).map(|_| Err(failed.clone())));
                self.failed = Some(error);
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Batch<T> {
        self.done
    }
}

/// The entries under `key`, each a success or not, whatever the HTTP status says.
pub(crate) fn batch(
    answer: &Answer,
    key: &str,
    sent: Option<usize>,
) -> Result<Batch<Value>, Error> {
    let wrong = |problem| Err(Error::Malformed { problem });
    if answer.is_empty() {
        return match sent {
            None | Some(0) => Ok(vec![]),
            Some(_) => wrong("no result for what was sent"),
        };
    }
    let mut body = answer.json()?;
    let entries = match body.get_mut(key).map(Value::take) {
        Some(Value::Array(entries)) => entries,
        Some(entry @ Value::Object(_)) => return one_for_all(entry, answer.status, sent),
        // Without its envelope: one entry, or an error of the whole.
        Some(_) | None if is_failure(&body) => return Err(refused(answer)),
        Some(_) | None if is_success(&body) => vec![body],
        Some(_) | None => return wrong("no results under the expected key"),
    };
    if sent.is_some_and(|it| it != entries.len()) {
        return wrong("not as many results as items");
    }
    Ok(entries
        .into_iter()
        .map(|entry| result(entry, answer.status))
        .collect())
}

/// An entry that stands for one item or refuses all of them at once.
fn one_for_all(entry: Value, status: u16, sent: Option<usize>) -> Result<Batch<Value>, Error> {
    let sent = sent.unwrap_or(1);
    if sent == 1 {
        return Ok(vec![result(entry, status)]);
    }
    if !is_failure(&entry) {
        return Err(Error::Malformed {
            problem: "one result for many items",
        });
    }
    let error = ItemError::read(&entry, status);
    Ok((0..sent).map(|_| Err(error.clone())).collect())
}

/// One entry of an answer.
pub(crate) fn result(entry: Value, status: u16) -> Result<Value, ItemError> {
    if is_success(&entry) {
        Ok(entry)
    } else if is_failure(&entry) {
        Err(ItemError::read(&entry, status))
    } else {
        Err(ItemError::of_call(&Error::Malformed {
            problem: "a result without a status",
        }))
    }
}

fn is_success(entry: &Value) -> bool {
    match entry.get("status").and_then(Value::as_str) {
        Some(status) => status == "success",
        None => matches!(
            entry.get("code").and_then(Value::as_str),
            Some("SUCCESS" | "ADDED_SUCCESSFULLY" | "SCHEDULED")
        ),
    }
}

fn is_failure(entry: &Value) -> bool {
    !is_success(entry) && entry.get("code").is_some_and(Value::is_string)
}

/// An error of the whole call, which may come with a success's status.
fn refused(answer: &Answer) -> Error {
    let status = failing(answer.status);
    from_answer(status, &answer.body, None, LATER)
}

fn json_path(entry: &Value) -> Option<Box<str>> {
    let path = entry.get("details")?.get("json_path")?.as_str()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '.' | '[' | ']' | '_');
    (path.len() <= PATH_CHARS_MAX && path.chars().all(fits)).then(|| path.into())
}

/// In v8 under `duplicate_record`; before, `id` itself.
fn duplicate_id(entry: &Value, code: &Code) -> Option<Box<str>> {
    if code.as_str() != "DUPLICATE_DATA" {
        return None;
    }
    let details = entry.get("details")?;
    let id = details
        .get("duplicate_record")
        .and_then(|it| it.get("id"))
        .or_else(|| details.get("id"))?;
    let id = id.as_str().filter(|it| is_record_id(it))?;
    Some(id.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str, sent: Option<usize>) -> Result<Batch<Value>, Error> {
        let answer = Answer {
            status,
            body: body.to_owned().into(),
            answered_at: jiff::Timestamp::UNIX_EPOCH,
        };
        batch(&answer, "data", sent)
    }

    const DONE: &str =
        r#"{"code":"SUCCESS","details":{"id":"1"},"message":"record added","status":"success"}"#;
    const WRONG: &str = r#"{"code":"INVALID_DATA","details":{"api_name":"Email","json_path":"$.data[1].Email","expected_data_type":"email"},"message":"invalid data","status":"error"}"#;

    #[test]
    fn a_mixed_answer_keeps_its_order_under_any_status() {
        for status in [200, 201, 202, 207, 400] {
            let body = format!(r#"{{"data":[{DONE},{WRONG}]}}"#);
            let batch = read(status, &body, Some(2)).unwrap();
            assert_eq!(batch[0].as_ref().unwrap()["details"]["id"], "1");
            let error = batch[1].as_ref().unwrap_err();
            assert_eq!(error.error.class(), "invalid");
            assert_eq!(error.code.as_str(), "INVALID_DATA");
            assert_eq!(error.api_name.as_ref().unwrap().as_str(), "Email");
            assert_eq!(error.json_path.as_deref(), Some("$.data[1].Email"));
            assert!(!error.may_be_done);
        }
    }

    #[test]
    fn an_object_in_place_of_a_list_stands_for_all() {
        let batch = read(400, &format!(r#"{{"data":{WRONG}}}"#), Some(3)).unwrap();
        assert_eq!(batch.len(), 3);
        assert!(batch.iter().all(Result::is_err));
        let batch = read(200, &format!(r#"{{"data":{DONE}}}"#), Some(1)).unwrap();
        assert!(batch[0].is_ok());
    }

    #[test]
    fn an_error_of_the_whole_is_one_even_with_a_success_status() {
        for status in [200, 202, 400] {
            assert_eq!(read(status, WRONG, Some(2)).unwrap_err().class(), "invalid");
        }
        assert_eq!(read(201, DONE, Some(1)).unwrap().len(), 1);
    }

    #[test]
    fn results_that_cannot_be_matched_are_not_guessed() {
        for (body, sent) in [
            (format!(r#"{{"data":[{DONE}]}}"#), Some(2)),
            (format!(r#"{{"data":{DONE}}}"#), Some(2)),
            (r#"{"info":{}}"#.to_owned(), Some(1)),
            (String::new(), Some(1)),
        ] {
            assert_eq!(read(200, &body, sent).unwrap_err().class(), "malformed");
        }
        assert!(read(204, "", None).unwrap().is_empty());
        let odd = read(200, r#"{"data":[{"id":"1"}]}"#, Some(1)).unwrap();
        assert!(odd[0].as_ref().unwrap_err().may_be_done);
    }

    #[test]
    fn a_duplicate_names_the_record_that_is_there() {
        for details in [
            r#"{"api_name":"Email","id":"4150868000000376008"}"#,
            r#"{"api_name":"Email","duplicate_record":{"id":"4150868000000376008","module":{"api_name":"Leads"}}}"#,
        ] {
            let body = format!(
                r#"{{"data":[{{"code":"DUPLICATE_DATA","details":{details},"message":"duplicate data","status":"error"}}]}}"#
            );
            let batch = read(207, &body, Some(1)).unwrap();
            let error = batch[0].as_ref().unwrap_err();
            assert_eq!(error.duplicate_id.as_deref(), Some("4150868000000376008"));
        }
    }

    #[test]
    fn a_later_calls_failure_is_that_of_its_items_and_the_rest_is_not_sent() {
        let mut all = Batches::default();
        all.add(1, Ok(vec![Ok("a")])).unwrap();
        assert!(!all.has_stopped(2));
        let error = Error::Unreachable {
            problem: "timeout",
            source: None,
        };
        all.add(2, Err(error.clone())).unwrap();
        assert!(all.has_stopped(1));
        let done = all.finish();
        let may_be_done = |it: &Result<&str, ItemError>| it.as_ref().err().map(|it| it.may_be_done);
        let expected = [None, Some(true), Some(true), Some(false)];
        assert_eq!(done.iter().map(may_be_done).collect::<Vec<_>>(), expected);
        assert!(Batches::<()>::default().add(2, Err(error)).is_err());
    }

    #[test]
    fn an_items_state_has_its_own_decision() {
        let body = r#"{"data":[{"code":"RECORD_LOCKED","details":{},"message":"locked","status":"error"}]}"#;
        let batch = read(207, body, Some(1)).unwrap();
        assert_eq!(batch[0].as_ref().unwrap_err().error.class(), "record_state");
    }
}
