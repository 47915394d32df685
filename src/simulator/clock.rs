//! The time of day, in the spellings that the two vendors use.

use jiff::{Timestamp, tz::Offset};

/// Milliseconds since the epoch, now.
pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `2025-04-07T03:49:36.680Z`: Genesys, and `occurred_at` of a webhook.
pub(super) fn with_milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `2025-04-07T03:49:36Z`: the times of a PagerDuty incident.
pub(super) fn with_seconds(at: Timestamp) -> String {
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    format!("{at:.0}")
}

/// `2025-04-06T21:49:36-06:00`: PagerDuty's alerts and notes carry the offset of the account.
pub(super) fn with_offset(at: Timestamp) -> String {
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    format!("{:.0}", at.display_with_offset(Offset::constant(-6)))
}

/// The same from milliseconds since the epoch.
pub(super) fn with_offset_ms(at_ms: i64) -> String {
    with_offset(Timestamp::from_millisecond(at_ms).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_vendor_gets_its_own_spelling_of_a_time() {
        let at: Timestamp = "2025-04-07T03:49:36.68Z".parse().unwrap();
        assert_eq!(with_milliseconds(at), "2025-04-07T03:49:36.680Z");
        assert_eq!(with_seconds(at), "2025-04-07T03:49:36Z");
        assert_eq!(with_offset(at), "2025-04-06T21:49:36-06:00");
    }
}
