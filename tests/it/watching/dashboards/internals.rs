//! Why is it so? For whoever has seen on the overview that something is wrong, or looks after the parts by day.

use serde_json::Value;

use super::dashboard::Dashboard;
use super::panel::{Panel, bars, series, stat, table};
use super::{INTERNALS, OUTCOMES, OVERVIEW};

pub(super) fn dashboard() -> Value {
    Dashboard::new(
        INTERNALS,
        "Escalator: internals",
        "Pool, broker, ledger, budgets, the promise, dead letters, processes: why is it so?",
    )
    .link("Overview", "Is it keeping its promises?", OVERVIEW)
    .row(200, "Pool", pool())
    .row(201, "Broker, as escalator sees it", broker())
    .closed_row(202, "RabbitMQ, as it sees itself", rabbitmq())
    .row(203, "Ledger", ledger())
    .closed_row(204, "Budgets", budgets())
    .closed_row(205, "The promise: once, whatever crashes", promise())
    .closed_row(206, "Dead letters and replays", letters())
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

fn broker() -> [Panel; 6] {
    [
        series(
            20,
            "Messages in the lanes",
            "Messages that are ready in the two lanes; what a worker has in hand is not among them. Growing: more comes in than is taken. Steady and not 0: the lane is stuck.",
        )
        .asks(
            r#"max by (queue) (escalator_queue_messages{queue=~"high|normal", queue=~"$lane"})"#,
            "{{queue}}",
        )
        .unit("short")
        .line_at(200.0)
        .nothing("broker away")
        .coloured(LANES),
        series(
            21,
            "Messages that wait, and dead ones on their way",
            "`delay`: what comes again later, on all rungs of the ladder. `dead`: dead letters that no keeper has taken into the ledger yet; more than a few for a minute: no worker runs, or the ledger is away.",
        )
        .asks(
            r#"max by (queue) (escalator_queue_messages{queue=~"delay|dead"})"#,
            "{{queue}}",
        )
        .unit("short")
        .nothing("broker away")
        .coloured(&[("delay", "purple"), ("dead", "red")]),
        series(
            22,
            "Consumers",
            "Consumers of each queue. 0 of a lane: nobody works, unless the pool is paused or both vendors are shut, when workers stop subscribing. 0 of `dead`: nobody keeps dead letters.",
        )
        .asks(
            "max by (queue) (escalator_queue_consumers)",
            "{{queue}}",
        )
        .unit("short")
        .decimals(0)
        .stepped()
        .nothing("broker away")
        .coloured(&[("high", "orange"), ("normal", "blue"), ("dead", "red")]),
        series(
            23,
            "Time of a publish, p99",
            "From handing a message to the broker to its confirm, by target. A quorum queue confirms when a majority has written it: slow means slow disks, or a member that is away.",
        )
        .asks(
            &quantile("0.99", ", target", "escalator_publish_seconds", HERE),
            "{{target}}",
        )
        .unit("s")
        .line_at(1.0)
        .nothing("nothing published in this time"),
        series(
            24,
            "Published a minute, by outcome",
            "What became of messages that were handed to the broker. Anything but `stored`: the message is kept by whoever sent it, and comes again. `unroutable`: a queue is missing.",
        )
        .asks(
            r#"sum by (target, outcome) (rate(escalator_published_total{instance=~"$instance"}[$__rate_interval])) * 60"#,
            "{{target}} {{outcome}}",
        )
        .unit("short")
        .stacked()
        .nothing("nothing published in this time"),
        series(
            25,
            "Connections",
            "Connections to the broker that were made anew (columns), and the lowest that any process has (1 there, 0 away). One of each at a start. Again and again: flapping links, or RabbitMQ closes them; its log says why.",
        )
        .asks(
            r#"sum by (connection) (increase(escalator_broker_connects_total{instance=~"$instance"}[$__rate_interval]))"#,
            "{{connection}} made",
        )
        .asks(
            r#"min by (connection) (escalator_broker_up{instance=~"$instance"})"#,
            "{{connection}} there",
        )
        .unit("short")
        .decimals(0)
        .stepped()
        .nothing("no process"),
    ]
}

/// Names of the plug-in `rabbitmq_prometheus` on `/metrics`, where a node adds up its objects.
fn rabbitmq() -> [Panel; 8] {
    [
        stat(
            30,
            "Alarms",
            "Alarms of the nodes that are on: memory, disk, file descriptors. Any: RabbitMQ blocks publishing, webhooks are answered 503, workers cannot put anything back.",
        )
        .asks("max(rabbitmq_alarms_memory_used_watermark)", "memory")
        .asks("max(rabbitmq_alarms_free_disk_space_watermark)", "disk")
        .asks("max(rabbitmq_alarms_file_descriptor_limit)", "descriptors")
        .unit("short")
        .says(&[(0, "off", "green"), (1, "on", "red")])
        .nothing("not scraped")
        .steps("green", &[(1.0, "red")])
        .sized(8, 4),
        stat(
            31,
            "Connections, channels, consumers",
            "What is connected to the whole RabbitMQ, other programs included. A process of ours has two connections.",
        )
        .asks("sum(rabbitmq_connections)", "connections")
        .asks("sum(rabbitmq_channels)", "channels")
        .asks("sum(rabbitmq_consumers)", "consumers")
        .unit("short")
        .decimals(0)
        .nothing("not scraped")
        .steps("text", &[])
        .sized(8, 4),
        stat(
            32,
            "Nodes, and messages in all queues",
            "Nodes of RabbitMQ that Prometheus reaches, and messages in all their queues, other programs' included. A node less: quorum queues go on while a majority is there.",
        )
        .asks(r#"sum(up{job="rabbitmq"})"#, "nodes")
        .asks("sum(rabbitmq_queue_messages_ready)", "ready")
        .asks("sum(rabbitmq_queue_messages_unacked)", "in hand")
        .unit("short")
        .decimals(0)
        .nothing("not scraped")
        .steps("text", &[])
        .sized(8, 4),
        series(
            33,
            "Messages a minute",
            "What RabbitMQ received, handed out, and was told is done. Received far above acknowledged for long: queues grow. Redelivered: consumers went away with messages in hand.",
        )
        .asks(
            "sum(rate(rabbitmq_global_messages_received_total[$__rate_interval])) * 60",
            "received",
        )
        .asks(
            "sum(rate(rabbitmq_global_messages_delivered_total[$__rate_interval])) * 60",
            "delivered",
        )
        .asks(
            "sum(rate(rabbitmq_global_messages_acknowledged_total[$__rate_interval])) * 60",
            "acknowledged",
        )
        .asks(
            "sum(rate(rabbitmq_global_messages_redelivered_total[$__rate_interval])) * 60",
            "redelivered",
        )
        .unit("short")
        .nothing("not scraped")
        .coloured(&[
            ("received", "blue"),
            ("delivered", "green"),
            ("acknowledged", "purple"),
            ("redelivered", "red"),
        ]),
        series(
            34,
            "Moved on by RabbitMQ, a minute",
            "Messages that RabbitMQ itself moved to another queue: `expired` are the rungs of the delay ladder, and normal. `delivery limit`: a message went round a thousand times. `unroutable`: dropped or sent back since no queue was there; must be 0.",
        )
        .asks(
            "sum(rate(rabbitmq_global_messages_dead_lettered_expired_total[$__rate_interval])) * 60",
            "expired",
        )
        .asks(
            "sum(rate(rabbitmq_global_messages_dead_lettered_delivery_limit_total[$__rate_interval])) * 60",
            "delivery limit",
        )
        .asks(
            "sum(rate(rabbitmq_global_messages_unroutable_returned_total[$__rate_interval])) * 60 + sum(rate(rabbitmq_global_messages_unroutable_dropped_total[$__rate_interval])) * 60",
            "unroutable",
        )
        .unit("short")
        .nothing("not scraped")
        .coloured(&[
            ("expired", "purple"),
            ("delivery limit", "orange"),
            ("unroutable", "red"),
        ]),
        series(
            35,
            "Memory, of what is allowed",
            "A node's memory as a share of its watermark. At 1 it blocks publishing.",
        )
        .asks(
            "rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes",
            "{{instance}}",
        )
        .unit("percentunit")
        .line_at(0.8)
        .reaches(1.0)
        .nothing("not scraped"),
        series(
            36,
            "Disk that is left",
            "Free space where a node keeps its queues. At its limit (`disk_free_limit`) it blocks publishing.",
        )
        .asks("rabbitmq_disk_space_available_bytes", "{{instance}}")
        .asks("rabbitmq_disk_space_available_limit_bytes", "limit of {{instance}}")
        .unit("bytes")
        .nothing("not scraped"),
        series(
            37,
            "Connections that come and go, a minute",
            "Connections that were opened and closed. Many of both: clients that cannot stay, for example with a wrong password or through a proxy that cuts them.",
        )
        .asks(
            "sum(rate(rabbitmq_connections_opened_total[$__rate_interval])) * 60",
            "opened",
        )
        .asks(
            "sum(rate(rabbitmq_connections_closed_total[$__rate_interval])) * 60",
            "closed",
        )
        .unit("short")
        .nothing("not scraped")
        .coloured(&[("opened", "green"), ("closed", "orange")]),
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

fn budgets() -> [Panel; 5] {
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
        .nothing("no vendor was asked yet"),
    ]
}

fn promise() -> [Panel; 6] {
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

fn letters() -> [Panel; 6] {
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
