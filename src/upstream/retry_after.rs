//! `Retry-After`, which is a number of seconds or a date (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime};

/// Nobody is obeyed for longer than this: the biggest waits that the vendors document are daily caps. A longer one than the
/// delay queues hold is waited for in pieces, since `Progress::not_before` keeps the whole of it.
const CAP: Duration = Duration::from_secs(24 * 3600);

/// Whether this may be less than what was said.
pub(super) fn is_capped(wait: Duration) -> bool {
    wait >= CAP
}

/// Reads a header's value. Rounds up to whole seconds, so that nothing comes early.
pub(super) fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            let wait = date.duration_since(now).unwrap_or(Duration::ZERO);
            Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        }
    };
    Some(wait.min(CAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_dates_and_nonsense() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_400);
        assert_eq!(parse("7", now), Some(Duration::from_secs(7)));
        assert_eq!(parse(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:49:40 GMT", now),
            Some(Duration::from_secs(3)),
            "2.6 s round up"
        );
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:00:00 GMT", now),
            Some(Duration::ZERO),
            "a date in the past asks for nothing"
        );
        assert_eq!(
            parse("7200", now),
            Some(Duration::from_secs(7200)),
            "a long wait is kept as it was said"
        );
        assert_eq!(parse("99999999999", now), Some(CAP));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(parse(nonsense, now), None, "{nonsense:?}");
        }
    }
}
