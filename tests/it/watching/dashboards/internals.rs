//! Why is it so? For whoever has seen on the overview that something is wrong, or looks after the parts by day.

mod broker;
mod promise;

use serde_json::Value;

use super::dashboard::Dashboard;
use super::panel::{Panel, bars, series, table};
use super::{INTERNALS, OUTCOMES, OVERVIEW};

pub(super) fn dashboard() -> Value {
    Dashboard::new(
        INTERNALS,
        "Escalator: internals",
        "Pool, broker, ledger, budgets, the promise, dead letters, processes: why is it so?",
    )
    .link("Overview", "Is it keeping its promises?", OVERVIEW)
    .row(200, "Pool", pool())
    .row(201, "Broker, as escalator sees it", broker::broker())
    .closed_row(202, "RabbitMQ, as it sees itself", broker::rabbitmq())
    .row(203, "Ledger", ledger())
    .closed_row(204, "Budgets", promise::budgets())
    .closed_row(
        205,
        "The promise: once, whatever crashes",
        promise::promise(),
    )
    .closed_row(206, "Dead letters and replays", promise::letters())
    .closed_row(207, "Processes", processes())
    .closed_row(208, "Traces", traces())
    .json()
}

/// The p-quantile of a histogram, by labels.
fn quantile(share: &str, by: &str, histogram: &str, filter: &str) -> String {
    format!(
        "histogram_quantile({share}, sum by (le{by}) (rate({histogram}_bucket{{{filter}}}[$__rate_interval])))"
    )
}

const HERE: &str = "instance=~\"$instance\"";
const HERE_AND_LANE: &str = "instance=~\"$instance\", lane=~\"$lane\"";
/// Prometheus and others have metrics of these names as well.
const OURS: &str = "job=\"escalator\", instance=~\"$instance\"";
const LANES: &[(&str, &str)] = &[("high", "orange"), ("normal", "blue")];

fn pool() -> [Panel; 9] {
    [
        series(
            1,
            "In hand, and slots",
            "Escalations that workers have in hand, and how many they may have (`worker.concurrency`). In hand near the slots for long: work waits for the pool, so add slots or workers, unless a vendor is slow. In hand 0 with work in the queues: nobody takes any.",
        )
        .asks(r#"sum(escalator_in_hand{instance=~"$instance"})"#, "in hand")
        .asks(r#"sum(escalator_slots{instance=~"$instance"})"#, "slots")
        .unit("short")
        .nothing("no process with a pool")
        .coloured(&[("in hand", "blue"), ("slots", "text")]),
        series(
            2,
            "In hand, by process",
            "How the work is shared. One process with much more than the others: the others have lost their consumers, or are paused.",
        )
        .asks(r#"escalator_in_hand{instance=~"$instance"}"#, "{{instance}}")
        .unit("short")
        .nothing("no process with a pool"),
        series(
            3,
            "Deliveries a minute",
            "Messages that workers took from the broker. Redelivered ones had been taken before by somebody who is gone, or lost the connection: many of them without a restart mean flapping links.",
        )
        .asks(
            r#"sum by (lane, redelivered) (rate(escalator_deliveries_total{instance=~"$instance", lane=~"$lane"}[$__rate_interval])) * 60"#,
            "{{lane}}, redelivered {{redelivered}}",
        )
        .unit("short")
        .stacked()
        .nothing("no delivery in this time"),
        series(
            4,
            "Since the last delivery",
            "How long ago anybody took a message of this lane. Long is fine while nothing waits in it; long with messages in the queue means that the lane is stuck.",
        )
        .asks(
            r#"time() - max by (lane) (escalator_last_delivery_timestamp_seconds{lane=~"$lane"})"#,
            "{{lane}}",
        )
        .unit("s")
        .nothing("no process with a pool")
        .coloured(LANES),
        series(
            5,
            "Time of an attempt",
            "How long a worker has a delivery in hand, all waits in hand included. The median is the vendors' speed; a p99 of 45 s and more is waiting for permits.",
        )
        .asks(
            &quantile("0.5", ", lane", "escalator_attempt_seconds", HERE_AND_LANE),
            "{{lane}} p50",
        )
        .asks(
            &quantile("0.99", ", lane", "escalator_attempt_seconds", HERE_AND_LANE),
            "{{lane}} p99",
        )
        .unit("s")
        .line_at(30.0)
        .nothing("no attempt in this time")
        .coloured(&[
            ("high p50", "semi-dark-orange"),
            ("high p99", "orange"),
            ("normal p50", "semi-dark-blue"),
            ("normal p99", "blue"),
        ]),
        series(
            6,
            "Time of an attempt, by outcome, p95",
            "Which ends take long. A slow `done` is a slow vendor. A slow `later` has waited in hand before it made room.",
        )
        .asks(
            &quantile("0.95", ", outcome", "escalator_attempt_seconds", HERE_AND_LANE),
            "{{outcome}}",
        )
        .unit("s")
        .nothing("no attempt in this time")
        .coloured(OUTCOMES),
        series(
            7,
            "Webhooks in hand, and their time",
            "Requests at the ingress now, and how long a webhook takes to its answer (p99, right axis). PagerDuty waits five seconds; we answer after three at the latest. Slow: the broker confirms slowly.",
        )
        .asks(
            r#"sum(escalator_webhooks_in_flight{instance=~"$instance"})"#,
            "in hand",
        )
        .asks(&quantile("0.99", "", "escalator_webhook_seconds", HERE), "p99")
        .unit("short")
        .right_axis("p99", "s")
        .nothing("no process with an ingress")
        .coloured(&[("in hand", "blue"), ("p99", "orange")]),
        series(
            8,
            "Taken over",
            "Claims whose lease had ended without being given back: the worker before crashed, hung, or lost the ledger. A few after a crash are right. A steady trickle: workers die, or the ledger is slower than the lease.",
        )
        .asks(
            r#"sum by (instance) (increase(escalator_takeovers_total{instance=~"$instance"}[$__rate_interval]))"#,
            "{{instance}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .steps("green", &[(5.0, "red")])
        .nothing("none"),
        series(
            9,
            "Panics",
            "Attempts that ended in a panic: a defect of ours. The delivery comes again and the process lives on; the log has `worker.panicked`.",
        )
        .asks(
            r#"sum by (instance) (increase(escalator_worker_panics_total{instance=~"$instance"}[$__rate_interval]))"#,
            "{{instance}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .steps("green", &[(1.0, "red")])
        .nothing("none"),
    ]
}

fn ledger() -> [Panel; 8] {
    [
        series(
            40,
            "There",
            "1 while a worker reaches its database. 0 at one worker: its network. 0 at all: the database.",
        )
        .asks(r#"escalator_ledger_up{instance=~"$instance"}"#, "{{instance}}")
        .unit("short")
        .decimals(0)
        .at_most(1.0)
        .stepped()
        .nothing("no worker"),
        series(
            41,
            "Time of an operation",
            "How long the ledger takes, commit included. A p50 of a few milliseconds is a healthy disk. A p99 over a second: a slow disk, locks, or a database that is nearly away; leases are in danger from there on.",
        )
        .asks(
            &quantile("0.5", "", "escalator_ledger_seconds", HERE),
            "p50",
        )
        .asks(
            &quantile("0.99", "", "escalator_ledger_seconds", HERE),
            "p99",
        )
        .unit("s")
        .line_at(1.0)
        .nothing("nothing asked in this time")
        .coloured(&[("p50", "green"), ("p99", "red")]),
        series(
            42,
            "Time of an operation, the slowest eight, p99",
            "Which operation is slow. `prune` alone: much is old at once, and it does no harm.",
        )
        .asks(
            &format!(
                "topk(8, {})",
                quantile("0.99", ", operation", "escalator_ledger_seconds", HERE)
            ),
            "{{operation}}",
        )
        .unit("s")
        .line_at(1.0)
        .nothing("nothing asked in this time"),
        series(
            43,
            "Failures a minute",
            "Operations that did not succeed. `failed`: the database was away or refused; whoever asked comes back later.",
        )
        .asks(
            r#"sum by (operation, outcome) (rate(escalator_ledger_seconds_count{outcome="failed", instance=~"$instance"}[$__rate_interval])) * 60 > 0"#,
            "{{operation}} {{outcome}}",
        )
        .unit("short")
        .stacked()
        .nothing("none"),
        series(
            44,
            "Writes that came too late",
            "Writes that the ledger refused since a newer claim existed: a worker that was thought gone was not. The fence held, nothing was done twice. Many: leases end under workers that live; see the time of an operation.",
        )
        .asks(
            r#"sum by (operation) (increase(escalator_fenced_writes_total{instance=~"$instance"}[$__rate_interval]))"#,
            "{{operation}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .nothing("none"),
        series(
            45,
            "Size",
            "How much room the ledger takes. It grows until `escalation.retention` is reached, and then stays. Growing on: nothing is forgotten; see what was.",
        )
        .asks("max(escalator_ledger_bytes)", "ledger")
        .unit("bytes")
        .nothing("ledger away"),
        bars(
            46,
            "Escalations, by state",
            "What the ledger knows, since `escalation.retention` ago. Many dead against done: something is wrong for a whole kind of incidents.",
        )
        .asks("max by (state) (escalator_ledger_escalations)", "{{state}}")
        .unit("short")
        .decimals(0)
        .nothing("ledger away")
        .steps("blue", &[])
        .coloured(&[
            ("done", "green"),
            ("dead", "red"),
            ("open", "blue"),
            ("cancelled", "text"),
        ]),
        series(
            47,
            "Forgotten an hour",
            "What was older than `escalation.retention` and was removed. It comes once an hour; nothing for a day after the first months: see `ledger.not_pruned` in the log.",
        )
        .asks(
            r#"sum by (what) (increase(escalator_pruned_total{instance=~"$instance"}[1h]))"#,
            "{{what}}",
        )
        .unit("short")
        .decimals(0)
        .stepped()
        .nothing("nothing is old yet"),
    ]
}

fn processes() -> [Panel; 7] {
    let of = |metric: &str| format!("{metric}{{{OURS}}}");
    [
        series(
            80,
            "CPU",
            "Cores that each process uses. One worker with 16 slots needs little; a whole core for long is worth a look.",
        )
        .asks(
            &format!("rate({}[$__rate_interval])", of("process_cpu_seconds_total")),
            "{{instance}}",
        )
        .unit("short")
        .decimals(2)
        .nothing("not on Linux"),
        series(
            81,
            "Memory",
            "Resident memory of each process. It rises in the first minutes and then stays; what rises for days is a leak.",
        )
        .asks(&of("process_resident_memory_bytes"), "{{instance}}")
        .unit("bytes")
        .nothing("not on Linux"),
        series(
            82,
            "File descriptors, of what is allowed",
            "Open file descriptors as a share of the limit. Near 1, connections fail.",
        )
        .asks(
            &format!("{} / {}", of("process_open_fds"), of("process_max_fds")),
            "{{instance}}",
        )
        .unit("percentunit")
        .line_at(0.8)
        .reaches(1.0)
        .nothing("not on Linux"),
        series(
            83,
            "Threads",
            "Threads of each process. The number of cores and a few more.",
        )
        .asks(&of("process_threads"), "{{instance}}")
        .unit("short")
        .decimals(0)
        .nothing("not on Linux"),
        series(
            84,
            "Starts",
            "How often each process started anew, at the same address. Deployments show here. More than two in ten minutes: it crashes again and again; its log ends with why.",
        )
        .asks(
            &format!("changes({}[$__rate_interval])", of("process_start_time_seconds")),
            "{{instance}}",
        )
        .unit("short")
        .decimals(0)
        .columns()
        .nothing("none"),
        table(
            85,
            "What runs",
            "Processes and their versions. More than one version for longer than a deployment takes: one of them was forgotten.",
        )
        .asks(
            r#"max by (instance, version) (escalator_build_info{instance=~"$instance"})"#,
            "{{instance}}",
        )
        .unit("short")
        .column("runs"),
        table(
            86,
            "Running for",
            "Time since each process started.",
        )
        .asks(
            &format!("time() - max by (instance) ({})", of("process_start_time_seconds")),
            "{{instance}}",
        )
        .unit("s")
        .column("running for")
        .nothing("not on Linux"),
    ]
}

fn traces() -> [Panel; 1] {
    [series(
        90,
        "Spans a minute",
        "Spans that were sent to the collector, and those that were dropped since it was away or slow. Dropped: traces have gaps; the work itself is not touched.",
    )
    .asks(
        r#"sum by (outcome) (rate(escalator_otlp_spans_total{instance=~"$instance"}[$__rate_interval])) * 60"#,
        "{{outcome}}",
    )
    .unit("short")
    .stacked()
    .nothing("export is off")
    .coloured(&[("sent", "green"), ("dropped", "red")])
    .sized(12, 8)]
}
