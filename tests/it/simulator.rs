//! The simulator, asked over real HTTP.

mod control;
mod conversation;
mod delivery;
mod faults;
mod genesys;
mod pagerduty;
mod pagerduty_account;

use std::time::Duration;

use escalator::simulator::{Config, ConversationSpec, RequestOutcome, RequestRecord, Simulator};
use reqwest::{Client, Response, redirect::Policy};
use serde_json::{Value, json};

/// Long enough for anything that is going to happen on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// No delays, so that a test only sees those that it asks for.
fn quick() -> Config {
    Config {
        latency: Duration::ZERO,
        hydration: Duration::ZERO,
        media_visible_after: Duration::ZERO,
        seed: 20_261_120,
        ..Config::default()
    }
}

/// A simulator and a client that speaks to it, with its wire formats written out once more by hand.
struct Bench {
    sim: Simulator,
    http: Client,
}

impl Bench {
    async fn new() -> Self {
        Self::with(quick()).await
    }

    async fn with(config: Config) -> Self {
        // The simulator comes first: it sees to it that TLS has a crypto provider, which a client wants.
        let sim = Simulator::start(config).await.unwrap();
        let http = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .build()
            .unwrap();
        Self { sim, http }
    }

    fn genesys(&self, path: &str) -> String {
        format!("{}{path}", self.sim.genesys_url())
    }

    fn pagerduty(&self, path: &str) -> String {
        format!("{}{path}", self.sim.pagerduty_url())
    }

    async fn ask_token(&self, form: &[(&str, &str)]) -> Response {
        self.http
            .post(self.genesys("/oauth/token"))
            .form(form)
            .send()
            .await
            .unwrap()
    }

    async fn token(&self) -> String {
        let config = self.sim.config();
        let answer = self
            .ask_token(&[
                ("grant_type", "client_credentials"),
                ("client_id", &config.client_id),
                ("client_secret", &config.client_secret),
            ])
            .await;
        assert_eq!(answer.status(), 200);
        body(answer).await["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn create_session(&self, token: &str) -> Response {
        let url = self.genesys("/api/v2/cobrowse/sessions");
        self.http
            .post(url)
            .bearer_auth(token)
            .json(&json!({}))
            .send()
            .await
            .unwrap()
    }

    async fn attach(&self, token: &str, conversation: &str, body: &Value) -> Response {
        let url = self.genesys(&format!("/api/v2/conversations/{conversation}/media"));
        self.http
            .post(url)
            .bearer_auth(token)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    async fn conversation(&self, token: &str, id: &str) -> Response {
        let url = self.genesys(&format!("/api/v2/conversations/{id}"));
        self.http.get(url).bearer_auth(token).send().await.unwrap()
    }

    async fn read(&self, path: &str) -> Response {
        let key = format!("Token token={}", self.sim.config().api_token);
        let url = self.pagerduty(path);
        self.http
            .get(url)
            .header("authorization", key)
            .send()
            .await
            .unwrap()
    }

    async fn post_note(&self, incident: &str, content: &str) -> Response {
        let config = self.sim.config();
        self.http
            .post(self.pagerduty(&format!("/incidents/{incident}/notes")))
            .header("authorization", format!("Token token={}", config.api_token))
            .header("from", &config.from_email)
            .json(&json!({ "note": { "content": content } }))
            .send()
            .await
            .unwrap()
    }

    /// Waits until a request is as wanted.
    async fn until_request(&self, mut wanted: impl FnMut(&RequestRecord) -> bool) -> RequestRecord {
        let find = async {
            loop {
                let change = self.sim.changed();
                tokio::pin!(change);
                // Polled once before looking, so that nothing that comes in between is missed.
                let ready = futures_util::poll!(change.as_mut()).is_ready();
                if let Some(found) = self.sim.requests().into_iter().find(&mut wanted) {
                    return found;
                }
                if !ready {
                    change.await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, find)
            .await
            .expect("the request never came")
    }
}

async fn body(answer: Response) -> Value {
    answer.json().await.unwrap()
}

#[tokio::test]
async fn requests_are_recorded_with_operation_id_times_and_outcome() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let id = bench
        .sim
        .open_conversation(ConversationSpec::with_agent("agent-1"));
    bench.conversation(&token, &id).await;
    bench.read("/incidents/QNONE/notes").await;
    bench.read("/no/such/route").await;
    let seen: Vec<_> = bench
        .sim
        .requests()
        .into_iter()
        .map(|record| {
            assert!(record.ended_at_ms.unwrap() >= record.at_ms);
            (
                serde_json::to_value(record.operation).unwrap(),
                record.id,
                record.outcome,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (json!("genesys_token"), None, RequestOutcome::Status(200)),
            (
                json!("genesys_conversation"),
                Some(id),
                RequestOutcome::Status(200)
            ),
            (
                json!("pagerduty_list_notes"),
                Some("QNONE".to_owned()),
                RequestOutcome::Status(404)
            ),
            (
                json!("unknown"),
                Some("GET /no/such/route".to_owned()),
                RequestOutcome::Status(404)
            ),
        ]
    );
}

#[tokio::test]
async fn waiting_for_an_effect_ends_with_it_or_with_what_there_is_instead() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let sim = bench.sim.clone();
    let waiting = tokio::spawn(async move {
        sim.wait_until(PATIENCE, |seen| seen.sessions.len() == 2)
            .await
    });
    bench.create_session(&token).await;
    bench.create_session(&token).await;
    let effects = waiting.await.unwrap().unwrap();
    assert_eq!(effects.orphans().len(), 2);
    let never = bench
        .sim
        .wait_until(Duration::from_millis(1), |seen| seen.live_notes > 0)
        .await;
    assert_eq!(never.unwrap_err().sessions.len(), 2);
}

#[tokio::test]
async fn stopping_closes_both_listeners_for_every_clone() {
    let bench = Bench::new().await;
    let clone = bench.sim.clone();
    assert_eq!(bench.read("/abilities").await.status(), 200);
    clone.stop().await;
    for url in [bench.genesys("/oauth/token"), bench.pagerduty("/abilities")] {
        assert!(bench.http.get(url).send().await.unwrap_err().is_connect());
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_and_not_a_panic() {
    let bench = Bench::new().await;
    let taken = bench
        .sim
        .genesys_url()
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    let refused = Simulator::start(Config {
        listen_genesys: taken,
        ..quick()
    })
    .await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn thousands_of_requests_cost_no_more_at_the_end_than_at_the_start() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let id = bench
        .sim
        .open_conversation(ConversationSpec::with_agent("agent-1"));
    let mut rounds = Vec::new();
    for _ in 0..5 {
        let began = std::time::Instant::now();
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let (http, token) = (bench.http.clone(), token.clone());
                let url = bench.genesys(&format!("/api/v2/conversations/{id}"));
                tokio::spawn(async move {
                    for _ in 0..100 {
                        let answer = http.get(&url).bearer_auth(&token).send().await.unwrap();
                        assert_eq!(answer.status(), 200);
                        answer.bytes().await.unwrap();
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        rounds.push(began.elapsed());
    }
    // Generous, since the machine has other work: growth with the number of records would be far beyond it.
    assert!(
        rounds[4] < rounds[0] * 5 + Duration::from_secs(1),
        "{rounds:?}"
    );
    assert_eq!(bench.sim.requests().len(), 4_001);
}
