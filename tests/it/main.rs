//! The integration tests, one binary: real RabbitMQ, real HTTP, the real program. `make test` starts the broker.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod admin;
mod architecture;
mod broker;
mod checking;
mod contracts;
mod dead_letters;
mod deploying;
mod escalating;
mod failing;
mod forgetting;
mod ingress;
mod ledger;
mod limits;
mod listing;
mod model;
mod pagerduty;
mod simulator;
mod support;
mod torture;
mod tracing;
mod watching;
mod working;
