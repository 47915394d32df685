//! Which contract this attempt speaks, and what it learns about the Genesys on the other side.

use super::{Attempt, Stopped};
use crate::escalation::Code;
use crate::escalation::{Contract, EntryKind, Finding, Step};
use crate::ledger::Error;
use crate::upstream::{CallError, Speaks};

impl Attempt<'_> {
    /// The contract by which the conversation has to be read, where that is settled: the one that is being tried, or the one
    /// under which its session was asked for. What other processes have found out since does not change what that was.
    pub(in crate::worker) fn contract_on_record(&self) -> Option<Contract> {
        let asked = self.conversation.as_ref().map(|(_, cobrowse)| cobrowse);
        let asked = asked.filter(|cobrowse| cobrowse.session.asked());
        self.trying.or(asked.map(|cobrowse| cobrowse.contract))
    }

    /// Puts what a read looked like before all processes; what they have agreed on is what counts.
    pub(in crate::worker) async fn agree(&self, read: Contract) -> Result<Contract, Stopped> {
        let genesys = &self.runner.genesys;
        // What this process knows by now; `read` was understood by that, but for what came in between.
        if let Some(known) = genesys.finding() {
            return Ok(known.contract);
        }
        match genesys.speaks() {
            Speaks::Set(contract) => {
                // What others have learned under the same contract: whether it shows sessions.
                let known = self.runner.ledger.finding(genesys.account()).await?;
                let known = known.filter(|known| known.contract == contract);
                self.now_known(known.unwrap_or(Finding::read(contract)));
                Ok(contract)
            }
            Speaks::Auto => Ok(self.learn(Finding::read(read)).await?.contract),
        }
    }

    /// A write under this contract has succeeded. The ledger need not hear it now: the next success, or the session's
    /// appearance, will tell it.
    pub(in crate::worker) async fn confirm(&self, contract: Contract) {
        let news = Finding {
            confirmed: true,
            ..Finding::read(contract)
        };
        let _ = self.learn(news).await;
    }

    /// A read has shown a session of ours: the contract works. What is shown here means something where it is not shown: the
    /// joined ones, or even those that nobody has joined yet.
    pub(in crate::worker) async fn shown(&self, contract: Contract, joined: bool) {
        let news = Finding {
            confirmed: true,
            shows_sessions: contract == Contract::Conversation && !joined,
            shows_joined: contract == Contract::Conversation && joined,
            ..Finding::read(contract)
        };
        let _ = self.learn(news).await;
    }

    /// Whether a conversation that shows no session proves that there is none. Asked of the ledger where it counts: another
    /// process may have found it out.
    pub(in crate::worker) async fn look_what_others_have_learned(&self) -> Result<(), Error> {
        let genesys = &self.runner.genesys;
        let known = genesys.finding();
        if known.is_some_and(|known| known.shows_sessions) {
            return Ok(());
        }
        if let Some(standing) = self.runner.ledger.finding(genesys.account()).await?
            && known.is_none_or(|known| known.contract == standing.contract)
        {
            self.now_known(standing);
        }
        Ok(())
    }

    async fn learn(&self, news: Finding) -> Result<Finding, Error> {
        let genesys = &self.runner.genesys;
        if let Some(known) = genesys.finding()
            && known.and(news) == known
        {
            return Ok(known);
        }
        let learned = self.runner.ledger.learn(genesys.account(), news).await?;
        self.now_known(learned);
        Ok(learned)
    }

    fn now_known(&self, finding: Finding) {
        let genesys = &self.runner.genesys;
        if genesys.finding() != Some(finding) {
            genesys.agree(finding);
            let (account, telemetry) = (genesys.account(), &self.runner.telemetry);
            telemetry.genesys_found(account, finding);
        }
    }

    /// The first write of this contract found no route, although the conversation was there a moment before. Where the
    /// contract was found out by reading and has never worked, the other one is tried, once. Whether it has is asked of the
    /// ledger: another process may know.
    pub(in crate::worker) async fn tries_the_other(
        &mut self,
        refused: Contract,
        error: &CallError,
    ) -> bool {
        let genesys = &self.runner.genesys;
        if !is_no_route(error) || self.trying.is_some() || genesys.speaks() != Speaks::Auto {
            return false;
        }
        let Ok(Some(standing)) = self.runner.ledger.finding(genesys.account()).await else {
            return false;
        };
        self.now_known(standing);
        let other = refused.other();
        if standing.confirmed && standing.contract == refused {
            return false;
        }
        self.trying = Some(other);
        // What was read by the one contract says little under the other.
        self.survey = None;
        let what = format!("no such route under the contract {refused}; tries {other}");
        self.note(EntryKind::Answered, Some(Step::Session), what);
        true
    }

    /// What a refused offer means: another thing where offers have worked.
    pub(in crate::worker) fn means_the_conversation(&self, error: CallError) -> CallError {
        let known = self.runner.genesys.finding();
        match known.is_some_and(|k| k.confirmed && k.contract == Contract::Conversation) {
            true => error.where_offers_have_worked(),
            false => error,
        }
    }
}

/// A server that knows the path and not the method has no such route either.
fn is_no_route(error: &CallError) -> bool {
    matches!(
        error,
        CallError::NoRoute { .. }
            | CallError::SetUp {
                code: Code::GenesysRouteUnknown,
                ..
            }
    )
}
