//! What is the matter with the conversation.

use super::super::Code;
use super::super::page::{Ending, Page};
use super::DEAD;

pub(super) const UNKNOWN: Page = Page {
    meaning: "Genesys does not know the conversation, or does not show it to us, or no longer.",
    cause: "The alert carries a wrong id (an interaction's, a participant's, another organisation's), the region is another one, or the \
conversation lies in a division that the OAuth client's role does not reach.",
    steps: &[
        "The reason names offer_session: the conversation could be read a moment before, so it has most likely just ended. Open it in Genesys; where the customer is still there, replay.",
        "Else `escalator escalations show INCIDENT` names the id. Open https://apps.REGION/directory/#/engage/admin/interactions/ID in the browser.",
        "It is not there: correct what the sender puts into `conversation_id`. It has to be the id under /api/v2/conversations.",
        "It is there: add the conversation's division to the OAuth client's role (Admin, Integrations, OAuth, Roles).",
        "Is `genesys.region` the region of that organisation?",
        "Then replay.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &[
        "Genesys answers the read of the conversation with 404 (not.found), or with 400: what was asked for is no conversation's id",
        "under the `sessions` contract also 404 to the attaching of the session",
        "under the `conversation` contract also 404 to the offer, where offers have worked before: the conversation could be read a moment before, and has most likely just ended",
    ],
    see_also: &[
        Code::GenesysDivisionMissing,
        Code::ConversationOver,
        Code::GenesysRouteUnknown,
    ],
};

pub(super) const OVER: Page = Page {
    meaning: "The conversation ended before cobrowse was in it.",
    cause: "The customer left, or the agent closed it, before the incident was worked on.",
    steps: &[
        "Nothing: there is nobody left to cobrowse with.",
        "It happens often: the alert fires too late, or escalations wait for something. `escalator escalations list --code conversation_over` shows which.",
    ],
    ending: Ending::Final,
    work: "It is dead at once. A replay would find the same.",
    seen: &["the conversation has an end (`endTime`), or no communication of it is live any more"],
    see_also: &[Code::NoAgentConnected, Code::ConversationUnknown],
};

pub(super) const NO_AGENT_CONNECTED: Page = Page {
    meaning: "No agent is connected to the conversation.",
    cause: "The customer still waits in the queue, which is what an SLA breach mostly is. The agent that the alert names counts only while connected; \
else it is whoever is connected.",
    steps: &[
        "While it waits: nothing. It looks again every 15 to 30 s, and goes on when somebody has picked the conversation up.",
        "Dead: nobody did within `escalation.agent_wait`. Open the conversation in Genesys; is the queue staffed?",
        "The customer is still there and now has an agent: replay.",
        "It happens often: raise `escalation.agent_wait`.",
    ],
    ending: Ending::WaitsThenFinal,
    work: "It waits, at no cost of an attempt, for up to escalation.agent_wait; then it is dead.",
    seen: &[
        "no participant with the purpose agent or user is connected in the conversation that Genesys shows",
    ],
    see_also: &[Code::ConversationOver],
};

pub(super) const COBROWSE_NOT_POSSIBLE: Page = Page {
    meaning: "This conversation does not take cobrowse.",
    cause: "Its channel has none (e-mail, SMS, WhatsApp, an old web chat), or cobrowse is switched off in the Messenger configuration of its deployment.",
    steps: &[
        "Read the reason: it quotes what Genesys said.",
        "Web messaging and voice only. Another channel: nothing to be done; keep its services out of `pagerduty.services`.",
        "Switch cobrowse on in the Messenger configuration (Admin, Message, Messenger Configurations), for Webmessaging and, where it is used, Voice; save a new version and see that the deployment uses it.",
        "Only new conversations have it. Where the customer is still there, offer help another way.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &[
        "400 to the call that offers cobrowse (`conversation` contract), or that attaches the session (`sessions` contract)",
    ],
    see_also: &[Code::GenesysUserRequired, Code::GenesysConflict],
};

pub(super) const COBROWSE_NOT_CONFIRMED: Page = Page {
    meaning: "The session was attached, and the conversation never showed it.",
    cause: "Genesys took the request and shows nothing of it: mostly the session ended at once, since the customer's page was closed.",
    steps: &[
        "Open the conversation in Genesys (`escalator escalations show INCIDENT` has its id): is cobrowse there?",
        "It is: nothing to be done but to tell the on-call engineer.",
        "It is not, and the customer is there: replay.",
    ],
    ending: Ending::Final,
    work: "It is looked for at growing intervals; what does not show within the bound is dead. No second session is offered beside it.",
    seen: &["200 or 201 to the attaching, and then no cobrowse media in the conversation"],
    see_also: &[Code::SessionOutcomeUnknown, Code::ConversationOver],
};

pub(super) const SESSION_OUTCOME_UNKNOWN: Page = Page {
    meaning: "Whether an earlier call offered a session cannot be found out.",
    cause: "The answer to the one call that offers cobrowse was lost (a crash, a time-out, a 5xx), and the conversation shows no session. Offering \
another could ask the customer twice, so a person has to look.",
    steps: &[
        "Open the conversation in Genesys (`escalator escalations show INCIDENT` has its id), or ask the agent: was the customer offered cobrowse?",
        "Yes: nothing to be done but to tell the on-call engineer.",
        "No, and the customer is still there: the agent starts cobrowse by hand. A replay asks anew only once nothing can be left of that call: from an hour after it on where Genesys is known to show joined sessions, from eight hours after it on elsewhere.",
        "It happens often: see what loses the answers: `worker.call_timeout`, the network, Genesys' status page.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &[
        "under the `conversation` contract: an intent without a result, and no session in the conversation",
    ],
    see_also: &[Code::CobrowseNotConfirmed, Code::GenesysUnavailable],
};
