//! Spans: what is recorded of a piece of work, if anybody wants it, and the trace it belongs to, always.
//!
//! Own ones, and not those of `tracing`: with the export off, which is the default, all that a span costs is the 25 bytes of a
//! [`TraceContext`], which goes on unchanged, so that nobody is told of a span that nobody has recorded.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use tokio::task_local;

use super::metrics::{ExportedSpans, Telemetry};
use super::trace_context::{SpanId, TraceContext, TraceId};

task_local! {
    static CURRENT: TraceContext;
}

/// What a span is to the one that it follows from; the numbers are OTLP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanKind {
    /// Within this process.
    Internal = 1,
    /// Somebody's request is answered.
    Server = 2,
    /// Somebody is asked.
    Client = 3,
    /// A message is sent.
    Producer = 4,
    /// A message is worked on.
    Consumer = 5,
}

/// What is said of a span.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Text(String),
    Number(i64),
    Flag(bool),
}

/// A piece of work in a trace. It ends when it is dropped, and is exported then, if it is recorded at all.
#[derive(Debug)]
pub struct Span {
    context: TraceContext,
    recording: Option<Box<Recording>>,
}

#[derive(Debug)]
struct Recording {
    queue: Arc<Queue>,
    record: Record,
    began: Instant,
}

/// A span as it is exported.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) context: TraceContext,
    pub(super) parent: Option<SpanId>,
    pub(super) kind: SpanKind,
    pub(super) name: String,
    pub(super) began: SystemTime,
    pub(super) took: Duration,
    pub(super) attributes: Vec<(&'static str, Said)>,
    pub(super) failed: bool,
}

/// Where finished spans wait for their export. Whoever ends a span never waits for anything.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) waiting: mpsc::Sender<Record>,
    pub(super) counts: ExportedSpans,
    /// Of the traces that begin here those are recorded whose [`TraceId::chance`] is below this, in 63 bits.
    pub(super) below: u64,
}

impl Queue {
    /// The bound for a share of all traces.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of 2^63, rounded"
    )]
    pub(super) fn bound(ratio: f64) -> u64 {
        const ALL: u64 = 1 << 63;
        (ratio.clamp(0.0, 1.0) * ALL as f64) as u64
    }

    /// As OpenTelemetry's `TraceIdRatioBased` decides: the same for a trace wherever it is asked.
    fn samples(&self, trace: TraceId) -> bool {
        trace.chance() >> 1 < self.below
    }

    fn take(&self, record: Record) {
        if self.waiting.try_send(record).is_err() {
            self.counts.dropped(1);
        }
    }
}

impl Telemetry {
    /// Begins a span: in the trace of its parent, whose decision to record holds; or in a trace of its own.
    pub(super) fn open(
        &self,
        parent: Option<TraceContext>,
        kind: SpanKind,
        name: impl FnOnce() -> String,
    ) -> Span {
        let queue = self.exporting.get();
        let known = parent.unwrap_or_else(|| {
            TraceContext::begin(|trace| queue.is_some_and(|queue| queue.samples(trace)))
        });
        let Some(queue) = queue.filter(|_| known.is_sampled()) else {
            return Span {
                context: known,
                recording: None,
            };
        };
        let context = if parent.is_some() {
            known.next()
        } else {
            known
        };
        let record = Record {
            context,
            parent: parent.map(TraceContext::span_id),
            kind,
            name: name(),
            began: SystemTime::now(),
            took: Duration::ZERO,
            attributes: Vec::with_capacity(12),
            failed: false,
        };
        let recording = Recording {
            queue: queue.clone(),
            record,
            began: Instant::now(),
        };
        Span {
            context,
            recording: Some(Box::new(recording)),
        }
    }

    /// The same, for what belongs to the work at hand; `None` where that belongs to no trace, as in `check`.
    pub(super) fn open_within(
        &self,
        kind: SpanKind,
        name: impl FnOnce() -> String,
    ) -> Option<Span> {
        current().map(|parent| self.open(Some(parent), kind, name))
    }
}

impl Span {
    /// What follows from it names this as its parent.
    #[must_use]
    pub fn context(&self) -> TraceContext {
        self.context
    }

    /// Does some work as a part of this span. Cancel-safe if the work is.
    pub async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.context, work).await
    }

    /// It is not exported, whatever was decided.
    pub fn forget(&mut self) {
        self.recording = None;
    }

    pub(super) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    pub(super) fn text(&mut self, key: &'static str, value: &str) {
        if let Some(record) = self.record() {
            record.attributes.push((key, Said::Text(value.to_owned())));
        }
    }

    /// What is longer than 63 bits is told as that much.
    pub(super) fn number(&mut self, key: &'static str, value: impl TryInto<i64>) {
        if let Some(record) = self.record() {
            let value = value.try_into().unwrap_or(i64::MAX);
            record.attributes.push((key, Said::Number(value)));
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, value: bool) {
        if let Some(record) = self.record() {
            record.attributes.push((key, Said::Flag(value)));
        }
    }

    /// It did not do what it was there for; `kind` is one of a few names, never a message.
    pub(super) fn failed(&mut self, kind: &str) {
        self.text("error.type", kind);
        if let Some(record) = self.record() {
            record.failed = true;
        }
    }

    fn record(&mut self) -> Option<&mut Record> {
        self.recording
            .as_mut()
            .map(|recording| &mut recording.record)
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.recording.is_some() && std::thread::panicking() {
            self.failed("panic");
        }
        if let Some(recording) = self.recording.take() {
            let mut record = recording.record;
            // By the clock that is never set: a span cannot end before it began.
            record.took = recording.began.elapsed();
            recording.queue.take(record);
        }
    }
}

/// Where in which trace the work at hand belongs.
#[must_use]
pub(super) fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok()
}

/// The same work, which stays in the trace of whoever asked for it also as a task of its own.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let context = current();
    async move {
        match context {
            Some(context) => CURRENT.scope(context, work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn recorded(ratio: f64, room: usize) -> (Telemetry, mpsc::Receiver<Record>) {
        let telemetry = Telemetry::new().unwrap();
        let (waiting, taken) = mpsc::channel(room);
        let queue = Queue {
            waiting,
            counts: telemetry.exported_spans(),
            below: Queue::bound(ratio),
        };
        telemetry.exporting.set(Arc::new(queue)).unwrap();
        (telemetry, taken)
    }

    fn parent(flags: &str) -> TraceContext {
        let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        TraceContext::parse(text.as_bytes()).unwrap()
    }

    fn named() -> String {
        "a span".to_owned()
    }

    #[test]
    fn without_an_export_the_parent_goes_on_as_it_is_and_nothing_is_named() {
        let telemetry = Telemetry::new().unwrap();
        for flags in ["00", "01"] {
            let span = telemetry.open(Some(parent(flags)), SpanKind::Server, || unreachable!());
            assert_eq!(span.context(), parent(flags));
        }
        let begun = telemetry.open(None, SpanKind::Server, || unreachable!());
        assert!(!begun.context().is_sampled());
    }

    #[test]
    fn the_parents_decision_holds_whatever_the_ratio() {
        for ratio in [0.0, 1.0] {
            let (telemetry, mut taken) = recorded(ratio, 8);
            drop(telemetry.open(Some(parent("00")), SpanKind::Consumer, named));
            assert!(taken.try_recv().is_err());
            let span = telemetry.open(Some(parent("01")), SpanKind::Consumer, named);
            let context = span.context();
            assert_ne!(context, parent("01"));
            drop(span);
            let record = taken.try_recv().unwrap();
            assert_eq!(record.context, context);
            assert_eq!(record.parent, Some(parent("01").span_id()));
        }
    }

    #[test]
    fn of_the_traces_that_begin_here_the_wanted_share_is_recorded() {
        for (ratio, least, most) in [(0.0, 0, 0), (0.25, 150, 350), (1.0, 1000, 1000)] {
            let (telemetry, mut taken) = recorded(ratio, 1000);
            for _ in 0..1000 {
                let span = telemetry.open(None, SpanKind::Server, named);
                // What follows from it is decided with it.
                let child = telemetry.open(Some(span.context()), SpanKind::Internal, named);
                assert_eq!(span.context().is_sampled(), child.context().is_sampled());
                let mut child = child;
                child.forget();
            }
            let mut count = 0;
            while taken.try_recv().is_ok() {
                count += 1;
            }
            assert!((least..=most).contains(&count), "{ratio}: {count}");
        }
    }

    #[test]
    fn who_ends_a_span_never_waits_and_what_finds_no_room_is_counted() {
        let (telemetry, taken) = recorded(1.0, 1);
        for _ in 0..3 {
            drop(telemetry.open(None, SpanKind::Server, named));
        }
        drop(taken);
        drop(telemetry.open(None, SpanKind::Server, named));
        let text = telemetry.render().unwrap();
        assert!(
            text.contains("escalator_otlp_spans_total{outcome=\"dropped\"} 3"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_task_of_its_own_stays_in_the_trace_only_where_that_is_wanted() {
        let telemetry = Telemetry::new().unwrap();
        let span = telemetry.open(Some(parent("01")), SpanKind::Server, named);
        assert_eq!(current(), None);
        span.around(async {
            assert_eq!(current(), Some(parent("01")));
            let carried = tokio::spawn(carried(async { current() }));
            assert_eq!(carried.await.unwrap(), Some(parent("01")));
            assert_eq!(tokio::spawn(async { current() }).await.unwrap(), None);
        })
        .await;
        assert_eq!(carried(async { current() }).await, None);
    }
}
