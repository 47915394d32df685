//! The pool's permits, kept in the ledger.

use async_trait::async_trait;
use std::sync::Arc;

use crate::ledger::Ledger;
use crate::pacing::{Exchange, Grant};
use crate::upstream::PermitSource;

/// Asks the ledger.
pub struct PoolPermits(pub Arc<dyn Ledger>);

#[async_trait]
impl PermitSource for PoolPermits {
    async fn exchange(&self, account: &str, asked: Exchange) -> Result<Grant, String> {
        let exchanged = self.0.exchange_permits(account, asked).await;
        exchanged.map_err(|error| error.to_string())
    }
}
