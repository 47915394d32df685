//! The settings: one struct for each concern, read from four layers, checked as a whole.
//!
//! `default.toml` is compiled in and documents every key. A file overrides it, the environment overrides the file,
//! and `.env` stands behind the environment. Each [`Role`] asks only for the sections that it needs. Whatever is
//! wrong is reported together, and no text that leaves this room repeats a secret.
//!
//! Deliberately absent: settings that change while the program runs, and variables that are found by a prefix. The
//! environment is asked for known names only, so that a variable of somebody else's cannot stop the start.

mod admin;
mod amqp;
mod base_url;
mod database;
mod dead_letters;
mod escalation;
mod faults;
mod genesys;
mod hint;
mod ingress;
mod layers;
mod log;
mod note;
mod otlp;
mod pagerduty;
mod reader;
mod reference;
mod regions;
mod role;
mod span;
mod starts;
mod suspicious;
mod variables;
mod worker;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use admin::Admin;
pub use amqp::Amqp;
pub use base_url::BaseUrl;
pub use database::{Database, DatabaseUrl, SSL_MODES};
pub use dead_letters::DeadLetters;
pub use escalation::Escalation;
pub use faults::{Fault, Faults};
pub use genesys::{CobrowseApi, Genesys};
pub use ingress::Ingress;
pub use log::{Log, LogFormat};
pub use note::Note;
pub use otlp::Otlp;
pub use pagerduty::PagerDutyApi;
pub use reference::{KeyDoc, reference, reference_as_markdown};
pub use regions::is_known as is_region;
pub use role::Role;
pub use span::{parse_since, parse_span};
pub use starts::{StartUrgency, Starts};
pub use variables::{ProcessEnvironment, Variables, WithDotEnv};
pub use worker::Worker;

pub(crate) use hint::closest;
use layers::Layers;
use reader::Reader;
use role::Concern;

/// A secret of ours with fewer bytes than this is warned about.
const SHORT_SECRET: usize = 16;

fn short_secret() -> String {
    format!("has fewer than {SHORT_SECRET} bytes, which can be guessed")
}

/// Everything that one role asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The role that asked.
    pub role: Role,
    /// The log; every role has it.
    pub log: Log,
    /// What is allowed and hardly meant, one sentence each, without secrets: to be logged at start.
    pub warnings: Vec<String>,
    admin: Option<Admin>,
    amqp: Option<Amqp>,
    database: Option<Database>,
    ingress: Option<Ingress>,
    starts: Option<Starts>,
    worker: Option<Worker>,
    escalation: Option<Escalation>,
    genesys: Option<Genesys>,
    pagerduty: Option<PagerDutyApi>,
    note: Option<Note>,
    dead_letters: Option<DeadLetters>,
    otlp: Option<Otlp>,
}

/// Code asked for a section that its role does not read: a fault of the program, not of its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the settings of {section} are not read by the role {role}")]
pub struct NotLoaded {
    section: &'static str,
    role: Role,
}

impl Settings {
    /// Loads what `role` needs. Reads `config_file`, the files that `…_FILE` variables name, and nothing else.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, together; or the one fault that the file cannot be read.
    pub fn load(
        role: Role,
        config_file: Option<&Path>,
        vars: &dyn Variables,
    ) -> Result<Self, Faults> {
        let (layers, faults) = Layers::open(config_file, vars)?;
        let mut reader = Reader::new(layers, faults);
        let settings = Self::read(role, &mut reader);
        match settings {
            Some(settings) if reader.faults.is_empty() => Ok(Self {
                warnings: reader.warnings,
                ..settings
            }),
            Some(_) | None => Err(Faults(reader.faults)),
        }
    }

    fn read(role: Role, reader: &mut Reader<'_>) -> Option<Self> {
        let wants = |concern| role.asks_for(concern);
        let log = Log::read(reader);
        let admin = wants(Concern::Admin).then(|| Admin::read(reader)).flatten();
        let amqp = wants(Concern::Amqp).then(|| Amqp::read(reader)).flatten();
        let database = wants(Concern::Database)
            .then(|| Database::read(reader))
            .flatten();
        let ingress = Self::wants_ingress(role, reader)
            .then(|| Ingress::read(reader))
            .flatten();
        let starts = wants(Concern::Starts)
            .then(|| Starts::read(reader))
            .flatten();
        let worker = wants(Concern::Worker)
            .then(|| Worker::read(reader))
            .flatten();
        let escalation = wants(Concern::Escalation)
            .then(|| Escalation::read(reader))
            .flatten();
        let genesys = wants(Concern::Genesys)
            .then(|| Genesys::read(reader))
            .flatten();
        let pagerduty = wants(Concern::PagerDuty)
            .then(|| PagerDutyApi::read(reader))
            .flatten();
        let note = wants(Concern::Note).then(|| Note::read(reader)).flatten();
        let dead_letters = wants(Concern::DeadLetters)
            .then(|| DeadLetters::read(reader))
            .flatten();
        let otlp = wants(Concern::Otlp).then(|| Otlp::read(reader)).flatten();
        check_listeners(reader, admin.as_ref(), ingress.as_ref());
        let warnings = Vec::new();
        Some(Self {
            role,
            log: log?,
            warnings,
            admin,
            amqp,
            database,
            ingress,
            starts,
            worker,
            escalation,
            genesys,
            pagerduty,
            note,
            dead_letters,
            otlp,
        })
    }

    /// `check` looks at the ingress where it is set up on this machine, and does not insist on it where it is not.
    fn wants_ingress(role: Role, reader: &mut Reader<'_>) -> bool {
        if role != Role::Check {
            return role.asks_for(Concern::Ingress);
        }
        let given = reader.is_given(ingress::WEBHOOK_SECRETS);
        if !given {
            reader.warn(
                ingress::WEBHOOK_SECRETS,
                "is not given: serve and ingress need it, a worker does not",
            );
        }
        given
    }

    /// The admin listener.
    ///
    /// # Errors
    ///
    /// This role does not read it; the same holds for all that follow.
    pub fn admin(&self) -> Result<&Admin, NotLoaded> {
        self.section(self.admin.as_ref(), "admin")
    }

    /// The broker.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn amqp(&self) -> Result<&Amqp, NotLoaded> {
        self.section(self.amqp.as_ref(), "amqp")
    }

    /// The ledger.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn database(&self) -> Result<&Database, NotLoaded> {
        self.section(self.database.as_ref(), "database")
    }

    /// The webhook receiver.
    ///
    /// # Errors
    ///
    /// This role does not read it; or it is `check`, and there is no webhook secret on this machine.
    pub fn ingress(&self) -> Result<&Ingress, NotLoaded> {
        self.section(self.ingress.as_ref(), "ingress")
    }

    /// Which events start an escalation.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn starts(&self) -> Result<&Starts, NotLoaded> {
        self.section(self.starts.as_ref(), "starts")
    }

    /// The worker.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn worker(&self) -> Result<&Worker, NotLoaded> {
        self.section(self.worker.as_ref(), "worker")
    }

    /// What an escalation is made from, and how long it may take.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn escalation(&self) -> Result<&Escalation, NotLoaded> {
        self.section(self.escalation.as_ref(), "escalation")
    }

    /// Genesys Cloud.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn genesys(&self) -> Result<&Genesys, NotLoaded> {
        self.section(self.genesys.as_ref(), "genesys")
    }

    /// PagerDuty's REST API.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn pagerduty(&self) -> Result<&PagerDutyApi, NotLoaded> {
        self.section(self.pagerduty.as_ref(), "pagerduty")
    }

    /// The note.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn note(&self) -> Result<&Note, NotLoaded> {
        self.section(self.note.as_ref(), "note")
    }

    /// What operators may do with dead letters.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn dead_letters(&self) -> Result<&DeadLetters, NotLoaded> {
        self.section(self.dead_letters.as_ref(), "dead_letters")
    }

    /// The export of traces.
    ///
    /// # Errors
    ///
    /// This role does not read it.
    pub fn otlp(&self) -> Result<&Otlp, NotLoaded> {
        self.section(self.otlp.as_ref(), "otlp")
    }

    fn section<'a, T>(
        &self,
        section: Option<&'a T>,
        name: &'static str,
    ) -> Result<&'a T, NotLoaded> {
        section.ok_or(NotLoaded {
            section: name,
            role: self.role,
        })
    }
}

/// Two listeners of one process cannot have the same port.
fn check_listeners(reader: &mut Reader<'_>, admin: Option<&Admin>, ingress: Option<&Ingress>) {
    let (Some(admin), Some(ingress)) = (admin.and_then(|a| a.listen), ingress.map(|i| i.listen))
    else {
        return;
    };
    let everywhere = admin.ip().is_unspecified() || ingress.ip().is_unspecified();
    // Port 0 lets the system choose, and it does not choose the same twice.
    if admin.port() == ingress.port()
        && admin.port() != 0
        && (everywhere || admin.ip() == ingress.ip())
    {
        let problem = format!("is {admin}, the port of ingress.listen too");
        reader.fault("admin.listen", problem, "give the two different ports");
    }
}
