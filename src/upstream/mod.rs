//! The two vendors: one HTTP policy, typed calls, and for every write the look-up that tells whether it took effect.
//!
//! Wire types are private to each vendor's folder; what leaves this room are the domain's own types and
//! [`CallError`], which says at which stage a call failed. Nothing in here retries: there is one retry layer, and it
//! is the worker's. What keeps a credential within its limits is in [`limits`].

mod call;
mod genesys;
mod heard;
mod http;
mod lenient;
mod limits;
mod pagerduty;
mod retry_after;

pub use call::{CALL_SLACK, CallError, Operation, Vendor};
pub use genesys::{CreatedSession, Genesys, GenesysConfig, ReadConversation, Speaks};
pub use heard::{heard, listening};
pub use http::{Http, HttpConfig, probe};
pub use limits::{Admission, Budget, PermitSource, Priority, Trouble, accompanied};
pub use pagerduty::{
    Alerts, Incident, IncidentList, IncidentStatus, PagerDuty, PagerDutyConfig, Scope, Subscribed,
    Subscription,
};

#[cfg(test)]
mod tests;
