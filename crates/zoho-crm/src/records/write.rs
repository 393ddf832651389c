//! Writing records: insert, update and upsert, in any number.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{NOT_AN_ID, Values, WRITTEN_MAX, check_fields, check_place, is_record_id, time_in};
use crate::{
    Batch, Call, Client, Error, ItemError,
    items::Batches,
    request::{ApiRequest, Cost},
    time,
};

/// How records are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions<'a> {
    /// Which automation runs; `None` leaves it to Zoho, which runs all; an empty list runs none.
    pub trigger: Option<&'a [Trigger]>,
    /// Upsert: by which fields an existing record is found, in this order; none takes the module's own.
    pub duplicate_check_fields: &'a [&'a str],
    /// Update: only if nobody else did meanwhile.
    pub condition: Option<Condition>,
}

/// What may run when a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trigger {
    /// Workflow rules.
    Workflow,
    /// Approval processes.
    Approval,
    /// Blueprints.
    Blueprint,
}

impl Trigger {
    /// Zoho's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Approval => "approval",
            Self::Blueprint => "blueprint",
        }
    }
}

/// When an update is done: if not, it fails with [`Error::Modified`].
///
/// Zoho documents the failure (412 `RECORD_MODIFIED`), but not clearly the header that asks for it: try it with your
/// org before you rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Zoho's time of the version the update was made from (to the second).
    pub since: Timestamp,
    /// The header that says so.
    pub header: &'static str,
}

impl Condition {
    /// By `If-Unmodified-Since`.
    pub const fn unmodified_since(since: Timestamp) -> Self {
        Self {
            since,
            header: "If-Unmodified-Since",
        }
    }
}

/// One record, written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The record's id.
    pub id: String,
    /// What was done.
    pub action: Action,
    /// Upsert: the field by which the record was found.
    pub duplicate_field: Option<String>,
    /// When it was created.
    pub created_time: Option<Timestamp>,
    /// When it was changed: now.
    pub modified_time: Option<Timestamp>,
}

/// What was done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Inserted,
    /// It was there.
    Updated,
}

/// Where a write goes.
struct Target<'a> {
    call: Call,
    method: Method,
    path: &'a [&'a str],
    /// What it does where the answer does not say.
    action: Action,
}

impl Client {
    /// Inserts any number of records, a hundred a call. A credit for ten records.
    ///
    /// Zoho: "Insert records", v8. Results come in the order of `records`; `DUPLICATE_DATA` names the record that is
    /// there. A call is sent again only if it was certainly not carried out, so that nothing is inserted twice.
    ///
    /// # Errors
    /// When the first call fails; nothing after it was sent. The failure of a later call is that of its records, and
    /// the rest is not sent: see [`ItemError::may_be_done`].
    pub async fn insert(
        &self,
        module: &str,
        records: &[Values],
        options: &WriteOptions<'_>,
    ) -> Result<Batch<Written>, Error> {
        check_place(module, &[])?;
        let target = Target {
            call: Call::Insert,
            method: Method::POST,
            path: &[module],
            action: Action::Inserted,
        };
        self.write(&target, records, options).await
    }

    /// Updates any number of records, a hundred a call, each with its `id` among its values. A credit for ten.
    ///
    /// Zoho: "Update records", v8. Results come in the order of `records`.
    ///
    /// # Errors
    /// As [`Self::insert`]; [`Error::Modified`] when [`WriteOptions::condition`] does not hold.
    pub async fn update(
        &self,
        module: &str,
        records: &[Values],
        options: &WriteOptions<'_>,
    ) -> Result<Batch<Written>, Error> {
        check_place(module, &[])?;
        let id = |it: &Values| {
            it.get("id")
                .and_then(Value::as_str)
                .is_some_and(is_record_id)
        };
        if !records.iter().all(id) {
            return Err(NOT_AN_ID);
        }
        let target = Target {
            call: Call::Update,
            method: Method::PUT,
            path: &[module],
            action: Action::Updated,
        };
        self.write(&target, records, options).await
    }

    /// Updates one record.
    ///
    /// Zoho: "Update records", v8.
    ///
    /// # Errors
    /// Whether the call failed or Zoho refused the record: [`ItemError::error`] says what to do.
    pub async fn update_one(
        &self,
        module: &str,
        id: &str,
        values: &Values,
        options: &WriteOptions<'_>,
    ) -> Result<Written, ItemError> {
        let target = Target {
            call: Call::Update,
            method: Method::PUT,
            path: &[module, id],
            action: Action::Updated,
        };
        let checked = check_place(module, &[id]);
        let written = match checked {
            Ok(()) => {
                let records = std::slice::from_ref(values);
                self.write(&target, records, options).await
            }
            Err(error) => Err(error),
        };
        let mut batch = written.map_err(|error| ItemError::of_call(&error))?;
        batch.pop().unwrap_or_else(|| {
            Err(ItemError::of_call(&Error::Malformed {
                problem: "no result for what was sent",
            }))
        })
    }

    /// Inserts the records that are not there and updates those that are, a hundred a call. A credit for ten.
    ///
    /// Zoho: "Upsert records", v8. Results come in the order of `records`.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub async fn upsert(
        &self,
        module: &str,
        records: &[Values],
        options: &WriteOptions<'_>,
    ) -> Result<Batch<Written>, Error> {
        check_place(module, &[])?;
        check_fields(options.duplicate_check_fields)?;
        let target = Target {
            call: Call::Upsert,
            method: Method::POST,
            path: &[module, "upsert"],
            action: Action::Inserted,
        };
        self.write(&target, records, options).await
    }

    async fn write(
        &self,
        target: &Target<'_>,
        records: &[Values],
        options: &WriteOptions<'_>,
    ) -> Result<Batch<Written>, Error> {
        let mut all = Batches::default();
        for records in records.chunks(WRITTEN_MAX) {
            if all.has_stopped(records.len()) {
                continue;
            }
            let written = self.write_some(target, records, options).await;
            all.add(records.len(), written)?;
        }
        Ok(all.finish())
    }

    async fn write_some(
        &self,
        target: &Target<'_>,
        records: &[Values],
        options: &WriteOptions<'_>,
    ) -> Result<Batch<Written>, Error> {
        let mut body = json!({"data": records});
        if let Some(body) = body.as_object_mut() {
            if let Some(trigger) = options.trigger {
                let trigger: Vec<_> = trigger.iter().map(|it| it.as_str()).collect();
                body.insert("trigger".to_owned(), json!(trigger));
            }
            if target.call == Call::Upsert && !options.duplicate_check_fields.is_empty() {
                let fields = json!(options.duplicate_check_fields);
                body.insert("duplicate_check_fields".to_owned(), fields);
            }
        }
        let condition = options.condition.filter(|_| target.call == Call::Update);
        let since = condition.map(|it| (it.header, time::zoho(it.since)));
        let headers: Vec<_> = since.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let request = ApiRequest::new(target.method.clone(), target.path)
            .headers(&headers)
            .json(&body)
            .items("data");
        let cost = Cost::writes(records.len());
        let sent = Some(records.len());
        let batch = self.send_items(target.call, cost, &request, sent).await?;
        let each = batch.into_iter().map(|it| written(&it?, target.action));
        Ok(each.collect())
    }
}

/// One result of a write; `action` is what was done where it does not say.
pub(crate) fn written(entry: &Value, action: Action) -> Result<Written, ItemError> {
    let details = entry.get("details").unwrap_or(&Value::Null);
    let text = |value: &Value, key: &str| {
        let text = value.get(key).and_then(Value::as_str);
        text.map(ToOwned::to_owned)
    };
    let Some(id) = text(details, "id") else {
        return Err(ItemError::of_call(&Error::Malformed {
            problem: "a written record without an id",
        }));
    };
    Ok(Written {
        id,
        action: match entry.get("action").and_then(Value::as_str) {
            Some("insert") => Action::Inserted,
            Some("update") => Action::Updated,
            _ => action,
        },
        duplicate_field: text(entry, "duplicate_field"),
        created_time: time_in(details, "Created_Time"),
        modified_time: time_in(details, "Modified_Time"),
    })
}
