//! The things that are looked at, one function each.

use std::path::PathBuf;

use secrecy::SecretString;

use super::super::exit::Failure;
use super::finding::Finding;
use crate::broker::{self, Broker};
use crate::ingress::WEBHOOK_PATH;
use crate::ledger::{self, Inspected, Postgres, Sqlite};
use crate::settings::{DatabaseUrl, Role, Settings, Starts};
use crate::upstream::{CallError, Genesys, Operation, PagerDuty, Scope, Subscription};

/// They loaded, or this would not have been called.
pub(super) fn settings(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("settings", "they agree with each other")];
    findings.extend(settings.warnings.iter().map(|warning| {
        Finding::warning("settings", warning, "change it, or leave it if it is meant")
    }));
    findings
}

/// Reach, login, rights, and whether every queue is as it has to be.
pub(super) async fn broker(settings: &Settings) -> Result<Vec<Finding>, Failure> {
    let config = broker::Config {
        urls: settings.amqp()?.urls.clone(),
        connection_name: format!("escalator/{}", Role::Check.name()),
        ..broker::Config::default()
    };
    Ok(match Broker::check(config).await {
        Ok(checked) => {
            let version = checked
                .version
                .map_or_else(|| "RabbitMQ".to_owned(), |v| format!("RabbitMQ {v}"));
            let mut findings: Vec<_> = checked
                .skipped
                .iter()
                .map(|error| {
                    Finding::warning(
                        "broker",
                        error.to_string(),
                        "the next host was taken instead",
                    )
                })
                .collect();
            findings.push(Finding::ok(
                "broker",
                format!(
                    "{version} at {}, {} exchanges, queues and bindings as they have to be",
                    checked.at, checked.objects
                ),
            ));
            let dead = checked
                .queues
                .iter()
                .find(|q| q.queue == "escalations.dead");
            if let Some(dead) = dead.filter(|q| q.messages > 0) {
                findings.push(Finding::warning(
                    "broker",
                    format!("{} dead letters wait in escalations.dead", dead.messages),
                    "look at them: each says why it died and what to do",
                ));
            }
            findings
        }
        Err(error) if error.needs_a_person() => {
            vec![Finding::failed(
                "broker",
                error.to_string(),
                "mend what it names; amqp.url says where it is",
            )]
        }
        Err(error) => vec![Finding::unreachable(
            "broker",
            error.to_string(),
            "check amqp.url, and that RabbitMQ runs there",
        )],
    })
}

/// Whether the ledger is there, or can be made.
pub(super) async fn ledger(settings: &Settings) -> Result<Vec<Finding>, Failure> {
    match &settings.database()?.url {
        DatabaseUrl::Sqlite { path } => sqlite(path.clone()).await,
        DatabaseUrl::Postgres { url } => Ok(postgres(url).await),
    }
}

async fn sqlite(path: PathBuf) -> Result<Vec<Finding>, Failure> {
    let shown = path.display().to_string();
    let inspected = tokio::task::spawn_blocking(move || Sqlite::inspect(&path))
        .await
        .map_err(Failure::failed)?;
    Ok(vec![match inspected {
        Ok(Inspected::WillBeCreated) => Finding::ok(
            "ledger",
            format!("{shown} will be created at the first start"),
        ),
        Ok(Inspected::Present { version, newest }) => present(&shown, version, newest),
        Err(error) => Finding::unreachable(
            "ledger",
            error.to_string(),
            "check database.url, the folder and its owner",
        ),
    }])
}

/// Reach, login, rights, and whose tables are there.
async fn postgres(url: &SecretString) -> Vec<Finding> {
    let server = match Postgres::inspect(url).await {
        Ok(server) => server,
        Err(error @ ledger::Error::Unavailable(_)) => {
            return vec![Finding::unreachable(
                "ledger",
                error.to_string(),
                "check database.url, and that PostgreSQL runs there",
            )];
        }
        Err(error) => {
            return vec![Finding::failed(
                "ledger",
                error.to_string(),
                "mend what it names; database.url says where it is and who logs in",
            )];
        }
    };
    let shown = format!("PostgreSQL {} at {}", server.version, server.at);
    let mut findings = vec![match server.ledger {
        Inspected::WillBeCreated => Finding::ok(
            "ledger",
            format!("{shown}: its tables will be created at the first start"),
        ),
        Inspected::Present { version, newest } => present(&shown, version, newest),
    }];
    if !server.survives_power_loss {
        findings.push(Finding::warning(
            "ledger",
            format!(
                "{shown} runs with fsync or full_page_writes off: a loss of power may empty it"
            ),
            "switch them on in postgresql.conf, unless this is for trying out",
        ));
    }
    findings
}

fn present(shown: &str, version: u32, newest: u32) -> Finding {
    let text = match version == newest {
        true => format!("{shown}, schema {version}"),
        false => format!("{shown}, schema {version}; the next start brings it to {newest}"),
    };
    Finding::ok("ledger", text)
}

/// Whether Genesys gives a token.
pub(super) async fn genesys(genesys: &Genesys) -> Vec<Finding> {
    vec![match genesys.ensure_token().await {
        Ok(()) => Finding::ok("genesys", format!("{} gives a token", genesys.at())),
        Err(error) => call_failed("genesys", genesys.at().as_str(), Operation::Token, &error),
    }]
}

/// Whether the key is good.
pub(super) async fn pagerduty(pagerduty: &PagerDuty) -> Vec<Finding> {
    let mut findings = vec![match pagerduty.abilities().await {
        Ok(()) => Finding::ok(
            "pagerduty",
            format!("{} accepts the API key", pagerduty.at()),
        ),
        // A key of narrow scope may write notes and still not ask this.
        Err(CallError::Refused { reason, .. }) => Finding::warning(
            "pagerduty",
            reason,
            "the key is known; whether it may read alerts and write notes could not be seen",
        ),
        Err(error) => call_failed(
            "pagerduty",
            pagerduty.at().as_str(),
            Operation::ReadAbilities,
            &error,
        ),
    }];
    if pagerduty.has_a_token_that_ends() {
        findings.push(Finding::warning(
            "pagerduty",
            "pagerduty.api_token is an OAuth token: it ends 24 hours after it was given, and nothing renews it",
            "use a REST API key, or see to it that a new token is put there, and the service restarted, in time",
        ));
    }
    findings
}

/// Whether a subscription sends us what we need.
pub(super) async fn subscriptions(pagerduty: &PagerDuty, starts: &Starts) -> Vec<Finding> {
    let all = match pagerduty.subscriptions().await {
        Ok(all) => all,
        // The key's own finding has said it.
        Err(CallError::SetUp { .. } | CallError::NotSent(_)) => return Vec::new(),
        Err(error) => {
            return vec![Finding::warning(
                "webhook",
                format!("the webhook subscriptions could not be read: {error}"),
                "look in PagerDuty, under Integrations, that one sends here",
            )];
        }
    };
    let ours: Vec<_> = all
        .iter()
        .filter(|s| s.url.ends_with(WEBHOOK_PATH))
        .collect();
    if ours.is_empty() {
        return vec![Finding::warning(
            "webhook",
            format!(
                "none of {} webhook subscriptions sends to a URL that ends in {WEBHOOK_PATH}",
                all.len()
            ),
            format!(
                "`escalator pagerduty subscribe --url https://your-host{WEBHOOK_PATH}` makes one; or add it in PagerDuty (Integrations, Generic Webhooks v3) with the events {} and incident.resolved",
                list(starts.events.iter())
            ),
        )];
    }
    let mut findings: Vec<_> = ours
        .iter()
        .flat_map(|one| subscription(one, starts))
        .collect();
    findings.extend(left_out(&ours, starts));
    findings
}

/// Services whose incidents are to start escalations, and of which no subscription sends any, though one does of others. (Where
/// none does of any, that was said of each subscription.) Which services a team has is not known here.
fn left_out(ours: &[&Subscription], starts: &Starts) -> Option<Finding> {
    let sends = |service: &String| {
        ours.iter().any(|one| match &one.scope {
            Scope::Account | Scope::Team(_) => true,
            Scope::Service(sent) => sent == service,
        })
    };
    let left_out: Vec<_> = starts
        .services
        .iter()
        .filter(|service| !sends(service))
        .map(String::as_str)
        .collect();
    if left_out.is_empty() || left_out.len() == starts.services.len() {
        return None;
    }
    let left_out = left_out.join(", ");
    Some(Finding::warning(
        "webhook",
        format!("no subscription sends incidents of {left_out}, which pagerduty.services names"),
        "make one for each of these services (`escalator pagerduty subscribe --service ID`), or take them out of pagerduty.services",
    ))
}

fn subscription(one: &Subscription, starts: &Starts) -> Vec<Finding> {
    let named = format!("subscription {} to {}", one.id, one.url);
    let mut findings = Vec::new();
    if one.temporarily_disabled {
        findings.push(Finding::failed(
            "webhook",
            format!(
                "{named} is switched off for a day: PagerDuty was refused three times in a row"
            ),
            format!(
                "mend why (usually pagerduty.webhook_secrets), then `escalator pagerduty subscribe --enable --url {}`; `escalator catch-up` starts what was missed",
                one.url
            ),
        ));
    }
    if !one.active {
        findings.push(Finding::failed(
            "webhook",
            format!("{named} is not active"),
            "activate it in PagerDuty",
        ));
    }
    let wanted = starts
        .events
        .iter()
        .map(String::as_str)
        .chain(["incident.resolved"]);
    let missing: Vec<_> = wanted
        .filter(|event| !one.events.iter().any(|sent| sent == event))
        .collect();
    if !missing.is_empty() {
        findings.push(Finding::failed(
            "webhook",
            format!("{named} does not send {}", missing.join(", ")),
            "add these events to the subscription, or take them out of pagerduty.events",
        ));
    }
    if let Scope::Service(service) = &one.scope
        && !starts.services.is_empty()
        && !starts.services.contains(service)
    {
        findings.push(Finding::failed(
            "webhook",
            format!("{named} sends service {service} only, which pagerduty.services leaves out"),
            "make the subscription's filter and pagerduty.services agree",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            "webhook",
            format!(
                "{named} is active and sends what is needed, of {}",
                one.scope
            ),
        ));
    }
    findings
}

pub(super) fn call_failed(
    part: &'static str,
    at: &str,
    operation: Operation,
    error: &CallError,
) -> Finding {
    let hint = error.setback(operation).code.hint();
    let text = format!("{at}: {error}");
    match error {
        CallError::NotSent(_)
        | CallError::Blocked { .. }
        | CallError::Waits { .. }
        | CallError::Unknown { .. }
        | CallError::Throttled { .. } => Finding::unreachable(
            part,
            text,
            "check the address, the network, and the vendor's status page",
        ),
        CallError::SetUp { .. }
        | CallError::NoRoute { .. }
        | CallError::Refused { .. }
        | CallError::Conflict(_) => Finding::failed(part, text, hint),
    }
}

fn list<'a>(events: impl Iterator<Item = &'a String>) -> String {
    events.map(String::as_str).collect::<Vec<_>>().join(", ")
}
