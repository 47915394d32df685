//! What stands on the pages: one constant for each code, and which code has which.
//!
//! Written for somebody who was woken up: short, in the order of doing, with the very setting, permission or command.

mod conversation;
mod genesys;
mod incident;
mod own;
mod pagerduty;

use super::Code;
use super::page::Page;

/// What waits for a person waits like this.
const WAITS: &str = "It waits, at no cost of an attempt: it is tried again every 15 to 30 s and goes on by itself once it is right. \
What grows older than escalation.expires_after is given up as `expired`.";
/// What no retry heals ends like this.
const DEAD: &str = "It is dead at once, and the dead letter says why. To start it afresh: replay it, or resolve and reopen the \
incident in PagerDuty.";
/// What costs nothing as long as nothing was written.
const RETRIED: &str = "It is tried again by itself, at growing intervals. Reads, throttling and a vendor that cannot be reached cost \
nothing; a write without a usable answer is looked up first and costs one of escalation.max_attempts. When those are spent, it \
is dead.";

pub(super) fn of(code: Code) -> &'static Page {
    match code {
        Code::WebhookNotUnderstood => &own::WEBHOOK_NOT_UNDERSTOOD,
        Code::MessageUndecodable => &own::MESSAGE_UNDECODABLE,
        Code::DeliveredTooOften => &own::DELIVERED_TOO_OFTEN,
        Code::Expired => &own::EXPIRED,
        Code::NoConversationId => &incident::NO_CONVERSATION_ID,
        Code::NoAlert => &incident::NO_ALERT,
        Code::AlertNeverHydrated => &incident::ALERT_NEVER_HYDRATED,
        Code::IncidentUnknown => &incident::INCIDENT_UNKNOWN,
        Code::IncidentForbidden => &incident::INCIDENT_FORBIDDEN,
        Code::IncidentAccessLost => &incident::INCIDENT_ACCESS_LOST,
        Code::NoteLimitReached => &incident::NOTE_LIMIT_REACHED,
        Code::NoteTooLong => &incident::NOTE_TOO_LONG,
        Code::PagerdutyRefused => &pagerduty::REFUSED,
        Code::PagerdutyCredentials => &pagerduty::CREDENTIALS,
        Code::PagerdutyFromRefused => &pagerduty::FROM_REFUSED,
        Code::PagerdutyPermissionMissing => &pagerduty::PERMISSION_MISSING,
        Code::PagerdutyAbilityMissing => &pagerduty::ABILITY_MISSING,
        Code::PagerdutyRouteUnknown => &pagerduty::ROUTE_UNKNOWN,
        Code::PagerdutyUnavailable => &pagerduty::UNAVAILABLE,
        Code::PagerdutyThrottled => &pagerduty::THROTTLED,
        Code::ConversationUnknown => &conversation::UNKNOWN,
        Code::ConversationOver => &conversation::OVER,
        Code::NoAgentConnected => &conversation::NO_AGENT_CONNECTED,
        Code::CobrowseNotPossible => &conversation::COBROWSE_NOT_POSSIBLE,
        Code::CobrowseNotConfirmed => &conversation::COBROWSE_NOT_CONFIRMED,
        Code::SessionOutcomeUnknown => &conversation::SESSION_OUTCOME_UNKNOWN,
        Code::GenesysRefused => &genesys::REFUSED,
        Code::GenesysCredentials => &genesys::CREDENTIALS,
        Code::GenesysPermissionMissing => &genesys::PERMISSION_MISSING,
        Code::GenesysDivisionMissing => &genesys::DIVISION_MISSING,
        Code::GenesysUserRequired => &genesys::USER_REQUIRED,
        Code::GenesysRouteUnknown => &genesys::ROUTE_UNKNOWN,
        Code::GenesysConflict => &genesys::CONFLICT,
        Code::GenesysUnavailable => &genesys::UNAVAILABLE,
        Code::GenesysThrottled => &genesys::THROTTLED,
        Code::RequestUnacceptable => &own::REQUEST_UNACCEPTABLE,
        Code::AnsweredByAnother => &own::ANSWERED_BY_ANOTHER,
        Code::InOtherHands => &own::IN_OTHER_HANDS,
        Code::EarlierGenerationRuns => &own::EARLIER_GENERATION_RUNS,
        Code::LedgerUnavailable => &own::LEDGER_UNAVAILABLE,
        Code::LedgerUnreadable => &own::LEDGER_UNREADABLE,
        Code::Internal => &own::INTERNAL,
    }
}
