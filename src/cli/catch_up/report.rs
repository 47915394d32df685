//! What is said of each incident, and of all.

use serde_json::json;

use super::super::terminal::{print, say};
use crate::escalation::ServiceId;
use crate::upstream::Incident;

/// What became of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its message is stored.
    Started,
    /// It would be, were this no dry run.
    Missing,
    /// The ledger has it.
    Known,
    /// The ingress would have let it go.
    Filtered,
    /// It is over.
    Resolved,
    /// The broker did not take its message, or did not say.
    NotStored,
}

impl Outcome {
    const ALL: [Self; 6] = [
        Self::Started,
        Self::Missing,
        Self::Known,
        Self::Filtered,
        Self::Resolved,
        Self::NotStored,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Missing => "missing",
            Self::Known => "known",
            Self::Filtered => "filtered",
            Self::Resolved => "resolved",
            Self::NotStored => "not_stored",
        }
    }
}

/// One line an incident on stdout, the sums on stderr.
pub(super) struct Report {
    json: bool,
    counts: [u64; Outcome::ALL.len()],
    pages: u64,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            counts: [0; Outcome::ALL.len()],
            pages: 0,
        }
    }

    /// A closed stdout does not end the command: what is missing is to be started all the same.
    pub(super) fn tell(&mut self, incident: &Incident, outcome: Outcome, reason: Option<&str>) {
        for (count, one) in self.counts.iter_mut().zip(Outcome::ALL) {
            *count += u64::from(one == outcome);
        }
        let service = incident.service.as_ref().map(ServiceId::as_str);
        let urgency = incident.urgency.as_deref();
        print(&if self.json {
            json!({
                "type": "incident",
                "incident": incident.id.as_str(),
                "outcome": outcome.as_str(),
                "created_at": incident.created_at,
                "service": service,
                "urgency": urgency,
                "reason": reason,
            })
            .to_string()
        } else {
            let line = format!(
                "{:<10} {:<14} {} {:<4} {} {}",
                outcome.as_str(),
                incident.id.as_str(),
                incident.created_at,
                urgency.unwrap_or("-"),
                service.unwrap_or("-"),
                reason.unwrap_or_default(),
            );
            line.trim_end().to_owned()
        });
    }

    /// Told from the second page on: a single one is over before anybody could read it.
    pub(super) fn progress(&mut self) {
        self.pages += 1;
        if self.pages > 1 {
            say(&format!("{} so far", self.in_words()));
        }
    }

    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        let mut all = Outcome::ALL.iter().zip(self.counts);
        all.find(|(one, _)| **one == outcome)
            .map_or(0, |(_, count)| count)
    }

    pub(super) fn in_words(&self) -> String {
        let all: u64 = self.counts.iter().sum();
        let parts: Vec<_> = Outcome::ALL
            .iter()
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| format!("{count} {}", outcome.as_str()))
            .collect();
        match all {
            0 => "no incident".to_owned(),
            1 => format!("1 incident: {}", parts.join(", ")),
            all => format!("{all} incidents: {}", parts.join(", ")),
        }
    }
}
