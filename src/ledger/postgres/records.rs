//! Progress, written under a claim; and what is written without one.

use jiff::Timestamp;
use std::time::Duration;

use super::super::rules::{self, to_json};
use super::link::{Link, fenced, get};
use super::{millis, now_and_resolved, number, sql};
use crate::escalation::{ConversationId, IncidentId, Key, SessionId, SessionLink};
use crate::ledger::{
    CobrowseRecord, Error, Held, HeldConversation, LinkChange, Record, Recorded, State, Then,
};

pub(super) async fn write(link: &Link, record: Record) -> Result<Recorded, Error> {
    let held = &record.held;
    let (key, epoch) = (held.key.as_str(), number(held.epoch));
    let (progress, attempts) = (to_json(&record.progress)?, i64::from(record.attempts));
    let history = to_json(&record.history)?;
    let cobrowse = record.cobrowse.as_ref().map(|c| to_json(&c.cobrowse));
    let cobrowse = cobrowse.transpose()?.unwrap_or_default();
    let (ended, released) = match &record.then {
        Then::Continue => (None, None),
        Then::Release { conversation } => (None, conversation.as_ref()),
        Then::End { end, conversation } => (Some((end, to_json(end)?)), conversation.as_ref()),
    };
    let escalation = async {
        match (&record.then, &ended) {
            (Then::End { .. }, Some((end, ending))) => {
                let (state, code) = (State::after(end).as_str(), end.code().map(|c| c.as_str()));
                link.execute(
                    sql::END,
                    [&key, &epoch, &progress, &attempts, &state, ending, &code],
                )
                .await
            }
            (Then::Release { .. }, _) => {
                link.execute(sql::RELEASE, [&key, &epoch, &progress, &attempts])
                    .await
            }
            (Then::Continue | Then::End { .. }, _) => {
                link.execute(sql::CONTINUE, [&key, &epoch, &progress, &attempts])
                    .await
            }
        }
    };
    let session = async {
        match &record.cobrowse {
            None => Ok(1),
            Some(record) => write_cobrowse(link, record, &cobrowse).await,
        }
    };
    let released = async {
        match (released, &record.then) {
            (Some(held), _) => {
                let (id, epoch) = (held.conversation.as_str(), number(held.epoch));
                link.execute(sql::RELEASE_CONVERSATION, [&id, &epoch]).await
            }
            (None, Then::Continue) => Ok(1),
            (None, Then::Release { .. } | Then::End { .. }) => {
                let freed = link.execute(sql::RELEASE_ITS_CONVERSATION, [&key]).await;
                freed.map(|_| 1)
            }
        }
    };
    let telling = async {
        match record.history.is_empty() {
            true => Ok(0),
            false => link.execute(sql::TELL, [&key, &history]).await,
        }
    };
    // The escalation first, then the conversation: the order of locks. The history after the lock: it counts its lines.
    let writing = async {
        tokio::try_join!(biased;
            escalation,
            session,
            released,
            telling,
            now_and_resolved(link, held.incident.as_str()),
        )
    };
    let (escalation, session, released, _, (_, resolved_at)) = link.begin(writing).await?;
    for changed in [escalation, session, released] {
        fenced(changed)?;
    }
    link.commit(async { Ok(()) }).await?;
    Ok(Recorded { resolved_at })
}

async fn write_cobrowse(
    link: &Link,
    record: &CobrowseRecord,
    cobrowse: &str,
) -> Result<u64, Error> {
    let (id, epoch) = (record.held.conversation.as_str(), number(record.held.epoch));
    match &record.link {
        LinkChange::Keep => link.execute(sql::COBROWSE, [&id, &epoch, &cobrowse]).await,
        LinkChange::Set(session_link) => {
            let revealed = session_link.as_ref().map(SessionLink::reveal);
            link.execute(sql::COBROWSE_AND_LINK, [&id, &epoch, &cobrowse, &revealed])
                .await
        }
    }
}

pub(super) async fn renew(
    link: &Link,
    held: Held,
    conversation: Option<HeldConversation>,
    lease: Duration,
) -> Result<(), Error> {
    let (key, epoch, lease) = (held.key.as_str(), number(held.epoch), millis(lease));
    let escalation = link.execute(sql::RENEW, [&key, &epoch, &lease]);
    let Some(conversation) = conversation else {
        return fenced(escalation.await?);
    };
    let (id, epoch) = (
        conversation.conversation.as_str(),
        number(conversation.epoch),
    );
    let both = async {
        tokio::try_join!(biased;
            escalation,
            link.execute(sql::RENEW_CONVERSATION, [&id, &epoch, &lease]),
        )
    };
    let (escalation, conversation) = link.begin(both).await?;
    fenced(escalation)?;
    fenced(conversation)?;
    link.commit(async { Ok(()) }).await
}

pub(super) async fn session_link(
    link: &Link,
    conversation: ConversationId,
    session: SessionId,
) -> Result<Option<SessionLink>, Error> {
    match link.first(sql::LINK, [&conversation.as_str()]).await? {
        Some(row) => rules::link_of(&get::<String>(&row, 0)?, get(&row, 1)?, &session),
        None => Ok(None),
    }
}

/// Waits for nobody but another resolution of the incident. Claims read it without a lock: one that is committed right
/// after their look is found by their next record.
pub(super) async fn resolve(
    link: &Link,
    incident: IncidentId,
    occurred_at: Timestamp,
) -> Result<(), Error> {
    link.execute(
        sql::RESOLVE,
        [&incident.as_str(), &occurred_at.as_millisecond()],
    )
    .await?;
    Ok(())
}

pub(super) async fn dead_letter_published(link: &Link, key: Key, cycle: u32) -> Result<(), Error> {
    let (key, cycle) = (key.as_str(), i64::from(cycle));
    let Some(row) = link.begin(link.first(sql::DEAD, [&key, &cycle])).await? else {
        return link.roll_back().await;
    };
    let ending = rules::published(&get::<String>(&row, 1)?)?;
    let story = to_json(&[rules::letter_stored(get(&row, 0)?)])?;
    let writing = async {
        tokio::try_join!(biased;
            link.execute(sql::PUBLISHED, [&key, &ending]),
            link.execute(sql::TELL, [&key, &story]),
        )
    };
    link.commit(writing).await?;
    Ok(())
}
