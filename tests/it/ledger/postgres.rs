//! PostgreSQL: the suite, and what a server promises beyond it.

mod opening;
mod outages;
mod plans;
mod races;
mod tls;

use std::sync::Arc;

use escalator::ledger::{Ledger, Postgres};

use crate::support::database::Database;

async fn fresh() -> (Arc<dyn Ledger>, Database) {
    let database = Database::new().await;
    (opened(&database).await, database)
}

async fn opened(database: &Database) -> Arc<dyn Ledger> {
    Arc::new(Postgres::open(&database.secret()).await.unwrap())
}

super::suite!(fresh);
