//! What Zoho's answer means: done, the org's fault, or the message's own.

use std::time::Duration;

use zoho_crm::{Error, ItemError};

use crate::{
    deliver::{
        DeliverError, Delivered,
        error::{failed, unrenderable},
    },
    event::{Action, QuarantineReason},
};

/// Attempts where another try will hardly help: the record or request is wrong as it is.
const HOPELESS_ATTEMPTS_MAX: u32 = 3;

/// The profile, or the sharing of one record, does not allow it.
const NO_PERMISSION: &str = "NO_PERMISSION";

/// When what only a person can allow is asked for again.
const PERSON_ACTS: Duration = Duration::from_mins(5);

/// Refusals that are the same for every record of a call.
const OF_THE_WHOLE: [&str; 4] = [
    "INVALID_MODULE",
    "INVALID_REQUEST_METHOD",
    "NOT_SUPPORTED",
    "API_NOT_SUPPORTED",
];

/// A call as a whole was not answered, or refused.
pub(super) fn of_call(error: &Error, action: Action) -> DeliverError {
    let detail = error.to_string();
    if error.may_be_done() && !action.is_repeatable() {
        return unclear(&detail);
    }
    match error {
        // No message can be at fault.
        Error::Throttled { .. }
        | Error::CreditsSpent { .. }
        | Error::TokenDelayed { .. }
        | Error::TokenStore(_)
        | Error::Unauthorized { .. } => at_fault(detail, error.retry_after(), true),
        Error::Unreachable { problem, .. } => at_fault(detail, None, *problem == "connect"),
        Error::Unavailable { after, .. } => at_fault(detail, *after, after.is_some()),
        // Such a call is about one record, and dear.
        Error::Forbidden { code, .. } if is_of_one(action) && code.as_str() == NO_PERMISSION => {
            refused(detail, None)
        }
        Error::Forbidden { .. } => at_fault(detail, Some(PERSON_ACTS), false),
        Error::Malformed { .. } => failed(detail),
        Error::RecordState { .. } | Error::Modified { .. } => refused(detail, None),
        Error::Invalid { .. } | Error::Gone { .. } | Error::RestartPaging { .. } => {
            refused(detail, Some(HOPELESS_ATTEMPTS_MAX))
        }
        Error::Misuse { .. } => unrenderable(detail),
        Error::File { .. } | _ => at_fault(detail, error.retry_after(), false),
    }
}

/// One record of a call was refused. What it says of permission is about this record.
pub(super) fn of_item(item: &ItemError, action: Action) -> DeliverError {
    let detail = match &item.json_path {
        Some(path) => format!("{}, at {path}", item.error),
        None => item.error.to_string(),
    };
    if matches!(item.error, Error::Forbidden { .. }) {
        return refused(detail, Some(HOPELESS_ATTEMPTS_MAX));
    }
    match of_call(&item.error, action) {
        DeliverError::Message {
            reason: reason @ QuarantineReason::Refused,
            attempts_max,
            ..
        } => DeliverError::Message {
            reason,
            detail,
            attempts_max,
        },
        other @ (DeliverError::Message { .. }
        | DeliverError::Destination { .. }
        | DeliverError::Gone { .. }) => other,
    }
}

/// Whether Zoho may have refused a call of many for one of its records.
pub(super) fn may_be_one_of_many(error: &Error) -> bool {
    let Error::Invalid { code, .. } = error else {
        return false;
    };
    !OF_THE_WHOLE.contains(&code.as_str())
}

/// Whether it was refused for what it is, and would be again.
pub(super) const fn is_hopeless(result: &Delivered) -> bool {
    matches!(
        result,
        Err(DeliverError::Message {
            attempts_max: Some(_),
            ..
        })
    )
}

/// What doubles when it is repeated is not repeated for ever: unlike other failures of the org, this spends the schedule.
pub(super) fn unclear(detail: &str) -> DeliverError {
    DeliverError::Message {
        reason: QuarantineReason::Unclear,
        detail: format!("{detail}; it may be done nevertheless"),
        attempts_max: None,
    }
}

/// A success that says nothing of the record.
pub(super) fn nothing() -> DeliverError {
    failed("no result for the record")
}

/// Whether a call of it is about one record.
const fn is_of_one(action: Action) -> bool {
    matches!(action, Action::Convert | Action::Mail)
}

fn at_fault(detail: String, retry_after: Option<Duration>, down: bool) -> DeliverError {
    DeliverError::Destination {
        detail,
        retry_after,
        down,
    }
}

/// This record, or what is asked of it, as it is.
pub(super) fn refused(detail: String, attempts_max: Option<u32>) -> DeliverError {
    DeliverError::Message {
        reason: QuarantineReason::Refused,
        detail,
        attempts_max,
    }
}
