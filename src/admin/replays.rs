//! Replays over HTTP: begun, looked at, told to stop, taken up again. This process drives what it began or took up.

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

use super::answer::{Answered, Problem};
use super::fields::{self, Fields, Id};
use super::operator::{BODY_CAP, By, Desk, PLAN_CAP, because};
use super::selection::choice;
use crate::dead_letters::plan::Plan;
use crate::dead_letters::{Letters, PER_MINUTE, Stopped, json as shapes, new_replay_id};
use crate::ledger::{Deed, NewReplay, Replay};

const PER_MINUTE_MAX: u64 = 1_000_000;
/// So many replays, or entries of one, are on a page.
const PAGE_MAX: u64 = 500;
const REPLAYS: u64 = 50;
const ENTRIES: u64 = 100;
/// The longest id of a replay.
const ID: usize = 64;

/// What a body asks for.
struct Asked {
    what: String,
    letters: Letters,
    per_minute: u32,
    because: Option<String>,
    by: By,
}

/// `POST /replays`
pub(super) async fn begin(
    State(desk): State<Arc<Desk>>,
    peer: ConnectInfo<SocketAddr>,
    body: Body,
) -> Answered {
    let Ok(_permit) = desk.big_bodies.try_acquire() else {
        return Err(Problem::Busy("other replays are being begun".to_owned()));
    };
    let bytes = fields::bytes(body, PLAN_CAP).await?;
    // To read a plan of some MiB takes longer than others should wait for this thread.
    let asked = tokio::task::spawn_blocking(move || read(&bytes, peer)).await;
    let asked = asked.map_err(|error| Problem::Defect(error.to_string()))??;
    let office = desk.office()?;
    desk.stays()?;
    let new = NewReplay {
        id: new_replay_id(),
        what: asked.what,
        per_minute: asked.per_minute,
        entered: asked.by.entered(Deed::Replay, None, asked.because),
    };
    let id = new.id.clone();
    let marked = office.drivers.begin(new, asked.letters).await;
    let marked = marked.map_err(|stopped| Problem::of_stopped(&id, stopped))?;
    let answer = json!({"id": id, "marked": marked.taken, "refused": marked.refused});
    let location = [(header::LOCATION, format!("/replays/{id}"))];
    Ok((StatusCode::ACCEPTED, location, Json(answer)).into_response())
}

fn read(bytes: &[u8], peer: ConnectInfo<SocketAddr>) -> Result<Asked, Problem> {
    let mut fields = Fields::of_body(bytes)?;
    let letters = match fields.gives("plan") {
        true => {
            if fields.gives("filter") || fields.gives("all") {
                fields.fault("plan", "says which letters: leave filter and all out");
            }
            fields.skip(&["filter", "all"]);
            let plan = fields.parsed("plan", Plan::read);
            plan.map(|plan| (plan.in_words(), Letters::Planned(plan.entries)))
        }
        false => {
            fields.skip(&["plan"]);
            let choice = choice(&mut fields);
            choice.map(|(what, filter)| (what, Letters::Fitting(filter)))
        }
    };
    let per_minute = fields.whole("per_minute", 1..=PER_MINUTE_MAX);
    let because = because(&mut fields);
    let by = By::read(&mut fields, peer);
    let (what, letters) = fields.end_with(letters)?;
    let per_minute = per_minute.and_then(|number| u32::try_from(number).ok());
    Ok(Asked {
        what,
        letters,
        per_minute: per_minute.unwrap_or(PER_MINUTE),
        because,
        by,
    })
}

/// `GET /replays`
pub(super) async fn list(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Answered {
    let mut fields = Fields::of_query(query.as_deref());
    let limit = fields.whole("limit", 1..=PAGE_MAX).unwrap_or(REPLAYS);
    fields.end()?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let replays = desk.letters()?.replays(limit).await?;
    let replays: Vec<Value> = replays.iter().map(shapes::replay).collect();
    Ok(Json(json!({"replays": replays})).into_response())
}

/// `GET /replays/{id}`
pub(super) async fn show(State(desk): State<Arc<Desk>>, Id(id): Id) -> Answered {
    let replay = one(&desk, &id).await?;
    Ok(Json(shapes::replay(&replay)).into_response())
}

async fn one(desk: &Desk, id: &str) -> Result<Replay, Problem> {
    let found = desk.letters()?.replay(replay_id(id)?).await?;
    found.ok_or_else(Problem::no_replay)
}

/// What cannot be the id of a replay is not looked for.
fn replay_id(text: &str) -> Result<String, Problem> {
    let fits = text.len() <= ID && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    match fits {
        true => Ok(text.to_owned()),
        false => Err(Problem::no_replay()),
    }
}

/// `GET /replays/{id}/entries`
pub(super) async fn entries(
    State(desk): State<Arc<Desk>>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Answered {
    let mut fields = Fields::of_query(query.as_deref());
    let after = fields.whole("after", 0..=u64::MAX).unwrap_or(0);
    let limit = fields.whole("limit", 1..=PAGE_MAX).unwrap_or(ENTRIES);
    fields.end()?;
    let replay = one(&desk, &id).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let limit = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let mut page = desk
        .letters()?
        .replay_entries(replay.id.clone(), false, after, limit)
        .await?;
    let more = page.len() > wanted;
    page.truncate(wanted);
    let last = page.last().filter(|_| more);
    let next = last.map(|entry| entry.number);
    let entries: Vec<Value> = page
        .iter()
        .map(|entry| shapes::entry(&replay.id, entry))
        .collect();
    Ok(Json(json!({"entries": entries, "next": next})).into_response())
}

/// `POST /replays/{id}/cancel`
pub(super) async fn cancel(
    State(desk): State<Arc<Desk>>,
    Id(id): Id,
    peer: ConnectInfo<SocketAddr>,
    body: Body,
) -> Answered {
    let mut fields = Fields::of_body(&fields::bytes(body, BODY_CAP).await?)?;
    let because = because(&mut fields);
    let by = By::read(&mut fields, peer);
    fields.end()?;
    let id = replay_id(&id)?;
    let office = desk.office()?;
    let entered = by.entered(Deed::CancelReplay, None, because);
    let cancelled = office.ledger.letters().cancel_replay(id.clone(), entered);
    let replay = cancelled.await?.ok_or_else(Problem::no_replay)?;
    if !replay.state.is_over() && replay.driver.is_none() && desk.stays().is_ok() {
        // Nobody is there to let its letters go. Whoever took it meanwhile does.
        match office.drivers.resume(id.clone()).await {
            Ok(_) | Err(Stopped::Busy(_) | Stopped::Interrupted) => {}
            Err(stopped @ (Stopped::Ledger(_) | Stopped::Broker(_) | Stopped::Unknown)) => {
                return Err(Problem::of_stopped(&id, stopped));
            }
        }
    }
    Ok(Json(shapes::replay(&replay)).into_response())
}

/// `POST /replays/{id}/resume`
pub(super) async fn resume(
    State(desk): State<Arc<Desk>>,
    Id(id): Id,
    peer: ConnectInfo<SocketAddr>,
    body: Body,
) -> Answered {
    let mut fields = Fields::of_body(&fields::bytes(body, BODY_CAP).await?)?;
    let because = because(&mut fields);
    let by = By::read(&mut fields, peer);
    fields.end()?;
    let id = replay_id(&id)?;
    let office = desk.office()?;
    desk.stays()?;
    let taken = office.drivers.resume(id.clone()).await;
    let replay = taken.map_err(|stopped| Problem::of_stopped(&id, stopped))?;
    if !replay.state.is_over() {
        let entered = by.entered(Deed::ResumeReplay, Some(id), because);
        office.ledger.enter(entered).await?;
    }
    let status = match replay.state.is_over() {
        true => StatusCode::OK,
        false => StatusCode::ACCEPTED,
    };
    Ok((status, Json(shapes::replay(&replay))).into_response())
}
