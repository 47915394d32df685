//! What must never be in a log, nor in a dead letter.

use escalator::simulator::{CobrowseApi, Config, ConversationSpec, Operation, What};
use serde_json::json;

use super::{all_ended, dead, ended, letter, next, trigger, triggered};
use crate::listing::{objects, shown};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn neither_log_nor_dead_letter_holds_a_secret_or_a_link() {
    let world = World::new().await;
    let program = world.start("serve", &[("LOG_LEVEL", "trace")]).await;
    // Bodies that cannot be read are where a careless message quotes one.
    for operation in [
        Operation::GenesysToken,
        Operation::GenesysConversation,
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
        Operation::PagerdutyAlerts,
        Operation::PagerdutyCreateNote,
    ] {
        next(&world, operation, What::Garbage);
    }
    let cases = triggered(&world, &program, 8).await;
    let dead = world.case_with(ConversationSpec {
        cobrowse: false,
        ..ConversationSpec::with_agent("agent-1")
    });
    trigger(&world, &program, &dead).await;
    let url = format!("{}/webhooks/pagerduty", program.ingress);
    let mut forged = world.trigger(&dead);
    forged.body.push(b' ');
    let refused = world.simulator.deliver(&url, &forged).await;
    assert_eq!(refused.status(), Some(403));
    all_ended(&program, &cases, "done").await;
    ended(&program, &dead, "dead").await;
    let letter = letter(&world).await.to_string();

    let config = world.simulator.config().clone();
    let effects = world.simulator.effects();
    let mut secrets = vec![
        config.client_secret,
        config.api_token,
        config.webhook_secret,
    ];
    secrets.extend(world.simulator.tokens());
    secrets.extend(effects.sessions.iter().map(|s| s.join_url.clone()));
    assert!(secrets.len() > 10, "tokens and links are among them");
    secrets.push("cobrowse.example.invalid".to_owned());
    let (_, log) = program.terminate().await;
    assert!(log.len() > 100);
    for secret in &secrets {
        let shown = log.iter().find(|line| line.contains(secret.as_str()));
        assert_eq!(shown, None, "{secret} is in the log");
        assert!(!letter.contains(secret.as_str()), "{letter}");
    }
}

/// PagerDuty says what is wrong with a note by quoting it, and the note has a code and a link that admit whoever has them.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_quotes_the_note_is_not_quoted() {
    let world = World::with(Config {
        cobrowse_api: CobrowseApi::Conversation,
        ..Config::default()
    })
    .await;
    let settings = [
        ("LOG_LEVEL", "trace"),
        ("NOTE_INCLUDE_ACCESS_LINKS", "true"),
    ];
    let program = world.start("serve", &settings).await;
    next(&world, Operation::PagerdutyCreateNote, What::Echo(400));
    let case = world.case();
    trigger(&world, &program, &case).await;
    let letter = dead(&world, &program, &case, "pagerduty_refused", 0).await;
    let reason = letter["reason"].as_str().unwrap();
    assert!(
        reason.contains("Invalid Input Provided; (quotes the note)"),
        "{reason}"
    );

    let session = world.simulator.effects().sessions[0].clone();
    let arguments = ["show", &case.incident];
    let (text, _) = shown(&world.ledger(), &arguments).await;
    let lines = objects(&world.ledger(), &arguments).await;
    assert!(text.contains("(quotes the note)"), "{text}");
    let (_, log) = program.terminate().await;
    let everywhere = [
        log.join("\n"),
        letter.to_string(),
        text,
        json!(lines).to_string(),
    ];
    for place in everywhere {
        let place = place.replace(session.id.as_str(), "(its id)");
        assert!(!names(&place, &session.join_url), "{place}");
        assert!(!place.contains("cobrowse.example"), "{place}");
        assert!(!place.contains("Join code"), "{place}");
    }
}

/// Whether this code stands there by itself: not as a part of a longer number, nor as a fraction of a second.
pub(super) fn names(text: &str, code: &str) -> bool {
    text.match_indices(code).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + code.len()..].chars().next();
        let goes_on = |c: char| c.is_ascii_alphanumeric();
        !before.is_some_and(|c| goes_on(c) || c == '.') && !after.is_some_and(goes_on)
    })
}
