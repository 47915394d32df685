//! Dead letters: taken from their queue into the ledger, looked at, planned, begun anew.
//!
//! The queue `escalations.dead` is transit. A [`Keeper`] in every worker takes what arrives there into the ledger; from then
//! on nobody touches the queue, however often letters are looked at. What is here serves the command line and the admin
//! listener alike.

mod choice;
mod closing;
mod correction;
mod drivers;
pub mod json;
mod keeper;
pub mod plan;
mod planner;
mod replayer;
mod verdict;
mod writing;

pub use choice::{NotChosen, chosen, in_words};
pub use closing::close;
pub use correction::{Correction, NotCorrected, corrected};
pub use drivers::Drivers;
pub use keeper::Keeper;
pub use planner::Planner;
pub use replayer::{Letters, PER_MINUTE, Replayer, Step, Stopped, new_replay_id};
pub use verdict::{Foreseen, Verdict};
