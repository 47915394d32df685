//! `escalator catch-up`: incidents whose webhook never came, from PagerDuty's own list.
//!
//! Each that the ledger does not know, and that the ingress would have let in, gets the message that its webhook would have
//! become: same key, same lanes. So it does no harm where the webhook was only late, or its message still waits in a queue,
//! or this command runs twice: the worker absorbs it.

mod report;

use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::report::{Outcome, Report};
use super::exit::Failure;
use super::terminal::say;
use super::{assembly, escalations, pagerduty, service};
use crate::broker::{Broker, PublishError};
use crate::ingress::{self, Filter, Opened};
use crate::ledger::Ledger;
use crate::settings::{Role, Settings, parse_since};
use crate::telemetry::Telemetry;
use crate::upstream::{CallError, Incident, IncidentList, IncidentStatus, Operation, PagerDuty};

/// How long the broker may take until it can be used, and then for each message.
const BROKER_WITHIN: Duration = Duration::from_secs(15);
/// What is waited where PagerDuty throttles and does not say for how long.
const THROTTLED_DEFAULT: Duration = Duration::from_secs(5);
/// How often a page is asked for again: the longest wait that PagerDuty asks for is a minute.
const PATIENCE: u32 = 5;

const MORE: &str = "\
Run it with the service's own settings, where the worker's ledger is. It reads the ledger, and leaves alone every incident that \
stands in it, however that ended. Only incidents that pagerduty.services and pagerduty.urgencies let in are asked for; those \
that are resolved by now are not started. It looks for incidents, not for events: a reopening that was missed is not found.

Each incident is a line: `started` (`missing` with --dry-run), `known`, `filtered`, `resolved`, or `not_stored` with the reason. \
With --json, each line is an object of \"type\": \"incident\" with incident, outcome, created_at, service, urgency, reason.

An incident whose message still waits in a queue is not in the ledger yet and is started again; that does no harm. 69 means that \
PagerDuty, the broker or the ledger could not be reached: run it again, what was started is known then.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(super) struct Arguments {
    /// Incidents opened since then: a span such as 24h or 7d, or a time such as 2026-11-20T03:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Timestamp,
    /// And before this, likewise; without it, until now.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    until: Option<Timestamp>,
    /// Only say what would be started.
    #[arg(long)]
    dry_run: bool,
    /// JSON lines, one object for each incident.
    #[arg(long)]
    json: bool,
}

/// Everything that is asked.
struct Parts {
    pagerduty: PagerDuty,
    ledger: Arc<dyn Ledger>,
    /// None: this is a dry run.
    broker: Option<Broker>,
    telemetry: Telemetry,
    filter: Filter,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::CatchUp, config)?;
    let until = arguments.until.unwrap_or_else(Timestamp::now);
    if arguments.since >= until {
        return Err(Failure::usage("--since has to be before --until"));
    }
    let retention = settings.escalation()?.retention;
    let age = Duration::try_from(Timestamp::now().duration_since(arguments.since));
    if age.unwrap_or_default() >= retention {
        return Err(Failure::usage(format!(
            "--since is longer ago than escalation.retention ({retention:?}): the ledger may have forgotten what was done then, and it would be done again"
        )));
    }
    let filter = service::filter(settings.starts()?);
    if !filter.events.contains("incident.triggered") {
        return Err(Failure::usage(
            "pagerduty.events does not hold incident.triggered: no escalation starts because an incident is opened, so there is none to catch up with",
        ));
    }
    let (ledger, _) = assembly::ledger_to_read(&settings).await?;
    let parts = Parts {
        pagerduty: pagerduty::client(&settings)?,
        ledger,
        broker: match arguments.dry_run {
            true => None,
            false => Some(broker(&settings).await?),
        },
        telemetry: Telemetry::new().map_err(Failure::failed)?,
        filter,
    };
    let mut list = IncidentList::new(
        arguments.since,
        until,
        parts.filter.services.iter().cloned().collect(),
        parts.filter.urgencies.iter().cloned().collect(),
    );
    let mut report = Report::new(arguments.json);
    let result = parts.all(&mut list, &mut report).await;
    if let Some(broker) = &parts.broker {
        broker.close().await;
    }
    say(&report.in_words());
    if list.passed_over() > 0 {
        say(&format!(
            "{} entries of PagerDuty's list could not be read, and were passed over",
            list.passed_over()
        ));
    }
    result?;
    match report.count(Outcome::NotStored) {
        0 => Ok(()),
        some => Err(Failure::failed(format!(
            "{some} could not be stored; run this again, what was stored is known by then or does no harm"
        ))),
    }
}

async fn broker(settings: &Settings) -> Result<Broker, Failure> {
    let broker = assembly::broker(Role::CatchUp, settings)?;
    match broker.wait_ready(BROKER_WITHIN).await {
        Ok(()) => Ok(broker),
        Err(error) => {
            broker.close().await;
            Err(Failure::unavailable(format!(
                "{error}; nothing was started; check amqp.url, and that RabbitMQ runs there"
            )))
        }
    }
}

impl Parts {
    async fn all(&self, list: &mut IncidentList, report: &mut Report) -> Result<(), Failure> {
        while let Some(page) = self.page(list).await? {
            for incident in page {
                let (outcome, reason) = self.one(&incident).await?;
                report.tell(&incident, outcome, reason.as_deref());
            }
            report.progress();
        }
        Ok(())
    }

    /// The next page, with patience: reading may be repeated, and half a list is of no use.
    async fn page(&self, list: &mut IncidentList) -> Result<Option<Vec<Incident>>, Failure> {
        let mut failures = 0;
        loop {
            let error = match list.next(&self.pagerduty).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            failures += 1;
            let wait = match &error {
                CallError::Blocked { .. } => None,
                CallError::Waits { left, .. } => Some(*left),
                CallError::Throttled { retry_after, .. } => {
                    Some(retry_after.unwrap_or(THROTTLED_DEFAULT))
                }
                CallError::Unknown { retry_after, .. } => {
                    Some(retry_after.unwrap_or(Duration::from_secs(1)))
                }
                CallError::NotSent(_)
                | CallError::SetUp { .. }
                | CallError::NoRoute { .. }
                | CallError::Refused { .. }
                | CallError::Conflict(_) => None,
            };
            match wait.filter(|_| failures < PATIENCE) {
                Some(wait) => {
                    say(&format!("{error}; going on in {} s", wait.as_secs().max(1)));
                    tokio::time::sleep(wait).await;
                }
                None => {
                    return Err(pagerduty::failure(
                        &self.pagerduty,
                        Operation::ListIncidents,
                        &error,
                        "a key that may read incidents",
                    ));
                }
            }
        }
    }

    async fn one(&self, incident: &Incident) -> Result<(Outcome, Option<String>), Failure> {
        let known = self.ledger.generations(&incident.id).await;
        if !known.map_err(escalations::failure)?.is_empty() {
            return Ok((Outcome::Known, None));
        }
        if incident.status == IncidentStatus::Resolved {
            return Ok((Outcome::Resolved, None));
        }
        let opened = Opened {
            incident: incident.id.clone(),
            service: incident.service.clone(),
            urgency: incident.urgency.clone(),
            at: incident.created_at,
        };
        let Some(message) = ingress::catch_up(opened, &self.filter, Timestamp::now()) else {
            return Ok((Outcome::Filtered, None));
        };
        let Some(broker) = &self.broker else {
            return Ok((Outcome::Missing, None));
        };
        let id = format!("catch-up-{}", incident.id);
        let publisher = broker.publisher();
        let stored = ingress::publish(
            &publisher,
            &self.telemetry,
            &message,
            id,
            None,
            BROKER_WITHIN,
        )
        .await;
        match stored {
            Ok(()) => Ok((Outcome::Started, None)),
            Err(error @ PublishError::NotSent(_)) => Err(Failure::unavailable(format!(
                "{error}; the broker is away: run this again, what is missing is found again"
            ))),
            Err(
                error @ (PublishError::Refused
                | PublishError::Unroutable
                | PublishError::Unknown(_)),
            ) => Ok((Outcome::NotStored, Some(error.to_string()))),
        }
    }
}
