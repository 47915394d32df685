//! Notes of an incident: list, create, rewrite, delete.

use serde_json::{Value, json};

use super::{error, not_found};
use crate::simulator::{
    clock::with_offset_ms,
    config::Config,
    effects::Note,
    reply::{Answer, Call},
    state::State,
    webhook::user,
};

/// The longest note, in single-byte characters.
const CONTENT_LIMIT: usize = 65_535;

/// All notes, newest first; there are no pages.
pub(super) fn list(state: &State, incident: &str) -> Answer {
    if !state.incidents.contains_key(incident) {
        return not_found();
    }
    let notes = state.effects.notes_of(incident);
    let notes: Vec<_> = notes.into_iter().rev().map(body).collect();
    Answer::json(200, json!({ "notes": notes }))
}

pub(super) fn create(state: &mut State, config: &Config, call: &Call, incident: &str) -> Answer {
    let content = match content(config, call) {
        Ok(content) => content,
        Err(refused) => return refused,
    };
    let Some(found) = state.incidents.get_mut(incident) else {
        return not_found();
    };
    if found.live_notes >= config.note_limit {
        let limit = format!("Incident already has {} notes", config.note_limit);
        return error(400, 2019, "Product limit reached", &[&limit]);
    }
    found.live_notes += 1;
    let id = state.ids.note();
    let note = state.effects.add_note(incident, id, content);
    Answer::json(200, json!({ "note": body(&note) }))
}

pub(super) fn update(state: &mut State, config: &Config, call: &Call, incident: &str) -> Answer {
    let content = match content(config, call) {
        Ok(content) => content,
        Err(refused) => return refused,
    };
    let note_id = call.route.note_id.as_deref().unwrap_or_default();
    match state.effects.update_note(incident, note_id, content) {
        Some(note) => Answer::json(200, json!({ "note": body(&note) })),
        None => not_found(),
    }
}

pub(super) fn delete(state: &mut State, call: &Call, incident: &str) -> Answer {
    let note_id = call.route.note_id.as_deref().unwrap_or_default();
    if !state.effects.delete_note(incident, note_id) {
        return not_found();
    }
    if let Some(found) = state.incidents.get_mut(incident) {
        found.live_notes = found.live_notes.saturating_sub(1);
    }
    Answer::empty(204)
}

/// The text of the note in a write, or why the write is refused.
fn content(config: &Config, call: &Call) -> Result<String, Answer> {
    let invalid = |why: &str| error(400, 2001, "Invalid Input Provided", &[why]);
    if !call.is("application/json") {
        return Err(invalid("params must be a Hash"));
    }
    match call.header("from").map(str::trim) {
        None | Some("") => {
            let message = "You must specify a user's email address in the \"From\" header to perform this action";
            return Err(error(400, 2016, message, &[]));
        }
        Some(from) if !from.contains('@') => {
            return Err(error(400, 1028, "Malformed \"From\" header", &[]));
        }
        Some(from) if from != config.from_email => {
            return Err(error(400, 1008, "Requester User Not Found", &[]));
        }
        Some(_) => {}
    }
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&call.body) else {
        return Err(invalid("params must be a Hash"));
    };
    let Some(note) = body.get("note").and_then(Value::as_object) else {
        return Err(invalid("Note must be a Hash"));
    };
    match note.get("content").and_then(Value::as_str) {
        None | Some("") => Err(invalid("Content cannot be empty")),
        Some(text) if text.len() > CONTENT_LIMIT => {
            Err(invalid("Content is too long (maximum is 65535 characters)"))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

fn body(note: &Note) -> Value {
    json!({
        "id": note.id,
        "user": user(),
        "channel": { "summary": "The PagerDuty website or APIs" },
        "content": note.content,
        "created_at": with_offset_ms(note.created_at_ms),
        "updated_at": with_offset_ms(note.updated_at_ms.unwrap_or(note.created_at_ms)),
    })
}
