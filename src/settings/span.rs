//! Spans of time, as people write them.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

const DAY_S: u64 = 24 * 3600;

/// A span such as `500ms`, `30s`, `15m`, `24h` or `90d`; a day is 24 hours. `None`: it is no such thing, or below zero.
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    if let Some(days) = text.strip_suffix('d') {
        // Days are what people keep things for, and jiff leaves them out, since a day of a calendar is not always as long.
        let days: u64 = days.parse().ok()?;
        return days.checked_mul(DAY_S).map(Duration::from_secs);
    }
    let parsed = text.parse::<SignedDuration>().ok()?;
    Duration::try_from(parsed).ok()
}

/// A span of time ago, or a time with its offset.
///
/// # Errors
/// In words, for what is neither.
pub fn parse_since(text: &str) -> Result<Timestamp, String> {
    let ago = parse_span(text).and_then(|span| Timestamp::now().checked_sub(span).ok());
    ago.or_else(|| text.parse().ok()).ok_or_else(|| {
        "write how long ago, as 90m, 24h or 7d, or a time with its offset, as 2026-11-20T03:00:00Z"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn since_is_a_span_or_a_time() {
        let ago = Timestamp::now().duration_since(parse_since("24h").unwrap());
        assert!((86_390..86_460).contains(&ago.as_secs()), "{ago}");
        let at = parse_since("2026-11-20T03:00:00+01:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-20T02:00:00Z");
        for wrong in ["yesterday", "24", "2026-11-20", ""] {
            assert!(
                parse_since(wrong).unwrap_err().contains("how long ago"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn every_unit_that_the_settings_name_is_understood() {
        for (text, expected) in [
            ("500ms", Duration::from_millis(500)),
            ("30s", Duration::from_secs(30)),
            ("15m", Duration::from_secs(900)),
            ("24h", Duration::from_secs(DAY_S)),
            ("1h30m", Duration::from_secs(5400)),
            ("90d", Duration::from_secs(90 * DAY_S)),
        ] {
            assert_eq!(parse_span(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_none() {
        for text in [
            "",
            "d",
            "20",
            "-5s",
            "-1d",
            "1.5d",
            "99999999999999999999d",
            "soon",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }
}
