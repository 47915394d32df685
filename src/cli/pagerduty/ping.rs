//! `escalator pagerduty ping`.

use std::path::Path;

use super::super::exit::Failure;
use super::super::service;
use super::super::terminal::{print, say};
use super::{client, failure};
use crate::escalation::SubscriptionId;
use crate::ingress::WEBHOOK_PATH;
use crate::settings::Role;
use crate::upstream::{Operation, Subscription};

const MORE: &str = "\
PagerDuty answers as soon as it has taken the order, and sends a moment later. That the event arrived is told by the log of \
the ingress: a line with \"event\":\"webhook.answered\" and \"event_type\":\"pagey.ping\", status 202. Status 403 there \
means that pagerduty.webhook_secrets does not hold this subscription's secret; no line at all, that PagerDuty does not \
reach the address. The event starts nothing.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    /// The subscription; needed only where several send to a URL that ends in /webhooks/pagerduty.
    #[arg(long, value_name = "ID", value_parser = SubscriptionId::parse)]
    subscription: Option<SubscriptionId>,
}

pub(in crate::cli) async fn run(
    arguments: Arguments,
    config: Option<&Path>,
) -> Result<(), Failure> {
    let settings = service::load(Role::PagerDuty, config)?;
    let pagerduty = client(&settings)?;
    let id = match arguments.subscription {
        Some(id) => id,
        None => {
            let all = pagerduty.subscriptions().await.map_err(|error| {
                let needs = "a key that may read webhook subscriptions; or give --subscription ID";
                failure(&pagerduty, Operation::ReadSubscriptions, &error, needs)
            })?;
            the_one(&all)?
        }
    };
    match pagerduty.ping(&id).await {
        Ok(()) => {
            print(id.as_str());
            say(&format!(
                "PagerDuty sends its test event to subscription {id}; the ingress tells of it as webhook.answered, event_type pagey.ping: 202 is right, 403 means another secret"
            ));
            Ok(())
        }
        Err(error) => {
            let needs = "an existing subscription, and a key that may write webhook subscriptions";
            Err(failure(
                &pagerduty,
                Operation::PingSubscription,
                &error,
                needs,
            ))
        }
    }
}

/// The subscription that is certainly meant.
fn the_one(all: &[Subscription]) -> Result<SubscriptionId, Failure> {
    let ours: Vec<_> = all
        .iter()
        .filter(|one| one.url.ends_with(WEBHOOK_PATH))
        .collect();
    match ours.as_slice() {
        [one] => SubscriptionId::parse(&one.id).map_err(Failure::failed),
        [] => Err(Failure::failed(format!(
            "none of {} webhook subscriptions sends to a URL that ends in {WEBHOOK_PATH}: make one with `escalator pagerduty subscribe`, or give --subscription ID",
            all.len()
        ))),
        several => {
            let named: Vec<_> = several
                .iter()
                .map(|one| format!("{} to {}", one.id, one.url))
                .collect();
            Err(Failure::usage(format!(
                "several subscriptions send to a URL that ends in {WEBHOOK_PATH}: {}; say which with --subscription ID",
                named.join(", ")
            )))
        }
    }
}
