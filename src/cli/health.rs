//! `escalator health`: asks a running escalator how it is. Made for health checks of containers, which have no curl.

use std::time::Duration;
use url::Url;

use super::exit::Failure;
use super::terminal::print;
use crate::upstream::probe;

/// A health check that takes longer is one that fails.
const WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Ask only whether it lives, not whether it can do its job.
    #[arg(long)]
    live: bool,
    /// Its admin listener.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464")]
    admin: Url,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let path = if arguments.live { "live" } else { "ready" };
    let (status, body) = probe(&arguments.admin, &["health", path], WITHIN)
        .await
        .map_err(|error| {
            Failure::unavailable(format!(
                "nothing answers at {}: {error}; is it running, and is its admin.listen the same? (--admin)",
                arguments.admin
            ))
        })?;
    print(body.trim_end());
    match status {
        200 => Ok(()),
        status => Err(Failure::failed(format!("{path} answers {status}"))),
    }
}
