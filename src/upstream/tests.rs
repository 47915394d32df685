//! The table of failures: every documented failure of every call goes through the real mapping, and what comes out is
//! `deploy/runbook/failures.md`. Whoever changes what a failure means changes that page, and sees it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod documented;

use std::collections::BTreeSet;
use std::time::Duration;

use self::documented::{Failure, documented};
use super::call::{CallError, Operation, Vendor};
use crate::escalation::{Code, Cost, Ending, Setback, Wait};

/// All calls, in the order in which an escalation makes them; `documented` is where a new one cannot be forgotten.
const OPERATIONS: [Operation; 16] = [
    Operation::Token,
    Operation::ReadConversation,
    Operation::CreateSession,
    Operation::AttachMedia,
    Operation::OfferSession,
    Operation::ReadAlerts,
    Operation::ReadIncident,
    Operation::ReadNotes,
    Operation::WriteNote,
    Operation::RewriteNote,
    Operation::ReadAbilities,
    Operation::ReadSubscriptions,
    Operation::ListIncidents,
    Operation::CreateSubscription,
    Operation::EnableSubscription,
    Operation::PingSubscription,
];

const INTRODUCTION: &str = "\
# Failures

What becomes of each failure of each call. The rows are made by the program itself: each failure that the vendors document (and
each that their clients have met) goes through the mapping that the worker uses. What a code means and what to do about it is in
[codes.md](codes.md), or `escalator explain CODE`.

*final*: dead, with a dead letter. *waits*: tried again every 15 to 30 s at no cost, until somebody has put it right.
*again*: by the schedule, with growing intervals. *free*: it costs none of `escalation.max_attempts`. *looked up first*: the write may
have taken effect, so that nothing is sent again before it is known. *waited out first*: likewise, until it can no longer take effect.
*the other contract first*: with `genesys.cobrowse_api = auto`, and where no write has worked yet, the other contract is tried once.
*a new note instead*: the note of an earlier failure cannot be replaced, and stays beside the new one.
*said by check* (or `catch-up`, `pagerduty`): no escalation makes this call; the command that does says it, and ends.
";

/// Which command makes it, where it is not made for an escalation.
fn command(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::ReadAbilities | Operation::ReadSubscriptions => Some("check"),
        Operation::ListIncidents => Some("catch-up"),
        Operation::CreateSubscription
        | Operation::EnableSubscription
        | Operation::PingSubscription => Some("pagerduty"),
        Operation::Token
        | Operation::ReadConversation
        | Operation::CreateSession
        | Operation::OfferSession
        | Operation::AttachMedia
        | Operation::ReadAlerts
        | Operation::ReadIncident
        | Operation::ReadNotes
        | Operation::WriteNote
        | Operation::RewriteNote => None,
    }
}

fn then(operation: Operation, error: &CallError, setback: &Setback) -> String {
    if let Some(command) = command(operation) {
        return format!("said by {command}");
    }
    match setback.wait {
        Wait::Final if operation == Operation::RewriteNote => "a new note instead".to_owned(),
        Wait::Final => "final".to_owned(),
        Wait::Between(..) if matches!(error, CallError::NoRoute { .. }) => {
            "the other contract first; waits, free".to_owned()
        }
        Wait::Between(..) => "waits, free".to_owned(),
        Wait::After(after) => format!("again in {} s, free", after.as_secs()),
        Wait::Backoff { at_least, cost } => {
            let in_doubt = operation.writes() && error.may_have_taken_effect();
            let mut text = match (in_doubt, operation) {
                // There is no way to look it up, and nobody can reach a session that is attached to nothing.
                (true, Operation::CreateSession) => "waited out first; again".to_owned(),
                (true, _) => "looked up first; again".to_owned(),
                (false, _) => "again".to_owned(),
            };
            if let Some(at_least) = at_least {
                text.push_str(&format!(" after {} s", at_least.as_secs()));
            }
            text.push_str(match cost {
                Cost::Attempt => ", costs an attempt",
                Cost::Free => ", free",
            });
            text
        }
    }
}

fn table() -> String {
    let mut text = String::from(INTRODUCTION);
    let mut codes = BTreeSet::new();
    let mut vendor = None;
    for operation in OPERATIONS {
        let name = match operation.vendor() {
            Vendor::Genesys => "Genesys",
            Vendor::PagerDuty => "PagerDuty",
        };
        if vendor != Some(operation.vendor()) {
            text.push_str(&format!("\n## {name}\n"));
            vendor = Some(operation.vendor());
        }
        text.push_str(&format!(
            "\n### {}\n\n| {name} answers | code | then | what the operator reads |\n| --- | --- | --- | --- |\n",
            operation.as_str()
        ));
        for Failure { what, error } in documented(operation) {
            let setback = error.setback(operation);
            let code = setback.code;
            codes.insert(code);
            text.push_str(&format!(
                "| {what} | [`{code}`](codes.md#{code}) | {} | {} |\n",
                then(operation, &error, &setback),
                setback.reason.replace('|', "\\|")
            ));
        }
    }
    text.push_str("\n## The hint beside each code\n\n| code | hint |\n| --- | --- |\n");
    for code in codes {
        text.push_str(&format!("| `{code}` | {} |\n", code.hint()));
    }
    text
}

#[test]
fn the_runbook_has_the_failures_as_they_are_mapped() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/runbook/failures.md");
    let now = table();
    if std::env::var_os("ESCALATOR_RENEW").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == now,
        "{path} is not what the mapping says; look at the difference after renewing it: ESCALATOR_RENEW=1 cargo test --lib runbook"
    );
}

#[test]
fn a_failure_ends_as_the_page_of_its_code_says() {
    for operation in OPERATIONS.into_iter().filter(|one| command(*one).is_none()) {
        for Failure { what, error } in documented(operation) {
            let setback = error.setback(operation);
            let wanted = match setback.wait {
                Wait::Final => Ending::Final,
                Wait::Between(..) => Ending::Waits,
                Wait::After(_) | Wait::Backoff { .. } => Ending::Retried,
            };
            let says = setback.code.page().ending;
            // The one code that a conflict shares with refusals; its page says so.
            let conflict =
                matches!(error, CallError::Conflict(_)) && setback.code == Code::PagerdutyRefused;
            assert!(
                says == wanted || conflict,
                "{operation:?}, {what}: {} {wanted:?}, and its page says {says:?}",
                setback.code
            );
        }
    }
}

#[test]
fn a_failure_that_every_escalation_would_meet_kills_none() {
    for operation in OPERATIONS.into_iter().filter(|one| command(*one).is_none()) {
        for Failure { what, error } in documented(operation) {
            // Of a note that cannot be replaced nobody dies: a new one is written, by another method.
            let dead =
                error.setback(operation).wait == Wait::Final && operation != Operation::RewriteNote;
            let of_all = operation == Operation::Token
                || ["401", "402", "405", "407", "429", "page", "nobody"]
                    .iter()
                    .any(|sign| what.contains(sign));
            assert!(!(dead && of_all), "{operation:?}, {what}");
        }
    }
}

#[test]
fn a_long_retry_after_is_waited_for_and_nobody_dies_of_it() {
    let mut seen = 0;
    for operation in OPERATIONS {
        for Failure { what, error } in documented(operation) {
            if !what.contains("7200") {
                continue;
            }
            let least = Some(Duration::from_secs(7200));
            let wait = error.setback(operation).wait;
            assert!(
                matches!(wait, Wait::Backoff { at_least, cost: Cost::Free } if at_least == least),
                "{operation:?}: {wait:?}"
            );
            seen += 1;
        }
    }
    assert!(seen >= OPERATIONS.len(), "{seen}");
}

#[test]
fn a_429_that_says_nothing_is_waited_for_at_least_5_seconds() {
    for operation in OPERATIONS {
        let mut failures = documented(operation).into_iter();
        let bare = failures
            .find(|failure| failure.what.starts_with("429 without"))
            .unwrap();
        let wait = bare.error.setback(operation).wait;
        assert!(
            matches!(wait, Wait::Backoff { at_least: Some(least), cost: Cost::Free } if least >= Duration::from_secs(5)),
            "{operation:?}: {wait:?}"
        );
    }
}

#[test]
fn whatever_was_answered_is_told_with_the_id_by_which_support_finds_it() {
    for operation in OPERATIONS {
        let mut answered = 0;
        for Failure { what, error } in documented(operation) {
            if what.starts_with(|c: char| c.is_ascii_digit()) {
                let reason = error.to_string();
                let told = reason.contains("0b5f0c11") || reason.contains("5a3e9f20");
                assert!(told, "{operation:?}, {what}: {reason}");
                answered += 1;
            }
        }
        assert!(answered > 15, "{operation:?}");
    }
}

/// The page is renewed with one command; these are not.
#[test]
fn the_failures_that_were_mistaken_for_others_are_told_apart() {
    for (operation, what, code, ending) in [
        (
            Operation::Token,
            "400 invalid_client",
            Code::GenesysCredentials,
            Ending::Waits,
        ),
        (
            Operation::Token,
            "404 not.found",
            Code::GenesysRouteUnknown,
            Ending::Waits,
        ),
        (
            Operation::Token,
            "408",
            Code::GenesysUnavailable,
            Ending::Retried,
        ),
        (
            Operation::ReadConversation,
            "404 not.found",
            Code::ConversationUnknown,
            Ending::Final,
        ),
        (
            Operation::ReadConversation,
            "404 with a page",
            Code::AnsweredByAnother,
            Ending::Waits,
        ),
        (
            Operation::ReadConversation,
            "403 missing.division",
            Code::GenesysDivisionMissing,
            Ending::Final,
        ),
        (
            Operation::CreateSession,
            "404 not.found",
            Code::GenesysRouteUnknown,
            Ending::Waits,
        ),
        (
            Operation::CreateSession,
            "403 missing.any",
            Code::GenesysPermissionMissing,
            Ending::Waits,
        ),
        (
            Operation::Token,
            "404 with a page",
            Code::AnsweredByAnother,
            Ending::Waits,
        ),
        (
            Operation::CreateSession,
            "404 with a page",
            Code::AnsweredByAnother,
            Ending::Waits,
        ),
        (
            Operation::OfferSession,
            "404 not.found, before the contract has worked",
            Code::GenesysRouteUnknown,
            Ending::Waits,
        ),
        (
            Operation::OfferSession,
            "404 not.found, once it has worked",
            Code::ConversationUnknown,
            Ending::Final,
        ),
        (
            Operation::OfferSession,
            "404 with a page",
            Code::AnsweredByAnother,
            Ending::Waits,
        ),
        (
            Operation::OfferSession,
            "405",
            Code::GenesysRouteUnknown,
            Ending::Waits,
        ),
        (
            Operation::OfferSession,
            "400 bad.request",
            Code::CobrowseNotPossible,
            Ending::Final,
        ),
        (
            Operation::OfferSession,
            "400 user context",
            Code::GenesysUserRequired,
            Ending::Final,
        ),
        (
            Operation::OfferSession,
            "409",
            Code::GenesysConflict,
            Ending::Retried,
        ),
        (
            Operation::AttachMedia,
            "400 bad.request",
            Code::CobrowseNotPossible,
            Ending::Final,
        ),
        (
            Operation::AttachMedia,
            "400 user context",
            Code::GenesysUserRequired,
            Ending::Final,
        ),
        (
            Operation::AttachMedia,
            "409",
            Code::GenesysConflict,
            Ending::Retried,
        ),
        (
            Operation::AttachMedia,
            "415",
            Code::RequestUnacceptable,
            Ending::Final,
        ),
        (
            Operation::ReadAlerts,
            "403 code 2018",
            Code::IncidentAccessLost,
            Ending::Final,
        ),
        (
            Operation::ReadAlerts,
            "404 code 5001",
            Code::IncidentUnknown,
            Ending::Final,
        ),
        (
            Operation::ReadAlerts,
            "403 with a page",
            Code::AnsweredByAnother,
            Ending::Waits,
        ),
        (
            Operation::ReadNotes,
            "401 without",
            Code::PagerdutyCredentials,
            Ending::Waits,
        ),
        (
            Operation::WriteNote,
            "400 code 1008",
            Code::PagerdutyFromRefused,
            Ending::Waits,
        ),
        (
            Operation::WriteNote,
            "402",
            Code::PagerdutyAbilityMissing,
            Ending::Waits,
        ),
        (
            Operation::WriteNote,
            "403 scopes",
            Code::PagerdutyPermissionMissing,
            Ending::Waits,
        ),
        (
            Operation::WriteNote,
            "400 too long",
            Code::NoteTooLong,
            Ending::Final,
        ),
        (
            Operation::WriteNote,
            "400 2000 notes",
            Code::NoteLimitReached,
            Ending::Final,
        ),
        (
            Operation::WriteNote,
            "500 code 2016",
            Code::PagerdutyUnavailable,
            Ending::Retried,
        ),
        (
            Operation::ReadAbilities,
            "404 code 2100",
            Code::PagerdutyRouteUnknown,
            Ending::Waits,
        ),
    ] {
        let mut all = documented(operation).into_iter();
        let failure = all.find(|failure| failure.what.starts_with(what));
        let failure = failure.unwrap_or_else(|| panic!("{operation:?}, {what}"));
        let setback = failure.error.setback(operation);
        assert_eq!(setback.code, code, "{operation:?}, {what}");
        assert_eq!(code.page().ending, ending, "{operation:?}, {what}");
    }
}
