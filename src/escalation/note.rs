//! The note in the incident: what the on-call engineer reads at 3 am.

use jiff::Timestamp;

use super::contract::Contract;
use super::conversation::Agent;
use super::dead_letter::DeadLetter;
use super::ids::{ConversationId, SessionId};
use super::key::Key;
use super::progress::{Context, Offer};
use super::session_link::SessionLink;

/// What a note tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The session is there.
    Ready,
    /// There is none: the escalation has died.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

/// The text by which a note of ours is found again. One per key and outcome, the same in every process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// The marker of the note that tells this outcome of this escalation.
    #[must_use]
    pub fn of(key: &Key, outcome: Outcome) -> Self {
        Self(format!("[escalator {}]", key.digest(outcome.as_str())))
    }

    /// The marker as it stands in the note.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a note's content carries this marker.
    #[must_use]
    pub fn is_in(&self, content: &str) -> bool {
        content.contains(&self.0)
    }
}

/// Where the notes' links to Genesys lead, and what else may be in a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteStyle {
    /// The address of the web client, such as `https://apps.mypurecloud.ie`.
    pub client: String,
    /// Whether join codes and viewer links, which admit whoever has them, go into a note.
    pub access_links: bool,
}

impl NoteStyle {
    /// The conversation's page in the web client. It asks for a login, so it may be told to anybody.
    fn page(&self, conversation: &ConversationId) -> String {
        let client = &self.client;
        format!("{client}/directory/#/engage/admin/interactions/{conversation}")
    }
}

/// What stands before a join code in a note. Whoever quotes this quotes a note.
const JOIN_CODE: &str = "Join code:";

/// A note as it is to be written, and what in it admits whoever has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NoteContent {
    text: String,
    access: Vec<SessionLink>,
}

impl NoteContent {
    /// Plain text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this text, somebody else's answer to the note, quotes what must stand nowhere else: a code or link of it, or the
    /// place where a code stands, for what follows may be cut off or written in another way.
    #[must_use]
    pub fn is_quoted_by(&self, text: &str) -> bool {
        // What was quoted twice has its slashes and quotes escaped.
        let text = text.replace('\\', "");
        let mut access = self.access.iter();
        text.contains(JOIN_CODE) || access.any(|secret| text.contains(secret.reveal()))
    }
}

impl From<String> for NoteContent {
    /// A note that admits nobody.
    fn from(text: String) -> Self {
        Self {
            text,
            access: Vec::new(),
        }
    }
}

/// What the note of a finished escalation is made of.
#[derive(Debug, Clone, Copy)]
pub struct NoteText<'a> {
    /// The escalation.
    pub key: &'a Key,
    /// What the incident is about.
    pub context: &'a Context,
    /// Who is connected; unknown when a session was running before us and nobody was.
    pub agent: Option<&'a Agent>,
    /// The session.
    pub offer: &'a Offer,
    /// Under `sessions`: the link by which a person joins. Under `conversation`: the code.
    pub link: Option<&'a SessionLink>,
    /// Under `conversation`: the link of the agent's side.
    pub viewer: Option<&'a SessionLink>,
    /// How it is told.
    pub style: &'a NoteStyle,
}

impl NoteText<'_> {
    /// The note, plain text. The first line is what PagerDuty's app shows in a list.
    #[must_use]
    pub fn render(&self) -> NoteContent {
        let mut lines = Vec::with_capacity(8);
        match self.offer {
            Offer::Ours {
                session,
                started_at,
                contract,
                shown,
                ends,
                ended,
            } => {
                match contract {
                    Contract::Sessions if *ended => lines.push(
                        "Cobrowse session attached; it has ended since.".to_owned(),
                    ),
                    Contract::Sessions => lines.push(match self.link {
                        Some(link) => format!("Cobrowse session ready: {}", link.reveal()),
                        None => "Cobrowse session ready. Genesys gave no link: open the conversation there to join it.".to_owned(),
                    }),
                    Contract::Conversation if *ended => lines.push(format!(
                        "Cobrowse session offered; it was declined or has ended since: {}",
                        self.style.page(&self.context.conversation)
                    )),
                    Contract::Conversation => self.push_offered(&mut lines, *shown, *ends),
                }
                lines.push(String::new());
                self.push_conversation(&mut lines);
                self.push_session(&mut lines, session, *started_at);
            }
            Offer::Running => {
                lines.push("A cobrowse session is already running in this conversation; no second one was started.".to_owned());
                lines.push(String::new());
                self.push_conversation(&mut lines);
            }
        }
        lines.push(String::new());
        lines.push(Marker::of(self.key, Outcome::Ready).as_str().to_owned());
        NoteContent {
            text: lines.join("\n"),
            access: [self.link, self.viewer]
                .into_iter()
                .flatten()
                .filter(|secret| !secret.reveal().is_empty())
                .cloned()
                .collect(),
        }
    }

    fn push_offered(&self, lines: &mut Vec<String>, shown: bool, ends: Option<Timestamp>) {
        let page = self.style.page(&self.context.conversation);
        lines.push(match shown {
            true => format!("Cobrowse session ready: {page}"),
            false => format!("Cobrowse session offered, not joined yet: {page}"),
        });
        lines.push(String::new());
        lines.push(
            "The customer accepts it in the Messenger, or on a call enters the join code; the agent joins from the interaction in Genesys."
                .to_owned(),
        );
        if let Some(ends) = ends.filter(|_| !shown) {
            lines.push(format!("The offer ends at {ends:.0}."));
        }
        if self.style.access_links {
            if let Some(code) = self.link {
                lines.push(format!("{JOIN_CODE} {}", code.reveal()));
            }
            if let Some(viewer) = self.viewer {
                lines.push(format!("Agent's view: {}", viewer.reveal()));
            }
        }
    }

    fn push_conversation(&self, lines: &mut Vec<String>) {
        lines.push(format!("Conversation: {}", self.context.conversation));
        if self.context.ambiguous {
            lines.push(
                "  (the incident's alerts name several conversations; this is the first)"
                    .to_owned(),
            );
        }
        match self.agent {
            Some(Agent {
                id,
                instead_of: None,
            }) => lines.push(format!("Agent: {id}")),
            Some(Agent {
                id,
                instead_of: Some(named),
            }) => lines.push(format!(
                "Agent: {id} (the alert named {named}, who is not connected)"
            )),
            None => lines.push("Agent: nobody is connected".to_owned()),
        }
    }

    fn push_session(&self, lines: &mut Vec<String>, session: &SessionId, started_at: Timestamp) {
        lines.push(format!("Session: {session}"));
        lines.push(format!("Started: {started_at:.0}"));
    }
}

/// What the note of a dead escalation is made of.
#[derive(Debug, Clone, Copy)]
pub struct FailureText<'a> {
    /// The escalation.
    pub key: &'a Key,
    /// Its dead letter.
    pub letter: &'a DeadLetter,
    /// The conversation, where one is known.
    pub conversation: Option<&'a ConversationId>,
}

/// A vendor's words are quoted up to here.
const REASON_CAP: usize = 1_000;

impl FailureText<'_> {
    /// The note, plain text. The first line is what PagerDuty's app shows in a list.
    #[must_use]
    pub fn render(&self) -> NoteContent {
        let letter = self.letter;
        let mut reason: String = letter.reason.chars().take(REASON_CAP).collect();
        if reason.len() < letter.reason.len() {
            reason.push('…');
        }
        let mut lines = vec![
            format!("No cobrowse link for this incident: {reason}"),
            String::new(),
            format!("What to do: {}", letter.hint),
        ];
        if let Some(conversation) = self.conversation {
            lines.push(format!("Conversation: {conversation}"));
        }
        lines.push(format!("Dead letter: {} ({})", letter.id, letter.code));
        lines.push(String::new());
        let marker = Marker::of(self.key, Outcome::Failed);
        lines.push(marker.as_str().to_owned());
        NoteContent::from(lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::escalation::{AgentId, IncidentId, Trigger};

    fn key() -> Key {
        Key::of(&IncidentId::parse("Q1").unwrap(), &Trigger::First)
    }

    fn style(access_links: bool) -> NoteStyle {
        NoteStyle {
            client: "https://apps.mypurecloud.ie".to_owned(),
            access_links,
        }
    }

    fn context() -> Context {
        Context {
            conversation: ConversationId::parse("2c9d6f0e").unwrap(),
            agent: None,
            ambiguous: false,
        }
    }

    #[test]
    fn the_note_reads_as_a_person_would_want_it_at_night() {
        let agent = Agent {
            id: AgentId::parse("agent-2").unwrap(),
            instead_of: Some(AgentId::parse("agent-1").unwrap()),
        };
        let offer = Offer::Ours {
            session: SessionId::parse("4b1f5f8e").unwrap(),
            started_at: "2026-11-20T03:04:05.678Z".parse().unwrap(),
            contract: Contract::Sessions,
            shown: true,
            ends: None,
            ended: false,
        };
        let link = SessionLink::new("https://join.example/4b1f".into());
        let text = NoteText {
            key: &key(),
            context: &context(),
            agent: Some(&agent),
            offer: &offer,
            link: Some(&link),
            viewer: None,
            style: &style(false),
        }
        .render();
        let marker = Marker::of(&key(), Outcome::Ready);
        let text = text.as_str();
        assert_eq!(
            text,
            format!(
                "Cobrowse session ready: https://join.example/4b1f\n\nConversation: 2c9d6f0e\nAgent: agent-2 (the alert named agent-1, who is not connected)\nSession: 4b1f5f8e\nStarted: 2026-11-20T03:04:05Z\n\n{}",
                marker.as_str()
            )
        );
        assert!(marker.is_in(text));
    }

    #[test]
    fn a_session_that_was_there_before_us_is_named_as_such_and_has_no_link() {
        let text = NoteText {
            key: &key(),
            context: &context(),
            agent: None,
            offer: &Offer::Running,
            link: None,
            viewer: None,
            style: &style(true),
        }
        .render();
        let text = text.as_str();
        assert!(text.contains("already running"));
        assert!(!text.contains("http"));
        assert!(Marker::of(&key(), Outcome::Ready).is_in(text));
    }

    fn offered(shown: bool, access_links: bool) -> String {
        note_of_an_offer(shown, access_links).as_str().to_owned()
    }

    fn note_of_an_offer(shown: bool, access_links: bool) -> NoteContent {
        let agent = Agent {
            id: AgentId::parse("agent-1").unwrap(),
            instead_of: None,
        };
        let offer = Offer::Ours {
            session: SessionId::parse("4b1f5f8e").unwrap(),
            started_at: "2026-11-20T03:04:05.678Z".parse().unwrap(),
            contract: Contract::Conversation,
            shown,
            ends: Some("2026-11-20T03:05:05Z".parse().unwrap()),
            ended: false,
        };
        let (code, viewer) = (
            SessionLink::new("482913".into()),
            SessionLink::new("https://view.example/4b1f".into()),
        );
        NoteText {
            key: &key(),
            context: &context(),
            agent: Some(&agent),
            offer: &offer,
            link: Some(&code),
            viewer: Some(&viewer),
            style: &style(access_links),
        }
        .render()
    }

    #[test]
    fn an_offer_that_nobody_has_joined_yet_is_told_as_that_with_its_end() {
        assert_eq!(
            offered(false, false),
            format!(
                "Cobrowse session offered, not joined yet: https://apps.mypurecloud.ie/directory/#/engage/admin/interactions/2c9d6f0e\n\nThe customer accepts it in the Messenger, or on a call enters the join code; the agent joins from the interaction in Genesys.\nThe offer ends at 2026-11-20T03:05:05Z.\n\nConversation: 2c9d6f0e\nAgent: agent-1\nSession: 4b1f5f8e\nStarted: 2026-11-20T03:04:05Z\n\n{}",
                Marker::of(&key(), Outcome::Ready).as_str()
            )
        );
    }

    #[test]
    fn what_admits_whoever_has_it_is_in_the_note_only_when_that_is_asked_for() {
        for shown in [false, true] {
            let (without, with) = (offered(shown, false), offered(shown, true));
            for secret in ["482913", "view.example"] {
                assert!(!without.contains(secret), "{without}");
                assert!(with.contains(secret), "{with}");
            }
        }
        assert!(offered(true, false).starts_with("Cobrowse session ready: https://apps."));
        assert!(!offered(true, false).contains("The offer ends"));
    }

    #[test]
    fn whoever_quotes_what_admits_somebody_is_noticed() {
        let note = note_of_an_offer(true, true);
        for quoting in [
            "content is not allowed: 482913",
            "see https://view.example/4b1f.",
            r#"{\"content\":\"https:\\/\\/view.example\\/4b1f\"}"#,
            // Cut off, or grouped for people.
            "Invalid content: … Join code: 48",
            "Join code: 482 913",
        ] {
            assert!(note.is_quoted_by(quoting), "{quoting}");
        }
        assert!(!note.is_quoted_by("Invalid Input Provided"));
        assert!(!NoteContent::from(String::new()).is_quoted_by("Content is too long"));
    }
}
