//! What integration tests share.

pub(crate) mod database;
#[allow(dead_code, reason = "the long runs use it")]
pub(crate) mod duplicator;
pub(crate) mod node;
pub(crate) mod program;
#[allow(dead_code, reason = "what rules and dashboards are asked with")]
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod vhost;
pub(crate) mod world;
