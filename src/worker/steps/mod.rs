//! One file per step. A step does its one thing and puts what it learned into the attempt; what follows from that is
//! [`decide`](crate::escalation::decide()) to say.

pub(super) mod context;
pub(super) mod media;
pub(super) mod note;
pub(super) mod session;
pub(super) mod token;
pub(super) mod verify;
