//! What is the matter with messages, with what lies between us and the vendors, and with escalator itself.

use super::super::Code;
use super::super::page::{Ending, Page};
use super::{DEAD, WAITS};

pub(super) const WEBHOOK_NOT_UNDERSTOOD: Page = Page {
    meaning: "A webhook was genuine, and could not be understood.",
    cause: "PagerDuty's format has changed, or another service signs its webhooks with the same secret.",
    steps: &[
        "`escalator dead-letters show ID --bytes` prints what came.",
        "Is it a V3 webhook of PagerDuty? Another sender needs a secret of its own.",
        "It is one: upgrade escalator. Its incident is started by `escalator catch-up --since 24h`, which asks PagerDuty; then discard the letter.",
    ],
    ending: Ending::Final,
    work: "PagerDuty was answered with 202, so that it does not switch the subscription off; the bytes are kept as a dead letter.",
    seen: &["a valid signature over a body that is no event"],
    see_also: &[Code::MessageUndecodable],
};

pub(super) const MESSAGE_UNDECODABLE: Page = Page {
    meaning: "A message in a work queue could not be read.",
    cause: "The ingress is newer than the workers, or something else publishes to escalator's queues.",
    steps: &[
        "`escalator dead-letters show ID --bytes` prints what came.",
        "It looks like ours (a `version` that is higher): upgrade all workers, then replay.",
        "It does not: find out who else may write to the exchange escalations, and take that right away.",
    ],
    ending: Ending::Final,
    work: "It is dead at once, with its bytes.",
    seen: &["a body that is no message of a version that this worker knows"],
    see_also: &[Code::WebhookNotUnderstood],
};

pub(super) const DELIVERED_TOO_OFTEN: Page = Page {
    meaning: "RabbitMQ delivered a message a thousand times without an end to it, and gave it up by itself.",
    cause: "Workers that crash or lose their connection again and again. It need not be this message that ends them.",
    steps: &[
        "`escalator escalations show INCIDENT`: does its timeline say *taken over* again and again? Then it may be the one.",
        "Look at the workers' log for what ends them (`worker.panicked`, `broker.down`), and put that right.",
        "Then replay: what was written to a vendor is known, and not written again.",
    ],
    ending: Ending::Final,
    work: "It is a dead letter with its message. What the ledger knows of the escalation stays as it was.",
    seen: &["RabbitMQ's own header: delivery_limit"],
    see_also: &[Code::Internal],
};

pub(super) const EXPIRED: Page = Page {
    meaning: "It grew older than `escalation.expires_after`.",
    cause: "It waited: for a vendor that was down, or for somebody to put a credential or permission right.",
    steps: &[
        "`escalator escalations show INCIDENT`: the last setback in the timeline says what it waited for. See the page of that code.",
        "Is the customer still there? Then replay, once that is right.",
        "Outages last longer than that here: raise `escalation.expires_after`.",
    ],
    ending: Ending::Final,
    work: "It is dead, once it is known what became of every write that was sent.",
    seen: &["its age, counted from when the ingress accepted it"],
    see_also: &[
        Code::GenesysUnavailable,
        Code::PagerdutyUnavailable,
        Code::GenesysCredentials,
    ],
};

pub(super) const REQUEST_UNACCEPTABLE: Page = Page {
    meaning: "A vendor did not take a request as it was, whatever it asked for.",
    cause: "Ours are small JSON. So it is a proxy in between that changes or measures them, or a defect of escalator.",
    steps: &[
        "Read the reason: status, operation, and the id by which the vendor's support finds it.",
        "Does a proxy or gateway stand in between? Look at its limits for headers and bodies, and whether it drops Content-Type or Accept.",
        "None does: report it, with the reason; the vendor's contract may have changed.",
        "When it is right, replay.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &[
        "413 (request.entity.too.large), 415 (unsupported.media.type)",
        "406, 411, 414, 431",
    ],
    see_also: &[Code::AnsweredByAnother, Code::NoteTooLong],
};

pub(super) const ANSWERED_BY_ANOTHER: Page = Page {
    meaning: "Something else than the vendor answered.",
    cause: "A proxy, firewall or captive portal in between, or an address that leads elsewhere. Both vendors answer in JSON; this was a page for people.",
    steps: &[
        "Read the reason: which operation, which status.",
        "From the same machine: `curl -sv` the address that `escalator check` shows. Who answers?",
        "Correct `genesys.api_url`, `genesys.login_url` or `pagerduty.api_url` (https, not http), or let the hosts through the proxy.",
        "407: the proxy wants to know who asks; let escalator's machine through without.",
        "Run `escalator check`.",
    ],
    ending: Ending::Waits,
    work: WAITS,
    seen: &["a 4xx whose body is HTML", "407"],
    see_also: &[
        Code::GenesysRouteUnknown,
        Code::PagerdutyRouteUnknown,
        Code::RequestUnacceptable,
    ],
};

pub(super) const IN_OTHER_HANDS: Page = Page {
    meaning: "Another worker has it in hand, or another incident its conversation.",
    cause: "A duplicate of the message, a redelivery, or two incidents about one conversation. All of that is usual.",
    steps: &[
        "Nothing. It comes back within seconds, and finds the work done or takes it over.",
        "It goes on for minutes: `escalator escalations show INCIDENT` names who holds it, and for how long. A worker that hangs loses its lease after `worker.lease`.",
    ],
    ending: Ending::Retried,
    work: "It comes back by itself, at no cost of an attempt.",
    seen: &["a claim in the ledger whose lease has not ended"],
    see_also: &[Code::EarlierGenerationRuns],
};

pub(super) const EARLIER_GENERATION_RUNS: Page = Page {
    meaning: "The incident was reopened, and what its first opening started still runs.",
    cause: "Usual after a quick reopening.",
    steps: &[
        "Nothing. It starts when the earlier one has ended.",
        "It goes on for long: `escalator escalations show INCIDENT` tells what the earlier generation waits for.",
    ],
    ending: Ending::Retried,
    work: "It comes back by itself, at no cost of an attempt.",
    seen: &["an earlier generation of the incident that is open in the ledger"],
    see_also: &[Code::InOtherHands],
};

pub(super) const LEDGER_UNAVAILABLE: Page = Page {
    meaning: "The ledger could not be read or written.",
    cause: "PostgreSQL is away or full, or the disk of the SQLite file is.",
    steps: &[
        "Run `escalator check`: it says what is wrong with `database.url`.",
        "SQLite: is there room on the disk, and does the file belong to the service's user?",
        "PostgreSQL: does it run, has it connections and disk left?",
        "Nothing is lost meanwhile: the messages stay in the queues, and nothing is sent that could not be recorded.",
    ],
    ending: Ending::Retried,
    work: "It comes back by itself after some seconds, at no cost of an attempt, for as long as it takes.",
    seen: &["an error of the database, or no answer of it in time"],
    see_also: &[Code::LedgerUnreadable],
};

pub(super) const LEDGER_UNREADABLE: Page = Page {
    meaning: "The ledger's row of this escalation could not be understood.",
    cause: "A newer version of escalator wrote it and the machine was set back to an older one, or somebody changed the row by hand.",
    steps: &[
        "Do all workers run the same version? Bring them to the newest, then replay.",
        "Else look at the row: the reason names what could not be read, the letter names the key.",
        "Before a row is deleted: look in Genesys and PagerDuty what was done already, for escalator will have forgotten it.",
    ],
    ending: Ending::Final,
    work: "It is dead at once: a person has to look.",
    seen: &["a row whose JSON or state is not of a form that this version knows"],
    see_also: &[Code::LedgerUnavailable, Code::Internal],
};

pub(super) const INTERNAL: Page = Page {
    meaning: "The worker stumbled over itself: a defect of escalator.",
    cause: "A message at which ten workers in a row ended, or a decision that must not be. It should never be seen.",
    steps: &[
        "`escalator escalations show INCIDENT`: what was the last thing in its timeline?",
        "Look in the log for worker.panicked and invariant.violated, and in the system's for a process that was killed (memory).",
        "Report it, with these lines. They hold no secret and no link.",
        "Was cobrowse offered? Look at the conversation in Genesys, and offer it by hand if not.",
    ],
    ending: Ending::Final,
    work: DEAD,
    seen: &["leases that ended again and again without being given back; a panic"],
    see_also: &[Code::LedgerUnreadable],
};
