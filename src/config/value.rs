//! Durations, sizes, rates and percentages as the file writes them.

use std::time::Duration;

use crate::deliver::Rate;

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZE_UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

const RATE_UNITS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3_600)];

/// `500ms 5s 5m 2h 7d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    with_unit(text, &DURATION_UNITS).map(Duration::from_millis)
}

/// Bytes: `2MiB 20GiB 500kB`.
pub(super) fn size(text: &str) -> Option<u64> {
    with_unit(text, &SIZE_UNITS)
}

/// `20/s`, `100/m`, `1000/h`.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let (_, seconds) = RATE_UNITS.into_iter().find(|it| it.0 == unit.trim())?;
    Some(Rate {
        count: count.trim().parse().ok()?,
        per: Duration::from_secs(seconds),
    })
}

/// `20%`.
pub(super) fn percent(text: &str) -> Option<u8> {
    let number = text.strip_suffix('%')?.trim_end().parse().ok()?;
    (number <= 100).then_some(number)
}

/// As [`duration`] reads it, in the largest unit that fits.
pub(super) fn show_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    show(ms, &DURATION_UNITS)
}

/// As [`size`] reads it, in the largest unit that fits.
pub(super) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZE_UNITS)
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|it| it.0 == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |it: &&(&str, u64)| number.is_multiple_of(it.1);
    match units.iter().rev().find(fits) {
        Some((unit, factor)) if number > 0 => format!("{}{unit}", number / factor),
        _ => format!("{number}{}", units.first().map_or("", |it| it.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("7d"), Some(Duration::from_hours(168)));
        assert_eq!(duration("2 h"), Some(Duration::from_hours(2)));
        assert_eq!(size("2MiB"), Some(2 * 1024 * 1024));
        assert_eq!(size("20GB"), Some(20_000_000_000));
        assert_eq!(size("1kB"), size("1KB"));
        assert_eq!(percent("20%"), Some(20));
        let per = Duration::from_mins(1);
        assert_eq!(rate("20/m"), Some(Rate { count: 20, per }));
    }

    #[test]
    fn values_without_a_unit_or_out_of_range_are_refused() {
        for text in [
            "5",
            "s",
            "-5s",
            "5 parsecs",
            "99999999999999999999d",
            "1.5h",
            "",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(size("2"), None);
        assert_eq!(size("2mib"), None);
        assert_eq!(percent("101%"), None);
        assert_eq!(percent("20"), None);
        assert_eq!(rate("20"), None);
        assert_eq!(rate("20/d"), None);
    }

    #[test]
    fn values_are_shown_as_they_are_read() {
        for text in ["0ms", "1500ms", "90s", "36h", "7d"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        assert_eq!(show_size(2 * 1024 * 1024), "2MiB");
        assert_eq!(show_size(1_500), "1500B");
    }
}
