//! Dates with times, as the databases write them: `2026-11-24 03:20:13.387`.
//!
//! Owns their form. Must never change the instant that one means.

use std::borrow::Cow;

use jiff::civil::DateTime;

/// How long the form without a fraction is.
const SECONDS: usize = 19;

/// Whether it is a date that Zato can read: of the years 1 to 9999, with at most six digits of a fraction.
pub fn is_plain(text: &str) -> bool {
    let (Some(seconds), rest) = (text.get(..SECONDS), text.get(SECONDS..).unwrap_or_default()) else {
        return false;
    };
    let fraction = rest.strip_prefix('.').unwrap_or_default();
    let is_fraction = rest.is_empty()
        || (1..=6).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_fraction && is_date(seconds.as_bytes())
}

fn is_date(text: &[u8]) -> bool {
    let number = |from: usize, to: usize| {
        text.get(from..to)?.iter().try_fold(0_i16, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0'))
        })
    };
    let small = |from: usize| number(from, from + 2).and_then(|number| i8::try_from(number).ok());
    let has = |place: usize, sign: u8| text.get(place) == Some(&sign);
    let signs = has(4, b'-') && has(7, b'-') && has(10, b' ') && has(13, b':') && has(16, b':');
    let parts = (number(0, 4), small(5), small(8), small(11), small(14), small(17));
    let (Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)) = parts else {
        return false;
    };
    signs && year > 0 && DateTime::new(year, month, day, hour, minute, second, 0).is_ok()
}

/// With six digits of a fraction, as Zato writes into SQLite; what is no plain date stays as it is.
pub fn padded(text: &str) -> Cow<'_, str> {
    match text.len() {
        _ if !is_plain(text) => Cow::Borrowed(text),
        SECONDS => Cow::Owned(format!("{text}.000000")),
        26 => Cow::Borrowed(text),
        _ => Cow::Owned(format!("{text:0<26}")),
    }
}

/// Without a fraction, as Zato's columns of MySQL are. Whether anything but zeros is lost is the second value.
pub fn whole_seconds(text: &str) -> (&str, bool) {
    match text.split_once('.') {
        Some((seconds, fraction)) if is_plain(text) => (seconds, fraction.bytes().any(|digit| digit != b'0')),
        _ => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_at_the_edges() {
        for plain in [
            "0001-01-01 00:00:00",
            "9999-12-31 23:59:59.999999",
            "2028-02-29 12:00:00.5",
            "1969-12-31 23:59:59.000001",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for odd in [
            "0000-00-00 00:00:00",
            "0000-01-01 00:00:00",
            "infinity",
            "0044-03-15 00:00:00 BC",
            "12026-01-01 00:00:00",
            "2026-02-29 00:00:00",
            "2026-01-01 24:00:00",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00.",
            "2026-01-01 00:00:00.1234567",
            "2026-01-01 00:00:0é",
            "",
        ] {
            assert!(!is_plain(odd), "{odd}");
            assert_eq!(padded(odd), odd);
            assert_eq!(whole_seconds(odd), (odd, false));
        }
    }

    #[test]
    fn the_instant_stays() {
        assert_eq!(padded("2026-01-01 00:00:00"), "2026-01-01 00:00:00.000000");
        assert_eq!(padded("2026-01-01 00:00:00.47"), "2026-01-01 00:00:00.470000");
        assert_eq!(padded("2026-01-01 00:00:00.123456"), "2026-01-01 00:00:00.123456");
        let seconds = "2026-01-01 00:00:00";
        assert_eq!(whole_seconds("2026-01-01 00:00:00.000"), (seconds, false));
        assert_eq!(whole_seconds("2026-01-01 00:00:00.999999"), (seconds, true));
    }
}
