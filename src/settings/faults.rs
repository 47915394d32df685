//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One thing that is wrong with the settings. It never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, as `genesys.client_id`; or the file, where the fault is not about one key.
    pub subject: String,
    /// The environment variable of that key; none where the fault is not about a known key.
    pub variable: Option<String>,
    /// Where the value was found, where it was found anywhere but among the defaults.
    pub found_in: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)?;
        match (&self.variable, &self.found_in) {
            (Some(variable), Some(place)) if variable != place => {
                write!(f, " ({variable}, here from {place})")?;
            }
            (Some(variable), _) => write!(f, " ({variable})")?,
            (None, Some(place)) => write!(f, " (in {place})")?,
            (None, None) => {}
        }
        write!(f, " {}; {}", self.problem, self.advice)
    }
}

/// All faults of one attempt to load the settings. Its text has one line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A value as it may be shown in a fault: quoted, on one line, and not longer than a line bears.
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = value.chars().take(LONGEST).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_line_with_key_variable_place_problem_and_advice() {
        let mut fault = Fault {
            subject: "worker.lease".to_owned(),
            variable: Some("WORKER_LEASE".to_owned()),
            found_in: Some("escalator.toml".to_owned()),
            problem: format!("is {}", shown("30\n0")),
            advice: "write a duration".to_owned(),
        };
        assert_eq!(
            fault.to_string(),
            r#"worker.lease (WORKER_LEASE, here from escalator.toml) is "30\n0"; write a duration"#
        );
        fault.found_in = Some("WORKER_LEASE".to_owned());
        assert!(
            fault
                .to_string()
                .starts_with("worker.lease (WORKER_LEASE) is")
        );
    }

    #[test]
    fn a_long_value_is_cut_when_it_is_shown() {
        assert_eq!(shown(&"é".repeat(61)), format!("\"{}…\"", "é".repeat(60)));
    }
}
