//! `escalator serve`, `ingress`, `worker`: puts the rooms together, runs them, and takes them down in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::assembly;
use super::exit::Failure;
use super::signals::Signals;
use crate::admin::{self, Admin, Operator};
use crate::crash;
use crate::dead_letters::Keeper;
use crate::ingress::{self, Filter, IngressConfig};
use crate::ledger::{Ledger, Watched};
use crate::listener::Listener;
use crate::lookout::Lookout;
use crate::settings::{
    LogFormat, NotLoaded, ProcessEnvironment, Role, Settings, Starts, WithDotEnv,
};
use crate::telemetry::{self, Telemetry};
use crate::worker::Forgetting;

/// Reads the settings of a role, from where they are.
pub(super) fn load(role: Role, config: Option<&Path>) -> Result<Settings, Failure> {
    let variables = WithDotEnv::read(ProcessEnvironment, Path::new("."))?;
    Ok(Settings::load(role, config, &variables)?)
}

/// Runs a role until it is told to end.
pub(super) async fn run(role: Role, config: Option<&Path>) -> Result<(), Failure> {
    let settings = load(role, config)?;
    crash::arm();
    start_log(&settings)?;
    let telemetry = Arc::new(Telemetry::new().map_err(Failure::failed)?);
    let exporting = match assembly::otlp(role, &settings)? {
        Some(config) => Some(telemetry.export(config).map_err(Failure::usage)?),
        None => None,
    };
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
    let broker = assembly::broker(role, &settings)?;

    let draining = CancellationToken::new();
    let closing = CancellationToken::new();
    let (work, service) = (TaskTracker::new(), TaskTracker::new());
    let left = Arc::new(AtomicUsize::new(0));
    let vendors = match &ledger {
        Some(ledger) => Some(assembly::vendors(&settings, ledger, telemetry.clone())?),
        None => None,
    };
    let operator = match settings.admin()?.token.clone() {
        Some(token) => {
            let parts = ledger.as_ref().zip(vendors.as_ref());
            let office = parts.map(|(ledger, vendors)| {
                let drives = (work.clone(), draining.clone());
                assembly::office(&settings, ledger, vendors, &broker, drives)
            });
            let office = office.transpose()?;
            Some(Operator { token, office })
        }
        None => None,
    };
    let admin_at = admin.as_ref().and_then(|l| l.address().ok());
    if let Some(listener) = admin {
        let routes = admin::routes(Admin {
            telemetry: telemetry.clone(),
            broker: broker.clone(),
            ledger: ledger.clone(),
            operator,
            draining: draining.clone(),
        });
        service.spawn(listener.run(routes, closing.clone()));
    }
    let watches = vendors
        .as_ref()
        .map(|vendors| assembly::watches(&settings, vendors, telemetry.clone()));
    let lookout = Lookout::new(broker.clone(), watches, telemetry.clone());
    service.spawn(lookout.run(closing.clone()));
    let ingress_at = ingress.as_ref().and_then(|l| l.address().ok());
    if let Some(listener) = ingress {
        let config = ingress_config(&settings)?;
        let routes = ingress::routes(config, broker.publisher(), telemetry.clone());
        work.spawn(listener.run(routes, draining.clone()));
    }
    if let Some((ledger, vendors)) = ledger.zip(vendors) {
        let escalation = settings.escalation()?;
        let forgetting = Forgetting::new(
            ledger.clone(),
            telemetry.clone(),
            escalation.retention,
            escalation.expires_after,
        );
        work.spawn(forgetting.run(draining.clone()));
        let kept = Arc::new(Notify::new());
        let keeper = Keeper::new(
            broker.clone(),
            ledger.clone(),
            telemetry.clone(),
            kept.clone(),
        );
        work.spawn(keeper.run(draining.clone()));
        let (of_teller, of_pool) = (ledger.clone(), ledger);
        let teller = assembly::teller(&settings, &vendors, of_teller, telemetry.clone(), kept)?;
        work.spawn(teller.run(draining.clone()));
        let pool = assembly::pool(
            &settings,
            broker.clone(),
            of_pool,
            telemetry.clone(),
            vendors,
        )?;
        let (draining, left) = (draining.clone(), left.clone());
        work.spawn(async move { left.store(pool.run(draining).await, Ordering::Relaxed) });
    }
    tracing::info!(
        event = "started",
        role = role.name(),
        version = env!("CARGO_PKG_VERSION"),
        ingress = ingress_at.map(tracing::field::display),
        admin = admin_at.map(tracing::field::display),
        traces = settings
            .otlp()?
            .endpoint
            .as_ref()
            .map(tracing::field::display),
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
        // Last, for it is the least that anybody waits for.
        if let Some(exporting) = exporting {
            exporting.flush().await;
        }
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

pub(super) fn role_works(role: Role) -> bool {
    matches!(role, Role::Serve | Role::Worker)
}

pub(super) fn role_listens(role: Role) -> bool {
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

pub(super) async fn open_ledger(
    settings: &Settings,
    telemetry: Arc<Telemetry>,
) -> Result<Arc<dyn Ledger>, Failure> {
    let ledger = assembly::ledger(settings).await?;
    Ok(Arc::new(Watched::new(ledger, telemetry)))
}

fn ingress_config(settings: &Settings) -> Result<IngressConfig, NotLoaded> {
    let ingress = settings.ingress()?;
    Ok(IngressConfig {
        webhook_secrets: ingress.webhook_secrets.clone(),
        token: ingress.token.clone(),
        filter: filter(settings.starts()?),
    })
}

/// What lets an event start an escalation.
pub(super) fn filter(starts: &Starts) -> Filter {
    Filter {
        events: starts.events.clone(),
        services: starts.services.clone(),
        urgencies: starts
            .urgencies
            .iter()
            .map(|urgency| urgency.as_str().to_owned())
            .collect(),
    }
}
