//! Which letters somebody has chosen: never all of them by accident.

use crate::ledger::LetterFilter;

/// Why nothing was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChosen {
    /// Neither a filter nor all.
    #[error("say which letters: a filter, or all")]
    Nothing,
    /// Both.
    #[error("a filter and all contradict each other")]
    Both,
}

/// What was chosen, in words: what the filter lets through, or all.
///
/// # Errors
/// Where it was neither, or both.
pub fn chosen(filter: &LetterFilter, all: bool) -> Result<String, NotChosen> {
    let words = in_words(filter);
    match (words.is_empty(), all) {
        (true, false) => Err(NotChosen::Nothing),
        (false, true) => Err(NotChosen::Both),
        (true, true) => Ok("all".to_owned()),
        (false, false) => Ok(words),
    }
}

/// A filter as it was given; nothing where it lets all through. Its state, place and limit are no part of what was chosen.
#[must_use]
pub fn in_words(filter: &LetterFilter) -> String {
    let text = |name: &str, value: Option<String>| value.map(|value| format!("{name}={value}"));
    let mut parts: Vec<String> = [
        text("code", filter.code.map(|code| code.to_string())),
        text(
            "incident",
            filter.incident.as_ref().map(ToString::to_string),
        ),
        text(
            "conversation",
            filter.conversation.as_ref().map(ToString::to_string),
        ),
        text("service", filter.service.as_ref().map(ToString::to_string)),
        text("reason", filter.theme.clone()),
        text("since", filter.since.map(|at| format!("{at:.0}"))),
        text("before", filter.before.map(|at| format!("{at:.0}"))),
    ]
    .into_iter()
    .flatten()
    .collect();
    match filter.ids.as_slice() {
        [] => {}
        ids @ [_, ..] if ids.len() <= 3 => {
            parts.extend(ids.iter().map(ToString::to_string));
        }
        ids => parts.push(format!("{} letters", ids.len())),
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::escalation::{Code, DeadLetterId};
    use crate::ledger::LetterState;

    #[test]
    fn nobody_chooses_all_by_accident() {
        let nothing = LetterFilter {
            state: LetterState::Any,
            limit: 7,
            ..LetterFilter::default()
        };
        let some = LetterFilter {
            code: Some(Code::NoAlert),
            ids: vec![DeadLetterId::parse("dl-0123456789abcdef").unwrap()],
            ..LetterFilter::default()
        };
        assert_eq!(chosen(&nothing, false), Err(NotChosen::Nothing));
        assert_eq!(chosen(&nothing, true).unwrap(), "all");
        assert_eq!(chosen(&some, true), Err(NotChosen::Both));
        let words = chosen(&some, false).unwrap();
        assert_eq!(words, "code=no_alert dl-0123456789abcdef");
    }
}
