//! What goes wrong at the vendors beside the crash.

use std::time::Duration;

use escalator::simulator::{Fault, Operation, Simulator, What, Which};

/// Longer than a call may take.
const AFTER_THE_DEADLINE: Duration = Duration::from_millis(400);
/// Later than anybody would look who did not wait for the settle time: after the call's end and every backoff, after the
/// lease of a process that crashed; and still before that call's deadline and the settle time are over.
pub(crate) const LATE: Duration = Duration::from_millis(4500);

/// The times that a run is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) lease_ms: i64,
    pub(crate) settle_ms: i64,
    pub(crate) call_ms: i64,
}

/// The shortest that make sense: what a run costs is waiting for leases.
const SHORT: Times = Times {
    lease_ms: 500,
    settle_ms: 200,
    call_ms: 300,
};
/// Long enough for a request to land when everybody would think it was lost.
pub(crate) const LONG: Times = Times {
    lease_ms: 3000,
    settle_ms: 2500,
    call_ms: 2300,
};

/// A named script of faults.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    /// `attach_media:answer lost`, or `none`.
    pub(crate) name: String,
    /// The call that it is about, as the program names it: crashes begin there.
    pub(crate) call: Option<&'static str>,
    pub(crate) times: Times,
    faults: Vec<Fault>,
}

/// The calls that a fault can be about: as the program names them, and as the simulator does.
const WRITES: [(&str, Operation); 3] = [
    ("create_session", Operation::GenesysCreateSession),
    ("attach_media", Operation::GenesysAttachMedia),
    ("write_note", Operation::PagerdutyCreateNote),
];
const READS: [(&str, Operation); 3] = [
    ("token", Operation::GenesysToken),
    ("read_alerts", Operation::PagerdutyAlerts),
    ("read_conversation", Operation::GenesysConversation),
];

impl Script {
    /// Nothing goes wrong but the crash.
    pub(crate) fn none() -> Self {
        Self {
            name: "none".to_owned(),
            call: None,
            times: SHORT,
            faults: Vec::new(),
        }
    }

    /// Every fault of every call.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for (call, operation) in WRITES {
            for (name, what) in of_a_write(call) {
                all.push(Self::of(call, name, vec![first(operation, what)]));
            }
        }
        for (call, operation) in READS {
            for (name, what) in of_a_read(call) {
                all.push(Self::of(call, name, vec![first(operation, what)]));
            }
        }
        // A look-up only happens behind a write whose answer was lost; what goes wrong with it comes on top.
        for (name, what) in of_a_read("read_notes") {
            let lost = first(Operation::PagerdutyCreateNote, What::LoseAnswer);
            let look = first(Operation::PagerdutyListNotes, what);
            all.push(Self::of("read_notes", name, vec![lost, look]));
        }
        for (name, what) in of_a_read("read_conversation") {
            let lost = first(Operation::GenesysAttachMedia, What::LoseAnswer);
            let look = Fault {
                operation: Operation::GenesysConversation,
                which: Which::Nth(2),
                what,
            };
            let name = format!("answer lost, then look-up {name}");
            all.push(Self::of("attach_media", &name, vec![lost, look]));
        }
        all
    }

    /// Every fault of the one write that the published contract has, and of the look behind it.
    pub(crate) fn of_an_offer() -> Vec<Self> {
        let offer = Operation::GenesysOfferSession;
        let mut all = Vec::new();
        for (name, what) in of_a_write("offer_session") {
            all.push(Self::of("offer_session", name, vec![first(offer, what)]));
        }
        for (name, what) in of_a_read("read_conversation") {
            let look = Fault {
                operation: Operation::GenesysConversation,
                which: Which::Nth(2),
                what,
            };
            let name = format!("answer lost, then look-up {name}");
            let lost = first(offer, What::LoseAnswer);
            all.push(Self::of("offer_session", &name, vec![lost, look]));
        }
        all
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Self {
        let all = Self::all().into_iter().chain([Self::none()]);
        let all = all.chain(Self::of_an_offer());
        let mut found = all.filter(|script| script.name == name);
        found
            .next()
            .unwrap_or_else(|| panic!("there is no fault {name:?}"))
    }

    pub(crate) fn play(&self, simulator: &Simulator) {
        for fault in &self.faults {
            simulator.script(fault.clone());
        }
    }

    fn of(call: &'static str, name: &str, faults: Vec<Fault>) -> Self {
        let late = faults.iter().any(|fault| fault.what == What::Late(LATE));
        Self {
            name: format!("{call}: {name}"),
            call: Some(call),
            times: if late { LONG } else { SHORT },
            faults,
        }
    }
}

fn first(operation: Operation, what: What) -> Fault {
    Fault {
        operation,
        which: Which::Nth(1),
        what,
    }
}

fn throttled(call: &str) -> What {
    match call {
        "write_note" | "read_alerts" | "read_notes" => What::pagerduty_throttled(1),
        _ => What::genesys_throttled(1),
    }
}

fn of_a_write(call: &str) -> Vec<(&'static str, What)> {
    vec![
        ("answer lost", What::LoseAnswer),
        ("request lost", What::Drop),
        ("503 before", What::status(503)),
        ("503 after", What::Fail(503)),
        ("429", throttled(call)),
        ("lands late", What::Late(LATE)),
        ("answers late", What::Slow(AFTER_THE_DEADLINE)),
        ("unreadable", What::Garbage),
        ("refused", What::status(400)),
    ]
}

fn of_a_read(call: &str) -> Vec<(&'static str, What)> {
    vec![
        ("answer lost", What::LoseAnswer),
        ("503", What::status(503)),
        ("429", throttled(call)),
        ("answers late", What::Slow(AFTER_THE_DEADLINE)),
    ]
}
