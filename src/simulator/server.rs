//! The two listeners, and the way of one request: arrive, effect, fault, answer.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Request, Response, body::Incoming, http::request::Parts, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    config::Config,
    control, delivery,
    fault::What,
    genesys, pagerduty,
    records::RequestOutcome,
    reply::{self, Answer, Body, Call},
    state::State,
};

/// No request of anybody is longer than this.
const REQUEST_LIMIT: usize = 1 << 20;

/// Who is spoken to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Vendor {
    Genesys,
    Pagerduty,
}

/// What every connection and every clone of the handle shares.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) genesys: SocketAddr,
    pub(super) pagerduty: SocketAddr,
    pub(super) client: reqwest::Client,
    pub(super) changes: watch::Sender<u64>,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    state: Mutex<State>,
}

/// Ends the connection without an answer: hyper writes nothing for a service that fails.
#[derive(Debug, thiserror::Error)]
#[error("the connection is broken on purpose")]
pub(super) struct Broken;

impl Shared {
    pub(super) fn new(
        config: Config,
        genesys: SocketAddr,
        pagerduty: SocketAddr,
        client: reqwest::Client,
    ) -> Self {
        Self {
            state: Mutex::new(State::new(&config)),
            config,
            genesys,
            pagerduty,
            client,
            changes: watch::Sender::new(0),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state, and wakes whoever waits for a change.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let result = act(&mut self.lock());
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    pub(super) fn address(&self, vendor: Vendor) -> SocketAddr {
        match vendor {
            Vendor::Genesys => self.genesys,
            Vendor::Pagerduty => self.pagerduty,
        }
    }

    /// Does what the call asks, with all its effects.
    fn act(&self, vendor: Vendor, call: &Call) -> Answer {
        let (answer, outbox) = self.change(|state| {
            let answer = match vendor {
                Vendor::Genesys => genesys::answer(state, &self.config, call),
                Vendor::Pagerduty => pagerduty::answer(state, &self.config, call),
            };
            (answer, std::mem::take(&mut state.outbox))
        });
        for (url, webhook) in outbox {
            let (client, stopping) = (self.client.clone(), self.stopping.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = stopping.cancelled() => {}
                    // Whoever receives it tells of it.
                    _ = delivery::once(&client, &url, &webhook) => {}
                }
            });
        }
        answer
    }
}

/// Accepts connections until the simulator stops.
pub(super) fn listen(shared: &Arc<Shared>, listener: TcpListener, vendor: Vendor) {
    let own = shared.clone();
    shared.tasks.spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = own.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    own.tasks.spawn(connection(own.clone(), stream, vendor));
                }
                // Out of descriptors, most likely: trying again at once would only burn the processor.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    });
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, vendor: Vendor) {
    let stopping = shared.stopping.clone();
    // Without it the delayed acknowledgements of the kernel would show up as latency of the vendor.
    let _: io::Result<()> = stream.set_nodelay(true);
    let service = service_fn(move |request| respond(shared.clone(), vendor, request));
    let served =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stopping.cancelled() => {}
        // It failed because the client went, or because we broke it: both are recorded with the request.
        _ = served => {}
    }
}

async fn respond(
    shared: Arc<Shared>,
    vendor: Vendor,
    request: Request<Incoming>,
) -> Result<Response<Body>, Broken> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, REQUEST_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Ok(reply::plain(413, Bytes::new())),
        Err(_) => return Err(Broken),
    };
    if let Some(rest) = head.uri.path().strip_prefix("/_simulator/") {
        return Ok(control::answer(&shared, &head.method, rest, &body)
            .await
            .into_response());
    }
    let Arrival {
        call,
        open,
        headers,
        fate,
        captured,
    } = arrive(&shared, vendor, &head, body);
    let response = match fate {
        Fate::Refused(answer) => Some(answer.into_response()),
        Fate::Served => {
            let answer = shared.act(vendor, &call);
            if let Some(number) = captured {
                shared.change(|state| state.captures.answered(number, &answer));
            }
            Some(answer.into_response())
        }
        Fate::Met(what) => fail(&shared, vendor, call, what).await,
    };
    let Some(mut response) = response else {
        return Err(Broken);
    };
    sleep(shared.config.latency).await;
    for (name, value) in headers {
        // What a fault scripted is not overwritten.
        if !response.headers().contains_key(name) {
            reply::set(&mut response, name, &value);
        }
    }
    open.end(RequestOutcome::Status(response.status().as_u16()));
    Ok(response)
}

/// A request that has been counted and recorded.
struct Arrival {
    call: Arc<Call>,
    open: Open,
    headers: Vec<(&'static str, String)>,
    fate: Fate,
    captured: Option<usize>,
}

enum Fate {
    Refused(Answer),
    Served,
    Met(What),
}

fn arrive(shared: &Arc<Shared>, vendor: Vendor, head: &Parts, body: Bytes) -> Arrival {
    let path = head.uri.path().to_owned();
    let route = match vendor {
        Vendor::Genesys => genesys::route(&head.method, &path),
        Vendor::Pagerduty => pagerduty::route(&head.method, &path),
    };
    shared.change(|state| {
        let traceparent = head.headers.get("traceparent");
        let traceparent = traceparent.and_then(|value| value.to_str().ok());
        let traceparent = traceparent.map(str::to_owned);
        let records = &mut state.records;
        let number = records.begin(route.operation, route.id.clone(), traceparent);
        let call = Call {
            route,
            path,
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers.clone(),
            body,
            trace: state.ids.uuid(),
        };
        let captured = if shared.config.capture {
            state.captures.keep(vendor, head, &call)
        } else {
            None
        };
        let (headers, refused) = match vendor {
            Vendor::Genesys => (
                vec![("inin-correlation-id", call.trace.clone())],
                genesys::limit(state, &call),
            ),
            Vendor::Pagerduty => {
                let (mut headers, refused) = pagerduty::limit(state, &shared.config);
                headers.push(("x-request-id", call.trace.clone()));
                (headers, refused)
            }
        };
        let fate = match refused {
            Some(answer) => Fate::Refused(answer),
            None => match state.faults.meet(call.route.operation, &mut state.ids) {
                Some(what) => Fate::Met(what),
                None => Fate::Served,
            },
        };
        let open = Open {
            shared: shared.clone(),
            number,
            outcome: RequestOutcome::Lost,
        };
        Arrival {
            call: Arc::new(call),
            open,
            headers,
            fate,
            captured,
        }
    })
}

/// Plays a fault; `None` breaks the connection.
async fn fail(
    shared: &Arc<Shared>,
    vendor: Vendor,
    call: Arc<Call>,
    what: What,
) -> Option<Response<Body>> {
    match what {
        What::Status {
            status,
            headers,
            body,
        } => {
            let typed = !body.is_empty();
            let mut response = reply::plain(status, Bytes::from(body));
            if typed {
                reply::set(&mut response, "content-type", "application/json");
            }
            for (name, value) in headers {
                reply::set(&mut response, name, &value);
            }
            Some(response)
        }
        What::Echo(status) => Some(reply::echo(status, &call.body).into_response()),
        What::LoseAnswer => {
            shared.act(vendor, &call);
            None
        }
        What::Drop => None,
        What::Late(after) => late(shared, vendor, call, after)
            .await
            .map(Answer::into_response),
        What::Slow(after) => {
            let answer = shared.act(vendor, &call);
            sleep(after).await;
            Some(answer.into_response())
        }
        What::Hang => pending().await,
        What::Fail(status) => {
            shared.act(vendor, &call);
            Some(reply::plain(status, Bytes::new()))
        }
        What::Garbage => {
            shared.act(vendor, &call);
            Some(reply::garbage())
        }
        What::Huge(bytes) => {
            shared.act(vendor, &call);
            Some(reply::huge(bytes))
        }
        What::Redirect => {
            let to = format!("http://{}/redirected{}", shared.address(vendor), call.path);
            Some(reply::redirect(&to))
        }
    }
}

/// The effect in a task of its own: hyper drops the request's future when the client goes, and the effect must
/// land all the same.
async fn late(
    shared: &Arc<Shared>,
    vendor: Vendor,
    call: Arc<Call>,
    after: Duration,
) -> Option<Answer> {
    let (tell, told) = oneshot::channel();
    let own = shared.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            () = own.stopping.cancelled() => {}
            () = sleep(after) => {
                // Nobody listens any more if the client has gone.
                let _: Result<(), Answer> = tell.send(own.act(vendor, &call));
            }
        }
    });
    told.await.ok()
}

/// A request without an answer so far. Dropped as it is, it was lost: by a fault, by the client, or by stopping.
struct Open {
    shared: Arc<Shared>,
    number: u64,
    outcome: RequestOutcome,
}

impl Open {
    fn end(mut self, outcome: RequestOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (number, outcome) = (self.number, self.outcome);
        self.shared
            .change(|state| state.records.end(number, outcome));
    }
}
