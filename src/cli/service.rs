//! `escalator serve`, `ingress`, `worker`: puts the rooms together, runs them, and takes them down in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exit::Failure;
use super::signals::Signals;
use crate::admin::{self, Admin};
use crate::broker::{self, Broker};
use crate::escalation::Bounds;
use crate::ingress::{self, Filter, IngressConfig};
use crate::ledger::{self, Ledger, Postgres, Sqlite, Watched};
use crate::listener::Listener;
use crate::settings::{
    self, DatabaseUrl, LogFormat, NotLoaded, ProcessEnvironment, Role, Settings, WithDotEnv,
};
use crate::telemetry::{self, Telemetry};
use crate::upstream::{Genesys, GenesysConfig, Http, HttpConfig, PagerDuty, PagerDutyConfig};
use crate::worker::{Forgetting, Pool, PoolConfig, Runner, RunnerConfig, Schedule};

/// How long the conversation may take to show an attached session.
const VERIFY_WITHIN: Duration = Duration::from_secs(30);
/// How long connecting to a vendor may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Reads the settings of a role, from where they are.
pub(super) fn load(role: Role, config: Option<&Path>) -> Result<Settings, Failure> {
    let variables = WithDotEnv::read(ProcessEnvironment, Path::new("."))?;
    Ok(Settings::load(role, config, &variables)?)
}

/// Runs a role until it is told to end.
pub(super) async fn run(role: Role, config: Option<&Path>) -> Result<(), Failure> {
    let settings = load(role, config)?;
    start_log(&settings)?;
    let telemetry = Arc::new(Telemetry::new().map_err(Failure::failed)?);
    // Before anything else can take time: whoever starts us may already want us to end.
    let mut signals = Signals::listen()?;

    let ledger = match role_works(role) {
        true => Some(open_ledger(&settings, telemetry.clone()).await?),
        false => None,
    };
    let ingress = match role_listens(role) {
        true => Some(bind(settings.ingress()?.listen).await?),
        false => None,
    };
    let admin = match settings.admin()?.listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let broker = start_broker(role, &settings)?;

    let draining = CancellationToken::new();
    let closing = CancellationToken::new();
    let (work, service) = (TaskTracker::new(), TaskTracker::new());
    let left = Arc::new(AtomicUsize::new(0));
    let admin_at = admin.as_ref().and_then(|l| l.address().ok());
    if let Some(listener) = admin {
        let routes = admin::routes(Admin {
            telemetry: telemetry.clone(),
            broker: broker.clone(),
            ledger: ledger.clone(),
            draining: draining.clone(),
        });
        service.spawn(listener.run(routes, closing.clone()));
    }
    let ingress_at = ingress.as_ref().and_then(|l| l.address().ok());
    if let Some(listener) = ingress {
        let config = ingress_config(&settings)?;
        let routes = ingress::routes(config, broker.publisher(), telemetry.clone());
        work.spawn(listener.run(routes, draining.clone()));
    }
    if let Some(ledger) = ledger {
        let escalation = settings.escalation()?;
        let forgetting = Forgetting::new(
            ledger.clone(),
            telemetry.clone(),
            escalation.retention,
            escalation.expires_after,
        );
        work.spawn(forgetting.run(draining.clone()));
        let pool = pool(&settings, broker.clone(), ledger, telemetry.clone())?;
        let (draining, left) = (draining.clone(), left.clone());
        work.spawn(async move { left.store(pool.run(draining).await, Ordering::Relaxed) });
    }
    tracing::info!(
        event = "started",
        role = role.name(),
        version = env!("CARGO_PKG_VERSION"),
        ingress = ingress_at.map(tracing::field::display),
        admin = admin_at.map(tracing::field::display),
    );

    let signal = signals.next().await;
    tracing::info!(event = "drain.begun", signal);
    draining.cancel();
    work.close();
    let drained = async {
        work.wait().await;
        let began = Instant::now();
        broker.close().await;
        closing.cancel();
        service.close();
        service.wait().await;
        telemetry.drain_phase("close", began.elapsed(), 0);
        tracing::info!(event = "stopped");
    };
    tokio::select! {
        () = drained => match left.load(Ordering::Relaxed) {
            0 => Ok(()),
            left => Err(Failure::failed(format!(
                "{left} escalations did not end within worker.drain_timeout; the broker delivers them again"
            ))),
        },
        signal = signals.next() => {
            tracing::warn!(event = "drain.cut_short", signal);
            Err(Failure::Failed("escalator: a second signal cut the drain short; the broker will deliver again what was in hand".to_owned()))
        }
    }
}

fn role_works(role: Role) -> bool {
    matches!(role, Role::Serve | Role::Worker)
}

fn role_listens(role: Role) -> bool {
    matches!(role, Role::Serve | Role::Ingress)
}

fn start_log(settings: &Settings) -> Result<(), Failure> {
    let format = match settings.log.format {
        LogFormat::Auto => telemetry::LogFormat::Auto,
        LogFormat::Json => telemetry::LogFormat::Json,
        LogFormat::Pretty => telemetry::LogFormat::Pretty,
    };
    telemetry::start_logging(format, &settings.log.level).map_err(Failure::usage)?;
    for warning in &settings.warnings {
        tracing::warn!(event = "settings.warning", warning);
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<Listener, Failure> {
    Listener::bind(address)
        .await
        .map_err(|e| Failure::failed(format!(
            "cannot listen on {address}: {e}; if something else has this port, change ingress.listen or admin.listen"
        )))
}

async fn open_ledger(
    settings: &Settings,
    telemetry: Arc<Telemetry>,
) -> Result<Arc<dyn Ledger>, Failure> {
    let ledger = ledger(settings).await?;
    Ok(Arc::new(Watched::new(ledger, telemetry)))
}

/// The ledger of the settings, opened.
pub(super) async fn ledger(settings: &Settings) -> Result<Arc<dyn Ledger>, Failure> {
    match &settings.database()?.url {
        DatabaseUrl::Sqlite { path } => {
            let path = path.clone();
            let opened = tokio::task::spawn_blocking(move || Sqlite::open(&path)).await;
            let ledger = opened.map_err(Failure::failed)?.map_err(|e| {
                Failure::unavailable(format!("{e}; check database.url, the folder and its owner"))
            })?;
            Ok(Arc::new(ledger))
        }
        DatabaseUrl::Postgres { url } => match Postgres::open(url).await {
            Ok(ledger) => Ok(Arc::new(ledger)),
            Err(error) => Err(not_opened(&error)),
        },
    }
}

fn not_opened(error: &ledger::Error) -> Failure {
    match error {
        ledger::Error::Unavailable(_) => Failure::unavailable(format!(
            "{error}; check database.url, and that PostgreSQL runs there"
        )),
        ledger::Error::Open(_) | ledger::Error::Fenced | ledger::Error::Corrupt(_) => {
            Failure::failed(format!("{error}; check database.url"))
        }
    }
}

/// The ledger of the settings, opened by somebody who only looks, and where it is, without a password.
pub(super) async fn ledger_to_read(
    settings: &Settings,
) -> Result<(Arc<dyn Ledger>, String), Failure> {
    match &settings.database()?.url {
        DatabaseUrl::Sqlite { path } => {
            let (path, at) = (path.clone(), path.display().to_string());
            let opened = tokio::task::spawn_blocking(move || Sqlite::open_to_read(&path)).await;
            let ledger = opened.map_err(Failure::failed)?.map_err(|e| {
                Failure::unavailable(format!(
                    "{e}; database.url (DATABASE_URL) says where the ledger is: use the service's own settings and user"
                ))
            })?;
            Ok((Arc::new(ledger), at))
        }
        DatabaseUrl::Postgres { url } => {
            let ledger = Postgres::open_to_read(url).await;
            let ledger = ledger.map_err(|e| {
                Failure::unavailable(format!(
                    "{e}; database.url (DATABASE_URL) says where the ledger is: use the service's own settings"
                ))
            })?;
            let at = format!("postgres://{}", ledger.at());
            Ok((Arc::new(ledger), at))
        }
    }
}

fn start_broker(role: Role, settings: &Settings) -> Result<Broker, Failure> {
    let broker_role = match (role_works(role), role_listens(role)) {
        (false, _) => broker::Role::Publish,
        (true, _) => broker::Role::Both,
    };
    Broker::start(broker::Config {
        urls: settings.amqp()?.urls.clone(),
        connection_name: format!("escalator/{}/{}", role.name(), std::process::id()),
        role: broker_role,
        ..broker::Config::default()
    })
    .map_err(Failure::usage)
}

fn ingress_config(settings: &Settings) -> Result<IngressConfig, NotLoaded> {
    let ingress = settings.ingress()?;
    let starts = settings.starts()?;
    Ok(IngressConfig {
        webhook_secrets: ingress.webhook_secrets.clone(),
        token: ingress.token.clone(),
        filter: Filter {
            events: starts.events.clone(),
            services: starts.services.clone(),
            urgencies: starts
                .urgencies
                .iter()
                .map(|urgency| urgency.as_str().to_owned())
                .collect(),
        },
    })
}

fn pool(
    settings: &Settings,
    broker: Broker,
    ledger: Arc<dyn Ledger>,
    telemetry: Arc<Telemetry>,
) -> Result<Pool, Failure> {
    let worker = settings.worker()?;
    let escalation = settings.escalation()?;
    let http = Http::new(
        HttpConfig {
            call_timeout: worker.call_timeout,
            connect_timeout: connect_timeout(worker),
        },
        telemetry.clone(),
    )
    .map_err(Failure::failed)?;
    let runner = Runner::new(
        ledger,
        genesys(settings, http.clone())?,
        pagerduty(settings, http)?,
        telemetry.clone(),
        RunnerConfig {
            owner: owner(),
            lease: worker.lease,
            call_timeout: worker.call_timeout,
            bounds: Bounds {
                settle: worker.settle,
                verify: VERIFY_WITHIN,
                agent_wait: escalation.agent_wait,
                expires_after: escalation.expires_after,
            },
            schedule: Schedule::new(worker.max_attempts),
        },
    );
    Ok(Pool::new(
        broker,
        Arc::new(runner),
        telemetry,
        PoolConfig {
            concurrency: u16::try_from(worker.concurrency).unwrap_or(u16::MAX),
            drain_timeout: worker.drain_timeout,
        },
    ))
}

/// The client for Genesys.
pub(super) fn genesys(settings: &Settings, http: Http) -> Result<Genesys, Failure> {
    let genesys = settings.genesys()?;
    Ok(Genesys::new(
        http,
        GenesysConfig {
            api_url: genesys.api_url.as_str().parse().map_err(Failure::usage)?,
            client_id: genesys.client_id.clone(),
            client_secret: genesys.client_secret.clone(),
        },
    ))
}

/// The client for PagerDuty.
pub(super) fn pagerduty(settings: &Settings, http: Http) -> Result<PagerDuty, Failure> {
    let pagerduty = settings.pagerduty()?;
    let escalation = settings.escalation()?;
    Ok(PagerDuty::new(
        http,
        PagerDutyConfig {
            api_url: pagerduty.api_url.as_str().parse().map_err(Failure::usage)?,
            api_token: pagerduty.api_token.clone(),
            from_email: pagerduty.from_email.clone(),
            conversation_fields: escalation.conversation_fields.clone(),
            agent_fields: escalation.agent_fields.clone(),
        },
    ))
}

/// How long connecting to a vendor may take.
pub(super) fn connect_timeout(worker: &settings::Worker) -> Duration {
    CONNECT_WITHIN.min(worker.call_timeout)
}

/// Who holds a claim, as an operator would want to read it.
fn owner() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!("{}/{}", host.trim(), std::process::id())
}
