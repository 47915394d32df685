//! What values are allowed, alone and beside each other.

use super::*;

#[test]
fn all_faults_are_reported_at_once_one_line_each() {
    let vars = required()
        .with("WORKER_CONCURRENCY", "0")
        .with("GENESYS_REGION", "eu-west-1")
        .with("PAGERDUTY_EVENTS", "incident.annotated,service.updated")
        .with("AMQP_URL", "localhost")
        .with("GENESYS_CLIENT_SECRET", "changeme")
        .with("LOG_LEVEL", "loud\nthen quiet");
    let faults = Settings::load(Role::Serve, None, &vars).unwrap_err();
    let keys: Vec<&str> = faults
        .0
        .iter()
        .map(|fault| fault.subject.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "log.level",
            "amqp.url",
            "pagerduty.events",
            "pagerduty.events",
            "worker.concurrency",
            "genesys.region",
            "genesys.client_secret"
        ]
    );
    assert_eq!(faults.to_string().lines().count(), 7);
}

#[test]
fn a_value_out_of_range_is_refused_and_the_advice_says_the_range() {
    for (name, value, advice) in [
        ("WORKER_CONCURRENCY", "1001", "from 1 to 1000"),
        ("WORKER_CONCURRENCY", "-1", "from 1 to 1000"),
        ("GENESYS_REQUESTS_PER_MINUTE", "0", "from 1 to 1000000"),
        (
            "PAGERDUTY_REQUESTS_PER_MINUTE",
            "1000001",
            "from 1 to 1000000",
        ),
        ("ESCALATION_MAX_ATTEMPTS", "0", "from 1 to 100"),
        ("WORKER_DRAIN_TIMEOUT", "20", "with its unit"),
        ("WORKER_DRAIN_TIMEOUT", "0s", "above zero"),
        ("WORKER_DRAIN_TIMEOUT", "-5s", "above zero"),
        ("ESCALATION_EXPIRES_AFTER", "9999h", "30 days at most"),
        ("ESCALATION_RETENTION", "4000d", "3650 days at most"),
        ("NOTE_INCLUDE_ACCESS_LINKS", "yes", "true or false"),
        ("LOG_FORMAT", "xml", "auto, json or pretty"),
        ("LOG_LEVEL", "verbose", "error, warn, info"),
        ("INGRESS_LISTEN", ":8080", "127.0.0.1:8080"),
        ("INGRESS_LISTEN", "off", "127.0.0.1:8080"),
        ("ADMIN_LISTEN", "9464", "or off"),
        ("PAGERDUTY_URGENCIES", "high,medium", "write high, low"),
        ("PAGERDUTY_SERVICES", "P1;P2", "id"),
        ("PAGERDUTY_EVENTS", "incident.resolved", "remove it"),
        ("PAGERDUTY_FROM_EMAIL", "on-call", "address"),
        ("PAGERDUTY_API_URL", "api.pagerduty.com", "https://"),
        ("GENESYS_API_URL", "https://me:hush@proxy", "https://"),
        (
            "GENESYS_REGION",
            "https://api.mypurecloud.ie",
            "mypurecloud.ie",
        ),
        ("GENESYS_REGION", "api.mypurecloud.ie", "mypurecloud.ie"),
        (
            "GENESYS_REGION",
            "us-west-2",
            "write its domain, usw2.pure.cloud",
        ),
        ("DATABASE_URL", "escalator.db", "sqlite://"),
        (
            "DATABASE_URL",
            "postgres://db/escalator",
            "postgres://user:password@",
        ),
        ("AMQP_URL", "amqp://[::1]/%2f", "amqps://"),
        ("ESCALATION_AGENT_FIELDS", "a,,b", "one comma"),
        ("INGRESS_TOKEN", "two words and more", "no spaces"),
    ] {
        let fault = fault_of(name, value);
        assert!(
            fault.contains(&format!("({name})")) && fault.contains(advice),
            "{fault}"
        );
    }
}

#[test]
fn a_contract_that_there_is_not_is_refused_with_those_that_there_are() {
    for name in ["session", "AUTO", "both"] {
        let fault = fault_of("GENESYS_COBROWSE_API", name);
        assert!(
            fault.contains("write auto, conversation or sessions"),
            "{fault}"
        );
    }
}

#[test]
fn a_call_has_to_end_well_before_the_lease() {
    let load = |call: &str, lease: &str| {
        let vars = required()
            .with("WORKER_CALL_TIMEOUT", call)
            .with("WORKER_LEASE", lease)
            .with("WORKER_SETTLE", "200ms");
        faults(Role::Worker, &vars)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(load("28999ms", "30s"), Vec::<String>::new());
    assert_eq!(
        load("29s", "30s"),
        [
            "worker.call_timeout (WORKER_CALL_TIMEOUT) is 29s, too long for a lease of 30s (worker.lease); \
          make it shorter than the lease by more than 1s"
        ]
    );
    assert_eq!(load("300ms", "500ms"), Vec::<String>::new());
    assert_eq!(load("400ms", "500ms").len(), 1);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    assert!(fault_of("WORKER_SETTLE", "30s").contains("make it shorter than worker.lease"));
    assert!(
        fault_of("ESCALATION_AGENT_WAIT", "25h").contains("longer than escalation.expires_after")
    );
    assert!(fault_of("ESCALATION_RETENTION", "167h").contains("less than 7 days"));
    let kept_for = |retention: &str| {
        let vars = required()
            .with("ESCALATION_EXPIRES_AFTER", "10d")
            .with("ESCALATION_RETENTION", retention);
        faults(Role::Worker, &vars)
    };
    assert!(
        kept_for("480h")[0]
            .to_string()
            .contains("not longer than twice escalation.expires_after")
    );
    assert_eq!(kept_for("21d"), Vec::new());
    assert!(
        fault_of("ESCALATION_AGENT_FIELDS", "agent_id,conversation_id")
            .contains("take it out of one")
    );
    assert!(fault_of("ADMIN_LISTEN", "127.0.0.1:8080").contains("ingress.listen too"));
    assert!(fault_of("INGRESS_LISTEN", "0.0.0.0:9464").contains("two different ports"));
    assert!(fault_of("ADMIN_LISTEN", "0.0.0.0:9464").contains("which others can reach"));
    let vars = required()
        .with("ADMIN_LISTEN", "[::]:9464")
        .with("ADMIN_TOKEN", "0123456789abcdef");
    assert!(load(&vars).admin().unwrap().token.is_some());
    assert_eq!(
        load(&required().with("ADMIN_LISTEN", "off"))
            .admin()
            .unwrap()
            .listen,
        None
    );
    let same_port_zero = required()
        .with("ADMIN_LISTEN", "localhost:0")
        .with("INGRESS_LISTEN", "127.0.0.1:0");
    assert!(
        load(&same_port_zero)
            .admin()
            .unwrap()
            .listen
            .unwrap()
            .ip()
            .is_loopback()
    );
}

#[test]
fn the_login_address_follows_the_api_address() {
    let both = |vars: &Fake| {
        let settings = load(vars);
        let genesys = settings.genesys().unwrap();
        (genesys.api_url.to_string(), genesys.login_url.to_string())
    };
    let of = |api: &str, login: &str| (api.to_owned(), login.to_owned());
    let region = required().with("GENESYS_REGION", "USW2.pure.cloud");
    assert_eq!(
        both(&region),
        of(
            "https://api.usw2.pure.cloud",
            "https://login.usw2.pure.cloud"
        )
    );
    let api = region
        .clone()
        .with("GENESYS_API_URL", "http://127.0.0.1:9000/");
    assert_eq!(
        both(&api),
        of("http://127.0.0.1:9000", "http://127.0.0.1:9000")
    );
    let login = region.with("GENESYS_LOGIN_URL", "https://proxy/login/");
    assert_eq!(
        both(&login),
        of("https://api.usw2.pure.cloud", "https://proxy/login")
    );
    let each = api.with("GENESYS_LOGIN_URL", "http://127.0.0.1:9001");
    assert_eq!(
        both(&each),
        of("http://127.0.0.1:9000", "http://127.0.0.1:9001")
    );
}

#[test]
fn an_export_of_traces_is_off_until_it_has_an_address() {
    let otlp = |vars: &Fake| load(vars).otlp().unwrap().clone();
    assert_eq!(otlp(&required()).endpoint, None);
    let vars = required().with("OTLP_ENDPOINT", "http://collector:4318/");
    let given = otlp(&vars);
    assert_eq!(given.endpoint.unwrap().as_str(), "http://collector:4318");
    assert!((given.sample_ratio - 1.0).abs() < f64::EPSILON);
    // A collector in the next room is asked in plain http, mostly: that matters only where a credential goes along.
    assert!(load(&vars).warnings.is_empty());
    let vars = vars.with("OTLP_HEADERS", "authorization=Bearer%20x");
    let warnings = load(&vars).warnings;
    assert!(
        warnings.len() == 1 && warnings[0].contains("plain http"),
        "{warnings:?}"
    );
    let of_file = load_file("[otlp]\nsample_ratio = 0.25\n").ok().unwrap();
    assert!((of_file.otlp().unwrap().sample_ratio - 0.25).abs() < f64::EPSILON);
    for (name, value, fault) in [
        (
            "OTLP_ENDPOINT",
            "collector:4318",
            "neither http:// nor https://",
        ),
        (
            "OTLP_ENDPOINT",
            "http://collector:4318/v1/traces/",
            "is put behind it anyway",
        ),
        ("OTLP_HEADERS", "hush", "is not a list of headers"),
        (
            "OTLP_SAMPLE_RATIO",
            "1.5",
            "is \"1.5\"; write a number from 0 to 1",
        ),
        ("OTLP_SAMPLE_RATIO", "NaN", "write a number from 0 to 1"),
    ] {
        let told = fault_of(name, value);
        assert!(told.contains(fault) && !told.contains("hush"), "{told}");
    }
}

#[test]
fn what_is_allowed_and_hardly_meant_is_a_warning() {
    for (name, value, warning) in [
        (
            "GENESYS_LOGIN_URL",
            "http://proxy.example.com",
            "plain http",
        ),
        ("PAGERDUTY_API_URL", "http://10.0.0.1", "plain http"),
        ("AMQP_URL", "amqp://me:hush@mq.example.com", "plain amqp"),
        (
            "AMQP_URL",
            "amqps://guest:guest@mq.example.com",
            "the user guest",
        ),
        (
            "PAGERDUTY_WEBHOOK_SECRETS",
            "long-enough-0123456789,short",
            "fewer than 16 bytes",
        ),
        ("INGRESS_TOKEN", "short", "fewer than 16 bytes"),
        ("WORKER_DRAIN_TIMEOUT", "10s", "may cut calls off"),
    ] {
        let warnings = load(&required().with(name, value)).warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains(name) && warnings[0].contains(warning),
            "{warnings:?}"
        );
        assert!(!warnings[0].contains(value), "{warnings:?}");
    }
}
