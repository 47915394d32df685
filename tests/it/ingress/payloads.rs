//! What each kind of webhook becomes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::wire::Request;
use super::{SECRET, Stored, envelope, facts, fixtures, ingress, read_json, say};
use crate::support::program::Program;
use crate::support::vhost::Taker;
use crate::support::world::World;

/// Every type that names an incident and may start an escalation.
const WIDE: &str = "incident.triggered,incident.reopened,incident.acknowledged,incident.unacknowledged,\
incident.escalated,incident.delegated,incident.reassigned,incident.priority_updated,incident.service_updated,\
incident.incident_type.changed,incident.custom_field_values.updated,incident.conference_bridge.updated,\
incident.responder.added,incident.responder.replied,incident.role.assigned,incident.status_update_published,\
incident.task.created,incident.task.updated,incident.task.completed,incident.action_invocation.created,\
incident.action_invocation.updated,incident.action_invocation.terminated,incident.workflow.started,\
incident.workflow.completed";

/// What one webhook must leave in the queues.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    lane: &'static str,
    incident: String,
    /// `resolved`, or what kind of start.
    means: String,
}

/// Sends it, expects 202, and says what it left. Dead letters are never expected here.
async fn leaves(program: &Program, taker: &Taker, webhook: &Value) -> Option<Left> {
    let request = Request::webhook(webhook.to_string()).signed(&[SECRET]);
    let answer = request.send(&program.ingress).await;
    assert_eq!(answer.status, 202, "{answer:?} to {webhook:#}");
    let Stored { high, normal, dead } = Stored::take(taker).await;
    assert!(dead.is_empty(), "{webhook:#} left {dead:#?}");
    assert!(high.len() + normal.len() <= 1, "{high:#?} {normal:#?}");
    let (lane, message) = match (high.first(), normal.first()) {
        (Some(message), _) => ("high", message),
        (None, Some(message)) => ("normal", message),
        (None, None) => return None,
    };
    assert_eq!(message["version"], 1);
    assert_eq!(message["lane"], lane);
    assert_eq!(message["origin"], "webhook");
    for (ours, theirs) in [("id", "id"), ("type", "event_type")] {
        assert_eq!(message["event"][ours], webhook["event"][theirs]);
    }
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(
        time(&message["event"]["occurred_at"]),
        time(&webhook["event"]["occurred_at"])
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let means = match message["task"].as_str().unwrap() {
        "start" => text(&message["trigger"]),
        task => task.to_owned(),
    };
    if means == "reopened" {
        assert_eq!(message["reopened_by"], webhook["event"]["id"]);
    }
    Some(Left {
        lane,
        incident: text(&message["incident_id"]),
        means,
    })
}

fn left(lane: &'static str, incident: &str, means: &str) -> Option<Left> {
    Some(Left {
        lane,
        incident: incident.to_owned(),
        means: means.to_owned(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_shape_of_webhook_becomes_the_right_message_in_the_right_lane_or_none() {
    let world = World::new().await;
    let narrow = ingress(&world, &[]).await;
    let wide = ingress(&world, &[("PAGERDUTY_EVENTS", WIDE)]).await;
    let taker = world.vhost.taker().await;
    // (the file, what it leaves by default, what it leaves where every type starts an escalation)
    let table = [
        ("annotated", None, None),
        (
            "conference-bridge-updated-without-numbers",
            None,
            left("high", "QNWBRIDGE00001", "current"),
        ),
        (
            "escalated-low-urgency",
            None,
            left("normal", "QNWESCALATED01", "current"),
        ),
        ("of-a-type-yet-unknown", None, None),
        ("pagey-ping", None, None),
        same("reopened", "high", "QNWREOPENED001", "reopened"),
        same(
            "resolved-without-assignees",
            "high",
            "QNWRESOLVED001",
            "resolved",
        ),
        (
            "responder-replied-without-escalation-policy",
            None,
            left("high", "QNWRESPONDER01", "current"),
        ),
        (
            "role-assigned",
            None,
            left("high", "QNWROLE0000001", "current"),
        ),
        ("service-updated", None, None),
        same("triggered-by-events-api", "high", "QNWEVENTSAPI01", "first"),
        same(
            "triggered-in-the-shape-of-2021",
            "normal",
            "PNW2021",
            "first",
        ),
        same(
            "triggered-with-a-conference-number-that-is-a-number",
            "high",
            "QNWCONFERENCE1",
            "first",
        ),
        same(
            "triggered-without-service-and-urgency",
            "high",
            "QNWBARE0000001",
            "first",
        ),
        (
            "workflow-completed-with-a-numeric-id",
            None,
            left("high", "QNWWORKFLOW001", "current"),
        ),
    ];
    let files = webhook_files(&fixtures().join("webhooks"));
    assert_eq!(files.len(), table.len(), "each file has its line");
    for (name, by_default, widened) in table {
        let path = fixtures().join("webhooks").join(format!("{name}.json"));
        let webhook = read_json(&path);
        assert_eq!(
            leaves(&narrow, &taker, &webhook).await,
            by_default,
            "{name}"
        );
        assert_eq!(leaves(&wide, &taker, &webhook).await, widened, "{name}");
    }
}

/// What starts or ends an escalation does so however wide the events are.
fn same(
    file: &'static str,
    lane: &'static str,
    incident: &str,
    means: &str,
) -> (&'static str, Option<Left>, Option<Left>) {
    (
        file,
        left(lane, incident, means),
        left(lane, incident, means),
    )
}

fn webhook_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhooks_that_are_kept_beside_the_project_become_the_right_messages() {
    let Some(folder) = facts() else {
        say("no webhooks beside the project: none ran");
        return;
    };
    let world = World::new().await;
    let narrow = ingress(&world, &[]).await;
    let wide = ingress(&world, &[("PAGERDUTY_EVENTS", WIDE)]).await;
    let taker = world.vhost.taker().await;
    let (mut ran, mut started) = (0, 0);
    for path in webhook_files(&folder) {
        for webhook in webhooks_in(&path) {
            let by_default = expected(&webhook, false);
            let found = leaves(&narrow, &taker, &webhook).await;
            assert_eq!(found, by_default, "{}", path.display());
            let widened = expected(&webhook, true);
            started += usize::from(widened.is_some());
            let found = leaves(&wide, &taker, &webhook).await;
            assert_eq!(found, widened, "{}", path.display());
            ran += 1;
        }
    }
    say(&format!(
        "{ran} webhooks beside the project ran, {started} of them about an incident"
    ));
    assert!(ran > 20 && started > 10);
}

/// The envelopes that can be made of a file: itself, or the types that carry such data.
fn webhooks_in(path: &Path) -> Vec<Value> {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name == "index.json" || name == "signature-vectors.json" || name.starts_with("rest-") {
        return Vec::new();
    }
    let content = read_json(path);
    if !name.starts_with("data.") {
        return vec![content];
    }
    let types: &[&str] = match content["type"].as_str().unwrap() {
        "incident" => &[
            "incident.triggered",
            "incident.reopened",
            "incident.resolved",
            "incident.acknowledged",
        ],
        "incident_action_invocation" => &["incident.action_invocation.created"],
        "incident_conference_bridge" => &["incident.conference_bridge.updated"],
        "incident_field_values" => &["incident.custom_field_values.updated"],
        "incident_note" => &["incident.annotated"],
        "incident_responder" => &["incident.responder.added", "incident.responder.replied"],
        "incident_role_assignment" => &["incident.role.assigned"],
        "incident_status_update" => &["incident.status_update_published"],
        "incident_task" => &["incident.task.created", "incident.task.completed"],
        "incident_workflow_instance" => {
            &["incident.workflow.started", "incident.workflow.completed"]
        }
        "service" => &["service.created"],
        "service_field_values" => &["service.custom_field_values.updated"],
        other => panic!("{name}: no type of event is known for {other}"),
    };
    types
        .iter()
        .map(|event_type| envelope(event_type, content.clone()))
        .collect()
}

/// What the table of meanings says, told in another way than the program does.
fn expected(webhook: &Value, widened: bool) -> Option<Left> {
    let event = &webhook["event"];
    let kind = event["event_type"].as_str().unwrap();
    let data = &event["data"];
    let named = [
        data["id"]
            .as_str()
            .filter(|_| data["type"] == "incident")
            .map(str::to_owned),
        data["incident"]["id"].as_str().map(str::to_owned),
        data["incident_role_assignments"][0]["incident"]["id"]
            .as_str()
            .map(str::to_owned),
    ];
    let incident = named.into_iter().flatten().next()?;
    let lane = match data["urgency"].as_str() {
        Some("low") => "normal",
        Some(_) | None => "high",
    };
    match kind {
        "incident.resolved" => left("high", &incident, "resolved"),
        "incident.triggered" => left(lane, &incident, "first"),
        "incident.reopened" => left(lane, &incident, "reopened"),
        // Our own note causes it.
        "incident.annotated" => None,
        _ => widened.then(|| left(lane, &incident, "current")).flatten(),
    }
}
