//! The replayer: drives a replay from entry to entry, wherever it was left.
//!
//! Each entry: foresee (where a plan said something, and what it says must be so still), stage, publish with confirm, settle.
//! Whoever crashes in between leaves an entry in a state from which the next one goes on.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::plan::Planned;
use super::planner::Planner;
use super::verdict::{Foreseen, Verdict};
use crate::broker::{Destination, Headers, Publication, Publisher};
use crate::crash;
use crate::escalation::{DeadLetterId, Message};
use crate::ledger::{
    Driving, EntryOutcome, EntryStage, Error, Ledger, LetterFilter, LetterState, Mark, Marked,
    NewReplay, Replay, ReplayEntry, ReplayState, Staged,
};
use crate::pacing::{Curve, jittered};

/// So many letters are marked, or looked at, at a time.
const CHUNK: u32 = 100;
/// Who drives is heard of at least this often.
const HEARD_OF: Duration = Duration::from_secs(5);
/// How long one publish may take.
const PUBLISH_WITHIN: Duration = Duration::from_secs(6);
/// How long it is tried. Then the replay is left as it is, to be resumed.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(60);
const PUBLISH_AGAIN: Curve = Curve {
    first: Duration::from_millis(200),
    factor: 2.0,
    cap: Duration::from_secs(5),
};

/// So many a minute, where nobody says otherwise: one escalation costs Genesys about four requests.
pub const PER_MINUTE: u32 = 300;

/// How a replay stopped short.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The ledger failed.
    #[error("{0}")]
    Ledger(#[from] Error),
    /// The broker took a message for a minute.
    #[error("the broker does not take a message: {0}")]
    Broker(String),
    /// Somebody else drives it.
    #[error("{0} drives it just now")]
    Busy(String),
    /// There is no such replay.
    #[error("there is no such replay")]
    Unknown,
    /// It was told to stop here.
    #[error("it was interrupted")]
    Interrupted,
}

/// What is to be replayed.
#[derive(Debug, Clone)]
pub enum Letters {
    /// Those of a plan, in its order.
    Planned(Vec<Planned>),
    /// Those that fit, the oldest first.
    Fitting(LetterFilter),
}

/// What a replay has come to.
#[derive(Debug)]
pub enum Step<'a> {
    /// So many letters are marked so far.
    Marked(&'a Marked),
    /// This entry is over.
    Over {
        /// The entry, as it is now.
        entry: &'a ReplayEntry,
        /// The replay as it was when it was last looked at.
        replay: &'a Replay,
    },
}

/// The id of a new replay: by its day, so that people can tell them apart, and otherwise like no other.
#[must_use]
pub fn new_replay_id() -> String {
    let day: String = jiff::Timestamp::now()
        .to_string()
        .chars()
        .take("2026-11-20".len())
        .filter(|c| *c != '-')
        .collect();
    format!("rp-{day}-{:08x}", rand::random::<u32>())
}

/// Drives replays.
pub struct Replayer {
    ledger: Arc<dyn Ledger>,
    publisher: Publisher,
    planner: Planner,
    /// Its name, under which it drives.
    driver: String,
    /// For how long it is thought to drive without being heard of.
    lease: Duration,
}

impl Replayer {
    /// Puts one together. `driver`: a name that no other has; `lease`: after so long without a word of it others may drive.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        publisher: Publisher,
        planner: Planner,
        driver: String,
        lease: Duration,
    ) -> Self {
        Self {
            ledger,
            publisher,
            planner,
            driver,
            lease,
        }
    }

    /// Begins a replay: from then on its letters are its own.
    ///
    /// # Errors
    /// The ledger's. What was marked by then is the replay's, which can be resumed or cancelled.
    pub async fn begin(
        &self,
        new: NewReplay,
        letters: Letters,
        tell: impl FnMut(Step<'_>) + Send,
    ) -> Result<Marked, Stopped> {
        let id = new.id.clone();
        self.ledger.letters().begin_replay(new).await?;
        let result = self.mark_all(&id, letters, tell).await;
        if result.is_err() {
            self.give_up(&id).await;
        }
        result
    }

    async fn mark_all(
        &self,
        id: &str,
        letters: Letters,
        mut tell: impl FnMut(Step<'_>) + Send,
    ) -> Result<Marked, Stopped> {
        // Nobody may drive it to its end before all of its letters are marked.
        self.heard_of(id).await?;
        let mut heard_of = Instant::now();
        let marks = match letters {
            Letters::Planned(planned) => planned
                .into_iter()
                .map(|planned| Mark {
                    expects: serde_json::to_string(&planned.foreseen.verdict).ok(),
                    letter: planned.letter,
                })
                .collect(),
            Letters::Fitting(filter) => self.fitting(id, filter, &mut heard_of).await?,
        };
        let mut all = Marked::default();
        for chunk in marks.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)) {
            self.still_here(id, &mut heard_of).await?;
            let marked = self
                .ledger
                .letters()
                .mark(id.to_owned(), chunk.to_vec())
                .await?;
            all.taken += marked.taken;
            all.refused += marked.refused;
            tell(Step::Marked(&all));
        }
        self.ledger.letters().all_marked(id.to_owned()).await?;
        Ok(all)
    }

    /// Those that are there now, the oldest first.
    async fn fitting(
        &self,
        id: &str,
        filter: LetterFilter,
        heard_of: &mut Instant,
    ) -> Result<Vec<Mark>, Stopped> {
        let mut filter = LetterFilter {
            state: LetterState::Open,
            limit: CHUNK,
            ..filter
        };
        let mut ids: Vec<DeadLetterId> = Vec::new();
        loop {
            self.still_here(id, heard_of).await?;
            let page = self.ledger.letters().list_letters(filter.clone()).await?;
            let Some(last) = page.last() else { break };
            filter.after = Some(last.cursor());
            ids.extend(page.into_iter().map(|letter| letter.letter.id));
        }
        for id in &filter.ids {
            // One that was named gets an answer, also where it is not there to be had.
            let named = self.ledger.letters().letter(id.clone()).await?;
            let is_open = named.is_some_and(|letter| letter.closed.is_none());
            if !is_open && !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        let oldest_first = ids.into_iter().rev();
        let mark = |letter| Mark {
            letter,
            expects: None,
        };
        Ok(oldest_first.map(mark).collect())
    }

    /// Goes through what is left of a replay, until its end or until `stop`.
    ///
    /// # Errors
    /// Why it stopped short. It can be resumed, by anybody.
    pub async fn drive(
        &self,
        id: &str,
        stop: &CancellationToken,
        mut tell: impl FnMut(Step<'_>) + Send,
    ) -> Result<Replay, Stopped> {
        let result = self.go_through(id, stop, &mut tell).await;
        if !matches!(result, Err(Stopped::Busy(_) | Stopped::Unknown)) {
            self.give_up(id).await;
        }
        result
    }

    /// Takes a replay, to drive it, and says where it is. Others hear that it is driven for a lease from now, or until it is [given up](Self::give_up).
    ///
    /// # Errors
    /// There is no such replay, or somebody drives it, or the ledger's.
    pub async fn take(&self, id: &str) -> Result<Replay, Stopped> {
        self.heard_of(id).await
    }

    /// Drives it no more: whoever resumes it need not wait. Does nothing where another one drives it.
    pub async fn give_up(&self, id: &str) {
        let letters = self.ledger.letters();
        let driver = self.driver.clone();
        // If it is not heard of, its time runs out.
        let _ = letters
            .drive_replay(id.to_owned(), driver, Duration::ZERO)
            .await;
    }

    async fn go_through(
        &self,
        id: &str,
        stop: &CancellationToken,
        tell: &mut (impl FnMut(Step<'_>) + Send),
    ) -> Result<Replay, Stopped> {
        let letters = self.ledger.letters();
        let mut replay = self.heard_of(id).await?;
        let mut heard_of = Instant::now();
        let mut pace = Pace::new(replay.per_minute);
        let mut behind = 0;
        loop {
            if replay.state.is_over() {
                return Ok(replay);
            }
            let entries = letters.replay_entries(id.to_owned(), true, behind, CHUNK);
            let entries = entries.await?;
            if entries.is_empty() && behind > 0 {
                // Once more from the beginning: somebody may have marked more.
                behind = 0;
                continue;
            }
            behind = entries.last().map_or(0, |last| last.number);
            if entries.is_empty() {
                let ended = letters.end_replay(id.to_owned()).await?;
                return ended.ok_or(Stopped::Unknown);
            }
            for entry in entries {
                if heard_of.elapsed() > self.beat() {
                    replay = self.heard_of(id).await?;
                    heard_of = Instant::now();
                }
                // At one a minute, others would think that nobody is here any more; nor would a cancellation be heard.
                while replay.state != ReplayState::Cancelling && entry.stage == EntryStage::Marked {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return Err(Stopped::Interrupted),
                        () = pace.turn() => break,
                        () = tokio::time::sleep(self.beat()) => replay = self.heard_of(id).await?,
                    }
                }
                let cancelling = replay.state == ReplayState::Cancelling;
                // A vendor may ask for patience, the broker may be away: likewise.
                let (outcome, detail) = {
                    let mut one = pin!(self.one(id, &entry, cancelling, stop));
                    loop {
                        tokio::select! {
                            biased;
                            done = &mut one => break done?,
                            () = tokio::time::sleep(self.beat()) => replay = self.heard_of(id).await?,
                        }
                    }
                };
                let entry = ReplayEntry {
                    stage: EntryStage::Over,
                    outcome: Some(outcome),
                    detail: Some(detail),
                    ..entry
                };
                let replay = &replay;
                tell(Step::Over {
                    entry: &entry,
                    replay,
                });
                if stop.is_cancelled() {
                    return Err(Stopped::Interrupted);
                }
            }
            replay = self.heard_of(id).await?;
            heard_of = Instant::now();
        }
    }

    /// How often it is heard of: three times in its lease, and often enough that a cancellation is heard within seconds.
    fn beat(&self) -> Duration {
        (self.lease / 3).min(HEARD_OF)
    }

    /// Is heard of where that is due, in work that may take longer than others wait.
    async fn still_here(&self, id: &str, heard_of: &mut Instant) -> Result<(), Stopped> {
        if heard_of.elapsed() > self.beat() {
            self.heard_of(id).await?;
            *heard_of = Instant::now();
        }
        Ok(())
    }

    async fn heard_of(&self, id: &str) -> Result<Replay, Stopped> {
        let driver = self.driver.clone();
        let driving = self
            .ledger
            .letters()
            .drive_replay(id.to_owned(), driver, self.lease)
            .await?;
        match driving {
            Driving::Yes(replay) => Ok(*replay),
            Driving::Busy(other) => Err(Stopped::Busy(other)),
            Driving::Unknown => Err(Stopped::Unknown),
        }
    }

    /// Brings an entry to its end.
    async fn one(
        &self,
        id: &str,
        entry: &ReplayEntry,
        cancelling: bool,
        stop: &CancellationToken,
    ) -> Result<(EntryOutcome, String), Stopped> {
        let (outcome, detail) = self.outcome_of(id, entry, cancelling, stop).await?;
        self.ledger
            .letters()
            .settle(id.to_owned(), entry.number, outcome, detail.clone())
            .await?;
        Ok((outcome, detail))
    }

    async fn outcome_of(
        &self,
        id: &str,
        entry: &ReplayEntry,
        cancelling: bool,
        stop: &CancellationToken,
    ) -> Result<(EntryOutcome, String), Stopped> {
        if entry.stage == EntryStage::Marked {
            if cancelling {
                let detail = "the replay was cancelled".to_owned();
                return Ok((EntryOutcome::LetGo, detail));
            }
            if let Some(expects) = &entry.expects {
                // Only reads, and a vendor may ask it to wait for minutes: it is left where it is.
                let outcome = tokio::select! {
                    biased;
                    () = stop.cancelled() => return Err(Stopped::Interrupted),
                    outcome = self.as_planned(id, entry, expects) => outcome?,
                };
                if let Some(outcome) = outcome {
                    return Ok(outcome);
                }
            }
        }
        let staged = self.ledger.letters().stage(id.to_owned(), entry.number);
        Ok(match staged.await? {
            Staged::Publish(message) => {
                self.publish(&message, &entry.letter, stop).await?;
                let cycle = message.cycle();
                (EntryOutcome::Replayed, format!("begun anew, cycle {cycle}"))
            }
            Staged::Nothing(why) => (EntryOutcome::NothingToDo, why),
            Staged::Refused(why) => (EntryOutcome::Refused, why),
            Staged::Over => (
                EntryOutcome::Refused,
                "somebody else has brought it to its end".to_owned(),
            ),
        })
    }

    /// What a plan said has to be so still; nothing is done about what has changed, but to say so. `None`: it is so, and
    /// there is something to be done.
    async fn as_planned(
        &self,
        id: &str,
        entry: &ReplayEntry,
        expects: &str,
    ) -> Result<Option<(EntryOutcome, String)>, Stopped> {
        let Ok(planned) = serde_json::from_str::<Verdict>(expects) else {
            let detail = "a newer program has made the plan".to_owned();
            return Ok(Some((EntryOutcome::Refused, detail)));
        };
        let Foreseen { verdict, because } = self.planner.foresee(&entry.letter, Some(id)).await?;
        if verdict != planned {
            let (planned, now) = (planned.in_words(), verdict.in_words());
            let detail = format!("the plan said: {planned}; now: {now}, {because}");
            return Ok(Some((EntryOutcome::Refused, detail)));
        }
        Ok(match verdict {
            Verdict::Resumes { .. } => None,
            Verdict::Nothing => Some((EntryOutcome::NothingToDo, because)),
            Verdict::Refused { .. } => Some((EntryOutcome::Refused, because)),
            // As unknown as it was when somebody chose to apply the plan.
            Verdict::Unknown => None,
        })
    }

    /// Publishes, until the broker has confirmed it.
    async fn publish(
        &self,
        message: &Message,
        letter: &DeadLetterId,
        stop: &CancellationToken,
    ) -> Result<(), Stopped> {
        let body = message
            .encode()
            .map_err(|error| Stopped::Broker(error.to_string()))?;
        let publication = Publication {
            to: Destination::Lane(message.lane),
            message_id: letter.to_string(),
            body,
            headers: Headers::default(),
        };
        let began = Instant::now();
        for tries in 0.. {
            crash::before("publishing a replayed message");
            let result = self.publisher.publish(&publication, PUBLISH_WITHIN).await;
            crash::after("publishing a replayed message");
            let Err(error) = result else { return Ok(()) };
            if began.elapsed() > PUBLISH_PATIENCE {
                return Err(Stopped::Broker(error.to_string()));
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Stopped::Interrupted),
                () = tokio::time::sleep(jittered(PUBLISH_AGAIN.delay(tries))) => {}
            }
        }
        Ok(())
    }
}

/// So many a minute, evenly, and none ahead.
struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    fn new(per_minute: u32) -> Self {
        Self {
            interval: Duration::from_secs(60) / per_minute.max(1),
            next: Instant::now(),
        }
    }

    async fn turn(&mut self) {
        tokio::time::sleep_until(self.next).await;
        self.next = self.next.max(Instant::now() - self.interval) + self.interval;
    }
}
