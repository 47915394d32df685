//! An escalation that had died, and was told of in the incident, runs again: the real note takes the place of that one.
//!
//! What an operator's replay leaves in the ledger is put there by hand.

use std::sync::atomic::Ordering;
use std::time::Duration;

use escalator::escalation::{
    End, FailureNote, IncidentId, Key, Lane, Marker, NoteId, NoteOutcome, Origin, Progress, Trigger,
};
use escalator::ledger::{Arrival, Claim, ClaimRequest, Ledger, Record, Sqlite, Then};
use escalator::simulator::{
    CobrowseApi, Config, Effects, Fault, Operation, Simulator, What, Which,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::faults::{SPREAD, failed, lost};
use super::losing::{Bench, Loses, NONE, calm};
use super::secrecy::names;
use super::{all_ended, always, attempts, count, dead, delay, ended, next, nth, requests, trigger};
use crate::listing::shown;
use crate::support::program::Program;
use crate::support::world::{Case, World, assert_once};

fn incident(case: &Case) -> IncidentId {
    IncidentId::parse(&case.incident).unwrap()
}

fn key(case: &Case) -> Key {
    Key::of(&incident(case), &Trigger::First)
}

fn marker(case: &Case, outcome: NoteOutcome) -> Marker {
    Marker::of(&key(case), outcome)
}

/// Asks the simulator for something about an incident's notes, as whoever told of the failure would.
fn ask(
    simulator: &Simulator,
    method: reqwest::Method,
    case: &Case,
    path: &str,
) -> reqwest::RequestBuilder {
    let (base, config) = (simulator.pagerduty_url(), simulator.config());
    let base = base.trim_end_matches('/');
    let url = format!("{base}/incidents/{}/notes{path}", case.incident);
    reqwest::Client::new()
        .request(method, url)
        .header("accept", "application/vnd.pagerduty+json;version=2")
        .header("authorization", format!("Token token={}", config.api_token))
        .header("from", &config.from_email)
}

fn telling(simulator: &Simulator, case: &Case) -> reqwest::RequestBuilder {
    let marker = marker(case, NoteOutcome::Failed);
    let content = format!("No cobrowse session.\n\n{}", marker.as_str());
    ask(simulator, reqwest::Method::POST, case, "").json(&json!({"note": {"content": content}}))
}

/// The note that tells of the failure, as it was written back then.
async fn tells_of_the_failure(simulator: &Simulator, case: &Case) -> NoteId {
    let answer = telling(simulator, case).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: serde_json::Value = answer.json().await.unwrap();
    NoteId::parse(body["note"]["id"].as_str().unwrap()).unwrap()
}

fn known(note: &NoteId) -> FailureNote {
    FailureNote {
        note: Some(note.clone()),
        in_doubt_until: None,
    }
}

fn in_doubt(note: Option<NoteId>, until: Timestamp) -> FailureNote {
    FailureNote {
        note,
        in_doubt_until: Some(until),
    }
}

/// What a replay leaves in the ledger: nothing was done yet, and a failure was told of.
async fn replayed(ledger: &dyn Ledger, case: &Case, failure_note: FailureNote) {
    let now = Timestamp::now();
    let claim = ledger.claim(ClaimRequest {
        incident: incident(case),
        trigger: Trigger::First,
        cycle: 0,
        accepted_at: now,
        occurred_at: now,
        arrival: Arrival {
            origin: Origin::Webhook,
            lane: Lane::High,
            event_kind: "incident.triggered".to_owned(),
            event: None,
            redelivered: false,
        },
        owner: "replay".to_owned(),
        lease: Duration::from_secs(60),
        expires_after: Duration::from_secs(86_400),
    });
    let Claim::Granted(granted) = claim.await.unwrap() else {
        panic!("nobody else has it");
    };
    let record = Record {
        held: granted.held,
        progress: Progress {
            failure_note: Some(failure_note),
            ..Progress::default()
        },
        attempts: 0,
        cobrowse: None,
        history: Vec::new(),
        then: Then::Release { conversation: None },
    };
    ledger.record(record).await.unwrap();
}

/// A world with a worker in it.
struct Stage {
    world: World,
    program: Program,
    ledger: Sqlite,
}

impl Stage {
    async fn new(settings: &[(&str, &str)]) -> Self {
        Self::with(Config::default(), settings).await
    }

    async fn with(config: Config, settings: &[(&str, &str)]) -> Self {
        let world = World::with(config).await;
        let program = world.start("serve", settings).await;
        let ledger = Sqlite::open(&world.ledger()).unwrap();
        Self {
            world,
            program,
            ledger,
        }
    }

    /// A case whose death was told in this note.
    async fn told(&self) -> (Case, NoteId) {
        let case = self.world.case();
        let note = tells_of_the_failure(&self.world.simulator, &case).await;
        (case, note)
    }

    async fn runs_again(&self, case: &Case, failure_note: FailureNote) {
        replayed(&self.ledger, case, failure_note).await;
        trigger(&self.world, &self.program, case).await;
    }

    /// Waits for its end, which cost no attempt.
    async fn succeeds(&self, case: &Case) -> Effects {
        let done = ended(&self.program, case, "done").await;
        assert_eq!(done["attempts"], 0, "{done}");
        assert_nothing_left_to_replace(&self.ledger, case).await;
        self.world.simulator.effects()
    }

    fn asked(&self, operations: [Operation; 3]) -> [usize; 3] {
        operations.map(|operation| count(&self.world, operation))
    }
}

const LISTED: Operation = Operation::PagerdutyListNotes;
const WRITTEN: Operation = Operation::PagerdutyCreateNote;
const REWRITTEN: Operation = Operation::PagerdutyUpdateNote;

/// It is done, and what is recorded of it says nothing of a failure any more.
async fn assert_nothing_left_to_replace(ledger: &Sqlite, case: &Case) {
    let known = ledger.generations(&incident(case)).await.unwrap();
    let last = known.last().unwrap();
    assert_eq!(last.end, Some(End::Done));
    assert_eq!(last.progress.failure_note, None);
}

/// One note, and it is this one, and tells of the session.
fn assert_replaced(effects: &Effects, case: &Case, note: &NoteId) {
    assert_once(effects, std::slice::from_ref(case));
    let notes = effects.notes_of(&case.incident);
    assert_eq!(notes[0].id, note.as_str());
    let content = &notes[0].content;
    assert!(marker(case, NoteOutcome::Ready).is_in(content), "{content}");
    assert!(
        !marker(case, NoteOutcome::Failed).is_in(content),
        "{content}"
    );
}

/// The note of the failure stayed, and one note beside it tells of the session.
fn assert_beside(effects: &Effects, case: &Case, note: &NoteId) {
    let notes = effects.notes_of(&case.incident);
    assert_eq!(notes.len(), 2, "{notes:#?}");
    assert_eq!(notes[0].id, note.as_str());
    assert!(marker(case, NoteOutcome::Failed).is_in(&notes[0].content));
    assert!(marker(case, NoteOutcome::Ready).is_in(&notes[1].content));
    assert_eq!(effects.attachments_of(&case.conversation).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_note_takes_the_place_of_the_one_that_told_of_the_failure() {
    let stage = Stage::new(&[]).await;
    let (case, note) = stage.told().await;
    stage.runs_again(&case, known(&note)).await;
    let effects = stage.succeeds(&case).await;
    assert_replaced(&effects, &case, &note);
    assert_eq!(stage.asked([LISTED, WRITTEN, REWRITTEN]), [0, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_of_the_failure_that_may_not_be_replaced_stays_and_the_real_one_is_written_once() {
    let stage = Stage::new(&[]).await;
    for status in [403, 404, 405] {
        let before = stage.asked([LISTED, WRITTEN, REWRITTEN]);
        next(&stage.world, REWRITTEN, What::status(status));
        let (case, note) = stage.told().await;
        stage.runs_again(&case, known(&note)).await;
        let effects = stage.succeeds(&case).await;
        assert_beside(&effects, &case, &note);
        let after = stage.asked([LISTED, WRITTEN, REWRITTEN]);
        let asked = std::array::from_fn(|at| after[at] - before[at]);
        assert_eq!(asked, [0, 2, 1], "{status}");
        let history = stage.ledger.history(&key(&case)).await.unwrap();
        let says = history.iter().find(|line| {
            line.what.contains(&format!("rewrite_note with {status}"))
                && line.what.contains("a new note is written instead")
        });
        assert!(says.is_some(), "{history:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_of_the_failure_that_somebody_has_deleted_is_written_anew() {
    let stage = Stage::new(&[]).await;
    let (case, note) = stage.told().await;
    let deleted = ask(
        &stage.world.simulator,
        reqwest::Method::DELETE,
        &case,
        &format!("/{note}"),
    );
    assert_eq!(deleted.send().await.unwrap().status(), 204);
    stage.runs_again(&case, known(&note)).await;
    let effects = stage.succeeds(&case).await;
    assert_once(&effects, std::slice::from_ref(&case));
    assert_ne!(effects.notes_of(&case.incident)[0].id, note.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_replacing_the_note_it_is_there_once() {
    let stage = Stage::new(&[]).await;
    let (mut faults, failed) = (lost(), failed());
    faults.push(What::Garbage);
    let (found, absent) = (faults.len(), failed.len());
    faults.extend(failed);
    faults.push(What::Slow(Duration::from_millis(1500)));
    let total = faults.len();
    for (what, number) in faults.into_iter().zip(0..) {
        nth(&stage.world, REWRITTEN, number * SPREAD + 1, what);
    }
    let mut cases = Vec::new();
    for _ in 0..total * usize::try_from(SPREAD).unwrap() {
        let (case, note) = stage.told().await;
        stage.runs_again(&case, known(&note)).await;
        cases.push((case, note));
    }
    let all: Vec<_> = cases.iter().map(|(case, _)| case.clone()).collect();
    all_ended(&stage.program, &all, "done").await;
    let effects = stage.world.simulator.effects();
    for (case, note) in &cases {
        assert_replaced(&effects, case, note);
        assert_nothing_left_to_replace(&stage.ledger, case).await;
    }
    let settled = |how: &str| {
        let all = stage.program.events("write.unknown_settled");
        all.iter().filter(|event| event["settled"] == how).count()
    };
    assert_eq!((settled("adopted"), settled("repeated")), (found, absent));
    assert_eq!(
        count(&stage.world, WRITTEN),
        cases.len(),
        "none but the seeds"
    );
    assert!(stage.world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_asks_for_patience_gets_it_and_the_note_is_replaced_then() {
    let stage = Stage::new(&[]).await;
    let (case, note) = stage.told().await;
    next(&stage.world, REWRITTEN, What::pagerduty_throttled(3));
    stage.runs_again(&case, known(&note)).await;
    let effects = stage.succeeds(&case).await;
    assert_replaced(&effects, &case, &note);
    assert!(super::gaps(&requests(&stage.world, REWRITTEN))[0] >= 3000);
}

/// The settle time of these worlds.
const SETTLE: SignedDuration = SignedDuration::from_secs(1);

/// Nothing was asked of the notes before the doubt could have landed.
fn assert_waited(stage: &Stage, until: Timestamp) {
    let conclusive_from = (until + SETTLE).as_millisecond();
    for operation in [LISTED, REWRITTEN] {
        for request in requests(&stage.world, operation) {
            assert!(request.at_ms >= conclusive_from, "{request:?} {until}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_was_told_perhaps_is_looked_for_once_its_call_can_no_longer_land() {
    // In hand, and through the ladder.
    for wait in [1, 5] {
        let stage = Stage::new(&[]).await;
        let (case, note) = stage.told().await;
        let until = Timestamp::now() + SignedDuration::from_secs(wait);
        stage.runs_again(&case, in_doubt(None, until)).await;
        let effects = stage.succeeds(&case).await;
        assert_replaced(&effects, &case, &note);
        assert_eq!(stage.asked([LISTED, WRITTEN, REWRITTEN]), [1, 1, 1]);
        assert_waited(&stage, until);
        let went_on_later = attempts(&stage.program, &case)
            .iter()
            .any(|attempt| attempt["outcome"] == "later" && delay(attempt) > Duration::ZERO);
        assert_eq!(went_on_later, wait > 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_was_not_told_after_all_leaves_nothing_to_replace() {
    let stage = Stage::new(&[]).await;
    let case = stage.world.case();
    let until = Timestamp::now() + SignedDuration::from_secs(1);
    stage.runs_again(&case, in_doubt(None, until)).await;
    let effects = stage.succeeds(&case).await;
    assert_once(&effects, std::slice::from_ref(&case));
    assert_eq!(stage.asked([LISTED, WRITTEN, REWRITTEN]), [1, 1, 0]);
    assert_waited(&stage, until);
}

/// Its teller has given up, and its note lands only now: right before it would be too late.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_whose_note_lands_late_is_replaced_all_the_same() {
    let stage = Stage::new(&[]).await;
    let case = stage.world.case();
    next(
        &stage.world,
        WRITTEN,
        What::Late(Duration::from_millis(2500)),
    );
    let until = Timestamp::now() + SignedDuration::from_secs(2);
    let late = tokio::spawn(telling(&stage.world.simulator, &case).send());
    super::asked(&stage.world, WRITTEN, 1).await;
    stage.runs_again(&case, in_doubt(None, until)).await;
    let effects = stage.succeeds(&case).await;
    late.await.unwrap().unwrap();
    let notes = effects.notes_of(&case.incident);
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert!(marker(&case, NoteOutcome::Ready).is_in(&notes[0].content));
    assert_waited(&stage, until);
}

/// A death was told of a second time, in the note of the first, and that call may land yet: over the real note.
#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_may_still_be_rewritten_by_its_teller_is_not_replaced_before() {
    let stage = Stage::new(&[]).await;
    let (case, note) = stage.told().await;
    let until = Timestamp::now() + SignedDuration::from_secs(2);
    let in_doubt = in_doubt(Some(note.clone()), until);
    stage.runs_again(&case, in_doubt).await;
    let effects = stage.succeeds(&case).await;
    assert_replaced(&effects, &case, &note);
    assert_eq!(stage.asked([LISTED, WRITTEN, REWRITTEN]), [0, 1, 1]);
    assert_waited(&stage, until);
}

/// No reason to die: the session is there, and that is worth more than one note instead of two.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_may_not_be_looked_for_stays_and_the_real_note_is_written_beside_it() {
    let stage = Stage::new(&[]).await;
    let (case, note) = stage.told().await;
    next(&stage.world, LISTED, What::status(403));
    let until = Timestamp::now();
    stage.runs_again(&case, in_doubt(None, until)).await;
    let effects = stage.succeeds(&case).await;
    assert_beside(&effects, &case, &note);
    assert_eq!(stage.asked([LISTED, WRITTEN, REWRITTEN]), [1, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replaced_in_all_attempts_still_tells_of_the_failure() {
    let stage = Stage::new(&[("ESCALATION_MAX_ATTEMPTS", "1")]).await;
    let (case, note) = stage.told().await;
    always(&stage.world, REWRITTEN, What::status(500));
    stage.runs_again(&case, known(&note)).await;
    dead(
        &stage.world,
        &stage.program,
        &case,
        "pagerduty_unavailable",
        1,
    )
    .await;
    let effects = stage.world.simulator.effects();
    let notes = effects.notes_of(&case.incident);
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert!(marker(&case, NoteOutcome::Failed).is_in(&notes[0].content));
    // Once by the escalation; and whoever tells of its death writes over the same note, as soon as that goes.
    let [_, written, rewritten] = stage.asked([LISTED, WRITTEN, REWRITTEN]);
    assert!(written == 1 && rewritten >= 1, "{written} {rewritten}");
}

/// The note has a code that admits whoever has it, and PagerDuty refuses it by quoting it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_quotes_the_note_is_not_quoted() {
    let config = Config {
        cobrowse_api: CobrowseApi::Conversation,
        ..Config::default()
    };
    let settings = [
        ("LOG_LEVEL", "trace"),
        ("NOTE_INCLUDE_ACCESS_LINKS", "true"),
    ];
    let stage = Stage::with(config, &settings).await;
    let (case, note) = stage.told().await;
    next(&stage.world, REWRITTEN, What::Echo(400));
    stage.runs_again(&case, known(&note)).await;
    let effects = stage.succeeds(&case).await;
    assert_beside(&effects, &case, &note);
    let session = effects.sessions[0].clone();
    let real = &effects.notes_of(&case.incident)[1].content;
    assert!(names(real, &session.join_url), "{real}");
    let (text, _) = shown(&stage.world.ledger(), &["show", &case.incident]).await;
    assert!(text.contains("(quotes the note)"), "{text}");
    let (_, log) = stage.program.terminate().await;
    for place in [text, log.join("\n")] {
        let place = place.replace(session.id.as_str(), "(its id)");
        assert!(!names(&place, &session.join_url), "{place}");
        assert!(!place.contains("Join code"), "{place}");
    }
}

/// Crashes there, and the next process finishes it. `refused`: the note of the failure may not be replaced.
async fn crashes(point: &'static str, refused: bool) {
    // So long that there is a middle to crash in.
    let world = World::with(Config {
        latency: Duration::from_millis(100),
        ..Config::default()
    })
    .await;
    let settings = [
        ("WORKER_LEASE", "2s"),
        ("WORKER_CALL_TIMEOUT", "1s"),
        ("WORKER_SETTLE", "500ms"),
    ];
    if refused {
        always(&world, REWRITTEN, What::status(403));
    }
    let mut armed = settings.to_vec();
    armed.push(("CRASH_AT", point));
    let mut program = world.start("serve", &armed).await;
    let ledger = Sqlite::open(&world.ledger()).unwrap();
    let case = world.case();
    let note = tells_of_the_failure(&world.simulator, &case).await;
    replayed(&ledger, &case, known(&note)).await;
    trigger(&world, &program, &case).await;
    program.ended().await;
    let next = world.start("serve", &settings).await;
    ended(&next, &case, "done").await;
    assert_nothing_left_to_replace(&ledger, &case).await;
    let effects = world.simulator.effects();
    match refused {
        false => assert_replaced(&effects, &case, &note),
        true => assert_beside(&effects, &case, &note),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_crashes_the_note_is_replaced_or_written_beside_it_once() {
    let mut runs = tokio::task::JoinSet::new();
    for point in [
        "before recording the note's intent",
        "after recording the note's intent",
        "before rewrite_note",
        "amid rewrite_note",
        "after rewrite_note",
    ] {
        runs.spawn(crashes(point, false));
        runs.spawn(crashes(point, true));
    }
    runs.spawn(crashes("before recording the end (done)", false));
    runs.spawn(crashes("before write_note", true));
    runs.spawn(crashes("amid write_note", true));
    runs.spawn(crashes("after write_note", true));
    runs.join_all().await;
}

/// A worker without a broker, whose ledger loses answers.
async fn bench(refused: bool) -> (Bench, NoteId) {
    let bench = Bench::with(calm(CobrowseApi::Sessions)).await;
    if refused {
        bench.simulator.script(Fault {
            operation: REWRITTEN,
            which: Which::All,
            what: What::status(403),
        });
    }
    let note = tells_of_the_failure(&bench.simulator, &bench.case).await;
    replayed(&bench.ledger.inner, &bench.case, known(&note)).await;
    (bench, note)
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_answer_of_the_ledger_is_lost_the_note_is_replaced_once() {
    for refused in [false, true] {
        let (undisturbed, _) = bench(refused).await;
        assert!(undisturbed.run().await.is_none());
        let calls = undisturbed.ledger.calls.load(Ordering::SeqCst);
        let mut runs = tokio::task::JoinSet::new();
        for from in 1..=calls {
            for lands in [false, true] {
                runs.spawn(async move {
                    let (bench, note) = bench(refused).await;
                    let count = 1;
                    *bench.ledger.loses.lock().unwrap() = Loses { from, count, lands };
                    let letter = bench.run().await;
                    *bench.ledger.loses.lock().unwrap() = NONE;
                    (bench, note, letter, (from, lands))
                });
            }
        }
        for (bench, note, letter, lost) in runs.join_all().await {
            assert!(letter.is_none(), "{refused}, {lost:?}: {letter:#?}");
            let effects = bench.simulator.effects();
            match refused {
                false => assert_replaced(&effects, &bench.case, &note),
                true => assert_beside(&effects, &bench.case, &note),
            }
            let asked = [REWRITTEN, WRITTEN, LISTED].map(|one| bench.asked(one));
            let written = 1 + usize::from(refused);
            assert_eq!(asked, [1, written, 0], "{refused}, {lost:?}");
        }
    }
}
