//! Who gives a command, for the audit.

use clap::builder::NonEmptyStringValueParser;

use super::{assembly, terminal};
use crate::ledger::{Deed, Entered};

#[derive(Debug, clap::Args)]
pub(super) struct Operator {
    /// Who does this, for the audit. Without it, the login name.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
}

impl Operator {
    /// A line of the audit.
    pub(super) fn entered(&self, deed: Deed, what: Option<String>, why: Option<String>) -> Entered {
        let by = self.by.clone().or_else(terminal::user);
        Entered {
            deed,
            by: by.unwrap_or_else(|| "unknown".to_owned()),
            from: Some(assembly::host()),
            why,
            what,
            result: None,
        }
    }
}
