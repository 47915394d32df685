//! What was found out about one thing.

use serde_json::json;

/// How it is, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// As it has to be.
    Ok,
    /// It works, and is hardly meant so.
    Warning,
    /// It was reached, and is not as it has to be.
    Failed,
    /// It could not be reached.
    Unreachable,
}

#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) state: State,
    /// What was looked at.
    pub(super) part: &'static str,
    /// What was found.
    pub(super) text: String,
    /// What to do.
    pub(super) hint: Option<String>,
}

impl Finding {
    pub(super) fn ok(part: &'static str, text: impl Into<String>) -> Self {
        Self::new(State::Ok, part, text, None)
    }

    pub(super) fn warning(
        part: &'static str,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(State::Warning, part, text, Some(hint.into()))
    }

    pub(super) fn failed(
        part: &'static str,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(State::Failed, part, text, Some(hint.into()))
    }

    pub(super) fn unreachable(
        part: &'static str,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(State::Unreachable, part, text, Some(hint.into()))
    }

    fn new(
        state: State,
        part: &'static str,
        text: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        Self {
            state,
            part,
            text: text.into(),
            hint,
        }
    }

    fn word(&self) -> &'static str {
        match self.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "wrong",
            State::Unreachable => "away",
        }
    }

    pub(super) fn as_text(&self, colours: bool) -> String {
        let colour = match self.state {
            State::Ok => "32",
            State::Warning => "33",
            State::Failed | State::Unreachable => "31",
        };
        let word = format!("{:<8}", self.word());
        let word = if colours {
            format!("\u{1b}[{colour}m{word}\u{1b}[0m")
        } else {
            word
        };
        let mut text = format!("{word} {:<10} {}", self.part, self.text);
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n{:19} → {hint}", ""));
        }
        text
    }

    pub(super) fn as_json(&self) -> String {
        json!({"part": self.part, "state": self.word(), "text": self.text, "hint": self.hint})
            .to_string()
    }
}
