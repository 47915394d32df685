//! `escalator pagerduty ping`.

use escalator::simulator::{Operation, Subscription};

use super::{WEBHOOKS, count, run};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_was_made_signs_its_test_event_so_that_a_running_ingress_takes_it() {
    let world = World::new().await;
    // The ingress has to have its address before the subscription can name it, and the secret before the event comes.
    let file = world.folder.path().join("webhook-secret");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let url = format!("http://{address}/webhooks/pagerduty");
    let path = file.to_str().unwrap();
    let arguments = [
        "pagerduty",
        "subscribe",
        "--url",
        &url,
        "--secret-file",
        path,
    ];
    run(&world, &arguments, &[]).await.ends(0, &["PSUB001"]);
    let mut settings = world.settings(&[
        ("INGRESS_LISTEN", &address),
        ("PAGERDUTY_WEBHOOK_SECRETS_FILE", path),
    ]);
    settings.retain(|(name, _)| name != "PAGERDUTY_WEBHOOK_SECRETS");
    let ingress =
        crate::support::program::Program::start("ingress", world.folder.path(), &settings).await;
    ingress.becomes_ready(true).await;

    let said = run(&world, &["pagerduty", "ping"], &[]).await;
    said.ends(0, &["webhook.answered", "pagey.ping"]);
    assert_eq!(said.data, "PSUB001\n");
    let wanted = |line: &serde_json::Value| line["event_type"] == "pagey.ping";
    let answered = ingress.logged("webhook.answered", wanted).await;
    assert_eq!(answered["status"], 202, "{answered}");
    assert_eq!(answered["outcome"], "ignored", "{answered}");
    let secret = std::fs::read_to_string(&file).unwrap();
    let (_, log) = ingress.terminate().await;
    assert!(!log.iter().any(|line| line.contains(secret.trim_end())));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_sends_here_is_found_and_of_several_one_has_to_be_named() {
    let world = World::new().await;
    let ping = async |more: &[&str]| {
        let arguments = [&["pagerduty", "ping"], more].concat();
        run(&world, &arguments, &[]).await
    };
    let elsewhere = Subscription::to("https://other.example/hooks");
    world.simulator.add_subscription(elsewhere);
    ping(&[]).await.ends(1, &["none of 1", "subscribe"]);
    world.simulator.add_subscription(Subscription::to(WEBHOOKS));
    let said = ping(&[]).await;
    said.ends(0, &["PSUB002"]);
    world.simulator.add_subscription(Subscription::to(WEBHOOKS));
    ping(&[])
        .await
        .ends(64, &["PSUB002", "PSUB003", "--subscription"]);
    ping(&["--subscription", "PSUB003"])
        .await
        .ends(0, &["PSUB003"]);
    ping(&["--subscription", "PSUB999"])
        .await
        .ends(1, &["existing subscription"]);
    ping(&["--subscription", "../abilities"])
        .await
        .ends(64, &["subscription id"]);
    assert_eq!(count(&world, Operation::PagerdutyPingSubscription), 3);
}
