//! Who may act for a conversation.

use super::super::rules::{self, from_json, to_json};
use super::link::{Link, get};
use super::{LOOKS, millis, now_and_resolved, number, sql};
use crate::escalation::Cobrowse;
use crate::ledger::{ConversationClaim, ConversationRequest, Error, HeldConversation};

pub(super) async fn claim(
    link: &Link,
    request: ConversationRequest,
) -> Result<ConversationClaim, Error> {
    for _ in 0..LOOKS {
        if let Some(claim) = look_and_take(link, &request).await? {
            return Ok(claim);
        }
    }
    Err(Error::Unavailable(format!(
        "{} was forgotten {LOOKS} times while it was claimed",
        request.conversation
    )))
}

/// `None`: it was forgotten between two statements.
async fn look_and_take(
    link: &Link,
    request: &ConversationRequest,
) -> Result<Option<ConversationClaim>, Error> {
    let ConversationRequest {
        held,
        conversation,
        lease,
        intend,
    } = request;
    let (key, id) = (held.key.as_str(), conversation.as_str());
    let (epoch, unknown) = (number(held.epoch), to_json(&Cobrowse::default())?);
    // The escalation first, then the conversation: the order of locks.
    let looking = async {
        tokio::try_join!(biased;
            link.first(sql::HOLDS, [&key, &epoch]),
            link.execute(sql::ENSURE_CONVERSATION, [&id, &unknown]),
            link.first(sql::CONVERSATION, [&id]),
            now_and_resolved(link, held.incident.as_str()),
        )
    };
    let (holds, _, row, (now, resolved_at)) = link.begin(looking).await?;
    if holds.is_none() {
        return Err(Error::Fenced);
    }
    let Some(row) = row else {
        link.roll_back().await?;
        return Ok(None);
    };
    let (holder, until): (Option<String>, i64) = (get(&row, 1)?, get(&row, 2)?);
    let left = until.saturating_sub(now);
    if let Some(free_in) = rules::conversation_held(held, holder.as_deref(), left) {
        let naming = link.execute(sql::NAME_CONVERSATION, [&key, &id]);
        link.commit(naming).await?;
        return Ok(Some(ConversationClaim::Held { free_in }));
    }
    let epoch = get::<i64>(&row, 0)?.saturating_add(1);
    let mut cobrowse: Cobrowse = from_json(&get::<String>(&row, 3)?)?;
    let intended = intend
        .as_deref()
        .filter(|intend| rules::intend(&mut cobrowse, intend, resolved_at));
    let written = to_json(&cobrowse)?;
    let lease = millis(*lease);
    let taking = link.execute(
        sql::TAKE_CONVERSATION,
        [&id, &epoch, &key, &lease, &written],
    );
    match intended {
        None => {
            let naming = link.execute(sql::NAME_CONVERSATION, [&key, &id]);
            let writing = async { tokio::try_join!(biased; naming, taking) };
            link.commit(writing).await?;
        }
        Some(intend) => {
            let progress = to_json(&intend.progress)?;
            let attempts = i64::from(intend.attempts);
            let story = to_json(&intend.history)?;
            let intending = link.execute(sql::INTEND, [&key, &id, &progress, &attempts]);
            let telling = async {
                match intend.history.is_empty() {
                    true => Ok(0),
                    false => link.execute(sql::TELL, [&key, &story]).await,
                }
            };
            let writing = async { tokio::try_join!(biased; intending, telling, taking) };
            link.commit(writing).await?;
        }
    }
    Ok(Some(ConversationClaim::Granted {
        held: HeldConversation {
            conversation: conversation.clone(),
            epoch: epoch.unsigned_abs(),
        },
        cobrowse,
        resolved_at,
        intended: intended.is_some(),
    }))
}
