//! The program's own clients, against a simulator that keeps what it is asked.

use std::sync::Arc;
use std::time::Duration;

use escalator::escalation::{
    Contract, ConversationId, IncidentId, Key, Marker, NoteId, NoteOutcome, SessionId,
    SubscriptionId, Trigger,
};
use escalator::simulator::{
    Captured, CobrowseApi, Config, ConversationSpec, IncidentSpec, Simulator, Subscription,
};
use escalator::telemetry::Telemetry;
use escalator::upstream::{
    CallError, Genesys, GenesysConfig, Http, HttpConfig, IncidentList, PagerDuty, PagerDutyConfig,
    Scope, Speaks,
};

/// A simulator without delays, which keeps the requests.
pub(super) async fn simulator(cobrowse_api: CobrowseApi) -> Simulator {
    let config = Config {
        cobrowse_api,
        latency: Duration::ZERO,
        hydration: Duration::ZERO,
        media_visible_after: Duration::ZERO,
        capture: true,
        ..Config::default()
    };
    Simulator::start(config).await.unwrap()
}

fn http() -> Http {
    let config = HttpConfig {
        call_timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(10),
    };
    Http::new(config, Arc::new(Telemetry::new().unwrap())).unwrap()
}

/// A client of Genesys that knows nothing yet.
pub(super) fn genesys(simulator: &Simulator) -> Genesys {
    let config = simulator.config();
    let config = GenesysConfig {
        api_url: simulator.genesys_url().parse().unwrap(),
        login_url: simulator.genesys_url().parse().unwrap(),
        speaks: Speaks::Set(match config.cobrowse_api {
            CobrowseApi::Sessions => Contract::Sessions,
            CobrowseApi::Conversation => Contract::Conversation,
        }),
        keeps_codes: true,
        client_id: config.client_id.clone(),
        client_secret: config.client_secret.clone().into(),
        budget: None,
    };
    Genesys::new(http(), config)
}

/// A client of PagerDuty.
pub(super) fn pagerduty(simulator: &Simulator) -> PagerDuty {
    let config = simulator.config();
    let config = PagerDutyConfig {
        api_url: simulator.pagerduty_url().parse().unwrap(),
        api_token: config.api_token.clone().into(),
        from_email: config.from_email.clone(),
        conversation_fields: vec!["conversation_id".to_owned(), "conversationId".to_owned()],
        agent_fields: vec!["agent_id".to_owned()],
        budget: None,
    };
    PagerDuty::new(http(), config)
}

/// The marker that the samples' note carries.
pub(super) fn marker() -> Marker {
    let key = Key::of(&IncidentId::parse("Q1").unwrap(), &Trigger::First);
    Marker::of(&key, NoteOutcome::Ready)
}

/// Calls everything that there is to call, under this contract.
pub(super) async fn all(cobrowse_api: CobrowseApi) -> Vec<Captured> {
    let simulator = simulator(cobrowse_api).await;
    let conversation = simulator.open_conversation(ConversationSpec::with_agent("agent-1"));
    let incident = simulator.open_incident(IncidentSpec::about(conversation.clone()));
    simulator.add_subscription(Subscription::to(
        "https://escalator.example/webhooks/pagerduty",
    ));
    let conversation = ConversationId::parse(&conversation).unwrap();
    let genesys = genesys(&simulator);
    genesys.ensure_token().await.unwrap();
    genesys.conversation(&conversation, None).await.unwrap();
    match cobrowse_api {
        CobrowseApi::Sessions => sessions(&genesys, &conversation).await,
        CobrowseApi::Conversation => offer(&genesys, &conversation).await,
    }
    genesys.conversation(&conversation, None).await.unwrap();
    notes(
        &pagerduty(&simulator),
        &IncidentId::parse(&incident).unwrap(),
    )
    .await;
    account(&pagerduty(&simulator)).await;
    simulator.captured()
}

/// Refusals are answers too.
fn nobody() -> ConversationId {
    ConversationId::parse("2c9d6f0e-none").unwrap()
}

async fn sessions(genesys: &Genesys, conversation: &ConversationId) {
    let created = genesys.create_session().await.unwrap();
    genesys
        .attach_media(conversation, &created.id)
        .await
        .unwrap();
    genesys.conversation(&nobody(), None).await.unwrap_err();
    let unknown = SessionId::parse("none").unwrap();
    genesys
        .attach_media(conversation, &unknown)
        .await
        .unwrap_err();
}

async fn offer(genesys: &Genesys, conversation: &ConversationId) {
    genesys.offer_session(conversation).await.unwrap();
    genesys.conversation(&nobody(), None).await.unwrap_err();
    genesys.offer_session(&nobody()).await.unwrap_err();
}

async fn notes(pagerduty: &PagerDuty, incident: &IncidentId) {
    let marker = marker();
    pagerduty.alerts(incident).await.unwrap();
    assert_eq!(pagerduty.find_note(incident, &marker).await.unwrap(), None);
    let content = format!("Cobrowse session ready:\n\"x\" – {}", marker.as_str()).into();
    let id = pagerduty.write_note(incident, &content).await.unwrap();
    let rewritten = pagerduty.rewrite_note(incident, &id, &content).await;
    assert_eq!(rewritten.unwrap(), id);
    assert!(
        pagerduty
            .find_note(incident, &marker)
            .await
            .unwrap()
            .is_some()
    );
    pagerduty.incident_body(incident).await.unwrap();
    let nobody = IncidentId::parse("QNONE").unwrap();
    pagerduty.alerts(&nobody).await.unwrap_err();
    pagerduty.write_note(&nobody, &content).await.unwrap_err();
    let gone = NoteId::parse("PNONE").unwrap();
    let refused = pagerduty.rewrite_note(incident, &gone, &content).await;
    assert!(matches!(refused, Err(CallError::Refused { .. })));
}

async fn account(pagerduty: &PagerDuty) {
    pagerduty.abilities().await.unwrap();
    let url = "https://escalator.example/webhooks/pagerduty"
        .parse()
        .unwrap();
    let events = ["incident.triggered", "incident.resolved"];
    for scope in [
        Scope::Account,
        Scope::Service("PSIMSVC".to_owned()),
        Scope::Team("PTEAM".to_owned()),
    ] {
        pagerduty.subscribe(&url, &scope, &events).await.unwrap();
    }
    for subscription in pagerduty.subscriptions().await.unwrap() {
        let id = SubscriptionId::parse(&subscription.id.to_string()).unwrap();
        pagerduty.enable(&id).await.unwrap();
        pagerduty.ping(&id).await.unwrap();
    }
    let now = jiff::Timestamp::now();
    let day = jiff::SignedDuration::from_hours(24);
    let of = |text: &str| vec![text.to_owned()];
    let mut list = IncidentList::new(now - day, now, of("PSIMSVC"), of("high"));
    assert!(list.next(pagerduty).await.unwrap().is_some());
}
