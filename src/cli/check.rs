//! `escalator check`: reads the settings, then reaches everything they name, and says of each what is right, or what is
//! wrong and what to do. It writes nothing at a vendor and changes nothing here, but that the broker gets its exchanges
//! and queues, which the program would declare at its start.

mod contract;
mod finding;
mod parts;

use std::path::Path;
use std::sync::Arc;

use self::finding::{Finding, State};
use super::assembly;
use super::exit::Failure;
use super::service;
use super::terminal::{self, print};
use crate::escalation::ConversationId;
use crate::settings::Role;
use crate::telemetry::Telemetry;
use crate::upstream::{Http, HttpConfig};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// JSON lines, one object for each thing that was looked at.
    #[arg(long)]
    json: bool,
    /// Also read this conversation: whether it can be, and by which contract.
    #[arg(long, value_name = "ID", value_parser = ConversationId::parse)]
    conversation: Option<ConversationId>,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Check, config)?;
    let show = |finding: &Finding| {
        print(&if arguments.json {
            finding.as_json()
        } else {
            finding.as_text(terminal::is_terminal())
        });
    };
    let mut worst = State::Ok;
    let mut tell = |findings: Vec<Finding>| {
        for finding in findings {
            show(&finding);
            worst = worst.max(finding.state);
        }
    };
    tell(parts::settings(&settings));
    let worker = settings.worker()?;
    let telemetry = Arc::new(Telemetry::new().map_err(Failure::failed)?);
    let http = Http::new(
        HttpConfig {
            call_timeout: worker.call_timeout,
            connect_timeout: assembly::connect_timeout(worker),
        },
        telemetry,
    )
    .map_err(Failure::failed)?;
    tell(parts::broker(&settings).await?);
    tell(parts::ledger(&settings).await?);
    let genesys = assembly::genesys(&settings, http.clone(), None)?;
    tell(parts::genesys(&genesys).await);
    tell(contract::contract(&settings, &genesys, arguments.conversation.as_ref()).await);
    let pagerduty = assembly::pagerduty(&settings, http, None)?;
    tell(parts::pagerduty(&pagerduty).await);
    tell(parts::subscriptions(&pagerduty, settings.starts()?).await);
    match worst {
        State::Ok | State::Warning => Ok(()),
        State::Failed => Err(Failure::Failed(
            "escalator: something is not as it has to be; see above".to_owned(),
        )),
        State::Unreachable => Err(Failure::Unavailable(
            "escalator: something cannot be reached; see above".to_owned(),
        )),
    }
}
