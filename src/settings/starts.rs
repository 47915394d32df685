//! Which events start an escalation.

use std::collections::BTreeSet;

use super::faults::shown;
use super::reader::Reader;

/// Which events start an escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starts {
    /// The event types, each beginning with `incident.`; at least one. The set is open: PagerDuty adds types.
    /// `incident.resolved` is never among them: it is always taken, and ends an escalation.
    pub events: BTreeSet<String>,
    /// Ids of the services whose incidents count; empty: all.
    pub services: BTreeSet<String>,
    /// The urgencies that count; empty: all.
    pub urgencies: BTreeSet<StartUrgency>,
}

/// The urgency of an incident, as PagerDuty names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartUrgency {
    /// `high`
    High,
    /// `low`
    Low,
}

impl StartUrgency {
    /// As PagerDuty writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
        }
    }
}

impl Starts {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let events = reader.list("pagerduty.events");
        for event in events.iter().flatten() {
            if let Err((problem, advice)) = check_event(event) {
                reader.fault(
                    "pagerduty.events",
                    format!("has {}, {problem}", shown(event)),
                    advice,
                );
            }
        }
        let services = reader.optional_list("pagerduty.services");
        for service in services.iter().flatten() {
            if !service.chars().all(|c| c.is_ascii_alphanumeric()) {
                let problem = format!("has {}, which is not the id of a service", shown(service));
                let advice = "take the id from the address of the service's page, as in PIJ90N7";
                reader.fault("pagerduty.services", problem, advice);
            }
        }
        let names = reader.optional_list("pagerduty.urgencies");
        let mut urgencies = BTreeSet::new();
        for name in names.iter().flatten() {
            match name.as_str() {
                "high" => {
                    urgencies.insert(StartUrgency::High);
                }
                "low" => {
                    urgencies.insert(StartUrgency::Low);
                }
                _ => {
                    let problem = format!("has {}", shown(name));
                    reader.fault(
                        "pagerduty.urgencies",
                        problem,
                        "write high, low, or nothing for both",
                    );
                }
            }
        }
        names?;
        Some(Self {
            events: events?.into_iter().collect(),
            services: services?.into_iter().collect(),
            urgencies,
        })
    }
}

fn check_event(event: &str) -> Result<(), (&'static str, &'static str)> {
    match event {
        "incident.annotated" => Err((
            "which our own notes cause too, so that every note would start the next escalation",
            "remove it",
        )),
        "incident.resolved" => Err((
            "which is always taken, and ends an escalation instead of starting one",
            "remove it",
        )),
        _ => match event.strip_prefix("incident.") {
            None => Err((
                "which is not about an incident",
                "write types that begin with incident., as in incident.triggered",
            )),
            Some(name) if !is_type_name(name) => Err((
                "which is not how PagerDuty writes a type",
                "write it in lower case, as in incident.triggered",
            )),
            Some(_) => Ok(()),
        },
    }
}

fn is_type_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    name.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_of_event_types_is_open() {
        for event in [
            "incident.triggered",
            "incident.responder.added",
            "incident.something_new",
        ] {
            assert_eq!(check_event(event), Ok(()));
        }
    }

    #[test]
    fn events_that_must_not_start_anything_are_refused_with_the_reason() {
        let reason = |event| check_event(event).err().map_or("", |(problem, _)| problem);
        assert!(reason("incident.annotated").contains("our own notes"));
        assert!(reason("incident.resolved").contains("always taken"));
        assert!(reason("service.updated").contains("not about an incident"));
        assert!(reason("pagey.ping").contains("not about an incident"));
        for event in [
            "incident.Triggered",
            "incident.",
            "incident..x",
            "incident.a b",
        ] {
            assert!(
                reason(event).contains("not how PagerDuty writes"),
                "{event}"
            );
        }
    }
}
