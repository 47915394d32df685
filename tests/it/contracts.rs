//! The contracts with the vendors: whatever this program can send is what they publish, and whatever they answer is
//! understood.
//!
//! What is published stands in `tests/fixtures/contracts`, as far as it is used and in the vendors' own form; where
//! fuller documents lie beside the project, the same requests are held against those too.

mod answers;
mod clients;
mod document;
mod judge;
mod program;
mod samples;

use std::collections::BTreeSet;
use std::path::PathBuf;

use escalator::simulator::{Captured, CobrowseApi};
use escalator::upstream::Operation;

use document::Document;

/// Every operation of the program, and what it is in the published documents: one line each, more where the two cobrowse
/// contracts have it in common. An operation without a line does not compile.
macro_rules! operations {
    ($($operation:ident => [$(($document:literal, $name:literal)),+],)*) => {
        const OPERATIONS: &[Operation] = &[$(Operation::$operation),*];

        fn published(operation: Operation) -> &'static [(&'static str, &'static str)] {
            match operation {
                $(Operation::$operation => &[$(($document, $name)),+],)*
            }
        }
    };
}

operations! {
    Token => [("genesys", "POST /oauth/token"), ("sessions", "POST /oauth/token")],
    ReadConversation => [
        ("genesys", "GET /api/v2/conversations/{conversationId}"),
        ("sessions", "GET /api/v2/conversations/{conversationId}")
    ],
    CreateSession => [("sessions", "POST /api/v2/cobrowse/sessions")],
    OfferSession => [("genesys", "POST /api/v2/conversations/{conversationId}/cobrowse")],
    AttachMedia => [("sessions", "POST /api/v2/conversations/{conversationId}/media")],
    ReadAlerts => [("pagerduty", "GET /incidents/{id}/alerts")],
    ReadIncident => [("pagerduty", "GET /incidents/{id}")],
    ListIncidents => [("pagerduty", "GET /incidents")],
    ReadNotes => [("pagerduty", "GET /incidents/{id}/notes")],
    WriteNote => [("pagerduty", "POST /incidents/{id}/notes")],
    RewriteNote => [("pagerduty", "PUT /incidents/{id}/notes/{note_id}")],
    ReadAbilities => [("pagerduty", "GET /abilities")],
    ReadSubscriptions => [("pagerduty", "GET /webhook_subscriptions")],
    CreateSubscription => [("pagerduty", "POST /webhook_subscriptions")],
    EnableSubscription => [("pagerduty", "POST /webhook_subscriptions/{id}/enable")],
    PingSubscription => [("pagerduty", "POST /webhook_subscriptions/{id}/ping")],
}

/// Where an answer or a request is otherwise than a document says, and that is known: the operation, what is found, why.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "GET /incidents/{id}",
        r#"query include[]=body"#,
        "the list of values lacks `body`, while the schema of the incident says that it is returned for include[]=body",
    ),
    (
        "GET /incidents/{id}/alerts",
        "/integration: null is not",
        "null in every captured answer of an Events API v2 integration, published as a reference",
    ),
    (
        "GET /incidents/{id}/alerts",
        "/body/details: ",
        "a text or null where the sender gave that; the description says so, the type says object",
    ),
    (
        "GET /incidents/{id}/alerts",
        "404 (pagerduty-openapi-subset): no such answer",
        "an incident that is not there has no alerts; the list of answers lacks it",
    ),
    (
        "GET /incidents/{id}",
        "/incident_key: null is not",
        "null in every captured incident of an Events API v2 integration, published as a text",
    ),
    (
        "GET /incidents/{id}",
        "/incident/alert_grouping",
        "null, or with null in it, in the vendor's own example and in captured incidents",
    ),
    (
        "GET /incidents/{id}",
        "/incident/priority: null is not",
        "null in captured webhooks of an incident without one, published as a priority",
    ),
    (
        "GET /incidents/{id}",
        "/incident/resolve",
        "`resolve_reason` and `resolved_at` are null in the vendor's own example; the descriptions say so",
    ),
    (
        "POST /incidents/{id}/notes",
        "201 (pagerduty-openapi-subset): no such answer",
        "the page on endpoints says that whatever creates something answers 201; any 2xx is taken",
    ),
];

/// What is wrong and not known.
fn unknown(violations: Vec<String>) -> Vec<String> {
    let known = |violation: &String| {
        KNOWN.iter().any(|(operation, what, _)| {
            violation.starts_with(&format!("{operation} ")) && violation.contains(what)
        })
    };
    violations.into_iter().filter(|v| !known(v)).collect()
}

/// The project's own documents.
fn own() -> Vec<Document> {
    ["genesys", "pagerduty", "sessions"]
        .map(|name| {
            let file = format!("tests/fixtures/contracts/{name}.json");
            Document::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file))
        })
        .into()
}

/// Fuller documents and samples, where they lie beside the project.
fn beside() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/facts");
    let root = std::env::var_os("ESCALATOR_FACTS").map_or_else(beside, PathBuf::from);
    root.is_dir().then_some(root)
}

/// The fuller document of a vendor, where there is one. The `sessions` contract is published nowhere.
fn fuller(name: &str) -> Option<Document> {
    let path = beside()?.join(format!("{name}-openapi-subset.json"));
    (name != "sessions" && path.is_file()).then(|| Document::read(&path))
}

/// Says how much was held against what; `cargo test -- --nocapture` shows it.
#[allow(clippy::print_stderr, reason = "the number of operations is asked for")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// Holds requests, and the simulator's own answers to them, against the documents: Genesys' against the contract that was
/// spoken. Names the operations that were seen, each with its document.
fn judge_all(captured: &[Captured], genesys: &str) -> BTreeSet<(String, String)> {
    let own = own();
    let named = |name: &str| own.iter().find(|document| document.name == name).unwrap();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let (mut fuller_requests, mut fuller_operations) = (0, BTreeSet::new());
    let full = [genesys, "pagerduty"].map(|name| (name, fuller(name)));
    for one in captured {
        let name = if one.genesys { genesys } else { "pagerduty" };
        let mut documents = vec![named(name)];
        let more = full.iter().find(|(full, _)| *full == name);
        documents.extend(more.and_then(|(_, document)| document.as_ref()));
        for (at, document) in documents.into_iter().enumerate() {
            match document.operation(&one.method, &one.path) {
                Some(operation) if at == 0 => {
                    seen.insert((document.name.clone(), operation.name));
                }
                Some(operation) => {
                    fuller_requests += 1;
                    fuller_operations.insert(operation.name);
                }
                // A subset need not have everything; the project's own has to.
                None if at > 0 => continue,
                None => {}
            }
            wrong.extend(unknown(judge::request(document, one)));
            if let Some((status, body)) = &one.answer {
                let asked = (one.method.as_str(), one.path.as_str());
                let found = judge::answer(document, asked, *status, body.as_ref());
                wrong.extend(unknown(found));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} violations:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    say(&format!(
        "{} requests of {} operations hold against the project's documents, {fuller_requests} of {} against those beside it: 0 violations",
        captured.len(),
        seen.len(),
        fuller_operations.len(),
    ));
    seen
}

#[tokio::test]
async fn every_operation_of_the_program_sends_what_is_published() {
    let mut seen = judge_all(&clients::all(CobrowseApi::Sessions).await, "sessions");
    seen.extend(judge_all(
        &clients::all(CobrowseApi::Conversation).await,
        "genesys",
    ));
    for operation in OPERATIONS {
        for (document, name) in published(*operation) {
            let wanted = ((*document).to_owned(), (*name).to_owned());
            assert!(
                seen.contains(&wanted),
                "{operation:?} was never sent as {name} of {document}"
            );
        }
    }
}

#[test]
fn every_published_operation_says_where_it_is_published() {
    for document in own() {
        for (name, operation) in document.operations() {
            let source = operation["externalDocs"]["url"].as_str();
            let told = source.is_some_and(|url| url.starts_with("https://"));
            assert!(
                told || document.name == "sessions",
                "{name} of {}",
                document.name
            );
        }
    }
}

/// The judge itself has to be able to find something.
#[tokio::test]
async fn a_request_that_is_otherwise_is_found() {
    let captured = clients::all(CobrowseApi::Sessions).await;
    let own = own();
    let document = |one: &Captured| {
        let name = if one.genesys { "sessions" } else { "pagerduty" };
        own.iter().find(|document| document.name == name).unwrap()
    };
    let find = |what: &str, wanted: &dyn Fn(&Captured) -> bool, spoil: &dyn Fn(&mut Captured)| {
        let mut one = captured.iter().find(|c| wanted(c)).unwrap().clone();
        assert_eq!(judge::request(document(&one), &one), [""; 0]);
        spoil(&mut one);
        let wrong = judge::request(document(&one), &one).join("\n");
        assert!(wrong.contains(what), "{what}: {wrong}");
    };
    let note = |c: &Captured| c.method == "POST" && c.path.ends_with("/notes");
    let alerts = |c: &Captured| c.path.ends_with("/alerts");
    let media = |c: &Captured| c.path.ends_with("/media");
    let header = |name: &'static str, value: &'static str| {
        move |c: &mut Captured| {
            c.headers.insert(name.to_owned(), value.to_owned());
        }
    };
    find("not published", &note, &|c| c.path.push_str("/more"));
    find("not published", &note, &|c| c.method = "PATCH".to_owned());
    find("no such parameter", &alerts, &|c| {
        c.query.push(("page".to_owned(), "1".to_owned()));
    });
    find("query limit=ten", &alerts, &|c| {
        c.query.retain(|(name, _)| name != "limit");
        c.query.push(("limit".to_owned(), "ten".to_owned()));
    });
    find("header From is missing", &note, &|c| {
        c.headers.remove("from");
    });
    find("header From", &note, &header("from", "nobody"));
    find(
        "header Accept",
        &note,
        &header("accept", "application/json"),
    );
    find(
        "published schemes",
        &note,
        &header("authorization", "Basic …"),
    );
    find(
        "published schemes",
        &media,
        &header("authorization", "Token token=…"),
    );
    find("content type", &note, &header("content-type", "text/plain"));
    find("body", &note, &|c| {
        c.body = br#"{"note":{"text":"x"}}"#.to_vec()
    });
    find("no JSON", &note, &|c| c.body = b"x".to_vec());
    find("content type", &note, &|c| {
        c.body.clear();
        c.headers.remove("content-type");
    });
    find("a body where none", &alerts, &|c| c.body = b"{}".to_vec());
    find("body", &media, &|c| {
        c.body = br#"{"type":"cobrowse"}"#.to_vec()
    });
}
