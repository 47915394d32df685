//! The failures that are documented, and those that clients have met: each answer goes through the vendor's real mapping.
//!
//! Genesys: the statuses and codes of its `ErrorBody`, the login host's OAuth errors. PagerDuty: its REST errors, and the
//! shapes of a body that its own clients and other people's have met. Both: what stands in between, and silence.

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::super::call::{CallError, Operation, Vendor};
use super::super::http::Reply;
use super::super::{genesys, pagerduty};

pub(super) struct Failure {
    /// Beginning with the status, where there was an answer.
    pub(super) what: String,
    pub(super) error: CallError,
}

/// A status, what is to be said of it in the table, its headers, its body.
type Answer = (
    u16,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const PAGE: &str = "<!doctype html><html><body><h1>Blocked</h1></body></html>";

/// What any of the calls to Genesys' API may be answered with.
const GENESYS: &[Answer] = &[
    (
        400,
        "bad.request",
        &[],
        r#"{"message":"The request could not be understood.","code":"bad.request","status":400,"details":[],"errors":[]}"#,
    ),
    (
        400,
        "user context wanted",
        &[],
        r#"{"message":"This request requires a user context. Client credentials cannot be used for requests to this resource.","code":"bad.request","status":400}"#,
    ),
    (
        400,
        "with a page (HTML)",
        &[("content-type", "text/html")],
        PAGE,
    ),
    (
        401,
        "bad.credentials, also with a new token",
        &[],
        r#"{"message":"Invalid login credentials.","code":"bad.credentials","status":401}"#,
    ),
    (
        403,
        "missing.any.permissions",
        &[],
        r#"{"message":"Unable to perform the requested action. Missing one of: conversation:cobrowse:add, conversation:cobrowseVoice:add","code":"missing.any.permissions","status":403}"#,
    ),
    (
        403,
        "missing.permissions",
        &[],
        r#"{"message":"You are missing the following permission(s): conversation:communication:view","code":"missing.permissions","status":403}"#,
    ),
    (
        403,
        "not.authorized",
        &[],
        r#"{"message":"You are not authorized to perform the requested action.","code":"not.authorized","status":403}"#,
    ),
    (
        403,
        "missing.division.permission",
        &[],
        r#"{"message":"You do not have the permission in the division.","code":"missing.division.permission","status":403}"#,
    ),
    (403, "with a page (HTML)", &[], PAGE),
    (
        404,
        "not.found",
        &[],
        r#"{"message":"The requested resource was not found.","code":"not.found","status":404,"details":null,"errors":null}"#,
    ),
    (404, "without a body", &[], ""),
    (404, "with a page (HTML)", &[], PAGE),
    (405, "without a body", &[], ""),
    (407, "of a proxy", &[], ""),
    (
        408,
        "client.timeout",
        &[],
        r#"{"message":"The client did not produce a request in time.","code":"client.timeout","status":408}"#,
    ),
    (
        409,
        "code not documented",
        &[],
        r#"{"message":"The request clashes with the state of the resource.","code":"conflict","status":409}"#,
    ),
    (
        413,
        "request.entity.too.large",
        &[],
        r#"{"message":"The request is over the size limit.","code":"request.entity.too.large","status":413}"#,
    ),
    (
        415,
        "unsupported.media.type",
        &[],
        r#"{"message":"Unsupported media type.","code":"unsupported.media.type","status":415}"#,
    ),
    (
        429,
        "with Retry-After 42",
        &[("retry-after", "42")],
        r#"{"message":"Rate limit exceeded the maximum. Retry the request in [42] seconds","code":"too.many.requests.retry.after","status":429}"#,
    ),
    (
        429,
        "with Retry-After 7200 (a daily cap)",
        &[("retry-after", "7200")],
        r#"{"message":"Rate limit exceeded the maximum. Retry the request in [7200] seconds","code":"too.many.requests.retry.after","status":429}"#,
    ),
    (429, "without headers and body", &[], ""),
    (
        302,
        "to somewhere else",
        &[("location", "https://login.example/")],
        "",
    ),
    (
        500,
        "internal.server.error",
        &[],
        r#"{"message":"The server encountered an unexpected condition.","code":"internal.server.error","status":500}"#,
    ),
    (
        502,
        "with a page (HTML)",
        &[],
        "<html><body>502 Bad Gateway</body></html>",
    ),
    (
        503,
        "service.unavailable",
        &[],
        r#"{"message":"Service unavailable.","code":"service.unavailable","status":503}"#,
    ),
    (503, "with Retry-After 120", &[("retry-after", "120")], ""),
    (
        504,
        "request.timeout",
        &[],
        r#"{"message":"The request timed out.","code":"request.timeout","status":504}"#,
    ),
];

/// What the login host answers instead of `GENESYS`' 400.
const LOGIN: &[Answer] = &[
    (
        400,
        "invalid_client (id, secret or region)",
        &[],
        r#"{"error":"invalid_client","description":"authentication failed","error_description":"authentication failed"}"#,
    ),
    (
        400,
        "unauthorized_client (grant type)",
        &[],
        r#"{"error":"unauthorized_client","description":"client is not allowed this grant","error_description":"client is not allowed this grant"}"#,
    ),
    (
        401,
        "invalid_client",
        &[],
        r#"{"error":"invalid_client","description":"client not found"}"#,
    ),
];

const PAGERDUTY: &[Answer] = &[
    (
        400,
        "code 2001, invalid input",
        &[],
        r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["params must be a Hash"]}}"#,
    ),
    (
        400,
        "code 1008, requester unknown",
        &[],
        r#"{"error":{"message":"Requester User Not Found","code":1008}}"#,
    ),
    (
        400,
        "code 1028, `From` malformed",
        &[],
        r#"{"error":{"message":"Malformed \"From\" header","code":1028}}"#,
    ),
    (
        400,
        "code 2016, `From` missing",
        &[],
        r#"{"error":{"message":"You must specify a user's email address in the \"From\" header to perform this action","code":2016}}"#,
    ),
    (
        400,
        "`errors` a text",
        &[],
        r#"{"error":{"code":84,"message":"other message","errors":"only error"}}"#,
    ),
    (
        400,
        "`error` a list",
        &[],
        r#"{"error":["links should have at most 50 item(s)"]}"#,
    ),
    (
        400,
        "`error` a text",
        &[],
        r#"{"error":"This endpoint cannot be used with an account-level access token"}"#,
    ),
    (
        400,
        "with a page (HTML)",
        &[("content-type", "text/html")],
        PAGE,
    ),
    (
        401,
        "code 2006, authentication failed",
        &[],
        r#"{"error":{"message":"Authentication failed","code":2006}}"#,
    ),
    (
        401,
        "without a JSON body",
        &[],
        "HTTP Token: Access denied.",
    ),
    (
        402,
        "ability missing",
        &[],
        r#"{"error":{"message":"Account does not have the abilities to perform the action.","errors":["coordinated_responding"]}}"#,
    ),
    (
        403,
        "code 2010, access denied",
        &[],
        r#"{"error":{"message":"Access Denied","code":2010}}"#,
    ),
    (
        403,
        "scopes missing",
        &[],
        r#"{"error":{"message":"Token missing required scopes","required_scopes":"incidents.write"}}"#,
    ),
    (
        403,
        "code 2018, access lost with the resolution",
        &[],
        r#"{"error":{"message":"You no longer have access to this incident, since it is resolved","code":2018}}"#,
    ),
    (403, "with a page (HTML)", &[], PAGE),
    (
        404,
        "code 2100, not found",
        &[],
        r#"{"error":{"message":"Not Found","code":2100}}"#,
    ),
    (
        404,
        "code 5001, incident not found",
        &[],
        r#"{"error":{"message":"Incident Not Found","code":5001}}"#,
    ),
    (404, "without a body", &[], ""),
    (404, "with a page (HTML)", &[], PAGE),
    (405, "without a body", &[], ""),
    (407, "of a proxy", &[], ""),
    (408, "without a body", &[], ""),
    (
        409,
        "conflict",
        &[],
        r#"{"error":{"message":"The request conflicts with the current state of the server"}}"#,
    ),
    (413, "without a body", &[], ""),
    (415, "without a body", &[], ""),
    (
        429,
        "code 2020, with ratelimit-reset 37",
        &[
            ("ratelimit-limit", "960"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "37"),
        ],
        r#"{"error":{"message":"Rate Limit Exceeded","code":2020}}"#,
    ),
    (429, "with Retry-After 7200", &[("retry-after", "7200")], ""),
    (429, "without headers and body", &[], ""),
    (
        302,
        "to somewhere else",
        &[("location", "https://app.example/")],
        "",
    ),
    (
        500,
        "code 2000, internal error",
        &[],
        r#"{"error":{"message":"Internal Server Error","code":2000}}"#,
    ),
    (
        500,
        "code 2016, took too long",
        &[],
        r#"{"error":{"message":"The request took too long to process","code":2016}}"#,
    ),
    (
        502,
        "with a page (HTML)",
        &[],
        "<html><body>502 Bad Gateway</body></html>",
    ),
    (503, "with Retry-After 120", &[("retry-after", "120")], ""),
    (504, "without a body", &[], ""),
];

/// What only a new note can meet.
const ONE_MORE_NOTE: &[Answer] = &[
    (
        400,
        "code 2019, 2000 notes are there",
        &[],
        r#"{"error":{"message":"Product limit reached","code":2019,"errors":["An incident can have at most 2000 notes"]}}"#,
    ),
    (
        400,
        "2000 notes are there, without a code of its own",
        &[],
        r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["Incident has reached the maximum number of notes"]}}"#,
    ),
];

/// What only the text of a note can meet.
const TEXT_OF_A_NOTE: &[Answer] = &[(
    400,
    "too long",
    &[],
    r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["Content is too long (maximum is 65535 characters)"]}}"#,
)];

/// What this call is known to fail with.
pub(super) fn documented(operation: Operation) -> Vec<Failure> {
    let lists: &[&[Answer]] = match operation {
        Operation::Token => &[LOGIN, GENESYS],
        Operation::ReadConversation
        | Operation::CreateSession
        | Operation::OfferSession
        | Operation::AttachMedia => &[GENESYS],
        Operation::WriteNote => &[ONE_MORE_NOTE, TEXT_OF_A_NOTE, PAGERDUTY],
        Operation::RewriteNote => &[TEXT_OF_A_NOTE, PAGERDUTY],
        Operation::ReadAlerts
        | Operation::ReadIncident
        | Operation::ListIncidents
        | Operation::ReadNotes
        | Operation::ReadAbilities
        | Operation::ReadSubscriptions
        | Operation::CreateSubscription
        | Operation::EnableSubscription
        | Operation::PingSubscription => &[PAGERDUTY],
    };
    let answers = lists.iter().copied().flatten();
    // The login host has its own way to say 400 and 401.
    let answers = answers.filter(|(status, _, _, body)| {
        let own = operation == Operation::Token && matches!(status, 400 | 401 | 403);
        !own || body.contains("\"error\"") || body.starts_with('<')
    });
    let mut failures = Vec::new();
    for (status, what, headers, body) in answers {
        let answer = reply(operation.vendor(), *status, headers, body);
        let error = failure(operation, &answer);
        let what = format!("{status} {what}");
        // One answer, and two meanings: what it says depends on whether offers have worked.
        let later = match operation {
            Operation::OfferSession => error.clone().where_offers_have_worked(),
            Operation::Token
            | Operation::ReadConversation
            | Operation::CreateSession
            | Operation::AttachMedia
            | Operation::ReadAlerts
            | Operation::ReadIncident
            | Operation::ListIncidents
            | Operation::ReadNotes
            | Operation::WriteNote
            | Operation::RewriteNote
            | Operation::ReadAbilities
            | Operation::ReadSubscriptions
            | Operation::CreateSubscription
            | Operation::EnableSubscription
            | Operation::PingSubscription => error.clone(),
        };
        if later == error {
            failures.push(Failure { what, error });
            continue;
        }
        failures.push(Failure {
            what: format!("{what}, before the contract has worked"),
            error,
        });
        failures.push(Failure {
            what: format!("{what}, once it has worked"),
            error: later,
        });
    }
    let mut add = |what: &str, error| {
        failures.push(Failure {
            what: what.to_owned(),
            error,
        });
    };
    let unreadable = reply(operation.vendor(), 200, &[], PAGE);
    add(
        "200 with a body that cannot be read",
        unreadable
            .json::<serde_json::Map<String, serde_json::Value>>()
            .unwrap_err(),
    );
    add(
        "nothing within the call's time",
        CallError::unknown("no answer within 10s"),
    );
    add(
        "nothing: the connection broke after the request",
        CallError::unknown("connection closed before message completed"),
    );
    add(
        "nobody reached (name, connection, TLS)",
        CallError::NotSent("tcp connect error: Connection refused".to_owned()),
    );
    failures
}

fn failure(operation: Operation, reply: &Reply) -> CallError {
    match operation.vendor() {
        Vendor::Genesys => genesys::errors::failure(operation, reply),
        Vendor::PagerDuty => pagerduty::errors::failure(operation, reply),
    }
}

/// An answer with the header by which the vendor's support finds it.
fn reply(vendor: Vendor, status: u16, more: &[(&'static str, &'static str)], body: &str) -> Reply {
    let own = match vendor {
        Vendor::Genesys => ("inin-correlation-id", "0b5f0c11"),
        Vendor::PagerDuty => ("x-request-id", "5a3e9f20"),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in more.iter().chain([&own]) {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}
