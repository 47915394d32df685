//! The documentation of every setting, made from `default.toml`.

use super::layers::{self, Raw};
use super::role::Role;

/// The compiled-in file: every key, its default and its documentation.
pub(super) const DEFAULTS: &str = include_str!("default.toml");

/// What is known of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// `section.name`.
    pub key: String,
    /// The environment variable: `SECTION_NAME`. A secret is also taken from the file that `SECTION_NAME_FILE` names.
    pub variable: String,
    /// The default, as it would be written in the environment; empty where there is none.
    pub default: String,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether an empty value is allowed and means "not given".
    pub optional: bool,
    /// The roles that do not start without a value; empty where there is a default, or where it is optional.
    pub required_for: Vec<Role>,
    /// What it means.
    pub doc: String,
}

impl KeyDoc {
    /// The name of the setting without its section.
    pub(super) fn name(&self) -> &str {
        self.key
            .split_once('.')
            .map_or(self.key.as_str(), |(_, name)| name)
    }

    /// The name of its section.
    pub(super) fn section(&self) -> &str {
        self.key.split_once('.').map_or("", |(section, _)| section)
    }
}

/// The environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    key.replace(['.', '-'], "_").to_ascii_uppercase()
}

/// Every setting, in the order of `default.toml`.
#[must_use]
pub fn reference() -> Vec<KeyDoc> {
    let defaults = layers::defaults();
    let mut section = "";
    let mut comment: Vec<&str> = Vec::new();
    let mut reference = Vec::new();
    for line in DEFAULTS.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
            continue;
        }
        let lines = std::mem::take(&mut comment);
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name;
        } else if let Some((name, _)) = line.split_once('=') {
            let key = format!("{section}.{}", name.trim());
            let default = defaults.get(&key).map(Raw::joined).unwrap_or_default();
            reference.push(describe(key, default, &lines));
        }
    }
    reference
}

/// The last line of a comment may hold properties in brackets: `(optional; secret; required by serve, worker)`.
fn describe(key: String, default: String, comment: &[&str]) -> KeyDoc {
    let mut text = comment;
    let mut properties = "";
    if let Some((last, before)) = comment.split_last()
        && let Some(inside) = last
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
    {
        properties = inside;
        text = before;
    }
    let has = |name: &str| {
        properties
            .split(';')
            .any(|property| property.trim() == name)
    };
    let required = properties
        .split(';')
        .find_map(|p| p.trim().strip_prefix("required by "));
    let named = |role: &Role| {
        required.is_some_and(|names| names.split(',').any(|name| name.trim() == role.name()))
    };
    KeyDoc {
        variable: variable(&key),
        default,
        secret: has("secret"),
        optional: has("optional"),
        required_for: Role::ALL.into_iter().filter(named).collect(),
        doc: text.join(" "),
        key,
    }
}

/// The reference as a Markdown table, as it stands in the README.
#[must_use]
pub fn reference_as_markdown() -> String {
    let mut table =
        String::from("| key | variable | default | meaning |\n| --- | --- | --- | --- |\n");
    for entry in reference() {
        let roles: Vec<&str> = entry.required_for.iter().map(|role| role.name()).collect();
        let default = if !roles.is_empty() {
            format!("required by {}", roles.join(", "))
        } else if entry.default.is_empty() {
            "none".to_owned()
        } else {
            format!("`{}`", entry.default)
        };
        let file = if entry.secret { ", or `…_FILE`" } else { "" };
        let (key, variable, doc) = (entry.key, entry.variable, entry.doc.replace('|', "\\|"));
        table.push_str(&format!(
            "| `{key}` | `{variable}`{file} | {default} | {doc} |\n"
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_of_the_default_file_is_documented() {
        let reference = reference();
        let keys: BTreeSet<&str> = reference.iter().map(|entry| entry.key.as_str()).collect();
        let defaults = layers::defaults();
        assert_eq!(keys, defaults.keys().map(String::as_str).collect());
        for entry in &reference {
            assert!(
                entry.doc.len() > 15 && entry.doc.ends_with('.'),
                "{}",
                entry.key
            );
        }
    }

    #[test]
    fn a_value_is_missing_only_where_it_is_required_or_optional() {
        for entry in reference() {
            let required = !entry.required_for.is_empty();
            assert!(!(required && entry.optional), "{}", entry.key);
            assert_eq!(
                entry.default.is_empty(),
                required || entry.optional,
                "{}",
                entry.key
            );
        }
    }

    #[test]
    fn no_two_keys_share_a_variable_not_even_the_one_of_a_file() {
        let reference = reference();
        let mut variables: Vec<String> = reference
            .iter()
            .map(|entry| entry.variable.clone())
            .collect();
        variables.extend(
            reference
                .iter()
                .map(|entry| format!("{}_FILE", entry.variable)),
        );
        let different: BTreeSet<&String> = variables.iter().collect();
        assert_eq!(different.len(), variables.len());
    }

    #[test]
    fn the_properties_in_brackets_are_read_and_left_out_of_the_text() {
        let reference = reference();
        let entry = reference
            .iter()
            .find(|e| e.key == "pagerduty.webhook_secrets")
            .unwrap();
        assert!(entry.secret && !entry.optional);
        assert_eq!(entry.required_for, [Role::Serve, Role::Ingress]);
        assert_eq!(entry.variable, "PAGERDUTY_WEBHOOK_SECRETS");
        assert!(entry.doc.ends_with("rotated."));
    }

    #[test]
    fn the_table_has_one_line_for_each_key() {
        let table = reference_as_markdown();
        assert_eq!(table.lines().count(), reference().len() + 2);
        assert!(table.contains("| `worker.lease` | `WORKER_LEASE` | `30s` | How long a claim"));
        assert!(table.contains("| `ingress.token` | `INGRESS_TOKEN`, or `…_FILE` | none |"));
        assert!(
            table
                .lines()
                .all(|line| line.replace("\\|", "").matches('|').count() == 5)
        );
    }
}
