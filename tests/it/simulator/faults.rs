//! Each way to fail, seen from the client and from the effect ledger.

use std::time::Duration;

use escalator::simulator::{Fault, Operation, RequestOutcome, What, Which};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Bench, PATIENCE, body};

/// Meets the first request for a session.
fn once(bench: &Bench, what: What) {
    bench.sim.script(Fault {
        operation: Operation::GenesysCreateSession,
        which: Which::Nth(1),
        what,
    });
}

fn sessions(bench: &Bench) -> usize {
    bench.sim.effects().sessions.len()
}

/// A connection of its own, so that every byte of an answer is seen.
async fn raw(bench: &Bench) -> TcpStream {
    TcpStream::connect(bench.sim.genesys_url().trim_start_matches("http://"))
        .await
        .unwrap()
}

async fn ask_raw(stream: &mut TcpStream, token: &str) {
    let request = format!(
        "POST /api/v2/cobrowse/sessions HTTP/1.1\r\nhost: genesys\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Everything until the connection ends, in whichever way it ends.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes));
    let _: std::io::Result<usize> = end.await.expect("the connection stayed open");
    bytes
}

#[tokio::test]
async fn a_lost_answer_has_its_effect_and_not_one_byte_of_answer() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::LoseAnswer);
    let mut stream = raw(&bench).await;
    ask_raw(&mut stream, &token).await;
    assert_eq!(rest(&mut stream).await, b"");
    assert_eq!(sessions(&bench), 1);
    let record = bench
        .until_request(|r| r.operation == Operation::GenesysCreateSession)
        .await;
    assert_eq!(
        (record.outcome, record.status()),
        (RequestOutcome::Lost, None)
    );
}

#[tokio::test]
async fn a_dropped_request_has_neither_effect_nor_answer_even_on_a_connection_in_use() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    bench.sim.script(Fault {
        operation: Operation::GenesysCreateSession,
        which: Which::Nth(2),
        what: What::Drop,
    });
    let mut stream = raw(&bench).await;
    ask_raw(&mut stream, &token).await;
    let mut first = vec![0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(first, b"HTTP/1.1 201");
    ask_raw(&mut stream, &token).await;
    let rest = String::from_utf8(rest(&mut stream).await).unwrap();
    assert!(!rest.contains("HTTP/1.1"), "{rest}");
    assert_eq!(sessions(&bench), 1);
}

#[tokio::test]
async fn an_ordinary_client_sees_a_broken_connection_and_the_next_request_is_served() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::LoseAnswer);
    let url = bench.genesys("/api/v2/cobrowse/sessions");
    let error = bench
        .http
        .post(url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap_err();
    assert!(error.is_request() && !error.is_timeout());
    assert_eq!(bench.create_session(&token).await.status(), 201);
    assert_eq!(sessions(&bench), 2);
}

#[tokio::test]
async fn a_late_effect_lands_after_the_client_has_gone() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::Late(Duration::from_millis(1500)));
    let url = bench.genesys("/api/v2/cobrowse/sessions");
    let asked = bench
        .http
        .post(url)
        .bearer_auth(&token)
        .timeout(Duration::from_millis(300));
    assert!(asked.send().await.unwrap_err().is_timeout());
    let record = bench.until_request(|r| {
        r.operation == Operation::GenesysCreateSession && r.ended_at_ms.is_some()
    });
    assert_eq!(record.await.outcome, RequestOutcome::Lost);
    assert_eq!(sessions(&bench), 0);
    bench
        .sim
        .wait_until(PATIENCE, |seen| seen.sessions.len() == 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_late_effect_is_answered_to_a_client_that_waits() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::Late(Duration::from_millis(100)));
    assert_eq!(bench.create_session(&token).await.status(), 201);
    assert_eq!(sessions(&bench), 1);
}

#[tokio::test]
async fn a_slow_answer_comes_after_its_effect() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::Slow(Duration::from_millis(1500)));
    let url = bench.genesys("/api/v2/cobrowse/sessions");
    let asked = tokio::spawn(bench.http.post(url).bearer_auth(&token).send());
    bench
        .sim
        .wait_until(PATIENCE, |seen| seen.sessions.len() == 1)
        .await
        .unwrap();
    assert!(!asked.is_finished());
    assert_eq!(asked.await.unwrap().unwrap().status(), 201);
}

#[tokio::test]
async fn a_hanging_request_stays_pending_until_the_simulator_stops() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::Hang);
    let mut stream = raw(&bench).await;
    ask_raw(&mut stream, &token).await;
    let record = bench
        .until_request(|r| r.operation == Operation::GenesysCreateSession)
        .await;
    assert_eq!(record.outcome, RequestOutcome::Pending);
    assert_eq!(bench.create_session(&token).await.status(), 201);
    bench.sim.clone().stop().await;
    assert_eq!(rest(&mut stream).await, b"");
    assert_eq!(sessions(&bench), 1);
    let outcomes = bench.sim.requests();
    assert!(
        outcomes
            .iter()
            .all(|record| record.outcome != RequestOutcome::Pending)
    );
}

#[tokio::test]
async fn a_scripted_status_is_answered_as_written_and_has_no_effect() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::genesys_throttled(7));
    let throttled = bench.create_session(&token).await;
    assert_eq!(throttled.status(), 429);
    assert_eq!(throttled.headers()["retry-after"], "7");
    assert!(throttled.headers().contains_key("inin-correlation-id"));
    assert_eq!(
        body(throttled).await["code"],
        "too.many.requests.retry.after"
    );
    bench.sim.script(Fault {
        operation: Operation::PagerdutyAbilities,
        which: Which::First(2),
        what: What::pagerduty_throttled(20),
    });
    for _ in 0..2 {
        let throttled = bench.read("/abilities").await;
        assert_eq!(throttled.headers()["ratelimit-remaining"], "0");
        assert_eq!(throttled.headers()["ratelimit-reset"], "20");
        assert_eq!(body(throttled).await["error"]["code"], 2020);
    }
    assert_eq!(bench.read("/abilities").await.status(), 200);
    bench.sim.clear_faults();
    once(&bench, What::status(503));
    let empty = bench.create_session(&token).await;
    assert_eq!(
        (empty.status().as_u16(), empty.bytes().await.unwrap().len()),
        (503, 0)
    );
    assert_eq!(sessions(&bench), 0);
}

#[tokio::test]
async fn garbage_is_a_success_that_is_not_json_and_has_its_effect() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::Garbage);
    let answer = bench.create_session(&token).await;
    assert_eq!(answer.status(), 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.bytes().await.unwrap()).is_err());
    assert_eq!(sessions(&bench), 1);
}

#[tokio::test]
async fn a_huge_body_has_exactly_its_size_and_announces_none() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::Huge(3_000_001));
    let answer = bench.create_session(&token).await;
    assert_eq!(
        (answer.status().as_u16(), answer.content_length()),
        (200, None)
    );
    assert_eq!(answer.bytes().await.unwrap().len(), 3_000_001);
    assert_eq!(sessions(&bench), 1);
}

#[tokio::test]
async fn following_a_redirect_would_be_seen_as_an_unknown_request() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    once(&bench, What::Redirect);
    let answer = bench.create_session(&token).await;
    assert_eq!(answer.status(), 307);
    let to = answer.headers()["location"].to_str().unwrap();
    assert_eq!(bench.http.post(to).send().await.unwrap().status(), 404);
    assert!(
        bench
            .sim
            .requests()
            .iter()
            .any(|record| record.operation == Operation::Unknown)
    );
    assert_eq!(sessions(&bench), 0);
}
