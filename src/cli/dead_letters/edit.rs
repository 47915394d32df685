//! `escalator dead-letters edit`.

use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use std::path::Path;

use super::super::exit::Failure;
use super::super::operator::Operator;
use super::super::{assembly, escalations, service, terminal};
use crate::dead_letters::{Correction, NotCorrected, corrected};
use crate::escalation::{AgentId, ConversationId, DeadLetterId, IncidentId};
use crate::ledger::{Deed, Edited, EditedCopy};
use crate::settings::Role;

const MORE: &str = "\
The copy has an id of its own and says which letter it follows; the original is closed. Its escalation begins, when the copy is \
replayed, without anything that was known of the old conversation. What may have been written to an incident already cannot be \
edited: replay it as it is. A letter of bytes that nobody can read becomes a message once --incident and --conversation say what \
it was about.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    /// The letter's id: dl-…
    #[arg(value_name = "ID", value_parser = DeadLetterId::parse)]
    id: DeadLetterId,
    /// The conversation that it is about.
    #[arg(long, value_name = "ID", value_parser = ConversationId::parse, required = true)]
    conversation: ConversationId,
    /// The agent, where one is to be named.
    #[arg(long, value_name = "ID", value_parser = AgentId::parse)]
    agent: Option<AgentId>,
    /// The incident, of a letter that names none.
    #[arg(long, value_name = "ID", value_parser = IncidentId::parse)]
    incident: Option<IncidentId>,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT", required = true, value_parser = NonEmptyStringValueParser::new())]
    because: String,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Edit, config)?;
    if !settings.dead_letters()?.edit {
        return Err(Failure::usage(
            "editing is off: set dead_letters.edit = true (DEAD_LETTERS_EDIT) if operators may change what a message says",
        ));
    }
    let ledger = assembly::ledger(&settings).await?;
    let original = ledger.letters().letter(arguments.id.clone()).await;
    let original = original.map_err(escalations::failure)?;
    let Some(original) = original else {
        let id = &arguments.id;
        return Err(Failure::failed(format!("there is no dead letter {id}")));
    };
    let what = format!("{}, conversation {}", arguments.id, arguments.conversation);
    let correction = Correction {
        conversation: arguments.conversation,
        agent: arguments.agent,
        incident: arguments.incident,
    };
    let message = corrected(&original.letter, &correction, Timestamp::now());
    let message = message.map_err(|why| match why {
        NotCorrected::OtherIncident(_) => Failure::usage(why),
        NotCorrected::NoIncident => {
            Failure::usage("the letter names no incident: say which with --incident")
        }
    })?;
    let because = Some(arguments.because);
    let copy = EditedCopy {
        original: arguments.id,
        message,
        entered: arguments.operator.entered(Deed::Edit, Some(what), because),
    };
    match ledger.letters().edit(copy).await {
        Ok(Edited::Done(id)) => {
            terminal::print(id.as_str());
            terminal::say(&format!(
                "{id} stands in its place; replay it with: escalator dead-letters replay --id {id}"
            ));
            Ok(())
        }
        Ok(Edited::Refused(why)) => Err(Failure::failed(format!("not edited: {why}"))),
        Err(error) => Err(escalations::failure(error)),
    }
}
