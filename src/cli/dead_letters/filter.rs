//! Which letters: the filters that all commands have in common.

use jiff::Timestamp;

use super::super::escalations::codes;
use super::super::exit::Failure;
use crate::dead_letters::{self, NotChosen, in_words};
use crate::escalation::{Code, ConversationId, DeadLetterId, IncidentId, ServiceId};
use crate::ledger::{LetterFilter, LetterState};
use crate::settings::parse_since;

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Filter {
    /// Only those that died of this.
    #[arg(long, value_parser = codes(), hide_possible_values = true)]
    code: Option<Code>,
    /// Only those of this incident.
    #[arg(long, value_name = "ID", value_parser = IncidentId::parse)]
    incident: Option<IncidentId>,
    /// Only those about this conversation.
    #[arg(long, value_name = "ID", value_parser = ConversationId::parse)]
    conversation: Option<ConversationId>,
    /// Only those of this PagerDuty service.
    #[arg(long, value_name = "ID", value_parser = ServiceId::parse)]
    service: Option<ServiceId>,
    /// Only those of this reason, as `groups` prints it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only those that died since then: a span such as 24h or 7d, or a time such as 2026-11-20T03:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Only those that died before then, likewise: older than 24h is --before 24h.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    before: Option<Timestamp>,
    /// Only these; may be given several times.
    #[arg(long, value_name = "LETTER", value_parser = DeadLetterId::parse)]
    id: Vec<DeadLetterId>,
}

impl Filter {
    /// The letters that it lets through.
    pub(super) fn letters(&self, state: LetterState) -> LetterFilter {
        LetterFilter {
            state,
            ids: self.id.clone(),
            code: self.code,
            incident: self.incident.clone(),
            service: self.service.clone(),
            conversation: self.conversation.clone(),
            // As it was copied from a terminal, perhaps, with its lines broken.
            theme: self.reason.as_ref().map(|text| {
                let words: Vec<_> = text.split_whitespace().collect();
                words.join(" ")
            }),
            since: self.since,
            before: self.before,
            after: None,
            limit: 0,
        }
    }

    /// How many letters it names.
    pub(super) fn named(&self) -> u64 {
        self.id.len() as u64
    }

    /// Whether it lets all through.
    pub(super) fn is_empty(&self) -> bool {
        in_words(&self.letters(LetterState::Open)).is_empty()
    }
}

/// Filters, or all of them: never all by accident. What was chosen, in words.
pub(super) fn chosen(filter: &Filter, all: bool) -> Result<String, Failure> {
    let chosen = dead_letters::chosen(&filter.letters(LetterState::Open), all);
    chosen.map_err(|why| {
        Failure::usage(match why {
            NotChosen::Nothing => "say which: filters such as --code or --id, or --all",
            NotChosen::Both => "--all and filters contradict each other",
        })
    })
}
