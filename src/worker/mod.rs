//! The worker: takes messages from both lanes and brings each escalation as far as it can be brought.
//!
//! [`pool`] takes deliveries and turns what became of them into acks and publishes; nothing else does.
//! [`runner`] takes the claim and says how it ended; [`attempt`] is the loop in between: decide, do one thing, record,
//! decide again. `steps/` are the things. [`lease`] keeps the claim alive meanwhile.
//! Beside all that, [`retention`] lets the ledger forget what is old, and [`telling`] tells incidents of what died.

mod attempt;
mod lease;
mod orders;
mod permits;
mod pool;
mod retention;
mod runner;
mod schedule;
mod steps;
mod story;
mod telling;

pub use permits::PoolPermits;
pub use pool::{Pool, PoolConfig};
pub use retention::Forgetting;
pub use runner::{Disposition, Runner, RunnerConfig};
pub use schedule::Schedule;
pub use telling::{Teller, TellerConfig};
