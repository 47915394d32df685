//! What is there from the start: a counter that appears with its first event hides that event from every alert on its increase.

use super::events::{Settled, Waited};
use super::metrics::Telemetry;
use crate::escalation::invariant::Invariant;
use crate::escalation::{Code, Contract, Lane, Step};

/// What can come of a webhook.
const WEBHOOK_OUTCOMES: [&str; 9] = [
    "accepted",
    "ignored",
    "filtered",
    "not_understood",
    "no_signature",
    "bad_signature",
    "too_large",
    "late",
    "not_stored",
];
/// What can come of working on a delivery.
const ATTEMPT_OUTCOMES: [&str; 7] = [
    "done",
    "cancelled",
    "dead",
    "later",
    "handed_back",
    "ended_before",
    "noted",
];
const TARGETS: [&str; 4] = ["high", "normal", "later", "dead"];
const PUBLISH_OUTCOMES: [&str; 5] = ["stored", "not_sent", "refused", "unroutable", "unknown"];
const PRUNED: [&str; 5] = [
    "escalations",
    "conversations",
    "resolutions",
    "links",
    "dead_letters",
];

/// What the ledger may refuse since a newer claim exists.
const FENCED: [&str; 3] = ["claim_conversation", "record", "renew"];
const VENDORS: [&str; 2] = ["genesys", "pagerduty"];

impl Telemetry {
    /// This process has an ingress: what it counts is there from now on, and nowhere else.
    pub fn ingress_begins(&self) {
        self.webhooks_in_flight.with_label_values::<&str>(&[]);
        for outcome in WEBHOOK_OUTCOMES {
            self.webhooks.with_label_values(&[outcome]);
        }
        for outcome in ["accepted", "refused", "not_stored"] {
            self.direct_starts.with_label_values(&[outcome]);
        }
    }
}

pub(super) fn show_from_the_start(telemetry: &Telemetry) {
    telemetry
        .build
        .with_label_values(&[env!("CARGO_PKG_VERSION")])
        .set(1);
    telemetry.in_hand.with_label_values::<&str>(&[]);
    telemetry.paused.with_label_values::<&str>(&[]);
    for vendor in VENDORS {
        telemetry.throttled.with_label_values(&[vendor]);
    }
    for target in TARGETS {
        for outcome in PUBLISH_OUTCOMES {
            telemetry.published.with_label_values(&[target, outcome]);
        }
    }
    for connection in ["consume", "publish"] {
        telemetry.broker_connects.with_label_values(&[connection]);
    }
    for lane in Lane::ALL.map(Lane::as_str) {
        for redelivered in ["false", "true"] {
            telemetry.deliveries.with_label_values(&[lane, redelivered]);
        }
        for outcome in ATTEMPT_OUTCOMES {
            telemetry.attempts.with_label_values(&[lane, outcome]);
        }
        for waited in Waited::ALL.map(Waited::as_str) {
            telemetry
                .accepted_to_note
                .with_label_values(&[lane, waited]);
        }
    }
    for code in Code::ALL {
        let (name, cause) = (code.as_str(), code.cause().as_str());
        telemetry.dead_letters.with_label_values(&[name, cause]);
        telemetry.waits.with_label_values(&[name]);
        telemetry.letters_kept.with_label_values(&[name, "kept"]);
    }
    for outcome in ["told", "not_told"] {
        telemetry.failure_notes.with_label_values(&[outcome]);
    }
    for step in [Step::Session, Step::Media, Step::Note].map(Step::as_str) {
        telemetry.duplicate_effects.with_label_values(&[step]);
        for settled in Settled::ALL {
            let settled = settled.as_str();
            telemetry
                .unknown_outcomes
                .with_label_values(&[step, settled]);
        }
    }
    for invariant in Invariant::ALL {
        telemetry
            .violations
            .with_label_values(&[invariant.as_str()]);
    }
    for operation in FENCED {
        telemetry.fenced.with_label_values(&[operation]);
    }
    for what in PRUNED {
        telemetry.pruned.with_label_values(&[what]);
    }
    for contract in Contract::ALL {
        telemetry
            .genesys_contract
            .with_label_values(&[contract.as_str()]);
    }
}
