//! What is the matter with PagerDuty, or with our account there.

use super::super::Code;
use super::super::page::{Ending, Page};
use super::{RETRIED, WAITS};

pub(super) const REFUSED: Page = Page {
    meaning: "PagerDuty refused a request for a reason that has no code of its own here.",
    cause: "Unusual. PagerDuty's own code and message are in the reason.",
    steps: &[
        "Read the reason: `escalator escalations show INCIDENT`. It quotes PagerDuty's code, message and request id.",
        "Look the code up in PagerDuty's list of REST errors; put right what it names, then replay.",
        "Nothing to be found: ask PagerDuty's support, with the request id.",
    ],
    ending: Ending::Final,
    work: "It is dead at once, and the dead letter says why. Only after a 409 it is looked whether the note is there, and tried again.",
    seen: &[
        "any 4xx that no other page names, such as 400 with code 2001 (invalid input)",
        "409",
    ],
    see_also: &[Code::RequestUnacceptable, Code::PagerdutyFromRefused],
};

pub(super) const CREDENTIALS: Page = Page {
    meaning: "PagerDuty does not accept the API key.",
    cause: "The key was revoked or replaced, its user was deleted, it was copied with something missing, or it belongs to the other region. \
An app's OAuth token (`Bearer …`) ends by itself after 24 hours.",
    steps: &[
        "Run `escalator check`: it asks PagerDuty with the key and writes nothing.",
        "Look in PagerDuty (Integrations, API Access Keys, or the user's settings) whether the key still exists. Make a new one if not.",
        "It is written with `Bearer` before it: an app's token lives for 86,400 s and escalator does not renew it. Ask PagerDuty for a new one, or better use a REST API key, which does not end.",
        "Put it into `pagerduty.api_token` (or the file that PAGERDUTY_API_TOKEN_FILE names), without quotes and stray blanks, and restart.",
        "Account in the EU: `pagerduty.api_url` = https://api.eu.pagerduty.com. A key of the other region looks like a wrong key.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &[
        "401, with or without a body",
        "code 2006 (Authentication failed), whatever the status",
    ],
    see_also: &[Code::PagerdutyFromRefused, Code::PagerdutyPermissionMissing],
};

pub(super) const FROM_REFUSED: Page = Page {
    meaning: "PagerDuty does not accept the user in whose name notes are written.",
    cause: "`pagerduty.from_email` is no address of a user of that account: a typing error, a user who has left, a mailing list.",
    steps: &[
        "Look in PagerDuty (People, Users) for a user with exactly the address in `pagerduty.from_email`.",
        "There is none: set `pagerduty.from_email` to one that exists, best to a user made for this, and restart.",
        "`escalator check` does not see this: only a write shows it. The next escalation does.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &[
        "400 with code 1008 (Requester User Not Found)",
        "400 with code 1028 (malformed `From` header)",
        "400 with code 2016 (`From` header missing)",
    ],
    see_also: &[Code::PagerdutyCredentials],
};

pub(super) const PERMISSION_MISSING: Page = Page {
    meaning: "The API key is good, and may not do what escalator needs, at whatever incident.",
    cause: "An OAuth token without the scopes, or a key that is read-only.",
    steps: &[
        "Read the reason: it names the scope, where PagerDuty does.",
        "OAuth app: add the scopes incidents.read and incidents.write. Key of the account: make one that is not read-only.",
        "Put it into `pagerduty.api_token` and restart.",
        "Only `escalator check` says it, of read_abilities or read_subscriptions: it works all the same; the scopes abilities.read and webhook_subscriptions.read would let it look closer.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &[
        "403 with words about scopes (*Token missing required scopes*) or about a read-only key",
        "403 for what only `escalator check` asks",
    ],
    see_also: &[Code::IncidentForbidden, Code::PagerdutyCredentials],
};

pub(super) const ABILITY_MISSING: Page = Page {
    meaning: "The PagerDuty account's plan does not have what was asked for.",
    cause: "The account was downgraded, or its subscription has ended. Alerts and notes belong to every ordinary plan.",
    steps: &[
        "Read the reason: it names the ability, where PagerDuty does.",
        "Ask the account's owner (Account Settings, Billing) what became of the plan.",
        "`escalator check` asks again with the same key.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &["402"],
    see_also: &[Code::PagerdutyCredentials],
};

pub(super) const ROUTE_UNKNOWN: Page = Page {
    meaning: "Behind `pagerduty.api_url` there is no such route.",
    cause: "`pagerduty.api_url` is not the REST API: the account's web page (it redirects), the Events API, or a proxy with a path missing.",
    steps: &[
        "Set `pagerduty.api_url` to https://api.pagerduty.com, or https://api.eu.pagerduty.com for an account in the EU.",
        "With a proxy before it: does it pass the path on unchanged?",
        "Run `escalator check`, then restart.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &[
        "404 for a path that names no incident",
        "405",
        "a redirect (3xx) in answer to a read",
    ],
    see_also: &[Code::AnsweredByAnother, Code::IncidentUnknown],
};

pub(super) const UNAVAILABLE: Page = Page {
    meaning: "PagerDuty cannot be reached, or answers with errors of its own.",
    cause: "An outage at PagerDuty, or our own network, DNS, proxy or certificates. The reason tells which: *not sent* is on our side of the wire.",
    steps: &[
        "Nothing at first: it goes on by itself when PagerDuty is back.",
        "Reason with a status of 5xx or *no answer*: see PagerDuty's status page.",
        "Reason *not sent*: run `escalator check` on the same machine; look at DNS, firewall, proxy, and the trusted certificates.",
        "Given up after escalation.max_attempts: look into the incident whether the note is there; if not, replay.",
    ],
    ending: Ending::Retried,
    work: RETRIED,
    seen: &[
        "408, 425 and every 5xx",
        "no answer within worker.call_timeout, a broken connection, a success whose body cannot be read",
        "a redirect (3xx) in answer to a write: it may have taken effect",
        "nobody reached: DNS, connection, TLS",
    ],
    see_also: &[Code::PagerdutyThrottled, Code::AnsweredByAnother],
};

pub(super) const THROTTLED: Page = Page {
    meaning: "PagerDuty asked us to slow down.",
    cause: "The API key's limit (960 requests a minute) is spent, mostly by something else that uses the same key.",
    steps: &[
        "Nothing at first: it waits as long as PagerDuty said, and goes on by itself.",
        "It goes on for long: give escalator a key of its own in `pagerduty.api_token`.",
        "It is escalator alone: lower `pagerduty.requests_per_minute`.",
    ],
    ending: Ending::Retried,
    work: "It waits for `Retry-After` or `ratelimit-reset`, however long, without dying of it; without either at least 5 s, and longer each \
time. It costs no attempt.",
    seen: &[
        "429, with or without headers and body",
        "code 2020 (rate limit), whatever the status",
    ],
    see_also: &[Code::PagerdutyUnavailable],
};
