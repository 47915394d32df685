//! The commands, one file each. Data goes to stdout, talk to stderr.

pub mod assembly;
mod catch_up;
mod check;
mod dead_letters;
mod demo;
mod escalations;
mod exit;
mod explain;
mod health;
mod manual;
mod operator;
mod pagerduty;
mod pausing;
mod service;
mod settings;
mod signals;
mod simulate;
mod terminal;

use clap::{CommandFactory, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

pub use self::exit::Failure;
use self::exit::WRONG_USAGE;
use crate::ledger::Deed;
use crate::settings::Role;

/// Turns a PagerDuty incident about a Genesys Cloud conversation into a cobrowse session and a note with its link.
#[derive(Debug, Parser)]
#[command(name = "escalator", version, propagate_version = true)]
struct Cli {
    /// Settings file (TOML); the environment overrides it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run ingress and worker in one process: the way to run it on one machine.
    Serve,
    /// Run the ingress alone: takes PagerDuty's webhooks and puts them on RabbitMQ.
    Ingress,
    /// Run a worker alone: takes escalations from RabbitMQ and brings them to their note.
    Worker,
    /// Look whether the settings, the broker, the ledger and both vendors are as they have to be.
    Check(check::Arguments),
    /// Have PagerDuty send its webhooks here, and see that they arrive.
    #[command(subcommand)]
    Pagerduty(pagerduty::Command),
    /// Have the whole pool take nothing new; what is in hand is finished, and webhooks are still accepted.
    Pause(pausing::Arguments),
    /// Have the pool take escalations again.
    Resume(pausing::Arguments),
    /// See who paused, replayed, discarded or edited what, when, why, and what came of it.
    Audit(pausing::AuditArguments),
    /// Find incidents whose webhook never came, and start their escalations.
    CatchUp(catch_up::Arguments),
    /// See what became of escalations. Reads the ledger and nothing else, also while the service runs.
    #[command(subcommand)]
    Escalations(escalations::Command),
    /// Look at dead letters, plan, replay, discard, edit. `list` reads the ledger, never the queue.
    #[command(subcommand)]
    DeadLetters(Box<dead_letters::Command>),
    /// Say what an error code means, what usually is behind it, and what to do. Without a code, list all of them.
    Explain(explain::Arguments),
    /// Ask a running escalator how it is; for health checks.
    Health(health::Arguments),
    /// See it work: everything on this machine, against a simulated Genesys and PagerDuty.
    Demo(demo::Arguments),
    /// Serve the simulated Genesys and PagerDuty.
    Simulate(simulate::Arguments),
    /// Print a completion script for a shell, e.g. `escalator completions bash > /etc/bash_completion.d/escalator`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, e.g. `escalator man > /usr/local/share/man/man1/escalator.1`.
    Man,
    /// Print every setting, with its variable and its default, as a Markdown table.
    Settings,
}

/// Parses the command line, runs the command, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too, and are no failure.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(WRONG_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::say(&failure.to_string());
            ExitCode::from(failure.code())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let config = cli.config.as_deref();
    let work = async move {
        match cli.command {
            Command::Serve => service::run(Role::Serve, config).await,
            Command::Ingress => service::run(Role::Ingress, config).await,
            Command::Worker => service::run(Role::Worker, config).await,
            Command::Check(arguments) => check::run(arguments, config).await,
            Command::Pagerduty(command) => pagerduty::run(command, config).await,
            Command::Pause(arguments) => pausing::run(Deed::Pause, arguments, config).await,
            Command::Resume(arguments) => pausing::run(Deed::Resume, arguments, config).await,
            Command::Audit(arguments) => pausing::audit(arguments, config).await,
            Command::CatchUp(arguments) => catch_up::run(arguments, config).await,
            Command::Escalations(command) => escalations::run(command, config).await,
            Command::DeadLetters(command) => Box::pin(dead_letters::run(*command, config)).await,
            Command::Explain(arguments) => explain::run(&arguments),
            Command::Health(arguments) => health::run(arguments).await,
            Command::Demo(arguments) => demo::run(arguments, config).await,
            Command::Simulate(arguments) => simulate::run(arguments).await,
            Command::Settings => settings::run(),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "escalator", &mut script);
                terminal::print_bytes(&script);
                Ok(())
            }
            Command::Man => {
                let page = manual::page(Cli::command()).map_err(Failure::failed)?;
                terminal::print_bytes(&page);
                Ok(())
            }
        }
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?
        .block_on(Box::pin(work))
}
