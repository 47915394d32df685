//! What is escalated while the crashes happen.

use escalator::simulator::{CobrowseApi, Config, ConversationSpec, IncidentSpec, Webhook};

use crate::support::world::{Case, World};

/// What comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// One incident about one conversation.
    Single,
    /// Two incidents about one conversation, one right after the other.
    TwoIncidents,
    /// An incident that is opened again at once.
    Reopened,
    /// An incident that is resolved at once: what was not asked for yet is cancelled.
    Resolved,
    /// A conversation that takes no cobrowse: a dead letter.
    Refused,
    /// One incident, at a Genesys that speaks the published contract: one call makes the session and offers it.
    Offered,
}

/// What was opened for a run.
pub(crate) struct Opened {
    pub(crate) cases: Vec<Case>,
    /// In the order of their delivery.
    pub(crate) webhooks: Vec<Webhook>,
}

/// What a run may come to.
pub(crate) struct Expected {
    /// Notes of each incident when all goes to its end.
    pub(crate) notes: usize,
    /// Whether it may end without session, note and dead letter.
    pub(crate) may_be_cancelled: bool,
    /// Whether a dead letter is the only end.
    pub(crate) dead: bool,
}

impl Scenario {
    pub(crate) const ALL: [Self; 6] = [
        Self::Single,
        Self::TwoIncidents,
        Self::Reopened,
        Self::Resolved,
        Self::Refused,
        Self::Offered,
    ];

    /// The world that it happens in.
    pub(crate) fn config(self) -> Config {
        let cobrowse_api = match self {
            Self::Single | Self::TwoIncidents | Self::Reopened | Self::Resolved | Self::Refused => {
                CobrowseApi::Sessions
            }
            Self::Offered => CobrowseApi::Conversation,
        };
        Config {
            cobrowse_api,
            ..Config::default()
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::TwoIncidents => "two incidents",
            Self::Reopened => "reopened",
            Self::Resolved => "resolved",
            Self::Refused => "no cobrowse",
            Self::Offered => "offered",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut found = Self::ALL.into_iter().filter(|one| one.name() == name);
        found
            .next()
            .unwrap_or_else(|| panic!("there is no scenario {name:?}"))
    }

    pub(crate) fn open(self, world: &World) -> Opened {
        let case = match self {
            Self::Single | Self::TwoIncidents | Self::Reopened | Self::Resolved | Self::Offered => {
                world.case()
            }
            Self::Refused => world.case_with(ConversationSpec {
                cobrowse: false,
                ..ConversationSpec::with_agent("agent-1")
            }),
        };
        let mut cases = vec![case.clone()];
        let mut webhooks = vec![world.trigger(&case)];
        match self {
            Self::Single | Self::Refused | Self::Offered => {}
            Self::TwoIncidents => {
                let spec = IncidentSpec::about(case.conversation.clone());
                let second = Case {
                    incident: world.simulator.open_incident(spec),
                    conversation: case.conversation,
                };
                webhooks.push(world.trigger(&second));
                cases.push(second);
            }
            Self::Reopened => {
                webhooks.push(world.simulator.webhook(&case.incident, "incident.reopened"));
            }
            Self::Resolved => {
                webhooks.push(world.simulator.webhook(&case.incident, "incident.resolved"));
            }
        }
        Opened { cases, webhooks }
    }

    pub(crate) fn expected(self) -> Expected {
        Expected {
            notes: if self == Self::Reopened { 2 } else { 1 },
            may_be_cancelled: self == Self::Resolved,
            dead: self == Self::Refused,
        }
    }
}
