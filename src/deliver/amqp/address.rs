//! Broker URLs, and what may be said of them: never the user or password.

use std::fmt;

use lapin::uri::AMQPUri;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// Heartbeat where the URL asks for none, in seconds: a dead peer is noticed within twice that.
const HEARTBEAT_SECONDS: u16 = 10;

/// Whether a text is a broker's URL, with parameters that can be read, if any.
pub fn is_broker_url(text: &str) -> bool {
    Address::parse(&SecretString::from(text)).is_ok()
}

/// One broker. Debug and Display show host, port and virtual host only.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) uri: AMQPUri,
}

impl Address {
    /// The error never quotes the URL.
    pub(super) fn parse(url: &SecretString) -> Result<Self, String> {
        let wrong =
            || "url must look like amqp://user:password@host:5672/vhost (or amqps://)".to_owned();
        let text = url.expose_secret();
        let parsed = Url::parse(text).map_err(|_quotes_the_url| wrong())?;
        if !matches!(parsed.scheme(), "amqp" | "amqps") {
            return Err(wrong());
        }
        let mut uri: AMQPUri = text.parse().map_err(|_quotes_the_url: String| wrong())?;
        // The parser takes an IPv6 address for no host at all, which would be localhost.
        uri.authority.host = match parsed.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => return Err(wrong()),
        };
        if matches!(parsed.path(), "" | "/") {
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(Self { uri })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = &self.uri.authority;
        write!(f, "{}:{}", authority.host, authority.port)?;
        if self.uri.vhost != "/" {
            write!(f, " (virtual host {})", self.uri.vhost)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &str) {
        let shown = match Address::parse(&SecretString::from(url)) {
            Ok(address) => address.to_string(),
            Err(error) => error,
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn only_host_port_and_virtual_host_are_ever_shown() {
        check("amqp://me:hush@broker/", "broker:5672");
        check("amqps://me:hush@broker", "broker:5671");
        check("amqp://me:hush@[::1]:99/crm", "::1:99 (virtual host crm)");
        check("amqp://me:hush@10.0.0.1/%2f", "10.0.0.1:5672");
        let wrong = "url must look like amqp://user:password@host:5672/vhost (or amqps://)";
        for url in [
            "",
            "hush",
            "http://me:hush@broker",
            "amqp:hush",
            "amqp://me:hush@broker:port",
        ] {
            check(url, wrong);
        }
    }

    #[test]
    fn debug_shows_no_more() {
        let address = Address::parse(&SecretString::from("amqp://me:hush@broker/")).unwrap();
        assert_eq!(format!("{address:?}"), "broker:5672");
    }
}
