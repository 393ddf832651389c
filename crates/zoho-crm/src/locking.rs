//! Locks of records: who locked one, when and why.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    Call, Client, Error, Listing, UserRef,
    parts::{ids_fit, only, record_fits, written_id},
    related::of_record,
    request::{ApiRequest, Cost},
    time,
};

/// The related list that locks are in.
const LIST: &str = "Locking_Information__s";

/// What of a lock is asked for.
const FIELDS: &[&str] = &[
    "Locked_Reason__s",
    "Lock_Source__s",
    "Locked_Time__s",
    "Locked_By__s",
];

/// Characters of a reason. Zoho: "Record locking", v8.
pub const REASON_CHARS_MAX: usize = 250;

/// A lock of a record.
#[derive(Clone, PartialEq, Eq)]
pub struct Lock {
    /// Its own id.
    pub id: String,
    /// Why.
    pub reason: Option<String>,
    /// `Manual` or `Automatic`.
    pub source: Option<String>,
    /// Since when.
    pub at: Option<Timestamp>,
    /// By whom.
    pub by: Option<UserRef>,
}

/// Why is left out, which a person wrote.
impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The locks of a record; none if it is not locked.
    ///
    /// Zoho: "Record locking", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn locks(&self, module: &str, id: &str) -> Listing<Lock> {
        let list = of_record(Call::Locking, [module, id, LIST], FIELDS);
        self.listed(list, |it| read(&it))
    }

    /// Locks a record and gives the lock's id. `reason` has 1 to [`REASON_CHARS_MAX`] characters.
    ///
    /// Zoho: "Record locking", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn lock(&self, module: &str, id: &str, reason: &str) -> Result<String, Error> {
        record_fits(module, id)?;
        let (path, body) = ([module, id, LIST], reason_in(reason)?);
        let request = ApiRequest::post(&path).json(&body);
        written_id(&self.one_lock(request).await?)
    }

    /// Changes the reason of a lock, by the lock's own id.
    ///
    /// Zoho: "Record locking", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn change_lock(
        &self,
        module: &str,
        id: &str,
        lock_id: &str,
        reason: &str,
    ) -> Result<(), Error> {
        record_fits(module, id)?;
        ids_fit(&[lock_id])?;
        let (path, body) = ([module, id, LIST, lock_id], reason_in(reason)?);
        let request = ApiRequest::put(&path).json(&body);
        self.one_lock(request).await.map(drop)
    }

    /// Takes a lock away, by the lock's own id.
    ///
    /// Zoho: "Record locking", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn unlock(&self, module: &str, id: &str, lock_id: &str) -> Result<(), Error> {
        record_fits(module, id)?;
        ids_fit(&[lock_id])?;
        let path = [module, id, LIST, lock_id];
        self.one_lock(ApiRequest::delete(&path)).await.map(drop)
    }

    async fn one_lock(&self, request: ApiRequest<'_>) -> Result<Value, Error> {
        let request = request.items("data");
        only(
            self.send_items(Call::Locking, Cost::ONE, &request, Some(1))
                .await?,
        )
    }
}

fn reason_in(reason: &str) -> Result<Value, Error> {
    if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        return Err(Client::wrong(
            "a lock takes a reason of 1 to 250 characters",
        ));
    }
    Ok(json!({ "data": [{ "Locked_Reason__s": reason }] }))
}

/// Zoho's own description writes the same names in several cases.
fn read(entry: &Value) -> Result<Lock, Error> {
    let part = |name: &str| {
        let parts = entry.as_object()?;
        parts
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let text = |name: &str| match part(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    Ok(Lock {
        id: text("id").ok_or(Error::Malformed {
            problem: "a lock without an id",
        })?,
        reason: text("Locked_Reason__s"),
        source: text("Lock_Source__s"),
        at: text("Locked_Time__s").and_then(|it| time::parse(&it)),
        by: part("Locked_By__s").and_then(UserRef::read),
    })
}
