//! Deliveries of webhooks that failed.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use serde_json::Value;

use super::webhook::{Named, id_of, named, text};
use crate::{
    Client, Error,
    records::{is_api_name, is_record_id},
    time,
};

/// Days between first and last day asked for. Zoho: "Get webhook failures", v8; the same text also says 30.
pub const FAILURES_DAYS_MAX: i32 = 90;

/// Which failures; all of the last 30 days where nothing is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailureQuery<'a> {
    /// Of this webhook.
    pub webhook_id: Option<&'a str>,
    /// Of records of this module.
    pub module: Option<&'a str>,
    /// From this day on, in the org's time zone.
    pub from: Option<Date>,
    /// To this day, [`FAILURES_DAYS_MAX`] later at most.
    pub to: Option<Date>,
}

impl FailureQuery<'_> {
    pub(super) fn checked(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let problem = if !self.webhook_id.is_none_or(is_record_id) {
            "not a webhook's id"
        } else if !self.module.is_none_or(is_api_name) {
            "not a module's name"
        } else if !self.span_fits() {
            "the last day is 0 to 90 days after the first"
        } else {
            let day = |key, day: Option<Date>| day.map(|it| (key, it.to_string()));
            let own = |key, text: Option<&str>| text.map(|it| (key, it.to_owned()));
            let pairs = [
                own("webhook_id", self.webhook_id),
                own("module", self.module),
                day("from", self.from),
                day("to", self.to),
            ];
            return Ok(pairs.into_iter().flatten().collect());
        };
        Err(Client::wrong(problem))
    }

    fn span_fits(&self) -> bool {
        let (Some(from), Some(to)) = (self.from, self.to) else {
            return true;
        };
        let days = (to - from).get_days();
        (0..=FAILURES_DAYS_MAX).contains(&days)
    }
}

/// A delivery that failed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookFailure {
    /// Its id.
    pub id: String,
    /// The webhook.
    pub webhook: Named,
    /// The module; the name is the API name.
    pub module: Named,
    /// The record whose event was lost; its name is content.
    pub record: Named,
    /// When; `None` where the answer does not say.
    pub failed_at: Option<Timestamp>,
    /// Why, in Zoho's words, e.g. `page_notfound`.
    pub reason: String,
    /// The rule that used the webhook.
    pub workflow_rule: Named,
}

/// The record's name is left out.
impl fmt::Debug for WebhookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookFailure")
            .field("id", &self.id)
            .field("webhook", &self.webhook)
            .field("module", &self.module)
            .field("record", &self.record.id)
            .field("failed_at", &self.failed_at)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl WebhookFailure {
    pub(super) fn read(entry: &Value) -> Result<Self, Error> {
        let record = entry.get("entity_details").unwrap_or(&Value::Null);
        if id_of(record).is_none() {
            return Err(Error::Malformed {
                problem: "a failure without a record",
            });
        }
        Ok(Self {
            id: text(entry, "id"),
            webhook: named(entry.get("webhook")),
            module: named(record.get("module")),
            record: named(Some(record)),
            failed_at: time::parse(&text(entry, "failure_time")),
            reason: text(entry, "failure_reason"),
            workflow_rule: named(entry.get("workflow_rule")),
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_span_of_ninety_days_is_the_longest() {
        let query = |from, to| FailureQuery {
            from: Some(from),
            to: Some(to),
            ..FailureQuery::default()
        };
        let first = date(2026, 8, 1);
        assert!(query(first, first).checked().is_ok());
        assert!(query(first, date(2026, 10, 30)).checked().is_ok());
        assert!(query(first, date(2026, 10, 31)).checked().is_err());
        assert!(query(first, date(2026, 7, 31)).checked().is_err());
        let half = FailureQuery {
            from: Some(first),
            webhook_id: Some("1"),
            module: Some("Leads"),
            ..FailureQuery::default()
        };
        let pairs = half.checked().unwrap();
        let text: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(text, ["webhook_id=1", "module=Leads", "from=2026-08-01"]);
        let wrong = FailureQuery {
            webhook_id: Some("1,2"),
            ..FailureQuery::default()
        };
        assert!(wrong.checked().is_err());
    }
}
