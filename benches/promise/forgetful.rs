//! No ledger at all: everything is granted and nothing is kept, but for the link that the note needs.

use async_trait::async_trait;
use escalator::escalation::{
    Cobrowse, ConversationId, Entry, Finding, IncidentId, Key, Progress, SessionId, SessionLink,
    Write,
};
use escalator::ledger::{
    Audited, Claim, ClaimRequest, ConversationClaim, ConversationRequest, Entered, Error, Filter,
    Gauges, Granted, Held, HeldConversation, Known, Ledger, Letters, LinkChange, Orders, Presence,
    Present, Pruned, Record, Recorded, Retention,
};
use escalator::pacing::{Exchange, Grant};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// See the module's page.
#[derive(Default)]
pub(crate) struct Forgetful {
    links: Mutex<HashMap<ConversationId, SessionLink>>,
}

#[async_trait]
impl Ledger for Forgetful {
    fn letters(&self) -> &dyn Letters {
        unreachable!("nothing dies in this run")
    }

    fn gauges(&self) -> &dyn Gauges {
        unreachable!("nobody looks in this run")
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error> {
        Ok(Claim::Granted(Box::new(Granted {
            held: Held {
                key: Key::of(&request.incident, &request.trigger),
                incident: request.incident,
                epoch: 1,
            },
            progress: Progress::default(),
            attempts: 0,
            cycle: 0,
            accepted_at: request.accepted_at,
            occurred_at: request.occurred_at,
            resolved_at: None,
            takeovers: 0,
            recovered: false,
        })))
    }

    async fn claim_conversation(
        &self,
        request: ConversationRequest,
    ) -> Result<ConversationClaim, Error> {
        let mut cobrowse = Cobrowse::default();
        let intended = request.intend.map(|intend| intend.intent);
        if let Some(intent) = &intended {
            cobrowse.session = Write::Intended(intent.clone());
        }
        Ok(ConversationClaim::Granted {
            held: HeldConversation {
                conversation: request.conversation,
                epoch: 1,
            },
            cobrowse,
            resolved_at: None,
            intended: intended.is_some(),
        })
    }

    async fn record(&self, record: Record) -> Result<Recorded, Error> {
        if let Some(cobrowse) = record.cobrowse
            && let LinkChange::Set(Some(link)) = cobrowse.link
        {
            let conversation = cobrowse.held.conversation;
            self.links.lock().unwrap().insert(conversation, link);
        }
        Ok(Recorded { resolved_at: None })
    }

    async fn renew(
        &self,
        _: &Held,
        _: Option<&HeldConversation>,
        _: Duration,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn link(
        &self,
        conversation: &ConversationId,
        _: &SessionId,
    ) -> Result<Option<SessionLink>, Error> {
        Ok(self.links.lock().unwrap().remove(conversation))
    }

    async fn resolve(&self, _: &IncidentId, _: Timestamp) -> Result<(), Error> {
        Ok(())
    }

    async fn dead_letter_published(&self, _: &Key, _: u32) -> Result<(), Error> {
        Ok(())
    }

    async fn history(&self, _: &Key) -> Result<Vec<Entry>, Error> {
        Ok(Vec::new())
    }

    async fn generations(&self, _: &IncidentId) -> Result<Vec<Known>, Error> {
        Ok(Vec::new())
    }

    async fn list(&self, _: &Filter) -> Result<Vec<Known>, Error> {
        Ok(Vec::new())
    }

    async fn prune(&self, _: &Retention) -> Result<Pruned, Error> {
        Ok(Pruned::default())
    }

    async fn finding(&self, _: &str) -> Result<Option<Finding>, Error> {
        Ok(None)
    }

    async fn learn(&self, _: &str, news: Finding) -> Result<Finding, Error> {
        Ok(news)
    }

    async fn exchange_permits(&self, _: &str, asked: Exchange) -> Result<Grant, Error> {
        Ok(Grant {
            permits: asked.wanted,
            ..Grant::default()
        })
    }

    async fn report(&self, _: Presence) -> Result<Orders, Error> {
        Ok(None)
    }

    async fn leave(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn enter(&self, _: Entered) -> Result<Audited, Error> {
        Err(Error::Unavailable("there is no ledger".to_owned()))
    }

    async fn present(&self, _: Duration) -> Result<(Orders, Vec<Present>), Error> {
        Ok((None, Vec::new()))
    }

    async fn audit(&self, _: u32) -> Result<Vec<Audited>, Error> {
        Ok(Vec::new())
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}
