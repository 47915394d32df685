//! What is there already: does it stand in the way, and is it as it has to be?

use url::Url;

use super::Wanted;
use crate::upstream::{Scope, Subscription};

/// What the account has for that address.
pub(super) enum Existing<'a> {
    /// Nothing that would send the same incidents; with what sends others there.
    None(Vec<&'a Subscription>),
    /// This one sends some of the same incidents there: another beside it would send them twice.
    One(&'a Subscription),
}

pub(super) fn find<'a>(all: &'a [Subscription], wanted: &Wanted<'_>) -> Existing<'a> {
    let there = at(all, wanted);
    let same = there.iter().find(|one| one.scope == wanted.scope);
    let in_the_way = there.iter().find(|one| overlap(&one.scope, &wanted.scope));
    match same.or(in_the_way) {
        Some(one) => Existing::One(one),
        None => Existing::None(there),
    }
}

/// All that send to that address.
pub(super) fn at<'a>(all: &'a [Subscription], wanted: &Wanted<'_>) -> Vec<&'a Subscription> {
    let sends_there = |one: &&Subscription| Url::parse(&one.url).is_ok_and(|url| url == wanted.url);
    all.iter().filter(sends_there).collect()
}

/// Whether an incident may be of both. A team has services, but which is not said here; such a pair is let pass, since what
/// comes twice does no harm.
fn overlap(one: &Scope, other: &Scope) -> bool {
    one == other || *one == Scope::Account || *other == Scope::Account
}

/// What is wrong with it for good; being switched off for a day is another matter.
pub(super) fn faults(one: &Subscription, wanted: &Wanted<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    if one.scope != wanted.scope {
        wrong.push(format!(
            "it sends the incidents of {}, and {} was asked for: delete it in PagerDuty first, or go on with it",
            one.scope, wanted.scope
        ));
    }
    if !one.active {
        wrong.push("it is not active: activate it in PagerDuty".to_owned());
    }
    let missing: Vec<_> = wanted
        .events
        .iter()
        .copied()
        .filter(|event| !one.events.iter().any(|sent| sent == event))
        .collect();
    if !missing.is_empty() {
        wrong.push(format!(
            "it does not send {}: add that in PagerDuty, or take it out of pagerduty.events",
            missing.join(", ")
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn there(scope: Scope, events: &[&str]) -> Subscription {
        Subscription {
            id: "PSUB1".to_owned(),
            url: "https://host.example/webhooks/pagerduty".to_owned(),
            active: true,
            temporarily_disabled: false,
            events: events.iter().map(|&event| event.to_owned()).collect(),
            scope,
        }
    }

    fn wanted(scope: Scope) -> Wanted<'static> {
        Wanted {
            url: "https://HOST.example:443/webhooks/pagerduty"
                .parse()
                .unwrap(),
            scope,
            events: vec!["incident.triggered", "incident.resolved"],
        }
    }

    fn stands_in_the_way(one: Scope, other: Scope) -> bool {
        matches!(find(&[there(one, &[])], &wanted(other)), Existing::One(_))
    }

    #[test]
    fn one_of_another_service_does_not_stand_in_the_way_and_one_of_the_account_does() {
        let service = |id: &str| Scope::Service(id.to_owned());
        assert!(stands_in_the_way(service("A"), service("A")));
        assert!(!stands_in_the_way(service("A"), service("B")));
        assert!(stands_in_the_way(Scope::Account, service("B")));
        assert!(stands_in_the_way(service("A"), Scope::Account));
    }

    #[test]
    fn one_that_sends_more_than_is_needed_is_fine_and_one_that_sends_less_is_not() {
        let more = [
            "incident.triggered",
            "incident.annotated",
            "incident.resolved",
        ];
        let account = wanted(Scope::Account);
        assert!(faults(&there(Scope::Account, &more), &account).is_empty());
        let less = faults(&there(Scope::Account, &["incident.triggered"]), &account);
        assert!(
            less.concat().contains("does not send incident.resolved"),
            "{less:?}"
        );
    }
}
