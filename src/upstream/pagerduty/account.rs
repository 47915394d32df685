//! What an account says of itself: is the credential good?

use reqwest::Method;

use super::super::call::{CallError, Operation};
use super::PagerDuty;

/// The cheapest call that tells whether the key is good.
pub(super) async fn abilities(pagerduty: &PagerDuty) -> Result<(), CallError> {
    let url = pagerduty.url(&["abilities"]);
    let request = pagerduty.request(Method::GET, url);
    pagerduty
        .call(Operation::ReadAbilities, request)
        .await
        .map(|_| ())
}
