#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]
use super::*;
use bytes::Bytes;
use reqwest::header::HeaderMap;

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

#[test]
fn every_shape_of_an_error_body_is_explained() {
    for (body, words) in [
        (
            r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["params must be a Hash"]}}"#,
            "params must be a Hash",
        ),
        (
            r#"{"error":{"code":84,"message":"other message","errors":"only error"}}"#,
            "only error",
        ),
        (
            r#"{"error":["links should have at most 50 item(s)"]}"#,
            "links should have",
        ),
        (r#"{"error":"account-level access token"}"#, "account-level"),
        (
            r#"{"error":{"code":1,"errors":{"field":["bad"]}}}"#,
            "code 1",
        ),
        (r#"{"error":{"code":"84","message":"x"}}"#, "code 84"),
        (r#"{"message":"at the top"}"#, "at the top"),
        ("Bad Gateway", "with 400"),
        ("", "with 400"),
    ] {
        match failure(Operation::WriteNote, &reply(400, body)) {
            CallError::Refused {
                code: Code::PagerdutyRefused,
                reason,
            } => {
                assert!(reason.contains(words), "{body}: {reason}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn a_wrong_from_header_is_the_set_up_and_not_the_message() {
    for code in FROM_CODES {
        let body = format!(r#"{{"error":{{"message":"x","code":{code}}}}}"#);
        assert!(matches!(
            failure(Operation::WriteNote, &reply(400, &body)),
            CallError::SetUp {
                code: Code::PagerdutyFromRefused,
                ..
            }
        ));
        // 2016 is also what PagerDuty says of a call that took too long.
        assert!(failure(Operation::WriteNote, &reply(500, &body)).may_have_taken_effect());
    }
}

#[test]
fn a_note_that_is_too_long_is_not_taken_for_one_too_many() {
    let body = r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["Content is too long (maximum is 65535 characters)"]}}"#;
    assert!(matches!(
        failure(Operation::WriteNote, &reply(400, body)),
        CallError::Refused {
            code: Code::NoteTooLong,
            ..
        }
    ));
}

#[test]
fn a_note_that_cannot_be_replaced_is_refused_and_one_of_a_wrong_set_up_waits() {
    let refused = [
        (403, r#"{"error":{"message":"Access Denied","code":2010}}"#),
        (404, r#"{"error":{"message":"Not Found","code":2100}}"#),
        (405, ""),
        (410, ""),
    ];
    for (status, body) in refused {
        let error = failure(Operation::RewriteNote, &reply(status, body));
        assert!(matches!(error, CallError::Refused { .. }), "{error:?}");
    }
    let scopes =
        r#"{"message":"Token missing required scopes","required_scopes":"incidents.write"}"#;
    for (status, body) in [(401, ""), (402, ""), (403, scopes)] {
        let error = failure(Operation::RewriteNote, &reply(status, body));
        assert!(matches!(error, CallError::SetUp { .. }), "{error:?}");
    }
    for status in [302, 408, 409, 500, 502, 503, 504] {
        let error = failure(Operation::RewriteNote, &reply(status, ""));
        assert!(error.may_have_taken_effect(), "{error:?}");
    }
}

#[test]
fn an_answer_of_the_server_s_own_trouble_leaves_the_outcome_open() {
    for status in [302, 303, 307, 408, 425, 500, 502, 503, 504] {
        assert!(failure(Operation::WriteNote, &reply(status, "")).may_have_taken_effect());
    }
    for status in [400, 401, 402, 403, 404, 405, 407, 413, 415, 429] {
        assert!(!failure(Operation::WriteNote, &reply(status, "")).may_have_taken_effect());
    }
}
