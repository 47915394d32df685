//! What came of the runs, counted and as Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::run::Report;

/// Numbers over all runs.
pub(crate) struct Summary {
    pub(crate) runs: usize,
    pub(crate) crashes: usize,
    pub(crate) points: BTreeSet<String>,
    pub(crate) violations: usize,
    pub(crate) orphans: usize,
}

impl Summary {
    pub(crate) fn of(reports: &[Report]) -> Self {
        let crashed = reports.iter().flat_map(|report| &report.crashed);
        Self {
            runs: reports.len(),
            crashes: crashed.clone().count(),
            points: crashed.cloned().collect(),
            violations: reports.iter().map(|r| r.verdict.violations.len()).sum(),
            orphans: reports.iter().map(|r| r.verdict.orphans).sum(),
        }
    }
}

/// One table for each call and one for the scenarios; rows are crash points, columns faults or scenarios, cells what came
/// of it, over all ledgers.
pub(crate) fn markdown(reports: &[Report]) -> String {
    let mut tables: BTreeMap<String, Cells> = BTreeMap::new();
    for report in reports.iter().filter(|r| r.spec.crashes.len() <= 1) {
        let spec = &report.spec;
        let point = report.crashed.first().cloned();
        let point = point.unwrap_or_else(|| "(none)".to_owned());
        let outcome = report.verdict.outcome.clone();
        let column = match spec.fault.name.split_once(": ") {
            Some((call, fault)) => ((format!("Faults of `{call}`")), fault.to_owned()),
            None => ("No fault".to_owned(), spec.scenario.name().to_owned()),
        };
        let cells = tables.entry(column.0).or_default();
        let outcomes = cells.entry((point, column.1)).or_default();
        *outcomes.entry(outcome).or_default() += 1;
    }
    let order = order(reports);
    let mut text = String::new();
    pairs(reports, &mut text);
    for (title, cells) in tables {
        let columns: BTreeSet<_> = cells.keys().map(|(_, column)| column.clone()).collect();
        let rows: BTreeSet<_> = cells.keys().map(|(point, _)| point.clone()).collect();
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|row| order.get(row.as_str()).copied().unwrap_or_default());
        let columns: Vec<_> = columns.into_iter().collect();
        let _ = writeln!(text, "\n## {title}\n");
        let _ = writeln!(text, "| crash | {} |", columns.join(" | "));
        let _ = writeln!(text, "| --- |{}", " --- |".repeat(columns.len()));
        for row in rows {
            let shown = columns.iter().map(|column| {
                let outcomes = cells.get(&(row.clone(), column.clone()));
                let outcomes = outcomes.into_iter().flatten();
                let outcomes: Vec<_> = outcomes.map(|(name, n)| format!("{name} ×{n}")).collect();
                outcomes.join("; ")
            });
            let shown: Vec<_> = shown.collect();
            let _ = writeln!(text, "| {row} | {} |", shown.join(" | "));
        }
    }
    text
}

/// How early each point has been passed, so that a table reads as a run goes.
fn order(reports: &[Report]) -> BTreeMap<&str, usize> {
    let mut order = BTreeMap::new();
    for report in reports {
        for (place, point) in (1..).zip(&report.passed) {
            let earliest = order.entry(point.as_str()).or_insert(place);
            *earliest = place.min(*earliest);
        }
    }
    order
}

/// What came of two crashes in a row, beside any fault.
fn pairs(reports: &[Report], text: &mut String) {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for report in reports.iter().filter(|report| report.crashed.len() > 1) {
        *outcomes.entry(&report.verdict.outcome).or_default() += 1;
    }
    let _ = writeln!(
        text,
        "\n## Two crashes in a row, of any scenario, beside any fault\n"
    );
    let _ = writeln!(text, "| outcome | runs |\n| --- | --- |");
    for (outcome, runs) in outcomes {
        let _ = writeln!(text, "| {outcome} | {runs} |");
    }
}

/// By crash point and column, how often each outcome came.
type Cells = BTreeMap<(String, String), BTreeMap<String, usize>>;
