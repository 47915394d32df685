//! How far everything is, while it runs: bars on a terminal, plain lines elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::time::Duration;

use super::super::terminal::{is_terminal, print};
use crate::simulator::Effects;

/// Narrow enough for any terminal.
const BAR: &str = "{prefix:<22} {bar:32.green/black.bright} {pos:>5} of {len}  {msg}";

pub(super) enum Show {
    Bars {
        /// Holds the bars together; without it they draw over each other.
        _all: MultiProgress,
        webhooks: ProgressBar,
        sessions: ProgressBar,
        attached: ProgressBar,
        notes: ProgressBar,
    },
    /// Holds what was printed last: a line that says nothing new is left out.
    Lines(Cell<Option<[usize; 5]>>),
}

impl Show {
    pub(super) fn new(incidents: u32) -> Self {
        let style = ProgressStyle::with_template(BAR)
            .ok()
            .filter(|_| is_terminal());
        let Some(style) = style else {
            print("    time   webhooks   sessions   attached      notes");
            return Self::Lines(Cell::new(None));
        };
        let style = style.progress_chars("█▉▊▋▌▍▎▏ ");
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let bar = |name: &'static str| {
            all.add(
                ProgressBar::new(u64::from(incidents))
                    .with_style(style.clone())
                    .with_prefix(name),
            )
        };
        Self::Bars {
            webhooks: bar("webhooks accepted"),
            sessions: bar("sessions created"),
            attached: bar("in the conversation"),
            notes: bar("notes with link"),
            _all: all,
        }
    }

    pub(super) fn state(&self, elapsed: Duration, accepted: usize, effects: &Effects, kills: u32) {
        let seconds = elapsed.as_secs_f64();
        match self {
            Self::Bars {
                webhooks,
                sessions,
                attached,
                notes,
                ..
            } => {
                let set = |bar: &ProgressBar, count: usize| {
                    bar.set_position(u64::try_from(count).unwrap_or(u64::MAX))
                };
                set(webhooks, accepted);
                set(sessions, effects.sessions.len());
                set(attached, effects.attached);
                set(notes, effects.live_notes);
                webhooks.set_message(format!("{seconds:.1} s"));
                if kills > 0 {
                    sessions.set_message(format!("kills of the worker: {kills}"));
                }
            }
            Self::Lines(last) => {
                let counts = [
                    accepted,
                    effects.sessions.len(),
                    effects.attached,
                    effects.live_notes,
                    usize::try_from(kills).unwrap_or(usize::MAX),
                ];
                if last.replace(Some(counts)) == Some(counts) {
                    return;
                }
                let killed = if kills > 0 {
                    format!("   kills of the worker: {kills}")
                } else {
                    String::new()
                };
                print(&format!(
                    "{seconds:6.1} s {accepted:10} {:10} {:10} {:10}{killed}",
                    effects.sessions.len(),
                    effects.attached,
                    effects.live_notes,
                ));
            }
        }
    }

    /// Leaves the last state standing.
    pub(super) fn end(&self) {
        if let Self::Bars {
            webhooks,
            sessions,
            attached,
            notes,
            ..
        } = self
        {
            for bar in [webhooks, sessions, attached, notes] {
                bar.abandon();
            }
        }
    }
}
