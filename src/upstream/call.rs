//! What a call can come to.

use std::time::Duration;

use super::limits::{PROBE, Trouble};
use crate::escalation::{Code, Cost, Setback, Wait};

/// A vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// Genesys Cloud.
    Genesys,
    /// PagerDuty.
    PagerDuty,
}

impl Vendor {
    /// The name used in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Genesys => "genesys",
            Self::PagerDuty => "pagerduty",
        }
    }

    fn unavailable(self) -> Code {
        match self {
            Self::Genesys => Code::GenesysUnavailable,
            Self::PagerDuty => Code::PagerdutyUnavailable,
        }
    }

    fn credentials(self) -> Code {
        match self {
            Self::Genesys => Code::GenesysCredentials,
            Self::PagerDuty => Code::PagerdutyCredentials,
        }
    }

    fn conflict(self) -> Code {
        match self {
            Self::Genesys => Code::GenesysConflict,
            Self::PagerDuty => Code::PagerdutyRefused,
        }
    }

    fn throttled(self) -> Code {
        match self {
            Self::Genesys => Code::GenesysThrottled,
            Self::PagerDuty => Code::PagerdutyThrottled,
        }
    }
}

/// What a call's path names, by which "not found" and "forbidden" are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Nothing that could be unknown, or something that was read a moment ago: "not found" is said of the route itself.
    Route,
    /// A conversation.
    Conversation,
    /// An incident.
    Incident,
    /// A webhook subscription, or the service or team that one is to be of.
    Subscription,
}

/// Every call that this program can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// An OAuth token.
    Token,
    /// Read a conversation.
    ReadConversation,
    /// Create a cobrowse session.
    CreateSession,
    /// Offer a cobrowse session in a conversation.
    OfferSession,
    /// Attach a session to a conversation.
    AttachMedia,
    /// Read an incident's alerts.
    ReadAlerts,
    /// Read an incident's own body.
    ReadIncident,
    /// List the account's incidents.
    ListIncidents,
    /// Read an incident's notes.
    ReadNotes,
    /// Write a note.
    WriteNote,
    /// Put another text into a note of ours.
    RewriteNote,
    /// Read what the account may do: whether the key is good.
    ReadAbilities,
    /// Read the account's webhook subscriptions.
    ReadSubscriptions,
    /// Make a webhook subscription.
    CreateSubscription,
    /// Enable a webhook subscription that PagerDuty has switched off.
    EnableSubscription,
    /// Have PagerDuty send its test event.
    PingSubscription,
}

impl Operation {
    /// The name used in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ReadConversation => "read_conversation",
            Self::CreateSession => "create_session",
            Self::OfferSession => "offer_session",
            Self::AttachMedia => "attach_media",
            Self::ReadAlerts => "read_alerts",
            Self::ReadIncident => "read_incident",
            Self::ListIncidents => "list_incidents",
            Self::ReadNotes => "read_notes",
            Self::WriteNote => "write_note",
            Self::RewriteNote => "rewrite_note",
            Self::ReadAbilities => "read_abilities",
            Self::ReadSubscriptions => "read_subscriptions",
            Self::CreateSubscription => "create_subscription",
            Self::EnableSubscription => "enable_subscription",
            Self::PingSubscription => "ping_subscription",
        }
    }

    /// Whether it is one of those whose effect must be known: most must take effect once.
    pub(super) fn writes(self) -> bool {
        match self {
            Self::CreateSession
            | Self::OfferSession
            | Self::AttachMedia
            | Self::WriteNote
            // Done twice it leaves what it leaves done once, but whether it was done has to be known all the same: where it was
            // not, the note tells of a failure that is over.
            | Self::RewriteNote
            | Self::CreateSubscription => true,
            Self::Token
            | Self::ReadConversation
            | Self::ReadAlerts
            | Self::ReadIncident
            | Self::ListIncidents
            | Self::ReadNotes
            | Self::ReadAbilities
            | Self::ReadSubscriptions
            // Done twice, they leave what they leave done once.
            | Self::EnableSubscription
            | Self::PingSubscription => false,
        }
    }

    /// What a refusal of it is about.
    pub(super) fn subject(self) -> Subject {
        match self {
            // The conversation was read a moment before, so it is the route that is not there; or, where that has worked, the
            // conversation has just ended.
            Self::OfferSession => Subject::Route,
            Self::Token
            | Self::CreateSession
            | Self::ListIncidents
            | Self::ReadAbilities
            | Self::ReadSubscriptions => Subject::Route,
            Self::ReadConversation | Self::AttachMedia => Subject::Conversation,
            // Or the note in it, which is gone then.
            Self::RewriteNote => Subject::Incident,
            Self::ReadAlerts | Self::ReadIncident | Self::ReadNotes | Self::WriteNote => {
                Subject::Incident
            }
            Self::CreateSubscription | Self::EnableSubscription | Self::PingSubscription => {
                Subject::Subscription
            }
        }
    }

    /// Whether it is the call that puts cobrowse into the conversation: if that is bad to ask for, cobrowse is not possible.
    pub(super) fn offers(self) -> bool {
        match self {
            Self::OfferSession | Self::AttachMedia => true,
            Self::Token
            | Self::ReadConversation
            | Self::CreateSession
            | Self::ReadAlerts
            | Self::ReadIncident
            | Self::ListIncidents
            | Self::ReadNotes
            | Self::WriteNote
            | Self::RewriteNote
            | Self::ReadAbilities
            | Self::ReadSubscriptions
            | Self::CreateSubscription
            | Self::EnableSubscription
            | Self::PingSubscription => false,
        }
    }

    /// What its failure without an answer costs.
    fn cost(self) -> Cost {
        match self {
            Self::CreateSession
            | Self::OfferSession
            | Self::AttachMedia
            | Self::WriteNote
            | Self::RewriteNote => Cost::Attempt,
            Self::Token
            | Self::ReadConversation
            | Self::ReadAlerts
            | Self::ReadIncident
            | Self::ListIncidents
            | Self::ReadNotes
            | Self::ReadAbilities
            | Self::ReadSubscriptions
            // No escalation makes these; a person does.
            | Self::CreateSubscription
            | Self::EnableSubscription
            | Self::PingSubscription => Cost::Free,
        }
    }

    /// Whom it asks.
    #[must_use]
    pub fn vendor(self) -> Vendor {
        match self {
            Self::Token
            | Self::ReadConversation
            | Self::CreateSession
            | Self::OfferSession
            | Self::AttachMedia => Vendor::Genesys,
            Self::ReadAlerts
            | Self::ReadIncident
            | Self::ListIncidents
            | Self::ReadNotes
            | Self::WriteNote
            | Self::RewriteNote
            | Self::ReadAbilities
            | Self::ReadSubscriptions
            | Self::CreateSubscription
            | Self::EnableSubscription
            | Self::PingSubscription => Vendor::PagerDuty,
        }
    }
}

/// How a call failed. The kinds differ in what may have happened at the vendor, which is all that a write needs to
/// know; a read may treat everything but [`Refused`](Self::Refused) alike.
///
/// Texts hold the vendor's own message and correlation id, never a body, a token or a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Certainly not sent: nobody was reached. No effect.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Nobody asks this vendor now: it has failed so often in a row that only a probe goes out now and then. No effect.
    #[error("{reason}")]
    Blocked {
        /// What is wrong there.
        trouble: Trouble,
        /// The same in words.
        reason: String,
    },
    /// Nobody asks this vendor now: it has asked for patience, or as much was asked as may be. Not sent. No effect.
    #[error("throttled: {reason}")]
    Waits {
        /// For what.
        reason: String,
        /// How long it is worth waiting.
        left: Duration,
    },
    /// Asked to slow down. No effect.
    #[error("throttled: {reason}")]
    Throttled {
        /// The vendor's message.
        reason: String,
        /// The vendor's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The credential or the set-up is wrong. No effect; and every other message would hear the same.
    #[error("{reason}")]
    SetUp {
        /// What is wrong.
        code: Code,
        /// The vendor's message.
        reason: String,
    },
    /// Not found, in answer to the first write of a contract, whose conversation was read a moment before. No effect. As far
    /// as is known the route is not there, and the other contract may have one.
    #[error("{reason}")]
    NoRoute {
        /// It was a page that said so: something in between, or a server that has one for every route that it does not know.
        page: bool,
        /// The vendor's message.
        reason: String,
    },
    /// Refused for good, because of what this message asks for. No effect.
    #[error("{reason}")]
    Refused {
        /// Why.
        code: Code,
        /// The vendor's message.
        reason: String,
    },
    /// Refused because something like it is there already. Look before doing anything.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Nobody knows: it was sent, and no usable answer came.
    #[error("no usable answer: {reason}")]
    Unknown {
        /// What came instead.
        reason: String,
        /// The vendor's `Retry-After`: one that is down for a while may say for how long.
        retry_after: Option<Duration>,
        /// Everybody else has no usable answer either: it says nothing about the message.
        in_outage: bool,
    },
}

/// What a call may take beyond its timeout, until it is certainly over on our side.
pub const CALL_SLACK: Duration = Duration::from_millis(20);
/// How long work waits for a credential to be put right before one more try.
const SET_UP_POLL: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(30));
/// Before a call is tried again that came too late.
const TOO_LATE_WAITS: Duration = Duration::from_millis(500);
/// What is kept when a vendor throttles and does not say for how long: a 429 may come without headers and without a body.
/// It is the least; the schedule's own curve grows beyond it while that goes on.
pub(super) const THROTTLED_DEFAULT: Duration = Duration::from_secs(5);

impl CallError {
    /// Nobody knows, and nobody said when to come back.
    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
            retry_after: None,
            in_outage: false,
        }
    }

    /// It was waited for something of ours for so long that the call could not end in time any more.
    pub(super) fn too_late(lacks: &str) -> Self {
        Self::Waits {
            reason: format!("no {lacks} left for the call: not sent"),
            left: TOO_LATE_WAITS,
        }
    }

    /// Whether the request may have taken effect although it failed.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Conflict(_) | Self::Unknown { .. } => true,
            Self::NotSent(_)
            | Self::Blocked { .. }
            | Self::Waits { .. }
            | Self::Throttled { .. }
            | Self::SetUp { .. }
            | Self::NoRoute { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// What it says where the contract of the refused offer has worked before. Then the route is there, and "not found" for a
    /// conversation that was read a moment before is said of that conversation: it has ended, or is of no concern to this
    /// client. A page is not Genesys' own word, whatever it says.
    #[must_use]
    pub fn where_offers_have_worked(self) -> Self {
        match self {
            Self::NoRoute {
                page: false,
                reason,
            } => Self::Refused {
                code: Code::ConversationUnknown,
                reason,
            },
            other @ (Self::NotSent(_)
            | Self::Blocked { .. }
            | Self::Waits { .. }
            | Self::Throttled { .. }
            | Self::SetUp { .. }
            | Self::NoRoute { .. }
            | Self::Refused { .. }
            | Self::Conflict(_)
            | Self::Unknown { .. }) => other,
        }
    }

    /// What follows from the failure. The one table from a call's end to what happens next.
    ///
    /// Only a write that was sent spends an attempt: it may be what the message asks for that the vendor stumbles over. A
    /// read that fails proves nothing about the message, and a look-up behind an open intent must go on until it is
    /// answered. And in an outage, which is everybody's, nothing is spent.
    #[must_use]
    pub fn setback(&self, operation: Operation) -> Setback {
        let vendor = operation.vendor();
        let reason = self.to_string();
        let waits_for_a_person = |code, reason| Setback {
            code,
            reason,
            wait: Wait::Between(SET_UP_POLL.0, SET_UP_POLL.1),
        };
        let waits_for_a_probe = |code, reason| Setback {
            code,
            reason,
            wait: Wait::Between(PROBE.0, PROBE.1),
        };
        let (code, at_least, cost) = match self {
            Self::SetUp { code, .. } => return waits_for_a_person(*code, reason),
            Self::NoRoute { page: true, .. } => {
                return waits_for_a_person(Code::AnsweredByAnother, reason);
            }
            Self::NoRoute { page: false, .. } => {
                return waits_for_a_person(Code::GenesysRouteUnknown, reason);
            }
            Self::Refused { code, .. } => return Setback::last(*code, reason),
            Self::Blocked { trouble, .. } => {
                let code = match trouble {
                    Trouble::Outage => vendor.unavailable(),
                    Trouble::Credential => vendor.credentials(),
                };
                return waits_for_a_probe(code, reason);
            }
            // Upwards only: what is left is a promise. It is everybody's, so it does not slow this one down from time to time.
            Self::Waits { left, .. } => {
                return Setback {
                    code: vendor.throttled(),
                    reason,
                    wait: Wait::Between(*left, *left + *left / 4),
                };
            }
            Self::Unknown {
                in_outage: true,
                retry_after: None,
                ..
            } => return waits_for_a_probe(vendor.unavailable(), reason),
            Self::NotSent(_) => (vendor.unavailable(), None, Cost::Free),
            Self::Throttled { retry_after, .. } => {
                let wait = retry_after.unwrap_or(THROTTLED_DEFAULT);
                (vendor.throttled(), Some(wait), Cost::Free)
            }
            Self::Conflict(_) => (vendor.conflict(), None, operation.cost()),
            Self::Unknown {
                retry_after,
                in_outage,
                ..
            } => {
                let cost = match in_outage {
                    true => Cost::Free,
                    false => operation.cost(),
                };
                (vendor.unavailable(), *retry_after, cost)
            }
        };
        Setback {
            code,
            reason,
            wait: Wait::Backoff { at_least, cost },
        }
    }
}
