//! The rules of Prometheus under `deploy/prometheus/rules/`, read as far as their queries.

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
            found.push(Rule { name, alert, query });
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
    };
    assert_eq!(
        read(text),
        [
            rule("a:b:c", false, "sum(x)"),
            rule("a:b:d", false, "sum(x)\n/ sum(y)\n"),
            rule("Other", true, "x > 1"),
        ]
    );
}
