//! Which layer wins, and what a file may hold.

use std::time::Duration;

use super::*;

#[test]
fn without_anything_else_the_documented_defaults_hold() {
    let settings = load(&required());
    let worker = settings.worker().unwrap();
    assert_eq!(worker.concurrency, 16);
    assert_eq!(worker.lease, Duration::from_secs(30));
    assert_eq!(worker.settle, Duration::from_secs(5));
    assert_eq!(worker.call_timeout, Duration::from_secs(10));
    assert_eq!(worker.drain_timeout, Duration::from_secs(30));
    assert_eq!(worker.max_attempts, 12);
    assert_eq!(
        settings.escalation().unwrap().expires_after,
        Duration::from_secs(24 * 3600)
    );
    assert_eq!(
        settings.escalation().unwrap().agent_wait,
        Duration::from_secs(15 * 60)
    );
    assert_eq!(
        settings.escalation().unwrap().conversation_fields,
        [
            "conversation_id",
            "conversationId",
            "genesys_conversation_id"
        ]
    );
    assert_eq!(
        settings.ingress().unwrap().listen.to_string(),
        "127.0.0.1:8080"
    );
    assert!(settings.ingress().unwrap().token.is_none());
    assert_eq!(
        settings.admin().unwrap().listen.unwrap().to_string(),
        "127.0.0.1:9464"
    );
    assert_eq!(settings.amqp().unwrap().urls.len(), 1);
    assert_eq!(
        settings.genesys().unwrap().api_url.as_str(),
        "https://api.mypurecloud.com"
    );
    assert_eq!(
        settings.genesys().unwrap().login_url.as_str(),
        "https://login.mypurecloud.com"
    );
    assert_eq!(settings.genesys().unwrap().cobrowse_api, CobrowseApi::Auto);
    assert_eq!(settings.genesys().unwrap().requests_per_minute, 300);
    assert_eq!(settings.pagerduty().unwrap().requests_per_minute, 960);
    assert_eq!(settings.starts().unwrap().events.len(), 2);
    assert!(settings.starts().unwrap().urgencies.is_empty());
    assert!(!settings.note().unwrap().include_access_links);
    assert_eq!(
        settings.log,
        Log {
            format: LogFormat::Auto,
            level: "info".to_owned()
        }
    );
    assert_eq!(settings.warnings, Vec::<String>::new());
}

#[test]
fn the_environment_wins_over_dot_env_which_wins_over_the_file_which_wins_over_the_default() {
    let file = file(
        "[worker]\nconcurrency = 1\nlease = \"41s\"\nsettle = \"1s\"\n\
         [log]\nlevel = \"warn\"\nformat = \"json\"\n",
    );
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join(".env"),
        "WORKER_CONCURRENCY=2\nWORKER_LEASE=42s\n",
    )
    .unwrap();
    let real = required()
        .with("WORKER_CONCURRENCY", "3")
        .with("LOG_LEVEL", "debug");
    let vars = WithDotEnv::read(real, directory.path()).ok().unwrap();
    let settings = Settings::load(Role::Serve, Some(file.path()), &vars).unwrap();
    let worker = settings.worker().unwrap();
    assert_eq!(worker.concurrency, 3, "environment over .env over file");
    assert_eq!(worker.lease, Duration::from_secs(42), ".env over file");
    assert_eq!(worker.settle, Duration::from_secs(1), "file over default");
    assert_eq!(worker.call_timeout, Duration::from_secs(10), "default");
    assert_eq!(
        settings.log,
        Log {
            format: LogFormat::Json,
            level: "debug".to_owned()
        }
    );
}

#[test]
fn an_empty_variable_takes_an_optional_value_away_and_is_a_fault_elsewhere() {
    let file = file("[ingress]\ntoken = \"of-the-file-0123456789\"\n");
    let given = Settings::load(Role::Serve, Some(file.path()), &required()).unwrap();
    assert!(given.ingress().unwrap().token.is_some());
    let emptied = required().with("INGRESS_TOKEN", "");
    let settings = Settings::load(Role::Serve, Some(file.path()), &emptied).unwrap();
    assert!(settings.ingress().unwrap().token.is_none());
    assert_eq!(
        fault_of("AMQP_URL", ""),
        "amqp.url (AMQP_URL) is empty; give it a value, or leave it out altogether"
    );
    assert!(fault_of("GENESYS_CLIENT_ID", "").contains("is empty"));
}

#[test]
fn a_list_may_be_an_array_in_a_file() {
    let settings = load_file(
        "[pagerduty]\nservices = [\"PIJ90N7\", \"PABC123\"]\nurgencies = \"high\"\nevents = [\"incident.escalated\"]\n",
    )
    .unwrap();
    let starts = settings.starts().unwrap();
    assert_eq!(
        starts.services.iter().collect::<Vec<_>>(),
        ["PABC123", "PIJ90N7"]
    );
    assert_eq!(starts.urgencies, [StartUrgency::High].into());
    assert_eq!(starts.events, ["incident.escalated".to_owned()].into());
}

#[test]
fn an_unknown_key_or_section_is_a_fault_with_a_hint_when_one_is_close() {
    let cases = [
        (
            "[genesys]\nregoin = \"x.y\"",
            "genesys.regoin",
            "did you mean genesys.region?",
        ),
        (
            "[pagerduty]\nwebhook_secret = \"hush\"",
            "pagerduty.webhook_secret",
            "did you mean pagerduty.webhook_secrets?",
        ),
        (
            "[genesys]\napi_token = \"hush\"",
            "genesys.api_token",
            "did you mean pagerduty.api_token?",
        ),
        (
            "[genesis]\nregion = \"x.y\"",
            "genesis.region",
            "did you mean genesys.region?",
        ),
        ("wroker = 3", "wroker", "did you mean worker?"),
        (
            "[genesys]\nclient_secret_file = \"/run/secrets/x\"",
            "genesys.client_secret_file",
            "a file with a secret is named by the variable GENESYS_CLIENT_SECRET_FILE, not here",
        ),
        (
            "cobrowse_api = \"auto\"",
            "cobrowse_api",
            "did you mean genesys.cobrowse_api?",
        ),
        ("[broker]\nhost = \"hush\"", "broker.host", "remove it"),
        ("[log.level]\nall = \"hush\"", "log.level", "write a string"),
        (
            "[worker]\nconcurrency = 1979-05-27",
            "worker.concurrency",
            "write a string",
        ),
    ];
    for (text, key, hint) in cases {
        let faults = load_file(text).unwrap_err();
        let text = faults.to_string();
        assert_eq!(faults.0.len(), 1, "{text}");
        assert_eq!(faults.0[0].subject, key);
        assert!(
            text.contains(hint) && text.contains(" (in /") && !text.contains("hush"),
            "{text}"
        );
    }
}

#[test]
fn a_fault_says_which_file_the_value_came_from() {
    let file = file("[worker]\nlease = \"thirty\"\n");
    let faults = Settings::load(Role::Serve, Some(file.path()), &required()).unwrap_err();
    let expected = format!(
        "worker.lease (WORKER_LEASE, here from {}) is \"thirty\"",
        file.path().display()
    );
    assert!(faults.to_string().starts_with(&expected), "{faults}");
}

#[test]
fn a_file_that_cannot_be_read_is_the_only_fault() {
    let faults = Settings::load(
        Role::Serve,
        Some(Path::new("/nowhere/e.toml")),
        &Fake::default(),
    );
    let text = faults.unwrap_err().to_string();
    assert!(
        text.starts_with("/nowhere/e.toml cannot be read") && text.lines().count() == 1,
        "{text}"
    );
}

#[test]
fn a_file_with_a_mistake_is_named_with_the_line_and_without_its_text() {
    for text in [
        "[genesys]\n\nclient_secret = \"hush\nregion = \"x.y\"",
        "[genesys]\n\nclient_secret = hush",
        "[genesys]\n\nhush hush",
        "[genesys]\nclient_secret = \"hush1\"\nclient_secret = \"hush2\"",
        "[genesys]\nregion = \"a.b\"\nclient_secret = \"hu\\sh hush\"",
    ] {
        let faults = load_file(text).unwrap_err();
        let shown = format!("{faults} {faults:?}");
        assert!(
            shown.contains("is not TOML at line 3") && !shown.contains("hush"),
            "{shown}"
        );
    }
}

#[test]
fn the_example_of_a_real_account_loads() {
    let config = file(
        r#"
        [ingress]
        listen = "0.0.0.0:8080"

        [admin]
        listen = "0.0.0.0:9464"

        [amqp]
        url = "amqps://escalator:s3cr%2Ft@mq-1.example.com,mq-2.example.com:5671/escalations?heartbeat=20"

        [database]
        url = "sqlite:///var/lib/escalator/escalator.db"

        [genesys]
        region = "mypurecloud.ie"
        client_id = "5f2c1b1e-6a53-4d58-9a3e-2f6d1c1f0a11"

        [pagerduty]
        api_url = "https://api.eu.pagerduty.com/"
        from_email = "on-call@example.com"
        events = ["incident.triggered", "incident.reopened", "incident.escalated"]
        services = ["PIJ90N7"]

        [escalation]
        expires_after = "12h 30m"
        "#,
    );
    let vars = Fake::default()
        .with("ADMIN_TOKEN", "d41d8cd98f00b204e9800998ecf8427e")
        .with("GENESYS_CLIENT_SECRET", "Zm9vYmFyYmF6cXV4LWdlbmVzeXM")
        .with(
            "PAGERDUTY_WEBHOOK_SECRETS",
            "new-secret-0123456789abcdef,old-secret-0123456789abcdef",
        )
        .with("PAGERDUTY_API_TOKEN", "y_NbAkKc66ryYTWUXYEu");
    let settings = Settings::load(Role::Serve, Some(config.path()), &vars)
        .unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert_eq!(settings.amqp().unwrap().urls.len(), 2);
    assert_eq!(settings.ingress().unwrap().webhook_secrets.len(), 2);
    assert_eq!(
        settings.pagerduty().unwrap().api_url.as_str(),
        "https://api.eu.pagerduty.com"
    );
    assert_eq!(
        settings.genesys().unwrap().login_url.as_str(),
        "https://login.mypurecloud.ie"
    );
    assert_eq!(
        settings.escalation().unwrap().expires_after,
        Duration::from_secs(45_000)
    );
}
