//! What integration tests share.

pub(crate) mod database;
pub(crate) mod node;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod vhost;
pub(crate) mod world;
