//! Times and texts, as people read them.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3600;
const DAY_S: u64 = 24 * 3600;

/// How long ago, in one unit: `7s`, `12m`, `5h`, `3d`. Four columns, for a hundred days and more.
pub(in crate::cli) fn age(since: Timestamp, now: Timestamp) -> String {
    let s = now.duration_since(since).as_secs().max(0).unsigned_abs();
    match s {
        0..MINUTE_S => format!("{s}s"),
        MINUTE_S..HOUR_S => format!("{}m", s / MINUTE_S),
        HOUR_S..DAY_S => format!("{}h", s / HOUR_S),
        DAY_S.. => format!("{}d", s / DAY_S),
    }
}

/// How long, as exactly as it is of use: `0.041 s`, `31.2 s`, `5 m 03 s`, `2 h 05 m`, `3 d 04 h`.
pub(super) fn span(span: Duration) -> String {
    let s = span.as_secs();
    match s {
        0..10 => format!("{:.3} s", span.as_secs_f64()),
        10..MINUTE_S => format!("{:.1} s", span.as_secs_f64()),
        MINUTE_S..HOUR_S => format!("{} m {:02} s", s / MINUTE_S, s % MINUTE_S),
        HOUR_S..DAY_S => format!("{} h {:02} m", s / HOUR_S, s % HOUR_S / MINUTE_S),
        DAY_S.. => format!("{} d {:02} h", s / DAY_S, s % DAY_S / HOUR_S),
    }
}

/// The same with a sign, for what may have been before.
pub(super) fn offset(offset: SignedDuration) -> String {
    let sign = if offset.is_negative() { '-' } else { '+' };
    format!("{sign}{}", span(offset.unsigned_abs()))
}

/// Whole milliseconds.
pub(super) fn millis(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// The day, in UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.to_string()
        .split('T')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The time of the day, in UTC, to the second.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let (_, time) = text.split_once('T').unwrap_or_default();
    time.chars().take("00:00:00".len()).collect()
}

/// Words in lines of at most so many columns; a word that is longer stays whole.
pub(in crate::cli) fn wrapped<'a>(
    words: impl IntoIterator<Item = &'a str>,
    columns: Option<usize>,
) -> Vec<String> {
    let columns = columns.unwrap_or(usize::MAX);
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// The text in at most so many columns; what does not fit is cut off, and that is shown.
pub(in crate::cli) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(columns.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// The text in a colour of the terminal (an SGR code), where colours are wanted.
pub(in crate::cli) fn coloured(text: &str, sgr: &str, colours: bool) -> String {
    if colours && !sgr.is_empty() && !text.is_empty() {
        format!("\u{1b}[{sgr}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_span_has_two_units_at_most_and_never_more_than_nine_columns() {
        for (ms, expected) in [
            (41, "0.041 s"),
            (31_240, "31.2 s"),
            (303_000, "5 m 03 s"),
            (7_500_000, "2 h 05 m"),
            (277_200_000, "3 d 05 h"),
        ] {
            assert_eq!(span(Duration::from_millis(ms)), expected);
        }
        assert_eq!(offset(SignedDuration::from_millis(-12)), "-0.012 s");
    }

    #[test]
    fn a_time_is_of_utc_and_without_its_fraction() {
        let at: Timestamp = "2026-11-20T03:04:05.123456+01:00".parse().unwrap();
        assert_eq!(
            (day(at).as_str(), time(at).as_str()),
            ("2026-11-20", "02:04:05")
        );
    }

    #[test]
    fn lines_are_broken_between_words_only() {
        let wrapped = |text: &str, columns| wrapped(text.split_whitespace(), columns);
        assert_eq!(wrapped("one two three", Some(8)), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible", Some(8)), ["incomprehensible"]);
        assert_eq!(wrapped("one two", None), ["one two"]);
        assert_eq!(wrapped("", Some(8)), [""]);
    }

    #[test]
    fn what_is_cut_off_leaves_a_mark_in_the_last_column() {
        assert_eq!(cut("1a070e1e", 8), "1a070e1e");
        assert_eq!(cut("1a070e1e-21fc", 8), "1a070e1…");
    }
}
