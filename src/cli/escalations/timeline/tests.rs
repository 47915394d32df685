//! What a history is made into.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use super::*;
use crate::escalation::{IncidentId, Key, Progress, Trigger};
use crate::ledger::State;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_143_845_000 + ms).unwrap()
}

fn known(holder: Option<Duration>) -> Known {
    let incident = IncidentId::parse("Q1").unwrap();
    Known {
        key: Key::of(&incident, &Trigger::First),
        incident,
        state: State::Open,
        end: None,
        epoch: 1,
        holder: holder.map(|left| ("host/1".to_owned(), left)),
        attempts: 0,
        takeovers: 0,
        accepted_at: at(0),
        occurred_at: at(0),
        created_at: at(0),
        ended_at: None,
        resolved_at: None,
        progress: Progress::default(),
    }
}

fn entry(ms: i64, epoch: u64, kind: EntryKind) -> Entry {
    Entry {
        at: at(ms),
        epoch,
        kind,
        step: None,
        what: kind.as_str().to_owned(),
        code: None,
        took_ms: None,
        correlation: None,
    }
}

fn first_unanswered(holder: Option<Duration>, after: &[Entry]) -> Option<Unanswered> {
    let mut history = vec![entry(1, 1, EntryKind::Intended)];
    history.extend_from_slice(after);
    lines(&known(holder), &history)[0].unanswered
}

#[test]
fn a_write_is_unanswered_where_its_lease_tells_nothing_more() {
    let taken_over = [
        entry(9, 1, EntryKind::TakenOver),
        entry(9, 2, EntryKind::Claimed),
    ];
    let live = Some(Duration::from_secs(3));
    for (holder, after, expected) in [
        (live, &taken_over[..], Some(Unanswered::WorkerEnded)),
        (live, &[], Some(Unanswered::UnderWay)),
        (Some(Duration::ZERO), &[], Some(Unanswered::WorkerEnded)),
        (None, &[], Some(Unanswered::NotRecorded)),
        (live, &taken_over[1..], Some(Unanswered::NotRecorded)),
        (live, &[entry(2, 1, EntryKind::Answered)], None),
        (live, &[entry(2, 1, EntryKind::Setback)], None),
        (None, &[entry(2, 1, EntryKind::Later)], None),
    ] {
        assert_eq!(
            first_unanswered(holder, after),
            expected,
            "{holder:?} {after:?}"
        );
    }
}

#[test]
fn a_day_is_named_once_and_again_when_it_changes() {
    let day_ms = 24 * 3600 * 1000;
    let history = [0, 1, day_ms, day_ms + 1].map(|ms| entry(ms, 1, EntryKind::Claimed));
    let known = known(None);
    let text = as_text(&known, &lines(&known, &history), None, false);
    let days: Vec<_> = text.lines().filter(|line| line.contains("UTC")).collect();
    assert_eq!(days.len(), 2, "{text}");
    assert_ne!(days[0], days[1]);
}

#[test]
fn long_texts_go_on_below_their_beginning_and_stay_within_the_columns() {
    let history = [Entry {
        what: "word ".repeat(60),
        ..entry(31_000, 1, EntryKind::Setback)
    }];
    let known = known(None);
    let text = as_text(&known, &lines(&known, &history), Some(100), false);
    let begin = text.find("word").unwrap() - text.find('!').unwrap();
    let lines: Vec<_> = text.lines().skip(1).collect();
    assert!(lines.len() > 3, "{text}");
    for line in &lines {
        assert!(line.chars().count() <= 100, "{line}");
        assert_eq!(line.find("word"), Some(begin), "{text}");
    }
}

#[test]
fn without_colours_there_is_no_escape_and_with_them_a_crash_is_bold_and_red() {
    let history = [entry(1, 1, EntryKind::TakenOver)];
    let known = known(None);
    let lines = lines(&known, &history);
    assert!(!as_text(&known, &lines, None, false).contains('\u{1b}'));
    assert!(as_text(&known, &lines, None, true).contains("\u{1b}[1;31m!! "));
}
