//! What of the genuine webhooks starts an escalation.

use serde_json::{Value, json};

use super::wire::Request;
use super::{SECRET, Stored, envelope, incident, ingress, webhooks};
use crate::support::program::Program;
use crate::support::vhost::Taker;
use crate::support::world::World;

fn of(event_type: &str, service: &str, urgency: &str) -> Value {
    let mut data = incident("QFILTER");
    data["service"]["id"] = json!(service);
    data["urgency"] = json!(urgency);
    envelope(event_type, data)
}

/// Settings, and what with them does and does not start something.
type Row = (Vec<(&'static str, &'static str)>, Vec<(Value, bool)>);

/// Whether it is enqueued. It is 202 either way.
async fn starts(program: &Program, taker: &Taker, webhook: &Value) -> bool {
    let request = Request::webhook(webhook.to_string()).signed(&[SECRET]);
    assert_eq!(request.send(&program.ingress).await.status, 202);
    let stored = Stored::take(taker).await;
    assert!(stored.dead.is_empty(), "{webhook}");
    stored.high.len() + stored.normal.len() == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filters_let_through_what_matches_and_every_resolution() {
    let world = World::new().await;
    let taker = world.vhost.taker().await;
    let (triggered, reopened, escalated) = (
        "incident.triggered",
        "incident.reopened",
        "incident.escalated",
    );
    let both = of(triggered, "PCHAT", "high");
    let table: Vec<Row> = vec![
        (
            vec![("PAGERDUTY_SERVICES", "PCHAT, PVOICE")],
            vec![
                (both.clone(), true),
                (of(triggered, "PVOICE", "low"), true),
                (of(triggered, "PBILLING", "high"), false),
                (of(triggered, "pchat", "high"), false),
            ],
        ),
        (
            vec![("PAGERDUTY_URGENCIES", "high")],
            vec![
                (both.clone(), true),
                (of(triggered, "PCHAT", "low"), false),
                (of(reopened, "PCHAT", "low"), false),
            ],
        ),
        (
            vec![("PAGERDUTY_EVENTS", "incident.reopened,incident.escalated")],
            vec![
                (both.clone(), false),
                (of(reopened, "PCHAT", "low"), true),
                (of(escalated, "PCHAT", "low"), true),
                (of("incident.acknowledged", "PCHAT", "low"), false),
            ],
        ),
        (
            vec![
                ("PAGERDUTY_EVENTS", "incident.triggered"),
                ("PAGERDUTY_SERVICES", "PCHAT"),
                ("PAGERDUTY_URGENCIES", "low"),
            ],
            vec![
                (both, false),
                (of(triggered, "PCHAT", "low"), true),
                (of(triggered, "PVOICE", "low"), false),
                (of(reopened, "PCHAT", "low"), false),
            ],
        ),
    ];
    for (settings, cases) in table {
        let program = ingress(&world, &settings).await;
        for (webhook, wanted) in cases {
            let found = starts(&program, &taker, &webhook).await;
            assert_eq!(found, wanted, "{settings:?}: {webhook:#}");
        }
        for (service, urgency) in [("PBILLING", "low"), ("PVOICE", "high")] {
            let resolved = of("incident.resolved", service, urgency);
            assert!(starts(&program, &taker, &resolved).await, "{settings:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_the_filter_keeps_out_needs_not_be_understood() {
    let world = World::new().await;
    let program = ingress(&world, &[("PAGERDUTY_SERVICES", "PCHAT")]).await;
    let taker = world.vhost.taker().await;
    let mut other = of("incident.triggered", "PBILLING", "high");
    other["event"]["data"]["id"] = Value::Null;
    assert!(!starts(&program, &taker, &other).await);
    assert_eq!(webhooks(&program, "filtered").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulators_own_webhooks_pass_the_filters_as_pagerdutys_do() {
    let world = World::new().await;
    let program = world.start("ingress", &[]).await;
    let case = world.case();
    world.deliver(&program, &world.trigger(&case)).await;
    let stored = Stored::of(&world.vhost).await;
    assert_eq!(stored.high.len(), 1);
    assert_eq!(stored.high[0]["incident_id"], case.incident.as_str());
}
