//! Who may use the admin port: a bearer token, or on a loopback address whoever is on this machine.

use std::net::SocketAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Who may.
#[derive(Clone, Debug)]
pub enum Access {
    /// Listens on a loopback address and no token is set: Host must be a loopback name, writes need the same origin
    /// (or none, as from a command line).
    Loopback,
    /// One of these tokens.
    Tokens(Vec<SecretString>),
}

/// The admin port would be open to the network without a token.
#[derive(Debug, thiserror::Error)]
#[error("the admin port listens on {0}, which is not a loopback address: set ZOHOOK_ADMIN_TOKEN")]
pub struct NoToken(SocketAddr);

impl Access {
    /// # Errors
    /// When `listen` is not a loopback address and there is no token.
    pub fn new(listen: SocketAddr, tokens: Vec<SecretString>) -> Result<Self, NoToken> {
        if !tokens.is_empty() {
            return Ok(Self::Tokens(tokens));
        }
        if listen.ip().is_loopback() {
            return Ok(Self::Loopback);
        }
        Err(NoToken(listen))
    }

    /// Whether these headers may do this; 401 or 403 otherwise.
    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), StatusCode> {
        match self {
            Self::Tokens(tokens) => {
                let given = bearer(headers).ok_or(StatusCode::UNAUTHORIZED)?;
                if is_one_of(given, tokens) {
                    Ok(())
                } else {
                    Err(StatusCode::UNAUTHORIZED)
                }
            }
            Self::Loopback => {
                let host = text(headers, header::HOST.as_str()).ok_or(StatusCode::FORBIDDEN)?;
                if !is_loopback_host(host) {
                    return Err(StatusCode::FORBIDDEN);
                }
                if method.is_safe() {
                    return Ok(());
                }
                match text(headers, header::ORIGIN.as_str()) {
                    Some(origin) if origin != format!("http://{host}") => {
                        Err(StatusCode::FORBIDDEN)
                    }
                    Some(_) | None => Ok(()),
                }
            }
        }
    }
}

/// Axum middleware over all routes that need an operator.
pub(super) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    match access.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(status) => status.into_response(),
    }
}

/// The token of `Authorization: Bearer …`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = text(headers, header::AUTHORIZATION.as_str())?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// Compares with every listed value, each in constant time.
pub(super) fn is_one_of(given: &str, listed: &[SecretString]) -> bool {
    let given = Sha256::digest(given.as_bytes());
    let mut found = subtle::Choice::from(0);
    for secret in listed {
        let secret = Sha256::digest(secret.expose_secret().as_bytes());
        found |= given.as_slice().ct_eq(secret.as_slice());
    }
    found.into()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|it| it.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn off_loopback_a_token_is_needed() {
        assert!(Access::new("0.0.0.0:9180".parse().unwrap(), vec![]).is_err());
        assert!(Access::new("0.0.0.0:9180".parse().unwrap(), vec!["t".into()]).is_ok());
        assert!(Access::new("127.0.0.1:9180".parse().unwrap(), vec![]).is_ok());
    }

    #[test]
    fn any_listed_token_opens_and_nothing_else() {
        let access = Access::Tokens(vec!["one".into(), "two".into()]);
        let check = |value: &str| access.check(&Method::GET, &headers(&[("authorization", value)]));
        assert_eq!(check("Bearer one"), Ok(()));
        assert_eq!(check("bearer two"), Ok(()));
        assert_eq!(check("Bearer three"), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(check("Basic one"), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(
            access.check(&Method::GET, &HeaderMap::new()),
            Err(StatusCode::UNAUTHORIZED)
        );
    }

    #[test]
    fn on_loopback_a_foreign_page_can_neither_read_nor_write() {
        let access = Access::Loopback;
        let check = |method, pairs: &[(&'static str, &str)]| access.check(&method, &headers(pairs));
        let forbidden = Err(StatusCode::FORBIDDEN);
        for host in [
            "localhost:9180",
            "127.0.0.1:9180",
            "[::1]:9180",
            "127.0.0.1",
        ] {
            assert_eq!(check(Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(check(Method::GET, &[("host", "evil.example")]), forbidden);
        assert_eq!(check(Method::GET, &[]), forbidden);
        let write = |origin| {
            check(
                Method::POST,
                &[("host", "localhost:9180"), ("origin", origin)],
            )
        };
        assert_eq!(write("http://localhost:9180"), Ok(()));
        assert_eq!(write("http://evil.example"), forbidden);
        assert_eq!(write("null"), forbidden);
        assert_eq!(check(Method::POST, &[("host", "localhost:9180")]), Ok(()));
    }
}
