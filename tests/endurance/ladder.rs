//! Three thousand messages with delays of 1 to 31 s, and the broker killed half way.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use escalator::broker::{Broker, Config, Destination, Headers, Publication};
use escalator::escalation::Lane;
use futures_util::future::join_all;

use crate::support::node::Node;
use crate::support::vhost::Vhost;

const MESSAGES: u64 = 3000;
const PUBLISHERS: u64 = 16;
const WITHIN: Duration = Duration::from_secs(60);

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
    let taking = tokio::spawn(async move {
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
            let _ = delivery.ack().await;
            if came.len() == MESSAGES as usize {
                // What comes twice may come late.
                patience = Duration::from_secs(5);
            }
        }
        came
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
    let came = taking.await.unwrap();
    let lost = MESSAGES as usize - came.len();
    let (mut twice, mut again, mut early, mut late) = (0, 0, 0, Vec::new());
    for (number, arrivals) in &came {
        // An ack that was lost with the broker makes it deliver the same message again, and say so: that is not the ladder's doing.
        let more = &arrivals[1..];
        let returned = more.iter().filter(|(_, redelivered)| *redelivered).count();
        again += returned;
        twice += more.len() - returned;
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
         lost {lost}, twice {twice}, early {early} ({again} delivered again, their acks lost with the broker); lateness p50 {:.2} s, p99 {:.2} s (for what was due while it was away: from its return)",
        filled.as_secs_f64(),
        down.as_secs_f64(),
        late[(late.len() - 1) / 2].as_secs_f64(),
        p99.as_secs_f64(),
    );
    assert_eq!((lost, twice, early), (0, 0, 0), "{said}");
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
