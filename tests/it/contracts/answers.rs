//! What the clients make of answers.

use escalator::escalation::{Conversation, ConversationId, IncidentId, NoteId, SessionId};
use escalator::simulator::{CobrowseApi, Fault, Operation, Simulator, Which};
use escalator::upstream::{Alerts, CallError};

use super::clients::{genesys, marker, pagerduty, simulator};
use super::samples::{Sample, answers_beside, samples};
use super::say;

/// What the client makes of the next answer, in a few words; `None`: it never asks for that.
async fn understood(simulator: &Simulator, sample: &Sample) -> Option<String> {
    let (method, path) = sample.asked();
    let segments: Vec<_> = path.split('/').skip(1).collect();
    let operation = match (method, segments.as_slice()) {
        ("GET", ["incidents", _, "alerts"]) => Operation::PagerdutyAlerts,
        ("GET", ["incidents", _, "notes"]) => Operation::PagerdutyListNotes,
        ("POST", ["incidents", _, "notes"]) => Operation::PagerdutyCreateNote,
        ("PUT", ["incidents", _, "notes", _]) => Operation::PagerdutyUpdateNote,
        ("GET", ["abilities"]) => Operation::PagerdutyAbilities,
        ("GET", ["webhook_subscriptions"]) => Operation::PagerdutySubscriptions,
        ("POST", ["oauth", "token"]) => Operation::GenesysToken,
        ("GET", ["api", "v2", "conversations", _]) => Operation::GenesysConversation,
        ("POST", ["api", "v2", "cobrowse", "sessions"]) => Operation::GenesysCreateSession,
        ("POST", ["api", "v2", "conversations", _, "media"]) => Operation::GenesysAttachMedia,
        ("POST", ["api", "v2", "conversations", _, "cobrowse"]) => Operation::GenesysOfferSession,
        _ => return None,
    };
    simulator.clear_faults();
    simulator.script(Fault {
        operation,
        which: Which::All,
        what: sample.what(marker().as_str()),
    });
    // New ones each time: a client that was throttled would not ask again so soon.
    let (genesys, pagerduty) = (genesys(simulator), pagerduty(simulator));
    let incident = IncidentId::parse("Q1").unwrap();
    let conversation = ConversationId::parse("c-1").unwrap();
    let outcome = match operation {
        Operation::PagerdutyAlerts => pagerduty.alerts(&incident).await.map(alerts),
        Operation::PagerdutyListNotes => {
            let found = pagerduty.find_note(&incident, &marker()).await;
            found.map(|found| match found {
                Some((id, count)) => format!("{count} note, {id}"),
                None => "no note of ours".to_owned(),
            })
        }
        Operation::PagerdutyCreateNote => {
            let written = pagerduty
                .write_note(&incident, &"x".to_owned().into())
                .await;
            written.map(|id| format!("note {id}"))
        }
        Operation::PagerdutyUpdateNote => {
            let note = NoteId::parse("PNOTE01").unwrap();
            let rewritten = pagerduty
                .rewrite_note(&incident, &note, &"x".to_owned().into())
                .await;
            rewritten.map(|id| format!("note {id}"))
        }
        Operation::PagerdutyAbilities => pagerduty.abilities().await.map(|()| "good".to_owned()),
        Operation::PagerdutySubscriptions => pagerduty.subscriptions().await.map(|all| {
            let off = all.iter().filter(|s| !s.active || s.temporarily_disabled);
            format!("{} subscriptions, {} off", all.len(), off.count())
        }),
        Operation::GenesysToken => genesys.ensure_token().await.map(|()| "good".to_owned()),
        Operation::GenesysConversation => {
            let read = genesys.conversation(&conversation, None).await;
            read.map(|read| told(&read.conversation))
        }
        Operation::GenesysOfferSession => genesys
            .offer_session(&conversation)
            .await
            .map(|made| format!("session {}, ends {}", made.id, made.offer_ends.is_some())),
        Operation::GenesysCreateSession => genesys
            .create_session()
            .await
            .map(|made| format!("session {}, link {}", made.id, made.link.is_some())),
        Operation::GenesysAttachMedia => {
            let session = SessionId::parse("s-1").unwrap();
            let attached = genesys.attach_media(&conversation, &session).await;
            attached.map(|()| "attached".to_owned())
        }
        other => panic!("{other:?}"),
    };
    Some(outcome.unwrap_or_else(|error| failure(&error)))
}

fn told(read: &Conversation) -> String {
    let agents: Vec<_> = read.agents.iter().map(|agent| agent.id.as_str()).collect();
    let live = read.cobrowse.iter().flat_map(|live| &live.session);
    let live: Vec<_> = live.map(SessionId::as_str).collect();
    format!("over {}, agents {agents:?}, sessions {live:?}", read.over)
}

fn alerts(alerts: Alerts) -> String {
    match alerts {
        Alerts::Found(context) => match context.agent {
            Some(agent) => format!("conversation {}, agent {agent}", context.conversation),
            None => format!("conversation {}", context.conversation),
        },
        Alerts::NothingInThem => "nothing in them".to_owned(),
        Alerts::NotHydrated => "not hydrated".to_owned(),
        Alerts::None => "no alert".to_owned(),
    }
}

/// The stage of a failure. Which code it has is told by the tests of the codes.
fn failure(error: &CallError) -> String {
    match error {
        CallError::Blocked { .. } | CallError::Waits { .. } => panic!("{error}: nobody was asked"),
        CallError::NotSent(_) => "not sent".to_owned(),
        CallError::Throttled { retry_after, .. } => format!("throttled for {retry_after:?}"),
        CallError::SetUp { .. } | CallError::NoRoute { .. } => "set-up".to_owned(),
        CallError::Refused { .. } => "refused".to_owned(),
        CallError::Conflict(_) => "conflict".to_owned(),
        CallError::Unknown { .. } => "unknown".to_owned(),
    }
}

#[tokio::test]
async fn every_sample_of_an_answer_means_what_it_should() {
    let table = [
        ("token", "good"),
        ("stranger", "set-up"),
        (
            "conversation-without-a-session",
            r#"over false, agents ["a-1"], sessions []"#,
        ),
        (
            "conversation-with-a-session",
            r#"over false, agents ["a-1"], sessions ["s-1"]"#,
        ),
        (
            "conversation-that-is-over",
            "over true, agents [], sessions []",
        ),
        ("session-that-was-offered", "session s-1, ends true"),
        ("session-with-an-id-alone", "session s-1, ends false"),
        ("permission-that-is-missing", "set-up"),
        ("alert-of-events-api-v2", "conversation c-1, agent a-1"),
        ("alert-whose-details-are-a-text", "conversation c-1"),
        (
            "alert-that-is-wrapped-once-more",
            "conversation c-1, agent a-1",
        ),
        ("alert-without-a-body-yet", "not hydrated"),
        ("alert-of-something-else", "nothing in them"),
        ("no-alerts", "no alert"),
        ("notes", "1 note, PNOTE01"),
        ("no-notes", "no note of ours"),
        ("note-that-was-written", "note PNOTE01"),
        ("note-that-was-created-with-201", "note PNOTE01"),
        ("note-that-was-rewritten", "note PNOTE01"),
        ("note-that-is-not-there-any-more", "refused"),
        ("abilities", "good"),
        ("subscriptions", "2 subscriptions, 2 off"),
        ("error-as-published", "refused"),
        ("error-whose-errors-are-a-text", "refused"),
        ("error-that-is-a-list", "refused"),
        ("error-that-is-a-text", "refused"),
        ("error-without-a-body", "set-up"),
        ("incident-that-is-not-there", "refused"),
        ("sender-who-is-nobody", "set-up"),
        ("too-many-requests", "throttled for Some(20s)"),
        ("token", "good"),
        ("token-without-a-lifetime", "good"),
        ("stranger", "set-up"),
        ("session", "session s-1, link true"),
        (
            "conversation-with-a-session",
            r#"over false, agents ["a-1"], sessions ["s-1"]"#,
        ),
        (
            "conversation-that-is-over",
            "over true, agents [], sessions []",
        ),
        ("conversation-that-is-not-there", "refused"),
        ("media-that-was-attached", "attached"),
        ("channel-without-cobrowse", "refused"),
        ("permission-that-is-missing", "set-up"),
        ("too-many-requests", "throttled for Some(42s)"),
        ("page-of-a-proxy", "unknown"),
    ];
    let by_sessions = simulator(CobrowseApi::Sessions).await;
    let by_conversation = simulator(CobrowseApi::Conversation).await;
    let mut found = Vec::new();
    for (document, sample) in samples() {
        let simulator = match document.as_str() {
            "genesys" => &by_conversation,
            _ => &by_sessions,
        };
        let meaning = understood(simulator, &sample).await;
        let meaning = meaning.unwrap_or_else(|| panic!("{} is never asked for", sample.name));
        found.push((sample.name, meaning));
    }
    let found: Vec<_> = found
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(found, table);
    say(&format!(
        "{} samples of answers were understood",
        found.len()
    ));
}

#[tokio::test]
async fn every_answer_that_lies_beside_the_project_is_understood() {
    let simulator = simulator(CobrowseApi::Sessions).await;
    let mut found = Vec::new();
    for sample in answers_beside() {
        if let Some(meaning) = understood(&simulator, &sample).await {
            found.push((sample.name, meaning));
        }
    }
    let is = |name: &str, meaning: &str| {
        let got = found.iter().find(|(found, _)| found.as_str() == name);
        assert!(got.is_none_or(|(_, got)| got == meaning), "{got:?}");
    };
    is("get-notes.200.json", "no note of ours");
    is("post-notes.200.json", "note PWL7QXS");
    is("get-alerts.200.json", "nothing in them");
    is(
        "get-alerts.real-events-v2.sanitised.json",
        "nothing in them",
    );
    is("get-abilities.200.json", "good");
    is("error.generic.json", "refused");
    is("error.400-incident-not-hash.json", "refused");
    is("error.429.json", "throttled for Some(20s)");
    is("error.errors-is-a-string.json", "refused");
    is("error.error-is-an-array.json", "refused");
    say(&format!(
        "{} answers beside the project were understood",
        found.len()
    ));
}
