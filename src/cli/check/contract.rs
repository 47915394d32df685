//! Which cobrowse contract Genesys speaks, as far as that is known without a write.

use super::finding::Finding;
use super::parts::call_failed;
use crate::cli::assembly;
use crate::escalation::{ConversationId, Finding as Found};
use crate::settings::Settings;
use crate::upstream::{Genesys, Operation, ReadConversation, Speaks};

const PART: &str = "contract";

/// What the settings say, what the pool has found out, and what this conversation looks like.
pub(super) async fn contract(
    settings: &Settings,
    genesys: &Genesys,
    conversation: Option<&ConversationId>,
) -> Vec<Finding> {
    let mut findings = vec![match genesys.speaks() {
        Speaks::Set(contract) => {
            Finding::ok(PART, format!("{contract}, as genesys.cobrowse_api says"))
        }
        Speaks::Auto => match known(settings, genesys).await {
            Some(found) => Finding::ok(PART, in_words(found)),
            None => Finding::ok(
                PART,
                "not decided yet: the first conversation that is read decides (--conversation ID looks at one now)",
            ),
        },
    }];
    if let Some(id) = conversation {
        findings.extend(look(genesys, id).await);
    }
    findings
}

/// What the pool has found out. Whatever is wrong with the ledger has a line of its own.
async fn known(settings: &Settings, genesys: &Genesys) -> Option<Found> {
    let (ledger, _) = assembly::ledger_to_read(settings).await.ok()?;
    ledger.finding(genesys.account()).await.ok().flatten()
}

fn in_words(found: Found) -> String {
    let proof = match (found.confirmed, found.shows_sessions) {
        (true, true) => "sessions were made by it, and seen in their conversations",
        (true, false) => "sessions were made by it",
        (false, _) => "as a conversation that was read looks; no session was made yet",
    };
    format!("{}, found out: {proof}", found.contract)
}

async fn look(genesys: &Genesys, id: &ConversationId) -> Vec<Finding> {
    match genesys.conversation(id, None).await {
        Ok(read) => {
            let live = match read.conversation.over {
                true => "over",
                false => "live",
            };
            let agents = read.conversation.agents.len();
            let mut findings = vec![Finding::ok(
                PART,
                format!(
                    "conversation {id} can be read, by the contract {}: {live}, {agents} agents connected",
                    read.contract
                ),
            )];
            findings.extend(differs(genesys, &read));
            findings
        }
        Err(error) => vec![call_failed(
            PART,
            genesys.at().as_str(),
            Operation::ReadConversation,
            &error,
        )],
    }
}

/// What is set is believed, whatever a conversation looks like: so a person has to see that they do not agree. With `auto` the
/// program finds out by itself.
fn differs(genesys: &Genesys, read: &ReadConversation) -> Option<Finding> {
    let (Speaks::Set(set), Some(looks)) = (genesys.speaks(), read.looks_like) else {
        return None;
    };
    (looks != set).then(|| {
        Finding::warning(
            PART,
            format!("it reads like the contract {looks}, and genesys.cobrowse_api says {set}"),
            "set genesys.cobrowse_api to auto, unless it is known to be right",
        )
    })
}
