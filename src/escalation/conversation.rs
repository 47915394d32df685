//! A Genesys conversation as far as an escalation cares, whichever contract it was read through.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{AgentId, SessionId};
use super::session_link::SessionLink;

/// What one read of the conversation said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conversation {
    /// It has ended: nothing can be offered in it any more.
    pub over: bool,
    /// Agents that are connected at this moment, each once.
    pub agents: Vec<AgentSeen>,
    /// Cobrowse sessions that are live at this moment, ours or not.
    pub cobrowse: Vec<LiveCobrowse>,
    /// Cobrowse sessions that were live once, as far as it still shows them.
    pub ended: Vec<SessionId>,
}

/// An agent who is connected to the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSeen {
    /// The user.
    pub id: AgentId,
    /// Since when, where the conversation says so.
    pub since: Option<Timestamp>,
}

/// A cobrowse session that the conversation shows as live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCobrowse {
    /// Its session, where it could be read.
    pub session: Option<SessionId>,
    /// Somebody has joined it. One that is shown before that is an offer that is shown, which not every Genesys may do.
    pub joined: bool,
    /// What admits whoever opens it to the agent's side, where the conversation shows such a thing.
    pub viewer: Option<SessionLink>,
}

impl LiveCobrowse {
    /// Something that may be a session and cannot be read. It is live, for to take it for none would put a second offer
    /// before the customer; and joined, for it proves nothing about offers.
    #[must_use]
    pub fn unreadable() -> Self {
        Self {
            session: None,
            joined: true,
            viewer: None,
        }
    }
}

impl Conversation {
    /// Whether this session is live in the conversation.
    #[must_use]
    pub fn shows(&self, session: &SessionId) -> bool {
        self.times_shown(session) > 0
    }

    /// Whether it shows this session in any way: it was there, whatever became of it.
    #[must_use]
    pub fn has_had(&self, session: &SessionId) -> bool {
        self.shows(session) || self.ended.contains(session)
    }

    /// Every session that it shows in any way, live ones first; those only that could be read.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionId> {
        let live = self
            .cobrowse
            .iter()
            .filter_map(|live| live.session.as_ref());
        live.chain(&self.ended)
    }

    /// How often this session is live in the conversation. More than once, it was attached twice.
    #[must_use]
    pub fn times_shown(&self, session: &SessionId) -> usize {
        let ours = |live: &&LiveCobrowse| live.session.as_ref() == Some(session);
        self.cobrowse.iter().filter(ours).count()
    }
}

/// The agent an escalation is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Who is connected.
    pub id: AgentId,
    /// Whom the alert named, when that one is not (or no longer) connected. The note says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<AgentId>,
}

/// The agent to work with: the named one while connected, else whoever is connected now (of several, the one who
/// came last: a transfer adds the new agent before the old one leaves). `None`: nobody is connected yet.
#[must_use]
pub fn choose_agent(named: Option<&AgentId>, conversation: &Conversation) -> Option<Agent> {
    if let Some(named) = named
        && conversation.agents.iter().any(|seen| seen.id == *named)
    {
        return Some(Agent {
            id: named.clone(),
            instead_of: None,
        });
    }
    // `max_by_key` takes the last of equals, and Genesys lists the newest participant last.
    conversation
        .agents
        .iter()
        .max_by_key(|seen| seen.since)
        .map(|seen| Agent {
            id: seen.id.clone(),
            instead_of: named.cloned(),
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn agent(id: &str) -> AgentId {
        AgentId::parse(id).unwrap()
    }

    fn conversation(agents: &[(&str, Option<i64>)]) -> Conversation {
        Conversation {
            agents: agents
                .iter()
                .map(|(id, since)| AgentSeen {
                    id: agent(id),
                    since: since.map(|s| Timestamp::from_second(s).unwrap()),
                })
                .collect(),
            ..Conversation::default()
        }
    }

    #[test]
    fn a_named_agent_who_is_connected_is_kept() {
        let there = conversation(&[("a", Some(1)), ("b", Some(2))]);
        let chosen = choose_agent(Some(&agent("a")), &there).unwrap();
        assert_eq!(chosen.id, agent("a"));
        assert_eq!(chosen.instead_of, None);
    }

    #[test]
    fn without_the_named_agent_the_connected_one_is_taken_and_that_is_remembered() {
        let there = conversation(&[("b", Some(1))]);
        let chosen = choose_agent(Some(&agent("a")), &there).unwrap();
        assert_eq!(chosen.id, agent("b"));
        assert_eq!(chosen.instead_of, Some(agent("a")));
    }

    #[test]
    fn of_several_the_one_who_came_last_is_taken_and_of_equals_the_last_listed() {
        let there = conversation(&[("a", Some(5)), ("b", Some(9)), ("c", Some(2))]);
        assert_eq!(choose_agent(None, &there).unwrap().id, agent("b"));
        let unknown = conversation(&[("a", None), ("b", None)]);
        assert_eq!(choose_agent(None, &unknown).unwrap().id, agent("b"));
    }

    #[test]
    fn nobody_connected_is_nobody() {
        assert_eq!(choose_agent(Some(&agent("a")), &conversation(&[])), None);
    }
}
