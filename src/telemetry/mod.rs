//! What the program tells about itself: metrics, log events, and the set-up of the log.
//!
//! An event is a struct. Telling it counts it and logs it in one go, so that the two cannot drift apart. Names, units
//! and labels of all metrics are in [`metrics`]; no other file of the project makes one.

mod events;
mod kinds;
mod logging;
mod metrics;
mod standing;
mod values;

pub use events::{
    AttemptFinished, LedgerPruned, LetterKept, Settled, StepFinished, UpstreamAnswered, Waited,
    WebhookAnswered,
};
pub use kinds::{Kind, Metric};
pub use logging::{Error as LoggingError, LogFormat, start_logging};
pub use metrics::Telemetry;
pub use standing::{LedgerStanding, OneMore, QueueDepth};
