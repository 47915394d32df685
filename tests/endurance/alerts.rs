//! Eight things that go wrong, and the alerts that each of them makes: exactly those.
//!
//! Each has a world and a Prometheus of its own, with the project's rules, and load that goes on all the time. What fires within
//! four minutes is seen live. What needs longer is asked of `promtool`, on the series that were recorded in that run and that go on
//! as they did in its last minute ([`recorded`](super::recorded)).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use escalator::simulator::{Fault, Operation, What, Which};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::recorded;
use crate::support::database::{Database, Server};
use crate::support::node::Node;
use crate::support::program::Program;
use crate::support::prometheus::{Options, Prometheus, State, Target};
use crate::support::world::World;

/// Something comes in so often.
const LOAD_EVERY: Duration = Duration::from_secs(2);
/// How long all is well before something goes wrong.
const WELL: Duration = Duration::from_secs(40);
/// How long it is watched live then.
const WATCHED: Duration = Duration::from_secs(240);
/// How far its series are continued, and in which steps.
const FORTY_MINUTES: Length = Length {
    step: Duration::from_secs(15),
    on: Duration::from_secs(40 * 60),
    words: "40 min",
};
const TWENTY_SIX_HOURS: Length = Length {
    step: Duration::from_secs(60),
    on: Duration::from_secs(26 * 3600),
    words: "26 h",
};

#[derive(Clone, Copy)]
struct Length {
    step: Duration,
    on: Duration,
    words: &'static str,
}

/// What is expected of one of them.
struct Expected {
    what: &'static str,
    /// While it is watched.
    live: &'static [&'static str],
    /// So much later, if it goes on like that.
    later: &'static [&'static str],
    length: Length,
}

/// A world with an ingress, a worker, a Prometheus, and load.
struct Scene {
    world: Arc<World>,
    ingress: Arc<Program>,
    workers: Vec<Program>,
    prometheus: Prometheus,
    load: JoinHandle<()>,
    began: SystemTime,
}

impl Scene {
    async fn start(world: World, broker: Option<Target>, settings: &[(&str, &str)]) -> Self {
        let mut all = vec![("LOG_LEVEL", "info")];
        all.extend(settings);
        let world = Arc::new(world);
        let ingress = Arc::new(world.start("ingress", &all).await);
        let worker = world.start("worker", &all).await;
        let mut targets = vec![
            Target::of(&ingress).named("ingress-1"),
            Target::of(&worker).named("worker-1"),
        ];
        targets.extend(broker);
        let options = Options {
            scrape_interval: "5s",
            ..Options::default()
        };
        let prometheus = Prometheus::with(options, &targets).await;
        prometheus.becomes("sum(up{job=\"escalator\"})", 2).await;
        let load = load(Arc::clone(&world), Arc::clone(&ingress), LOAD_EVERY);
        let scene = Self {
            world,
            ingress,
            workers: vec![worker],
            prometheus,
            load,
            began: SystemTime::now(),
        };
        // That all is well for a while is what is looked at.
        sleep(WELL).await;
        let firing = scene.firing().await;
        assert!(firing.is_empty(), "before anything went wrong: {firing:?}");
        scene
    }

    async fn firing(&self) -> BTreeSet<String> {
        let alerts = self.prometheus.alerts().await.into_iter();
        let firing = alerts.filter(|alert| alert.state == State::Firing);
        firing.map(|alert| alert.name).collect()
    }

    /// Watches what fires, and when it did for the first time.
    async fn watch(&self) -> BTreeMap<String, Duration> {
        let began = Instant::now();
        let mut fired = BTreeMap::new();
        while began.elapsed() < WATCHED {
            for name in self.firing().await {
                fired.entry(name).or_insert_with(|| began.elapsed());
            }
            // Prometheus tells nobody that it has evaluated its rules.
            sleep(Duration::from_secs(1)).await;
        }
        fired
    }

    /// Watches, says what came of it as a row of a table, and ends all of it.
    async fn judge(self, expected: Expected) -> Result<String, String> {
        let judged = self.judged(expected).await;
        self.end().await;
        judged
    }

    /// Whoever holds the world is gone then, and with it the world.
    async fn end(self) {
        self.load.abort();
        let _ = self.load.await;
    }

    async fn judged(&self, expected: Expected) -> Result<String, String> {
        let fired = self.watch().await;
        let what = expected.what;
        let names: BTreeSet<_> = fired.keys().map(String::as_str).collect();
        let wanted: BTreeSet<_> = expected.live.iter().copied().collect();
        if names != wanted {
            let log = self.workers.iter().map(|worker| {
                let log = worker.log();
                log[log.len().saturating_sub(15)..].join("\n")
            });
            let log: Vec<_> = log.collect();
            return Err(format!(
                "{what}: fired {fired:?}, expected {wanted:?}\n{}",
                log.join("\n---\n")
            ));
        }
        let Length { step, on, words } = expected.length;
        let series = recorded::of(&self.prometheus, self.began, SystemTime::now(), step).await;
        let series = recorded::go_on(series, on);
        recorded::fires_at_the_end(what, &series, expected.later).await?;
        let live: Vec<_> = fired
            .iter()
            .map(|(name, after)| format!("{name} ({} s)", after.as_secs()))
            .collect();
        let later = match expected.later {
            later if later == expected.live => "the same".to_owned(),
            later => later.join(", "),
        };
        Ok(format!(
            "| {what} | {} | {later}, after {words} |",
            live.join(", ")
        ))
    }
}

/// One incident after the other, until it is aborted. Whether its webhook is accepted is not asked here.
fn load(world: Arc<World>, ingress: Arc<Program>, every: Duration) -> JoinHandle<()> {
    let url = format!("{}/webhooks/pagerduty", ingress.ingress);
    tokio::spawn(async move {
        loop {
            let webhook = world.trigger(&world.case());
            let _ = world.simulator.deliver(&url, &webhook).await;
            // The pace is what makes it a load; there is nothing to wait for.
            sleep(every).await;
        }
    })
}

/// All of them, at the same time: each waits most of the time.
pub(crate) async fn all() -> Vec<String> {
    let mut running = JoinSet::new();
    running.spawn(vendor_down());
    running.spawn(throttled());
    running.spawn(poison());
    running.spawn(broker_gone());
    running.spawn(database_gone());
    running.spawn(wrong_secret());
    running.spawn(crash_loop());
    running.spawn(backlog());
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    while let Some(row) = running.join_next().await {
        match row.unwrap() {
            Ok(row) => {
                println!("{row}");
                rows.push(row);
            }
            Err(fault) => {
                println!("{fault}");
                faults.push(fault);
            }
        }
    }
    rows.sort();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    let head = "alerts, each of eight incidents with a world and a Prometheus of its own:\n\n  | what goes wrong | fires (after) | if it goes \
                on like that |\n  | --- | --- | --- |";
    let rows: Vec<_> = rows.iter().map(|row| format!("  {row}")).collect();
    vec![format!("{head}\n{}\n", rows.join("\n"))]
}

async fn quiet() -> Scene {
    Scene::start(World::new().await, Target::broker(), &[]).await
}

async fn vendor_down() -> Result<String, String> {
    let scene = quiet().await;
    for operation in [
        Operation::GenesysToken,
        Operation::GenesysConversation,
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
        Operation::GenesysOfferSession,
    ] {
        scene.world.simulator.script(Fault {
            operation,
            which: Which::All,
            what: What::status(503),
        });
    }
    scene
        .judge(Expected {
            what: "Genesys answers 503",
            live: &["EscalatorVendorDown", "EscalatorWorkIsOld"],
            later: &["EscalatorVendorDown", "EscalatorWorkIsOld"],
            length: FORTY_MINUTES,
        })
        .await
}

async fn throttled() -> Result<String, String> {
    let scene = quiet().await;
    scene.world.simulator.script(Fault {
        operation: Operation::GenesysConversation,
        which: Which::Share(0.1),
        what: What::Status {
            status: 429,
            headers: vec![("retry-after".to_owned(), "1".to_owned())],
            body: String::new(),
        },
    });
    scene
        .judge(Expected {
            what: "Genesys answers 429 to a tenth",
            live: &["EscalatorThrottled"],
            later: &["EscalatorThrottled"],
            length: FORTY_MINUTES,
        })
        .await
}

async fn poison() -> Result<String, String> {
    let scene = quiet().await;
    let connection = scene.world.vhost.raw().await;
    let channel = connection.create_channel().await.unwrap();
    let published = channel.basic_publish(
        "escalations".into(),
        "high".into(),
        BasicPublishOptions::default(),
        b"no message of ours",
        BasicProperties::default().with_delivery_mode(2),
    );
    published.await.unwrap();
    scene
        .judge(Expected {
            what: "a poison message",
            live: &["EscalatorDeadLetters"],
            later: &["EscalatorDeadLettersLie"],
            length: TWENTY_SIX_HOURS,
        })
        .await
}

async fn broker_gone() -> Result<String, String> {
    let node = Node::start().await;
    let world = World::on(&node).await;
    let scene = Scene::start(world, Some(Target::node(&node)), &[]).await;
    node.stop().await;
    let judged = scene
        .judged(Expected {
            what: "RabbitMQ is gone",
            live: &["EscalatorBrokerAway", "EscalatorWebhooksNotStored"],
            later: &["EscalatorBrokerAway", "EscalatorWebhooksNotStored"],
            length: FORTY_MINUTES,
        })
        .await;
    // Its virtual host goes with the scene.
    node.start_again().await;
    scene.end().await;
    judged
}

async fn database_gone() -> Result<String, String> {
    let server = Server::start().await;
    let schema = Database::on(&server).await;
    let settings = [("DATABASE_URL", schema.url.as_str())];
    let scene = Scene::start(World::new().await, Target::broker(), &settings).await;
    server.stop().await;
    let judged = scene
        .judged(Expected {
            what: "PostgreSQL is gone",
            live: &["EscalatorLedgerAway"],
            later: &["EscalatorLedgerAway"],
            length: FORTY_MINUTES,
        })
        .await;
    server.start_again().await;
    scene.end().await;
    judged
}

async fn wrong_secret() -> Result<String, String> {
    let scene = quiet().await;
    scene.world.simulator.set_webhook_secret("another");
    scene
        .judge(Expected {
            what: "webhooks are signed with another secret",
            live: &["EscalatorWebhooksRefused"],
            later: &["EscalatorWebhooksRefused", "EscalatorWebhooksSilent"],
            length: TWENTY_SIX_HOURS,
        })
        .await
}

/// A worker that ends with the first message that it takes, beside one that is well. It is started again at once, on the same port.
async fn crash_loop() -> Result<String, String> {
    let mut scene = quiet().await;
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let admin = port.to_string();
    let settings = scene.world.settings(&[
        ("LOG_LEVEL", "info"),
        ("ADMIN_LISTEN", &admin),
        ("CRASH_AT", "after a delivery"),
    ]);
    let well = scene.workers.remove(0);
    scene.prometheus.scrape(&[
        Target::of(&scene.ingress).named("ingress-1"),
        Target::of(&well).named("worker-1"),
        Target::at("escalator", &admin).named("worker-2"),
    ]);
    scene.workers.push(well);
    let folder = scene.world.folder.path().to_owned();
    let again = tokio::spawn(async move {
        loop {
            let mut doomed = Program::spawn(&["worker"], &folder, &settings);
            doomed.ended().await;
        }
    });
    let judged = scene
        .judge(Expected {
            what: "a worker crashes again and again",
            live: &["EscalatorCrashLoop"],
            later: &["EscalatorCrashLoop"],
            length: FORTY_MINUTES,
        })
        .await;
    again.abort();
    judged
}

/// Far more comes at once than the budget is for.
async fn backlog() -> Result<String, String> {
    let settings = [("GENESYS_REQUESTS_PER_MINUTE", "120")];
    let scene = Scene::start(World::new().await, Target::broker(), &settings).await;
    let url = format!("{}/webhooks/pagerduty", scene.ingress.ingress);
    for _ in 0..900 {
        let webhook = scene.world.trigger(&scene.world.case());
        let delivered = scene.world.simulator.deliver(&url, &webhook).await;
        assert!(delivered.is_accepted(), "{delivered:?}");
    }
    scene
        .judge(Expected {
            what: "a backlog beyond the budget",
            live: &[
                "EscalatorBacklog",
                "EscalatorBudgetExhausted",
                "EscalatorSloBurnsFast",
                "EscalatorWorkIsOld",
            ],
            later: &[
                "EscalatorBacklog",
                "EscalatorBudgetExhausted",
                "EscalatorSloBurnsFast",
                "EscalatorSloBurnsSlowly",
                "EscalatorWorkIsOld",
            ],
            length: FORTY_MINUTES,
        })
        .await
}
