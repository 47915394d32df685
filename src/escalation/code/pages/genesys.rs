//! What is the matter with Genesys, or with our OAuth client there.

use super::super::Code;
use super::super::page::{Ending, Page};
use super::{DEAD, RETRIED, WAITS};

pub(super) const REFUSED: Page = Page {
    meaning: "Genesys refused a request for a reason that has no code of its own here.",
    cause: "Unusual. Genesys' own code and message are in the reason.",
    steps: &[
        "Read the reason: `escalator escalations show INCIDENT`. It quotes Genesys' code, message and correlation id.",
        "Put right what it names, then replay.",
        "Nothing to be found: ask Genesys' support, with the correlation id.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &["any 4xx that no other page names, such as 400 to the creating of a session"],
    see_also: &[Code::RequestUnacceptable, Code::CobrowseNotPossible],
};

pub(super) const CREDENTIALS: Page = Page {
    meaning: "Genesys gives no token for the OAuth client, or does not accept it.",
    cause: "A wrong id or secret; the right ones in the wrong region (it looks just the same); a client that was switched off or deleted, or that \
is not of the grant type *client credentials*.",
    steps: &[
        "Run `escalator check`: it asks for a token and changes nothing.",
        "invalid_client: compare `genesys.client_id` with Admin, Integrations, OAuth. Make a new secret there if in doubt and put it into `genesys.client_secret` (or the file that GENESYS_CLIENT_SECRET_FILE names).",
        "Is `genesys.region` the organisation's? It is what stands behind login. in the browser: mypurecloud.ie, usw2.pure.cloud, ….",
        "unauthorized_client or unsupported_grant_type: the OAuth client needs the grant type *Client Credentials*.",
        "Restart. A secret that was renewed at Genesys needs a restart too.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &[
        "400 or 401 with invalid_client to the request for a token",
        "401 (bad.credentials, authentication.required) to any other call, also with a new token",
    ],
    see_also: &[
        Code::GenesysRouteUnknown,
        Code::GenesysPermissionMissing,
        Code::AnsweredByAnother,
    ],
};

pub(super) const PERMISSION_MISSING: Page = Page {
    meaning: "The OAuth client's role lacks a permission.",
    cause: "The role was never given to the OAuth *client* (a user's roles do not count), or it has conversation:cobrowse:add and the channel is voice.",
    steps: &[
        "Read the reason: Genesys names the missing permission.",
        "Admin, People & Permissions, Roles: a role with conversation:communication:view and conversation:cobrowse:add; for voice also conversation:cobrowseVoice:add.",
        "Admin, Integrations, OAuth, the client, *Roles*: give it that role, in the divisions of the conversations. Scopes such as cobrowse:initiate do not exist and help nothing.",
        "Nothing has to be restarted at first: it is tried again within 30 s. It still waits after some minutes: restart, so that a new token is asked for.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &["403 with missing.permissions, missing.any.permissions or not.authorized"],
    see_also: &[Code::GenesysDivisionMissing, Code::GenesysUserRequired],
};

pub(super) const DIVISION_MISSING: Page = Page {
    meaning: "The OAuth client may do it, but not in the conversation's division.",
    cause: "The client's role was given for some divisions, and this conversation's queue belongs to another.",
    steps: &[
        "Open the conversation in Genesys: which queue, and which division is that queue in?",
        "Admin, Integrations, OAuth, the client, *Roles*: add that division to the role.",
        "Replay.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &["403 with missing.division.permission"],
    see_also: &[Code::GenesysPermissionMissing, Code::ConversationUnknown],
};

pub(super) const USER_REQUIRED: Page = Page {
    meaning: "Genesys wants a user behind this call, and an OAuth client has none.",
    cause: "Some calls are for users only. Genesys does not say of which; in this organisation offering cobrowse is one of them, at least for this channel.",
    steps: &[
        "Nothing is wrong with role or secret, and a replay hears the same.",
        "Now: have the agent start cobrowse in the conversation by hand.",
        "Is `genesys.cobrowse_api` the contract that the organisation speaks?",
        "Ask Genesys' support, with the correlation id in the reason, whether an OAuth client with client credentials may make this call.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &["400 or 403 with words such as *This request requires a user context*"],
    see_also: &[Code::GenesysPermissionMissing, Code::CobrowseNotPossible],
};

pub(super) const ROUTE_UNKNOWN: Page = Page {
    meaning: "Genesys does not know the route.",
    cause: "The other side speaks another cobrowse contract than `genesys.cobrowse_api` says, or one of the addresses is wrong.",
    steps: &[
        "Of create_session or offer_session: set `genesys.cobrowse_api` to the other contract, and restart.",
        "Of token: `genesys.login_url` is not the login host. Leave `genesys.login_url` and `genesys.api_url` empty, so that they follow `genesys.region`.",
        "With a proxy before it: does it pass the path on unchanged?",
        "Run `escalator check`.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &[
        "404 to a call whose path names nothing that could be unknown, or, as long as no offer has worked, to the offer in a conversation that was read a moment ago",
        "405; and 413, 415 or the like to the request for a token",
        "a redirect (3xx) in answer to a read",
    ],
    see_also: &[Code::AnsweredByAnother, Code::ConversationUnknown],
};

pub(super) const CONFLICT: Page = Page {
    meaning: "Genesys says that what was asked for clashes with what is there.",
    cause: "Mostly a cobrowse session that just came into the conversation: the agent's own, or one of an earlier call whose answer was lost.",
    steps: &[
        "At first nothing: the conversation is read, and what is found there counts.",
        "Dead: open the conversation in Genesys. A cobrowse session is there: nothing to be done.",
        "None is there, and the customer is: replay.",
        "It is always so: ask Genesys' support, with the correlation id in the reason.",
    ],
    ending: Ending::Retried,
    work: "The conversation is read twice, a settle time apart. A session that it shows counts; if there is none, the call is repeated, \
at the cost of an attempt, until escalation.max_attempts are spent. Where Genesys is not known to show sessions, it ends as \
`session_outcome_unknown` instead.",
    seen: &["409"],
    see_also: &[Code::CobrowseNotPossible, Code::SessionOutcomeUnknown],
};

pub(super) const UNAVAILABLE: Page = Page {
    meaning: "Genesys cannot be reached, or answers with errors of its own.",
    cause: "An outage at Genesys, or our own network, DNS, proxy or certificates. The reason tells which: *not sent* is on our side of the wire.",
    steps: &[
        "Nothing at first: it goes on by itself when Genesys is back.",
        "Reason with a status of 5xx or *no answer*: see Genesys Cloud's status page for the region.",
        "Reason *not sent*: run `escalator check` on the same machine. A name that cannot be resolved is mostly a wrong `genesys.region`; else look at firewall, proxy, and the trusted certificates.",
        "Given up after escalation.max_attempts: look into the conversation whether cobrowse is there; if not, replay.",
    ],
    ending: Ending::Retried,
    work: RETRIED,
    seen: &[
        "408, 425 and every 5xx",
        "no answer within worker.call_timeout, a broken connection, a success whose body cannot be read",
        "a redirect (3xx) in answer to a write: it may have taken effect",
        "nobody reached: DNS, connection, TLS; or no token to be had",
    ],
    see_also: &[
        Code::GenesysThrottled,
        Code::SessionOutcomeUnknown,
        Code::AnsweredByAnother,
    ],
};

pub(super) const THROTTLED: Page = Page {
    meaning: "Genesys asked us to slow down.",
    cause: "The OAuth client's limit (300 requests a minute, unless Genesys raised it) is spent, mostly by something else that uses the same client.",
    steps: &[
        "Nothing at first: it waits as long as Genesys said, and goes on by itself.",
        "It goes on for long: give escalator an OAuth client of its own.",
        "It is escalator alone: lower `genesys.requests_per_minute`.",
        "`Retry-After` of minutes or hours: it is a limit of the organisation. Ask Genesys' support which; the reason has the correlation id.",
    ],
    ending: Ending::Retried,
    work: "It waits for `Retry-After`, however long, without dying of it; without one at least 5 s, and longer each time. It costs no attempt.",
    seen: &["429 (too.many.requests.retry.after), with or without headers and body"],
    see_also: &[Code::GenesysUnavailable],
};
