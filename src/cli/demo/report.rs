//! What the demo shows: lines while it runs, then a table, then whether every count is right.

use std::time::Duration;

use super::super::exit::Failure;
use super::Played;
use crate::simulator::{Effects, Urgency};

const BAR: usize = 24;

pub(super) struct Report {
    incidents: u32,
}

impl Report {
    pub(super) fn new(incidents: u32) -> Self {
        Self { incidents }
    }

    pub(super) fn heading(&self) -> String {
        format!(
            "    time   webhooks   sessions   attached      notes   {:<BAR$}",
            ""
        )
    }

    /// How far everything is.
    pub(super) fn line(&self, elapsed: Duration, webhooks: usize, effects: &Effects) -> String {
        let total = usize::try_from(self.incidents).unwrap_or(usize::MAX).max(1);
        let filled = (effects.live_notes * BAR / total).min(BAR);
        format!(
            "{:6.1} s {webhooks:10} {:10} {:10} {:10}   {}{}",
            elapsed.as_secs_f64(),
            effects.sessions.len(),
            effects.attached,
            effects.live_notes,
            "█".repeat(filled),
            "░".repeat(BAR - filled),
        )
    }

    /// Every incident with its note.
    pub(super) fn table(played: &[Played], effects: &Effects) -> String {
        let mut lines = vec![
            String::new(),
            format!(
                "{:<15} {:<7} {:<37} {:>9}  {}",
                "INCIDENT", "URGENCY", "CONVERSATION", "NOTE", "FIRST LINE OF THE NOTE"
            ),
        ];
        for one in played {
            let urgency = match one.urgency {
                Urgency::High => "high",
                Urgency::Low => "low",
            };
            let notes = effects.notes_of(&one.incident);
            let (after, text) = match notes.first() {
                None => ("-".to_owned(), "no note"),
                Some(note) => (
                    format!("{} ms", one.took(note.created_at_ms)),
                    note.content.lines().next().unwrap_or_default(),
                ),
            };
            lines.push(format!(
                "{:<15} {urgency:<7} {:<37} {after:>9}  {text}",
                one.incident, one.conversation
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Whether each incident has exactly one of everything, as counted at the vendors' side.
    pub(super) fn verdict(played: &[Played], effects: &Effects) -> Result<String, Failure> {
        let wrong: Vec<String> = played
            .iter()
            .filter_map(|one| {
                let attached = effects.attachments_of(&one.conversation);
                let notes = effects.notes_of(&one.incident);
                let linked = attached.first().is_some_and(|a| {
                    let link = effects.sessions.iter().find(|s| s.id == a.session_id);
                    link.is_some_and(|s| notes.iter().any(|n| n.content.contains(&s.join_url)))
                });
                (attached.len() != 1 || notes.len() != 1 || !linked).then(|| {
                    format!(
                        "  {}: {} attached, {} notes, link {}",
                        one.incident,
                        attached.len(),
                        notes.len(),
                        if linked { "right" } else { "wrong" }
                    )
                })
            })
            .collect();
        let counts = format!(
            "Counted at the simulated vendors: {} incidents, {} sessions created, {} attached, {} notes, {} orphans.",
            played.len(),
            effects.sessions.len(),
            effects.attached,
            effects.live_notes,
            effects.orphans().len(),
        );
        if wrong.is_empty() && effects.sessions.len() == played.len() {
            Ok(format!(
                "{counts}\nEach incident has one session and one note with its link: nothing twice, nothing missing."
            ))
        } else {
            Err(Failure::Failed(format!(
                "{counts}\nNot as it should be:\n{}",
                wrong.join("\n")
            )))
        }
    }
}
