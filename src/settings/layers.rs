//! The layers a value may come from: the compiled-in defaults, the file, the environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::faults::{Fault, Faults};
use super::hint::closest;
use super::reference::{self, KeyDoc};
use super::variables::Variables;

/// No file of settings, and no file with a secret, is longer than this.
const LONGEST_FILE: u64 = 256 * 1024;

/// A value before anybody knows what it means. It has no `Debug`, since it may be a secret.
#[derive(Clone)]
pub(super) enum Raw {
    One(String),
    Many(Vec<String>),
}

impl Raw {
    /// The value as one text, a list with commas.
    pub(super) fn joined(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(items) => items.join(","),
        }
    }
}

/// Where a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File,
    Variable(String),
}

/// All layers together.
pub(super) struct Layers<'a> {
    defaults: BTreeMap<String, Raw>,
    file: BTreeMap<String, Raw>,
    file_name: String,
    vars: &'a dyn Variables,
    reference: Vec<KeyDoc>,
}

/// What is wrong, and what to do.
pub(super) type Problem = (String, String);

impl<'a> Layers<'a> {
    /// Opens the layers. Keys of the file that do not exist, or whose value has no possible type, are faults beside.
    ///
    /// # Errors
    ///
    /// The file cannot be read at all. Then nothing else is reported, since most of it would be a consequence.
    pub(super) fn open(
        config_file: Option<&Path>,
        vars: &'a dyn Variables,
    ) -> Result<(Self, Vec<Fault>), Faults> {
        let mut layers = Self {
            defaults: defaults(),
            file: BTreeMap::new(),
            file_name: String::new(),
            vars,
            reference: reference::reference(),
        };
        let mut faults = Vec::new();
        if let Some(path) = config_file {
            layers.file_name = path.display().to_string();
            let table = read_table(path)
                .map_err(|problem| Faults(vec![layers.fault_of_file(None, problem)]))?;
            let (values, wrong) = flatten(table);
            for key in wrong {
                let problem = if layers.reference.iter().any(|entry| entry.key == key) {
                    let advice = "write a string, a number, a boolean or a list of strings";
                    ("has a value of a wrong type".to_owned(), advice.to_owned())
                } else {
                    layers.unknown(&key)
                };
                faults.push(layers.fault_of_file(Some(key), problem));
            }
            for key in values
                .keys()
                .filter(|key| !layers.defaults.contains_key(*key))
            {
                let problem = layers.unknown(key);
                faults.push(layers.fault_of_file(Some(key.clone()), problem));
            }
            layers.file = values;
        }
        Ok((layers, faults))
    }

    /// The value of a key and where it was found. A secret is looked for in its own file too.
    pub(super) fn find(&self, key: &str) -> Result<(Raw, Origin), Problem> {
        let variable = reference::variable(key);
        let direct = self.vars.get(&variable);
        if self.is_secret(key) {
            let file_variable = format!("{variable}_FILE");
            let path = self.vars.get(&file_variable);
            // Compose files hand on empty variables; one of them empty is no contradiction.
            match (path.filter(|path| !path.is_empty()), &direct) {
                (Some(_), Some(value)) if !value.is_empty() => {
                    let advice = format!("set either {variable} or {file_variable}");
                    return Err((
                        format!("is given twice, {file_variable} is set too"),
                        advice,
                    ));
                }
                (Some(path), _) => {
                    let text = read_secret(Path::new(&path), &file_variable)?;
                    return Ok((Raw::One(text), Origin::Variable(file_variable)));
                }
                (None, _) => {}
            }
        }
        if let Some(value) = direct {
            return Ok((Raw::One(value), Origin::Variable(variable)));
        }
        if let Some(value) = self.file.get(key) {
            return Ok((value.clone(), Origin::File));
        }
        let default = self.defaults.get(key).cloned();
        Ok((
            default.unwrap_or_else(|| Raw::One(String::new())),
            Origin::Default,
        ))
    }

    /// Whether the value of that key must never be shown.
    pub(super) fn is_secret(&self, key: &str) -> bool {
        self.reference
            .iter()
            .any(|entry| entry.key == key && entry.secret)
    }

    /// What `default.toml` says of a key.
    pub(super) fn describe(&self, key: &str) -> &str {
        let entry = self.reference.iter().find(|entry| entry.key == key);
        entry.map_or("", |entry| entry.doc.as_str())
    }

    /// The place as a fault names it.
    pub(super) fn place(&self, origin: &Origin) -> Option<String> {
        match origin {
            Origin::Default => None,
            Origin::File => Some(self.file_name.clone()),
            Origin::Variable(name) => Some(name.clone()),
        }
    }

    fn fault_of_file(&self, key: Option<String>, (problem, advice): Problem) -> Fault {
        let found_in = key.is_some().then(|| self.file_name.clone());
        let subject = key.unwrap_or_else(|| self.file_name.clone());
        Fault {
            subject,
            variable: None,
            found_in,
            problem,
            advice,
        }
    }

    /// Whether leaving the key out is a way to have a value.
    pub(super) fn has_default(&self, key: &str) -> bool {
        self.reference
            .iter()
            .any(|entry| entry.key == key && !entry.default.is_empty())
    }

    fn unknown(&self, key: &str) -> Problem {
        let by_file = key.strip_suffix("_file").filter(|of| {
            self.reference
                .iter()
                .any(|entry| entry.key == *of && entry.secret)
        });
        let advice = match self.meant(key) {
            _ if by_file.is_some() => {
                let variable = key.replace('.', "_").to_uppercase();
                format!("a file with a secret is named by the variable {variable}, not here")
            }
            Some(meant) => format!("did you mean {meant}?"),
            None => "remove it; `escalator settings` lists all".to_owned(),
        };
        ("is not a setting".to_owned(), advice)
    }

    fn meant(&self, key: &str) -> Option<&str> {
        let name = key.rsplit('.').next().unwrap_or(key);
        let keys = || self.reference.iter().map(|entry| entry.key.as_str());
        let same_name = || self.reference.iter().find(|entry| entry.name() == name);
        let section = || {
            let sections = self.reference.iter().map(KeyDoc::section);
            closest(key, sections).filter(|_| !key.contains('.'))
        };
        closest(key, keys())
            .or_else(|| same_name().map(|e| e.key.as_str()))
            .or_else(section)
    }
}

/// The compiled-in defaults. That they can be read is held by a test.
pub(super) fn defaults() -> BTreeMap<String, Raw> {
    flatten(reference::DEFAULTS.parse().unwrap_or_default()).0
}

/// `section.name` and value of everything in a table, and the keys whose values cannot be settings.
fn flatten(table: toml::Table) -> (BTreeMap<String, Raw>, Vec<String>) {
    let mut values = BTreeMap::new();
    let mut wrong = Vec::new();
    for (section, value) in table {
        let toml::Value::Table(section_table) = value else {
            wrong.push(section);
            continue;
        };
        for (name, value) in section_table {
            let key = format!("{section}.{name}");
            match raw(value) {
                Some(raw) => {
                    values.insert(key, raw);
                }
                None => wrong.push(key),
            }
        }
    }
    (values, wrong)
}

fn raw(value: toml::Value) -> Option<Raw> {
    match value {
        toml::Value::String(text) => Some(Raw::One(text)),
        toml::Value::Integer(number) => Some(Raw::One(number.to_string())),
        toml::Value::Float(number) => Some(Raw::One(number.to_string())),
        toml::Value::Boolean(flag) => Some(Raw::One(flag.to_string())),
        toml::Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                toml::Value::String(text) => Some(text),
                toml::Value::Integer(_)
                | toml::Value::Float(_)
                | toml::Value::Boolean(_)
                | toml::Value::Datetime(_)
                | toml::Value::Array(_)
                | toml::Value::Table(_) => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Raw::Many),
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

fn read_table(path: &Path) -> Result<toml::Table, Problem> {
    let text = read_limited(path).map_err(|error| {
        (
            format!("cannot be read ({error})"),
            "check --config".to_owned(),
        )
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        // Its Display would repeat the line, and with it perhaps a secret; its message never holds a value.
        let at = error.span().and_then(|span| text.get(..span.start));
        let line = at.map_or(1, |before| before.matches('\n').count() + 1);
        (
            format!("is not TOML at line {line}: {}", error.message()),
            "correct that line".to_owned(),
        )
    })
}

fn read_secret(path: &Path, variable: &str) -> Result<String, Problem> {
    let mut text = read_limited(path).map_err(|error| {
        let problem = format!("cannot be read from the file that {variable} names ({error})");
        (problem, "check the path and who may read it".to_owned())
    })?;
    // One newline is the editor's; anything more would be part of the secret, and is refused later.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn read_limited(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(LONGEST_FILE + 1)
        .read_to_string(&mut text)?;
    if read as u64 > LONGEST_FILE {
        return Err(io::Error::other("longer than 256 KiB"));
    }
    Ok(text)
}
