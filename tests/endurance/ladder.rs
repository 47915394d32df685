//! Three thousand messages with delays of 1 to 31 s, and the broker killed half way.
//!
//! A rung hands a message to the next queue and forgets it when that one has confirmed it: at least once, not once. So a
//! broker that is killed between the two has it in both, and cannot know. What comes of that second copy is what counts, so
//! each arrival claims its work in a ledger, as the worker's do; and a copy that the kill does not explain is a fault.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use escalator::broker::{Broker, Config, Destination, Headers, Publication};
use escalator::escalation::{End, IncidentId, Lane, Origin, Progress, Trigger};
use escalator::ledger::{Arrival, Claim, ClaimRequest, Ledger, Record, Sqlite, Then};
use futures_util::future::join_all;
use jiff::Timestamp;

use crate::support::node::Node;
use crate::support::vhost::Vhost;

const MESSAGES: u64 = 3000;
const PUBLISHERS: u64 = 16;
const WITHIN: Duration = Duration::from_secs(60);
/// A hand-over that was under way when the broker was killed had begun, by its rung's clock, no longer before that.
const HAND_OVER: Duration = Duration::from_secs(1);

pub(crate) async fn run() -> String {
    let node = Node::start().await;
    let said = {
        let vhost = Vhost::on(&node).await;
        through(&node, &vhost).await
    };
    drop(node);
    said
}

/// How long this one is asked to wait.
fn delay(number: u64) -> Duration {
    Duration::from_secs(number % 31 + 1)
}

/// Does the work that a message stands for, unless it was done: whether it was this time.
async fn works(ledger: &Sqlite, number: u64) -> bool {
    let now = Timestamp::now();
    let claim = ledger.claim(ClaimRequest {
        incident: IncidentId::parse(&format!("L{number}")).unwrap(),
        trigger: Trigger::First,
        cycle: 0,
        accepted_at: now,
        occurred_at: now,
        arrival: Arrival {
            origin: Origin::Direct,
            lane: Lane::Normal,
            event_kind: "ladder".to_owned(),
            event: None,
            redelivered: false,
        },
        owner: "ladder".to_owned(),
        lease: WITHIN,
        expires_after: WITHIN,
    });
    let Claim::Granted(granted) = claim.await.unwrap() else {
        return false;
    };
    let record = Record {
        held: granted.held,
        progress: Progress::default(),
        attempts: 0,
        cobrowse: None,
        history: Vec::new(),
        then: Then::End {
            end: End::Done,
            conversation: None,
        },
    };
    ledger.record(record).await.unwrap();
    true
}

/// How long before the kill this message was due to be handed over last: by one rung to the next, or by the last to the lane.
fn handed_over_before(published: Instant, delay: Duration, killed: Instant) -> Option<Duration> {
    let mut at = published;
    let rungs = (0..13).rev().map(|level| 1 << level);
    let hops = rungs.filter(|seconds| delay.as_secs() & seconds != 0);
    let hops = hops.map(|seconds| {
        at += Duration::from_secs(seconds);
        at
    });
    let before = hops.filter_map(|at| killed.checked_duration_since(at));
    before.min()
}

async fn through(node: &Node, vhost: &Vhost) -> String {
    let broker = Broker::start(Config {
        urls: vec![vhost.url()],
        connection_name: "ladder".to_owned(),
        ..Config::default()
    })
    .unwrap();
    broker.wait_ready(WITHIN).await.unwrap();
    let mut subscription = broker.subscribe(Lane::Normal, 200);
    let began = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Sqlite::open(&folder.path().join("ladder.db")).unwrap();
    let taking = tokio::spawn(async move {
        let mut worked: HashMap<u64, usize> = HashMap::new();
        // When it came, and whether the broker says that it may have come before.
        let mut came: HashMap<u64, Vec<(Instant, bool)>> = HashMap::new();
        let mut patience = Duration::from_secs(180);
        while let Ok(Some(delivery)) = tokio::time::timeout(patience, subscription.next()).await {
            let number: u64 = std::str::from_utf8(&delivery.body)
                .unwrap()
                .parse()
                .unwrap();
            let arrival = (Instant::now(), delivery.redelivered);
            came.entry(number).or_default().push(arrival);
            *worked.entry(number).or_default() += usize::from(works(&ledger, number).await);
            let _ = delivery.ack().await;
            if came.len() == MESSAGES as usize {
                // What comes twice may come late.
                patience = Duration::from_secs(5);
            }
        }
        (came, worked)
    });
    let published = join_all((0..PUBLISHERS).map(|lane| publish(&broker, lane))).await;
    let published: HashMap<u64, Instant> = published.into_iter().flatten().collect();
    let filled = began.elapsed();
    // Half of the delays are over about 16 s after the publishing: the middle is a time, not an event.
    tokio::time::sleep(Duration::from_secs(16).saturating_sub(filled)).await;
    node.kill().await;
    let killed = Instant::now();
    node.start_again().await;
    let down = killed.elapsed();
    let back = Instant::now();
    let (came, worked) = taking.await.unwrap();
    let lost = MESSAGES as usize - came.len();
    let twice = worked.values().filter(|times| **times != 1).count();
    let (mut unexplained, mut again, mut early, mut late) = (0, 0, 0, Vec::new());
    let mut copies = Vec::new();
    for (number, arrivals) in &came {
        // An ack that was lost with the broker makes it deliver the same message again, and say so: that is not the ladder's doing.
        let more = &arrivals[1..];
        let returned = more.iter().filter(|(_, redelivered)| *redelivered).count();
        again += returned;
        for _ in returned..more.len() {
            let before = handed_over_before(published[number], delay(*number), killed);
            unexplained += usize::from(before.is_none_or(|before| before > HAND_OVER));
            copies.push(before.map_or(-1, |before| before.as_millis() as i64));
        }
        let due = published[number] + delay(*number);
        let first = arrivals[0].0;
        early += usize::from(first < due);
        // While the broker is down nothing can come; after that it is late since it was back.
        let from = if due > killed && due < back {
            back
        } else {
            due
        };
        late.push(first.saturating_duration_since(from));
    }
    late.sort_unstable();
    let p99 = late[(late.len() - 1) * 99 / 100];
    let said = format!(
        "ladder: {MESSAGES} messages with delays of 1 to 31 s, published in {:.1} s, the broker killed half way and back after {:.1} s: \
         lost {lost}, worked on twice {twice}, early {early}; {} were in two queues, on their way from one to the next when it was killed \
         (due to be handed over {copies:?} ms before), {again} delivered again, their acks lost with it; \
         lateness p50 {:.2} s, p99 {:.2} s (for what was due while it was away: from its return)",
        filled.as_secs_f64(),
        down.as_secs_f64(),
        copies.len(),
        late[(late.len() - 1) / 2].as_secs_f64(),
        p99.as_secs_f64(),
    );
    assert_eq!((lost, twice, early, unexplained), (0, 0, 0, 0), "{said}");
    broker.close().await;
    said
}

async fn publish(broker: &Broker, first: u64) -> Vec<(u64, Instant)> {
    let publisher = broker.publisher();
    let mut published = Vec::new();
    for number in (first..MESSAGES).step_by(PUBLISHERS as usize) {
        let publication = Publication {
            to: Destination::Later {
                lane: Lane::Normal,
                delay: delay(number),
            },
            message_id: number.to_string(),
            body: number.to_string().into_bytes(),
            headers: Headers::default(),
        };
        // From before: it can have begun to wait at any time since.
        let at = Instant::now();
        publisher.publish(&publication, WITHIN).await.unwrap();
        published.push((number, at));
    }
    published
}
