//! What the ledger's writes cost: 64 tasks, each of which claims an escalation and records its end, again and again.
//! One process, as one worker has it; `make bench` says so much for SQLite and, where `ESCALATOR_TEST_POSTGRES_URL` names
//! a server, for PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and is there to print"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use escalator::escalation::{End, IncidentId, Lane, Origin, Progress, Trigger};
use escalator::ledger::{Arrival, Claim, ClaimRequest, Ledger, Postgres, Record, Sqlite, Then};
use jiff::Timestamp;
use secrecy::SecretString;

const TASKS: usize = 64;
const SPAN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
    measure("sqlite", Arc::new(sqlite)).await;
    match std::env::var("ESCALATOR_TEST_POSTGRES_URL") {
        Ok(url) => {
            let postgres = Postgres::open(&SecretString::from(url)).await.unwrap();
            measure("postgres", Arc::new(postgres)).await;
        }
        Err(_) => println!("postgres   not measured: ESCALATOR_TEST_POSTGRES_URL is not set"),
    }
}

async fn measure(name: &str, ledger: Arc<dyn Ledger>) {
    let (writes, number) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (ledger, writes, number) = (ledger.clone(), writes.clone(), number.clone());
            tokio::spawn(async move {
                while began.elapsed() < SPAN {
                    one(&*ledger, number.fetch_add(1, Ordering::Relaxed)).await;
                    writes.fetch_add(2, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let writes = u32::try_from(writes.load(Ordering::Relaxed)).unwrap();
    let each = began.elapsed() * u32::try_from(TASKS).unwrap() / writes;
    let rate = f64::from(writes) / began.elapsed().as_secs_f64();
    println!("{name:10} {rate:8.0} writes a second, {each:?} each, {TASKS} at once");
}

async fn one(ledger: &dyn Ledger, number: u64) {
    let now = Timestamp::now();
    let claimed = ledger
        .claim(ClaimRequest {
            incident: IncidentId::parse(&format!("Q{}-{number}", std::process::id())).unwrap(),
            trigger: Trigger::First,
            cycle: 0,
            accepted_at: now,
            occurred_at: now,
            arrival: Arrival {
                origin: Origin::Webhook,
                lane: Lane::High,
                event_kind: "incident.triggered".to_owned(),
                event: None,
                redelivered: false,
            },
            owner: "bench/1".to_owned(),
            lease: Duration::from_secs(30),
            expires_after: Duration::from_secs(86_400),
        })
        .await
        .unwrap();
    let Claim::Granted(granted) = claimed else {
        return;
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
}
