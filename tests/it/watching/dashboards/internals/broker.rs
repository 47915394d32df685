//! The broker, from both sides.

use super::super::panel::{Panel, series, stat};
use super::{HERE, LANES, quantile};

pub(super) fn broker() -> [Panel; 6] {
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
            r#"sum by (target, outcome) (rate(escalator_published_total{instance=~"$instance"}[$__rate_interval])) * 60 > 0"#,
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
pub(super) fn rabbitmq() -> [Panel; 8] {
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
