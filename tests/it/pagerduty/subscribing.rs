//! `escalator pagerduty subscribe`.

use std::os::unix::fs::PermissionsExt;

use escalator::simulator::{Operation, Subscription, What, Which};

use super::{Said, WEBHOOKS, count, run, script};
use crate::support::world::World;

async fn subscribe(world: &World, more: &[&str]) -> Said {
    let arguments = [&["pagerduty", "subscribe", "--url", WEBHOOKS], more].concat();
    run(world, &arguments, &[]).await
}

fn made(world: &World) -> usize {
    count(world, Operation::PagerdutyCreateSubscription)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_made_with_what_is_needed_and_its_secret_alone_is_on_stdout() {
    let world = World::new().await;
    let said = subscribe(&world, &[]).await;
    said.ends(
        0,
        &["PAGERDUTY_WEBHOOK_SECRETS", "_FILE", "PSUB001", "ping"],
    );
    let [one] = world.simulator.subscriptions().try_into().unwrap();
    assert_eq!(Some(said.data.trim_end()), one.secret.as_deref());
    assert!(!said.talk.contains(said.data.trim_end()), "{}", said.talk);
    assert_eq!(one.url, WEBHOOKS);
    let needed = [
        "incident.reopened",
        "incident.triggered",
        "incident.resolved",
    ];
    assert_eq!(one.events, needed);
    assert_eq!((one.service_id, one.team_id), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_goes_into_a_file_for_its_owner_only_and_never_over_another() {
    let world = World::new().await;
    let file = world.folder.path().join("webhook-secret");
    let path = file.to_str().unwrap();
    let said = subscribe(&world, &["--team", "PTEAM", "--secret-file", path]).await;
    said.ends(0, &[path]);
    assert_eq!(said.data, "");
    let [one] = world.simulator.subscriptions().try_into().unwrap();
    assert_eq!(one.team_id.as_deref(), Some("PTEAM"));
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(Some(kept.trim_end()), one.secret.as_deref());
    assert!(!said.talk.contains(kept.trim_end()));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let again = subscribe(&world, &["--service", "PSVC", "--secret-file", path]).await;
    again.ends(64, &["not overwritten"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept);
    assert_eq!(made(&world), 1, "nothing was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_there_and_fine_is_0_and_none_is_made() {
    let world = World::new().await;
    world.simulator.add_subscription(Subscription::to(WEBHOOKS));
    let said = subscribe(&world, &[]).await;
    said.ends(0, &["PSUB001", "there already"]);
    assert_eq!((said.data.as_str(), made(&world)), ("", 0));
    // Another service's is another matter.
    world.simulator.clear_subscriptions();
    world.simulator.add_subscription(Subscription {
        service_id: Some("POTHER".to_owned()),
        ..Subscription::to(WEBHOOKS)
    });
    subscribe(&world, &["--service", "PMINE"])
        .await
        .ends(0, &["POTHER", "is made"]);
    assert_eq!(made(&world), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_there_and_wrong_is_1_with_its_id_and_what_is_wrong() {
    let world = World::new().await;
    let good = Subscription::to(WEBHOOKS);
    for (there, words) in [
        (
            Subscription {
                active: false,
                ..good.clone()
            },
            "not active",
        ),
        (
            Subscription {
                temporarily_disabled: true,
                ..good.clone()
            },
            "--enable",
        ),
        (
            Subscription {
                events: vec!["incident.triggered".to_owned()],
                ..good.clone()
            },
            "does not send incident.reopened, incident.resolved",
        ),
        (
            Subscription {
                service_id: Some("POTHER".to_owned()),
                ..good.clone()
            },
            "service POTHER",
        ),
    ] {
        world.simulator.clear_subscriptions();
        world.simulator.add_subscription(there);
        subscribe(&world, &[]).await.ends(1, &["PSUB001", words]);
    }
    assert_eq!(made(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_switched_off_is_enabled_when_that_is_asked_for() {
    let world = World::new().await;
    subscribe(&world, &["--enable"])
        .await
        .ends(1, &["none of 0"]);
    world.simulator.add_subscription(Subscription {
        temporarily_disabled: true,
        service_id: Some("PSVC".to_owned()),
        ..Subscription::to(WEBHOOKS)
    });
    subscribe(&world, &["--enable"])
        .await
        .ends(0, &["PSUB001", "enabled again", "catch-up"]);
    assert!(!world.simulator.subscriptions()[0].temporarily_disabled);
    subscribe(&world, &["--enable"])
        .await
        .ends(0, &["not switched off"]);
    assert_eq!(made(&world), 0);
    assert_eq!(count(&world, Operation::PagerdutyEnableSubscription), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_told_with_what_to_look_at_and_nothing_is_repeated() {
    for (what, there) in [
        (What::LoseAnswer, "PSUB001"),
        (What::Garbage, "PSUB001"),
        (What::Fail(502), "PSUB001"),
        (What::Drop, "does not show it, yet"),
    ] {
        let world = World::new().await;
        let file = world.folder.path().join("webhook-secret");
        let operation = Operation::PagerdutyCreateSubscription;
        script(&world, operation, Which::Nth(1), what.clone());
        let said = subscribe(&world, &["--secret-file", file.to_str().unwrap()]).await;
        said.ends(1, &["is not known", "not tried again", WEBHOOKS, there]);
        assert_eq!((said.data.as_str(), made(&world)), ("", 1), "{what:?}");
        assert!(!file.exists(), "an empty file says that there is a secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_ten_a_key_that_may_not_and_pagerduty_away_are_told_as_such() {
    let world = World::new().await;
    for number in 0..10 {
        world.simulator.add_subscription(Subscription::to(format!(
            "https://other-{number}.example/hooks"
        )));
    }
    subscribe(&world, &[])
        .await
        .ends(1, &["ten for the whole account", "2019"]);
    subscribe(&world, &["--service", "PSVC"])
        .await
        .ends(0, &["is made"]);
    world.simulator.clear_subscriptions();
    let operation = Operation::PagerdutyCreateSubscription;
    script(&world, operation, Which::Nth(1), What::status(403));
    subscribe(&world, &[])
        .await
        .ends(1, &["webhook_subscriptions.read and .write"]);
    let nobody = [("PAGERDUTY_API_URL", "http://127.0.0.1:1")];
    let arguments = ["pagerduty", "subscribe", "--url", WEBHOOKS];
    run(&world, &arguments, &nobody)
        .await
        .ends(69, &["127.0.0.1:1"]);
    let wrong = [("PAGERDUTY_API_TOKEN", "a-wrong-key")];
    let said = run(&world, &arguments, &wrong).await;
    said.ends(1, &["pagerduty.api_token"]);
    assert!(!said.talk.contains("a-wrong-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_meant_is_64_and_is_not_repeated() {
    let world = World::new().await;
    for url in [
        "escalator.example/webhooks/pagerduty",
        "ftp://escalator.example/webhooks/pagerduty",
        "https://me:hidden@escalator.example/webhooks/pagerduty",
        "https://escalator.example",
    ] {
        let said = run(&world, &["pagerduty", "subscribe", "--url", url], &[]).await;
        said.ends(64, &["--url", "/webhooks/pagerduty"]);
        assert!(!said.talk.contains("hidden"), "{}", said.talk);
    }
    let arguments = [
        "pagerduty",
        "subscribe",
        "--url",
        WEBHOOKS,
        "--service",
        "POTHER",
    ];
    let said = run(&world, &arguments, &[("PAGERDUTY_SERVICES", "PMINE")]).await;
    said.ends(64, &["pagerduty.services"]);
    assert!(world.simulator.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oauth_token_is_sent_as_a_bearer_and_a_key_in_either_form() {
    let world = World::new().await;
    world.simulator.add_subscription(Subscription::to(WEBHOOKS));
    let key = world.simulator.config().api_token.clone();
    for written in [format!("Bearer {key}"), format!("Token token={key}")] {
        let arguments = ["pagerduty", "subscribe", "--url", WEBHOOKS];
        run(&world, &arguments, &[("PAGERDUTY_API_TOKEN", &written)])
            .await
            .ends(0, &["there already"]);
    }
}
