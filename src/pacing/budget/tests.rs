#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

const CALL: Duration = Duration::from_secs(10);

fn asked(holder: &str, wanted: u32) -> Exchange {
    Exchange {
        holder: holder.to_owned(),
        limit: 300,
        call_timeout: CALL,
        wanted,
        ..Exchange::default()
    }
}

#[test]
fn a_backlog_gets_a_small_burst_and_then_the_limit_s_own_pace() {
    let mut account = Account::default();
    let first = account.exchange(0, &asked("a", 1000));
    assert_eq!(first.permits, 25, "five seconds' worth");
    assert_eq!(account.exchange(0, &asked("a", 1000)).permits, 0);
    let next = account.exchange(0, &asked("a", 1000)).again_in;
    assert_eq!(next, Duration::from_millis(200));
    assert_eq!(account.exchange(200, &asked("a", 1000)).permits, 1);
    assert_eq!(account.exchange(2200, &asked("a", 1000)).permits, 10);
}

#[test]
fn a_permit_comes_back_a_window_after_its_answer_and_an_unused_one_at_once() {
    let mut account = Account::default();
    let limit = |exchange: Exchange| Exchange {
        limit: 2,
        ..exchange
    };
    assert_eq!(account.exchange(0, &limit(asked("a", 2))).permits, 1);
    assert_eq!(account.exchange(30_000, &limit(asked("a", 2))).permits, 1);
    // Both are out. One was answered at 31 s, the other is had no more.
    let said = Exchange {
        ended: vec![(Duration::from_secs(1), 1)],
        ..limit(asked("a", 2))
    };
    let grant = account.exchange(32_000, &said);
    assert_eq!(grant.permits, 0, "the pace");
    assert_eq!(account.exchange(62_000, &limit(asked("a", 2))).permits, 1);
    assert_eq!(account.exchange(91_200, &limit(asked("b", 1))).permits, 0);
    assert_eq!(account.exchange(92_100, &limit(asked("b", 1))).permits, 1);
}

#[test]
fn the_permits_of_a_worker_that_is_never_heard_of_again_count_until_they_certainly_come_back() {
    let mut account = Account::default();
    let one = |holder| Exchange {
        limit: 1,
        ..asked(holder, 1)
    };
    assert_eq!(account.exchange(0, &one("dead")).permits, 1);
    let certainly = HEARD_WITHIN + GOOD_FOR + CALL + WINDOW;
    let last = millis(certainly);
    let grant = account.exchange(last - 1, &one("other"));
    assert_eq!((grant.permits, grant.again_in), (0, span(1)));
    assert_eq!(account.exchange(last, &one("other")).permits, 1);
}

#[test]
fn when_the_vendor_asks_for_patience_nobody_gets_any_and_a_shorter_word_does_not_shorten_it() {
    let mut account = Account::default();
    let patience = |seconds| Exchange {
        closed_for: Some(Duration::from_secs(seconds)),
        ..asked("a", 0)
    };
    account.exchange(0, &patience(7));
    account.exchange(0, &patience(1));
    let other = account.exchange(6_999, &asked("b", 1));
    assert_eq!((other.permits, other.closed_for), (0, span(1)));
    assert_eq!(account.exchange(7_000, &asked("b", 1)).permits, 1);
}

#[test]
fn nobody_takes_what_others_who_are_there_would_wait_for() {
    let mut account = Account::default();
    for holder in ["a", "b"] {
        account.exchange(0, &asked(holder, 1));
    }
    // 23 are there, and three want them.
    assert_eq!(account.exchange(1, &asked("c", 100)).permits, 8);
    // Those who have not been heard of for a while wait for nothing.
    assert_eq!(account.exchange(10_000, &asked("c", 100)).permits, 25);
}

#[test]
fn what_is_kept_stays_small() {
    let mut account = Account::default();
    for now in (0..120_000).step_by(10) {
        let exchange = Exchange {
            limit: 60_000,
            ended: vec![(Duration::ZERO, 10)],
            ..asked("a", 10)
        };
        account.exchange(now, &exchange);
    }
    let kept = serde_json::to_string(&account).unwrap();
    assert!(kept.len() < 20_000, "{}", kept.len());
}

/// A worker of the small world below.
#[derive(Default)]
struct Worker {
    /// When permits were given, each good for a while.
    stock: Vec<i64>,
    /// When calls are answered that are under way.
    calls: Vec<i64>,
    /// Answered, and not said yet.
    ended: Vec<i64>,
    /// The answer to its last question: when it comes, and how much it gives.
    hears: Option<(i64, u32)>,
}

/// Workers that are slow, hurried, forgetful and mortal ask as they like; whatever they do, the vendor never sees more than the
/// limit within a minute. Returns how many requests it saw.
fn at_the_vendor(seed: u64, limit: u32, steady: bool) -> usize {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut account = Account::default();
    let mut workers: Vec<Worker> = (0..4).map(|_| Worker::default()).collect();
    let (mut seen, mut lives) = (Vec::new(), 4);
    let mut names: Vec<String> = (0..4).map(|n| n.to_string()).collect();
    let mut now = 0;
    while now < 600_000 {
        now += dice.random_range(1..20);
        let at = dice.random_range(0..workers.len());
        let worker = &mut workers[at];
        if !steady && dice.random_range(0..3000) == 0 {
            // It crashes, and somebody else comes.
            *worker = Worker::default();
            lives += 1;
            names[at] = lives.to_string();
            continue;
        }
        let answered = |call: &mut i64| *call <= now;
        worker.ended.extend(worker.calls.extract_if(.., answered));
        let good_for = millis(GOOD_FOR);
        worker.stock.retain(|given| now - *given <= good_for);
        if let Some((_, permits)) = worker.hears.take_if(|(comes, _)| *comes <= now) {
            worker.stock.extend((0..permits).map(|_| now));
        }
        if let Some(_permit) = worker.stock.pop() {
            let takes = match dice.random_range(0..50) {
                _ if steady => 50,
                0 => 10_000,
                _ => dice.random_range(1..300),
            };
            seen.push(now + dice.random_range(0..=takes));
            worker.calls.push(now + takes);
            continue;
        }
        if worker.hears.is_some() || !steady && dice.random_range(0..3) > 0 {
            continue;
        }
        let ended = worker.ended.iter();
        let exchange = Exchange {
            limit,
            ended: ended.map(|at| (span(now - at), 1)).collect(),
            holding: (worker.stock.len() + worker.calls.len()) as u32,
            ..asked(&names[at], dice.random_range(1..=20))
        };
        // The question gets lost, or its answer; or that comes late.
        let fate = if steady { 9 } else { dice.random_range(0..200) };
        if fate == 0 {
            continue;
        }
        let grant = account.exchange(now, &exchange);
        if fate == 1 {
            continue;
        }
        worker.ended.clear();
        let takes = match fate {
            2 => dice.random_range(0..=millis(HEARD_WITHIN)),
            _ => 0,
        };
        worker.hears = Some((now + takes, grant.permits));
    }
    seen.sort_unstable();
    for first in 0..seen.len() {
        let end = seen.partition_point(|at| *at < seen[first] + 60_000);
        let within = end - first;
        assert!(within <= limit as usize, "seed {seed}: {within} of {limit}");
    }
    seen.len()
}

#[test]
fn no_minute_at_the_vendor_has_more_requests_than_the_limit() {
    for seed in 0..6 {
        for limit in [1, 7, 60, 300, 1200] {
            at_the_vendor(seed, limit, false);
        }
    }
}

#[test]
fn what_was_given_and_never_came_is_given_anew() {
    let mut account = Account::default();
    let one = |ended| Exchange {
        limit: 2,
        ended,
        ..asked("a", 1)
    };
    assert_eq!(account.exchange(0, &one(Vec::new())).permits, 1);
    // That answer was lost; and so is, each time, every second one of a worker that is busy for hours.
    let (mut now, mut given) = (30_000, 0);
    for round in 0..400 {
        let grant = account.exchange(now, &one(Vec::new()));
        if round % 2 == 0 && grant.permits > 0 {
            now += 1_000;
            account.exchange(now, &one(vec![(Duration::ZERO, grant.permits)]));
            given += grant.permits;
        }
        now += 15_000;
    }
    assert!(given >= 90, "{given}");
}

#[test]
fn nothing_is_left_unused_while_work_waits() {
    for limit in [60, 300, 1200] {
        let seen = at_the_vendor(1, limit, true);
        let possible = limit as usize * 10;
        assert!(seen * 100 >= possible * 98, "{seen} of {possible}");
    }
}
