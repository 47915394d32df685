//! The two lanes of work.

use serde::{Deserialize, Serialize};

/// Which of the two work queues a message travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Incidents of high urgency, and every `incident.resolved`: a resolution that queues behind the work it cancels
    /// would come too late to cancel anything.
    High,
    /// Everything else.
    Normal,
}

impl Lane {
    /// Both lanes.
    pub const ALL: [Self; 2] = [Self::High, Self::Normal];

    /// The lane's name, as in queue names, routing keys, metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
        }
    }

    /// The lane of an incident, from PagerDuty's `urgency`. Only an explicit `low` is put in the slower lane: an
    /// incident whose urgency nobody stated must not wait because of that.
    #[must_use]
    pub fn of_urgency(urgency: Option<&str>) -> Self {
        match urgency {
            Some("low") => Self::Normal,
            Some(_) | None => Self::High,
        }
    }
}
