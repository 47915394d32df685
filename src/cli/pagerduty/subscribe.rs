//! `escalator pagerduty subscribe`.
//!
//! PagerDuty shows the signing secret in the answer to this one request and never again, and the request has no key by
//! which a repetition would be recognised. So it is sent once; what becomes of an answer that was lost is for a person.

mod existing;
mod keeping;

use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};
use url::Url;

use self::existing::Existing;
use self::keeping::SecretFile;
use super::super::exit::Failure;
use super::super::service;
use super::super::terminal::{self, say};
use super::{client, failure};
use crate::escalation::SubscriptionId;
use crate::ingress::WEBHOOK_PATH;
use crate::settings::{Role, Starts};
use crate::upstream::{CallError, Operation, PagerDuty, Scope, Subscribed, Subscription};

/// What a key has to be allowed for all of this.
const NEEDS: &str = "a key that may read and write webhook subscriptions (not a read-only one; of an OAuth token, the scopes webhook_subscriptions.read and .write)";

const MORE: &str = "\
The events are those of pagerduty.events, and incident.resolved. The signing secret goes to stdout, or into --secret-file, \
and belongs into pagerduty.webhook_secrets (PAGERDUTY_WEBHOOK_SECRETS, or the file that PAGERDUTY_WEBHOOK_SECRETS_FILE \
names) of whatever runs `escalator serve` or `escalator ingress`. PagerDuty never shows it again.

If a subscription to that URL is there already, none is made: the command ends with 0 if it sends what is needed, else with 1 \
and what is wrong with it. One of another single service or team is no hindrance.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    /// The public address of the ingress, as PagerDuty reaches it: https://your-host/webhooks/pagerduty.
    #[arg(long, value_name = "URL")]
    url: String,
    /// Only the incidents of this service. Without --service and --team, those of the whole account.
    #[arg(long, value_name = "ID", value_parser = id)]
    service: Option<String>,
    /// Only the incidents of this team.
    #[arg(long, value_name = "ID", value_parser = id, conflicts_with = "service")]
    team: Option<String>,
    /// Write the secret into this file, which must not exist yet, readable for its owner only.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Enable what PagerDuty has switched off for a day, after it was refused there; make none.
    #[arg(long, conflicts_with_all = ["secret_file", "service", "team"])]
    enable: bool,
}

fn id(text: &str) -> Result<String, &'static str> {
    let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    fits.then(|| text.to_owned())
        .ok_or("take the id from the address of its page, as in PIJ90N7")
}

/// What is asked for.
struct Wanted<'a> {
    url: Url,
    scope: Scope,
    events: Vec<&'a str>,
}

pub(in crate::cli) async fn run(
    arguments: Arguments,
    config: Option<&Path>,
) -> Result<(), Failure> {
    let settings = service::load(Role::PagerDuty, config)?;
    let starts = settings.starts()?;
    let scope = match (arguments.service, arguments.team) {
        (Some(id), _) => Scope::Service(id),
        (None, Some(id)) => Scope::Team(id),
        (None, None) => Scope::Account,
    };
    let wanted = Wanted {
        url: address(&arguments.url)?,
        scope: admitted(scope, starts)?,
        events: starts
            .events
            .iter()
            .map(String::as_str)
            .chain(["incident.resolved"])
            .collect(),
    };
    let pagerduty = client(&settings)?;
    let all = pagerduty
        .subscriptions()
        .await
        .map_err(|error| failure(&pagerduty, Operation::ReadSubscriptions, &error, NEEDS))?;
    if arguments.enable {
        return enable(&pagerduty, &all, &wanted).await;
    }
    match existing::find(&all, &wanted) {
        Existing::None(others) => {
            for other in others {
                say(&told(other));
            }
            make(&pagerduty, &wanted, arguments.secret_file.as_deref()).await
        }
        Existing::One(one) => judge(one, &wanted),
    }
}

/// The address that PagerDuty is to send to. What is wrong with it is said without repeating it: it may hold a password.
fn address(text: &str) -> Result<Url, Failure> {
    let wrong = |problem: &str| {
        Failure::usage(format!(
            "--url {problem}; write https://your-host{WEBHOOK_PATH}"
        ))
    };
    let url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("is neither http:// nor https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "holds a user or a password, which the ingress does not look at",
        ));
    }
    if url.path() == "/" {
        return Err(wrong("has no path"));
    }
    if !url.path().ends_with(WEBHOOK_PATH) {
        say(&format!(
            "note: the path does not end in {WEBHOOK_PATH}: something in front of the ingress has to see to that, and `escalator check` will not find the subscription"
        ));
    }
    Ok(url)
}

/// A subscription whose every incident the ingress would let go is not what anybody wants.
fn admitted(scope: Scope, starts: &Starts) -> Result<Scope, Failure> {
    match &scope {
        Scope::Service(id) if !starts.services.is_empty() && !starts.services.contains(id) => {
            Err(Failure::usage(format!(
                "--service {id} is not among pagerduty.services, so that none of its incidents would start anything"
            )))
        }
        Scope::Service(_) | Scope::Team(_) | Scope::Account => Ok(scope),
    }
}

fn told(one: &Subscription) -> String {
    format!("subscription {} sends {} to {}", one.id, one.scope, one.url)
}

/// One is there. Is it as it has to be?
fn judge(one: &Subscription, wanted: &Wanted<'_>) -> Result<(), Failure> {
    let named = told(one);
    let mut wrong = existing::faults(one, wanted);
    if one.temporarily_disabled {
        wrong.push("it is switched off for a day, since PagerDuty was refused three times in a row: mend why (usually pagerduty.webhook_secrets), then run this again with --enable".to_owned());
    }
    if wrong.is_empty() {
        say(&format!(
            "{named}: it is there already, and as it has to be. Its secret was shown when it was made; if that is lost, delete it in PagerDuty (Integrations, Generic Webhooks (v3)) and run this again"
        ));
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{named}: it is there already, and none was made; {}",
        wrong.join("; ")
    )))
}

/// Enables what PagerDuty has switched off there, whosever incidents it sends.
async fn enable(
    pagerduty: &PagerDuty,
    all: &[Subscription],
    wanted: &Wanted<'_>,
) -> Result<(), Failure> {
    let there = existing::at(all, wanted);
    if there.is_empty() {
        return Err(Failure::failed(format!(
            "none of {} webhook subscriptions sends to {}; without --enable one is made",
            all.len(),
            wanted.url
        )));
    }
    for one in there {
        if !one.temporarily_disabled {
            say(&format!("{}, and is not switched off", told(one)));
            continue;
        }
        let id = SubscriptionId::parse(&one.id).map_err(Failure::failed)?;
        let enabled = pagerduty.enable(&id).await;
        enabled
            .map_err(|error| failure(pagerduty, Operation::EnableSubscription, &error, NEEDS))?;
        say(&format!(
            "{}, and is enabled again; `escalator catch-up` starts what was missed meanwhile",
            told(one)
        ));
    }
    Ok(())
}

async fn make(
    pagerduty: &PagerDuty,
    wanted: &Wanted<'_>,
    secret_file: Option<&Path>,
) -> Result<(), Failure> {
    // Before the request: what cannot be written afterwards is lost for ever.
    let file = secret_file.map(SecretFile::reserve).transpose()?;
    let asked = pagerduty
        .subscribe(&wanted.url, &wanted.scope, &wanted.events)
        .await;
    match asked {
        Ok(Subscribed::Made {
            id,
            secret: Some(secret),
        }) => hand_over(&id, wanted, &secret, file),
        Ok(Subscribed::Made { id, secret: None }) => Err(Failure::failed(format!(
            "subscription {id} was made, and its secret did not come: delete it in PagerDuty (Integrations, Generic Webhooks (v3)) and run this again"
        ))),
        Ok(Subscribed::LimitReached { reason }) => Err(Failure::failed(format!(
            "there are as many webhook subscriptions as PagerDuty allows, ten for {}: delete one that nobody needs (Integrations, Generic Webhooks (v3)) and run this again; {reason}",
            wanted.scope
        ))),
        Err(error) if error.may_have_taken_effect() => {
            Err(Failure::failed(lost(pagerduty, wanted, &error).await))
        }
        Err(error) => Err(failure(
            pagerduty,
            Operation::CreateSubscription,
            &error,
            NEEDS,
        )),
    }
}

/// Nobody can ask for the secret again, so that it reaches somebody is part of the work.
fn hand_over(
    id: &str,
    wanted: &Wanted<'_>,
    secret: &SecretString,
    file: Option<SecretFile>,
) -> Result<(), Failure> {
    say(&format!(
        "subscription {id} is made: PagerDuty sends {} of {} to {}",
        wanted.events.join(", "),
        wanted.scope,
        wanted.url
    ));
    let place = match file.map(|file| file.keep(secret)) {
        Some(Ok(path)) => format!("is in {}", path.display()),
        Some(Err(error)) => {
            say(&format!("the file could not be written: {error}"));
            on_stdout(id, secret)?
        }
        None => on_stdout(id, secret)?,
    };
    say(&format!(
        "its signing secret {place}; PagerDuty never shows it again. It belongs into pagerduty.webhook_secrets of whatever runs `escalator serve` or `escalator ingress`: PAGERDUTY_WEBHOOK_SECRETS, or the file that PAGERDUTY_WEBHOOK_SECRETS_FILE names; behind a comma where another is in use. Restart that, then try it out: `escalator pagerduty ping --subscription {id}`"
    ));
    Ok(())
}

fn on_stdout(id: &str, secret: &SecretString) -> Result<String, Failure> {
    match terminal::write(&format!("{}\n", secret.expose_secret())) {
        Ok(true) => Ok("is on stdout".to_owned()),
        Ok(false) | Err(_) => Err(Failure::failed(format!(
            "subscription {id} is made, and its secret could not be written to stdout: delete it in PagerDuty, for the secret cannot be had any more, and run this again"
        ))),
    }
}

/// The answer was lost. What a look says is help for a person, and no proof: the request may still land.
async fn lost(pagerduty: &PagerDuty, wanted: &Wanted<'_>, error: &CallError) -> String {
    let found = match pagerduty.subscriptions().await {
        Ok(all) => match existing::find(&all, wanted) {
            Existing::One(one) => format!(
                "a look a moment later shows it: subscription {}, whose secret is lost",
                one.id
            ),
            Existing::None(_) => "a look a moment later does not show it, yet".to_owned(),
        },
        Err(_) => "looking for it failed too".to_owned(),
    };
    format!(
        "{}: {error}; whether the subscription was made is not known, and it was not tried again; {found}. Look in PagerDuty (Integrations, Generic Webhooks (v3)) for one to {}: if it is there, delete it, for its secret cannot be had any more; then run this again",
        pagerduty.at(),
        wanted.url
    )
}
