//! The accounts server: tokens for codes and refresh tokens, revocation, consent.

use bytes::Bytes;
use futures_util::stream;
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    answer::{Answer, File, put},
    call::{Call, Operation},
    world::{
        World,
        scopes::Scopes,
        tokens::{ACCESS_SECONDS, Access, CLIENT_ID, CLIENT_SECRET, TokenError},
    },
};

/// The parameters of a call: of its query, and of its body in whichever encoding: the official
/// SDKs for Python and Node differ in theirs.
pub(crate) async fn parameters(call: &Call) -> Vec<(String, String)> {
    let mut parameters = call.query.clone();
    let content_type = call.header("content-type").unwrap_or_default();
    match multer::parse_boundary(content_type) {
        Ok(boundary) => parameters.extend(multipart(call.body.clone(), boundary).await),
        Err(_) => parameters.extend(form_urlencoded::parse(&call.body).into_owned()),
    }
    parameters
}

/// Answers a call to the accounts server.
pub(crate) fn answer(world: &mut World, call: &Call, parameters: &[(String, String)]) -> Answer {
    let get = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    if call.operation == Operation::Revoke {
        return revoke(world, get("token"));
    }
    if call.operation == Operation::Authorize {
        return authorize(world, &get);
    }
    let granted = token(world, &get);
    let counters = &mut world.counters;
    // Zoho's accounts server answers its errors as 200 too.
    Answer::ok(match granted {
        Ok(body) => {
            counters.tokens_issued += 1;
            body
        }
        Err(body) => {
            counters.tokens_refused += 1;
            body
        }
    })
}

fn token<'a>(world: &mut World, get: &impl Fn(&str) -> &'a str) -> Result<Value, Value> {
    if get("client_id") != CLIENT_ID {
        return Err(json!({"error": "invalid_client"}));
    }
    if get("client_secret") != CLIENT_SECRET {
        return Err(json!({"error": "invalid_client_secret"}));
    }
    let now = world.clock.monotonic();
    let (refresh, access) = match get("grant_type") {
        "refresh_token" => {
            let access = world.tokens.refresh(get("refresh_token"), now);
            (None, access.map_err(error)?)
        }
        "authorization_code" => {
            let redirect_uri = Some(get("redirect_uri")).filter(|it| !it.is_empty());
            let redeemed = world.tokens.redeem(get("code"), redirect_uri, now);
            let (refresh, access) = redeemed.map_err(error)?;
            (Some(refresh), access)
        }
        _ => return Err(json!({"error": "unsupported_grant_type"})),
    };
    let mut body = json!({
        "access_token": access,
        "scope": match world.tokens.access(&access, now) {
            Access::Granted(scopes) => json!(scopes.told()),
            Access::Invalid => Value::Null,
        },
        "api_domain": world.base_url,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
    });
    if let Some(refresh) = refresh {
        put(&mut body, "refresh_token", json!(refresh));
    }
    Ok(body)
}

fn error(error: TokenError) -> Value {
    match error {
        TokenError::InvalidCode => json!({"error": "invalid_code"}),
        TokenError::InvalidRedirectUri => json!({"error": "invalid_redirect_uri"}),
        TokenError::AccessDenied => json!({
            "error_description": "You have made too many requests continuously. Please try again after some time.",
            "error": "Access Denied",
        }),
    }
}

fn revoke(world: &mut World, token: &str) -> Answer {
    if world.tokens.revoke(token) {
        return Answer::ok(json!({"status": "success"}));
    }
    // As seen in the field.
    let mut answer = Answer::file(File {
        name: String::new(),
        content_type: "text/html;charset=UTF-8",
        bytes: Bytes::from_static(b"<html><body>invalid token</body></html>"),
    });
    answer.status = StatusCode::BAD_REQUEST;
    answer
}

/// The consent page, without the page: the user always agrees.
fn authorize<'a>(world: &mut World, get: &impl Fn(&str) -> &'a str) -> Answer {
    let redirect_uri = get("redirect_uri");
    if get("client_id") != CLIENT_ID {
        return Answer::ok(json!({"error": "invalid_client"}));
    }
    let Ok(mut to) = url::Url::parse(redirect_uri) else {
        return Answer::ok(json!({"error": "invalid_redirect_uri"}));
    };
    let now = world.clock.monotonic();
    let redirect_uri = Some(redirect_uri.to_owned());
    let scopes = Scopes::read(get("scope"));
    let code = world.tokens.issue_code(redirect_uri, scopes, now);
    to.query_pairs_mut()
        .append_pair("state", get("state"))
        .append_pair("location", "us")
        .append_pair("code", &code)
        .append_pair("accounts-server", &world.base_url);
    Answer::empty(StatusCode::FOUND).with_header(header::LOCATION, to.to_string())
}

/// The text fields of a multipart body; what cannot be read ends it.
async fn multipart(body: Bytes, boundary: String) -> Vec<(String, String)> {
    let body = stream::iter([Ok::<_, std::io::Error>(body)]);
    let mut parts = multer::Multipart::new(body, boundary);
    let mut parameters = vec![];
    while let Ok(Some(part)) = parts.next_field().await {
        let Some(name) = part.name().map(ToOwned::to_owned) else {
            continue;
        };
        if let Ok(value) = part.text().await {
            parameters.push((name, value));
        }
    }
    parameters
}
