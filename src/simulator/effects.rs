//! The effect ledger: what really happened at the vendors, whatever anybody was told.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::clock::now_ms;

/// Everything that API calls brought about since the simulator started. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Effects {
    /// Access tokens issued.
    pub tokens_issued: u64,
    /// Cobrowse sessions created through the API, in order.
    pub sessions: Vec<Session>,
    /// Sessions attached, by conversation; more than one in a list is a double effect.
    pub attachments: BTreeMap<String, Vec<Attachment>>,
    /// Notes by incident, in order of their creation, with those that were deleted.
    pub notes: BTreeMap<String, Vec<Note>>,
    /// How many notes are not deleted, over all incidents.
    pub live_notes: usize,
    /// How many attachments there are, over all conversations.
    pub attached: usize,
    #[serde(skip)]
    by_id: HashMap<String, usize>,
}

/// A cobrowse session that was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// What its creator was given for a person to join: a link under `sessions`, a code under `conversation`.
    pub join_url: String,
    /// When it was created.
    pub created_at_ms: i64,
    /// The conversation that it is attached to; `None` is an orphan.
    pub conversation_id: Option<String>,
}

/// A session that was attached to a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// The conversation.
    pub conversation_id: String,
    /// The session.
    pub session_id: String,
    /// The id of the media entry.
    pub media_id: String,
    /// When.
    pub at_ms: i64,
}

/// A note of an incident, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Its id.
    pub id: String,
    /// Its text.
    pub content: String,
    /// When it was created.
    pub created_at_ms: i64,
    /// When it was last rewritten.
    pub updated_at_ms: Option<i64>,
    /// When it was deleted.
    pub deleted_at_ms: Option<i64>,
}

impl Session {
    /// Whether a note tells of it as it should: by its id, and by its link where it has one.
    pub fn is_told_in(&self, content: &str) -> bool {
        let has_link = self.join_url.starts_with("http");
        content.contains(&self.id) && (!has_link || content.contains(&self.join_url))
    }
}

impl Effects {
    /// The sessions attached to a conversation.
    pub fn attachments_of(&self, conversation_id: &str) -> &[Attachment] {
        self.attachments
            .get(conversation_id)
            .map_or(&[], Vec::as_slice)
    }

    /// The notes of an incident that are not deleted.
    pub fn notes_of(&self, incident_id: &str) -> Vec<&Note> {
        let notes = self.notes.get(incident_id).map_or(&[][..], Vec::as_slice);
        notes
            .iter()
            .filter(|note| note.deleted_at_ms.is_none())
            .collect()
    }

    /// Sessions that were created and never attached.
    pub fn orphans(&self) -> Vec<&Session> {
        self.sessions
            .iter()
            .filter(|session| session.conversation_id.is_none())
            .collect()
    }

    pub(super) fn add_session(&mut self, id: String, join_url: String) {
        self.by_id.insert(id.clone(), self.sessions.len());
        self.sessions.push(Session {
            id,
            join_url,
            created_at_ms: now_ms(),
            conversation_id: None,
        });
    }

    pub(super) fn session(&self, id: &str) -> Option<&Session> {
        self.by_id.get(id).and_then(|at| self.sessions.get(*at))
    }

    pub(super) fn attach(&mut self, conversation_id: &str, session_id: &str, media_id: &str) {
        if let Some(session) = self
            .by_id
            .get(session_id)
            .and_then(|at| self.sessions.get_mut(*at))
        {
            session.conversation_id = Some(conversation_id.to_owned());
        }
        self.attached += 1;
        self.attachments
            .entry(conversation_id.to_owned())
            .or_default()
            .push(Attachment {
                conversation_id: conversation_id.to_owned(),
                session_id: session_id.to_owned(),
                media_id: media_id.to_owned(),
                at_ms: now_ms(),
            });
    }

    pub(super) fn add_note(&mut self, incident_id: &str, id: String, content: String) -> Note {
        let note = Note {
            id,
            content,
            created_at_ms: now_ms(),
            updated_at_ms: None,
            deleted_at_ms: None,
        };
        self.live_notes += 1;
        self.notes
            .entry(incident_id.to_owned())
            .or_default()
            .push(note.clone());
        note
    }

    fn live_note(&mut self, incident_id: &str, id: &str) -> Option<&mut Note> {
        let notes = self.notes.get_mut(incident_id)?;
        notes
            .iter_mut()
            .find(|note| note.id == id && note.deleted_at_ms.is_none())
    }

    pub(super) fn update_note(
        &mut self,
        incident_id: &str,
        id: &str,
        content: String,
    ) -> Option<Note> {
        let note = self.live_note(incident_id, id)?;
        note.content = content;
        note.updated_at_ms = Some(now_ms());
        Some(note.clone())
    }

    /// Whether there was such a note.
    pub(super) fn delete_note(&mut self, incident_id: &str, id: &str) -> bool {
        let Some(note) = self.live_note(incident_id, id) else {
            return false;
        };
        note.deleted_at_ms = Some(now_ms());
        self.live_notes -= 1;
        true
    }
}
