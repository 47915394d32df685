//! What the demo says at its end: a table, then whether every count is right.

use super::super::exit::Failure;
use super::Played;
use crate::simulator::{Effects, Urgency};

/// So many incidents are shown; of more, the first ones.
const ROWS: usize = 40;

pub(super) struct Report;

impl Report {
    /// The incidents with their notes.
    pub(super) fn table(played: &[Played], effects: &Effects) -> String {
        let mut lines = vec![
            String::new(),
            format!(
                "{:<15} {:<8} {:>8}  THE LINK IN ITS NOTE",
                "INCIDENT", "URGENCY", "AFTER"
            ),
        ];
        for one in played.iter().take(ROWS) {
            let urgency = match one.urgency {
                Urgency::High => "high",
                Urgency::Low => "low",
            };
            let notes = effects.notes_of(&one.incident);
            let (after, text) = match notes.first() {
                None => ("-".to_owned(), "no note"),
                Some(note) => (
                    format!("{} ms", one.took(note.created_at_ms)),
                    link_in(&note.content),
                ),
            };
            lines.push(format!(
                "{:<15} {urgency:<8} {after:>8}  {text}",
                one.incident
            ));
        }
        if played.len() > ROWS {
            lines.push(format!("… and {} more", played.len() - ROWS));
        }
        if let Some((one, note)) = played
            .last()
            .and_then(|one| Some((one, *effects.notes_of(&one.incident).first()?)))
        {
            lines.push(format!("\nThe whole note in {}:\n", one.incident));
            lines.extend(note.content.lines().map(|line| format!("  {line}")));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Whether each incident has exactly one of everything, as counted at the vendors' side. A killed worker may leave
    /// a session behind whose answer it never got: attached to nothing, out of everybody's reach.
    pub(super) fn verdict(
        played: &[Played],
        effects: &Effects,
        kills: Option<u32>,
    ) -> Result<String, Failure> {
        let wrong: Vec<String> = played
            .iter()
            .filter_map(|one| fault(one, effects))
            .collect();
        let orphans = effects.orphans().len();
        let counts = format!(
            "Counted at the simulated vendors: {} incidents, {} sessions created, {} attached, {} notes.",
            played.len(),
            effects.sessions.len(),
            effects.attached,
            effects.live_notes,
        );
        if !wrong.is_empty() || (kills.is_none() && orphans > 0) {
            return Err(Failure::Failed(format!(
                "{counts}\nNot as it should be ({orphans} orphans):\n{}",
                wrong.join("\n")
            )));
        }
        let crashes = kills.map_or_else(String::new, |kills| {
            format!("\nKills of the worker: {kills}. Sessions left behind by them, attached to nothing: {orphans}.")
        });
        Ok(format!(
            "{counts}{crashes}\nEach incident has one session in its conversation and one note with its link: nothing twice, nothing missing."
        ))
    }
}

/// The first line of a note ends in the link.
fn link_in(content: &str) -> &str {
    let first = content.lines().next().unwrap_or_default();
    first.split(' ').next_back().unwrap_or_default()
}

/// What is wrong with an incident.
fn fault(one: &Played, effects: &Effects) -> Option<String> {
    let attached = effects.attachments_of(&one.conversation);
    let notes = effects.notes_of(&one.incident);
    let linked = attached.first().is_some_and(|attached| {
        let session = effects
            .sessions
            .iter()
            .find(|s| s.id == attached.session_id);
        session.is_some_and(|s| notes.iter().any(|n| s.is_told_in(&n.content)))
    });
    let right = attached.len() == 1 && notes.len() == 1 && linked;
    (!right).then(|| {
        format!(
            "  {}: {} attached, {} notes, link {}",
            one.incident,
            attached.len(),
            notes.len(),
            if linked { "right" } else { "wrong" }
        )
    })
}
