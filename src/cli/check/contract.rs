//! Which cobrowse contract Genesys speaks, as far as that is known without a write.

use super::finding::Finding;
use super::parts::call_failed;
use crate::cli::assembly;
use crate::escalation::{ConversationId, Finding as Found};
use crate::settings::Settings;
use crate::upstream::{Genesys, Operation, Speaks};

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
        findings.push(look(genesys, id).await);
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

async fn look(genesys: &Genesys, id: &ConversationId) -> Finding {
    match genesys.conversation(id, None).await {
        Ok(read) => {
            let live = match read.conversation.over {
                true => "over",
                false => "live",
            };
            let agents = read.conversation.agents.len();
            Finding::ok(
                PART,
                format!(
                    "conversation {id} can be read, by the contract {}: {live}, {agents} agents connected",
                    read.contract
                ),
            )
        }
        Err(error) => call_failed(
            PART,
            genesys.at().as_str(),
            Operation::ReadConversation,
            &error,
        ),
    }
}
