//! What every panel has to have, and that its queries ask for what there is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::known::known_metrics;
use super::{INTERNALS, OVERVIEW, all};
use crate::watching::promql;

/// What Grafana puts in the place of its variables; here only of the right form.
const VARIABLES: &[(&str, &str)] = &[
    ("instance", ".*"),
    ("lane", ".*"),
    ("__rate_interval", "5m"),
    ("__interval", "1m"),
    ("__range", "3h"),
];

/// Units that Grafana knows, of those that are in use: `short` is a plain number, shortened from a thousand on.
const UNITS: &[&str] = &["short", "s", "percentunit", "bytes"];

/// All panels, also those under closed rows.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        found.push(panel);
        if let Some(closed) = panel["panels"].as_array() {
            found.extend(closed);
        }
    }
    found
}

/// Those that show numbers.
pub(super) fn charts(dashboard: &Value) -> Vec<&Value> {
    let mut panels = panels(dashboard);
    panels.retain(|panel| !["row", "text"].contains(&text(&panel["type"])));
    panels
}

pub(super) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

pub(super) fn queries(panel: &Value) -> impl Iterator<Item = (&str, &str)> {
    let targets = panel["targets"].as_array().unwrap();
    targets
        .iter()
        .map(|target| (text(&target["expr"]), text(&target["legendFormat"])))
}

/// The labels that a legend names: `{{code}} ({{cause}})`.
fn named_in(legend: &str) -> Vec<&str> {
    let parts = legend.split("{{").skip(1);
    parts
        .map(|rest| rest.split("}}").next().unwrap().trim())
        .collect()
}

#[test]
fn every_panel_says_what_it_shows_and_what_a_bad_picture_means() {
    for (name, dashboard) in all() {
        for panel in charts(&dashboard) {
            let title = format!("{name}: {}", panel["title"]);
            let description = text(&panel["description"]);
            assert!(description.len() > 30, "{title}: {description}");
            assert!(description.ends_with('.'), "{title}: {description}");
            let defaults = &panel["fieldConfig"]["defaults"];
            let unit = text(&defaults["unit"]);
            assert!(UNITS.contains(&unit), "{title}: unit {unit}");
            assert!(!text(&defaults["noValue"]).is_empty(), "{title}");
            assert!(queries(panel).count() > 0, "{title}: no query");
        }
    }
}

#[test]
fn every_panel_begins_at_0_unless_what_is_below_0_means_something() {
    let mut below = Vec::new();
    for (_, dashboard) in all() {
        for panel in charts(&dashboard) {
            let min = &panel["fieldConfig"]["defaults"]["min"];
            if min.is_null() {
                below.push(text(&panel["title"]).to_owned());
            } else {
                assert_eq!(min, 0, "{}", panel["title"]);
            }
        }
    }
    assert_eq!(below, ["Error budget left"]);
}

#[test]
fn thresholds_begin_with_a_colour_for_all_and_rise() {
    for (_, dashboard) in all() {
        for panel in charts(&dashboard) {
            let steps = &panel["fieldConfig"]["defaults"]["thresholds"]["steps"];
            let values: Vec<_> = steps
                .as_array()
                .unwrap()
                .iter()
                .map(|step| step["value"].as_f64())
                .collect();
            let (first, rest) = values.split_first().unwrap();
            assert_eq!(*first, None, "{}", panel["title"]);
            assert!(rest.iter().all(Option::is_some), "{}", panel["title"]);
            assert!(rest.is_sorted(), "{}", panel["title"]);
        }
    }
}

#[test]
fn ids_and_titles_are_given_once() {
    for (name, dashboard) in all() {
        let mut ids = BTreeSet::new();
        let mut titles = BTreeSet::new();
        for panel in panels(&dashboard) {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {panel}");
            assert!(titles.insert(text(&panel["title"])), "{name}: {panel}");
        }
    }
}

/// Grafana would push them apart, and each time otherwise.
#[test]
fn panels_lie_beside_each_other_and_within_the_grid() {
    for (name, dashboard) in all() {
        let mut taken = BTreeMap::new();
        let mut place = |panel: &Value, shelf: &str| {
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{name}: {}", panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    let before = taken.insert((shelf.to_owned(), x, y), panel["title"].clone());
                    assert_eq!(before, None, "{name}: {} lies on it", panel["title"]);
                }
            }
        };
        for panel in dashboard["panels"].as_array().unwrap() {
            place(panel, "open");
            for closed in panel["panels"].as_array().into_iter().flatten() {
                place(closed, text(&panel["title"]));
            }
        }
    }
}

#[test]
fn they_lead_to_each_other_and_take_time_and_variables_along() {
    for ((_, dashboard), (own, other)) in all()
        .into_iter()
        .zip([(OVERVIEW, INTERNALS), (INTERNALS, OVERVIEW)])
    {
        assert_eq!(dashboard["uid"], own);
        let [link] = dashboard["links"].as_array().unwrap().as_slice() else {
            panic!("{}", dashboard["links"]);
        };
        assert_eq!(link["url"], format!("/d/{other}"));
        assert_eq!(link["keepTime"], true);
        assert_eq!(link["includeVars"], true);
    }
}

/// Every data source is the one that is chosen at the top.
#[test]
fn nothing_asks_a_prometheus_of_its_own() {
    for (name, dashboard) in all() {
        for panel in charts(&dashboard) {
            let targets = panel["targets"].as_array().unwrap().iter();
            for asked in std::iter::once(panel).chain(targets) {
                assert_eq!(asked["datasource"]["uid"], "${datasource}", "{name}");
                assert_eq!(asked["datasource"]["type"], "prometheus", "{name}");
            }
        }
    }
}

#[test]
fn every_query_asks_for_what_there_is() {
    let known = known_metrics();
    let mut faults = Vec::new();
    for (name, dashboard) in all() {
        let annotations = dashboard["annotations"]["list"].as_array().unwrap();
        let alerts = annotations
            .iter()
            .filter_map(|list| list["target"]["expr"].as_str())
            .map(|query| ("annotations", query, "{{alertname}} {{severity}}"));
        let panels = charts(&dashboard).into_iter().flat_map(|panel| {
            queries(panel).map(|(query, legend)| (text(&panel["title"]), query, legend))
        });
        for (title, query, legend) in alerts.chain(panels) {
            let reading =
                promql::filled_in(query, VARIABLES).and_then(|query| promql::read(&query, &known));
            match reading {
                Err(error) => faults.push(format!("{name}: {title}: {error}\n  {query}")),
                Ok(reading) => faults.extend(
                    named_in(legend)
                        .into_iter()
                        .filter(|label| !reading.labels.contains(*label))
                        .map(|label| {
                            format!(
                                "{name}: {title}: the legend names {label}, the answer has {:?}\n  {query}",
                                reading.labels
                            )
                        }),
                ),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Two lines of one name are one line too few.
#[test]
fn the_queries_of_a_panel_are_told_apart() {
    for (name, dashboard) in all() {
        for panel in charts(&dashboard) {
            let mut legends = BTreeSet::new();
            let mut ids = BTreeSet::new();
            for target in panel["targets"].as_array().unwrap() {
                let title = &panel["title"];
                let legend = text(&target["legendFormat"]);
                assert!(!legend.is_empty(), "{name}: {title}");
                assert!(legends.insert(legend), "{name}: {title}: {legend}");
                assert!(ids.insert(text(&target["refId"])), "{name}: {title}");
            }
        }
    }
}

/// What all processes read from one ledger or one broker is one fact: a sum over them counts it again and again, and a choice of
/// processes must not make it vanish.
#[test]
fn what_is_everybodys_is_the_highest_and_never_the_sum() {
    const EVERYBODYS: &[&str] = &[
        "escalator_queue_messages",
        "escalator_queue_consumers",
        "escalator_ledger_bytes",
        "escalator_ledger_escalations",
        "escalator_open",
        "escalator_oldest_open_seconds",
        "escalator_dead_letters_open",
        "escalator_replays_open",
        "escalator_replay_entries_open",
        "escalator_budget_used",
    ];
    let mut seen = BTreeSet::new();
    for (name, dashboard) in all() {
        for panel in charts(&dashboard) {
            for (query, _) in queries(panel) {
                for metric in EVERYBODYS {
                    for (at, _) in query.match_indices(metric) {
                        let after = &query[at + metric.len()..];
                        let goes_on = |c: char| c == '_' || c.is_ascii_alphanumeric();
                        if after.starts_with(goes_on) {
                            continue;
                        }
                        seen.insert(*metric);
                        let before = query[..at].trim_end_matches('(').trim_end();
                        let by_label = before.ends_with(')')
                            && before
                                .rsplit_once(" by (")
                                .is_some_and(|(by, _)| by.ends_with("max"));
                        assert!(
                            before.ends_with("max") || by_label,
                            "{name}: not the highest: {query}"
                        );
                        let selector = after.split(['}', ')']).next().unwrap();
                        assert!(!selector.contains("instance"), "{name}: {query}");
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), EVERYBODYS.len(), "{seen:?}");
}

/// Each metric of ours is worth a panel, or it need not be there.
#[test]
fn every_metric_of_ours_is_on_a_dashboard() {
    const NOT_SHOWN: &[&str] = &["process_virtual_memory_bytes"];
    let known = known_metrics();
    let mut shown = BTreeSet::new();
    for (_, dashboard) in all() {
        for panel in charts(&dashboard) {
            for (query, _) in queries(panel) {
                let query = promql::filled_in(query, VARIABLES).unwrap();
                shown.extend(promql::read(&query, &known).unwrap().metrics);
            }
        }
    }
    let base = |name: &str| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name)
            .to_owned()
    };
    let shown: BTreeSet<_> = shown.iter().map(|name| base(name)).collect();
    let missing: BTreeSet<_> = known
        .names()
        .filter(|name| name.starts_with("escalator_") || name.starts_with("process_"))
        .map(base)
        .filter(|name| !shown.contains(name) && !NOT_SHOWN.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
