//! Who asks: each role reads only the sections that it needs.

use std::fmt;

/// What a process is there for, and with it which settings it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Ingress and worker in one process.
    Serve,
    /// The webhook receiver alone. It holds no API credential of a vendor.
    Ingress,
    /// The worker alone. It holds no webhook secret.
    Worker,
    /// `check`: everything that a worker needs. The ingress is looked at where it is set up.
    Check,
    /// `catch-up`: asks PagerDuty and the ledger, and publishes.
    CatchUp,
    /// A command that speaks with PagerDuty alone.
    PagerDuty,
    /// A command that speaks with the broker alone.
    Broker,
    /// A command that reads the ledger alone.
    Ledger,
    /// A command that looks at dead letters with both vendors' eyes, and publishes.
    DeadLetters,
    /// `dead-letters edit`: it changes the ledger, where that is allowed.
    Edit,
}

/// A group of settings that is read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concern {
    Admin,
    Amqp,
    Database,
    Ingress,
    Starts,
    Worker,
    Escalation,
    Genesys,
    PagerDuty,
    Note,
    DeadLetters,
    Otlp,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 10] = [
        Self::Serve,
        Self::Ingress,
        Self::Worker,
        Self::Check,
        Self::CatchUp,
        Self::PagerDuty,
        Self::Broker,
        Self::Ledger,
        Self::DeadLetters,
        Self::Edit,
    ];

    /// The name of the role, as `default.toml` writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Ingress => "ingress",
            Self::Worker => "worker",
            Self::Check => "check",
            Self::CatchUp => "catch-up",
            Self::PagerDuty => "pagerduty",
            Self::Broker => "broker",
            Self::Ledger => "ledger",
            Self::DeadLetters => "dead-letters",
            Self::Edit => "edit",
        }
    }

    /// Whether this role reads that group. Logging is read by every role.
    pub(super) fn asks_for(self, concern: Concern) -> bool {
        use Concern as C;
        let concerns: &[Concern] = match self {
            Self::Serve => return true,
            Self::Ingress => &[C::Admin, C::Amqp, C::Ingress, C::Starts, C::Otlp],
            Self::Worker => &[
                C::Admin,
                C::Amqp,
                C::Database,
                C::Worker,
                C::Escalation,
                C::Genesys,
                C::PagerDuty,
                C::Note,
                C::DeadLetters,
                C::Otlp,
            ],
            Self::Check => &[
                C::Admin,
                C::Amqp,
                C::Database,
                C::Starts,
                C::Worker,
                C::Escalation,
                C::Genesys,
                C::PagerDuty,
                C::Note,
            ],
            Self::CatchUp => &[
                C::Amqp,
                C::Database,
                C::Starts,
                C::Worker,
                C::Escalation,
                C::PagerDuty,
            ],
            Self::PagerDuty => &[C::Starts, C::Worker, C::Escalation, C::PagerDuty],
            Self::Broker => &[C::Amqp],
            Self::Ledger => &[C::Database],
            Self::Edit => &[C::Database, C::DeadLetters],
            Self::DeadLetters => &[
                C::Amqp,
                C::Database,
                C::Worker,
                C::Escalation,
                C::Genesys,
                C::PagerDuty,
                C::Note,
            ],
        };
        concerns.contains(&concern)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
