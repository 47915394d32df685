//! What may and what may not have come of a run, read off the vendors' side, the queues and the logs. No word of the
//! program's own about what it did counts.

use std::collections::BTreeMap;

use escalator::simulator::{Effects, Operation, RequestOutcome, RequestRecord};
use serde_json::Value;

use super::run::{Life, Spec};
use crate::support::world::{Case, World, real_notes, tells_of_a_death};

/// What there is to judge by.
pub(crate) struct Facts<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) cases: &'a [Case],
    pub(crate) effects: Effects,
    pub(crate) requests: Vec<RequestRecord>,
    pub(crate) letters: Vec<Value>,
    pub(crate) secrets: Vec<String>,
    pub(crate) log: &'a [String],
    pub(crate) lives: &'a [Life],
}

/// The judgement.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// `1/1`: so many attached, so many notes; `+1`: so many sessions that nobody can reach; how it died.
    pub(crate) outcome: String,
    pub(crate) orphans: usize,
    pub(crate) violations: Vec<String>,
}

/// What has to be kept out of logs and dead letters.
pub(crate) fn secrets(world: &World, database_url: &str) -> Vec<String> {
    let config = world.simulator.config().clone();
    let mut secrets = vec![
        config.client_secret,
        config.api_token,
        config.webhook_secret,
        // The host of every session's link.
        "cobrowse.example.invalid".to_owned(),
    ];
    secrets.extend(world.simulator.tokens());
    let database = url::Url::parse(database_url).ok();
    secrets.extend(database.and_then(|url| url.password().map(str::to_owned)));
    secrets
}

pub(crate) fn judge(facts: &Facts<'_>) -> Verdict {
    let mut violations = Vec::new();
    let letters = letters(facts, &mut violations);
    let attached = one_attachment_each(facts, &mut violations);
    let notes = one_note_each(facts, &mut violations);
    ends(facts, attached, notes, letters.len(), &mut violations);
    no_more_orphans_than_lost(facts, &mut violations);
    no_write_before_the_settle_time(facts, &mut violations);
    nothing_told(facts, &mut violations);
    let orphans = facts.effects.orphans().len();
    let mut outcome = format!("{attached}/{notes}");
    if orphans > 0 {
        outcome += &format!(" +{orphans}");
    }
    for code in letters.values() {
        outcome += &format!(" {code}");
    }
    Verdict {
        outcome,
        orphans,
        violations,
    }
}

/// I10. The dead letters by their ids: one that was published twice under one id is one.
fn letters(facts: &Facts<'_>, violations: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut letters = BTreeMap::new();
    for letter in &facts.letters {
        let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
        for field in ["id", "code", "reason", "origin", "key"] {
            if text(field).is_empty() {
                violations.push(format!("I10: a dead letter without {field}: {letter}"));
            }
        }
        letters.insert(text("id"), text("code"));
    }
    letters
}

/// I1. How many sessions are attached, over all conversations.
fn one_attachment_each(facts: &Facts<'_>, violations: &mut Vec<String>) -> usize {
    for (conversation, attached) in &facts.effects.attachments {
        if attached.len() > 1 {
            violations.push(format!(
                "I1: {} sessions are attached to {conversation}",
                attached.len()
            ));
        }
    }
    facts.effects.attached
}

/// I2. How many notes there are, over all incidents.
fn one_note_each(facts: &Facts<'_>, violations: &mut Vec<String>) -> usize {
    for case in facts.cases {
        let mut markers = BTreeMap::new();
        for note in facts.effects.notes_of(&case.incident) {
            let marker = note.content.lines().last().unwrap_or_default().to_owned();
            *markers.entry(marker).or_insert(0) += 1;
            if tells_of_a_death(&note.content) {
                continue;
            }
            let link = facts
                .effects
                .attachments_of(&case.conversation)
                .first()
                .and_then(|attached| {
                    let mut sessions = facts.effects.sessions.iter();
                    sessions.find(|session| session.id == attached.session_id)
                });
            if !link.is_some_and(|session| session.is_told_in(&note.content)) {
                violations
                    .push("a note does not have the link of the session that is attached".into());
            }
        }
        for (marker, count) in markers {
            if count > 1 {
                violations.push(format!(
                    "I2: {count} notes of {} carry {marker}",
                    case.incident
                ));
            }
        }
    }
    real_notes(&facts.effects)
}

fn deaths(effects: &Effects) -> usize {
    let notes = effects.notes.values().flatten();
    notes
        .filter(|note| note.deleted_at_ms.is_none() && tells_of_a_death(&note.content))
        .count()
}

/// One session and all notes; or no note, and a dead letter or a resolution that says why.
fn ends(
    facts: &Facts<'_>,
    attached: usize,
    notes: usize,
    letters: usize,
    violations: &mut Vec<String>,
) {
    let expected = facts.spec.scenario.expected();
    let wanted = expected.notes * facts.cases.len();
    let done = attached == 1 && notes == wanted && letters == 0 && !expected.dead;
    let dead = notes + letters == wanted && letters > 0;
    let cancelled = expected.may_be_cancelled && (attached, notes, letters) == (0, 0, 0);
    let deaths = deaths(&facts.effects);
    if deaths > letters {
        violations.push(format!("{deaths} notes tell of {letters} deaths"));
    }
    if !(done || dead || cancelled) {
        violations.push(format!(
            "{attached} attached, {notes} notes and {letters} dead letters of {wanted} escalations"
        ));
    }
}

/// A session that nobody can reach stands for an answer that did not reach the program, or for a process that crashed
/// between the answer and recording it.
fn no_more_orphans_than_lost(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let create = Operation::GenesysCreateSession;
    let asked = |record: &&RequestRecord| record.operation == create;
    // An answer that comes after the program's patience is lost too, and only the program can tell.
    let heard = facts
        .log
        .iter()
        .filter(|line| line.contains(r#""operation":"create_session","status":"201""#));
    let lost = facts.requests.iter().filter(asked).count() - heard.count();
    let mut killed = 0;
    for (number, life) in facts.lives.iter().enumerate() {
        let next = facts.lives.get(number + 1);
        let life_time = life.began_at_ms..next.map_or(i64::MAX, |next| next.began_at_ms);
        let last = facts.requests.iter().rev().find(|record| {
            life_time.contains(&record.at_ms)
                && [create, Operation::GenesysAttachMedia].contains(&record.operation)
        });
        let asked_last = last.is_some_and(|last| last.operation == create);
        killed += usize::from(life.crashed && asked_last);
    }
    let sessions = facts.effects.sessions.len();
    if sessions > 1 + lost + killed {
        violations.push(format!(
            "{sessions} sessions, although {lost} answers were lost and {killed} processes crashed over one"
        ));
    }
}

/// I4, as far as it shows from outside: after the end of a write that may have taken effect the next one of its kind comes
/// no sooner than the settle time. The receiver sees that end a little later than the sender; half of the time is enough
/// to tell whether anybody waited.
fn no_write_before_the_settle_time(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let settle_ms = facts.spec.fault.times.settle_ms;
    for operation in [
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
        Operation::GenesysOfferSession,
        Operation::PagerdutyCreateNote,
    ] {
        let of_it: Vec<_> = facts
            .requests
            .iter()
            .filter(|record| record.operation == operation)
            .collect();
        for pair in of_it.windows(2) {
            let unknown = match pair[0].outcome {
                RequestOutcome::Lost | RequestOutcome::Pending => true,
                RequestOutcome::Status(status) => status >= 500,
            };
            let gap = pair[1].at_ms - pair[0].ended_at_ms.unwrap_or(pair[0].at_ms);
            if unknown && pair[0].id == pair[1].id && gap < settle_ms / 2 {
                violations.push(format!("I4: {operation:?} again after {gap} ms"));
            }
        }
    }
}

/// I11, and what must never be logged at all.
fn nothing_told(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let letters = facts.letters.iter().map(ToString::to_string);
    for line in facts.log.iter().cloned().chain(letters) {
        if facts.secrets.iter().any(|secret| line.contains(secret)) {
            violations.push(format!("I11: {line}"));
        }
        for event in [
            "effect.found_twice",
            "worker.panicked",
            "dead_letter.unwritable",
            "message.undecodable",
        ] {
            if line.contains(event) {
                violations.push(line.clone());
            }
        }
    }
    let uncalled = facts
        .log
        .iter()
        .find(|line| line.starts_with("(the suite)"));
    violations.extend(uncalled.cloned());
}
