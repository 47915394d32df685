//! The planner: what a replay of a letter would do now, found out by reading.
//!
//! The same [`decide`] that a worker follows is asked, with the records as a replay would begin; every read that it wants is
//! made, and where it wants to write, the plan has its answer. So a plan and a replay cannot have two opinions.

use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use super::verdict::Foreseen;
use crate::escalation::{
    Action, Bounds, Call, Cobrowse, Code, Context, DeadLetterId, End, Lane, Marker, NoteLook,
    NoteOutcome, Progress, Situation, Step, Survey, Wait, decide,
};
use crate::ledger::{Again, Error, Ground, Ledger, Outlook, outlook};
use crate::upstream::{
    Alerts, CallError, Genesys, IncidentStatus, Operation, PagerDuty, Priority, ReadConversation,
    accompanied,
};

/// A vendor that asks for patience is waited for so long, for each letter.
const PATIENCE: Duration = Duration::from_secs(600);
/// Whoever works comes first.
const PRIORITY: Priority = Priority {
    lane: Lane::Normal,
    step: Step::Context,
};
/// Reads of one letter: far more than there are.
const READS: usize = 40;

/// Foresees.
#[derive(Clone)]
pub struct Planner {
    pub(super) ledger: Arc<dyn Ledger>,
    genesys: Genesys,
    pagerduty: PagerDuty,
    bounds: Bounds,
}

/// Why a look ended early.
enum Ended {
    Foreseen(Foreseen),
    Ledger(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Ledger(error)
    }
}

impl Planner {
    /// Puts one together. The clients should be within the pool's budgets.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        genesys: Genesys,
        pagerduty: PagerDuty,
        bounds: Bounds,
    ) -> Self {
        Self {
            ledger,
            genesys,
            pagerduty,
            bounds,
        }
    }

    /// What a replay of this letter would do now; on behalf of a replay that has it already, or of none. Writes nothing.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn foresee(
        &self,
        letter: &DeadLetterId,
        replay: Option<&str>,
    ) -> Result<Foreseen, Error> {
        match self.look(letter, replay).await {
            Ok(foreseen) | Err(Ended::Foreseen(foreseen)) => Ok(foreseen),
            Err(Ended::Ledger(error)) => Err(error),
        }
    }

    async fn look(&self, id: &DeadLetterId, replay: Option<&str>) -> Result<Foreseen, Ended> {
        let Some(ground) = self.ledger.letters().ground(id.clone()).await? else {
            return Ok(Foreseen::refused(None, "the ledger has no such letter"));
        };
        if let Some(closed) = &ground.letter.closed {
            let how = closed.how.as_str();
            let because = format!("it is closed: {how} by {}, {:.0}", closed.by, closed.at);
            return Ok(Foreseen::nothing(because));
        }
        let other = ground.letter.claimed_by.as_deref();
        if let Some(other) = other.filter(|other| Some(*other) != replay) {
            return Ok(Foreseen::refused(None, format!("replay {other} has it")));
        }
        if let Some(why) = &ground.unreadable {
            let code = Some(Code::LedgerUnreadable);
            return Ok(Foreseen::refused(code, why));
        }
        let known = ground
            .escalation
            .as_ref()
            .map(|known| (known, ground.cycle));
        match outlook(&ground.letter.letter, known, Timestamp::now()) {
            Outlook::Nothing(because) => Ok(Foreseen::nothing(because)),
            Outlook::Refused(because) => Ok(Foreseen::refused(None, because)),
            Outlook::Free(again) => self.walk(&ground, &again).await,
        }
    }

    /// Follows the decisions of a replay until the first that would write.
    async fn walk(&self, ground: &Ground, again: &Again) -> Result<Foreseen, Ended> {
        let incident = &again.message.incident_id;
        let status = self
            .asked(Operation::ReadIncident, || {
                self.pagerduty.incident_status(incident)
            })
            .await?;
        let mut walk = Walk {
            progress: ground
                .escalation
                .as_ref()
                .map_or_else(Progress::default, |known| {
                    let carried = ground.letter.notice.carried();
                    known.progress.begun_anew(known.takeovers, carried)
                }),
            cobrowse: Cobrowse::default(),
            claimed: false,
            token: false,
            survey: None,
            note_look: None,
        };
        if let Some(found) = self.ledger.finding(self.genesys.account()).await?
            && self.genesys.finding().is_none()
        {
            self.genesys.agree(found);
        }
        for _ in 0..READS {
            let action = self.next(&walk, ground, again);
            let resumes = |at: Step| {
                let because = match status {
                    IncidentStatus::Resolved => "PagerDuty says that the incident is resolved",
                    IncidentStatus::Triggered | IncidentStatus::InHand => "it would go on",
                };
                Ok(Foreseen::resumes(at, because))
            };
            match action {
                Action::Finish(End::Done) => {
                    return Ok(Foreseen::nothing("its note is in the incident"));
                }
                Action::Finish(End::Cancelled) => {
                    let because = "its incident is resolved: it would end as cancelled";
                    return Ok(Foreseen::nothing(because));
                }
                Action::Finish(End::Dead { code, reason, .. }) => {
                    return Ok(Foreseen::refused(Some(code), reason));
                }
                Action::Update(update) => {
                    update.apply(&mut walk.progress, &mut walk.cobrowse);
                }
                Action::WaitUntil { step, .. } => return resumes(step),
                Action::Stop(step, setback) => {
                    return Ok(match setback.wait {
                        Wait::Final => Foreseen::refused(Some(setback.code), setback.reason),
                        Wait::After(_) | Wait::Between(..) | Wait::Backoff { .. } => {
                            Foreseen::resumes(step, format!("it would wait: {}", setback.reason))
                        }
                    });
                }
                Action::Call(call) => match call {
                    Call::ClaimConversation { create: true } => return resumes(Step::Session),
                    Call::CreateSession(_) => return resumes(Step::Session),
                    Call::AttachMedia(_) => return resumes(Step::Media),
                    Call::WriteNote | Call::RewriteNote(_) => return resumes(Step::Note),
                    Call::ClaimConversation { create: false } => {
                        walk.claimed = true;
                        walk.cobrowse = self.cobrowse(&walk).await?;
                    }
                    Call::FindContext => {
                        walk.progress.context = Some(self.context(again).await?);
                    }
                    Call::GetToken => {
                        self.asked(Operation::Token, || self.genesys.ensure_token())
                            .await?;
                        walk.token = true;
                    }
                    Call::ReadConversation(_) => {
                        walk.survey = self.survey(&walk).await?;
                    }
                    Call::LookUpNote(of) => {
                        walk.note_look = Some(self.note(again, of).await?);
                    }
                },
            }
        }
        Ok(Foreseen::unknown("it does not come to an end by reading"))
    }

    fn next(&self, walk: &Walk, ground: &Ground, again: &Again) -> Action {
        let known = ground.escalation.as_ref();
        let finding = self.genesys.finding();
        let occurred_at = again.message.event.occurred_at;
        decide(
            &walk.progress,
            &Situation {
                now: Timestamp::now(),
                bounds: &self.bounds,
                accepted_at: again.message.accepted_at,
                occurred_at: known.map_or(occurred_at, |known| known.occurred_at),
                resolved_at: known.and_then(|known| known.resolved_at),
                token: walk.token,
                claimed: walk.claimed.then_some(&walk.cobrowse),
                unsent: false,
                survey: walk.survey.as_ref(),
                note_look: walk.note_look.as_ref(),
                shows_sessions: finding.is_some_and(|known| known.shows_sessions),
                shows_joined: finding.is_some_and(|known| known.shows_joined),
            },
        )
    }

    /// Asks a vendor, and again for a while where that asks for patience.
    async fn asked<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        operation: Operation,
        ask: impl Fn() -> F,
    ) -> Result<T, Ended> {
        let until = Instant::now() + PATIENCE;
        loop {
            let error = match accompanied(PRIORITY, None, ask()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let setback = error.setback(operation);
            let wait = match (&error, setback.wait) {
                (CallError::Refused { code, reason }, _) => {
                    let refused = Foreseen::refused(Some(*code), reason);
                    return Err(Ended::Foreseen(refused));
                }
                (CallError::Waits { .. }, Wait::Between(from, _)) => from,
                (CallError::Throttled { .. }, Wait::Backoff { at_least, .. }) => {
                    at_least.unwrap_or_default()
                }
                (
                    CallError::NotSent(_)
                    | CallError::Blocked { .. }
                    | CallError::Waits { .. }
                    | CallError::Throttled { .. }
                    | CallError::SetUp { .. }
                    | CallError::NoRoute { .. }
                    | CallError::Conflict(_)
                    | CallError::Unknown { .. },
                    _,
                ) => {
                    let because = format!("{}: {}", setback.code, setback.reason);
                    return Err(Ended::Foreseen(Foreseen::unknown(because)));
                }
            };
            if Instant::now() + wait > until {
                let because = format!("{}: {}", setback.code, setback.reason);
                return Err(Ended::Foreseen(Foreseen::unknown(because)));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn context(&self, again: &Again) -> Result<Context, Ended> {
        if let Some(conversation) = &again.start.conversation_id {
            return Ok(Context {
                conversation: conversation.clone(),
                agent: again.start.agent_id.clone(),
                ambiguous: false,
            });
        }
        let incident = &again.message.incident_id;
        let alerts = self
            .asked(Operation::ReadAlerts, || self.pagerduty.alerts(incident))
            .await?;
        let (code, because) = match alerts {
            Alerts::Found(context) => return Ok(context),
            Alerts::NothingInThem => {
                let because = "none of the incident's alerts carries a conversation id";
                let refused = Foreseen::refused(Some(Code::NoConversationId), because);
                return Err(Ended::Foreseen(refused));
            }
            Alerts::NotHydrated => (Code::AlertNeverHydrated, "the incident's alert has no body"),
            Alerts::None => (Code::NoAlert, "the incident has no alert"),
        };
        let body = self
            .asked(Operation::ReadIncident, || {
                self.pagerduty.incident_body(incident)
            })
            .await?;
        body.ok_or_else(|| Ended::Foreseen(Foreseen::refused(Some(code), because)))
    }

    async fn cobrowse(&self, walk: &Walk) -> Result<Cobrowse, Ended> {
        let Some(context) = &walk.progress.context else {
            return Ok(Cobrowse::default());
        };
        let conversation = context.conversation.clone();
        let found = self.ledger.letters().cobrowse_of(conversation).await?;
        Ok(found.unwrap_or_default())
    }

    async fn survey(&self, walk: &Walk) -> Result<Option<Survey>, Ended> {
        let Some(context) = &walk.progress.context else {
            return Ok(None);
        };
        let known = walk.claimed.then_some(&walk.cobrowse);
        let contract = known
            .filter(|cobrowse| cobrowse.session.asked())
            .map(|cobrowse| cobrowse.contract);
        let read_at = Timestamp::now();
        let ReadConversation {
            conversation,
            contract,
            looks_like: _,
        } = self
            .asked(Operation::ReadConversation, || {
                self.genesys.conversation(&context.conversation, contract)
            })
            .await?;
        Ok(Some(Survey {
            contract,
            conversation,
            read_at,
        }))
    }

    async fn note(&self, again: &Again, of: NoteOutcome) -> Result<NoteLook, Ended> {
        let marker = Marker::of(&again.key, of);
        let read_at = Timestamp::now();
        let incident = &again.message.incident_id;
        let found = self
            .asked(Operation::ReadNotes, || {
                self.pagerduty.find_note(incident, &marker)
            })
            .await?;
        Ok(NoteLook {
            of,
            found: found.map(|(id, _)| id),
            read_at,
        })
    }
}

/// How far a plan has come.
struct Walk {
    progress: Progress,
    cobrowse: Cobrowse,
    claimed: bool,
    token: bool,
    survey: Option<Survey>,
    note_look: Option<NoteLook>,
}
