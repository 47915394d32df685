//! The queues under the names that metrics have for them.

use std::collections::BTreeMap;

use crate::broker::{Depth, Source, Subscriptions, ladder, topology};
use crate::escalation::Lane;
use crate::telemetry::QueueDepth;

/// The lanes, the dead letters, and the whole ladder as one: a rung by itself says nothing.
///
/// A quorum queue without a leader, or one that is slow to answer, is told as empty and without consumers. Where this process is
/// subscribed itself, that is known to be untrue, and the queue counts as not seen.
pub(super) fn by_name(depths: &[Depth], ours: &BTreeMap<Source, Subscriptions>) -> Vec<QueueDepth> {
    let of = |source: Source, queue| {
        let name = topology::queue(source);
        let depth = depths.iter().find(|depth| depth.queue == name)?;
        let served = ours.get(&source).is_some_and(|ours| ours.active > 0);
        if served && depth.consumers == 0 {
            return None;
        }
        Some(QueueDepth {
            queue,
            messages: depth.messages.into(),
            consumers: Some(depth.consumers.into()),
        })
    };
    let lanes = Lane::ALL.map(|lane| of(Source::Lane(lane), lane.as_str()));
    let mut named: Vec<_> = lanes.into_iter().flatten().collect();
    named.extend(of(Source::Dead, "dead"));
    let rungs = depths.iter().filter(|depth| ladder::is_rung(&depth.queue));
    named.push(QueueDepth {
        queue: "delay",
        messages: rungs.map(|depth| u64::from(depth.messages)).sum(),
        consumers: None,
    });
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_queue_has_its_name_and_the_ladder_is_one() {
        let depth = |queue: String, messages| Depth {
            queue,
            messages,
            consumers: 2,
        };
        let mut depths: Vec<_> = (0..ladder::LEVELS)
            .map(|level| depth(ladder::rung(level), 3))
            .collect();
        depths.push(depth("escalations.high".to_owned(), 7));
        depths.push(depth("escalations.dead".to_owned(), 1));
        let none = BTreeMap::new();
        let named = by_name(&depths, &none);
        let of = |queue, messages, consumers| QueueDepth {
            queue,
            messages,
            consumers,
        };
        let levels = u64::from(ladder::LEVELS);
        assert_eq!(
            named,
            [
                of("high", 7, Some(2)),
                of("dead", 1, Some(2)),
                of("delay", 3 * levels, None)
            ]
        );
    }

    #[test]
    fn a_queue_that_is_told_as_nobody_s_while_we_are_subscribed_was_not_seen() {
        let depths = [Depth {
            queue: "escalations.high".to_owned(),
            messages: 0,
            consumers: 0,
        }];
        let one = Subscriptions {
            wanted: 1,
            active: 1,
        };
        let ours = BTreeMap::from([(Source::Lane(Lane::High), one)]);
        let seen = |ours| {
            by_name(&depths, ours)
                .iter()
                .any(|depth| depth.queue == "high")
        };
        assert!(!seen(&ours));
        assert!(seen(&BTreeMap::new()));
    }
}
