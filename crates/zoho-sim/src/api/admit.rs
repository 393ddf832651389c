//! The door of the CRM API: faults, token, concurrency, credits.

use http::{HeaderName, StatusCode, header};
use serde_json::json;

use super::{composite, coql, scope, tagging};
use crate::{
    answer::{Answer, Refusal},
    call::{Call, Kind},
    faults::CallTrouble,
    time,
    world::{World, scopes::Scopes, tokens::Access},
};

/// The header that tells when a token expires, as composite answers spell it.
pub(super) const RESET_HEADER: &str = "X-ACCESSTOKEN-RESET";
/// Heavy calls of one org that may run at once, in any edition. Zoho: "API limits", v8.
const SUB_CONCURRENCY_MAX: u32 = 10;
/// Writes of more records than this are heavy. Same source.
const LIGHT_RECORDS_MAX: usize = 10;
/// Records per credit of a write, of a mass deletion, and of tags. Same source.
const RECORDS_PER_CREDIT: u64 = 10;
const DELETED_PER_CREDIT: u64 = 100;
const TAGGED_PER_CREDIT: u64 = 50;

/// Whether a call may run.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It runs until [`leave`].
    Run { heavy: bool, trouble: CallTrouble },
    /// It was answered at the door; it ran for this moment only.
    Refused {
        answer: Answer,
        trouble: CallTrouble,
    },
}

/// Lets a call in, or answers it at the door.
pub(crate) fn admit(world: &mut World, call: &Call) -> Admission {
    let kind = call.kind();
    world.counters.call(kind);
    let trouble = world.script.for_call(kind);
    if trouble != CallTrouble::default() {
        world.counters.faults += 1;
    }
    if let Some(status) = trouble.status {
        let answer = scripted(status);
        return Admission::Refused { answer, trouble };
    }
    if let Err(refusal) = authorize(world, call) {
        world.counters.unauthorized += 1;
        let answer = refusal.answer(StatusCode::UNAUTHORIZED);
        return Admission::Refused { answer, trouble };
    }
    let heavy = is_heavy(call);
    match enter(world, call, heavy) {
        Ok(()) => Admission::Run { heavy, trouble },
        Err(refusal) => Admission::Refused {
            answer: refusal.answer(StatusCode::TOO_MANY_REQUESTS),
            trouble,
        },
    }
}

/// Ends what [`admit`] began.
pub(crate) fn leave(world: &mut World, heavy: bool) {
    world.running = world.running.saturating_sub(1);
    if heavy {
        world.running_heavy = world.running_heavy.saturating_sub(1);
    }
}

/// The answer with the headers that the service puts on all of its answers: the credits left
/// (only after half of them are used), and when the token expires.
pub(crate) fn with_headers(world: &World, call: &Call, mut answer: Answer) -> Answer {
    if let Some(left) = world.credits.told() {
        let name = HeaderName::from_static("x-api-credits-remaining");
        answer = answer.with_header(name, left.to_string());
    }
    if let Some(reset) = token_reset(world, call) {
        answer = answer.with_header(HeaderName::from_static("x-accesstoken-reset"), reset);
    }
    if answer.body.is_some() {
        let name = "attachment; filename=response.json".to_owned();
        answer = answer.with_header(header::CONTENT_DISPOSITION, name);
    }
    answer.with_header(header::SERVER, "ZGS".to_owned())
}

/// When the token of a call expires.
pub(super) fn token_reset(world: &World, call: &Call) -> Option<String> {
    let now = world.clock.monotonic();
    let left = world.tokens.expires(token(call)?)?.checked_sub(now)?;
    let at = world.clock.now().checked_add(left).ok()?;
    Some(time::zoho(time::whole_seconds(at)))
}

fn token(call: &Call) -> Option<&str> {
    let (scheme, token) = call.header("authorization")?.split_once(' ')?;
    let ours = scheme.eq_ignore_ascii_case("Zoho-oauthtoken");
    ours.then(|| token.trim())
}

/// Whether the token of a call is one, and may do this.
pub(super) fn authorize(world: &World, call: &Call) -> Result<(), Refusal> {
    let Some(token) = token(call) else {
        return Err(Refusal::new(
            "AUTHENTICATION_FAILURE",
            "Authentication failed",
            json!({}),
        ));
    };
    match world.tokens.access(token, world.clock.monotonic()) {
        Access::Granted(Scopes::All) => Ok(()),
        Access::Granted(scopes) => {
            if scope::needs(call).iter().all(|it| scopes.allow(it)) {
                Ok(())
            } else {
                let message = "invalid oauth scope to access this URL";
                Err(plain("OAUTH_SCOPE_MISMATCH", message))
            }
        }
        Access::Invalid => Err(invalid_token()),
    }
}

fn enter(world: &mut World, call: &Call, heavy: bool) -> Result<(), Refusal> {
    let running = world.running + 1;
    let running_heavy = world.running_heavy + u32::from(heavy);
    let counters = &mut world.counters;
    counters.concurrent_max = counters.concurrent_max.max(running.into());
    counters.sub_concurrent_max = counters.sub_concurrent_max.max(running_heavy.into());
    if running > world.edition.concurrency_max() || (heavy && running_heavy > SUB_CONCURRENCY_MAX) {
        counters.refused_for_concurrency += 1;
        return Err(too_many("Too many requests fired in concurrently."));
    }
    let cost = cost(call);
    if !world.credits.take(cost, world.clock.monotonic()) {
        counters.refused_for_credits += 1;
        return Err(too_many(
            "You have exceeded the maximum number of API credits for the last 24 hours.",
        ));
    }
    counters.credits_used += cost;
    world.running = running;
    world.running_heavy = running_heavy;
    Ok(())
}

/// What a call costs. Zoho: "API limits", v8. A refused call costs nothing here: whether it does
/// is not known.
pub(super) fn cost(call: &Call) -> u64 {
    match call.kind() {
        Kind::ReadDeleted => 2,
        Kind::ReadList | Kind::ReadIds if call.parameter("cvid").is_some() => 3,
        Kind::Insert | Kind::Update | Kind::Upsert => {
            let records = u64::try_from(call.records_sent()).unwrap_or_default();
            records.div_ceil(RECORDS_PER_CREDIT).max(1)
        }
        Kind::Convert => 5,
        Kind::Mail => 20,
        Kind::BulkRead => 50,
        Kind::BulkWrite => 500,
        Kind::Coql => coql::cost(call),
        Kind::Composite => composite::cost(call),
        Kind::MassDelete => ids_sent(call).div_ceil(DELETED_PER_CREDIT).max(1),
        Kind::TagRecords => ids_sent(call).div_ceil(TAGGED_PER_CREDIT).max(1),
        Kind::Token
        | Kind::Accounts
        | Kind::Metadata
        | Kind::ReadIds
        | Kind::ReadList
        | Kind::ReadOne
        | Kind::Count
        | Kind::Search
        | Kind::FullData
        | Kind::Tags
        | Kind::Related
        | Kind::Relate
        | Kind::Timeline
        | Kind::Lock
        | Kind::Delete
        | Kind::Notes
        | Kind::Files
        | Kind::BulkJob
        | Kind::Automation
        | Kind::RecycleBin
        | Kind::Watch
        | Kind::Unknown => 1,
    }
}

/// Ids in the body.
fn ids_sent(call: &Call) -> u64 {
    let ids = call.json().and_then(|it| tagging::ids_sent(&it));
    u64::try_from(ids.map_or(0, |it| it.len())).unwrap_or_default()
}

fn is_heavy(call: &Call) -> bool {
    let has = |name| call.parameter(name).is_some();
    match call.kind() {
        Kind::ReadList | Kind::ReadIds => has("cvid") || has("sort_by"),
        Kind::Insert | Kind::Update | Kind::Upsert => call.records_sent() > LIGHT_RECORDS_MAX,
        Kind::Coql | Kind::Search | Kind::Convert | Kind::Mail | Kind::Composite => true,
        Kind::Token
        | Kind::Accounts
        | Kind::Metadata
        | Kind::ReadOne
        | Kind::ReadDeleted
        | Kind::Count
        | Kind::FullData
        | Kind::Tags
        | Kind::TagRecords
        | Kind::Related
        | Kind::Relate
        | Kind::Timeline
        | Kind::Lock
        | Kind::Delete
        | Kind::Notes
        | Kind::Files
        | Kind::BulkRead
        | Kind::BulkWrite
        | Kind::BulkJob
        | Kind::Automation
        | Kind::MassDelete
        | Kind::RecycleBin
        | Kind::Watch
        | Kind::Unknown => false,
    }
}

/// The answer a scripted fault asks for.
pub(crate) fn scripted(status: u16) -> Answer {
    let refusal = match status {
        401 => invalid_token(),
        429 => too_many("Too many requests fired in concurrently."),
        502 => plain("BAD_GATEWAY", "bad gateway"),
        503 => plain("SERVICE_UNAVAILABLE", "service unavailable"),
        504 => plain("REQUEST_TIMEOUT", "request timed out"),
        500.. => plain("INTERNAL_ERROR", "Internal Server Error"),
        403 => plain("NO_PERMISSION", "permission denied"),
        404 => plain("RESOURCE_NOT_FOUND", "resource not found"),
        _ => plain("INVALID_REQUEST", "unable to process your request"),
    };
    refusal.answer(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

fn plain(code: &'static str, message: &'static str) -> Refusal {
    Refusal::new(code, message, json!({}))
}

fn invalid_token() -> Refusal {
    plain("INVALID_TOKEN", "invalid oauth token")
}

fn too_many(message: &'static str) -> Refusal {
    plain("TOO_MANY_REQUESTS", message)
}
