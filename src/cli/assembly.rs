//! The program's parts, put together from the settings: what every command that works, or that only looks, is made of.

use futures_util::FutureExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exit::Failure;
use super::service::{role_listens, role_works};
use crate::admin::Office;
use crate::broker::{self, Broker};
use crate::dead_letters::{Drivers, Planner};
use crate::escalation::{Bounds, NoteStyle};
use crate::ledger::{self, Ledger, Postgres, Sqlite, Watched};
use crate::lookout::Watches;
use crate::settings::{self, CobrowseApi, DatabaseUrl, Role, Settings};
use crate::telemetry::{OtlpConfig, Telemetry};
use crate::upstream::{
    Budget, Genesys, GenesysConfig, Http, HttpConfig, PagerDuty, PagerDutyConfig, PermitSource,
    Speaks, Vendor,
};
use crate::worker::{
    Pool, PoolConfig, PoolPermits, Runner, RunnerConfig, Schedule, Teller, TellerConfig,
};

/// How long the conversation may take to show an attached session.
const VERIFY_WITHIN: Duration = Duration::from_secs(30);
/// How long connecting to a vendor may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The ledger of the settings, opened for work.
///
/// # Errors
/// When it cannot be reached or opened.
pub async fn ledger(settings: &Settings) -> Result<Arc<dyn Ledger>, Failure> {
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

/// The broker, as this role uses it.
///
/// # Errors
/// When its address is not one.
pub fn broker(role: Role, settings: &Settings) -> Result<Broker, Failure> {
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

/// The clients of both vendors, within the budgets that the whole pool has. One of each in a process: what one hears of a
/// vendor holds for all that the process does.
#[derive(Debug, Clone)]
pub struct Vendors {
    /// Genesys Cloud.
    pub genesys: Genesys,
    /// PagerDuty.
    pub pagerduty: PagerDuty,
}

/// Makes them. Nothing is called yet.
///
/// # Errors
/// When the settings are not a worker's.
pub fn vendors(
    settings: &Settings,
    ledger: &Arc<dyn Ledger>,
    telemetry: Arc<Telemetry>,
) -> Result<Vendors, Failure> {
    let worker = settings.worker()?;
    let http = Http::new(
        HttpConfig {
            call_timeout: worker.call_timeout,
            connect_timeout: connect_timeout(worker),
        },
        telemetry,
    )
    .map_err(Failure::failed)?;
    let source: Arc<dyn PermitSource> = Arc::new(PoolPermits(ledger.clone()));
    let budget = |requests_per_minute| Budget {
        requests_per_minute,
        source: source.clone(),
    };
    let genesys_budget = budget(settings.genesys()?.requests_per_minute);
    let pagerduty_budget = budget(settings.pagerduty()?.requests_per_minute);
    Ok(Vendors {
        genesys: genesys(settings, http.clone(), Some(genesys_budget))?,
        pagerduty: pagerduty(settings, http, Some(pagerduty_budget))?,
    })
}

/// Who tells incidents of what died.
///
/// # Errors
/// When the settings are not a worker's.
pub fn teller(
    settings: &Settings,
    vendors: &Vendors,
    ledger: Arc<dyn Ledger>,
    telemetry: Arc<Telemetry>,
    news: Arc<Notify>,
) -> Result<Teller, Failure> {
    let worker = settings.worker()?;
    let config = TellerConfig {
        call_timeout: worker.call_timeout,
        settle: worker.settle,
        expires_after: settings.escalation()?.expires_after,
    };
    let pagerduty = vendors.pagerduty.clone();
    Ok(Teller::new(ledger, pagerduty, telemetry, config, news))
}

/// What bounds an escalation, of the settings.
///
/// # Errors
/// When the settings are not a worker's.
pub fn bounds(settings: &Settings) -> Result<Bounds, Failure> {
    let escalation = settings.escalation()?;
    Ok(Bounds {
        settle: settings.worker()?.settle,
        verify: VERIFY_WITHIN,
        agent_wait: escalation.agent_wait,
        expires_after: escalation.expires_after,
    })
}

/// What an operator works with over HTTP. Replays are driven among `tasks` until `stop`.
///
/// # Errors
/// When the settings are not a worker's.
pub(super) fn office(
    settings: &Settings,
    ledger: &Arc<dyn Ledger>,
    vendors: &Vendors,
    broker: &Broker,
    (tasks, stop): (TaskTracker, CancellationToken),
) -> Result<Office, Failure> {
    let (genesys, pagerduty) = (vendors.genesys.clone(), vendors.pagerduty.clone());
    let planner = Planner::new(ledger.clone(), genesys, pagerduty, bounds(settings)?);
    let drivers = Drivers::new(
        ledger.clone(),
        broker.publisher(),
        planner.clone(),
        owner(),
        settings.worker()?.lease,
        tasks,
        stop,
    );
    Ok(Office {
        ledger: ledger.clone(),
        planner,
        drivers,
        edit: settings.dead_letters()?.edit,
    })
}

/// What the lookout sees of the ledger: over a connection of its own, which it opens itself.
pub(super) fn watches(
    settings: &Settings,
    vendors: &Vendors,
    telemetry: Arc<Telemetry>,
) -> Watches {
    let accounts = [
        (Vendor::Genesys, vendors.genesys.budget_account()),
        (Vendor::PagerDuty, vendors.pagerduty.budget_account()),
    ];
    let budgets = accounts
        .into_iter()
        .filter_map(|(vendor, account)| Some((vendor.as_str(), account?.to_owned())))
        .collect();
    let settings = settings.clone();
    let open = move || {
        let (settings, telemetry) = (settings.clone(), telemetry.clone());
        async move {
            let (ledger, _) = ledger_to_read(&settings).await.ok()?;
            let watched: Arc<dyn Ledger> = Arc::new(Watched::new(ledger, telemetry));
            Some(watched)
        }
        .boxed()
    };
    Watches::new(Box::new(open), budgets)
}

/// A worker's pool on these parts.
///
/// # Errors
/// When the settings are not a worker's.
pub fn pool(
    settings: &Settings,
    broker: Broker,
    ledger: Arc<dyn Ledger>,
    telemetry: Arc<Telemetry>,
    vendors: Vendors,
) -> Result<Pool, Failure> {
    let worker = settings.worker()?;
    let runner = Runner::new(
        ledger,
        vendors.genesys,
        vendors.pagerduty,
        telemetry.clone(),
        RunnerConfig {
            owner: owner(),
            lease: worker.lease,
            call_timeout: worker.call_timeout,
            bounds: bounds(settings)?,
            schedule: Schedule::new(worker.max_attempts),
            note: NoteStyle {
                client: {
                    let genesys = settings.genesys()?;
                    web_client(genesys.api_url.as_str(), &genesys.region)
                },
                access_links: settings.note()?.include_access_links,
            },
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

/// The address of the web client: beside the API's own, where that is a region's; what looks like one may be a proxy's, beside
/// which there is no web client.
fn web_client(api_url: &str, region: &str) -> String {
    let host = api_url.strip_prefix("https://api.");
    let domain = host.map(|rest| rest.trim_end_matches('/'));
    let domain = domain.filter(|domain| settings::is_region(domain));
    format!("https://apps.{}", domain.unwrap_or(region))
}

/// The client for Genesys. Without a budget nobody counts its requests: for a command that a person gives.
pub(super) fn genesys(
    settings: &Settings,
    http: Http,
    budget: Option<Budget>,
) -> Result<Genesys, Failure> {
    let genesys = settings.genesys()?;
    Ok(Genesys::new(
        http,
        GenesysConfig {
            api_url: genesys.api_url.as_str().parse().map_err(Failure::usage)?,
            login_url: genesys.login_url.as_str().parse().map_err(Failure::usage)?,
            speaks: match genesys.cobrowse_api {
                CobrowseApi::Set(contract) => Speaks::Set(contract),
                CobrowseApi::Auto => Speaks::Auto,
            },
            keeps_codes: settings.note().is_ok_and(|note| note.include_access_links),
            client_id: genesys.client_id.clone(),
            client_secret: genesys.client_secret.clone(),
            budget,
        },
    ))
}

/// The client for PagerDuty. Without a budget nobody counts its requests.
pub(super) fn pagerduty(
    settings: &Settings,
    http: Http,
    budget: Option<Budget>,
) -> Result<PagerDuty, Failure> {
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
            budget,
        },
    ))
}

/// How long connecting to a vendor may take.
pub(super) fn connect_timeout(worker: &settings::Worker) -> Duration {
    CONNECT_WITHIN.min(worker.call_timeout)
}

/// Who holds a claim, as an operator would want to read it.
/// Where traces are exported to, if anywhere.
///
/// # Errors
/// When the settings are not a service's.
pub(super) fn otlp(role: Role, settings: &Settings) -> Result<Option<OtlpConfig>, Failure> {
    let otlp = settings.otlp()?;
    Ok(otlp.endpoint.as_ref().map(|endpoint| OtlpConfig {
        url: format!("{endpoint}/v1/traces"),
        headers: otlp.headers.clone(),
        sample_ratio: otlp.sample_ratio,
        role: role.name(),
        instance: owner(),
    }))
}

fn owner() -> String {
    format!("{}/{}", host(), std::process::id())
}

/// The name of this machine.
pub(super) fn host() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_client_is_beside_the_api_where_that_is_a_region_s() {
        for (api_url, client) in [
            (
                "https://api.usw2.pure.cloud/",
                "https://apps.usw2.pure.cloud",
            ),
            // A proxy of one's own.
            (
                "https://api.gateway.example/",
                "https://apps.mypurecloud.ie",
            ),
            ("http://127.0.0.1:8090/", "https://apps.mypurecloud.ie"),
        ] {
            assert_eq!(web_client(api_url, "mypurecloud.ie"), client, "{api_url}");
        }
    }
}
