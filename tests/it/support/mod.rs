//! What integration tests share.

pub(crate) mod database;
#[allow(dead_code, reason = "the long runs use it")]
pub(crate) mod duplicator;
pub(crate) mod node;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod vhost;
pub(crate) mod world;
