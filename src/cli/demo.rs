//! `escalator demo`: everything on this machine. The two vendors are simulated in this process; `escalator serve` runs
//! as a process of its own, exactly as it would for real, and gets real, signed webhooks over HTTP.

mod child;
mod report;

use jiff::Timestamp;
use std::path::Path;
use std::time::{Duration, Instant};

use self::child::Child;
use self::report::Report;
use super::exit::Failure;
use super::service;
use super::terminal::{print, say};
use crate::broker::{self, Broker};
use crate::settings::Role;
use crate::simulator::{
    AgentSpec, AgentState, Config, ConversationSpec, IncidentSpec, Simulator, Urgency,
};

/// How often the state is shown.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// The whole demo must be over by then, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(50);
/// Between two incidents: slow enough to be watched.
const PAUSE: Duration = Duration::from_millis(60);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many incidents to play in.
    #[arg(long, default_value_t = 25, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    incidents: u32,
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

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Broker, config)?;
    let urls = settings.amqp()?.urls.clone();
    let broker = broker::Config {
        urls: urls.clone(),
        connection_name: "escalator/demo".to_owned(),
        ..broker::Config::default()
    };
    let checked = Broker::check(broker).await.map_err(Failure::unavailable)?;
    refuse_a_broker_in_use(&checked)?;
    let simulator = Simulator::start(Config {
        // Slow enough to be watched, and about what the vendors need.
        latency: Duration::from_millis(40),
        hydration: Duration::from_millis(900),
        media_visible_after: Duration::from_millis(150),
        ..Config::default()
    })
    .await
    .map_err(Failure::failed)?;
    let mut child = Child::start(&simulator, &urls).await?;

    print(&format!(
        "escalator demo: {} incidents, everything on this machine\n\n  RabbitMQ    {}\n  Genesys     {} (simulated)\n  PagerDuty   {} (simulated)\n  escalator   {} (webhooks), {} (metrics, health)\n  its log     {}\n",
        arguments.incidents,
        checked.at,
        simulator.genesys_url(),
        simulator.pagerduty_url(),
        child.ingress,
        child.admin,
        child.log.display(),
    ));
    let result = tokio::select! {
        result = play(&arguments, &simulator, &mut child) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::Failed("escalator: interrupted".to_owned())),
    };
    if arguments.stay && result.is_ok() {
        say("Everything keeps running. Ctrl-C ends it.");
        let _ = tokio::signal::ctrl_c().await;
    }
    let drained = child.end().await;
    simulator.stop().await;
    result.and(drained)
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

async fn play(
    arguments: &Arguments,
    simulator: &Simulator,
    child: &mut Child,
) -> Result<(), Failure> {
    let began = Instant::now();
    let report = Report::new(arguments.incidents);
    print(&report.heading());
    let mut played = Vec::new();
    let webhooks = format!("{}/webhooks/pagerduty", child.ingress);
    let mut next_show = began;
    for number in 0..arguments.incidents {
        let one = open(simulator, number);
        let webhook = simulator.webhook(&one.incident, "incident.triggered");
        let delivered = simulator
            .deliver_until(&webhooks, &webhook, Duration::from_secs(10))
            .await;
        if !delivered.is_accepted() {
            return Err(Failure::failed(format!(
                "the webhook of incident {} was answered with {:?}; see {}",
                one.incident,
                delivered.outcome,
                child.log.display()
            )));
        }
        played.push(one);
        if Instant::now() >= next_show {
            print(&report.line(began.elapsed(), played.len(), &simulator.effects()));
            next_show = Instant::now() + SHOW_EVERY;
        }
        tokio::time::sleep(PAUSE.min(Duration::from_secs(5) / arguments.incidents)).await;
    }
    let wanted = played.len();
    loop {
        let seen = simulator
            .wait_until(SHOW_EVERY, |effects| effects.live_notes >= wanted)
            .await;
        let (done, effects) = match seen {
            Ok(effects) => (true, effects),
            Err(effects) => (false, *effects),
        };
        print(&report.line(began.elapsed(), played.len(), &effects));
        if done {
            break;
        }
        child.still_runs()?;
        if began.elapsed() > PATIENCE {
            say("Time is up; this is how far it came:");
            break;
        }
    }
    print(&Report::table(&played, &simulator.effects()));
    Report::verdict(&played, &simulator.effects()).map(|verdict| print(&verdict))
}

/// Opens an incident as a breached SLA would: the customer's conversation, an agent who is connected or will be in a
/// moment, and an alert that names both.
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
