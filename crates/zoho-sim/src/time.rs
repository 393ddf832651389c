//! Times as Zoho writes and reads them.

use jiff::{Timestamp, fmt::rfc2822, tz::Offset};

/// The simulated org lives at +05:30, so that a client that ignores offsets is caught.
const ORG_OFFSET_SECONDS: i32 = 19_800;

/// The org's offset from UTC.
pub(crate) fn org_offset() -> Offset {
    Offset::from_seconds(ORG_OFFSET_SECONDS).unwrap_or(Offset::UTC)
}

/// `2026-11-22T21:10:00+05:30`: whole seconds, with the org's offset.
pub(crate) fn zoho(at: Timestamp) -> String {
    let offset = Offset::from_seconds(ORG_OFFSET_SECONDS).unwrap_or(Offset::UTC);
    let local = offset.to_datetime(at);
    // By hand: the most frequent work of a list read.
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+{:02}:{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second(),
        ORG_OFFSET_SECONDS / 3_600,
        ORG_OFFSET_SECONDS / 60 % 60,
    )
}

/// The `Date` header's form.
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// ISO 8601 with an offset, or RFC 1123 (honoured on v2, seen in the field).
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        rfc2822::DateTimeParser::new()
            .parse_timestamp(text.trim())
            .ok()
    })
}

/// ISO 8601 with an offset and without fractional seconds, as `channel_expiry` must be.
pub(crate) fn parse_whole_seconds(text: &str) -> Option<Timestamp> {
    if text.contains('.') {
        return None;
    }
    text.parse().ok()
}

/// Cut to whole seconds, the resolution of `Created_Time` and `Modified_Time`.
pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_the_orgs_offset_and_no_fraction() {
        let at: Timestamp = "2026-11-22T21:10:00.789Z".parse().unwrap();
        assert_eq!(zoho(at), "2026-11-23T02:40:00+05:30");
        assert_eq!(http_date(at), "Sun, 22 Nov 2026 21:10:00 GMT");
        assert_eq!(parse(&zoho(at)), Some(whole_seconds(at)));
    }

    #[test]
    fn an_expiry_with_a_fraction_or_without_an_offset_is_not_understood() {
        for (text, understood) in [
            ("2026-11-22T21:10:00+00:00", true),
            ("2026-11-22T21:10:00Z", true),
            ("2026-11-22T21:10:00.0000000+00:00", false),
            ("2026-11-22T21:10:00", false),
            ("tomorrow", false),
        ] {
            assert_eq!(parse_whole_seconds(text).is_some(), understood, "{text}");
        }
    }

    #[test]
    fn the_http_form_of_if_modified_since_is_understood() {
        assert_eq!(
            parse("Sun, 22 Nov 2026 21:10:00 GMT"),
            parse("2026-11-23T02:40:00+05:30")
        );
    }
}
