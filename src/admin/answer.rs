//! What an operator's request is answered with when it is not done: always JSON, always why.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::dead_letters::Stopped;
use crate::ledger;

/// What a 503 asks for where waiting helps.
const RETRY_AFTER_SECONDS: &str = "5";

/// Done, or why not.
pub(super) type Answered = Result<Response, Problem>;

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Problem {
    /// It says something that cannot be; every fault is named.
    Faults(Vec<String>),
    /// Its body is larger than this many bytes.
    TooLarge(usize),
    /// Its body did not arrive in time.
    TooSlow,
    /// What it asks for is switched off.
    Forbidden(&'static str),
    /// What it is about is not there.
    Unknown(String),
    /// It cannot be done with that.
    Conflict(String),
    /// Not now: somebody else is at it, or this process is ending.
    Busy(String),
    /// Not by this process.
    NotHere,
    /// Something that it needs does not answer.
    Unavailable(String),
    /// A defect of ours.
    Defect(String),
}

impl From<ledger::Error> for Problem {
    fn from(error: ledger::Error) -> Self {
        let text = error.to_string();
        match error {
            ledger::Error::Open(_) | ledger::Error::Unavailable(_) => Self::Unavailable(text),
            ledger::Error::Fenced | ledger::Error::Corrupt(_) => Self::Defect(text),
        }
    }
}

impl Problem {
    /// Why a replay is not driven.
    pub(super) fn of_stopped(id: &str, stopped: Stopped) -> Self {
        match stopped {
            Stopped::Unknown => Self::no_replay(),
            Stopped::Busy(other) => Self::Conflict(format!("{other} drives replay {id} just now")),
            Stopped::Interrupted => Self::Busy(format!(
                "this process is ending; replay {id} is left as it is, if it was begun: resume or cancel it"
            )),
            Stopped::Broker(_) => Self::Unavailable(stopped.to_string()),
            Stopped::Ledger(error @ (ledger::Error::Open(_) | ledger::Error::Unavailable(_))) => {
                Self::Unavailable(format!(
                    "{error}; replay {id} is left as it is, if it was begun: resume or cancel it"
                ))
            }
            Stopped::Ledger(error @ (ledger::Error::Fenced | ledger::Error::Corrupt(_))) => {
                error.into()
            }
        }
    }

    pub(super) fn no_replay() -> Self {
        Self::Unknown("there is no such replay: `GET /replays` lists them".to_owned())
    }

    pub(super) fn no_letter() -> Self {
        Self::Unknown(
            "there is no such dead letter: it is in the queue still, or was closed longer ago than escalation.retention"
                .to_owned(),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        use StatusCode as S;
        let (status, errors, again) = match self {
            Self::Faults(found) => (S::BAD_REQUEST, found, false),
            Self::TooLarge(cap) => {
                let why = format!("the body is larger than {cap} bytes, or broke off");
                (S::PAYLOAD_TOO_LARGE, vec![why], false)
            }
            Self::TooSlow => {
                let why = "the body did not arrive in time".to_owned();
                (S::REQUEST_TIMEOUT, vec![why], false)
            }
            Self::Forbidden(why) => (S::FORBIDDEN, vec![why.to_owned()], false),
            Self::Unknown(why) => (S::NOT_FOUND, vec![why], false),
            Self::Conflict(why) => (S::CONFLICT, vec![why], false),
            Self::Busy(why) | Self::Unavailable(why) => (S::SERVICE_UNAVAILABLE, vec![why], true),
            Self::NotHere => {
                let why =
                    "this process has no ledger: ask the admin listener of `serve` or `worker`";
                (S::SERVICE_UNAVAILABLE, vec![why.to_owned()], false)
            }
            Self::Defect(why) => (S::INTERNAL_SERVER_ERROR, vec![why], false),
        };
        let mut response = (status, Json(json!({"errors": errors}))).into_response();
        if again {
            let after = header::HeaderValue::from_static(RETRY_AFTER_SECONDS);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}
