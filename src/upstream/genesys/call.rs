//! One call to Genesys, with everything that belongs to it: limits, token, deadline, errors. Alike in both contracts.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use super::super::call::{CALL_SLACK, CallError, Operation};
use super::super::http::{Deadline, Reply};
use super::super::limits::Admission;
use super::token::Token;
use super::{Genesys, errors};

/// Within one deadline: an intent names that deadline, and nothing may be sent after it.
pub(super) async fn call(
    genesys: &Genesys,
    operation: Operation,
    method: Method,
    url: Url,
    body: Option<&Value>,
) -> Result<Reply, CallError> {
    let request = Request {
        operation,
        method,
        url,
        body,
        // A little more than one request gets, so that its own end is told as that.
        deadline: Deadline::within(genesys.http.call_timeout() + CALL_SLACK),
    };
    let limits = &genesys.limits;
    let mut admission = request.in_time("permit", limits.admission()).await?;
    let answered = Box::pin(request.with_token(genesys, &mut admission)).await;
    // The token's request has said for itself what it says of Genesys.
    limits.told(admission, answered?)
}

struct Request<'a> {
    operation: Operation,
    method: Method,
    url: Url,
    body: Option<&'a Value>,
    deadline: Deadline,
}

impl Request<'_> {
    /// Sends with a token, and once more with a new one after a 401: the token may have been revoked. A 401 is a refusal
    /// before any effect, so that this is safe for writes too.
    ///
    /// # Errors
    /// What kept it from being sent; what came of it is within.
    async fn with_token(
        &self,
        genesys: &Genesys,
        admission: &mut Admission,
    ) -> Result<Result<Reply, CallError>, CallError> {
        let token = self.in_time("token", genesys.tokens.get()).await?;
        let mut reply = match self.sent(genesys, &token, admission).await {
            Ok(reply) => reply,
            Err(error) => return Ok(Err(error)),
        };
        if reply.status == StatusCode::UNAUTHORIZED {
            let token = self.in_time("token", genesys.tokens.renewed(&token));
            let token = token.await?;
            let limits = &genesys.limits;
            self.in_time("permit", limits.once_more(admission)).await?;
            reply = match self.sent(genesys, &token, admission).await {
                Ok(reply) => reply,
                Err(error) => return Ok(Err(error)),
            };
        }
        if reply.status.is_success() {
            Ok(Ok(reply))
        } else {
            Ok(Err(errors::failure(self.operation, &reply)))
        }
    }

    /// Whatever is late here, nothing of the call itself was sent, or it was refused.
    async fn in_time<T>(
        &self,
        what: &str,
        needed: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let needed = tokio::time::timeout_at(self.deadline.at, needed).await;
        needed
            .unwrap_or_else(|_| Err(CallError::too_late(what)))
            .map_err(before_sending)
    }

    async fn sent(
        &self,
        genesys: &Genesys,
        token: &Token,
        admission: &mut Admission,
    ) -> Result<Reply, CallError> {
        admission.sends();
        let request = genesys
            .http
            .client()
            .request(self.method.clone(), self.url.clone())
            .bearer_auth(token.secret())
            .header("accept", "application/json");
        let request = match self.body {
            Some(body) => request.json(body),
            None => request,
        };
        let http = &genesys.http;
        http.send_by(self.deadline, self.operation, request, errors::CORRELATION)
            .await
    }
}

/// Without a token nothing of the call itself was sent (or it was refused), whatever became of the token's request.
fn before_sending(error: CallError) -> CallError {
    match error {
        CallError::Unknown { reason, .. } => CallError::NotSent(format!("no token: {reason}")),
        CallError::NotSent(_)
        | CallError::Blocked { .. }
        | CallError::Waits { .. }
        | CallError::Throttled { .. }
        | CallError::SetUp { .. }
        | CallError::NoRoute { .. }
        | CallError::Refused { .. }
        | CallError::Conflict(_) => error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{GenesysConfig, Speaks};
    use super::*;
    use crate::escalation::{Contract, ConversationId};
    use crate::simulator::{self, CobrowseApi, ConversationSpec, Fault, Simulator, What, Which};
    use crate::telemetry::Telemetry;
    use crate::upstream::{Http, HttpConfig};
    use std::sync::Arc;
    use std::time::Duration;

    fn genesys(simulator: &Simulator, span: Duration) -> Genesys {
        let http = HttpConfig {
            call_timeout: span,
            connect_timeout: span,
        };
        let config = simulator.config();
        let config = GenesysConfig {
            api_url: simulator.genesys_url().parse().unwrap(),
            login_url: simulator.genesys_url().parse().unwrap(),
            speaks: Speaks::Set(Contract::Conversation),
            keeps_codes: false,
            budget: None,
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone().into(),
        };
        let telemetry = Arc::new(Telemetry::new().unwrap());
        Genesys::new(Http::new(http, telemetry).unwrap(), config)
    }

    /// A login host that hangs is found out once, not once by each who waits.
    #[tokio::test]
    async fn who_comes_while_a_token_is_fetched_hears_what_becomes_of_it() {
        let simulator = Simulator::start(simulator::Config::default());
        let simulator = simulator.await.unwrap();
        simulator.script(Fault {
            operation: simulator::Operation::GenesysToken,
            which: Which::All,
            what: What::Hang,
        });
        let asked = || {
            let requests = simulator.requests().into_iter();
            requests
                .filter(|one| one.operation == simulator::Operation::GenesysToken)
                .count()
        };
        let genesys = genesys(&simulator, Duration::from_secs(1));
        let first = tokio::spawn({
            let genesys = genesys.clone();
            async move { genesys.ensure_token().await }
        });
        while asked() == 0 {
            tokio::task::yield_now().await;
        }
        let others = (0..5).map(|_| genesys.ensure_token());
        let others = futures_util::future::join_all(others).await;
        assert!(others.iter().all(Result::is_err), "{others:?}");
        assert!(first.await.unwrap().is_err());
        assert_eq!(asked(), 1);
    }

    /// The token was revoked, and the login host hangs: the call was refused, and nobody need find out what became of it.
    #[tokio::test]
    async fn a_call_whose_second_token_never_comes_was_not_sent() {
        let simulator = Simulator::start(simulator::Config {
            cobrowse_api: CobrowseApi::Conversation,
            ..simulator::Config::default()
        });
        let simulator = simulator.await.unwrap();
        let conversation = simulator.open_conversation(ConversationSpec::with_agent("agent-1"));
        let conversation = ConversationId::parse(&conversation).unwrap();
        let genesys = genesys(&simulator, Duration::from_millis(500));
        genesys.ensure_token().await.unwrap();
        for (operation, what) in [
            (
                simulator::Operation::GenesysOfferSession,
                What::status(StatusCode::UNAUTHORIZED.as_u16()),
            ),
            (simulator::Operation::GenesysToken, What::Hang),
        ] {
            simulator.script(Fault {
                operation,
                which: Which::All,
                what,
            });
        }
        let error = genesys.offer_session(&conversation).await.unwrap_err();
        assert!(!error.may_have_taken_effect(), "{error:?}");
    }
}
