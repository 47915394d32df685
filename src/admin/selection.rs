//! Which letters a request is about: filters of a query or of a body, places in a list, and never all by accident.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::fields::{Fields, words};
use crate::dead_letters::{NotChosen, chosen};
use crate::escalation::{Code, ConversationId, DeadLetterId, IncidentId, ServiceId};
use crate::ledger::{LetterCursor, LetterFilter, LetterState};
use crate::settings::parse_since;

/// So many letters may be named one by one.
const IDS: usize = 500;
/// A theme has at most forty words.
const REASON: usize = 4_000;

/// The filters that all routes have in common.
pub(super) fn filter(fields: &mut Fields) -> LetterFilter {
    LetterFilter {
        code: fields.parsed("code", code),
        incident: fields.parsed("incident", IncidentId::parse),
        conversation: fields.parsed("conversation", ConversationId::parse),
        service: fields.parsed("service", ServiceId::parse),
        theme: fields.parsed("reason", words(REASON)),
        since: fields.parsed("since", parse_since),
        before: fields.parsed("before", parse_since),
        ..LetterFilter::default()
    }
}

/// The same, of a query, which may ask for closed letters too.
pub(super) fn filter_of_query(fields: &mut Fields) -> LetterFilter {
    let state = fields.parsed("state", |text| match text {
        "open" => Ok(LetterState::Open),
        "closed" => Ok(LetterState::Closed),
        "any" => Ok(LetterState::Any),
        _ => Err("must be open, closed or any"),
    });
    LetterFilter {
        state: state.unwrap_or_default(),
        ..filter(fields)
    }
}

/// What a body has chosen, in words and as a filter: `filter`, or `all`. A fault is noted where it is neither.
pub(super) fn choice(fields: &mut Fields) -> Option<(String, LetterFilter)> {
    let before = fields.faults();
    let found = fields.object("filter", "filter.", |inner| LetterFilter {
        ids: inner.several("ids", IDS, DeadLetterId::parse),
        ..filter(inner)
    });
    let all = fields.flag("all");
    if fields.faults() > before {
        return None;
    }
    let given = found.is_some();
    let filter = found.unwrap_or_default();
    match (chosen(&filter, all), given && all) {
        (Ok(what), false) => Some((what, filter)),
        (Err(NotChosen::Nothing), _) => {
            fields.fault(
                "filter",
                "say which letters: a filter with something in it, or \"all\": true",
            );
            None
        }
        (Err(NotChosen::Both), _) | (Ok(_), true) => {
            fields.fault("filter", "a filter and all contradict each other");
            None
        }
    }
}

fn code(text: &str) -> Result<Code, &'static str> {
    let mut all = Code::ALL.into_iter();
    all.find(|code| code.as_str() == text)
        .ok_or("there is no such code: `escalator explain` lists them")
}

/// A place in the list of letters, as the caller gets it and gives it back. What is in it is nobody's business.
pub(super) fn cursor_text(cursor: &LetterCursor) -> String {
    let at = cursor.died_at.as_millisecond();
    URL_SAFE_NO_PAD.encode(format!("{at} {}", cursor.id))
}

/// The same, given back.
pub(super) fn cursor(text: &str) -> Result<LetterCursor, &'static str> {
    let decode = || {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (at, id) = text.split_once(' ')?;
        Some(LetterCursor {
            died_at: Timestamp::from_millisecond(at.parse().ok()?).ok()?,
            id: DeadLetterId::parse(id).ok()?,
        })
    };
    decode().ok_or("must be what the page before gave as \"next\"")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_out() {
        let cursor_of = LetterCursor {
            died_at: "2026-11-20T03:00:00.123Z".parse().unwrap(),
            id: DeadLetterId::parse("dl-0123456789abcdef").unwrap(),
        };
        assert_eq!(cursor(&cursor_text(&cursor_of)), Ok(cursor_of));
        for wrong in ["", "7", "!", "MTIz"] {
            assert!(cursor(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_body_never_chooses_all_by_accident() {
        for wrong in [
            "{}",
            r#"{"filter":{}}"#,
            r#"{"filter":null}"#,
            r#"{"all":false}"#,
            r#"{"filter":{},"all":false}"#,
            r#"{"filter":{"code":null}}"#,
            r#"{"filter":{"ids":[],"service":"P1"}}"#,
            r#"{"filter":{"code":null,"service":"P1"}}"#,
            r#"{"filter":{"service":"P1"},"all":true}"#,
            r#"{"filter":{},"all":true}"#,
            r#"{"filter":"","all":true}"#,
            r#"{"all":"true"}"#,
            r#"{"all":1}"#,
        ] {
            let mut fields = Fields::of_body(wrong.as_bytes()).unwrap();
            choice(&mut fields);
            assert!(fields.end().is_err(), "{wrong}");
        }
        for (right, what) in [
            (r#"{"all":true}"#, "all"),
            (r#"{"filter":{"service":"P1"},"all":false}"#, "service=P1"),
        ] {
            let mut fields = Fields::of_body(right.as_bytes()).unwrap();
            assert_eq!(choice(&mut fields).unwrap().0, what);
            assert!(fields.end().is_ok());
        }
    }
}
