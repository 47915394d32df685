//! The server restarts, crashes, hangs; or the way there is cut.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use escalator::escalation::{IncidentId, Key, Trigger};
use escalator::ledger::{Claim, Error, Ledger, Postgres, Then};
use secrecy::SecretString;

use super::super::{first, granted, incident, record, release, told};
use super::opened;
use crate::support::database::{Database, Server};
use crate::support::program::PATIENCE;
use crate::support::proxy::Proxy;
use crate::support::vhost::eventually;

/// Writers that go on through whatever happens, and what they were answered.
struct Writers {
    answered: Arc<Mutex<Vec<IncidentId>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Writers {
    fn start(ledger: &Arc<dyn Ledger>, count: usize) -> Self {
        let answered: Arc<Mutex<Vec<IncidentId>>> = Arc::default();
        let tasks = (0..count)
            .map(|_| {
                let (ledger, answered) = (ledger.clone(), answered.clone());
                tokio::spawn(async move {
                    loop {
                        if let Some(incident) = write(&*ledger).await {
                            answered.lock().unwrap().push(incident);
                        } else {
                            // A ledger that is away refuses at once, and is not to be asked in a tight loop.
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                })
            })
            .collect();
        Self { answered, tasks }
    }

    fn count(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    /// Waits until so many more have been answered.
    async fn go_on(&self, more: usize) {
        let wanted = self.count() + more;
        eventually("writes go on", async || {
            (self.count() >= wanted).then_some(())
        })
        .await;
    }

    fn end(self) -> Vec<IncidentId> {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        self.answered.lock().unwrap().clone()
    }
}

/// A claim and a record of it; none if the ledger was away for either.
async fn write(ledger: &dyn Ledger) -> Option<IncidentId> {
    let incident = incident();
    let away = |error: Error| assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    let held = match ledger.claim(first(&incident)).await {
        Ok(Claim::Granted(granted)) => granted.held,
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            away(error);
            return None;
        }
    };
    match ledger.record(release(&held)).await {
        Ok(_) => Some(incident),
        Err(error) => {
            away(error);
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_again_and_again_loses_nothing_that_was_answered() {
    let server = Server::start().await;
    let database = Database::on(&server).await;
    let ledger = opened(&database).await;
    let before = incident();
    let old = granted(&*ledger, first(&before)).await.held;
    ledger.record(release(&old)).await.unwrap();
    let writers = Writers::start(&ledger, 16);
    for round in 0..3 {
        writers.go_on(50).await;
        if round == 1 {
            server.stop().await;
        } else {
            server.kill().await;
        }
        let began = Instant::now();
        let claim = ledger.claim(first(&incident())).await;
        assert!(matches!(claim, Err(Error::Unavailable(_))), "{claim:?}");
        assert!(began.elapsed() < Duration::from_secs(9), "it fails soon");
        server.start_again().await;
    }
    writers.go_on(50).await;
    let answered = writers.end();
    assert!(answered.len() >= 200);
    // Another process sees all of it.
    let ledger = opened(&database).await;
    for incident in &answered {
        let key = Key::of(incident, &Trigger::First);
        assert_eq!(told(&*ledger, &key).await, ["recorded"], "{incident}");
    }
    // The epochs of before still fence.
    let new = granted(&*ledger, first(&before)).await.held;
    assert!(new.epoch > old.epoch);
    let late = ledger.record(release(&old)).await;
    assert!(matches!(late, Err(Error::Fenced)), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_noticed_soon_and_used_again_when_it_answers() {
    let server = Server::start().await;
    let database = Database::on(&server).await;
    let ledger = opened(&database).await;
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    server.freeze().await;
    for _ in 0..3 {
        let began = Instant::now();
        let recorded = ledger.record(release(&held)).await;
        assert!(
            matches!(recorded, Err(Error::Unavailable(_))),
            "{recorded:?}"
        );
        assert!(began.elapsed() < Duration::from_secs(9), "it fails soon");
    }
    server.thaw().await;
    eventually("the ledger answers", async || ledger.ping().await.ok()).await;
    ledger.record(release(&held)).await.unwrap();
    // What was asked of it while it hung, and given up, has not happened since.
    assert_eq!(told(&*ledger, &held.key).await, ["recorded"]);
}

/// Until the answers to all that could forbid it are in hand, nothing is committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_first_answers_are_lost_has_not_happened_and_can_be_repeated() {
    let database = Database::new().await;
    let (host, port) = (database.url.host_str().unwrap(), database.url.port());
    let proxy = Proxy::before(format!("{host}:{}", port.unwrap())).await;
    let ledger = Postgres::open(&database.by(proxy.address)).await.unwrap();
    let incident = incident();
    let held = granted(&ledger, first(&incident)).await.held;
    let other = database.client().await;
    let sessions = "SELECT count(*) FROM pg_stat_activity
                    WHERE usename = $1 AND (state = $2 OR wait_event_type = $2)";
    let seen = async |what: &str| {
        eventually(what, async || {
            let row = other.query_one(sessions, &[&database.name(), &what]).await;
            (row.unwrap().get::<_, i64>(0) > 0).then_some(())
        })
        .await;
    };
    // The server has its statements, and stands at the first of them.
    let lock = "BEGIN; UPDATE escalations SET epoch = epoch";
    other.batch_execute(lock).await.unwrap();
    let recording = ledger.record(record(&held, Then::Continue));
    let (recorded, ()) = tokio::join!(recording, async {
        seen("Lock").await;
        proxy.freeze();
        other.batch_execute("ROLLBACK").await.unwrap();
        // It has done them all, and nobody hears of it.
        seen("idle in transaction").await;
        proxy.hang_up();
    });
    assert!(
        matches!(recorded, Err(Error::Unavailable(_))),
        "{recorded:?}"
    );
    proxy.thaw();
    ledger.renew(&held, None, PATIENCE).await.unwrap();
    assert!(told(&ledger, &held.key).await.is_empty());
    let again = record(&held, Then::Continue);
    ledger.record(again).await.unwrap();
    assert_eq!(told(&ledger, &held.key).await, ["recorded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_an_outage_and_not_a_fault() {
    let nobody = SecretString::from("postgres://me:hush@127.0.0.1:1/ledger");
    for failed in [
        Postgres::open(&nobody).await.map(drop),
        Postgres::inspect(&nobody).await.map(drop),
    ] {
        let Err(Error::Unavailable(text)) = failed else {
            panic!("{failed:?}");
        };
        assert!(
            text.contains("127.0.0.1:1/ledger") && !text.contains("hush"),
            "{text}"
        );
    }
}
