//! The cobrowse session of a conversation, shared by every escalation that is about it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::contract::Contract;
use super::ids::SessionId;
use super::progress::Write;

/// What the ledger knows of one conversation's session. It belongs to the conversation, not to the incident: two
/// incidents about one conversation would otherwise each offer the customer a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cobrowse {
    /// The contract under which the session was asked for. It says what may be concluded from what a read shows.
    #[serde(default)]
    pub contract: Contract,
    /// The write that creates the session; under [`Contract::Conversation`] it attaches it too.
    #[serde(default)]
    pub session: Write<SessionId>,
    /// The write that attaches it to the conversation.
    #[serde(default)]
    pub media: Write<()>,
    /// The sessions that the conversation showed when the session was asked for, live or ended: whatever it shows beside
    /// these later came after that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub there_before: Vec<SessionId>,
    /// Until when Genesys offers the session to the customer, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_ends: Option<Timestamp>,
    /// When a read last showed the session live in the conversation. Only what was seen can be known to have ended: one
    /// that was attached and never shown may still come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// When a session that was attached, and that no read had shown live, was last found to be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_at: Option<Timestamp>,
    /// Sessions that may exist at Genesys although nobody knows their id, since the answer that would have named
    /// them was lost. Nobody can reach them; they are counted.
    #[serde(default)]
    pub possible_orphans: u32,
}
