//! What is the matter with the incident and its alert.

use super::super::Code;
use super::super::page::{Ending, Page};
use super::DEAD;

pub(super) const NO_CONVERSATION_ID: Page = Page {
    meaning: "The incident has alerts, and none of them says which conversation it is about.",
    cause: "Whatever opens the incident puts no conversation id into the alert's custom details, or under another name. Or the \
incident is not about a conversation at all and its service should not start escalations.",
    steps: &[
        "In PagerDuty, open the incident, then its alert, *Details*: is there a conversation id, and what is its field called?",
        "It is there under another name: add that name to `escalation.conversation_fields`, restart, and replay.",
        "It is not there: make the sender put `conversation_id` into `payload.custom_details` of its Events API v2 event.",
        "The service has nothing to do with Genesys: list those that have in `pagerduty.services`.",
        "For the customer who waits now: have the agent start cobrowse by hand in Genesys.",
    ],
    ending: Ending::WaitsThenFinal,
    work: "It is looked for again for 12 s, since details may come late; then it is dead. An alert that says it later is not seen \
unless it is replayed.",
    seen: &[
        "PagerDuty answers the alerts with 200; `body.details` (or `body.cef_details.details`) has none of the fields, or no valid id in them",
    ],
    see_also: &[Code::AlertNeverHydrated, Code::NoAlert],
};

pub(super) const NO_ALERT: Page = Page {
    meaning: "The incident has no alert at all.",
    cause: "It was opened by hand, or by something that makes incidents without alerts; or its alerts were moved to another incident.",
    steps: &[
        "In PagerDuty, open the incident: is there really no alert? Was it merged into another incident?",
        "Opened by hand on purpose: nothing to do here; offer cobrowse by hand in Genesys.",
        "Opened by a sender: it has to use the Events API v2 with `payload.custom_details.conversation_id`, on a service that makes alerts and incidents.",
    ],
    ending: Ending::WaitsThenFinal,
    work: "It is looked for again for 55 s, since alerts may come late; then it is dead.",
    seen: &["PagerDuty answers `GET /incidents/{id}/alerts` with 200 and an empty list"],
    see_also: &[Code::AlertNeverHydrated, Code::NoConversationId],
};

pub(super) const ALERT_NEVER_HYDRATED: Page = Page {
    meaning: "The incident has an alert, and its body never came.",
    cause: "PagerDuty fills in an alert's body a moment after the incident. Here it took longer than 55 s, or the alert comes from an \
integration that has no body.",
    steps: &[
        "In PagerDuty, open the alert, *Details*. They are there now: replay.",
        "They are still not there: see PagerDuty's status page; offer cobrowse by hand meanwhile.",
        "It is always so for one sender: make it use the Events API v2 with `payload.custom_details`.",
    ],
    ending: Ending::WaitsThenFinal,
    work: "It is looked for again for 55 s; then it is dead.",
    seen: &["PagerDuty answers the alerts with 200, and no alert has a `body`"],
    see_also: &[Code::NoAlert, Code::NoConversationId],
};

pub(super) const INCIDENT_UNKNOWN: Page = Page {
    meaning: "PagerDuty does not know the incident.",
    cause: "The API key belongs to another account or region than the webhooks. Or the incident was deleted, or a direct start named a wrong id.",
    steps: &[
        "Open the incident in PagerDuty's web page: does it exist, and in which account?",
        "Run `escalator check`: is `pagerduty.api_url` of the account's region (EU: https://api.eu.pagerduty.com)?",
        "Put a key of that account into `pagerduty.api_token`, restart, and replay.",
        "It came by `POST /escalations`: correct its `incident_id`.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &[
        "PagerDuty answers a call about the incident with 404",
        "or with code 2100 (Not Found) or 5001 (Incident Not Found)",
    ],
    see_also: &[Code::IncidentAccessLost, Code::PagerdutyRouteUnknown],
};

pub(super) const INCIDENT_FORBIDDEN: Page = Page {
    meaning: "PagerDuty does not let us at this incident.",
    cause: "The API key is of a user without access to the incident's service or team (private teams), or the key is read-only.",
    steps: &[
        "Read the reason: it quotes PagerDuty's message.",
        "Key of a user: give that user a role in the incident's team that may add notes (Responder or more).",
        "Key of the account: make one that is *not* read-only (Integrations, API Access Keys) and put it into `pagerduty.api_token`.",
        "Replay.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &[
        "PagerDuty answers a call about the incident with 403, or with code 2010 (Access Denied)",
    ],
    see_also: &[
        Code::PagerdutyPermissionMissing,
        Code::IncidentAccessLost,
        Code::PagerdutyCredentials,
    ],
};

pub(super) const INCIDENT_ACCESS_LOST: Page = Page {
    meaning: "The incident was resolved, and with that our access to it ended.",
    cause: "The API key's user had access to the incident only while it was assigned there. PagerDuty takes that back when the incident is resolved.",
    steps: &[
        "Was cobrowse still wanted? A resolved incident mostly needs none: then nothing is to be done.",
        "To have notes in resolved incidents too: use an API key of the account in `pagerduty.api_token`, or give its user a role in the service's team.",
        "Then replay.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &["PagerDuty answers with code 2018, whatever the status"],
    see_also: &[Code::IncidentForbidden, Code::IncidentUnknown],
};

pub(super) const NOTE_LIMIT_REACHED: Page = Page {
    meaning: "The incident holds as many notes as PagerDuty allows: 2000.",
    cause: "Something writes notes into this incident without end. The cobrowse session was offered all the same; only its note is missing.",
    steps: &[
        "The session runs: `escalator escalations show INCIDENT` names conversation and session; open the conversation in Genesys.",
        "Find out in the incident's timeline who writes so many notes, and stop that.",
        "Delete some notes, then replay: the session is found again and only the note is written.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &[
        "PagerDuty answers the note with code 2019 (product limit)",
        "or with 400 and words about a limit",
    ],
    see_also: &[Code::NoteTooLong, Code::PagerdutyRefused],
};

pub(super) const NOTE_TOO_LONG: Page = Page {
    meaning: "PagerDuty finds the note too long.",
    cause: "A note may have 65,535 characters, ours has a few hundred. So it is a link of unusual length, a limit of a proxy in between, or a defect.",
    steps: &[
        "The session runs: `escalator escalations show INCIDENT` names conversation and session; open the conversation in Genesys.",
        "Does a proxy or gateway stand before PagerDuty? Raise its limit for request bodies.",
        "With `note.include_access_links` switched on: try without.",
        "Otherwise report it, with the reason.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &[
        "PagerDuty answers the note with 413",
        "or with 400 and words such as *too long*",
    ],
    see_also: &[Code::NoteLimitReached, Code::RequestUnacceptable],
};
