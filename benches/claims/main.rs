//! What a ledger with a million escalations in it costs, beside an empty one: `make bench`.
//!
//! Each cycle is the five writes of an undisturbed escalation. Sixty-four of them run at once, so that the flush of a commit,
//! which they share, does not hide what reading costs. Empty and full take turns; read the ratio.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark fails by panicking, and prints; it uses a part of what the tests share"
)]

#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use escalator::escalation::{
    Cobrowse, ConversationId, End, EventId, IncidentId, Intent, Lane, Origin, Progress, SessionId,
    Trigger, Write,
};
use escalator::ledger::{
    Arrival, Claim, ClaimRequest, CobrowseRecord, ConversationClaim, ConversationRequest,
    IntendSession, Ledger, LinkChange, Postgres, Record, Sqlite, Then,
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use rusqlite::Connection;
use support::database::Database;

const ROWS: u32 = 1_000_000;
const CYCLES: usize = 2000;
const AT_ONCE: usize = 64;
const ROUNDS: usize = 5;
const LEASE: Duration = Duration::from_secs(30);

/// Rows as they are after a while: ended escalations with their conversation, tombstone and a short history. Both databases
/// understand this text, but for how the numbers from 1 to a million are written.
fn rows(series: &str) -> String {
    format!(
        "INSERT INTO escalations (key, incident_id, state, epoch, lease_until, attempts, takeovers, accepted_at, occurred_at,
                                  created_at, ended_at, progress, ending, conversation_id)
           SELECT 'QOLD' || i || '/0', 'QOLD' || i, 'done', 1, 0, 0, 0, 1790000000000, 1790000000000, 1790000000000, 1790000000000,
                  '{{\"context\":{{\"conversation\":\"old-' || i || '\"}},\"setbacks\":0,\"note\":{{\"state\":\"open\"}}}}',
                  '{{\"end\":\"done\"}}', 'old-' || i
           FROM {series};
         INSERT INTO conversations (conversation_id, epoch, lease_until, cobrowse, used_at)
           SELECT 'old-' || i, 1, 0, '{{\"session\":{{\"state\":\"open\"}},\"media\":{{\"state\":\"open\"}},\"possible_orphans\":0}}', 1790000000000
           FROM {series};
         INSERT INTO resolutions (incident_id, resolved_at, noted_at) SELECT 'QOLD' || i, 1790000000000, 1790000000000 FROM {series};
         INSERT INTO history (key, seq, entries) SELECT 'QOLD' || i || '/0', 1, '[]' FROM {series};"
    )
}

#[tokio::main]
async fn main() {
    println!("{CYCLES} escalations of five writes, {AT_ONCE} at once, {ROUNDS} rounds in turns\n");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let empty: Arc<dyn Ledger> = Arc::new(Sqlite::open(&path("empty.db")).unwrap());
    let full: Arc<dyn Ledger> = Arc::new(Sqlite::open(&path("full.db")).unwrap());
    let series = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n)";
    let filling = Connection::open(path("full.db")).unwrap();
    filling.execute_batch(&rows(series)).unwrap();
    compare("sqlite", &empty, &full).await;

    let databases = [Database::new().await, Database::new().await];
    let open = async |database: &Database| Postgres::open(&database.secret()).await.unwrap();
    let empty: Arc<dyn Ledger> = Arc::new(open(&databases[0]).await);
    let full: Arc<dyn Ledger> = Arc::new(open(&databases[1]).await);
    let filling = rows(&format!("generate_series(1, {ROWS}) AS i"));
    databases[1].run(&format!("{filling} ANALYZE;")).await;
    compare("postgres", &empty, &full).await;
}

async fn compare(name: &str, empty: &Arc<dyn Ledger>, full: &Arc<dyn Ledger>) {
    let mut ratios = Vec::new();
    let (mut quick, mut slow) = (Vec::new(), Vec::new());
    cycles(empty, 0).await;
    cycles(full, 0).await;
    for round in 1..=ROUNDS {
        let (of_empty, of_full) = (cycles(empty, round).await, cycles(full, round).await);
        ratios.push(of_full / of_empty);
        quick.push(of_empty);
        slow.push(of_full);
    }
    println!(
        "{name:8}: {:.3} ms an escalation empty, {:.3} ms with {ROWS} in it: ratio {:.2} (median of {ROUNDS})",
        median(&mut quick),
        median(&mut slow),
        median(&mut ratios)
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Milliseconds for each of them.
async fn cycles(ledger: &Arc<dyn Ledger>, round: usize) -> f64 {
    let began = Instant::now();
    let running = stream::iter(0..CYCLES).map(|number| {
        let ledger = ledger.clone();
        tokio::spawn(async move { cycle(&*ledger, &format!("{round}-{number}")).await })
    });
    running
        .buffer_unordered(AT_ONCE)
        .for_each(async |done| done.unwrap())
        .await;
    began.elapsed().as_secs_f64() * 1000.0 / CYCLES as f64
}

async fn cycle(ledger: &dyn Ledger, name: &str) {
    let now = Timestamp::now();
    let incident = IncidentId::parse(&format!("Q{name}")).unwrap();
    let conversation = ConversationId::parse(&format!("c-{name}")).unwrap();
    let request = ClaimRequest {
        incident,
        trigger: Trigger::First,
        cycle: 0,
        accepted_at: now,
        occurred_at: now,
        arrival: Arrival {
            origin: Origin::Webhook,
            lane: Lane::High,
            event_kind: "incident.triggered".to_owned(),
            event: EventId::parse("01BENCH").ok(),
            redelivered: false,
        },
        owner: "bench/1".to_owned(),
        lease: LEASE,
        expires_after: Duration::from_secs(86_400),
    };
    let Claim::Granted(granted) = ledger.claim(request).await.unwrap() else {
        panic!("not granted")
    };
    let held = granted.held;
    let intent = Intent {
        epoch: held.epoch,
        deadline: now,
        absent_at: None,
    };
    let intend = IntendSession {
        contract: escalator::escalation::Contract::Sessions,
        there_before: Vec::new(),
        intent: intent.clone(),
        progress: Progress::default(),
        attempts: 0,
        history: Vec::new(),
        occurred_at: now,
    };
    let claim = ledger.claim_conversation(ConversationRequest {
        held: held.clone(),
        conversation,
        lease: LEASE,
        intend: Some(Box::new(intend)),
    });
    let ConversationClaim::Granted { held: on, .. } = claim.await.unwrap() else {
        panic!("not granted")
    };
    let session = SessionId::parse("s-1").unwrap();
    let record = |media, then| Record {
        held: held.clone(),
        progress: Progress::default(),
        attempts: 0,
        cobrowse: Some(CobrowseRecord {
            held: on.clone(),
            cobrowse: Cobrowse {
                session: Write::Done {
                    at: now,
                    result: session.clone(),
                },
                media,
                ..Cobrowse::default()
            },
            link: LinkChange::Keep,
        }),
        history: Vec::new(),
        then,
    };
    let done = Write::Done {
        at: now,
        result: (),
    };
    let asked = record(Write::Intended(intent), Then::Continue);
    ledger.record(asked).await.unwrap();
    ledger
        .record(record(done.clone(), Then::Continue))
        .await
        .unwrap();
    let end = Then::End {
        end: End::Done,
        conversation: Some(on.clone()),
    };
    ledger.record(record(done, end)).await.unwrap();
}
