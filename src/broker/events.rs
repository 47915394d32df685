//! Every log line of this room. None carries a body, a header or a credential.

use super::link::Purpose;
use super::{Error, Source};

pub(super) fn up(purpose: Purpose, at: &str) {
    tracing::info!(
        event = "broker.up",
        connection = purpose.as_str(),
        at,
        "broker: connected and checked"
    );
}

pub(super) fn down(purpose: Purpose, error: &Error) {
    let (connection, code) = (purpose.as_str(), error.code());
    if error.needs_a_person() {
        tracing::error!(event = "broker.down", connection, code, %error, "broker: not usable until somebody changes something; trying on");
    } else {
        tracing::warn!(event = "broker.down", connection, code, %error, "broker: no connection; trying on");
    }
}

pub(super) fn blocked(purpose: Purpose, reason: &str) {
    tracing::warn!(
        event = "broker.blocked",
        connection = purpose.as_str(),
        reason,
        "broker: takes nothing in"
    );
}

pub(super) fn unblocked(purpose: Purpose) {
    tracing::info!(
        event = "broker.unblocked",
        connection = purpose.as_str(),
        "broker: takes messages in again"
    );
}

pub(super) fn declared_again(purpose: Purpose) {
    tracing::warn!(
        event = "broker.declared_again",
        connection = purpose.as_str(),
        "broker: something was missing; declared everything again"
    );
}

pub(super) fn unsubscribed(source: Source, why: &str) {
    tracing::warn!(event = "broker.unsubscribed", queue = %source, why, "broker: subscription ended; subscribing again");
}
