//! Conversations as they are read, while people and sessions come and go.

use std::time::{Duration, Instant};

use escalator::simulator::{AgentSpec, AgentState, Channel, Config, ConversationSpec};
use serde_json::json;

use super::{Bench, PATIENCE, body, quick};

#[tokio::test]
async fn a_conversation_is_read_with_its_participants_as_they_come_and_go() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let id = bench.sim.open_conversation(ConversationSpec {
        agents: vec![
            AgentSpec::new("ended", AgentState::Ended),
            AgentSpec::new("rings", AgentState::Alerting),
        ],
        ..ConversationSpec::default()
    });
    let participants =
        async || body(bench.conversation(&token, &id).await).await["participants"].take();

    let before = participants().await;
    let purposes: Vec<_> = before
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["purpose"].clone())
        .collect();
    assert_eq!(purposes, ["customer", "acd", "agent", "agent"]);
    assert_eq!(before[2]["userId"], "ended");
    assert!(before[2]["endTime"].is_string());
    assert_eq!(before[3]["messages"][0]["state"], "alerting");
    assert_eq!(before[3]["messages"][0]["type"], "webmessaging");
    assert!(before[3].get("connectedTime").is_none());
    assert_ne!(before[3]["id"], before[3]["userId"]);

    assert!(bench.sim.connect_agent(&id, "rings"));
    assert!(bench.sim.connect_agent(&id, "ended"));
    let after = participants().await;
    assert_eq!(after[3]["messages"][0]["state"], "connected");
    assert!(after[3]["connectedTime"].is_string() && after[3].get("endTime").is_none());
    assert_eq!(
        (&after[4]["userId"], after.as_array().unwrap().len()),
        (&json!("ended"), 5)
    );

    assert!(bench.sim.disconnect_agent(&id, "rings"));
    assert_eq!(
        participants().await[3]["messages"][0]["state"],
        "disconnected"
    );
    assert!(bench.sim.end_conversation(&id));
    let over = body(bench.conversation(&token, &id).await).await;
    assert_eq!(over["state"], "disconnected");
    assert!(over["endTime"].is_string());
    assert!(
        over["participants"]
            .as_array()
            .unwrap()
            .iter()
            .all(|p| p["endTime"].is_string())
    );
    assert!(!bench.sim.end_conversation("unknown") && !bench.sim.connect_agent("unknown", "a"));
}

#[tokio::test]
async fn a_conversation_that_waits_has_a_live_queue_and_no_agent() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let voice = ConversationSpec {
        channel: Channel::Voice,
        ..ConversationSpec::default()
    };
    let id = bench.sim.open_conversation(voice);
    let read = body(bench.conversation(&token, &id).await).await;
    assert_eq!(read["participants"].as_array().unwrap().len(), 2);
    assert!(read["participants"][1].get("endTime").is_none());
    assert_eq!(read["participants"][0]["calls"][0]["state"], "connected");
    assert_eq!(read["participants"][0]["messages"], json!([]));
}

#[tokio::test]
async fn a_foreign_session_is_seen_but_is_no_effect_of_ours_and_can_end() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let id = bench
        .sim
        .open_conversation(ConversationSpec::with_agent("a"));
    let session = bench.sim.start_foreign_cobrowse(&id).unwrap();
    let media = body(bench.conversation(&token, &id).await).await["media"][1].take();
    assert_eq!(media["cobrowseSessionId"], json!(session));
    assert_eq!(media["state"], "connected");
    assert_eq!(bench.sim.effects().attached, 0);
    assert!(bench.sim.end_cobrowse(&id, &session));
    let media = body(bench.conversation(&token, &id).await).await["media"][1].take();
    assert_eq!(media["state"], "disconnected");
}

#[tokio::test]
async fn an_attached_session_shows_only_after_its_time() {
    let hidden = Duration::from_millis(700);
    let bench = Bench::with(Config {
        media_visible_after: hidden,
        ..quick()
    })
    .await;
    let token = bench.token().await;
    let id = bench
        .sim
        .open_conversation(ConversationSpec::with_agent("a"));
    let session = body(bench.create_session(&token).await).await;
    let began = Instant::now();
    bench
        .attach(
            &token,
            &id,
            &json!({ "type": "cobrowse", "cobrowseSessionId": session["id"] }),
        )
        .await;
    let shown = async {
        while body(bench.conversation(&token, &id).await).await["media"]
            .as_array()
            .unwrap()
            .len()
            < 2
        {}
    };
    tokio::time::timeout(PATIENCE, shown).await.unwrap();
    assert!(began.elapsed() >= hidden);
}
