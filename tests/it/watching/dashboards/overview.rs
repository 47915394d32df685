//! Is it keeping its promises? Which step, which vendor? For whoever was just woken: from top to bottom.

use serde_json::Value;

use super::dashboard::Dashboard;
use super::panel::{Panel, bars, heatmap, series, stat, table, text};
use super::{INTERNALS, OUTCOMES, OVERVIEW};

/// The note is promised within so many seconds.
const TARGET_SECONDS: f64 = 15.0;

/// Of the escalations that waited for nobody and ended, the bad ones in the last 30 days: later than the target, or dead through
/// no fault of the conversation. Prometheus 3 writes the bucket as `15.0`.
const BAD: &str = "(sum(increase(escalator_accepted_to_note_seconds_count{waited=\"no\"}[30d])) \
    - sum(increase(escalator_accepted_to_note_seconds_bucket{waited=\"no\", le=~\"15|15.0\"}[30d])) \
    + (sum(increase(escalator_dead_letters_total{cause!=\"case\"}[30d])) or vector(0)))";
const ALL: &str = "(sum(increase(escalator_accepted_to_note_seconds_count{waited=\"no\"}[30d])) \
    + (sum(increase(escalator_dead_letters_total{cause!=\"case\"}[30d])) or vector(0)))";

pub(super) fn dashboard() -> Value {
    Dashboard::new(
        OVERVIEW,
        "Escalator: overview",
        "Is it keeping its promises? Which step, which vendor?",
    )
    .link(
        "Internals",
        "Pool, broker, ledger, budgets: why is it so?",
        INTERNALS,
    )
    .top(status())
    .top(what_is_there())
    .row(100, "Is it keeping its promises?", promises())
    .row(101, "What comes in, and what becomes of it?", work())
    .row(102, "Which step?", steps())
    .row(103, "Which vendor?", vendors())
    .row(104, "What died?", deaths())
    .json()
}

fn status() -> [Panel; 8] {
    [
        stat(
            1,
            "Alerts firing",
            "Alerts of escalator that fire now. Not 0: `deploy/OPERATIONS.md` has a page for each of them, and the red marks in the panels below say when it began.",
        )
        .asks(
            r#"count(max by (alertname) (ALERTS{alertname=~"Escalator.*", alertstate="firing"})) or vector(0)"#,
            "firing",
        )
        .unit("short")
        .decimals(0)
        .steps("green", &[(1.0, "red")]),
        stat(
            2,
            "In time, 30 days",
            "The share of escalations that had their note within 15 s, of those that waited for nobody; one that died of a set-up, a vendor or us counts as late. Below 99 % the promise is broken.",
        )
        .asks(&format!("1 - {BAD} / ({ALL} > 0)"), "in time")
        .unit("percentunit")
        .decimals(2)
        .at_most(1.0)
        .nothing("none yet")
        .steps("red", &[(0.99, "orange"), (0.9925, "green")]),
        stat(
            3,
            "Error budget left",
            "What is left of the 1 % of 30 days that may be late. Below 0 it is spent: what is fast and risky should wait.",
        )
        .asks(&format!("1 - {BAD} / ({ALL} > 0) / 0.01"), "left")
        .unit("percentunit")
        .decimals(0)
        .at_most(1.0)
        .below_zero()
        .nothing("none yet")
        .steps("red", &[(0.0, "orange"), (0.25, "green")]),
        stat(
            4,
            "Oldest open",
            "How long ago the oldest open escalation was accepted, of those that wait for no agent. Over two minutes somebody on call waits for a link that does not come: see what work waits for.",
        )
        .asks(
            r#"max(escalator_oldest_open_seconds{waits_for="nobody"})"#,
            "oldest",
        )
        .unit("s")
        .decimals(0)
        .sparkline()
        .nothing("ledger away")
        .steps("green", &[(30.0, "orange"), (120.0, "red")]),
        stat(
            5,
            "Open",
            "Escalations that have begun and not ended. Those that wait for nobody should be few and soon gone; those that wait for an agent end when one connects, or after `escalation.agent_wait`.",
        )
        .asks(
            "max by (waits_for) (escalator_open)",
            "{{waits_for}}",
        )
        .unit("short")
        .decimals(0)
        .nothing("ledger away")
        .steps("text", &[]),
        stat(
            6,
            "Dead letters open",
            "Dead letters that nobody has replayed or discarded. Each is an incident without a link: `escalator dead-letters groups`.",
        )
        .asks("sum(max by (code) (escalator_dead_letters_open))", "open")
        .unit("short")
        .decimals(0)
        .nothing("ledger away")
        .steps("green", &[(1.0, "orange"), (20.0, "red")]),
        stat(
            7,
            "Must never be",
            "Effects that were found twice at a vendor, and states that must never be, in the time range. Not 0: a defect of ours; the log has `effect.found_twice` or `invariant.violated`.",
        )
        .asks(
            "ceil(sum(increase(escalator_duplicate_effects_total[$__range])))",
            "twice",
        )
        .asks(
            "ceil(sum(increase(escalator_invariant_violations_total[$__range])))",
            "violated",
        )
        .unit("short")
        .decimals(0)
        .steps("green", &[(1.0, "red")]),
        stat(
            8,
            "A minute",
            "Genuine webhooks that came in, and notes that were written, a minute. Webhooks without notes: see attempts and what work waits for. No webhooks for a day: PagerDuty may have switched the subscription off (`escalator check`).",
        )
        .asks(
            r#"sum(rate(escalator_webhooks_total{outcome=~"accepted|ignored|filtered", instance=~"$instance"}[5m])) * 60"#,
            "webhooks",
        )
        .asks(
            r#"sum(rate(escalator_accepted_to_note_seconds_count{instance=~"$instance"}[5m])) * 60"#,
            "notes",
        )
        .unit("short")
        .decimals(1)
        .sparkline()
        .nothing("none yet")
        .steps("text", &[]),
    ]
}

fn what_is_there() -> [Panel; 6] {
    let there = [(0, "away", "red"), (1, "there", "green")];
    let vendor = |id, title, name: &str| {
        let shut = |trouble: &str| {
            format!(r#"max(escalator_vendor_shut{{vendor="{name}", trouble="{trouble}"}})"#)
        };
        stat(
            id,
            title,
            "Whether a process asks this vendor nothing but probes: `shut`, since it fails again and again; `refuses us`, since it does not take our secret, and then a person has to change it. What needs the vendor waits in the queue and spends no attempt.",
        )
        .asks(
            &format!("{} + 2 * {}", shut("outage"), shut("credential")),
            name,
        )
        .unit("short")
        .says(&[
            (0, "answers", "green"),
            (1, "shut", "red"),
            (2, "refuses us", "red"),
            (3, "refuses us", "red"),
        ])
        .nothing("not asked yet")
        .steps("green", &[(1.0, "red")])
        .sized(4, 3)
    };
    [
        stat(
            9,
            "Processes",
            "Processes that Prometheus reaches, and those that it should reach. Fewer: one is down, or its admin listener cannot be reached.",
        )
        .asks(r#"sum(up{job="escalator"})"#, "up")
        .asks(r#"count(up{job="escalator"} == 0) or vector(0)"#, "down")
        .unit("short")
        .decimals(0)
        .nothing("none")
        .steps("text", &[])
        .coloured(&[("down", "orange")])
        .sized(4, 3),
        stat(
            10,
            "Broker",
            "Whether every process has its connections to RabbitMQ. Away also while RabbitMQ blocks publishing by an alarm of memory or disk. The process goes unready and tries on.",
        )
        .asks("min(escalator_broker_up)", "broker")
        .unit("short")
        .says(&there)
        .steps("red", &[(1.0, "green")])
        .sized(4, 3),
        stat(
            11,
            "Ledger",
            "Whether every worker reaches its database. Away: nothing is begun and nothing is lost; work waits in its queue.",
        )
        .asks("min(escalator_ledger_up)", "ledger")
        .unit("short")
        .says(&there)
        .steps("red", &[(1.0, "green")])
        .sized(4, 3),
        vendor(12, "Genesys", "genesys"),
        vendor(13, "PagerDuty", "pagerduty"),
        stat(
            14,
            "Pool",
            "Whether an operator has paused the pool (`escalator pause`, `resume`; `escalator audit` says who and why). Paused: webhooks are accepted, and wait.",
        )
        .asks("max(escalator_paused)", "pool")
        .unit("short")
        .says(&[(0, "works", "green"), (1, "paused", "orange")])
        .steps("green", &[(1.0, "orange")])
        .sized(4, 3),
    ]
}

fn promises() -> [Panel; 4] {
    let quantile = |share: &str| {
        format!(
            r#"histogram_quantile({share}, sum by (le) (rate(escalator_accepted_to_note_seconds_bucket{{waited="no", instance=~"$instance", lane=~"$lane"}}[$__rate_interval])))"#
        )
    };
    [
        series(
            20,
            "From webhook to note",
            "Time from accepting a webhook to its note, for escalations that waited for nobody. The dashed line is the target. Half of them (p50) over it: something is slow for everybody, see the steps. Only p99: something is slow for a few.",
        )
        .asks(&quantile("0.5"), "p50")
        .asks(&quantile("0.95"), "p95")
        .asks(&quantile("0.99"), "p99")
        .unit("s")
        .line_at(TARGET_SECONDS)
        .reaches(TARGET_SECONDS + 1.0)
        .nothing("no notes in this time")
        .coloured(&[("p50", "green"), ("p95", "orange"), ("p99", "red")])
        .sized(12, 8),
        heatmap(
            21,
            "Notes by the time that they took",
            "Each column is a span of time, each row a bucket of seconds, darker means more notes. A dark band below 5 s is good. A second band higher up: some wait for something (a vendor, an agent, a retry), and the band says how long.",
        )
        .asks(
            r#"sum by (le) (increase(escalator_accepted_to_note_seconds_bucket{instance=~"$instance", lane=~"$lane"}[$__rate_interval]))"#,
            "{{le}}",
        )
        .unit("s")
        .nothing("no notes in this time")
        .sized(12, 8),
        series(
            22,
            "Share that was late",
            "Of the escalations that ended, the share that broke the promise, over three windows. The dashed line is the 1 % that may be late. 14.4 % for an hour spends two per cent of the month's budget, and wakes somebody.",
        )
        .asks("escalator:slo_bad:ratio_rate5m", "5 min")
        .asks("escalator:slo_bad:ratio_rate1h", "1 h")
        .asks("escalator:slo_bad:ratio_rate6h", "6 h")
        .unit("percentunit")
        .line_at(0.01)
        .reaches(0.05)
        .nothing("nothing ended in this time")
        .coloured(&[("5 min", "yellow"), ("1 h", "orange"), ("6 h", "red")])
        .sized(12, 8),
        series(
            23,
            "Open, and the oldest",
            "Open escalations, and the age of the oldest that waits for nobody (right axis). Both growing together: nothing gets through. The age alone: a few are stuck; `escalator escalations list --state open` shows which.",
        )
        .asks("max by (waits_for) (escalator_open)", "waits for {{waits_for}}")
        .asks(
            r#"max(escalator_oldest_open_seconds{waits_for="nobody"})"#,
            "age of the oldest",
        )
        .unit("short")
        .right_axis("age of the oldest", "s")
        .nothing("ledger away")
        .coloured(&[
            ("waits for nobody", "blue"),
            ("waits for agent", "purple"),
            ("age of the oldest", "orange"),
        ])
        .sized(12, 8),
    ]
}

fn work() -> [Panel; 3] {
    [
        series(
            30,
            "Webhooks a minute, by outcome",
            "What the ingress answered; `direct` is `POST /escalations`. `bad_signature`, `no_signature`, `too_large`: the secret does not fit, or it is not PagerDuty. `not_stored`, `late`: the broker did not confirm; PagerDuty tries again, and after three refusals in a row switches the subscription off.",
        )
        .asks(
            r#"sum by (outcome) (rate(escalator_webhooks_total{instance=~"$instance"}[$__rate_interval])) * 60 > 0"#,
            "{{outcome}}",
        )
        .asks(
            r#"sum by (outcome) (rate(escalator_direct_starts_total{instance=~"$instance"}[$__rate_interval])) * 60 > 0"#,
            "direct, {{outcome}}",
        )
        .unit("short")
        .stacked()
        .nothing("no webhook in this time")
        .coloured(OUTCOMES),
        series(
            31,
            "Attempts a minute, by outcome",
            "What became of each delivery. `later` waits and comes again, and the next panel says for what; `handed_back` is a worker that ends or has lost the ledger; `dead` is a dead letter.",
        )
        .asks(
            r#"sum by (outcome) (rate(escalator_attempts_total{instance=~"$instance", lane=~"$lane"}[$__rate_interval])) * 60 > 0"#,
            "{{outcome}}",
        )
        .unit("short")
        .stacked()
        .nothing("no attempt in this time")
        .coloured(OUTCOMES),
        series(
            32,
            "What work waits for, a minute",
            "Attempts that could not go on, by the code of what they wait for. `no_agent_connected` is a customer's queue and no fault. For any other, `escalator explain CODE` says what is behind it and what to do.",
        )
        .asks(
            r#"sum by (code) (rate(escalator_waits_total{instance=~"$instance"}[$__rate_interval])) * 60 > 0"#,
            "{{code}}",
        )
        .unit("short")
        .nothing("nothing waits"),
    ]
}

fn steps() -> [Panel; 3] {
    [
        series(
            40,
            "Time of a step, p95",
            "How long each step takes, 19 of 20 times at most. `context` reads the incident's alerts, `session` reads the conversation and starts a session, `media` puts it there, `verify` looks, `note` writes. One step alone over a second: its vendor is slow at that.",
        )
        .asks(
            r#"histogram_quantile(0.95, sum by (le, step) (rate(escalator_step_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
            "{{step}}",
        )
        .unit("s")
        .line_at(5.0)
        .nothing("no step in this time"),
        bars(
            41,
            "Where the time of a note goes",
            "Seconds that were spent in each step in the time range, per note that came of it, with all that was tried more than once; and the time that it lay in the queue before. The longest bar is what to make shorter.",
        )
        .asks(
            r#"sum by (step) (increase(escalator_step_seconds_sum{instance=~"$instance"}[$__range])) / on () group_left () sum(increase(escalator_accepted_to_note_seconds_count{instance=~"$instance"}[$__range]))"#,
            "{{step}}",
        )
        .asks(
            r#"sum(increase(escalator_accepted_to_claim_seconds_sum{instance=~"$instance"}[$__range])) / sum(increase(escalator_accepted_to_claim_seconds_count{instance=~"$instance"}[$__range]))"#,
            "in the queue",
        )
        .unit("s")
        .nothing("no note in this time")
        .steps("green", &[(1.0, "yellow"), (5.0, "red")]),
        series(
            42,
            "Time until a worker takes it, p95",
            "How long an escalation lies in its queue before a worker claims it for the first time. Growing: too few slots, a pause, or a vendor that holds all slots up; see the pool in the internals. The high lane should never wait.",
        )
        .asks(
            r#"histogram_quantile(0.95, sum by (le, lane) (rate(escalator_accepted_to_claim_seconds_bucket{instance=~"$instance", lane=~"$lane"}[$__rate_interval])))"#,
            "{{lane}}",
        )
        .unit("s")
        .line_at(5.0)
        .nothing("nothing claimed in this time")
        .coloured(&[("high", "orange"), ("normal", "blue")]),
    ]
}

fn vendors() -> [Panel; 6] {
    let colours = [("genesys", "orange"), ("pagerduty", "green")];
    [
        series(
            50,
            "Requests a minute",
            "Requests to each vendor, with what was tried again. Many more than usual for the same work: something is repeated.",
        )
        .asks(
            r#"sum by (vendor) (rate(escalator_upstream_request_seconds_count{instance=~"$instance"}[$__rate_interval])) * 60"#,
            "{{vendor}}",
        )
        .unit("short")
        .nothing("no request in this time")
        .coloured(&colours),
        series(
            51,
            "Requests that failed",
            "The share of requests without a usable answer: 5xx, a connection that did not come about (not_sent), an answer that did not come (no_answer). Over 5 % at one vendor alone: look at its status page. At both: look at our own network.",
        )
        .asks(
            r#"(sum by (vendor) (rate(escalator_upstream_request_seconds_count{status=~"5..|not_sent|no_answer", instance=~"$instance"}[$__rate_interval])) or 0 * sum by (vendor) (rate(escalator_upstream_request_seconds_count{instance=~"$instance"}[$__rate_interval]))) / sum by (vendor) (rate(escalator_upstream_request_seconds_count{instance=~"$instance"}[$__rate_interval]))"#,
            "{{vendor}}",
        )
        .unit("percentunit")
        .line_at(0.05)
        .reaches(0.1)
        .nothing("no request in this time")
        .coloured(&colours),
        series(
            52,
            "Time of a request, p95",
            "How long each call takes, 19 of 20 times at most. The deadline is `worker.call_timeout` (10 s): what is near it will soon be an answer that nobody knows.",
        )
        .asks(
            r#"histogram_quantile(0.95, sum by (le, vendor, operation) (rate(escalator_upstream_request_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
            "{{vendor}} {{operation}}",
        )
        .unit("s")
        .line_at(5.0)
        .nothing("no request in this time"),
        series(
            53,
            "Shut",
            "1 while a process asks a vendor nothing but probes: `outage` after five failures in a row, `credential` where it refuses our secret, and then a person has to change it. Work waits meanwhile and loses nothing.",
        )
        .asks(
            "max by (vendor, trouble) (escalator_vendor_shut)",
            "{{vendor}} {{trouble}}",
        )
        .unit("short")
        .decimals(0)
        .at_most(1.0)
        .stepped()
        .line_at(1.0)
        .nothing("no vendor was asked yet"),
        series(
            54,
            "Answers 429",
            "How often a vendor said that it was too much. Any at all: somebody else uses the same credential, or `requests_per_minute` is set higher than the vendor allows.",
        )
        .asks(
            r#"sum by (vendor) (increase(escalator_throttled_total{instance=~"$instance"}[$__rate_interval]))"#,
            "{{vendor}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .steps("green", &[(1.0, "red")])
        .nothing("none in this time")
        .coloured(&colours),
        series(
            55,
            "How long a vendor wants to be left alone",
            "What is left of a vendor's `Retry-After` or reset. Over a minute: everything for that vendor waits for so long, whatever we do.",
        )
        .asks(
            "clamp_min(max by (vendor) (escalator_vendor_patience_until_timestamp_seconds) - time(), 0)",
            "{{vendor}}",
        )
        .unit("s")
        .line_at(60.0)
        .reaches(70.0)
        .nothing("no vendor has asked for it")
        .coloured(&colours),
    ]
}

fn deaths() -> [Panel; 4] {
    [
        series(
            60,
            "Dead letters, by code and cause",
            "Escalations that were given up. Cause `case`: the conversation or the incident was like that, and no replay helps. `set_up`: a credential, a permission or a region is wrong. `vendor`: it refused. `ours`: a defect.",
        )
        .asks(
            "sum by (code, cause) (increase(escalator_dead_letters_total[$__rate_interval])) > 0",
            "{{code}} ({{cause}})",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .steps("green", &[(1.0, "red")])
        .nothing("nothing died in this time")
        .sized(12, 8),
        table(
            61,
            "Died in this time",
            "How many died in the time range, by code and cause. Many of one code: one thing is wrong, and one replay mends it once it is right.",
        )
        .asks(
            "sort_desc(round(sum by (code, cause) (increase(escalator_dead_letters_total[$__range]))) > 0)",
            "{{code}}",
        )
        .unit("short")
        .decimals(0)
        .column("dead")
        .nothing("none")
        .sized(6, 8),
        bars(
            62,
            "Open, by code",
            "Dead letters that lie in the ledger and wait for a person. They are kept until they are replayed or discarded, and are never forgotten.",
        )
        .asks(
            "sort_desc(max by (code) (escalator_dead_letters_open) > 0)",
            "{{code}}",
        )
        .unit("short")
        .decimals(0)
        .steps("orange", &[(20.0, "red")])
        .nothing("none")
        .sized(6, 8),
        text(
            63,
            "What to do",
            "`escalator explain CODE` says what a code means and what to do.\n\n\
             `escalator dead-letters groups` shows what has gone wrong and how often; `plan --code CODE --out FILE` what a replay would do; `replay FILE` does it.\n\n\
             `escalator escalations show INCIDENT` tells everything about one of them.",
        )
        .sized(24, 4),
    ]
}
