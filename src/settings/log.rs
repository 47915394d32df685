//! How and what is logged.

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::reader::Reader;

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How log lines look.
    pub format: LogFormat,
    /// Directives that [`Targets`] can parse, as `info,escalator::broker=debug`.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

impl Log {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let format = reader.parsed(
            "log.format",
            |text| match text {
                "auto" => Some(LogFormat::Auto),
                "json" => Some(LogFormat::Json),
                "pretty" => Some(LogFormat::Pretty),
                _ => None,
            },
            "write auto, json or pretty",
        );
        let level = reader.parsed(
            "log.level",
            |text| are_directives(text).then(|| text.to_owned()),
            "write error, warn, info, debug, trace or off, perhaps with parts as in info,escalator::broker=debug",
        );
        Some(Self {
            format: format?,
            level: level?,
        })
    }
}

/// `Targets` alone would take a misspelt level for the name of a target, trace that, and be silent about all else;
/// and it would take nothing at all for `error`.
fn are_directives(text: &str) -> bool {
    let level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let each = |directive: &str| match directive.rsplit_once('=') {
        Some((target, value)) => !target.is_empty() && level(value),
        None => level(directive),
    };
    text.split(',').all(each) && text.parse::<Targets>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_levels_for_all_or_for_a_part() {
        for text in [
            "info",
            "WARN",
            "off",
            "info,escalator::broker=debug",
            "escalator=trace,lapin=off",
        ] {
            assert!(are_directives(text), "{text}");
        }
    }

    #[test]
    fn a_misspelt_level_is_not_taken_for_the_name_of_a_part() {
        for text in [
            "inof",
            "",
            "info,",
            "info,escalator",
            "escalator=verbose",
            "escalator=",
            "=info",
            "info;warn",
        ] {
            assert!(!are_directives(text), "{text}");
        }
    }
}
