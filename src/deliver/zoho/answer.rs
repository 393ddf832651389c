//! What Zoho's answer means: done, the org's fault, or the message's own.

use std::time::Duration;

use zoho_crm::{Error, ItemError};

use crate::{
    deliver::{
        DeliverError,
        error::{failed, unrenderable},
    },
    event::QuarantineReason,
};

/// Attempts where another try will hardly help: the record or request is wrong as it is.
const HOPELESS_ATTEMPTS_MAX: u32 = 3;

/// Refusals that are the same for every record of a call.
const OF_THE_WHOLE: [&str; 4] = [
    "INVALID_MODULE",
    "INVALID_REQUEST_METHOD",
    "NOT_SUPPORTED",
    "API_NOT_SUPPORTED",
];

/// A call as a whole was not answered, or refused.
pub(super) fn of_call(error: &Error) -> DeliverError {
    let detail = error.to_string();
    match error {
        // No message can be at fault.
        Error::Throttled { .. }
        | Error::CreditsSpent { .. }
        | Error::TokenDelayed { .. }
        | Error::TokenStore(_)
        | Error::Unauthorized { .. } => at_fault(detail, error.retry_after(), true),
        Error::Unreachable { problem, .. } => at_fault(detail, None, *problem == "connect"),
        Error::Unavailable { after, .. } => at_fault(detail, *after, false),
        Error::Forbidden { .. } | Error::Malformed { .. } | Error::File { .. } => failed(detail),
        Error::RecordState { .. } | Error::Modified { .. } => refused(detail, None),
        Error::Invalid { .. } | Error::Gone { .. } | Error::RestartPaging { .. } => {
            refused(detail, Some(HOPELESS_ATTEMPTS_MAX))
        }
        Error::Misuse { .. } => unrenderable(detail),
        _ => at_fault(detail, error.retry_after(), false),
    }
}

/// One record of a call was refused. What it says of permission is about this record.
pub(super) fn of_item(item: &ItemError) -> DeliverError {
    let detail = match &item.json_path {
        Some(path) => format!("{}, at {path}", item.error),
        None => item.error.to_string(),
    };
    if matches!(item.error, Error::Forbidden { .. }) {
        return refused(detail, Some(HOPELESS_ATTEMPTS_MAX));
    }
    match of_call(&item.error) {
        DeliverError::Message {
            reason,
            attempts_max,
            ..
        } => DeliverError::Message {
            reason,
            detail,
            attempts_max,
        },
        other @ (DeliverError::Destination { .. } | DeliverError::Gone { .. }) => other,
    }
}

/// Whether Zoho may have refused a call of many for one of its records.
pub(super) fn may_be_one_of_many(error: &Error) -> bool {
    let Error::Invalid { code, .. } = error else {
        return false;
    };
    !OF_THE_WHOLE.contains(&code.as_str())
}

/// A success that says nothing of the record.
pub(super) fn nothing() -> DeliverError {
    failed("no result for the record")
}

fn at_fault(detail: String, retry_after: Option<Duration>, down: bool) -> DeliverError {
    DeliverError::Destination {
        detail,
        retry_after,
        down,
    }
}

fn refused(detail: String, attempts_max: Option<u32>) -> DeliverError {
    DeliverError::Message {
        reason: QuarantineReason::Refused,
        detail,
        attempts_max,
    }
}
