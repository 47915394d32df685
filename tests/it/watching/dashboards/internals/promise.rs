//! What is held back, what must not happen twice, and what was given up.

use super::super::panel::{Panel, series, table};
use super::{HERE, quantile};

pub(super) fn budgets() -> [Panel; 5] {
    let colours = [("genesys", "orange"), ("pagerduty", "green")];
    [
        series(
            50,
            "Used, of what is allowed",
            "Permits of the last minute as a share of `requests_per_minute`; the pool shares them. At 1 with requests that wait: the budget is what holds work up. In an alert storm that is right, and the high lane goes first.",
        )
        .asks(
            "max by (vendor) (escalator_budget_used) / max by (vendor) (escalator_budget_limit)",
            "{{vendor}}",
        )
        .unit("percentunit")
        .line_at(0.95)
        .reaches(1.0)
        .nothing("ledger away")
        .coloured(&colours),
        series(
            51,
            "Used, and the limit",
            "Permits of the last 60.25 s, used or handed out, and what the setting allows in a minute.",
        )
        .asks("max by (vendor) (escalator_budget_used)", "{{vendor}} used")
        .asks("max by (vendor) (escalator_budget_limit)", "{{vendor}} limit")
        .unit("short")
        .decimals(0)
        .nothing("ledger away")
        .coloured(&[
            ("genesys used", "orange"),
            ("pagerduty used", "green"),
            ("genesys limit", "semi-dark-orange"),
            ("pagerduty limit", "semi-dark-green"),
        ]),
        series(
            52,
            "Requests that wait for a permit",
            "Requests that wait now, in all processes. More than a few for longer than a minute: the budget is too small for what comes in.",
        )
        .asks(
            r#"sum by (vendor) (escalator_permits_waiting{instance=~"$instance"})"#,
            "{{vendor}}",
        )
        .unit("short")
        .decimals(0)
        .nothing("no worker")
        .coloured(&colours),
        series(
            53,
            "Time until a permit comes, p95",
            "How long a request waits for its permit. Nobody waits longer than 45 s in hand; then the message makes room.",
        )
        .asks(
            &quantile("0.95", ", vendor", "escalator_permit_wait_seconds", HERE),
            "{{vendor}}",
        )
        .unit("s")
        .line_at(5.0)
        .nothing("no request in this time")
        .coloured(&colours),
        series(
            54,
            "Patience that is asked for, by process",
            "What is left of a vendor's `Retry-After` or reset, as each process has heard it. They agree within half a second while they have work.",
        )
        .asks(
            r#"clamp_min(escalator_vendor_patience_until_timestamp_seconds{instance=~"$instance"} - time(), 0)"#,
            "{{vendor}} {{instance}}",
        )
        .unit("s")
        .line_at(60.0)
        .nothing("no vendor has asked for it"),
    ]
}

pub(super) fn promise() -> [Panel; 6] {
    [
        series(
            60,
            "Answers that nobody knew",
            "Writes whose answer was lost, and how that was settled: `adopted`, it had taken effect; `repeated`, it had not. Each was looked up before anything was sent again. Many: a vendor or the network drops connections.",
        )
        .asks(
            r#"sum by (step, settled) (increase(escalator_unknown_outcomes_total{instance=~"$instance"}[$__rate_interval])) > 0"#,
            "{{step}} {{settled}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .nothing("none"),
        series(
            61,
            "Sessions that may be left behind",
            "Sessions that may exist at Genesys, attached to nothing and reachable by nobody, since the answer that would have named them was lost. They do no harm; many of them mean many lost answers.",
        )
        .asks(
            r#"sum(increase(escalator_possible_orphans_total{instance=~"$instance"}[$__rate_interval]))"#,
            "possible orphans",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .nothing("none"),
        series(
            62,
            "Done twice",
            "Effects that were found twice at a vendor, by step. Must be 0.",
        )
        .asks(
            r#"sum by (step) (increase(escalator_duplicate_effects_total{instance=~"$instance"}[$__rate_interval]))"#,
            "{{step}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .steps("green", &[(1.0, "red")])
        .nothing("none"),
        series(
            63,
            "What must never be, and was",
            "Times that something was otherwise than it must ever be, by invariant. Must be 0; a defect of ours, and `invariant.violated` in the log says which escalation.",
        )
        .asks(
            r#"sum by (invariant) (increase(escalator_invariant_violations_total{instance=~"$instance"}[$__rate_interval])) > 0"#,
            "{{invariant}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .steps("green", &[(1.0, "red")])
        .nothing("none"),
        series(
            64,
            "Notes a minute, by whether they waited",
            "Notes that were written for escalations that waited for an agent, and for those that waited for nobody. Only the latter count for the promise. More that waited: the alert comes before an agent takes the conversation.",
        )
        .asks(
            r#"sum by (waited) (rate(escalator_accepted_to_note_seconds_count{instance=~"$instance", lane=~"$lane"}[$__rate_interval])) * 60"#,
            "waited for {{waited}}",
        )
        .unit("short")
        .stacked()
        .nothing("no note in this time"),
        table(
            65,
            "The contract of Genesys",
            "Which of the two cobrowse contracts each process has found out Genesys to speak. Two different ones at the same time: processes with different settings.",
        )
        .asks(
            r#"max by (instance, contract) (escalator_genesys_contract{instance=~"$instance"}) == 1"#,
            "{{instance}}",
        )
        .unit("short")
        .column("speaks")
        .nothing("not decided yet"),
    ]
}

pub(super) fn letters() -> [Panel; 6] {
    [
        series(
            70,
            "Taken into the ledger",
            "Dead letters that a keeper took from their queue, by what became of them. `known`: it came a second time. `closed`: its escalation had ended well meanwhile.",
        )
        .asks(
            r#"sum by (outcome) (increase(escalator_dead_letters_kept_total{instance=~"$instance"}[$__rate_interval]))"#,
            "{{outcome}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .nothing("none"),
        series(
            71,
            "Open, by code",
            "Dead letters that wait for a person. A line that goes up and stays: nobody looks after them.",
        )
        .asks(
            "max by (code) (escalator_dead_letters_open) > 0",
            "{{code}}",
        )
        .unit("short")
        .decimals(0)
        .stacked()
        .nothing("none"),
        series(
            72,
            "Incidents that were told",
            "Incidents that have a note saying that there is no session and why, and those that could not be told (`not_told`): there the engineer waits for nothing, and somebody has to say so.",
        )
        .asks(
            r#"sum by (outcome) (increase(escalator_failure_notes_total{instance=~"$instance"}[$__rate_interval]))"#,
            "{{outcome}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .nothing("none")
        .coloured(&[("told", "green"), ("not_told", "red")]),
        series(
            73,
            "Replays that are open",
            "Replays that have not ended, by whether a process drives them. `false` for ten minutes: whoever drove it stopped or crashed; `escalator dead-letters resume`.",
        )
        .asks(
            "max by (driven) (escalator_replays_open)",
            "driven: {{driven}}",
        )
        .unit("short")
        .decimals(0)
        .stepped()
        .nothing("ledger away")
        .coloured(&[("driven: true", "green"), ("driven: false", "orange")]),
        series(
            74,
            "Letters of open replays",
            "What open replays have still to do: `marked` is not begun, `staged` is open again in the ledger and its message not yet confirmed. It should go down at the replay's pace.",
        )
        .asks(
            "max by (stage) (escalator_replay_entries_open)",
            "{{stage}}",
        )
        .unit("short")
        .decimals(0)
        .stacked()
        .nothing("ledger away"),
        table(
            75,
            "Taken in this time, by code",
            "Dead letters that were taken into the ledger in the time range.",
        )
        .asks(
            r#"sort_desc(round(sum by (code, outcome) (increase(escalator_dead_letters_kept_total{instance=~"$instance"}[$__range]))) > 0)"#,
            "{{code}}",
        )
        .unit("short")
        .decimals(0)
        .column("letters")
        .nothing("none"),
    ]
}
