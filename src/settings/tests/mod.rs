//! The settings as a whole. What one file of this room does alone is tested in that file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod hosts;
mod layers;
mod roles;
mod rules;
mod secrets;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Variables of a test, which also remember what they were asked for.
#[derive(Default, Clone)]
struct Fake {
    values: BTreeMap<String, String>,
    asked: RefCell<BTreeSet<String>>,
}

impl Variables for Fake {
    fn get(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.values.get(name).cloned()
    }
}

impl Fake {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.values.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// What has no default, and nothing else.
fn required() -> Fake {
    Fake::default()
        .with("GENESYS_CLIENT_ID", "5f2c1b1e-6a53-4d58-9a3e-2f6d1c1f0a11")
        .with("GENESYS_CLIENT_SECRET", "Zm9vYmFyYmF6cXV4LWdlbmVzeXM")
        .with("PAGERDUTY_WEBHOOK_SECRETS", "PAGERDUTY_WEBHOOK_SECRET_ONE")
        .with("PAGERDUTY_API_TOKEN", "y_NbAkKc66ryYTWUXYEu")
        .with("PAGERDUTY_FROM_EMAIL", "on-call@example.com")
}

fn load(vars: &Fake) -> Settings {
    Settings::load(Role::Serve, None, vars).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(role: Role, vars: &Fake) -> Vec<Fault> {
    Settings::load(role, None, vars)
        .err()
        .map(|faults| faults.0)
        .unwrap_or_default()
}

/// The only fault of a `serve` that has everything it needs and this.
fn fault_of(name: &str, value: &str) -> String {
    let all = faults(Role::Serve, &required().with(name, value));
    assert_eq!(all.len(), 1, "{name}={value}: {all:?}");
    all[0].to_string()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn load_file(text: &str) -> Result<Settings, Faults> {
    let file = file(text);
    Settings::load(Role::Serve, Some(file.path()), &required())
}
