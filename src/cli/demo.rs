//! `escalator demo`: everything on this machine. The two vendors are simulated in this process; escalator itself runs
//! in processes of its own, exactly as it would for real, and gets real, signed webhooks over HTTP.

mod child;
mod report;
mod show;

use jiff::Timestamp;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

use self::child::{Child, Surroundings};
use self::report::Report;
use self::show::Show;
use super::exit::Failure;
use super::service;
use super::signals::Signals;
use super::simulate::Api;
use super::terminal::{print, say};
use crate::broker::{self, Broker};
use crate::settings::Role;
use crate::simulator::{
    AgentSpec, AgentState, Config, ConversationSpec, IncidentSpec, Simulator, Urgency,
};

/// How often the state is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// The demo must be over by then, however slow the machine; longer where workers are killed on the way.
const PATIENCE: Duration = Duration::from_secs(50);
const PATIENCE_WITH_CRASHES: Duration = Duration::from_secs(150);
/// Between two incidents: slow enough to be watched.
const PAUSE: Duration = Duration::from_millis(60);
/// How long a worker lives that is going to be killed.
const WORKER_LIVES: Duration = Duration::from_millis(1500);
/// More kills than this, and RabbitMQ would take the messages for poison: its delivery limit is 20.
const KILLS_MAX: u32 = 8;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What you see: a simulated customer conversation breaches its SLA, PagerDuty (simulated) opens an incident
and sends the webhook, escalator puts it on RabbitMQ, starts a cobrowse session in the conversation at
Genesys (simulated), proves that it is there, and writes the link into the incident's notes. At the end
the effects are counted where they took place, at the simulated vendors: one attached session and one
note for each incident, or the demo fails.

It needs a RabbitMQ that nobody else uses. `make demo` brings its own; otherwise AMQP_URL names one.

  escalator demo --incidents 200   more of it
  escalator demo --crash           kill -9 the worker again and again on the way
  escalator demo --genesys conversation   against the contract that Genesys publishes
  escalator demo --stay            keep everything running afterwards, to look at metrics and notes")]
pub(super) struct Arguments {
    /// How many incidents to play in.
    #[arg(long, default_value_t = 25, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    incidents: u32,
    /// Which cobrowse contract the simulated Genesys speaks.
    #[arg(long, value_enum, default_value_t = Api::Sessions)]
    genesys: Api,
    /// What genesys.cobrowse_api is set to: auto, conversation or sessions.
    #[arg(long, value_name = "API", default_value = "auto", value_parser = ["auto", "conversation", "sessions"])]
    cobrowse_api: String,
    /// Kill the worker again and again on the way.
    #[arg(long)]
    crash: bool,
    /// Keep everything running afterwards, until Ctrl-C.
    #[arg(long)]
    stay: bool,
}

/// One incident of the demo.
struct Played {
    incident: String,
    conversation: String,
    urgency: Urgency,
    sent_at: Timestamp,
}

impl Played {
    /// Milliseconds from the webhook to this moment.
    fn took(&self, at_ms: i64) -> i64 {
        at_ms - self.sent_at.as_millisecond()
    }
}

/// Everything that runs.
struct Stage {
    simulator: Simulator,
    surroundings: Surroundings,
    ingress: Child,
    /// A process of its own only where it is going to be killed.
    worker: Option<Child>,
    kills: u32,
    /// Ledger and logs; kept as long as anybody may write there.
    folder: TempDir,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    // However it is ended, its children end with it.
    let mut signals = Signals::listen()?;
    let settings = service::load(Role::Broker, config)?;
    let urls = settings.amqp()?.urls.clone();
    let checked = Broker::check(broker::Config {
        urls: urls.clone(),
        connection_name: "escalator/demo".to_owned(),
        ..broker::Config::default()
    })
    .await
    .map_err(Failure::unavailable)?;
    refuse_a_broker_in_use(&checked)?;

    let simulator = Simulator::start(Config {
        // Slow enough to be watched, and about what the vendors need.
        latency: Duration::from_millis(40),
        hydration: Duration::from_millis(900),
        media_visible_after: Duration::from_millis(150),
        cobrowse_api: arguments.genesys.into(),
        ..Config::default()
    })
    .await
    .map_err(Failure::failed)?;
    let folder = tempfile::Builder::new()
        .prefix("escalator-demo-")
        .tempdir()
        .map_err(Failure::failed)?;
    let surroundings = Surroundings::new(folder.path(), &simulator, &urls, &arguments);
    let (ingress, worker) = if arguments.crash {
        let ingress = Child::start("ingress", &surroundings).await?;
        (ingress, Some(Child::start("worker", &surroundings).await?))
    } else {
        (Child::start("serve", &surroundings).await?, None)
    };
    let mut stage = Stage {
        simulator,
        surroundings,
        ingress,
        worker,
        kills: 0,
        folder,
    };
    print(&stage.heading(&arguments, &checked));
    let result = tokio::select! {
        result = stage.play(&arguments) => result,
        signal = signals.next() => Err(Failure::Failed(format!("escalator: ended by {signal}"))),
    };
    if arguments.stay && result.is_ok() {
        say("Everything keeps running. Ctrl-C ends it.");
        signals.next().await;
    }
    let ended = stage.end().await;
    result.and(ended)
}

/// The demo's worker would take the work of whoever uses this broker for real, and do it at the simulator.
fn refuse_a_broker_in_use(checked: &broker::Checked) -> Result<(), Failure> {
    let used = checked
        .queues
        .iter()
        .find(|q| q.messages > 0 || q.consumers > 0);
    used.map_or(Ok(()), |used| {
        Err(Failure::usage(format!(
            "the broker at {} is in use: queue {} has {} messages and {} consumers, and the demo would take their work. Give it a broker or a virtual host of its own by AMQP_URL, or run `make demo`",
            checked.at, used.queue, used.messages, used.consumers
        )))
    })
}

impl Stage {
    fn heading(&self, arguments: &Arguments, checked: &broker::Checked) -> String {
        let version = checked.version.as_deref().unwrap_or_default();
        let killed = if arguments.crash {
            "; the worker is killed again and again"
        } else {
            ""
        };
        let admin = &self.worker.as_ref().unwrap_or(&self.ingress).admin;
        format!(
            "escalator demo: {} incidents, everything on this machine{killed}\n\n  RabbitMQ    {version} at {}\n  Genesys     {} (simulated; speaks {}, ours is set to {})\n  PagerDuty   {} (simulated)\n  escalator   {} (webhooks), {admin} (metrics, health)\n  its log     {} (while it runs; --stay keeps it)\n",
            arguments.incidents,
            checked.at,
            self.simulator.genesys_url(),
            format!("{:?}", self.simulator.config().cobrowse_api).to_lowercase(),
            arguments.cobrowse_api,
            self.simulator.pagerduty_url(),
            self.ingress.ingress,
            self.folder.path().join("*.log").display(),
        )
    }

    async fn play(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let began = Instant::now();
        let patience = if arguments.crash {
            PATIENCE_WITH_CRASHES
        } else {
            PATIENCE
        };
        let show = Show::new(arguments.incidents);
        let mut played = Vec::new();
        let mut next_show = began;
        let mut worker_dies = began + WORKER_LIVES;
        let wanted = usize::try_from(arguments.incidents).unwrap_or(usize::MAX);
        loop {
            if played.len() < wanted {
                let number = u32::try_from(played.len()).unwrap_or(u32::MAX);
                played.push(self.play_one(number).await?);
            }
            if Instant::now() >= next_show {
                show.state(
                    began.elapsed(),
                    played.len(),
                    &self.simulator.effects(),
                    self.kills,
                );
                next_show = Instant::now() + SHOW_EVERY;
            }
            if self.worker.is_some() && Instant::now() >= worker_dies && self.kills < KILLS_MAX {
                self.kill_the_worker().await?;
                worker_dies = Instant::now() + WORKER_LIVES;
            }
            let pause = if played.len() < wanted {
                PAUSE.min(Duration::from_secs(5) / arguments.incidents)
            } else {
                SHOW_EVERY
            };
            let done = self
                .simulator
                .wait_until(pause, |effects| effects.live_notes >= wanted)
                .await;
            if done.is_ok() && played.len() >= wanted {
                break;
            }
            self.still_run()?;
            if began.elapsed() > patience {
                say("Time is up; this is how far it came:");
                break;
            }
        }
        let effects = self.simulator.effects();
        show.state(began.elapsed(), played.len(), &effects, self.kills);
        show.end();
        print(&Report::table(&played, &effects));
        Report::verdict(&played, &effects, arguments.crash.then_some(self.kills))
            .map(|verdict| print(&verdict))
    }

    /// Opens one incident and delivers its webhook.
    async fn play_one(&self, number: u32) -> Result<Played, Failure> {
        let one = open(&self.simulator, number);
        let webhook = self.simulator.webhook(&one.incident, "incident.triggered");
        let url = format!("{}/webhooks/pagerduty", self.ingress.ingress);
        let delivered = self
            .simulator
            .deliver_until(&url, &webhook, Duration::from_secs(10))
            .await;
        if delivered.is_accepted() {
            Ok(one)
        } else {
            Err(Failure::failed(format!(
                "the webhook of incident {} came to {:?}; see {}",
                one.incident,
                delivered.outcome,
                self.ingress.log.display()
            )))
        }
    }

    /// SIGKILL, in the middle of whatever it does, and a new one in its place.
    async fn kill_the_worker(&mut self) -> Result<(), Failure> {
        if let Some(worker) = self.worker.take() {
            worker.kill().await?;
            self.kills += 1;
            self.worker = Some(Child::start("worker", &self.surroundings).await?);
        }
        Ok(())
    }

    fn still_run(&mut self) -> Result<(), Failure> {
        self.ingress.still_runs()?;
        self.worker.as_mut().map_or(Ok(()), Child::still_runs)
    }

    async fn end(self) -> Result<(), Failure> {
        let ingress = self.ingress.end().await;
        let worker = match self.worker {
            Some(worker) => worker.end().await,
            None => Ok(()),
        };
        self.simulator.stop().await;
        ingress.and(worker)
    }
}

/// Opens an incident as a breached SLA would: the customer's conversation with an agent in it, and an alert that names
/// both.
fn open(simulator: &Simulator, number: u32) -> Played {
    let agent = format!("agent-{}", number % 7 + 1);
    let conversation = simulator.open_conversation(ConversationSpec {
        agents: vec![AgentSpec::new(agent.clone(), AgentState::Connected)],
        ..ConversationSpec::default()
    });
    let urgency = if number.is_multiple_of(5) {
        Urgency::Low
    } else {
        Urgency::High
    };
    let incident = simulator.open_incident(IncidentSpec {
        urgency,
        ..IncidentSpec::about_agent(conversation.clone(), agent)
    });
    Played {
        incident,
        conversation,
        urgency,
        sent_at: Timestamp::now(),
    }
}
