//! What the program tells about itself: metrics, log events, traces, and the set-up of the log.
//!
//! An event is a struct. Telling it counts it and logs it in one go, so that the two cannot drift apart. Names, units
//! and labels of all metrics are in [`metrics`]; no other file of the project makes one. The same goes for spans and [`spans`].

mod events;
mod kinds;
mod logging;
mod metrics;
mod otlp;
mod span;
mod spans;
mod standing;
mod trace_context;
mod values;

pub use events::{
    AttemptFinished, LedgerPruned, LetterKept, Settled, StepFinished, UpstreamAnswered, Waited,
    WebhookAnswered,
};
pub use kinds::{Kind, Metric, metrics_as_markdown};
pub use logging::{Error as LoggingError, LogFormat, start_logging};
pub use metrics::Telemetry;
pub use otlp::{Exporting, OtlpConfig, OtlpError};
pub use span::{Span, carried};
pub use spans::CallBegins;
pub use standing::{LedgerStanding, OneMore, QueueDepth};
pub use trace_context::{TraceContext, TraceId};
