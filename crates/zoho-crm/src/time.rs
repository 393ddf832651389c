//! Times as Zoho writes them: with an offset, never with a fraction of a second.

use jiff::Timestamp;

/// `2026-11-22T15:26:49+00:00`.
pub(crate) fn zoho(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// A time with any offset; `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_an_offset_and_no_fraction() {
        let at = parse("2026-11-22T21:15:26.987+05:30").unwrap();
        assert_eq!(zoho(at), "2026-11-22T15:45:26+00:00");
        assert_eq!(parse(&zoho(at)).map(zoho), Some(zoho(at)));
        assert_eq!(parse("yesterday"), None);
    }
}
