//! Letters: listed, grouped, shown, discarded, edited.

use reqwest::Method;
use serde_json::{Value, json};

use escalator::simulator::IncidentSpec;

use super::api::Api;
use super::{becomes, begun, deeds, die, ids, open, served};
use crate::support::database::Database;
use crate::support::proxy::Proxy;
use crate::support::vhost::eventually;
use crate::support::world::{Case, World, tells_of_a_death};
use secrecy::ExposeSecret;

/// What `escalator dead-letters …` prints, line by line.
async fn printed(world: &World, arguments: &[&str]) -> Vec<Value> {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
        .arg("dead-letters")
        .args(arguments)
        .env_clear()
        .envs(world.settings(&[]))
        .current_dir(world.folder.path())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_grouped_and_shown_is_what_the_command_line_prints() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    let cases = die(&world, &program, &api, 5).await;
    // The incidents are told of it, so that nothing about the letters changes any more.
    eventually("all are told", async || {
        let answer = api.get("/dead-letters").await.ok(200);
        let mut letters = answer["letters"].as_array().unwrap().iter();
        letters
            .all(|letter| letter["told"]["notice"] == "told")
            .then_some(())
    })
    .await;

    let whole = api.get("/dead-letters").await.ok(200);
    assert_eq!((&whole["total"], &whole["next"]), (&json!(5), &Value::Null));
    assert_eq!(
        whole["letters"].as_array().unwrap(),
        &printed(&world, &["list", "--json"]).await
    );
    let groups = api.get("/dead-letters/groups").await.ok(200);
    assert_eq!(groups["groups"].as_array().unwrap().len(), 1);
    assert_eq!(groups["groups"][0]["count"], 5);
    assert_eq!(
        groups["groups"].as_array().unwrap(),
        &printed(&world, &["groups", "--json"]).await
    );
    let id = &ids(&whole)[0];
    let shown = api.get(&format!("/dead-letters/{id}")).await.ok(200);
    assert_eq!(
        vec![shown.clone()],
        printed(&world, &["show", id, "--json"]).await
    );
    assert!(!shown["history"].as_array().unwrap().is_empty());
    assert_eq!(shown["message"]["incident_id"], cases[4].incident.as_str());

    // Page by page there is the same, in the same order.
    let (mut paged, mut path) = (Vec::new(), "/dead-letters?limit=2".to_owned());
    let mut sizes = Vec::new();
    loop {
        let page = api.get(&path).await.ok(200);
        assert_eq!(page["total"], 5);
        sizes.push(ids(&page).len());
        paged.extend(ids(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/dead-letters?limit=2&after={next}");
    }
    assert_eq!((sizes, paged), (vec![2, 2, 1], ids(&whole)));

    let theme = groups["groups"][0]["reason"].as_str().unwrap();
    let theme: String = url::form_urlencoded::byte_serialize(theme.as_bytes()).collect();
    for (query, count) in [
        ("code=conversation_unknown".to_owned(), 5),
        ("code=conversation_over".to_owned(), 0),
        (format!("incident={}", cases[1].incident), 1),
        (format!("conversation={}", cases[2].conversation), 1),
        ("service=PNOBODYS".to_owned(), 0),
        (format!("reason={theme}"), 5),
        ("since=1h".to_owned(), 5),
        ("before=1h".to_owned(), 0),
        ("since=2026-01-01T00:00:00Z&state=any".to_owned(), 5),
        ("state=closed".to_owned(), 0),
    ] {
        let found = api.get(&format!("/dead-letters?{query}")).await.ok(200);
        assert_eq!(
            (&found["total"], ids(&found).len()),
            (&json!(count), count),
            "{query}"
        );
        let groups = api
            .get(&format!("/dead-letters/groups?{query}"))
            .await
            .ok(200);
        let groups = groups["groups"].as_array().unwrap().len();
        assert_eq!(groups, count.min(1), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_is_named_all_at_once() {
    let world = World::new().await;
    let (_program, api) = served(&world, &[("DEAD_LETTERS_EDIT", "true")]).await;
    let query = "state=shut&code=none&incident=a/b&conversation=&service=%20&reason=&since=yesterday\
                 &before=tomorrow&limit=501&after=x&token=t&limit=7";
    let found = api.get(&format!("/dead-letters?{query}")).await.errors(400);
    for name in [
        "state:",
        "code:",
        "incident:",
        "conversation:",
        "service:",
        "reason:",
        "since:",
        "before:",
        "after:",
        "token: unknown",
        "limit: is there twice",
    ] {
        let named = found.iter().any(|fault| fault.starts_with(name));
        assert!(named, "{name}: {found:?}");
    }
    for path in [
        "/dead-letters?limit=0",
        "/dead-letters?limit=-1",
        "/dead-letters?limit=many",
        "/dead-letters/groups?limit=1",
        "/replays?limit=501",
        "/replays?after=1",
        "/replays/rp-20261120-0123abcd/entries?after=-1",
        "/audit?limit=0",
    ] {
        assert_eq!(api.get(path).await.errors(400).len(), 1, "{path}");
    }
    let letter = "/dead-letters/dl-0123456789abcdef";
    let edit = format!("{letter}/edit");
    for (path, body, count) in [
        ("/dead-letters/discard", json!({}), 2),
        ("/dead-letters/discard", json!({"all": true}), 1),
        (
            "/dead-letters/discard",
            json!({"filter": {}, "because": "x"}),
            1,
        ),
        (
            "/dead-letters/discard",
            json!({"filter": {"code": null, "ids": []}, "because": ""}),
            3,
        ),
        (
            "/dead-letters/discard",
            json!({"filter": {"code": "none", "x": 1}, "all": "yes", "because": 7, "by": "\u{1b}[m", "y": 1}),
            6,
        ),
        (
            "/dead-letters/discard",
            json!({"filter": {"ids": ["dl-1", 7]}, "because": "x"}),
            2,
        ),
        (
            "/dead-letters/discard",
            json!({"filter": {"service": "P1"}, "all": true, "because": "x"}),
            1,
        ),
        ("/dead-letters/plan", json!({"because": "x"}), 2),
        ("/replays", json!({}), 1),
        (
            "/replays",
            json!({"all": true, "per_minute": 0, "because": " "}),
            2,
        ),
        (
            "/replays",
            json!({"plan": "no plan", "all": true, "filter": {}}),
            2,
        ),
        ("/replays", json!({"plan": "", "per_minute": "7"}), 2),
        (&edit, json!({}), 2),
        (
            &edit,
            json!({"conversation": "a/b", "agent": 7, "incident": "", "because": "x".repeat(1001), "urgency": "low"}),
            5,
        ),
        (
            "/replays/rp-20261120-0123abcd/cancel",
            json!({"by": "", "why": "x"}),
            2,
        ),
        (
            "/replays/rp-20261120-0123abcd/resume",
            json!({"whom": "x"}),
            1,
        ),
    ] {
        let found = api.post(path, &body).await.errors(400);
        assert_eq!(found.len(), count, "{path} {body}: {found:#?}");
    }
    for body in ["[]", "\"text\"", "{", "null"] {
        let answer = api
            .ask(Method::POST, "/replays", Some(body.to_owned()))
            .await;
        assert_eq!(answer.errors(400), ["the body is not a JSON object"]);
    }
    let big = json!({"all": true, "because": "x".repeat(70_000)});
    let found = api.post("/dead-letters/discard", &big).await.errors(413);
    assert!(found[0].contains("65536"), "{found:?}");

    for path in [
        letter,
        "/dead-letters/dl-1",
        "/dead-letters/%FF",
        "/replays/rp-20261120-0123abcd",
        "/replays/%00",
        "/replays/rp-20261120-0123abcd/entries",
    ] {
        assert_eq!(api.get(path).await.errors(404).len(), 1, "{path}");
    }
    let good = json!({"conversation": "c-1", "because": "x"});
    assert_eq!(api.post(&edit, &good).await.errors(404).len(), 1);
    for path in [
        "/replays/rp-20261120-0123abcd/cancel",
        "/replays/rp-20261120-0123abcd/resume",
    ] {
        assert_eq!(
            api.post(path, &json!({})).await.errors(404).len(),
            1,
            "{path}"
        );
    }
    assert_eq!(deeds(&api).await, [], "nothing was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_discarded_is_closed_once_and_the_audit_says_by_whom_and_why() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    let cases = die(&world, &program, &api, 3).await;
    let one = json!({"filter": {"incident": cases[0].incident}, "because": "the customer has left", "by": "alex"});
    let answer = api.post("/dead-letters/discard", &one).await.ok(200);
    assert_eq!(answer, json!({"discarded": 1, "in_replay": 0}));
    let again = api.post("/dead-letters/discard", &one).await.ok(200);
    assert_eq!(again, json!({"discarded": 0, "in_replay": 0}));
    assert_eq!(open(&api).await.len(), 2);
    let closed = api.get("/dead-letters?state=closed").await.ok(200);
    let letter = &closed["letters"][0];
    assert_eq!(letter["incident"], cases[0].incident.as_str());
    assert_eq!(
        (
            &letter["state"],
            &letter["closed"]["by"],
            &letter["closed"]["why"]
        ),
        (
            &json!("discarded"),
            &json!("alex"),
            &json!("the customer has left")
        )
    );
    let named = json!({"filter": {"ids": open(&api).await}, "because": "a test"});
    let answer = api.post("/dead-letters/discard", &named).await.ok(200);
    assert_eq!(answer["discarded"], 2);
    let all = json!({"all": true, "because": "a test"});
    let answer = api.post("/dead-letters/discard", &all).await.ok(200);
    assert_eq!(answer["discarded"], 0);
    let done: Vec<_> = deeds(&api).await;
    let short: Vec<_> = done
        .iter()
        .map(|(action, by, result)| (action.as_str(), by.as_str(), result.as_str()))
        .collect();
    assert_eq!(
        short,
        [
            ("discard", "http", "0 discarded"),
            ("discard", "http", "2 discarded"),
            ("discard", "alex", "0 discarded"),
            ("discard", "alex", "1 discarded"),
        ]
    );
    assert!(world.kept().await.is_empty(), "the ledger has none open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_letter_is_replayed_about_the_right_conversation() {
    let world = World::new().await;
    let (program, api) = served(&world, &[("DEAD_LETTERS_EDIT", "true")]).await;
    let right = world.case();
    let incident = world
        .simulator
        .open_incident(IncidentSpec::about("no-such-conversation"));
    let wrong = Case {
        incident: incident.clone(),
        conversation: "no-such-conversation".to_owned(),
    };
    world.deliver(&program, &world.trigger(&wrong)).await;
    let id = eventually("the letter", async || open(&api).await.pop()).await;
    let edit =
        json!({"conversation": right.conversation, "because": "a typing error", "by": "alex"});
    let path = format!("/dead-letters/{id}/edit");

    let other = json!({"conversation": right.conversation, "incident": "QOTHER", "because": "x"});
    let found = api.post(&path, &other).await.errors(409);
    assert!(found[0].contains(&incident), "{found:?}");
    let answer = api.post(&path, &edit).await.ok(200);
    let copy = answer["letter"].as_str().unwrap().to_owned();
    assert_ne!(copy, id);
    let found = api.post(&path, &edit).await.errors(409);
    assert!(found[0].contains("closed"), "{found:?}");
    assert_eq!(open(&api).await, std::slice::from_ref(&copy));
    let shown = api.get(&format!("/dead-letters/{copy}")).await.ok(200);
    assert_eq!(
        (&shown["follows"], &shown["conversation"], &shown["origin"]),
        (&json!(id), &json!(right.conversation), &json!("operator"))
    );

    let replay = begun(&api, json!({"filter": {"ids": [copy]}})).await;
    becomes(&api, &replay, "done").await;
    let effects = world
        .until(|effects| effects.attachments_of(&right.conversation).len() == 1)
        .await;
    assert_eq!(effects.sessions.len(), 1);
    // The note with the link takes the place of the one that told of the death.
    let effects = world
        .until(|effects| {
            let notes = effects.notes_of(&incident);
            notes.len() == 1 && !tells_of_a_death(&notes[0].content)
        })
        .await;
    let notes = effects.notes_of(&incident);
    assert!(effects.sessions[0].is_told_in(&notes[0].content));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_editing_is_off_nothing_is_edited() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    die(&world, &program, &api, 1).await;
    let id = open(&api).await.remove(0);
    let edit = json!({"conversation": "c-1", "because": "x"});
    let found = api.post(&format!("/dead-letters/{id}/edit"), &edit).await;
    assert!(
        found.errors(403)[0].contains("dead_letters.edit"),
        "{found:?}"
    );
    assert_eq!(open(&api).await, [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_does_not_answer_is_503_and_says_when_to_come_again() {
    let world = World::new().await;
    let database = Database::new().await;
    let url = &database.url;
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let proxy = Proxy::before(target).await;
    let by = database.by(proxy.address);
    let (program, api) = served(&world, &[("DATABASE_URL", by.expose_secret())]).await;
    assert_eq!(api.get("/dead-letters").await.ok(200)["total"], 0);
    proxy.hang_up();
    program.becomes_ready(false).await;
    for answer in [
        api.get("/dead-letters").await,
        api.get("/audit").await,
        api.post("/dead-letters/plan", &json!({"all": true})).await,
        api.post("/replays", &json!({"all": true})).await,
    ] {
        assert_eq!(answer.errors(503).len(), 1, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert!(!answer.text.contains(url.password().unwrap()), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_holds_a_secret_or_a_link() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    die(&world, &program, &api, 2).await;
    let replay = begun(&api, json!({"all": true})).await;
    becomes(&api, &replay, "done").await;
    let effects = world.until(|effects| effects.attached == 2).await;
    everything(&api, &replay).await;
    let config = world.simulator.config().clone();
    let mut secrets = vec![
        config.client_secret,
        config.api_token,
        config.webhook_secret,
    ];
    secrets.push(super::TOKEN.to_owned());
    secrets.extend(world.simulator.tokens());
    secrets.extend(effects.sessions.iter().map(|s| s.join_url.clone()));
    assert!(secrets.len() > 6, "tokens and links are among them");
    let heard = api.heard();
    assert!(heard.len() > 10);
    for secret in secrets {
        let holds = heard.iter().find(|text| text.contains(&secret));
        assert_eq!(holds, None, "{secret}");
    }
}

/// Asks for all that can be looked at.
async fn everything(api: &Api, replay: &str) {
    let letters = api.get("/dead-letters?state=any").await.ok(200);
    for id in ids(&letters) {
        api.get(&format!("/dead-letters/{id}")).await.ok(200);
    }
    for path in ["/dead-letters/groups?state=any", "/replays", "/audit"] {
        api.get(path).await.ok(200);
    }
    api.get(&format!("/replays/{replay}/entries")).await.ok(200);
}
