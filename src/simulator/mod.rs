//! Genesys Cloud and PagerDuty, simulated over real HTTP.
//!
//! Two listeners answer as the vendors do: same routes, same bodies, same errors. Beside the answers it keeps
//! what no vendor shows: every *effect* that took place ([`Effects`]), whoever asked for it and whether or not the
//! answer arrived, and every request that came in ([`RequestRecord`]). Tests count effects there and never trust
//! what the code under test says of itself.
//!
//! [`Fault`]s make a chosen request fail in a chosen way: an error, an answer lost after the effect, an effect
//! that lands after the client has given up, a connection that breaks, a body that is no JSON.
//!
//! This room uses nothing of the others. Its wire types are its own, written from the vendors' contracts, so that
//! a field name misread elsewhere meets an answer that does not have it.
//!
//! What is deliberately not here: TLS, permissions, more than one account, and the contract with
//! `POST /api/v2/conversations/{id}/cobrowse`, which has its place beside `genesys/sessions.rs`.

mod capture;
mod clock;
mod config;
mod control;
mod conversation;
mod delivery;
mod effects;
mod fault;
mod genesys;
mod handle;
mod ids;
mod incident;
mod limit;
mod pagerduty;
mod records;
mod reply;
mod server;
mod state;
mod webhook;

pub use capture::Captured;
pub use config::{CobrowseApi, Config};
pub use conversation::{
    AGENT_NAME, AgentSpec, AgentState, CUSTOMER_NAME, Channel, ConversationSpec,
};
pub use delivery::{Delivered, DeliveryOutcome};
pub use effects::{Attachment, Effects, Note, Session};
pub use fault::{Fault, Operation, What, Which};
pub use handle::Simulator;
pub use incident::{Details, IncidentSpec, Urgency};
pub use pagerduty::Subscription;
pub use records::{RequestOutcome, RequestRecord};
pub use webhook::{Webhook, signature};
