//! What must never be in a log, nor in a dead letter.

use escalator::simulator::{ConversationSpec, Operation, What};

use super::{all_ended, ended, letter, next, trigger, triggered};
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
