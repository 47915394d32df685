//! The rules of the house, read from the code itself. ARCHITECTURE.md says why each is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may use. What is not in the list does not exist.
const ROOMS: &[(&str, &[&str])] = &[
    ("escalation", &[]),
    ("pacing", &[]),
    ("crash", &[]),
    ("listener", &[]),
    ("simulator", &[]),
    ("settings", &["escalation"]),
    ("telemetry", &["escalation", "pacing"]),
    ("broker", &["escalation", "pacing", "telemetry"]),
    ("ledger", &["crash", "escalation", "pacing", "telemetry"]),
    ("upstream", &["crash", "escalation", "pacing", "telemetry"]),
    (
        "ingress",
        &["broker", "crash", "escalation", "listener", "telemetry"],
    ),
    (
        "worker",
        &[
            "broker",
            "crash",
            "escalation",
            "ledger",
            "pacing",
            "settings",
            "telemetry",
            "upstream",
        ],
    ),
    (
        "dead_letters",
        &[
            "broker",
            "crash",
            "escalation",
            "ledger",
            "pacing",
            "telemetry",
            "upstream",
        ],
    ),
    (
        "admin",
        &[
            "broker",
            "dead_letters",
            "escalation",
            "ledger",
            "listener",
            "settings",
            "telemetry",
        ],
    ),
    ("lookout", &["broker", "escalation", "ledger", "telemetry"]),
    (
        "cli",
        &[
            "admin",
            "broker",
            "crash",
            "dead_letters",
            "escalation",
            "ingress",
            "ledger",
            "listener",
            "lookout",
            "settings",
            "simulator",
            "telemetry",
            "upstream",
            "worker",
        ],
    ),
];

/// What may not stand in the code of a room (or of all, `""`), and why.
const BANNED: &[(&str, &str, &str)] = &[
    ("escalation", "tokio", "the domain is pure"),
    ("escalation", "lapin", "the domain is pure"),
    ("escalation", "reqwest", "the domain is pure"),
    ("escalation", "rusqlite", "the domain is pure"),
    ("escalation", "tokio_postgres", "the domain is pure"),
    ("escalation", "tracing", "the domain is pure"),
    ("escalation", "rand", "randomness comes in as a value"),
    ("escalation", "Timestamp::now", "time comes in as a value"),
    ("escalation", "Instant", "time comes in as a value"),
    ("escalation", "SystemTime", "time comes in as a value"),
    (
        "ingress",
        "reqwest",
        "the ingress calls nobody but the broker",
    ),
    ("ingress", "rusqlite", "the ingress keeps no state"),
    ("ingress", "tokio_postgres", "the ingress keeps no state"),
];

/// What may stand in one place only.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("backoff::", &["pacing/mod.rs"]),
    ("lapin::", &["broker/"]),
    ("rusqlite::", &["ledger/"]),
    ("tokio_postgres::", &["ledger/"]),
    (
        "reqwest::",
        &["upstream/", "simulator/", "telemetry/otlp.rs"],
    ),
    ("prost::", &["telemetry/otlp"]),
    ("opentelemetry", &[]),
    ("prometheus::", &["telemetry/"]),
    (
        "std::env::var",
        &["settings/variables.rs", "cli/terminal.rs", "crash.rs"],
    ),
    ("std::process::exit", &[]),
    ("process::abort", &["crash.rs"]),
    // The rule above reads one room from each path.
    ("use crate::{", &[]),
    ("SessionLink::reveal", &["ledger/"]),
    (".reveal()", &["escalation/note.rs"]),
];

/// A file over this length is usually two rooms.
const LINES_MAX: usize = 500;

struct Source {
    /// Relative to `src/`.
    path: String,
    /// Without comments, and without the tests beside the code.
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let path = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code: Vec<_> = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            Source {
                path,
                code: code.join("\n"),
                lines: text.lines().count(),
            }
        })
        .filter(|source| !source.path.ends_with("tests.rs") && !source.path.contains("/tests/"))
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn room_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The rooms that a piece of code names.
fn uses(code: &str) -> BTreeSet<String> {
    code.match_indices("crate::")
        .map(|(at, prefix)| {
            let rest = &code[at + prefix.len()..];
            rest.split(|c: char| !c.is_ascii_lowercase() && c != '_')
                .next()
                .unwrap()
                .to_owned()
        })
        .filter(|room| !room.is_empty())
        .collect()
}

fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let part_of_a_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !part_of_a_name(before) && !part_of_a_name(after)
    })
}

#[test]
fn every_room_uses_only_what_it_may() {
    let mut seen = BTreeSet::new();
    for source in sources() {
        let room = room_of(&source.path);
        if room == "lib" || room == "main" {
            continue;
        }
        let allowed = ROOMS.iter().find(|(name, _)| *name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{room} has no rule"));
        for used in uses(&source.code) {
            assert!(
                used == room || allowed.contains(&used.as_str()),
                "{} uses {used}, which {room} may not",
                source.path
            );
        }
        seen.insert(room.to_owned());
    }
    assert_eq!(seen.len(), ROOMS.len(), "a rule without a room: {seen:?}");
}

#[test]
fn arrows_point_one_way() {
    let allowed = |room: &str| ROOMS.iter().find(|(name, _)| *name == room).unwrap().1;
    fn reaches(from: &str, to: &str, allowed: &dyn Fn(&str) -> &'static [&'static str]) -> bool {
        allowed(from)
            .iter()
            .any(|next| *next == to || reaches(next, to, allowed))
    }
    for (room, _) in ROOMS {
        assert!(
            !reaches(room, room, &allowed),
            "{room} uses itself by a detour"
        );
    }
}

#[test]
fn what_is_banned_from_a_room_is_not_in_it() {
    for source in sources() {
        for (room, word, why) in BANNED {
            let concerned = room.is_empty() || room_of(&source.path) == *room;
            assert!(
                !(concerned && names(&source.code, word)),
                "{}: {word}: {why}",
                source.path
            );
        }
    }
}

#[test]
fn what_belongs_to_one_place_stands_nowhere_else() {
    for source in sources() {
        for (text, places) in ONLY_IN {
            let allowed = places.iter().any(|place| source.path.starts_with(place));
            assert!(
                allowed || !source.code.contains(text),
                "{}: {text}",
                source.path
            );
        }
    }
}

#[test]
fn no_file_has_grown_into_two_rooms() {
    for source in sources() {
        assert!(
            source.lines <= LINES_MAX,
            "{} has {} lines",
            source.path,
            source.lines
        );
    }
}

#[test]
fn the_readme_shows_the_settings_that_are_compiled_in() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("<!-- settings -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /settings -->").unwrap();
    let compiled = escalator::settings::reference_as_markdown();
    assert_eq!(
        table.trim(),
        compiled.trim(),
        "put the output of `escalator settings` there"
    );
}

#[test]
fn every_log_event_has_its_line_in_the_page_on_logs_and_no_other_has() {
    let page = include_str!("../../deploy/OPERATIONS.md");
    let (_, page) = page.split_once("\n## Log events\n").unwrap();
    let (page, _) = page.split_once("\n## ").unwrap();
    let rows: Vec<Vec<_>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for row in &rows {
        let [_, level, when, what_to_do] = row[..] else {
            panic!("event, level, when, what to do: {row:?}");
        };
        let known = ["debug", "info", "warn", "error"];
        assert!(
            level.split(", ").all(|level| known.contains(&level)),
            "{row:?}"
        );
        assert!(!when.is_empty() && !what_to_do.is_empty(), "{row:?}");
    }
    let told: BTreeSet<_> = rows
        .iter()
        .flat_map(|row| row[0].split("`, `"))
        .map(|event| event.trim_matches('`').to_owned())
        .collect();
    let code: BTreeSet<_> = sources()
        .iter()
        .flat_map(|source| {
            let events = source.code.split("event = \"").skip(1);
            events
                .map(|rest| rest.split('"').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(told, code);
}
