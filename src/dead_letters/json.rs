//! Letters, replays and deeds as JSON: one shape each, for the command line and for the HTTP routes. Names are stable: scripts
//! quote them, and `openapi.json` of the admin listener describes them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::escalation::{Entry, Step};
use crate::ledger::{
    Audited, EntryOutcome, Ground, Letter, LetterGroup, Outlook, Replay, ReplayEntry, outlook,
};

/// A letter as a list has it. Every field is there, `null` where there is nothing to say.
#[must_use]
pub fn letter(kept: &Letter) -> Value {
    let letter = &kept.letter;
    let start = letter.start().map(|(_, start)| start);
    json!({
        "type": "dead_letter",
        "id": letter.id,
        "state": state(kept),
        "code": letter.code.as_str(),
        "reason": letter.reason,
        "hint": letter.hint,
        "theme": letter.theme(),
        "origin": letter.origin.as_str(),
        "incident": kept.incident,
        "conversation": kept.conversation,
        "service": start.and_then(|start| start.service_id.as_ref()),
        "key": letter.key,
        "attempts": letter.attempts,
        "cycle": start.map(|start| start.cycle),
        "follows": letter.follows,
        "died_at": letter.died_at,
        "kept_at": kept.kept_at,
        "replay": kept.claimed_by,
        "closed": kept.closed,
        "told": kept.notice,
    })
}

/// The same with everything: the message, or the bytes.
#[must_use]
pub fn whole(kept: &Letter) -> Value {
    let mut value = letter(kept);
    if let Some(object) = value.as_object_mut() {
        object.insert("message".to_owned(), json!(kept.letter.message));
        object.insert("raw".to_owned(), json!(kept.letter.raw));
    }
    value
}

/// What is shown of a letter alone: everything, its history, and what the ledger says of a replay.
#[must_use]
pub fn shown(ground: &Ground, history: &[Entry]) -> Value {
    let mut value = whole(&ground.letter);
    if let Some(object) = value.as_object_mut() {
        object.insert("history".to_owned(), json!(history));
        object.insert("outlook".to_owned(), json!(outlook_in_words(ground)));
    }
    value
}

/// Open, in a replay, or how it was closed.
#[must_use]
pub fn state(kept: &Letter) -> &'static str {
    match (&kept.closed, &kept.claimed_by) {
        (Some(closed), _) => closed.how.as_str(),
        (None, Some(_)) => "in_replay",
        (None, None) => "open",
    }
}

/// Letters of one code and theme.
#[must_use]
pub fn group(group: &LetterGroup) -> Value {
    json!({
        "type": "group",
        "code": group.code.as_str(),
        "reason": group.theme,
        "hint": group.code.hint(),
        "count": group.count,
        "oldest": group.oldest,
        "newest": group.newest,
    })
}

/// A replay, with its counts.
#[must_use]
pub fn replay(replay: &Replay) -> Value {
    let counts = &replay.counts;
    json!({
        "type": "replay",
        "id": replay.id,
        "state": replay.state.as_str(),
        "what": replay.what,
        "by": replay.entered.by,
        "why": replay.entered.why,
        "per_minute": replay.per_minute,
        "began_at": replay.began_at,
        "ended_at": replay.ended_at,
        "driver": replay.driver.as_ref().map(|(driver, _)| driver),
        "letters": counts.all(),
        "replayed": counts.replayed,
        "nothing_to_do": counts.nothing,
        "refused": counts.refused,
        "let_go": counts.let_go,
        "left": counts.left(),
    })
}

/// An entry of a replay.
#[must_use]
pub fn entry(replay: &str, entry: &ReplayEntry) -> Value {
    json!({
        "type": "replay_entry",
        "replay": replay,
        "number": entry.number,
        "letter": entry.letter,
        "stage": entry.stage.as_str(),
        "outcome": entry.outcome.map(EntryOutcome::as_str),
        "detail": entry.detail,
    })
}

/// What the ledger alone says of a replay. A plan asks the vendors too.
#[must_use]
pub fn outlook_in_words(ground: &Ground) -> String {
    let known = ground
        .escalation
        .as_ref()
        .map(|known| (known, ground.cycle));
    if ground.letter.closed.is_some() {
        return "it is closed".to_owned();
    }
    if let Some(why) = &ground.unreadable {
        return format!("would be refused: its escalation cannot be read: {why}");
    }
    match outlook(&ground.letter.letter, known, Timestamp::now()) {
        Outlook::Nothing(why) => format!("nothing to do: {why}"),
        Outlook::Refused(why) => format!("would be refused: {why}"),
        Outlook::Free(_) => {
            let progress = ground.escalation.as_ref().map(|known| &known.progress);
            let step = match progress {
                Some(progress) if progress.note.asked() => Step::Note,
                Some(progress) if progress.context.is_some() => Step::Session,
                Some(_) | None => Step::Context,
            };
            format!(
                "would begin at {}; `escalator dead-letters plan --id {}` asks the vendors too",
                step.as_str(),
                ground.letter.letter.id
            )
        }
    }
}

/// A line of the audit.
#[must_use]
pub fn deed(line: &Audited) -> Value {
    json!({
        "type": "deed",
        "number": line.number,
        "at": line.at,
        "action": line.entered.deed.as_str(),
        "by": line.entered.by,
        "from": line.entered.from,
        "why": line.entered.why,
        "what": line.entered.what,
        "result": line.entered.result,
    })
}
