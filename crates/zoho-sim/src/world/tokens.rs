//! OAuth: what the accounts server knows, with its limits.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::scopes::Scopes;

/// The one client there is.
pub(crate) const CLIENT_ID: &str = "1000.SIM";
/// Its secret.
pub(crate) const CLIENT_SECRET: &str = "sim";
/// The refresh token it has from the start.
pub(crate) const REFRESH_TOKEN: &str = "1000.sim.refresh";

/// How long an access token lives.
pub(crate) const ACCESS_SECONDS: u64 = 3_600;
/// Token requests per refresh token and window; then refused for the rest of it.
/// Zoho: "Token limits" of the accounts server.
const REQUESTS_MAX: u32 = 10;
const REQUESTS_WINDOW: Duration = Duration::from_mins(10);
/// Live access tokens per refresh token; one more kills the oldest. Same source.
const ACCESS_TOKENS_MAX: usize = 10;
/// Refresh tokens per user and client; one more kills the oldest, silently. Same source.
const REFRESH_TOKENS_MAX: usize = 20;
/// How long a code lives. Same source.
const CODE_LIFE: Duration = Duration::from_mins(2);
/// Codes kept at once; the oldest go first.
const CODES_MAX: usize = 1_000;

/// Why a token request got none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// Unknown, used or expired code; unknown or revoked refresh token.
    InvalidCode,
    InvalidRedirectUri,
    /// Over the limit of token requests.
    AccessDenied,
}

/// What an API call's token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access<'t> {
    Granted(&'t Scopes),
    /// Expired, revoked, or never issued.
    Invalid,
}

/// All codes and tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Oldest first.
    refresh: VecDeque<Refresh>,
    /// Monotonic expiry, and scopes, by access token.
    access: BTreeMap<String, (Duration, Scopes)>,
    codes: VecDeque<Code>,
    dice: StdRng,
}

#[derive(Debug)]
struct Refresh {
    token: String,
    scopes: Scopes,
    window_start: Duration,
    requests: u32,
    /// Oldest first.
    access: VecDeque<String>,
}

#[derive(Debug)]
struct Code {
    value: String,
    expires: Duration,
    redirect_uri: Option<String>,
    scopes: Scopes,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            refresh: VecDeque::from([Refresh::new(REFRESH_TOKEN.to_owned(), Scopes::All)]),
            access: BTreeMap::new(),
            codes: VecDeque::new(),
            dice: StdRng::seed_from_u64(seed),
        }
    }

    /// A new access token for a refresh token.
    pub(crate) fn refresh(&mut self, token: &str, now: Duration) -> Result<String, TokenError> {
        let access = self.name();
        let refresh = self
            .refresh
            .iter_mut()
            .find(|it| it.token == token)
            .ok_or(TokenError::InvalidCode)?;
        refresh.admit(now)?;
        let scopes = refresh.scopes.clone();
        refresh.access.push_back(access.clone());
        if refresh.access.len() > ACCESS_TOKENS_MAX
            && let Some(oldest) = refresh.access.pop_front()
        {
            self.access.remove(&oldest);
        }
        self.access.retain(|_, (expires, _)| *expires > now);
        let expires = now + Duration::from_secs(ACCESS_SECONDS);
        self.access.insert(access.clone(), (expires, scopes));
        Ok(access)
    }

    /// A new refresh token, and its first access token, for a code.
    pub(crate) fn redeem(
        &mut self,
        code: &str,
        redirect_uri: Option<&str>,
        now: Duration,
    ) -> Result<(String, String), TokenError> {
        let at = self
            .codes
            .iter()
            .position(|it| it.value == code && it.expires > now)
            .ok_or(TokenError::InvalidCode)?;
        let code = self.codes.remove(at).ok_or(TokenError::InvalidCode)?;
        if code.redirect_uri.is_some() && code.redirect_uri.as_deref() != redirect_uri {
            return Err(TokenError::InvalidRedirectUri);
        }
        let token = self.name();
        self.refresh
            .push_back(Refresh::new(token.clone(), code.scopes));
        if self.refresh.len() > REFRESH_TOKENS_MAX
            && let Some(oldest) = self.refresh.pop_front()
        {
            self.kill(&oldest);
        }
        let access = self.refresh(&token, now)?;
        Ok((token, access))
    }

    /// A code, as the console gives a self client (no redirect) or the consent page a web client.
    pub(crate) fn issue_code(
        &mut self,
        redirect_uri: Option<String>,
        scopes: Scopes,
        now: Duration,
    ) -> String {
        let code = self.name();
        self.codes.retain(|it| it.expires > now);
        if self.codes.len() >= CODES_MAX {
            self.codes.pop_front();
        }
        self.codes.push_back(Code {
            value: code.clone(),
            expires: now + CODE_LIFE,
            redirect_uri,
            scopes,
        });
        code
    }

    /// False if there is no such token.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(at) = self.refresh.iter().position(|it| it.token == token) {
            if let Some(refresh) = self.refresh.remove(at) {
                self.kill(&refresh);
            }
            return true;
        }
        self.access.remove(token).is_some()
    }

    pub(crate) fn access(&self, token: &str, now: Duration) -> Access<'_> {
        match self.access.get(token) {
            Some((expires, scopes)) if *expires > now => Access::Granted(scopes),
            _ => Access::Invalid,
        }
    }

    /// When an access token expires, in monotonic time.
    pub(crate) fn expires(&self, token: &str) -> Option<Duration> {
        self.access.get(token).map(|(expires, _)| *expires)
    }

    /// All access tokens expire now, as after an hour.
    pub(crate) fn expire_access(&mut self) {
        self.access.clear();
    }

    fn kill(&mut self, refresh: &Refresh) {
        for access in &refresh.access {
            self.access.remove(access);
        }
    }

    fn name(&mut self) -> String {
        let (left, right): (u128, u128) = (self.dice.random(), self.dice.random());
        format!("1000.{left:032x}.{right:032x}")
    }
}

impl Refresh {
    fn new(token: String, scopes: Scopes) -> Self {
        Self {
            token,
            scopes,
            window_start: Duration::ZERO,
            requests: 0,
            access: VecDeque::new(),
        }
    }

    fn admit(&mut self, now: Duration) -> Result<(), TokenError> {
        if self.requests == 0 || now >= self.window_start + REQUESTS_WINDOW {
            self.window_start = now;
            self.requests = 0;
        }
        if self.requests >= REQUESTS_MAX {
            return Err(TokenError::AccessDenied);
        }
        self.requests += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_eleventh_request_in_ten_minutes_is_denied_until_the_window_ends() {
        let mut tokens = Tokens::new(1);
        for _ in 0..10 {
            assert!(tokens.refresh(REFRESH_TOKEN, MINUTE).is_ok());
        }
        for now in [MINUTE, MINUTE * 10] {
            assert_eq!(
                tokens.refresh(REFRESH_TOKEN, now),
                Err(TokenError::AccessDenied)
            );
        }
        assert!(tokens.refresh(REFRESH_TOKEN, MINUTE * 11).is_ok());
    }

    #[test]
    fn the_eleventh_live_access_token_kills_the_oldest() {
        let mut tokens = Tokens::new(1);
        let issued: Vec<String> = (0..11)
            .map(|n| tokens.refresh(REFRESH_TOKEN, MINUTE * 2 * n).unwrap())
            .collect();
        let now = MINUTE * 21;
        assert_eq!(tokens.access(&issued[0], now), Access::Invalid);
        for token in &issued[1..] {
            assert_eq!(tokens.access(token, now), Access::Granted(&Scopes::All));
        }
    }

    #[test]
    fn an_access_token_lives_an_hour() {
        let mut tokens = Tokens::new(1);
        let token = tokens.refresh(REFRESH_TOKEN, MINUTE).unwrap();
        assert_eq!(
            tokens.access(&token, MINUTE * 60),
            Access::Granted(&Scopes::All)
        );
        assert_eq!(tokens.access(&token, MINUTE * 61), Access::Invalid);
    }

    #[test]
    fn a_code_works_once_within_two_minutes_and_with_its_redirect_uri() {
        let mut tokens = Tokens::new(1);
        let code = tokens.issue_code(None, Scopes::All, MINUTE);
        assert!(tokens.redeem(&code, None, MINUTE * 2).is_ok());
        assert_eq!(
            tokens.redeem(&code, None, MINUTE * 2),
            Err(TokenError::InvalidCode)
        );
        let late = tokens.issue_code(None, Scopes::All, MINUTE);
        assert_eq!(
            tokens.redeem(&late, None, MINUTE * 3),
            Err(TokenError::InvalidCode)
        );
        let web = tokens.issue_code(Some("https://a.example".into()), Scopes::All, MINUTE);
        assert_eq!(
            tokens.redeem(&web, Some("https://b.example"), MINUTE),
            Err(TokenError::InvalidRedirectUri)
        );
    }

    #[test]
    fn the_twenty_first_refresh_token_kills_the_oldest_and_its_access_tokens() {
        let mut tokens = Tokens::new(1);
        let access = tokens.refresh(REFRESH_TOKEN, MINUTE).unwrap();
        for _ in 0..20 {
            let code = tokens.issue_code(None, Scopes::All, MINUTE);
            tokens.redeem(&code, None, MINUTE).unwrap();
        }
        assert_eq!(tokens.access(&access, MINUTE), Access::Invalid);
        assert_eq!(
            tokens.refresh(REFRESH_TOKEN, MINUTE),
            Err(TokenError::InvalidCode)
        );
    }
}
