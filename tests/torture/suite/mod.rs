//! The crash suite: the real program is ended at every point that it passes, beside every fault of the vendors, and then
//! started again until the escalation has ended. What counts is what the vendors' side and the queues show then.
//!
//! Used by `make torture`, which does all of it, and by `make test`, which does a part.

pub(crate) mod database;
pub(crate) mod fault;
pub(crate) mod judge;
pub(crate) mod lane;
pub(crate) mod run;
pub(crate) mod scenario;
pub(crate) mod series;
pub(crate) mod table;
