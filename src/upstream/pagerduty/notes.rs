//! `/incidents/{id}/notes` and `/incidents/{id}/notes/{note_id}`.

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::super::call::{CallError, Operation};
use super::super::http::Reply;
use super::super::lenient::{Field, Object};
use super::{PagerDuty, errors};
use crate::escalation::{IncidentId, Marker, NoteContent, NoteId};

#[derive(Deserialize)]
struct NoteAnswer {
    note: Note,
}

/// The list has to be one. What stands in it is looked at one by one.
#[derive(Deserialize)]
struct NotesAnswer {
    notes: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Note {
    id: String,
    #[serde(default)]
    content: Field<String>,
    #[serde(default)]
    created_at: Field<String>,
}

impl Note {
    fn id(&self) -> Result<NoteId, CallError> {
        NoteId::parse(&self.id)
            .map_err(|e| CallError::unknown(format!("the note's answer has {e}")))
    }

    fn created_at(&self) -> Option<Timestamp> {
        self.created_at.text()?.parse().ok()
    }
}

pub(super) async fn write(
    pagerduty: &PagerDuty,
    incident: &IncidentId,
    content: &NoteContent,
) -> Result<NoteId, CallError> {
    let url = pagerduty.url(&["incidents", incident.as_str(), "notes"]);
    let request = pagerduty.request(Method::POST, url);
    put_in(pagerduty, Operation::WriteNote, request, content).await
}

pub(super) async fn rewrite(
    pagerduty: &PagerDuty,
    incident: &IncidentId,
    note: &NoteId,
    content: &NoteContent,
) -> Result<NoteId, CallError> {
    let url = pagerduty.url(&["incidents", incident.as_str(), "notes", note.as_str()]);
    let request = pagerduty.request(Method::PUT, url);
    put_in(pagerduty, Operation::RewriteNote, request, content).await
}

/// Both say the same and are answered alike.
async fn put_in(
    pagerduty: &PagerDuty,
    operation: Operation,
    request: RequestBuilder,
    content: &NoteContent,
) -> Result<NoteId, CallError> {
    let request = request.json(&json!({"note": {"content": content.as_str()}}));
    let failure = |reply: &Reply| errors::failure_of_a_note(operation, reply, content);
    let reply = pagerduty.exchange(operation, request, failure).await?;
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
    first_of(&reply.json::<NotesAnswer>()?, marker)
}

/// Other people's notes may be of any shape. One of ours that cannot be read is there all the same: the answer is of no use
/// then, or a second one would be written.
fn first_of(answer: &NotesAnswer, marker: &Marker) -> Result<Option<(NoteId, usize)>, CallError> {
    let mut ours: Vec<Note> = Vec::new();
    let mut unreadable = false;
    for item in &answer.notes {
        let note = serde_json::from_str::<Object<Note>>(item.get());
        match note.map(|Object(note)| note) {
            Ok(note) if note.content != Field::Foreign => {
                let is_ours = note.content.text().is_some_and(|text| marker.is_in(text));
                ours.extend(is_ours.then_some(note));
            }
            Ok(_) | Err(_) => unreadable |= marker.is_in(item.get()),
        }
    }
    if ours.is_empty() && unreadable {
        return Err(CallError::unknown(
            "the note that carries our marker cannot be read",
        ));
    }
    // A note whose time cannot be read sorts first: it is kept rather than called a duplicate.
    ours.sort_by_key(Note::created_at);
    let count = ours.len();
    ours.first().map(|note| Ok((note.id()?, count))).transpose()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::escalation::{IncidentId, Key, NoteOutcome, Trigger};
    use serde_json::Value;

    fn marker() -> Marker {
        let key = Key::of(&IncidentId::parse("Q1").unwrap(), &Trigger::First);
        Marker::of(&key, NoteOutcome::Ready)
    }

    fn found(notes: &Value) -> Result<Option<(String, usize)>, CallError> {
        let answer = json!({"notes": notes}).to_string();
        let answer: NotesAnswer = serde_json::from_str(&answer).unwrap();
        let found = first_of(&answer, &marker())?;
        Ok(found.map(|(id, count)| (id.to_string(), count)))
    }

    #[test]
    fn a_note_of_an_odd_shape_hides_no_other() {
        let ours = json!({"id": "PN1", "content": format!("ready\n{}", marker().as_str()), "created_at": 7, "user": 7});
        let odd = [
            json!(7),
            json!(null),
            json!(["PN0"]),
            json!({"id": 7}),
            json!({"id": "PN0", "content": ["words"]}),
        ];
        assert_eq!(found(&json!(odd)).unwrap(), None);
        let mut all = odd.to_vec();
        all.push(ours);
        assert_eq!(found(&json!(all)).unwrap(), Some(("PN1".to_owned(), 1)));
    }

    #[test]
    fn one_of_ours_that_cannot_be_read_is_not_taken_for_none() {
        let text = marker().as_str().to_owned();
        for odd in [
            json!(text),
            json!({"id": 7, "content": text}),
            json!({"id": "PN1", "content": [text]}),
        ] {
            let error = found(&json!([odd])).unwrap_err();
            assert!(error.may_have_taken_effect(), "{odd}");
        }
    }

    #[test]
    fn without_a_list_there_is_no_answer() {
        for answer in ["{}", r#"{"notes":null}"#, r#"{"notes":{}}"#] {
            assert!(
                serde_json::from_str::<NotesAnswer>(answer).is_err(),
                "{answer}"
            );
        }
    }

    #[test]
    fn of_the_answer_with_a_new_note_only_its_id_is_needed() {
        let answer = json!({"note": {"id": "PN1", "content": 7, "created_at": ["now"]}});
        let answer: NoteAnswer = serde_json::from_value(answer).unwrap();
        assert_eq!(answer.note.id().unwrap().as_str(), "PN1");
    }
}
