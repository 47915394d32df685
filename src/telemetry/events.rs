//! The events: what is counted and told, together.

use std::time::Duration;

use super::metrics::Telemetry;
use super::trace_context::TraceId;
use crate::escalation::invariant::Violation;
use crate::escalation::{Code, Contract, DeadLetterOrigin, Finding, Step};

/// How an unknown outcome of a write was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The effect was found, and counts.
    Adopted,
    /// There was none: the write may be repeated.
    Repeated,
    /// There may be one that nobody can reach: the write may be repeated, and that one is counted.
    Orphaned,
    /// There may have been one, which is over by now: the write may be repeated, and that one is counted.
    RunOut,
}

impl Settled {
    /// What becomes of the write, which is what the metric tells; orphans have one of their own.
    pub const ALL: [Self; 2] = [Self::Adopted, Self::Repeated];

    /// The metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adopted => "adopted",
            Self::Repeated | Self::Orphaned | Self::RunOut => "repeated",
        }
    }
}

/// A line that is a warning where somebody should look.
macro_rules! told {
    (loud = $loud:expr, $($field:tt)*) => {
        if $loud {
            tracing::warn!($($field)*);
        } else {
            tracing::info!($($field)*);
        }
    };
}

/// A webhook got its answer.
#[derive(Debug)]
pub struct WebhookAnswered<'a> {
    /// accepted, ignored, filtered, not_understood, bad_signature, no_signature, too_large, not_stored, late
    pub outcome: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The event's type, where it could be read.
    pub event_type: Option<&'a str>,
    /// The incident, where it could be read.
    pub incident: Option<&'a str>,
    /// PagerDuty's id of the webhook.
    pub webhook: Option<&'a str>,
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// Why, where something went wrong.
    pub reason: Option<&'a str>,
    /// From the header to the answer.
    pub took: Duration,
}

/// A request to a vendor ended.
#[derive(Debug)]
pub struct UpstreamAnswered<'a> {
    /// Whom.
    pub vendor: &'static str,
    /// What.
    pub operation: &'static str,
    /// The HTTP status, or `not_sent`, or `no_answer`.
    pub status: &'a str,
    /// The vendor's own id of the call.
    pub correlation: Option<&'a str>,
    /// From sending to the last byte.
    pub took: Duration,
}

/// A step ended.
#[derive(Debug)]
pub struct StepFinished<'a> {
    /// Which.
    pub step: &'static str,
    /// ok, later, final, ledger_away, in_other_hands, interrupted
    pub outcome: &'static str,
    /// The escalation.
    pub key: &'a str,
    /// How long it took.
    pub took: Duration,
}

/// A delivery was worked on: the one wide line of an attempt.
#[derive(Debug)]
pub struct AttemptFinished<'a> {
    /// done, cancelled, dead, later, handed_back, ended_before, noted (a resolution)
    pub outcome: &'static str,
    /// The escalation, once it is known.
    pub key: Option<&'a str>,
    /// The incident.
    pub incident: &'a str,
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// The conversation, once it is known.
    pub conversation: Option<&'a str>,
    /// The agent, once known.
    pub agent: Option<&'a str>,
    /// The lane.
    pub lane: &'static str,
    /// Where the message came from.
    pub origin: &'static str,
    /// The last step that was worked on.
    pub step: Option<&'static str>,
    /// Why it did not go on.
    pub code: Option<Code>,
    /// The same in words.
    pub reason: Option<&'a str>,
    /// What to do about it, where a person has to do something.
    pub hint: Option<&'static str>,
    /// How long it waits, if it does.
    pub delay: Option<Duration>,
    /// Attempts spent so far.
    pub attempts: u32,
    /// The lease's number.
    pub epoch: u64,
    /// The broker had delivered it before.
    pub redelivered: bool,
    /// The lease before this one had not been given back.
    pub recovered: bool,
    /// How long this attempt took.
    pub took: Duration,
    /// How long ago the ingress accepted it.
    pub age: Duration,
    /// Whether it ever waited for people: for an agent to connect.
    pub waited: Waited,
}

/// For whom an escalation has waited on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Waited {
    /// For nobody.
    #[default]
    No,
    /// Nobody was connected to the conversation for a while.
    Agent,
}

impl Waited {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::No, Self::Agent];

    /// The metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Agent => "agent",
        }
    }
}

/// The ledger has forgotten what was old.
#[derive(Debug)]
pub struct LedgerPruned {
    /// Escalations, with their history.
    pub escalations: u64,
    /// Conversations.
    pub conversations: u64,
    /// Tombstones of incidents.
    pub resolutions: u64,
    /// Links.
    pub links: u64,
    /// Dead letters that were closed long ago.
    pub letters: u64,
}

/// A dead letter came from the queue into the ledger.
#[derive(Debug, Clone, Copy)]
pub struct LetterKept<'a> {
    /// Its id.
    pub id: &'a str,
    /// What became of it: `kept`, `known`, `replaced`, or `closed` at once.
    pub outcome: &'static str,
    /// Its code.
    pub code: Code,
    /// Where it comes from.
    pub origin: DeadLetterOrigin,
    /// Its incident, where one is known.
    pub incident: Option<&'a str>,
}

impl Telemetry {
    /// Counts and tells.
    pub fn webhook_answered(&self, event: &WebhookAnswered<'_>) {
        self.webhooks.with_label_values(&[event.outcome]).inc();
        self.webhook_seconds
            .with_label_values(&[event.outcome])
            .observe(event.took.as_secs_f64());
        // A 4xx is dropped by PagerDuty, a 5xx comes again: both want somebody's eye.
        told!(
            loud = event.status >= 400,
            event = "webhook.answered",
            outcome = event.outcome,
            status = event.status,
            event_type = event.event_type,
            incident = event.incident,
            webhook = event.webhook,
            trace_id = %event.trace,
            reason = event.reason,
            took_ms = millis(event.took),
        );
    }

    /// Counts a direct start: accepted, refused, or not_stored. Whoever asked has the reason in its answer.
    pub fn started_directly(&self, outcome: &'static str) {
        self.direct_starts.with_label_values(&[outcome]).inc();
    }

    /// Counts and, at debug level, tells: the attempt's own line says what came of it.
    pub fn upstream_answered(&self, event: &UpstreamAnswered<'_>) {
        self.upstream
            .with_label_values(&[event.vendor, event.operation, event.status])
            .observe(event.took.as_secs_f64());
        if event.status == "429" {
            self.throttled.with_label_values(&[event.vendor]).inc();
        }
        tracing::debug!(
            event = "upstream.answered",
            vendor = event.vendor,
            operation = event.operation,
            status = event.status,
            correlation = event.correlation,
            took_ms = millis(event.took),
        );
    }

    /// Counts and, at debug level, tells.
    pub fn step_finished(&self, event: &StepFinished<'_>) {
        self.steps
            .with_label_values(&[event.step, event.outcome])
            .observe(event.took.as_secs_f64());
        tracing::debug!(
            event = "step.finished",
            step = event.step,
            outcome = event.outcome,
            key = event.key,
            took_ms = millis(event.took),
        );
    }

    /// Counts and tells.
    pub fn attempt_finished(&self, event: &AttemptFinished<'_>) {
        let labels = [event.lane, event.outcome];
        self.attempts.with_label_values(&labels).inc();
        self.attempt_seconds
            .with_label_values(&labels)
            .observe(event.took.as_secs_f64());
        match (event.outcome, event.code) {
            ("done", _) => self
                .accepted_to_note
                .with_label_values(&[event.lane, event.waited.as_str()])
                .observe(event.age.as_secs_f64()),
            ("dead", code) => self.dead_letter_written(code.unwrap_or(Code::Internal)),
            ("later", Some(code)) => self.waits.with_label_values(&[code.as_str()]).inc(),
            _ => {}
        }
        // What waits for a person is told louder than what helps itself.
        told!(
            loud = event.hint.is_some(),
            event = "escalation.attempt",
            outcome = event.outcome,
            key = event.key,
            incident = event.incident,
            trace_id = %event.trace,
            conversation = event.conversation,
            agent = event.agent,
            lane = event.lane,
            origin = event.origin,
            step = event.step,
            code = event.code.map(Code::as_str),
            reason = event.reason,
            hint = event.hint,
            delay_ms = event.delay.map(millis),
            attempts = event.attempts,
            epoch = event.epoch,
            redelivered = event.redelivered,
            recovered = event.recovered,
            took_ms = millis(event.took),
            age_ms = millis(event.age),
        );
    }

    /// Counts a delivery taken from a lane.
    pub fn delivered(&self, lane: &'static str, redelivered: bool) {
        let redelivered = if redelivered { "true" } else { "false" };
        self.deliveries
            .with_label_values(&[lane, redelivered])
            .inc();
        self.takes_from(lane);
    }

    /// Measures how long an escalation lay in its queue until a worker claimed it for the first time.
    pub fn first_claimed(&self, lane: &'static str, age: Duration) {
        self.accepted_to_claim
            .with_label_values(&[lane])
            .observe(age.as_secs_f64());
    }

    /// Counts and tells that the work on a message panicked.
    pub fn panicked(&self, incident: &str, error: &dyn std::fmt::Display) {
        self.panics.with_label_values::<&str>(&[]).inc();
        tracing::error!(event = "worker.panicked", incident, %error);
    }

    /// Tells the end of one of the three phases in which a process ends.
    pub fn drain_phase(&self, phase: &'static str, took: Duration, in_hand: usize) {
        let took_ms = millis(took);
        if in_hand > 0 && phase != "stop_taking" {
            // The broker delivers them again; whoever gets them waits for the lease.
            tracing::warn!(event = "drain.phase", phase, took_ms, in_hand);
        } else {
            tracing::info!(event = "drain.phase", phase, took_ms, in_hand);
        }
    }

    /// Counts a message handed to the broker. The line that tells it is the webhook's or the attempt's.
    pub fn published(&self, target: &'static str, outcome: &'static str, took: Duration) {
        self.published.with_label_values(&[target, outcome]).inc();
        self.publish_seconds
            .with_label_values(&[target])
            .observe(took.as_secs_f64());
    }

    /// Counts a dead letter that no attempt tells of: of bytes that could not be read.
    pub fn dead_letter_written(&self, code: Code) {
        self.dead_letters
            .with_label_values(&[code.as_str(), code.cause().as_str()])
            .inc();
    }

    /// Counts and tells that a dead letter is in the ledger.
    pub fn letter_kept(&self, event: &LetterKept<'_>) {
        let code = event.code.as_str();
        self.letters_kept
            .with_label_values(&[code, event.outcome])
            .inc();
        if event.outcome == "kept" && event.origin == DeadLetterOrigin::Broker {
            // Nobody of ours has written it.
            self.dead_letter_written(event.code);
        }
        match event.outcome {
            // It came again; the ack before was lost.
            "known" => tracing::debug!(event = "dead_letter.known", id = event.id),
            outcome => tracing::info!(
                event = "dead_letter.kept",
                id = event.id,
                outcome,
                code,
                origin = event.origin.as_str(),
                incident = event.incident,
            ),
        }
    }

    /// Counts and tells that an incident has the note of its escalation's death.
    pub fn incident_told(&self, letter: &str, incident: Option<&str>) {
        self.failure_notes.with_label_values(&["told"]).inc();
        tracing::info!(event = "incident.told", letter, incident);
    }

    /// Counts and tells that it will not have it.
    pub fn incident_not_told(&self, letter: &str, incident: Option<&str>, reason: &str) {
        self.failure_notes.with_label_values(&["not_told"]).inc();
        tracing::warn!(event = "incident.not_told", letter, incident, reason);
    }

    /// Counts how an unknown outcome of a write was settled.
    pub fn unknown_settled(&self, step: Step, settled: Settled, key: &str) {
        let (step_name, settled_name) = (step.as_str(), settled.as_str());
        self.unknown_outcomes
            .with_label_values(&[step_name, settled_name])
            .inc();
        if matches!(settled, Settled::Orphaned | Settled::RunOut) {
            self.possible_orphans.with_label_values::<&str>(&[]).inc();
        }
        tracing::warn!(
            event = "write.unknown_settled",
            step = step_name,
            settled = settled_name,
            key
        );
    }

    /// Counts a session that may exist at Genesys, and that nobody will use.
    pub fn possible_orphan(&self, key: &str) {
        self.possible_orphans.with_label_values::<&str>(&[]).inc();
        tracing::info!(event = "session.forgotten", key);
    }

    /// Tells what was found out about the Genesys on the other side.
    pub fn genesys_found(&self, account: &str, finding: Finding) {
        for contract in Contract::ALL {
            let in_force = contract == finding.contract;
            self.genesys_contract
                .with_label_values(&[contract.as_str()])
                .set(i64::from(in_force));
        }
        tracing::info!(
            event = "genesys.contract",
            account,
            contract = finding.contract.as_str(),
            confirmed = finding.confirmed,
            shows_sessions = finding.shows_sessions,
            shows_joined = finding.shows_joined
        );
    }

    /// Counts what must never be otherwise, and was.
    pub fn violated(&self, violation: &Violation, key: &str) {
        let invariant = violation.invariant.as_str();
        self.violations.with_label_values(&[invariant]).inc();
        tracing::error!(
            event = "invariant.violated",
            invariant,
            detail = violation.detail,
            key
        );
    }

    /// Counts a claim on an escalation whose lease before had ended without being given back.
    pub fn taken_over(&self) {
        self.takeovers.with_label_values::<&str>(&[]).inc();
    }

    /// Counts a write to the ledger that was refused, since a newer claim exists.
    pub fn fenced(&self, operation: &'static str, key: &str) {
        self.fenced.with_label_values(&[operation]).inc();
        tracing::warn!(event = "ledger.fenced", operation, key);
    }

    /// Measures an operation of the ledger.
    pub fn ledger_answered(&self, operation: &'static str, outcome: &'static str, took: Duration) {
        self.ledger
            .with_label_values(&[operation, outcome])
            .observe(took.as_secs_f64());
    }

    /// Counts what was forgotten, and tells it where it was anything.
    pub fn ledger_pruned(&self, event: &LedgerPruned) {
        let counts = [
            ("escalations", event.escalations),
            ("conversations", event.conversations),
            ("resolutions", event.resolutions),
            ("links", event.links),
            ("dead_letters", event.letters),
        ];
        for (what, count) in counts {
            self.pruned.with_label_values(&[what]).inc_by(count);
        }
        if counts.iter().any(|(_, count)| *count > 0) {
            tracing::info!(
                event = "ledger.pruned",
                escalations = event.escalations,
                conversations = event.conversations,
                resolutions = event.resolutions,
                links = event.links,
                dead_letters = event.letters,
            );
        }
    }

    /// Counts an effect that was found twice.
    pub fn duplicate_found(&self, step: &'static str, key: &str) {
        self.duplicate_effects.with_label_values(&[step]).inc();
        tracing::error!(event = "effect.found_twice", step, key);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
