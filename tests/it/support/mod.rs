//! What integration tests share.

pub(crate) mod proxy;
pub(crate) mod vhost;
