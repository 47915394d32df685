//! `escalator simulate`: the two vendors, simulated, for trying settings out or for a machine of its own.

use std::net::SocketAddr;
use std::time::Duration;

use super::exit::Failure;
use super::signals::Signals;
use super::terminal::say;
use crate::simulator::{CobrowseApi, Config, Simulator, Subscription};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the simulated Genesys listens.
    #[arg(long, default_value = "127.0.0.1:9101")]
    genesys: SocketAddr,
    /// Where the simulated PagerDuty listens.
    #[arg(long, default_value = "127.0.0.1:9102")]
    pagerduty: SocketAddr,
    /// Where the account's webhook subscription sends to. Only listed; what is printed at the start says how to send.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080/webhooks/pagerduty"
    )]
    webhook_url: String,
    /// Which cobrowse contract the simulated Genesys speaks.
    #[arg(long, value_enum, default_value_t = Api::Sessions)]
    cobrowse_api: Api,
    /// Milliseconds that each answer takes.
    #[arg(long, default_value_t = 20, value_name = "MS")]
    latency: u64,
}

/// The contracts that the simulated Genesys can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Api {
    /// A session is created, then attached to the conversation.
    Sessions,
    /// The published one: a session is offered in the conversation.
    Conversation,
}

impl From<Api> for CobrowseApi {
    fn from(api: Api) -> Self {
        match api {
            Api::Sessions => Self::Sessions,
            Api::Conversation => Self::Conversation,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    // The first process of a container gets no SIGTERM that it has not asked for.
    let mut signals = Signals::listen()?;
    let simulator = Simulator::start(Config {
        listen_genesys: arguments.genesys,
        listen_pagerduty: arguments.pagerduty,
        latency: Duration::from_millis(arguments.latency),
        cobrowse_api: arguments.cobrowse_api.into(),
        ..Config::default()
    })
    .await
    .map_err(|error| {
        Failure::failed(format!(
            "cannot listen on {} or {}: {error}; give other ones with --genesys and --pagerduty",
            arguments.genesys, arguments.pagerduty
        ))
    })?;
    simulator.add_subscription(Subscription::to(&arguments.webhook_url));
    say(&welcome(&simulator, &arguments.webhook_url));
    signals.next().await;
    simulator.stop().await;
    Ok(())
}

fn welcome(simulator: &Simulator, webhook_url: &str) -> String {
    let config = simulator.config();
    let (genesys, pagerduty) = (simulator.genesys_url(), simulator.pagerduty_url());
    format!(
        "Simulated Genesys on {genesys}, simulated PagerDuty on {pagerduty}.

To run escalator against them:

  export GENESYS_API_URL={genesys} GENESYS_CLIENT_ID={} GENESYS_CLIENT_SECRET={}
  export PAGERDUTY_API_URL={pagerduty} PAGERDUTY_API_TOKEN={} PAGERDUTY_FROM_EMAIL={}
  export PAGERDUTY_WEBHOOK_SECRETS={}
  escalator check && escalator serve      (it needs a RabbitMQ as well: AMQP_URL)

To open an incident and have its webhook sent:

  curl -d '{{\"agent_id\":\"agent-1\",\"webhook_url\":\"{webhook_url}\"}}' {pagerduty}/_simulator/incidents

What came of it:

  curl {pagerduty}/_simulator/effects

Ctrl-C ends it.",
        config.client_id, config.client_secret, config.api_token, config.from_email, config.webhook_secret,
    )
}
