//! Dead letters over HTTP: looked at, closed, edited, planned. The same as `escalator dead-letters`, as JSON.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::answer::{Answered, Problem};
use super::fields::{self, Fields, Id};
use super::operator::{BODY_CAP, By, Desk, because_needed};
use super::selection::{choice, cursor, cursor_text, filter_of_query};
use crate::dead_letters::plan::{Counts, Head};
use crate::dead_letters::{Correction, close, corrected, json as shapes};
use crate::escalation::{AgentId, ConversationId, DeadLetterId, IncidentId};
use crate::ledger::{Deed, Edited, EditedCopy, LetterFilter, Selection};

/// So many letters are on a page, at most and by default.
const PAGE_MAX: u64 = 500;
const PAGE: u64 = 100;
/// More kinds of trouble than these nobody reads.
const GROUPS: u32 = 1_000;
/// So many lines of a plan may wait for whoever reads them.
const LINES: usize = 64;

/// `GET /dead-letters`
pub(super) async fn list(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Answered {
    let mut fields = Fields::of_query(query.as_deref());
    let filter = filter_of_query(&mut fields);
    let limit = fields.whole("limit", 1..=PAGE_MAX).unwrap_or(PAGE);
    let after = fields.parsed("after", cursor);
    fields.end()?;
    let letters = desk.letters()?;
    let total = letters.count_letters(filter.clone()).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    // One more than is shown says whether there are more.
    let filter = LetterFilter {
        after,
        limit: u32::try_from(limit + 1).unwrap_or(u32::MAX),
        ..filter
    };
    let mut page = letters.list_letters(filter).await?;
    let more = page.len() > wanted;
    page.truncate(wanted);
    let last = page.last().filter(|_| more);
    let next = last.map(|letter| cursor_text(&letter.cursor()));
    let letters: Vec<Value> = page.iter().map(shapes::letter).collect();
    Ok(Json(json!({"total": total, "letters": letters, "next": next})).into_response())
}

/// `GET /dead-letters/groups`
pub(super) async fn groups(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Answered {
    let mut fields = Fields::of_query(query.as_deref());
    let filter = filter_of_query(&mut fields);
    fields.end()?;
    let filter = LetterFilter {
        limit: GROUPS,
        ..filter
    };
    let groups = desk.letters()?.groups(filter).await?;
    let groups: Vec<Value> = groups.iter().map(shapes::group).collect();
    Ok(Json(json!({"groups": groups})).into_response())
}

/// `GET /dead-letters/{id}`
pub(super) async fn show(State(desk): State<Arc<Desk>>, Id(id): Id) -> Answered {
    let id = letter_id(&id)?;
    let office = desk.office()?;
    let ground = office.ledger.letters().ground(id).await?;
    let ground = ground.ok_or_else(Problem::no_letter)?;
    let letter = &ground.letter.letter;
    let history = match (&letter.key, &ground.escalation) {
        (Some(key), Some(_)) => office.ledger.history(key).await?,
        (_, _) => letter.history.clone(),
    };
    Ok(Json(shapes::shown(&ground, &history)).into_response())
}

fn letter_id(text: &str) -> Result<DeadLetterId, Problem> {
    DeadLetterId::parse(text).map_err(|_| Problem::no_letter())
}

/// `POST /dead-letters/discard`
pub(super) async fn discard(
    State(desk): State<Arc<Desk>>,
    peer: ConnectInfo<SocketAddr>,
    body: Body,
) -> Answered {
    let mut fields = Fields::of_body(&fields::bytes(body, BODY_CAP).await?)?;
    let choice = choice(&mut fields);
    let because = because_needed(&mut fields);
    let by = By::read(&mut fields, peer);
    let (what, filter) = fields.end_with(choice)?;
    let selection = Selection {
        filter,
        entered: by.entered(Deed::Discard, Some(what), because),
    };
    let discarded = close(desk.letters()?, selection).await?;
    let answer = json!({"discarded": discarded.closed, "in_replay": discarded.claimed});
    Ok(Json(answer).into_response())
}

/// `POST /dead-letters/{id}/edit`
pub(super) async fn edit(
    State(desk): State<Arc<Desk>>,
    Id(id): Id,
    peer: ConnectInfo<SocketAddr>,
    body: Body,
) -> Answered {
    let original = letter_id(&id)?;
    let mut fields = Fields::of_body(&fields::bytes(body, BODY_CAP).await?)?;
    let conversation = fields.required("conversation", ConversationId::parse);
    let agent = fields.parsed("agent", AgentId::parse);
    let incident = fields.parsed("incident", IncidentId::parse);
    let because = because_needed(&mut fields);
    let by = By::read(&mut fields, peer);
    let conversation = fields.end_with(conversation)?;
    let office = desk.office()?;
    if !office.edit {
        return Err(Problem::Forbidden(
            "editing is off: set dead_letters.edit = true (DEAD_LETTERS_EDIT) if operators may change what a message says",
        ));
    }
    let letters = office.ledger.letters();
    let letter = letters.letter(original.clone()).await?;
    let letter = letter.ok_or_else(Problem::no_letter)?;
    let what = format!("{original}, conversation {conversation}");
    let correction = Correction {
        conversation,
        agent,
        incident,
    };
    let message = corrected(&letter.letter, &correction, Timestamp::now());
    let copy = EditedCopy {
        original,
        message: message.map_err(|why| Problem::Conflict(why.to_string()))?,
        entered: by.entered(Deed::Edit, Some(what), because),
    };
    match letters.edit(copy).await? {
        Edited::Done(id) => Ok(Json(json!({"letter": id})).into_response()),
        Edited::Refused(why) => Err(Problem::Conflict(why)),
    }
}

/// `POST /dead-letters/plan`
pub(super) async fn plan(
    State(desk): State<Arc<Desk>>,
    peer: ConnectInfo<SocketAddr>,
    body: Body,
) -> Answered {
    let mut fields = Fields::of_body(&fields::bytes(body, BODY_CAP).await?)?;
    let choice = choice(&mut fields);
    let by = By::read(&mut fields, peer).name;
    let (what, filter) = fields.end_with(choice)?;
    let office = desk.office()?;
    let stop = desk.stays()?.clone();
    let Ok(permit) = desk.plans.clone().try_acquire_owned() else {
        return Err(Problem::Busy("another plan is being made".to_owned()));
    };
    // Once the answer has begun, all that can be said is that it was cut off.
    office.ledger.ping().await?;
    let made_at = Timestamp::now();
    let head = Head { made_at, by, what };
    let (out, lines) = mpsc::channel(LINES);
    let planner = office.planner.clone();
    let writing = tokio::spawn(async move {
        let _permit = permit;
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            written = planner.write_plan(filter, head, out) => written.unwrap_or_else(|error| {
                tracing::warn!(event = "plan.cut_off", %error);
                None
            }),
        }
    });
    let body = Body::from_stream(stream::unfold(Some((lines, writing)), next_line));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

type Plan = (mpsc::Receiver<String>, JoinHandle<Option<Counts>>);

/// The next line; in the end nothing, where the plan has one, and otherwise an error, so that the connection breaks off and
/// nobody takes what came for all.
async fn next_line(plan: Option<Plan>) -> Option<(io::Result<Bytes>, Option<Plan>)> {
    let (mut lines, writing) = plan?;
    if let Some(line) = lines.recv().await {
        return Some((Ok(line.into()), Some((lines, writing))));
    }
    match writing.await {
        Ok(Some(_)) => None,
        Ok(None) | Err(_) => Some((Err(io::Error::other("the plan was cut off")), None)),
    }
}

/// `GET /audit`
pub(super) async fn audit(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Answered {
    let mut fields = Fields::of_query(query.as_deref());
    let limit = fields.whole("limit", 1..=PAGE_MAX).unwrap_or(PAGE);
    fields.end()?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let deeds = desk.office()?.ledger.audit(limit).await?;
    let deeds: Vec<Value> = deeds.iter().map(shapes::deed).collect();
    let answer: Response = Json(json!({"deeds": deeds})).into_response();
    Ok(answer)
}
