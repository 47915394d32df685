//! A real Prometheus for one test, with the project's own rules, scraping what the test names.
//!
//! `PROMETHEUS_HOME`, or else `PATH`, says where its program is. It finds its targets in files that may be rewritten while it
//! runs; Prometheus looks at what it found every five seconds, so that a new target takes as long to be scraped.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::node::Node;
use super::program::{PATIENCE, Program};
use super::vhost;

/// The jobs that rules and dashboards ask for, as in `deploy/prometheus/prometheus.yml`.
const JOBS: [&str; 2] = ["escalator", "rabbitmq"];

/// A running Prometheus; killed when dropped, also where a test panics, which then says what it logged last.
pub(crate) struct Prometheus {
    child: Child,
    /// Its base.
    pub(crate) url: String,
    client: Client,
    folder: TempDir,
}

/// What is scraped.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    job: &'static str,
    address: String,
    instance: String,
}

/// How it is set up.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How often targets are scraped, in Prometheus' words.
    pub(crate) scrape_interval: &'static str,
    /// How often rules are evaluated, where their group does not say.
    pub(crate) evaluation_interval: &'static str,
    /// Files of rules; the last part may be a pattern. By default the project's own.
    pub(crate) rules: Vec<PathBuf>,
}

/// One series at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// All labels, the name as `__name__` where there is one.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// One series over a while.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) labels: BTreeMap<String, String>,
    /// Unix seconds, and the value then.
    pub(crate) points: Vec<(f64, f64)>,
}

/// An alert that is pending or firing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) name: String,
    /// Without its name.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its condition is true, and not yet for long enough.
    Pending,
    Firing,
}

/// A rule as it was evaluated last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) group: String,
    /// Of the alert, or of the series that is recorded.
    pub(crate) name: String,
    pub(crate) query: String,
    /// `ok`, `err`, or `unknown` before it was evaluated.
    pub(crate) health: String,
    pub(crate) last_error: Option<String>,
}

impl Target {
    /// A program's admin listener.
    pub(crate) fn of(program: &Program) -> Self {
        let address = program.admin.strip_prefix("http://").unwrap();
        Self::at("escalator", address)
    }

    /// The broker of `make test`; none, if that is one of elsewhere that does not say where it tells of itself.
    pub(crate) fn broker() -> Option<Self> {
        let url = std::env::var("RABBITMQ_PROMETHEUS_URL").ok()?;
        Some(Self::by_url(&url))
    }

    /// A broker of the test's own.
    pub(crate) fn node(node: &Node) -> Self {
        Self::by_url(&node.prometheus_url)
    }

    fn by_url(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        Self::at("rabbitmq", address.strip_suffix("/metrics").unwrap())
    }

    /// Whatever answers there under `/metrics`, or does not.
    pub(crate) fn at(job: &'static str, address: &str) -> Self {
        assert!(JOBS.contains(&job), "there is no job {job}");
        Self {
            job,
            address: address.to_owned(),
            instance: address.to_owned(),
        }
    }

    /// With a name of its own instead of its address in the label `instance`.
    pub(crate) fn named(self, instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            ..self
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self {
            scrape_interval: "1s",
            evaluation_interval: "1s",
            rules: vec![root.join("deploy/prometheus/rules/*.yml")],
        }
    }
}

impl Prometheus {
    /// Starts one that scrapes these every second.
    pub(crate) async fn start(targets: &[Target]) -> Self {
        Self::with(Options::default(), targets).await
    }

    /// Starts one and waits until it answers. When the targets are scraped first is another matter: see [`Self::wait_until`].
    pub(crate) async fn with(options: Options, targets: &[Target]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        fs::create_dir(folder.path().join("targets")).unwrap();
        fs::write(&config, configuration(&options)).unwrap();
        write_targets(folder.path(), targets);
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program())
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .args(["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut prometheus = Self {
            child,
            url: String::new(),
            client: vhost::client(),
            folder,
        };
        prometheus.url = prometheus.becomes_ready().await;
        prometheus
    }

    /// Waits until it says that it is ready; where it listens, it has said before.
    async fn becomes_ready(&mut self) -> String {
        let waiting = async {
            loop {
                let log = self.log();
                if log.contains("Server is ready to receive web requests") {
                    let mut lines = log.lines();
                    let line = lines.find(|line| line.contains("msg=\"Listening on\""));
                    let address = line.and_then(|line| line.split_once("address="));
                    let (_, address) = address.expect("it says where it listens");
                    return format!("http://{}", address.split(' ').next().unwrap());
                }
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "Prometheus has ended:\n{log}");
                // Its log is a file, so that it can be read whenever a test fails; a file announces nothing.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(url) => url,
            Err(_) => panic!("Prometheus does not become ready"),
        }
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// From now on these are scraped, and no others.
    pub(crate) fn scrape(&self, targets: &[Target]) {
        write_targets(self.folder.path(), targets);
    }

    /// Has it read its settings and rules again.
    ///
    /// # Errors
    /// What is wrong with them. It goes on with those that it had.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        let request = self.client.request(Method::POST, self.at("/-/reload"));
        let answer = request.send().await.map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(answer.text().await.unwrap_or_default())
    }

    /// What an expression is now. A number without labels is a sample without labels.
    ///
    /// # Errors
    /// What Prometheus has against it, with the expression.
    pub(crate) async fn query(&self, promql: &str) -> Result<Vec<Sample>, String> {
        let data = self.ask("/api/v1/query", promql, &[]).await?;
        match data["resultType"].as_str() {
            Some("vector") => Ok(list(&data["result"])
                .iter()
                .map(|one| Sample {
                    labels: labels(&one["metric"]),
                    value: point(&one["value"]).1,
                })
                .collect()),
            Some("scalar") => Ok(vec![Sample {
                labels: BTreeMap::new(),
                value: point(&data["result"]).1,
            }]),
            other => Err(format!("{promql}: is a {other:?} and no vector")),
        }
    }

    /// What an expression was at each step of a while.
    ///
    /// # Errors
    /// What Prometheus has against it, with the expression.
    pub(crate) async fn query_range(
        &self,
        promql: &str,
        from: SystemTime,
        to: SystemTime,
        step: Duration,
    ) -> Result<Vec<Series>, String> {
        let more = [
            ("start", unix(from)),
            ("end", unix(to)),
            ("step", step.as_secs_f64()),
        ];
        let data = self.ask("/api/v1/query_range", promql, &more).await?;
        Ok(matrix(&data))
    }

    /// The samples of these series as they were scraped or recorded.
    ///
    /// # Errors
    /// What Prometheus has against the selector, with it.
    pub(crate) async fn series(
        &self,
        selector: &str,
        from: SystemTime,
        to: SystemTime,
    ) -> Result<Vec<Series>, String> {
        // A sample right at the beginning belongs to it for Prometheus 2, and not for 3.
        let range = to.duration_since(from).unwrap().as_millis();
        let promql = format!("{selector}[{range}ms]");
        let data = self
            .ask("/api/v1/query", &promql, &[("time", unix(to))])
            .await?;
        Ok(matrix(&data))
    }

    /// The alerts that are pending or firing.
    pub(crate) async fn alerts(&self) -> Vec<Alert> {
        let data = self.call("/api/v1/alerts", &[]).await.unwrap();
        list(&data["alerts"])
            .iter()
            .map(|one| {
                let mut labels = labels(&one["labels"]);
                Alert {
                    name: labels.remove("alertname").unwrap(),
                    labels,
                    annotations: self::labels(&one["annotations"]),
                    state: match one["state"].as_str() {
                        Some("pending") => State::Pending,
                        Some("firing") => State::Firing,
                        other => panic!("an alert is {other:?}"),
                    },
                }
            })
            .collect()
    }

    /// All rules that it has read.
    pub(crate) async fn rules(&self) -> Vec<Rule> {
        let data = self.call("/api/v1/rules", &[]).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let groups = list(&data["groups"]).iter();
        groups
            .flat_map(|group| list(&group["rules"]).iter().map(move |rule| (group, rule)))
            .map(|(group, rule)| Rule {
                group: text(&group["name"]),
                name: text(&rule["name"]),
                query: text(&rule["query"]),
                health: text(&rule["health"]),
                last_error: rule["lastError"]
                    .as_str()
                    .filter(|error| !error.is_empty())
                    .map(str::to_owned),
            })
            .collect()
    }

    /// Waits until an expression is as wanted. Panics with what it was last, and with what was wrong with the targets.
    pub(crate) async fn wait_until(
        &self,
        promql: &str,
        mut wanted: impl FnMut(&[Sample]) -> bool,
    ) -> Vec<Sample> {
        let mut last = Vec::new();
        let waiting = async {
            loop {
                last = self.query(promql).await.unwrap();
                if wanted(&last) {
                    return;
                }
                // Prometheus tells nobody that it has scraped.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let targets = self.targets().await;
            panic!("{promql}: not as wanted after {PATIENCE:?}: {last:#?}\ntargets: {targets:#?}");
        }
        last
    }

    /// Waits until an expression is one number, and that one.
    pub(crate) async fn becomes(&self, promql: &str, wanted: usize) {
        let wanted = u32::try_from(wanted).map(f64::from).unwrap();
        let is = |samples: &[Sample]| matches!(samples, [one] if (one.value - wanted).abs() < 1e-9);
        self.wait_until(promql, is).await;
    }

    /// Waits for an alert to be in this state with these labels, whatever others it has.
    pub(crate) async fn alerted(&self, name: &str, with: &[(&str, &str)], state: State) -> Alert {
        let is = |alert: &Alert| {
            let has = |(label, value): &(&str, &str)| {
                alert.labels.get(*label).is_some_and(|is| is == value)
            };
            alert.name == name && alert.state == state && with.iter().all(has)
        };
        let mut last = Vec::new();
        let waiting = async {
            loop {
                last = self.alerts().await;
                if let Some(found) = last.iter().find(|alert| is(alert)) {
                    return found.clone();
                }
                // Nor that it has evaluated its rules.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(alert) => alert,
            Err(_) => panic!("{name} {with:?} is not {state:?} after {PATIENCE:?}: {last:#?}"),
        }
    }

    /// How each target's last scrape went: its address, `up`, `down` or `unknown`, and why.
    pub(crate) async fn targets(&self) -> Vec<(String, String, String)> {
        let Ok(data) = self.call("/api/v1/targets", &[]).await else {
            return Vec::new();
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of = |one: &Value| {
            (
                text(&one["scrapeUrl"]),
                text(&one["health"]),
                text(&one["lastError"]),
            )
        };
        list(&data["activeTargets"]).iter().map(of).collect()
    }

    async fn ask(&self, path: &str, promql: &str, more: &[(&str, f64)]) -> Result<Value, String> {
        let mut pairs = vec![("query", promql.to_owned())];
        pairs.extend(
            more.iter()
                .map(|(name, value)| (*name, format!("{value:.3}"))),
        );
        let answer = self.call(path, &pairs).await;
        answer.map_err(|error| format!("{promql}: {error}"))
    }

    async fn call(&self, path: &str, form: &[(&str, String)]) -> Result<Value, String> {
        let request = self.client.get(self.at(path)).query(form);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        if answer["status"] == "success" {
            return Ok(answer["data"].clone());
        }
        Err(answer["error"].as_str().unwrap_or("no reason").to_owned())
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

impl Drop for Prometheus {
    #[allow(
        clippy::print_stderr,
        reason = "the folder with the log is gone in a moment"
    )]
    fn drop(&mut self) {
        // Both, and here: a process that still writes keeps the folder from being removed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(50)..];
            eprintln!("---- last lines of Prometheus' log\n{}", last.join("\n"));
        }
    }
}

fn program() -> PathBuf {
    let found = match std::env::var_os("PROMETHEUS_HOME").filter(|home| !home.is_empty()) {
        Some(home) => vec![PathBuf::from(home)],
        None => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect(),
    };
    let mut found = found.into_iter().map(|folder| folder.join("prometheus"));
    found.find(|program| program.is_file()).expect(
        "no prometheus in PROMETHEUS_HOME or PATH; deploy/local/install.sh prometheus installs it, or says how",
    )
}

fn configuration(options: &Options) -> String {
    let jobs = JOBS.map(|job| {
        json!({
            "job_name": job,
            "file_sd_configs": [{"files": [format!("targets/{job}.json")]}],
        })
    });
    // JSON is YAML.
    json!({
        "global": {
            "scrape_interval": options.scrape_interval,
            "scrape_timeout": options.scrape_interval,
            "evaluation_interval": options.evaluation_interval,
        },
        "rule_files": options.rules,
        "scrape_configs": jobs,
    })
    .to_string()
}

fn write_targets(folder: &Path, targets: &[Target]) {
    for job in JOBS {
        let of_job = targets.iter().filter(|target| target.job == job);
        let groups: Vec<_> = of_job
            .map(|target| {
                json!({"targets": [target.address], "labels": {"instance": target.instance}})
            })
            .collect();
        // In one go, for it is read as soon as it changes.
        let new = folder.join(format!("{job}.new"));
        fs::write(&new, Value::from(groups).to_string()).unwrap();
        fs::rename(new, folder.join(format!("targets/{job}.json"))).unwrap();
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// `[1700000000.123,"4"]`; a value may be `NaN` or `+Inf`.
fn point(value: &Value) -> (f64, f64) {
    let number = value[1].as_str().and_then(|text| text.parse().ok());
    (
        value[0].as_f64().unwrap(),
        number.unwrap_or_else(|| panic!("{value} is no sample")),
    )
}

fn matrix(data: &Value) -> Vec<Series> {
    assert_eq!(data["resultType"], "matrix", "{data}");
    list(&data["result"])
        .iter()
        .map(|one| Series {
            labels: labels(&one["metric"]),
            points: list(&one["values"]).iter().map(point).collect(),
        })
        .collect()
}

fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
