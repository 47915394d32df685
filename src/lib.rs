//! Escalator: a PagerDuty incident about a Genesys Cloud conversation becomes a cobrowse session and a note with its
//! link. Once, whatever crashes.
//!
//! `ARCHITECTURE.md` has the map. In short: [`ingress`] takes the webhook and puts a message on RabbitMQ ([`broker`]);
//! [`worker`] takes it through its steps, deciding with the pure code of [`escalation`], acting through [`upstream`],
//! remembering in the [`ledger`].

pub mod admin;
pub mod broker;
pub mod cli;
pub mod crash;
pub mod dead_letters;
pub mod escalation;
pub mod ingress;
pub mod ledger;
pub mod listener;
pub mod lookout;
pub mod pacing;
pub mod settings;
pub mod simulator;
pub mod telemetry;
pub mod upstream;
pub mod worker;

#[cfg(test)]
mod tests;
