//! The log: JSON lines for machines, or something pleasant for a terminal. Always on stderr, for stdout is data.

use std::io::IsTerminal;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For eyes.
    Pretty,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The level is not one.
    #[error(
        "log.level is not understood: {0}; give trace, debug, info, warn or error, or target=level pairs"
    )]
    Level(#[from] ParseError),
    /// Somebody else set a log up.
    #[error("the log was set up before: {0}")]
    Twice(#[from] TryInitError),
}

/// Sets the log of the process up. Call it once, first thing.
///
/// # Errors
/// [`Error`].
pub fn start_logging(format: LogFormat, level: &str) -> Result<(), Error> {
    let filter: Targets = level.parse()?;
    // lapin tells at error level what our own supervisor handles and tells in its own words.
    let filter = filter.with_target("lapin", tracing::level_filters::LevelFilter::OFF);
    let pretty = match format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Pretty => true,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if pretty {
        registry
            .with(
                layer()
                    .compact()
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_writer(std::io::stderr),
            )
            .try_init()?;
    } else {
        registry
            .with(
                layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_target(false)
                    .with_writer(std::io::stderr),
            )
            .try_init()?;
    }
    Ok(())
}
