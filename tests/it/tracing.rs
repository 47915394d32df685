//! Traces: one escalation over both processes and both vendors, as a collector receives it; and that no collector can hurt.

#![allow(clippy::print_stdout, reason = "`--nocapture` shows the trees")]

mod collector;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use escalator::broker::{self, Broker};
use escalator::escalation::{Event, IncidentId, Lane, Message, Origin, Start, Task, Trigger};
use escalator::ingress;
use escalator::simulator::{CobrowseApi, Config, Fault, Operation, RequestRecord, What, Which};
use escalator::telemetry::{Telemetry, TraceContext};
use jiff::Timestamp;
use serde_json::Value;

use self::collector::{Collector, Mood, Seen, tree};
use crate::support::program::{PATIENCE, Program};
use crate::support::world::{Case, World, assert_once};

/// What a proxy in front of the ingress says.
const PROXY: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PROXY_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PROXY_SPAN: &str = "00f067aa0ba902b7";
/// What only the collector may see, in a header.
const SECRET: &str = "what-only-the-collector-knows";

/// The settings of an export to this collector.
fn export(url: &str) -> [(&str, &str); 3] {
    [
        ("OTLP_ENDPOINT", url),
        (
            "OTLP_HEADERS",
            "x-key=what-only-the-collector-knows,authorization=Bearer%20b",
        ),
        // Whoever reads the log at this level sees everything.
        ("LOG_LEVEL", "trace"),
    ]
}

/// Delivers the webhook of a triggered incident with this `traceparent`. Returns the status.
async fn deliver(world: &World, program: &Program, case: &Case, traceparent: &str) -> u16 {
    let webhook = world.trigger(case);
    let url = format!("{}/webhooks/pagerduty", program.ingress);
    let request = reqwest::Client::new()
        .post(url)
        .header("x-pagerduty-signature", &webhook.signature)
        .header("tracestate", "vendor=whatever")
        .header("traceparent", traceparent)
        .body(webhook.body);
    request.send().await.unwrap().status().as_u16()
}

async fn ended(program: &Program, case: &Case, outcome: &str) -> Value {
    let wanted =
        |line: &Value| line["incident"] == case.incident.as_str() && line["outcome"] == outcome;
    program.logged("escalation.attempt", wanted).await
}

/// What the vendors were told of traces.
fn told_to_vendors(world: &World) -> Vec<(RequestRecord, TraceContext)> {
    let requests = world.simulator.requests().into_iter();
    let told = requests.map(|request| {
        let text = request.traceparent.clone().unwrap_or_default();
        let context = TraceContext::parse(text.as_bytes());
        let context = context.unwrap_or_else(|| panic!("{request:?}"));
        assert_eq!(context.to_string(), text);
        (request, context)
    });
    told.collect()
}

fn named<'a>(spans: &'a [Seen], name: &str) -> Vec<&'a Seen> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn only<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let found = named(spans, name);
    assert_eq!(found.len(), 1, "{name} in\n{}", tree(spans));
    found[0]
}

/// Nothing that admits, and nobody's name, in any byte that was exported; the only secret of the collector's is in its header.
fn assert_tells_no_secret(world: &World, collector: &Collector) {
    let config = world.simulator.config().clone();
    let effects = world.simulator.effects();
    let mut secrets = vec![
        config.client_secret,
        config.api_token,
        config.webhook_secret,
        config.from_email,
        "Web visitor".to_owned(),
        "://".to_owned(),
        "Bearer".to_owned(),
        SECRET.to_owned(),
        "whatever".to_owned(),
    ];
    secrets.extend(world.simulator.tokens());
    secrets.extend(effects.sessions.iter().map(|s| s.join_url.clone()));
    let taken = collector.taken();
    assert!(!taken.is_empty());
    for (headers, body) in &taken {
        assert_eq!(headers["x-key"], SECRET);
        assert_eq!(headers["authorization"], "Bearer b");
        assert_eq!(headers["content-type"], "application/x-protobuf");
        let body = String::from_utf8_lossy(body);
        for secret in &secrets {
            assert!(!body.contains(secret.as_str()), "{secret} is exported");
        }
    }
    for span in collector.spans() {
        let mut said = span.said.iter();
        let person = said.find(|(_, value)| value.contains('@'));
        assert_eq!(person, None, "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_tells_of_one_escalation_over_both_processes_and_both_vendors() {
    let world = World::new().await;
    let collector = Collector::start(Mood::Takes).await;
    let ingress = world.start("ingress", &export(&collector.url)).await;
    let worker = world.start("worker", &export(&collector.url)).await;
    let (case, forged) = (world.case(), world.case());
    assert_eq!(deliver(&world, &ingress, &case, PROXY).await, 202);
    // Whoever is not known does not decide what is recorded.
    let mut webhook = world.trigger(&forged);
    webhook.body.push(b' ');
    let url = format!("{}/webhooks/pagerduty", ingress.ingress);
    let refused = world.simulator.deliver(&url, &webhook).await;
    assert_eq!(refused.status(), Some(403));
    let done = ended(&worker, &case, "done").await;
    assert_eq!(done["trace_id"], PROXY_TRACE);
    assert_once(&world.simulator.effects(), std::slice::from_ref(&case));
    let told = told_to_vendors(&world);
    for program in [ingress, worker] {
        let (status, log) = program.terminate().await;
        assert!(status.success());
        let shown = log.iter().find(|line| line.contains(SECRET));
        assert_eq!(shown, None, "the collector's secret is in the log");
    }

    let spans = collector.spans();
    println!("{}", tree(&spans));
    let traces: BTreeSet<_> = spans.iter().map(|span| span.trace.as_str()).collect();
    assert_eq!(traces, BTreeSet::from([PROXY_TRACE]), "{}", tree(&spans));

    let server = only(&spans, "POST /webhooks/pagerduty");
    assert_eq!((server.kind.as_str(), server.role()), ("Server", "ingress"));
    assert_eq!(server.parent, PROXY_SPAN);
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/webhooks/pagerduty"),
        ("http.response.status_code", "202"),
        ("escalator.outcome", "accepted"),
        ("escalator.incident", &case.incident),
    ] {
        assert_eq!(server.said(key), value, "{key}");
    }
    let send = only(&spans, "send escalations.high");
    assert_eq!((send.kind.as_str(), send.role()), ("Producer", "ingress"));
    assert_eq!(send.parent, server.id);
    for (key, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", "escalations.high"),
        ("escalator.outcome", "stored"),
    ] {
        assert_eq!(send.said(key), value, "{key}");
    }
    let process = only(&spans, "process escalations.high");
    assert_eq!(
        (process.kind.as_str(), process.role()),
        ("Consumer", "worker")
    );
    assert_eq!(process.parent, send.id);
    for (key, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "escalations.high"),
        ("messaging.message.id", send.said("messaging.message.id")),
        ("escalator.outcome", "done"),
        ("escalator.incident", &case.incident),
        ("escalator.conversation", &case.conversation),
        ("escalator.key", done["key"].as_str().unwrap()),
        ("escalator.redelivered", "false"),
    ] {
        assert_eq!(process.said(key), value, "{key}");
    }

    // Each step is a part of the attempt, and each request one of a step.
    let steps: Vec<_> = spans.iter().filter(|s| s.kind == "Internal").collect();
    let names: BTreeSet<_> = steps.iter().map(|step| step.name.as_str()).collect();
    let expected = ["context", "token", "session", "media", "verify", "note"];
    let expected: BTreeSet<_> = expected.iter().map(|s| format!("step {s}")).collect();
    assert_eq!(names, expected.iter().map(String::as_str).collect());
    assert!(steps.iter().all(|step| step.parent == process.id));
    let ids: BTreeSet<_> = steps.iter().map(|step| step.id.as_str()).collect();
    let calls: Vec<_> = spans.iter().filter(|s| s.kind == "Client").collect();
    assert!(calls.iter().all(|call| ids.contains(call.parent.as_str())));
    let vendors: BTreeSet<_> = calls.iter().map(|c| c.said("escalator.vendor")).collect();
    assert_eq!(vendors, BTreeSet::from(["genesys", "pagerduty"]));
    for call in &calls {
        assert_eq!(call.said("server.address"), "127.0.0.1");
        assert!(call.said("http.response.status_code").starts_with('2'));
        assert!(!call.said("escalator.correlation").is_empty());
        assert!(!call.failed);
    }
    only(&spans, "POST create_session");
    only(&spans, "POST write_note");

    // The vendors were told the very spans that tell of their requests.
    let of_calls: BTreeSet<_> = calls
        .iter()
        .map(|call| format!("00-{}-{}-01", call.trace, call.id))
        .collect();
    let of_requests: BTreeSet<_> = told
        .iter()
        .map(|(_, context)| context.to_string())
        .collect();
    assert_eq!(told.len(), calls.len());
    assert_eq!(of_calls, of_requests);

    for span in &spans {
        assert_eq!(span.resource["service.name"], "escalator");
        assert_eq!(span.resource["service.version"], env!("CARGO_PKG_VERSION"));
        assert!(span.resource["service.instance.id"].contains('/'));
        assert!(span.ended >= span.began);
        let parent = spans.iter().find(|parent| parent.id == span.parent);
        // Nothing begins before what it follows from; two processes of one machine have one clock.
        assert!(parent.is_none_or(|parent| span.began >= parent.began));
    }
    assert_tells_no_secret(&world, &collector);
}

/// The message waits in the broker, and comes back: where it belongs is in its header.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_stays_in_the_trace_of_its_webhook() {
    let world = World::with(Config {
        cobrowse_api: CobrowseApi::Conversation,
        ..Config::default()
    })
    .await;
    let collector = Collector::start(Mood::Takes).await;
    let links = ("NOTE_INCLUDE_ACCESS_LINKS", "true");
    let settings = [&export(&collector.url)[..], &[links]].concat();
    let program = world.start("serve", &settings).await;
    for (operation, what) in [
        // Its id comes in an answer that cannot be read.
        (Operation::GenesysConversation, What::Garbage),
        (Operation::GenesysOfferSession, What::genesys_throttled(3)),
        // It quotes the note.
        (Operation::PagerdutyCreateNote, What::Echo(500)),
    ] {
        let which = Which::Nth(1);
        world.simulator.script(Fault {
            operation,
            which,
            what,
        });
    }
    let case = world.case();
    assert_eq!(deliver(&world, &program, &case, PROXY).await, 202);
    let later = ended(&program, &case, "later").await;
    let done = ended(&program, &case, "done").await;
    assert_eq!(
        (&later["trace_id"], &done["trace_id"]),
        (&PROXY_TRACE.into(), &PROXY_TRACE.into())
    );
    let (status, _) = program.terminate().await;
    assert!(status.success());

    let spans = collector.spans();
    println!("{}", tree(&spans));
    assert!(spans.iter().all(|span| span.trace == PROXY_TRACE));
    let sent = named(&spans, "send escalations.high");
    let attempts = named(&spans, "process escalations.high");
    assert!(attempts.len() > 1, "{}", tree(&spans));
    assert_eq!(
        sent.len(),
        attempts.len(),
        "each attempt but the last sends the next"
    );
    let first = sent[0];
    // All of them belong where the message did in the first place: the tree stays flat however often it comes.
    assert!(attempts.iter().all(|attempt| attempt.parent == first.id));
    for (attempt, next) in attempts.iter().zip(&sent[1..]) {
        assert_eq!(next.parent, attempt.id);
        assert_eq!(attempt.said("escalator.outcome"), "later");
        let delay: u64 = next.said("escalator.delay_ms").parse().unwrap();
        assert!(delay > 1000, "{delay}");
    }
    let asks = named(&spans, "GET read_conversation");
    assert_eq!(asks[0].said("http.response.status_code"), "200");
    let offers = named(&spans, "POST offer_session");
    assert_eq!(offers[0].said("error.type"), "429");
    assert!(offers[0].failed && !offers[1].failed);
    told_to_vendors(&world);
    assert_tells_no_secret(&world, &collector);
}

/// As after a catch-up, a replay, or of somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_trace_begins_one_that_its_retries_go_on_with() {
    let world = World::new().await;
    let collector = Collector::start(Mood::Takes).await;
    let worker = world.start("worker", &export(&collector.url)).await;
    world.simulator.script(Fault {
        operation: Operation::GenesysCreateSession,
        which: Which::Nth(1),
        what: What::genesys_throttled(3),
    });
    let case = world.case();
    let now = Timestamp::now();
    let event = Event {
        id: None,
        kind: "incident.triggered".to_owned(),
        occurred_at: now,
    };
    let start = Task::Start(Start {
        trigger: Trigger::First,
        cycle: 0,
        service_id: None,
        conversation_id: None,
        agent_id: None,
    });
    let incident = IncidentId::parse(&case.incident).unwrap();
    let message = Message::new(incident, now, Origin::CatchUp, Lane::High, event, start);
    let broker = Broker::start(broker::Config {
        urls: vec![world.vhost.url()],
        role: broker::Role::Publish,
        ..broker::Config::default()
    });
    let broker = broker.unwrap();
    let (publisher, telemetry) = (broker.publisher(), Telemetry::new().unwrap());
    let id = "without-a-trace".to_owned();
    ingress::publish(&publisher, &telemetry, &message, id, None, PATIENCE)
        .await
        .unwrap();
    broker.close().await;
    let done = ended(&worker, &case, "done").await;
    assert!(worker.terminate().await.0.success());
    let spans = collector.spans();
    println!("{}", tree(&spans));
    let attempts = named(&spans, "process escalations.high");
    assert_eq!(attempts.len(), 2, "{}", tree(&spans));
    assert_eq!(
        (attempts[0].parent.as_str(), &attempts[1].parent),
        ("", &attempts[0].id)
    );
    assert!(spans.iter().all(|span| span.trace == done["trace_id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_setting_nothing_is_exported_and_the_ids_join_the_logs_all_the_same() {
    let world = World::new().await;
    let collector = Collector::start(Mood::Takes).await;
    // What OpenTelemetry's own libraries would heed.
    let traces = format!("{}/v1/traces", collector.url);
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces),
        ("OTEL_TRACES_EXPORTER", "otlp"),
    ];
    let ingress = world.start("ingress", &environment).await;
    let worker = world.start("worker", &environment).await;
    let malformed = PROXY.to_uppercase();
    let unrecorded = PROXY.replace("-01", "-00").replace("4bf9", "5bf9");
    let mut cases = Vec::new();
    for traceparent in [PROXY, &unrecorded, &malformed] {
        let case = world.case();
        assert_eq!(deliver(&world, &ingress, &case, traceparent).await, 202);
        let done = ended(&worker, &case, "done").await;
        let taken = |line: &Value| line["incident"] == case.incident.as_str();
        let taken = ingress.logged("webhook.answered", taken).await;
        assert_eq!(taken["trace_id"], done["trace_id"]);
        cases.push(done["trace_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(cases[0], PROXY_TRACE);
    assert_eq!(cases[1], PROXY_TRACE.replace("4bf9", "5bf9"));
    // It begins a trace of its own.
    assert_eq!(cases[2].len(), 32);
    assert!(!cases[..2].contains(&cases[2]) && !malformed.contains(&cases[2].to_uppercase()));
    // Nobody is told of a span that nobody has recorded: what was received goes on.
    let told = told_to_vendors(&world);
    let told: BTreeSet<_> = told
        .iter()
        .map(|(_, context)| context.to_string())
        .collect();
    assert!(
        told.contains(PROXY) && told.contains(&unrecorded),
        "{told:?}"
    );
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(worker.metric(&["escalator_otlp_spans_total"]).await, 0.0);
    for program in [ingress, worker] {
        assert!(program.events("otlp.failing").is_empty());
        assert!(program.terminate().await.0.success());
    }
    assert_eq!(collector.arrived(), 0);
}

/// With this share of traces that begin here, and none of a parent's.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_parent_decided_holds_whatever_the_ratio() {
    let world = World::new().await;
    let collector = Collector::start(Mood::Takes).await;
    let none = ("OTLP_SAMPLE_RATIO", "0");
    let settings = [&export(&collector.url)[..], &[none]].concat();
    let program = world.start("serve", &settings).await;
    let unrecorded = PROXY.replace("-01", "-00").replace("4bf9", "5bf9");
    let cases = [world.case(), world.case(), world.case()];
    for (case, traceparent) in cases.iter().zip([PROXY, &unrecorded, "none at all"]) {
        assert_eq!(deliver(&world, &program, case, traceparent).await, 202);
        ended(&program, case, "done").await;
    }
    assert!(program.terminate().await.0.success());
    let spans = collector.spans();
    assert!(!spans.is_empty());
    assert!(spans.iter().all(|span| span.trace == PROXY_TRACE));
    assert!(
        only(&spans, "process escalations.high").said("escalator.incident") == cases[0].incident
    );
}

/// Whatever the collector does: the escalation is done, the log has one line of it, and the end comes in time.
async fn unhurt(world: &World, url: &str) -> (Program, Case) {
    let program = world.start("serve", &export(url)).await;
    let case = world.case();
    assert_eq!(deliver(world, &program, &case, PROXY).await, 202);
    ended(&program, &case, "done").await;
    (program, case)
}

async fn ends_in_time(program: Program) -> Vec<String> {
    let began = Instant::now();
    let (status, log) = program.terminate().await;
    assert!(status.success());
    // Two seconds for the collector; the rest is the broker's, and a busy machine's.
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_hurts_nobody() {
    let world = World::new().await;
    // Taken and given back: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let (program, _) = unhurt(&world, &url).await;
    let told = program.logged("otlp.failing", |_| true).await;
    assert_eq!(told["reason"], "no connection");
    let log = ends_in_time(program).await;
    let lines = log.iter().filter(|line| line.contains("\"otlp.failing\""));
    assert_eq!(lines.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_comes_back_gets_what_it_missed_and_both_is_told_once() {
    let world = World::new().await;
    let collector = Collector::start(Mood::Answers(503)).await;
    let (program, _) = unhurt(&world, &collector.url).await;
    let told = program.logged("otlp.failing", |_| true).await;
    assert_eq!(told["reason"], "status 503");
    collector.becomes(Mood::Takes);
    let back = program.logged("otlp.back", |_| true).await;
    assert_eq!(back["dropped"], 0);
    assert_eq!(
        program
            .metric(&["escalator_otlp_spans_total", "dropped"])
            .await,
        0.0
    );
    ends_in_time(program).await;
    let spans = collector.spans();
    only(&spans, "POST /webhooks/pagerduty");
    only(&spans, "process escalations.high");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_refuses_for_good_is_dropped_and_counted() {
    let world = World::new().await;
    let collector = Collector::start(Mood::Answers(401)).await;
    let (program, _) = unhurt(&world, &collector.url).await;
    program
        .logged("otlp.failing", |told| told["reason"] == "status 401")
        .await;
    let dropped = program
        .metric(&["escalator_otlp_spans_total", "dropped"])
        .await;
    assert!(dropped > 0.0);
    collector.becomes(Mood::Rejects(1));
    let case = world.case();
    assert_eq!(deliver(&world, &program, &case, PROXY).await, 202);
    ended(&program, &case, "done").await;
    let log = ends_in_time(program).await;
    let lines = log.iter().filter(|line| line.contains("\"otlp.failing\""));
    assert_eq!(lines.count(), 1, "one line an outage");
    assert!(!collector.spans().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_delays_the_end_by_two_seconds_at_most() {
    let world = World::new().await;
    let collector = Collector::start(Mood::Hangs).await;
    let (program, _) = unhurt(&world, &collector.url).await;
    collector.hears().await;
    ends_in_time(program).await;
}
