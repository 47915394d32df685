//! What an escalation is made from, and how long it may take.

use std::time::Duration;

use super::faults::shown;
use super::reader::Reader;

/// Nothing is forgotten sooner: a replay by hand may take a weekend and a holiday, and must still find what was done.
const SHORTEST_RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);

/// Settings of an escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The fields of the alert's custom details that may hold the conversation, the first one that is there counts;
    /// at least one.
    pub conversation_fields: Vec<String>,
    /// The fields that may hold the agent, the first one that is there counts; at least one.
    pub agent_fields: Vec<String>,
    /// How old an escalation may become.
    pub expires_after: Duration,
    /// How long to wait for an agent. Not longer than `expires_after`.
    pub agent_wait: Duration,
    /// How long what has ended is kept. A week at least, and longer than `expires_after`.
    pub retention: Duration,
}

impl Escalation {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let conversation_fields = reader.list("escalation.conversation_fields");
        let agent_fields = reader.list("escalation.agent_fields");
        let expires_after = reader.duration("escalation.expires_after");
        let agent_wait = reader.duration("escalation.agent_wait");
        let retention = reader.kept_for("escalation.retention");
        let escalation = Self {
            conversation_fields: conversation_fields?,
            agent_fields: agent_fields?,
            expires_after: expires_after?,
            agent_wait: agent_wait?,
            retention: retention?,
        };
        escalation.check(reader);
        Some(escalation)
    }

    fn check(&self, reader: &mut Reader<'_>) {
        if let Some(field) = self
            .agent_fields
            .iter()
            .find(|f| self.conversation_fields.contains(*f))
        {
            let name = shown(field);
            let problem = format!("has {name}, which escalation.conversation_fields has too");
            let advice = "one field cannot hold both ids: take it out of one of the lists";
            reader.fault("escalation.agent_fields", problem, advice);
        }
        if self.agent_wait > self.expires_after {
            let (wait, expiry) = (self.agent_wait, self.expires_after);
            let problem = format!("is {wait:?}, longer than escalation.expires_after, {expiry:?}");
            let advice = "make it shorter, or no escalation will ever have waited for so long";
            reader.fault("escalation.agent_wait", problem, advice);
        }
        if self.retention < SHORTEST_RETENTION {
            let problem = format!("is {:?}, less than 7 days", self.retention);
            let advice = "make it 7d or more: whatever comes again later would be taken for new";
            reader.fault("escalation.retention", problem, advice);
        }
        if self.retention <= self.expires_after.saturating_mul(2) {
            let (retention, expiry) = (self.retention, self.expires_after);
            let problem = format!(
                "is {retention:?}, not longer than twice escalation.expires_after, {expiry:?}"
            );
            let advice = "make it longer: what is forgotten sooner could be done twice";
            reader.fault("escalation.retention", problem, advice);
        }
    }
}
