//! Each role asks for what it needs, and the reference tells the truth about it.

use super::*;

/// What `role` asks the environment for, with the defaults in place.
fn asked(role: Role) -> BTreeSet<String> {
    let vars = Fake::default();
    let _ = Settings::load(role, None, &vars);
    vars.asked.into_inner()
}

#[test]
fn the_code_reads_every_documented_key_and_no_other() {
    let all: BTreeSet<String> = Role::ALL.into_iter().flat_map(asked).collect();
    let mut documented = BTreeSet::new();
    for entry in reference() {
        if entry.secret {
            documented.insert(format!("{}_FILE", entry.variable));
        }
        documented.insert(entry.variable);
    }
    assert_eq!(all, documented);
    // `check` looks whether there is an ingress; `serve` alone must read all there is.
    assert_eq!(asked(Role::Serve), documented);
}

#[test]
fn each_role_misses_what_the_reference_says_it_requires_and_all_of_it_at_once() {
    for role in Role::ALL {
        let missing: Vec<String> = faults(role, &Fake::default())
            .into_iter()
            .map(|fault| fault.subject)
            .collect();
        let mut required: Vec<String> = reference()
            .into_iter()
            .filter(|entry| entry.required_for.contains(&role))
            .map(|entry| entry.key)
            .collect();
        let mut sorted = missing.clone();
        sorted.sort();
        required.sort();
        assert_eq!(sorted, required, "{role}");
    }
}

#[test]
fn a_missing_value_is_explained_by_the_documentation_of_its_key() {
    let all = faults(Role::Worker, &Fake::default());
    assert_eq!(
        all[0].to_string(),
        "genesys.client_id (GENESYS_CLIENT_ID) is required and has no value; \
         set it: The id of the OAuth client (grant type client credentials)"
    );
}

#[test]
fn an_ingress_holds_no_credential_of_a_vendor_api_and_a_worker_no_webhook_secret() {
    let ingress = asked(Role::Ingress);
    for name in [
        "GENESYS_CLIENT_ID",
        "GENESYS_CLIENT_SECRET",
        "PAGERDUTY_API_TOKEN",
        "DATABASE_URL",
    ] {
        assert!(!ingress.contains(name), "{name}");
    }
    let worker = asked(Role::Worker);
    for name in [
        "PAGERDUTY_WEBHOOK_SECRETS",
        "INGRESS_TOKEN",
        "INGRESS_LISTEN",
    ] {
        assert!(!worker.contains(name), "{name}");
    }
    let vars = Fake::default().with("PAGERDUTY_WEBHOOK_SECRETS", "0123456789abcdef");
    let settings = Settings::load(Role::Ingress, None, &vars).unwrap();
    assert!(settings.ingress().is_ok() && settings.starts().is_ok() && settings.amqp().is_ok());
    assert_eq!(
        settings.genesys().unwrap_err().to_string(),
        "the settings of genesys are not read by the role ingress"
    );
}

#[test]
fn a_fault_in_a_section_that_a_role_does_not_need_does_not_stop_it() {
    let vars = Fake::default()
        .with("WORKER_LEASE", "soon")
        .with("GENESYS_REGION", "${REGION}");
    assert!(Settings::load(Role::Broker, None, &vars).is_ok());
    let broker: Vec<String> = asked(Role::Broker)
        .into_iter()
        .filter(|n| !n.starts_with("LOG_"))
        .collect();
    assert_eq!(broker, ["AMQP_URL", "AMQP_URL_FILE"]);
}

#[test]
fn whoever_only_reads_the_ledger_is_asked_for_nothing_but_its_address() {
    let asked: Vec<String> = asked(Role::Ledger)
        .into_iter()
        .filter(|n| !n.starts_with("LOG_"))
        .collect();
    assert_eq!(asked, ["DATABASE_URL", "DATABASE_URL_FILE"]);
    assert!(Settings::load(Role::Ledger, None, &Fake::default()).is_ok());
}

#[test]
fn check_looks_at_the_ingress_only_where_there_is_one() {
    let mut vars = required();
    let settings = Settings::load(Role::Check, None, &vars).unwrap();
    assert_eq!(settings.ingress().unwrap().webhook_secrets.len(), 1);
    vars.values.remove("PAGERDUTY_WEBHOOK_SECRETS");
    let settings = Settings::load(Role::Check, None, &vars).unwrap();
    assert!(settings.ingress().is_err());
    assert_eq!(settings.warnings.len(), 1);
    assert!(
        settings.warnings[0]
            .starts_with("pagerduty.webhook_secrets (PAGERDUTY_WEBHOOK_SECRETS) is not given")
    );
    let all = faults(Role::Check, &vars.with("PAGERDUTY_WEBHOOK_SECRETS", "a,,b"));
    assert_eq!(all.len(), 1);
}
