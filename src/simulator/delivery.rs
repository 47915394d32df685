//! Delivering webhooks the way PagerDuty does.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::webhook::Webhook;

/// How long PagerDuty waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts. PagerDuty does not publish its own pauses, which are much longer.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// How the last attempt ended.
    pub outcome: DeliveryOutcome,
    /// How many attempts there were.
    pub attempts: u32,
}

/// How one attempt to deliver ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It was answered with this status.
    Answered(u16),
    /// There was no answer in time; why.
    Failed(String),
}

impl Delivered {
    /// The status of the last attempt, if it was answered.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            DeliveryOutcome::Answered(status) => Some(status),
            DeliveryOutcome::Failed(_) => None,
        }
    }

    /// Any 2xx.
    pub fn is_accepted(&self) -> bool {
        self.status()
            .is_some_and(|status| (200..300).contains(&status))
    }

    /// PagerDuty tries again after 5xx, 429 and no answer; everything else it drops.
    fn is_retried(&self) -> bool {
        self.status()
            .is_none_or(|status| status >= 500 || status == 429)
    }
}

/// The client for deliveries: no proxy, no redirects, and PagerDuty's patience.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    // Whoever installed a provider before us is welcome to it; reqwest only needs that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
}

pub(super) async fn once(client: &reqwest::Client, url: &str, webhook: &Webhook) -> Delivered {
    let sent = client
        .post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .header("user-agent", "PagerDuty-Webhook/V3.0")
        .header("x-pagerduty-signature", &webhook.signature)
        .header("x-webhook-subscription", "PSIMSUB")
        .header("x-webhook-id", &webhook.id)
        .body(webhook.body.clone())
        .send()
        .await;
    let outcome = match sent {
        Ok(answer) => DeliveryOutcome::Answered(answer.status().as_u16()),
        Err(error) => DeliveryOutcome::Failed(why(&error)),
    };
    Delivered {
        outcome,
        attempts: 1,
    }
}

pub(super) async fn until(
    client: &reqwest::Client,
    url: &str,
    webhook: &Webhook,
    deadline: Instant,
) -> Delivered {
    let mut attempts = 0;
    loop {
        let Ok(last) = timeout_at(deadline, once(client, url, webhook)).await else {
            let outcome =
                DeliveryOutcome::Failed("the deadline passed during an attempt".to_owned());
            return Delivered {
                outcome,
                attempts: attempts + 1,
            };
        };
        attempts += 1;
        if !last.is_retried() || Instant::now() + PAUSE >= deadline {
            return Delivered { attempts, ..last };
        }
        sleep(PAUSE).await;
    }
}

/// In words, without the URL, which may hold a password.
fn why(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_builder() {
        "not a usable URL"
    } else {
        "the connection broke"
    };
    kind.to_owned()
}
