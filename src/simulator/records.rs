//! Every request that came in, and how it ended.

use std::collections::VecDeque;

use serde::Serialize;

use super::{clock::now_ms, fault::Operation};

/// The oldest records go when there are more than this.
const KEPT: usize = 1_000_000;

/// One request that arrived whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// What it asked for.
    pub operation: Operation,
    /// The conversation or incident of its path; the method and path themselves for [`Operation::Unknown`].
    pub id: Option<String>,
    /// The trace that it said it belongs to.
    pub traceparent: Option<String>,
    /// When it had arrived, in milliseconds since the epoch.
    pub at_ms: i64,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// When it ended, in milliseconds since the epoch; `None` while it is pending.
    pub ended_at_ms: Option<i64>,
}

impl RequestRecord {
    /// The status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            RequestOutcome::Status(status) => Some(status),
            RequestOutcome::Pending | RequestOutcome::Lost => None,
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestOutcome {
    /// It has no answer yet.
    Pending,
    /// It was answered with this status.
    Status(u16),
    /// It never got an answer: by a fault, or because the client went away first.
    Lost,
}

/// All of them, oldest first, addressed by a number that only grows.
#[derive(Default)]
pub(super) struct Records {
    first: u64,
    kept: VecDeque<RequestRecord>,
}

impl Records {
    /// Notes a request; the number is for [`Self::end`].
    pub(super) fn begin(
        &mut self,
        operation: Operation,
        id: Option<String>,
        traceparent: Option<String>,
    ) -> u64 {
        let record = RequestRecord {
            operation,
            id,
            traceparent,
            at_ms: now_ms(),
            outcome: RequestOutcome::Pending,
            ended_at_ms: None,
        };
        self.kept.push_back(record);
        if self.kept.len() > KEPT {
            self.kept.pop_front();
            self.first += 1;
        }
        self.first + self.kept.len() as u64 - 1
    }

    /// Says how it ended; nothing happens if the record has gone.
    pub(super) fn end(&mut self, number: u64, outcome: RequestOutcome) {
        let place = number
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(record) = place.and_then(|at| self.kept.get_mut(at)) {
            record.outcome = outcome;
            record.ended_at_ms = Some(now_ms());
        }
    }

    pub(super) fn all(&self) -> Vec<RequestRecord> {
        self.kept.iter().cloned().collect()
    }
}
