//! Secrets come from where they should, and go nowhere.

use proptest::prelude::*;

use super::*;
use secrecy::ExposeSecret;

/// No file, key, text or number of the settings has this in it.
const MARK: &str = "xQ7zHUSHz7Qx";

fn secret_variables() -> Vec<String> {
    reference()
        .into_iter()
        .filter(|entry| entry.secret)
        .map(|entry| entry.variable)
        .collect()
}

/// Everything that may be printed after an attempt to load.
fn printed(result: &Result<Settings, Faults>) -> String {
    match result {
        Ok(settings) => format!("{settings:?} {settings:#?} {:?}", settings.warnings),
        Err(faults) => format!("{faults} {faults:?}"),
    }
}

#[test]
fn no_secret_is_printed_when_all_is_well() {
    let vars = required()
        .with("INGRESS_TOKEN", &format!("{MARK}-token"))
        .with("ADMIN_TOKEN", MARK)
        .with("AMQP_URL", &format!("amqps://user:{MARK}@one,two/%2f"))
        .with(
            "DATABASE_URL",
            &format!("postgres://user:{MARK}@db/escalator"),
        )
        .with("GENESYS_CLIENT_SECRET", &format!("{MARK}-genesys"))
        .with(
            "PAGERDUTY_WEBHOOK_SECRETS",
            &format!("{MARK}-old,{MARK}-new,{MARK}"),
        )
        .with("PAGERDUTY_API_TOKEN", &format!("{MARK}-pagerduty"));
    for role in Role::ALL {
        let result = Settings::load(role, None, &vars);
        assert!(result.is_ok(), "{result:?}");
        let text = printed(&result);
        assert!(!text.contains(MARK), "{role}: {text}");
    }
    let settings = load(&vars);
    assert_eq!(
        settings.pagerduty().unwrap().api_token.expose_secret(),
        format!("{MARK}-pagerduty")
    );
    assert_eq!(
        settings.ingress().unwrap().webhook_secrets[1].expose_secret(),
        format!("{MARK}-new")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn no_secret_is_printed_however_wrong_the_settings_are(
        before in "[ -~]{0,12}|amqps?://|postgres://u:|postgres://u:p@h/d\\?(sslmode=)?|https?://u:|\\$\\{|,,|\"|<|\\PC{0,4}",
        after in "[ -~]{0,12}|@h/%2f|@h/a/b|@h/a\\?b=c|@h/a\\?sslmode=x|\\}|,|\"|>|\n\n|\\PC{0,4}",
        role in prop::sample::select(Role::ALL.to_vec()),
        in_file in any::<bool>(),
    ) {
        let value = format!("{before}{MARK}{after}");
        let mut vars = required();
        let mut text = String::new();
        for entry in reference().iter().filter(|entry| entry.secret) {
            if in_file {
                vars.values.remove(&entry.variable);
                let (section, name) = entry.key.split_once('.').unwrap();
                text.push_str(&format!("{section}.{name} = {}\n", serde_json::Value::from(value.clone())));
            } else {
                vars = vars.with(&entry.variable, &value);
            }
        }
        // An address is no secret, and still may have a password in it by mistake.
        vars = vars.with("PAGERDUTY_API_URL", &value).with("GENESYS_API_URL", &format!("https://u:{value}@h"));
        let config = file(&text);
        let printed = printed(&Settings::load(role, Some(config.path()), &vars));
        prop_assert!(!printed.contains(MARK), "{printed}");
        // A file that is broken in the middle of a secret.
        let broken = file(&format!("{text}\n[genesys]\nclient_secret = {value}\n"));
        let printed = format!("{:?}", Settings::load(role, Some(broken.path()), &vars));
        prop_assert!(!printed.contains(MARK), "{printed}");
    }
}

#[test]
fn every_secret_may_come_from_a_file_of_which_one_newline_is_not_part() {
    for (content, expected) in [("abc\n", "abc"), ("abc\r\n", "abc"), ("abc", "abc")] {
        let secret = file(content);
        let mut vars = required().with(
            "GENESYS_CLIENT_SECRET_FILE",
            secret.path().to_str().unwrap(),
        );
        vars.values.remove("GENESYS_CLIENT_SECRET");
        assert_eq!(
            load(&vars).genesys().unwrap().client_secret.expose_secret(),
            expected
        );
        // What a compose file hands on when its own variable is not set.
        let vars = vars
            .with("GENESYS_CLIENT_SECRET", "")
            .with("PAGERDUTY_API_TOKEN_FILE", "");
        assert_eq!(
            load(&vars).genesys().unwrap().client_secret.expose_secret(),
            expected
        );
    }
    let url = file("amqps://me:hush@mq.example.com/%2f\n");
    let vars = required().with("AMQP_URL_FILE", url.path().to_str().unwrap());
    assert_eq!(
        load(&vars).amqp().unwrap().urls[0].expose_secret(),
        "amqps://me:hush@mq.example.com/%2f"
    );
    let address = "postgres://me:hush@db.example.com/escalator?sslmode=verify-full";
    let url = file(&format!("{address}\n"));
    let settings = load(&required().with("DATABASE_URL_FILE", url.path().to_str().unwrap()));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    assert!(
        matches!(&settings.database().unwrap().url, DatabaseUrl::Postgres { url } if url.expose_secret() == address)
    );
}

#[test]
fn a_secret_that_is_given_twice_or_whose_file_is_bad_is_a_fault() {
    for name in secret_variables() {
        let vars = required()
            .with(&name, MARK)
            .with(&format!("{name}_FILE"), "/nowhere");
        let all = faults(Role::Serve, &vars);
        let twice: Vec<&Fault> = all
            .iter()
            .filter(|f| f.problem.contains("is given twice"))
            .collect();
        assert_eq!(twice.len(), 1, "{name}: {all:?}");
        assert_eq!(twice[0].variable.as_deref(), Some(name.as_str()));
    }
    let mut vars = required();
    vars.values.remove("PAGERDUTY_API_TOKEN");
    let two_lines = file("abc\n\n");
    let empty = file("\n");
    for (path, problem) in [
        (
            "/nowhere",
            "cannot be read from the file that PAGERDUTY_API_TOKEN_FILE names",
        ),
        (two_lines.path().to_str().unwrap(), "holds a line break"),
        (empty.path().to_str().unwrap(), "is empty"),
    ] {
        let all = faults(
            Role::Serve,
            &vars.clone().with("PAGERDUTY_API_TOKEN_FILE", path),
        );
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].to_string().contains(problem), "{}", all[0]);
    }
}

#[test]
fn what_a_template_left_behind_is_refused_in_every_secret_and_address() {
    let addresses =
        ["GENESYS_API_URL", "GENESYS_LOGIN_URL", "PAGERDUTY_API_URL"].map(str::to_owned);
    for name in secret_variables().into_iter().chain(addresses) {
        for value in [
            "${SECRET}",
            "$SECRET",
            "<your secret>",
            "changeme",
            "https://${HOST}/",
        ] {
            let fault = fault_of(&name, value);
            assert!(fault.contains("is still a placeholder"), "{fault}");
        }
    }
    assert!(fault_of("AMQP_URL", "amqp://me:$PASSWORD@mq/%2f").contains("placeholder"));
}
