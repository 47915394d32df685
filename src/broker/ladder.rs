//! The delay ladder: any whole number of seconds from 1 to 8191, exactly, out of 13 fixed-TTL queues.
//!
//! Rung *l* holds a message 2^l seconds. The routing key spells the delay in binary, most significant bit
//! first, and ends with the lane: at each rung a `1` sends the message through the rung's queue and a `0`
//! past it, down to `escalations.delay.out`, which knows only the lanes.
//!
//! Why not one queue with a TTL per message: RabbitMQ expires at the head only, so a long delay holds up every
//! shorter one behind it. Why not a queue per delay: redeclaring a queue does not renew its lease on 4.3, and
//! confirmed messages go with it.

use std::time::Duration;

use crate::escalation::Lane;

/// Rungs of the ladder.
pub const LEVELS: u8 = 13;

/// The longest delay, in seconds; longer ones are clamped to it.
pub const LONGEST_SECONDS: u64 = (1 << LEVELS) - 1;

/// Where every message leaves the ladder.
pub const OUT: &str = "escalations.delay.out";

/// The name that rung `level`'s exchange and queue share.
#[must_use]
pub fn rung(level: u8) -> String {
    format!("escalations.delay.{level:02}")
}

/// Whether a queue of this name is a rung's.
#[must_use]
pub fn is_rung(queue: &str) -> bool {
    (0..LEVELS).any(|level| rung(level) == queue)
}

/// Where rung `level` sends what it does not hold, or has held long enough.
#[must_use]
pub fn below(level: u8) -> String {
    level.checked_sub(1).map_or_else(|| OUT.to_owned(), rung)
}

/// How long rung `level` holds a message, in milliseconds.
#[must_use]
pub const fn hold_ms(level: u8) -> i64 {
    1000 << level
}

/// The binding key that matches the messages with the given bit at rung `level`.
#[must_use]
pub fn pattern(level: u8, bit: bool) -> String {
    let above = usize::from(LEVELS.saturating_sub(level + 1));
    format!("{}{}.#", "*.".repeat(above), u8::from(bit))
}

/// What a delay becomes on the ladder: whole seconds, rounded **up** (a delay is a promise to wait at least
/// that long), from 1 to [`LONGEST_SECONDS`].
#[must_use]
pub fn seconds(delay: Duration) -> u64 {
    let begun = u64::from(delay.subsec_nanos() > 0);
    let whole = delay.as_secs().saturating_add(begun);
    whole.clamp(1, LONGEST_SECONDS)
}

/// The exchange to publish to, and the routing key, so that a message reaches `lane` after `delay`.
///
/// It enters at its highest rung: the ones above would only pass it on.
#[must_use]
pub fn route(lane: Lane, delay: Duration) -> (String, String) {
    let seconds = seconds(delay);
    let top = u8::try_from(seconds.ilog2()).unwrap_or(LEVELS - 1);
    let mut key = String::with_capacity(usize::from(LEVELS) * 2 + lane.as_str().len());
    for level in (0..LEVELS).rev() {
        key.push(if seconds >> level & 1 == 1 { '1' } else { '0' });
        key.push('.');
    }
    key.push_str(lane.as_str());
    (rung(top), key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A topic exchange's matching, for the patterns used here: `*` is one word, a trailing `#` any number.
    fn matches(pattern: &str, key: &str) -> bool {
        let mut words = key.split('.');
        for part in pattern.split('.') {
            match (part, words.next()) {
                ("#", _) => return true,
                ("*", Some(_)) => {}
                (part, Some(word)) if part == word => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }

    /// Walks a message down the ladder and adds up the time it is held.
    fn walk(exchange: &str, key: &str) -> u64 {
        let mut level = (0..LEVELS).find(|level| rung(*level) == exchange);
        let mut held = 0;
        while let Some(at) = level {
            let holds = matches(&pattern(at, true), key);
            let passes = matches(&pattern(at, false), key);
            assert!(
                holds != passes,
                "rung {at} must take exactly one way for {key}"
            );
            if holds {
                held += u64::try_from(hold_ms(at)).unwrap_or_default() / 1000;
            }
            level = at.checked_sub(1);
        }
        held
    }

    #[test]
    fn three_seconds_enter_at_the_rung_of_two() {
        let (exchange, key) = route(Lane::High, Duration::from_secs(3));
        assert_eq!(exchange, "escalations.delay.01");
        assert_eq!(key, "0.0.0.0.0.0.0.0.0.0.0.1.1.high");
    }

    #[test]
    fn a_delay_is_rounded_up_and_kept_within_the_ladder() {
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::from_millis(2001)), 3);
        assert_eq!(seconds(Duration::from_secs(3)), 3);
        assert_eq!(seconds(Duration::MAX), LONGEST_SECONDS);
    }

    #[test]
    fn every_delay_is_held_exactly_as_long_as_asked() {
        for asked in 1..=LONGEST_SECONDS {
            let (exchange, key) = route(Lane::Normal, Duration::from_secs(asked));
            assert_eq!(walk(&exchange, &key), asked);
        }
    }

    proptest! {
        #[test]
        fn no_delay_comes_out_shorter_than_asked(millis in 0_u64..8_191_000) {
            prop_assert!(seconds(Duration::from_millis(millis)) * 1000 >= millis);
        }
    }
}
