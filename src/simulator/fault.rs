//! What can go wrong, and with which request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::Ids;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /oauth/token`
    GenesysToken,
    /// `GET /api/v2/conversations/{id}`
    GenesysConversation,
    /// `POST /api/v2/cobrowse/sessions`
    GenesysCreateSession,
    /// `POST /api/v2/conversations/{id}/media`
    GenesysAttachMedia,
    /// `POST /api/v2/conversations/{id}/cobrowse`
    GenesysOfferSession,
    /// `GET /incidents/{id}/alerts`
    PagerdutyAlerts,
    /// `GET /incidents/{id}`
    PagerdutyIncident,
    /// `GET /incidents`
    PagerdutyListIncidents,
    /// `GET /incidents/{id}/notes`
    PagerdutyListNotes,
    /// `POST /incidents/{id}/notes`
    PagerdutyCreateNote,
    /// `PUT /incidents/{id}/notes/{note_id}`
    PagerdutyUpdateNote,
    /// `DELETE /incidents/{id}/notes/{note_id}`
    PagerdutyDeleteNote,
    /// `GET /abilities`
    PagerdutyAbilities,
    /// `GET /webhook_subscriptions`
    PagerdutySubscriptions,
    /// `POST /webhook_subscriptions`
    PagerdutyCreateSubscription,
    /// `POST /webhook_subscriptions/{id}/enable`
    PagerdutyEnableSubscription,
    /// `POST /webhook_subscriptions/{id}/ping`
    PagerdutyPingSubscription,
    /// Anything that the vendor has no route for; recorded so that a wrong path of ours is seen.
    Unknown,
}

/// A scripted failure: which requests of one operation it meets, and what becomes of them.
///
/// Each fault counts the requests of its operation from the moment it was scripted. Where several want the same
/// request, the one scripted first has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The operation that it lies in wait for.
    pub operation: Operation,
    /// Which of its requests.
    pub which: Which,
    /// What becomes of them.
    pub what: What,
}

/// Which requests of an operation a fault meets. As JSON: `"all"`, `{"nth":1}`, `{"first":3}`, `{"share":0.1}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Every one.
    All,
    /// Only this one; the first is 1.
    Nth(u64),
    /// This many from the start.
    First(u64),
    /// This share of them, between 0 and 1, drawn from the simulator's seed.
    Share(f64),
}

/// What becomes of a request. Durations are milliseconds in JSON: `{"late":500}`, `"lose_answer"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// No effect; this answer.
    Status {
        /// The status code.
        status: u16,
        /// Headers beside the ones that every answer of the vendor has.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body, as it is.
        #[serde(default)]
        body: String,
    },
    /// No effect; this status, with an error that quotes the request's body.
    Echo(u16),
    /// The effect takes place, then the connection is closed without an answer.
    LoseAnswer,
    /// No effect; the connection is closed without an answer.
    Drop,
    /// The effect takes place after this time, even if the client has gone by then; no answer before.
    Late(#[serde(with = "milliseconds")] Duration),
    /// The effect takes place now, the answer comes after this time.
    Slow(#[serde(with = "milliseconds")] Duration),
    /// No effect and never an answer; the connection stays open until the simulator stops.
    Hang,
    /// The effect takes place; the answer has this status all the same, as a proxy gives it that lost patience.
    Fail(u16),
    /// The effect takes place; the answer is 200 with a page that is not JSON.
    Garbage,
    /// The effect takes place; the answer is 200 with a body of this many bytes, of no announced length.
    Huge(usize),
    /// No effect; 307 to another path of the same listener, where following it would be recorded as unknown.
    Redirect,
}

impl What {
    /// An answer without headers and body of its own.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// The 429 of Genesys, with `Retry-After` in seconds.
    pub fn genesys_throttled(retry_after_s: u64) -> Self {
        let body = serde_json::json!({
            "message": format!("Rate limit exceeded the maximum. Retry the request in [{retry_after_s}] seconds"),
            "code": "too.many.requests.retry.after", "status": 429, "details": [], "errors": [],
        });
        Self::Status {
            status: 429,
            headers: vec![("retry-after".to_owned(), retry_after_s.to_string())],
            body: body.to_string(),
        }
    }

    /// The 429 of PagerDuty, with `ratelimit-reset` in seconds.
    pub fn pagerduty_throttled(reset_s: u64) -> Self {
        let headers = [
            ("ratelimit-limit", 960),
            ("ratelimit-remaining", 0),
            ("ratelimit-reset", reset_s),
        ];
        Self::Status {
            status: 429,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_string()))
                .to_vec(),
            body: r#"{"error":{"message":"Rate Limit Exceeded","code":2020}}"#.to_owned(),
        }
    }
}

/// The script: faults with the number of requests that each has seen.
#[derive(Default)]
pub(super) struct Faults(Vec<(Fault, u64)>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a request, and says what becomes of it.
    pub(super) fn meet(&mut self, operation: Operation, ids: &mut Ids) -> Option<What> {
        let mut met = None;
        for (fault, seen) in self
            .0
            .iter_mut()
            .filter(|(fault, _)| fault.operation == operation)
        {
            *seen += 1;
            let wants = match fault.which {
                Which::All => true,
                Which::Nth(nth) => *seen == nth,
                Which::First(first) => *seen <= first,
                Which::Share(share) => ids.chance(share),
            };
            if wants && met.is_none() {
                met = Some(fault.what.clone());
            }
        }
        met
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn statuses(faults: &mut Faults, operation: Operation, count: usize) -> Vec<Option<What>> {
        let mut ids = Ids::new(1);
        (0..count)
            .map(|_| faults.meet(operation, &mut ids))
            .collect()
    }

    #[test]
    fn each_fault_counts_its_own_operation_and_the_first_scripted_wins() {
        let mut faults = Faults::default();
        let operation = Operation::PagerdutyAlerts;
        faults.add(Fault {
            operation,
            which: Which::Nth(2),
            what: What::Drop,
        });
        faults.add(Fault {
            operation,
            which: Which::First(3),
            what: What::Hang,
        });
        assert_eq!(
            statuses(&mut faults, Operation::PagerdutyIncident, 3),
            [None, None, None]
        );
        assert_eq!(
            statuses(&mut faults, operation, 4),
            [Some(What::Hang), Some(What::Drop), Some(What::Hang), None]
        );
        faults.clear();
        assert_eq!(statuses(&mut faults, operation, 1), [None]);
    }

    #[test]
    fn a_share_meets_about_that_share() {
        let mut faults = Faults::default();
        let operation = Operation::GenesysToken;
        faults.add(Fault {
            operation,
            which: Which::Share(0.25),
            what: What::Drop,
        });
        let met = statuses(&mut faults, operation, 4000)
            .into_iter()
            .flatten()
            .count();
        assert!((850..1150).contains(&met), "{met} of 4000");
    }

    #[test]
    fn a_fault_can_be_written_as_json() {
        let fault: Fault = serde_json::from_str(
            r#"{"operation":"genesys_attach_media","which":{"nth":1},"what":{"late":500}}"#,
        )
        .unwrap();
        assert_eq!(fault.what, What::Late(Duration::from_millis(500)));
        let fault: Fault = serde_json::from_str(
            r#"{"operation":"genesys_token","which":"all","what":{"status":{"status":503}}}"#,
        )
        .unwrap();
        assert_eq!(fault.what, What::status(503));
    }
}
