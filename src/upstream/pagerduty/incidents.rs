//! `GET /incidents`: the account's incidents of a span of time, oldest first, page by page.
//!
//! PagerDuty gives no more than the first 10,000 of a list. So where the pages come to that, the list is begun anew from
//! the last incident's time; what comes twice by that is left out.

use jiff::{Timestamp, ToSpan};
use reqwest::Method;
use serde::Deserialize;
use std::collections::BTreeSet;

use super::super::call::{CallError, Operation};
use super::super::lenient::{Field, Object};
use super::PagerDuty;
use crate::escalation::{IncidentId, ServiceId};

const PAGE: usize = 100;
/// `offset` and `limit` may come to this much together; beyond it the answer is 400.
const CEILING: usize = 10_000;
/// A span of more than six months is refused, and one without an end is a month: so a month at a time.
const WINDOW_HOURS: i64 = 30 * 24;

/// An incident, as far as it matters whether it starts an escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The incident.
    pub id: IncidentId,
    /// Where it stands.
    pub status: IncidentStatus,
    /// Its service.
    pub service: Option<ServiceId>,
    /// Its urgency, as PagerDuty writes it.
    pub urgency: Option<String>,
    /// When it was opened, by PagerDuty's clock.
    pub created_at: Timestamp,
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentStatus {
    /// Nobody has taken it: `triggered`.
    Triggered,
    /// Somebody has: `acknowledged`, and whatever PagerDuty may add.
    InHand,
    /// It is over: `resolved`.
    Resolved,
}

/// A list that is being read. What was read is not kept, but for the ids.
#[derive(Debug)]
pub struct IncidentList {
    services: Vec<String>,
    urgencies: Vec<String>,
    since: Timestamp,
    until: Timestamp,
    window_end: Timestamp,
    offset: usize,
    ceiling: usize,
    /// A list that is begun anew has some of them again.
    seen: BTreeSet<IncidentId>,
    passed_over: usize,
    over: bool,
}

/// The list has to be one: an answer without is not the end of it.
#[derive(Deserialize)]
struct Answer {
    incidents: Vec<Field<Object<Body>>>,
    #[serde(default)]
    more: Field<bool>,
}

#[derive(Deserialize)]
struct Body {
    id: IncidentId,
    created_at: Timestamp,
    #[serde(default)]
    status: Field<String>,
    #[serde(default)]
    urgency: Field<String>,
    #[serde(default)]
    service: Field<Object<Reference>>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    id: Field<String>,
}

#[derive(Deserialize)]
struct One {
    incident: Object<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    status: Field<String>,
}

fn status_of(text: Option<&str>) -> IncidentStatus {
    match text {
        Some("triggered") => IncidentStatus::Triggered,
        Some("resolved") => IncidentStatus::Resolved,
        Some(_) | None => IncidentStatus::InHand,
    }
}

pub(super) async fn status(
    pagerduty: &PagerDuty,
    incident: &IncidentId,
) -> Result<IncidentStatus, CallError> {
    let url = pagerduty.url(&["incidents", incident.as_str()]);
    let request = pagerduty.request(Method::GET, url);
    let reply = pagerduty.call(Operation::ReadIncident, request).await?;
    let Object(found) = reply.json::<One>()?.incident;
    Ok(status_of(found.status.text()))
}

impl From<Body> for Incident {
    fn from(body: Body) -> Self {
        let service = body.service.read();
        Self {
            id: body.id,
            status: status_of(body.status.text()),
            service: service.and_then(|Object(service)| ServiceId::parse(service.id.text()?).ok()),
            urgency: body.urgency.read(),
            created_at: body.created_at,
        }
    }
}

/// A page of the list.
struct Page {
    incidents: Vec<Incident>,
    /// How many it held: one that has no id or no time is none, and has its place in the list all the same.
    length: usize,
    more: bool,
}

impl From<Answer> for Page {
    fn from(answer: Answer) -> Self {
        let length = answer.incidents.len();
        let readable = answer.incidents.into_iter().filter_map(Field::read);
        Self {
            incidents: readable.map(|Object(body)| body.into()).collect(),
            length,
            more: answer.more == Field::Read(true) && length > 0,
        }
    }
}

impl IncidentList {
    /// The incidents that were opened in this span, of these services and urgencies; where there are none, of all.
    #[must_use]
    pub fn new(
        since: Timestamp,
        until: Timestamp,
        services: Vec<String>,
        urgencies: Vec<String>,
    ) -> Self {
        let mut list = Self {
            services,
            urgencies,
            since,
            until,
            window_end: until,
            offset: 0,
            ceiling: CEILING,
            seen: BTreeSet::new(),
            passed_over: 0,
            over: false,
        };
        list.begin_at(since);
        list
    }

    /// The next incidents; none: that was all. After an error the same page may be asked for again.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Unknown`] also for a list that cannot be read.
    pub async fn next(
        &mut self,
        pagerduty: &PagerDuty,
    ) -> Result<Option<Vec<Incident>>, CallError> {
        if self.over {
            return Ok(None);
        }
        let url = pagerduty.url(&["incidents"]);
        let request = pagerduty.request(Method::GET, url).query(&self.query());
        let reply = pagerduty.call(Operation::ListIncidents, request).await?;
        self.take(reply.json::<Answer>()?.into()).map(Some)
    }

    /// How many incidents so far could not be read, and were passed over.
    #[must_use]
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("since", format!("{:.0}", self.since)),
            ("until", format!("{:.0}", self.window_end)),
            ("sort_by", "created_at:asc".to_owned()),
            ("limit", PAGE.min(self.ceiling).to_string()),
            ("offset", self.offset.to_string()),
        ];
        // All of them: a list of the open ones alone would lose places while it is read, as incidents are resolved.
        for status in ["triggered", "acknowledged", "resolved"] {
            query.push(("statuses[]", status.to_owned()));
        }
        let all = |name, values: &[String]| {
            let pairs: Vec<_> = values.iter().map(|value| (name, value.clone())).collect();
            pairs
        };
        query.extend(all("service_ids[]", &self.services));
        query.extend(all("urgencies[]", &self.urgencies));
        query
    }

    /// Takes a page, and moves to the next.
    fn take(&mut self, page: Page) -> Result<Vec<Incident>, CallError> {
        let mut incidents = page.incidents;
        let last = incidents.iter().map(|incident| incident.created_at).max();
        self.passed_over += page.length - incidents.len();
        incidents.retain(|incident| self.seen.insert(incident.id.clone()));
        self.offset += page.length;
        match last {
            Some(last) if page.more && self.is_at_the_ceiling() && last > self.since => {
                self.begin_at(last);
            }
            Some(_) | None if page.more && self.is_at_the_ceiling() => {
                return Err(CallError::unknown(format!(
                    "more than {} incidents were opened at {}: no list of PagerDuty's goes behind them",
                    self.offset, self.since
                )));
            }
            Some(_) | None if page.more => {}
            Some(_) | None if self.window_end < self.until => self.begin_at(self.window_end),
            Some(_) | None => self.over = true,
        }
        Ok(incidents)
    }

    fn is_at_the_ceiling(&self) -> bool {
        self.offset + PAGE > self.ceiling
    }

    fn begin_at(&mut self, since: Timestamp) {
        self.since = since;
        self.offset = 0;
        let end = since.checked_add(WINDOW_HOURS.hours());
        self.window_end = end.map_or(self.until, |end| end.min(self.until));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::{Value, json};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn incident(number: usize, second: i64) -> Incident {
        Incident {
            id: IncidentId::parse(&format!("Q{number}")).unwrap(),
            status: IncidentStatus::Triggered,
            service: None,
            urgency: None,
            created_at: at(second),
        }
    }

    /// Reads a world of incidents to the end as PagerDuty gives it out: a page of what is not before `since` nor after
    /// `until`, and an error beyond the ceiling.
    fn read(world: &[Incident], list: &mut IncidentList) -> Result<Vec<String>, CallError> {
        let mut all = Vec::new();
        while !list.over {
            assert!(
                list.offset + PAGE <= list.ceiling,
                "PagerDuty would answer 400"
            );
            let span = list.window_end.duration_since(list.since);
            assert!(
                span.as_hours() <= 180 * 24,
                "PagerDuty takes six months at most"
            );
            let within =
                |one: &&Incident| one.created_at >= list.since && one.created_at <= list.window_end;
            let found: Vec<_> = world.iter().filter(within).cloned().collect();
            let page: Vec<_> = found.iter().skip(list.offset).take(PAGE).cloned().collect();
            let more = found.len() > list.offset + PAGE;
            let page = Page {
                length: page.len(),
                incidents: page,
                more,
            };
            all.extend(list.take(page)?.iter().map(|one| one.id.to_string()));
        }
        Ok(all)
    }

    fn list(until: i64, ceiling: usize) -> IncidentList {
        let mut list = IncidentList::new(at(0), at(until), Vec::new(), Vec::new());
        list.ceiling = ceiling;
        list
    }

    #[test]
    fn every_incident_comes_once_however_many_there_are() {
        // Three a second, so that each new beginning meets some that it has read.
        let world: Vec<_> = (0..1000).map(|n| incident(n, n as i64 / 3)).collect();
        let expected: Vec<_> = world.iter().map(|one| one.id.to_string()).collect();
        for ceiling in [200, 300, 10_000] {
            assert_eq!(read(&world, &mut list(1000, ceiling)).unwrap(), expected);
        }
    }

    #[test]
    fn a_span_of_years_is_read_a_month_at_a_time() {
        let day = 24 * 3600;
        let world: Vec<_> = (0..700).map(|n| incident(n, n as i64 * day)).collect();
        let mut list = list(700 * day, 10_000);
        assert_eq!(read(&world, &mut list).unwrap().len(), 700);
    }

    #[test]
    fn more_at_one_time_than_a_list_can_give_is_said_and_does_not_go_round_for_ever() {
        let world: Vec<_> = (0..300).map(|n| incident(n, 5)).collect();
        let mut list = list(10, 200);
        assert!(
            read(&world, &mut list)
                .unwrap_err()
                .to_string()
                .contains("opened at")
        );
    }

    #[test]
    fn an_incident_of_an_odd_shape_ends_nothing_and_is_counted() {
        let good = json!({
            "id": "Q1", "created_at": "2026-11-20T03:00:00Z", "status": 7, "urgency": ["high"], "service": {"id": 7},
        });
        let odd = json!([7, null, ["Q2"], {"id": 7}, {"id": "Q3", "created_at": 7}]);
        let read = |incidents: Value| -> Page {
            let answer = json!({"incidents": incidents, "more": true});
            serde_json::from_value::<Answer>(answer).unwrap().into()
        };
        let mut list = list(1_800_000_000, 10_000);
        let first = list.since;
        assert_eq!(list.take(read(odd)).unwrap(), []);
        assert_eq!((list.passed_over(), list.offset, list.since), (5, 5, first));
        let incidents = list.take(read(json!([good]))).unwrap();
        assert_eq!(incidents[0].status, IncidentStatus::InHand);
        assert_eq!(
            (incidents[0].urgency.as_ref(), incidents[0].service.as_ref()),
            (None, None)
        );
        assert_eq!((list.passed_over(), list.offset, list.over), (5, 6, false));
        for answer in [
            json!({}),
            json!({"incidents": null}),
            json!({"incidents": {"more": false}}),
        ] {
            assert!(
                serde_json::from_value::<Answer>(answer).is_err(),
                "no list is no end of the list"
            );
        }
    }
}
