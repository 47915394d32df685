//! `escalator pagerduty`: the webhook subscription, made and tried out.

mod ping;
mod subscribe;

use std::path::Path;
use std::sync::Arc;

use super::assembly;
use super::exit::Failure;
use crate::settings::Settings;
use crate::telemetry::Telemetry;
use crate::upstream::{CallError, Http, HttpConfig, Operation, PagerDuty};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make the webhook subscription, and get its signing secret.
    Subscribe(subscribe::Arguments),
    /// Have PagerDuty send its test event to the subscription.
    Ping(ping::Arguments),
}

pub(super) async fn run(command: Command, config: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::Subscribe(arguments) => subscribe::run(arguments, config).await,
        Command::Ping(arguments) => ping::run(arguments, config).await,
    }
}

/// PagerDuty, as a command of a person asks it.
pub(super) fn client(settings: &Settings) -> Result<PagerDuty, Failure> {
    let worker = settings.worker()?;
    let telemetry = Arc::new(Telemetry::new().map_err(Failure::failed)?);
    let config = HttpConfig {
        call_timeout: worker.call_timeout,
        connect_timeout: assembly::connect_timeout(worker),
    };
    let http = Http::new(config, telemetry).map_err(Failure::failed)?;
    assembly::pagerduty(settings, http, None)
}

/// What a call without a result means to the person who asked for it. Not for writes that must not be repeated.
pub(super) fn failure(
    pagerduty: &PagerDuty,
    operation: Operation,
    error: &CallError,
    needs: &str,
) -> Failure {
    match error {
        CallError::NotSent(_)
        | CallError::Blocked { .. }
        | CallError::Waits { .. }
        | CallError::Throttled { .. }
        | CallError::Unknown { .. } => Failure::unavailable(format!(
            "{}: {error}; check pagerduty.api_url, the network and PagerDuty's status page, and try again",
            pagerduty.at()
        )),
        CallError::SetUp { code, reason } => {
            Failure::failed(format!("{}: {reason}; {}", pagerduty.at(), code.hint()))
        }
        CallError::NoRoute { .. } | CallError::Refused { .. } | CallError::Conflict(_) => {
            Failure::failed(format!(
                "{}: {error}; {} needs {needs}",
                pagerduty.at(),
                operation.as_str()
            ))
        }
    }
}
