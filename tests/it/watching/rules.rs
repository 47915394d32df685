//! The rules of Prometheus under `deploy/prometheus/rules/`, read as far as their queries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::watching::dashboards::known::known_metrics;
use crate::watching::promql;

const ALERTS: &str = "deploy/prometheus/rules/alerts.yml";

/// What a rule is called, and what it asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// An alert, or something that is worked out once for others.
    pub(crate) alert: bool,
    pub(crate) query: String,
    /// Its other keys that stand on a line of their own: `severity: page`.
    pub(crate) more: BTreeMap<String, String>,
}

/// The rules of a file under `deploy/prometheus/rules/`.
pub(crate) fn of(file: &str) -> Vec<Rule> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules");
    read(&std::fs::read_to_string(folder.join(file)).unwrap())
}

/// The rules of a file, in the two forms that ours have: `expr: QUERY`, and `expr: >-` or `|` with the query below it,
/// further to the right. `record` or `alert` is a rule's first key.
pub(crate) fn read(text: &str) -> Vec<Rule> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    let mut begun = None;
    while let Some(line) = lines.next() {
        let indent = depth(line);
        let line = line.trim();
        if let Some(name) = line.strip_prefix("- record:") {
            begun = Some((name.trim().to_owned(), false));
        } else if let Some(name) = line.strip_prefix("- alert:") {
            begun = Some((name.trim().to_owned(), true));
        } else if line.starts_with('#') {
        } else if let Some(given) = line.strip_prefix("expr:").map(str::trim) {
            let (name, alert) = begun
                .take()
                .unwrap_or_else(|| panic!("an expression of no rule: {line}"));
            let mut query = String::new();
            if given.starts_with(['>', '|']) {
                let below = |line: &&str| line.trim().is_empty() || depth(line) > indent;
                while let Some(line) = lines.next_if(below) {
                    query.push_str(line.trim());
                    query.push('\n');
                }
            } else {
                query.push_str(given);
            }
            let more = BTreeMap::new();
            found.push(Rule {
                name,
                alert,
                query,
                more,
            });
        } else if let (Some((key, value)), Some(rule)) = (line.split_once(": "), found.last_mut()) {
            rule.more.insert(key.to_owned(), value.to_owned());
        }
    }
    found
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[test]
fn every_alert_asks_for_what_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(ALERTS);
    let text = std::fs::read_to_string(path).unwrap();
    let known = known_metrics();
    let rules = read(&text);
    assert_eq!(rules.len(), text.matches("expr:").count());
    assert!(rules.iter().all(|rule| rule.alert));
    let faults: Vec<_> = rules
        .iter()
        .filter_map(|rule| {
            let error = promql::read(&rule.query, &known).err()?;
            Some(format!("{}: {error}\n{}", rule.name, rule.query))
        })
        .collect();
    assert!(faults.is_empty(), "{ALERTS}\n{}", faults.join("\n"));
}

#[test]
fn rules_are_read_in_both_forms() {
    let text = "groups:\n  - name: a\n    rules:\n      # a comment\n      - record: a:b:c\n        expr: sum(x)\n      \
                 - record: a:b:d\n        expr: >-\n          sum(x)\n          / sum(y)\n      - alert: Other\n        \
                 expr: x > 1\n        for: 1m\n";
    let rule = |name: &str, alert, query: &str| Rule {
        name: name.to_owned(),
        alert,
        query: query.to_owned(),
        more: BTreeMap::new(),
    };
    let mut rules = read(text);
    let more = std::mem::take(&mut rules[2].more);
    assert_eq!(more["for"], "1m");
    assert_eq!(
        rules,
        [
            rule("a:b:c", false, "sum(x)"),
            rule("a:b:d", false, "sum(x)\n/ sum(y)\n"),
            rule("Other", true, "x > 1"),
        ]
    );
}

fn alerts() -> Vec<Rule> {
    of("alerts.yml")
}

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_alert_says_how_urgent_it_is_and_where_its_page_is() {
    let runbook = file("deploy/OPERATIONS.md");
    let headings: BTreeSet<_> = runbook
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
        .collect();
    for alert in alerts() {
        let name = alert.name.as_str();
        let severity = alert.more["severity"].as_str();
        assert!(["page", "ticket"].contains(&severity), "{name}");
        for key in ["summary", "description"] {
            assert!(alert.more.contains_key(key), "{name} has no {key}");
        }
        let anchor = format!("deploy/OPERATIONS.md#{}", name.to_lowercase());
        assert_eq!(alert.more["runbook"], anchor, "{name}");
        assert!(headings.contains(name), "the runbook has no section {name}");
    }
    let names: BTreeSet<_> = alerts().into_iter().map(|alert| alert.name).collect();
    let stray: Vec<_> = headings
        .iter()
        .filter(|heading| heading.starts_with("Escalator") && !heading.contains(' '))
        .filter(|heading| !names.contains(**heading))
        .collect();
    assert!(
        stray.is_empty(),
        "sections of alerts that are gone: {stray:?}"
    );
}

/// `promtool` runs them; here it is only seen that there is one of each kind.
#[test]
fn every_alert_is_tested_both_ways() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/tests");
    let mut tested: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let names = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- name:"));
        for name in names {
            let name = name.trim().trim_matches('\'');
            let (alert, does) = name.split_once(' ').unwrap_or((name, ""));
            for way in ["fires", "stays quiet"] {
                if does.starts_with(way) {
                    tested.entry(alert.to_owned()).or_default().insert(way);
                }
            }
        }
    }
    // One may have two rules.
    let names: BTreeSet<_> = alerts().into_iter().map(|alert| alert.name).collect();
    for name in names {
        let ways = tested.remove(&name).unwrap_or_default();
        assert_eq!(ways.len(), 2, "{name} is tested so far: {ways:?}");
    }
    assert!(
        tested.is_empty(),
        "tests of alerts that are gone: {tested:?}"
    );
}

/// `ESCALATOR_RENEW=1 cargo test --test it runbook` writes it anew.
#[test]
fn the_runbook_has_the_metrics_that_are_compiled_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/OPERATIONS.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- metrics -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- /metrics -->").unwrap();
    let compiled = escalator::telemetry::metrics_as_markdown();
    if std::env::var_os("ESCALATOR_RENEW").is_some() {
        let renewed = format!("{before}<!-- metrics -->\n{compiled}<!-- /metrics -->{after}");
        std::fs::write(&path, renewed).unwrap();
    } else {
        assert_eq!(table, compiled, "ESCALATOR_RENEW=1 writes it anew");
    }
}
