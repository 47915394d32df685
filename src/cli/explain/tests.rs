#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use super::*;
use crate::escalation::pages_as_markdown;
use clap::Parser;
use std::collections::BTreeSet;

/// All texts of a page, hint included.
fn texts(code: Code) -> Vec<&'static str> {
    let page = code.page();
    let mut texts = vec![page.meaning, page.cause, page.work, code.hint()];
    texts.extend(page.steps);
    texts.extend(page.seen);
    texts
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_code_has_one_page_of_its_own_with_all_its_parts() {
    let mut meanings = BTreeSet::new();
    for code in Code::ALL {
        let page = code.page();
        assert!(meanings.insert(page.meaning), "{code}: two have its page");
        assert!(page.steps.len() >= 2, "{code}");
        assert!(!page.seen.is_empty(), "{code}");
        for text in [page.meaning, page.cause, page.work] {
            assert!(text.ends_with('.') && text.len() > 20, "{code}: {text}");
        }
        for text in texts(code) {
            assert!(
                !text.contains("  ") && !text.contains('\n'),
                "{code}: {text}"
            );
            assert!(
                text.len() <= 330,
                "{code}: nobody reads this at 3 am: {text}"
            );
        }
        assert!(!page.see_also.contains(&code), "{code} refers to itself");
    }
    assert_eq!(meanings.len(), Code::ALL.len());
}

#[test]
fn a_code_that_waits_for_a_person_says_so_on_its_page() {
    for code in Code::ALL {
        let ending = code.page().ending;
        if ending == Ending::Waits {
            assert!(code.waits_for_a_person(), "{code}");
        }
        let own_trouble = matches!(code, Code::LedgerUnreadable | Code::Internal);
        if code.waits_for_a_person() && !own_trouble {
            assert_eq!(ending, Ending::Waits, "{code}");
        }
    }
}

#[test]
fn every_setting_that_a_page_names_is_one() {
    let known: BTreeSet<_> = crate::settings::reference()
        .iter()
        .map(|key| key.key.to_owned())
        .collect();
    let sections: BTreeSet<_> = known
        .iter()
        .map(|key| key.split('.').next().unwrap())
        .collect();
    let mut named = 0;
    for code in Code::ALL {
        for text in texts(code) {
            let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == '.'));
            for word in words.map(|word| word.trim_matches('.')) {
                let Some((section, key)) = word.split_once('.') else {
                    continue;
                };
                // A host name such as api.pagerduty.com begins with no section, or ends in `com`; an event of the log is none.
                let other = key.contains('.') || key == "com" || word == "worker.panicked";
                if sections.contains(section) && !other {
                    assert!(known.contains(word), "{code}: {word}");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 50, "{named}");
}

#[test]
fn every_command_that_a_page_names_can_be_given() {
    let mut given = 0;
    for code in Code::ALL {
        for text in texts(code) {
            for command in quoted(text).filter(|quoted| quoted.starts_with("escalator ")) {
                let words = command
                    .replace("INCIDENT", "Q1")
                    .replace(" ID", " dl-0123456789abcdef");
                let parsed = super::super::Cli::try_parse_from(words.split_whitespace());
                assert!(parsed.is_ok(), "{code}: {command}: {parsed:?}");
                given += 1;
            }
        }
    }
    assert!(given > 15, "{given}");
}

#[test]
fn a_name_that_is_nearly_right_is_taken_or_leads_to_the_right_one() {
    assert_eq!(named("Note-Limit-Reached").unwrap(), Code::NoteLimitReached);
    for (word, wanted) in [
        ("note_limit_reachd", "`note_limit_reached`"),
        (
            "credentials",
            "`pagerduty_credentials` or `genesys_credentials`",
        ),
        ("2018", "did you mean `incident_access_lost`?"),
        ("missing.division.permission", "`genesys_division_missing`"),
        ("", "; `escalator explain` lists all"),
        ("xyz", "; `escalator explain` lists all"),
    ] {
        let failure = named(word).unwrap_err();
        assert_eq!(failure.code(), 64);
        let text = failure.to_string();
        assert!(text.contains(wanted), "{word}: {text}");
    }
}

#[test]
fn a_page_fits_its_columns() {
    for code in Code::ALL {
        let text = as_text(code, 60, false);
        for line in text.lines().skip(3) {
            let longest_word = line.split(' ').map(str::len).max().unwrap_or_default();
            assert!(line.chars().count() <= 60 || longest_word > 30, "{line}");
        }
        assert!(text.contains("   do        1. "), "{text}");
    }
}

/// What there is to do has to be the same in the log, where the hint stands, and on the page.
#[test]
fn hint_and_page_of_an_offer_of_unknown_outcome_say_the_same() {
    let code = Code::SessionOutcomeUnknown;
    let page = code.page().steps.join(" ");
    for text in [code.hint(), page.as_str()] {
        assert!(text.contains("the agent starts"), "{text}");
        assert!(text.contains("by hand"), "{text}");
        assert!(text.contains("from an hour after"), "{text}");
    }
}

/// The queue is transit: nobody is sent there, where a look counts as a delivery.
#[test]
fn no_page_sends_anybody_to_the_queue_of_the_dead() {
    for code in Code::ALL {
        for text in texts(code) {
            assert!(!text.contains("escalations.dead"), "{code}: {text}");
        }
    }
}

#[test]
fn the_runbook_has_the_pages_that_are_compiled_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/runbook/codes.md");
    let now = pages_as_markdown();
    if std::env::var_os("ESCALATOR_RENEW").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == now,
        "{path} is not what is compiled in; renew it: ESCALATOR_RENEW=1 cargo test --lib runbook"
    );
}
