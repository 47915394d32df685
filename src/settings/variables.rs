//! Where variables come from: the process environment, and a `.env` file behind it.

use std::collections::HashMap;
use std::path::Path;

use super::faults::{Fault, Faults};

/// Named variables. The settings ask for known names only, and only through this, so that no test has to touch
/// the environment of its process.
pub trait Variables {
    /// The value of the variable with that name; `None` where it is not set.
    fn get(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Variables for ProcessEnvironment {
    /// Bytes that are no UTF-8 become U+FFFD, which every setting refuses: better than to pass as "not set".
    fn get(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }
}

/// Variables with those of a `.env` file behind them: what is really set, even to nothing, wins.
///
/// The process environment is never written to. That would race with every other thread that reads it.
pub struct WithDotEnv<V> {
    real: V,
    file: HashMap<String, String>,
}

impl<V: Variables> WithDotEnv<V> {
    /// Reads `.env` in `directory`, if there is one.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read, or has lines that are no assignments. The lines themselves are not
    /// repeated in the faults, since they may hold a secret.
    pub fn read(real: V, directory: &Path) -> Result<Self, Faults> {
        let path = directory.join(".env");
        let fault = |problem: String, advice: &str| {
            Faults(vec![Fault {
                subject: path.display().to_string(),
                variable: None,
                found_in: None,
                problem,
                advice: advice.to_owned(),
            }])
        };
        // A directory of that name is somebody's virtual environment, or a mount of a file that did not exist.
        if !path.exists() || path.is_dir() {
            return Ok(Self {
                real,
                file: HashMap::new(),
            });
        }
        let text = std::fs::read_to_string(&path).map_err(|error| {
            fault(
                format!("cannot be read ({error})"),
                "make it readable, or remove it",
            )
        })?;
        match parse(&text) {
            Ok(file) => Ok(Self { real, file }),
            Err(lines) => Err(fault(
                format!(
                    "has lines that cannot be read as NAME=value: {}",
                    lines.join(", ")
                ),
                "put values with spaces or special characters in single quotes",
            )),
        }
    }
}

impl<V: Variables> Variables for WithDotEnv<V> {
    fn get(&self, name: &str) -> Option<String> {
        self.real.get(name).or_else(|| self.file.get(name).cloned())
    }
}

/// The assignments of a `.env` file, the first of each name; or the numbers of the lines that are none.
fn parse(text: &str) -> Result<HashMap<String, String>, Vec<String>> {
    // dotenvy takes a byte order mark away only in the functions that write to the environment.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = HashMap::new();
    let mut bad = Vec::new();
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        match entry {
            Ok((name, value)) => {
                variables.entry(name).or_insert(value);
            }
            // The error's own text repeats the line, and with it perhaps a secret.
            Err(dotenvy::Error::LineParse(line, _)) => bad.push(line_number(text, &line)),
            Err(_) => bad.push("an unknown line".to_owned()),
        }
    }
    if bad.is_empty() {
        Ok(variables)
    } else {
        Err(bad)
    }
}

/// The number of the line with what dotenvy could not read: a whole entry, which may go on over several lines, or
/// only its value.
fn line_number(text: &str, unread: &str) -> String {
    let unread = unread.trim().lines().next().unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    let whole = lines.clone().position(|line| line == unread);
    let number = whole.or_else(|| lines.position(|line| line.ends_with(unread)));
    number.map_or_else(
        || "an unknown line".to_owned(),
        |index| format!("line {}", index + 1),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Real;

    impl Variables for Real {
        fn get(&self, name: &str) -> Option<String> {
            match name {
                "BOTH" => Some("real".to_owned()),
                "EMPTY" => Some(String::new()),
                _ => None,
            }
        }
    }

    fn with_file(text: &str) -> Result<WithDotEnv<Real>, Faults> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".env"), text).unwrap();
        WithDotEnv::read(Real, directory.path())
    }

    #[test]
    fn the_real_environment_wins_over_the_file_even_when_it_is_empty() {
        let variables =
            with_file("\u{feff}ONLY='a $b'\nBOTH=file\nEMPTY=file\nexport X=\"y\" # why\nX=z\n")
                .ok()
                .unwrap();
        assert_eq!(variables.get("ONLY").as_deref(), Some("a $b"));
        assert_eq!(variables.get("BOTH").as_deref(), Some("real"));
        assert_eq!(variables.get("EMPTY").as_deref(), Some(""));
        assert_eq!(variables.get("X").as_deref(), Some("y"));
        assert_eq!(variables.get("NEITHER"), None);
    }

    #[test]
    fn no_file_and_a_directory_of_that_name_are_both_no_file() {
        let directory = tempfile::tempdir().unwrap();
        assert!(WithDotEnv::read(Real, directory.path()).is_ok());
        std::fs::create_dir(directory.path().join(".env")).unwrap();
        assert!(WithDotEnv::read(Real, directory.path()).is_ok());
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_by_its_number_and_never_repeated() {
        let faults = with_file("A=b\n\n# c\nTOKEN=hush hush\nB=c\nhush\n")
            .err()
            .unwrap();
        let text = faults.to_string();
        assert!(text.contains("line 4, line 6"), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }
}
