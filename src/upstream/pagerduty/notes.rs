//! `/incidents/{id}/notes`.

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::super::call::{CallError, Operation};
use super::PagerDuty;
use crate::escalation::{IncidentId, Marker, NoteId};

#[derive(Deserialize)]
struct NoteAnswer {
    note: Note,
}

#[derive(Deserialize)]
struct NotesAnswer {
    notes: Vec<Note>,
}

#[derive(Deserialize)]
struct Note {
    id: String,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    created_at: Option<String>,
}

impl Note {
    fn id(&self) -> Result<NoteId, CallError> {
        NoteId::parse(&self.id)
            .map_err(|e| CallError::unknown(format!("the note's answer has {e}")))
    }

    fn created_at(&self) -> Option<Timestamp> {
        self.created_at.as_deref()?.parse().ok()
    }
}

pub(super) async fn write(
    pagerduty: &PagerDuty,
    incident: &IncidentId,
    content: &str,
) -> Result<NoteId, CallError> {
    let url = pagerduty.url(&["incidents", incident.as_str(), "notes"]);
    let request = pagerduty
        .request(Method::POST, url)
        .json(&json!({"note": {"content": content}}));
    let reply = pagerduty.call(Operation::WriteNote, request).await?;
    reply.json::<NoteAnswer>()?.note.id()
}

pub(super) async fn find(
    pagerduty: &PagerDuty,
    incident: &IncidentId,
    marker: &Marker,
) -> Result<Option<(NoteId, usize)>, CallError> {
    let url = pagerduty.url(&["incidents", incident.as_str(), "notes"]);
    let request = pagerduty.request(Method::GET, url);
    let reply = pagerduty.call(Operation::ReadNotes, request).await?;
    let mut ours: Vec<Note> = reply.json::<NotesAnswer>()?.notes;
    ours.retain(|note| note.content.as_deref().is_some_and(|c| marker.is_in(c)));
    // A note whose time cannot be read sorts first: it is kept rather than called a duplicate.
    ours.sort_by_key(Note::created_at);
    let count = ours.len();
    ours.first().map(|note| Ok((note.id()?, count))).transpose()
}
