//! Error codes: the stable names under which a failure is counted, read, searched and explained.

mod cause;
mod page;
mod pages;

use serde::{Deserialize, Serialize};

pub use cause::Cause;
pub use page::{Ending, Page, pages_as_markdown};

/// Why an escalation waits or died. The names are fixed: dashboards, filters and runbooks quote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The webhook was genuine but could not be understood.
    WebhookNotUnderstood,
    /// A message of a work lane could not be read.
    MessageUndecodable,
    /// RabbitMQ delivered it so often that it gave it up by itself.
    DeliveredTooOften,
    /// Older than `escalation.expires_after`.
    Expired,
    /// The incident has alerts, none carries a conversation id.
    NoConversationId,
    /// The incident has no alert at all.
    NoAlert,
    /// The alert never got its body.
    AlertNeverHydrated,
    /// PagerDuty does not know the incident.
    IncidentUnknown,
    /// PagerDuty refused access to the incident.
    IncidentForbidden,
    /// PagerDuty lets nobody of ours at the incident any more, since it is resolved.
    IncidentAccessLost,
    /// The incident holds as many notes as it can.
    NoteLimitReached,
    /// PagerDuty finds the note too long.
    NoteTooLong,
    /// PagerDuty refused a request for a reason of its own.
    PagerdutyRefused,
    /// PagerDuty does not accept the API key.
    PagerdutyCredentials,
    /// PagerDuty does not accept the `From` address.
    PagerdutyFromRefused,
    /// The API key may not do what was asked of it, at whatever incident.
    PagerdutyPermissionMissing,
    /// The PagerDuty account's plan does not have what was asked for.
    PagerdutyAbilityMissing,
    /// Behind `pagerduty.api_url` there is no such route.
    PagerdutyRouteUnknown,
    /// PagerDuty cannot be reached, or answers with errors.
    PagerdutyUnavailable,
    /// PagerDuty asked us to slow down.
    PagerdutyThrottled,
    /// Genesys does not know the conversation.
    ConversationUnknown,
    /// The conversation ended before a session was in it.
    ConversationOver,
    /// Nobody connected to the conversation within `escalation.agent_wait`.
    NoAgentConnected,
    /// The conversation's channel or set-up does not allow cobrowse.
    CobrowseNotPossible,
    /// The session was attached, yet the conversation never showed it.
    CobrowseNotConfirmed,
    /// Whether an earlier call offered a session cannot be found out, and another call could offer a second one.
    SessionOutcomeUnknown,
    /// Genesys refused a request for a reason of its own.
    GenesysRefused,
    /// Genesys gives no token for the client id and secret, or does not accept the token.
    GenesysCredentials,
    /// The OAuth client lacks a permission.
    GenesysPermissionMissing,
    /// The OAuth client's role does not reach into the conversation's division.
    GenesysDivisionMissing,
    /// Genesys wants a user behind this call, and an OAuth client has none.
    GenesysUserRequired,
    /// Genesys does not know the route: the other side speaks another contract, or the region is wrong.
    GenesysRouteUnknown,
    /// Genesys says that what was asked for clashes with what is there.
    GenesysConflict,
    /// Genesys cannot be reached, or answers with errors.
    GenesysUnavailable,
    /// Genesys asked us to slow down.
    GenesysThrottled,
    /// A vendor did not take a request as it was, whatever it asked for.
    RequestUnacceptable,
    /// Something else than the vendor answered.
    AnsweredByAnother,
    /// Another worker has it in hand.
    InOtherHands,
    /// An earlier generation of the incident is still running.
    EarlierGenerationRuns,
    /// The ledger could not be read or written.
    LedgerUnavailable,
    /// The ledger's row of this escalation could not be understood.
    LedgerUnreadable,
    /// The worker stumbled over itself: a defect of ours.
    Internal,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 42] = [
        Self::WebhookNotUnderstood,
        Self::MessageUndecodable,
        Self::DeliveredTooOften,
        Self::Expired,
        Self::NoConversationId,
        Self::NoAlert,
        Self::AlertNeverHydrated,
        Self::IncidentUnknown,
        Self::IncidentForbidden,
        Self::IncidentAccessLost,
        Self::NoteLimitReached,
        Self::NoteTooLong,
        Self::PagerdutyRefused,
        Self::PagerdutyCredentials,
        Self::PagerdutyFromRefused,
        Self::PagerdutyPermissionMissing,
        Self::PagerdutyAbilityMissing,
        Self::PagerdutyRouteUnknown,
        Self::PagerdutyUnavailable,
        Self::PagerdutyThrottled,
        Self::ConversationUnknown,
        Self::ConversationOver,
        Self::NoAgentConnected,
        Self::CobrowseNotPossible,
        Self::CobrowseNotConfirmed,
        Self::SessionOutcomeUnknown,
        Self::GenesysRefused,
        Self::GenesysCredentials,
        Self::GenesysPermissionMissing,
        Self::GenesysDivisionMissing,
        Self::GenesysUserRequired,
        Self::GenesysRouteUnknown,
        Self::GenesysConflict,
        Self::GenesysUnavailable,
        Self::GenesysThrottled,
        Self::RequestUnacceptable,
        Self::AnsweredByAnother,
        Self::InOtherHands,
        Self::EarlierGenerationRuns,
        Self::LedgerUnavailable,
        Self::LedgerUnreadable,
        Self::Internal,
    ];

    /// Whether work with this code waits until somebody changes something.
    #[must_use]
    pub fn waits_for_a_person(self) -> bool {
        matches!(
            self,
            Self::PagerdutyCredentials
                | Self::PagerdutyFromRefused
                | Self::PagerdutyPermissionMissing
                | Self::PagerdutyAbilityMissing
                | Self::PagerdutyRouteUnknown
                | Self::GenesysCredentials
                | Self::GenesysPermissionMissing
                | Self::GenesysRouteUnknown
                | Self::AnsweredByAnother
                | Self::LedgerUnreadable
                | Self::Internal
        )
    }

    /// The name, in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebhookNotUnderstood => "webhook_not_understood",
            Self::MessageUndecodable => "message_undecodable",
            Self::DeliveredTooOften => "delivered_too_often",
            Self::Expired => "expired",
            Self::NoConversationId => "no_conversation_id",
            Self::NoAlert => "no_alert",
            Self::AlertNeverHydrated => "alert_never_hydrated",
            Self::IncidentUnknown => "incident_unknown",
            Self::IncidentForbidden => "incident_forbidden",
            Self::IncidentAccessLost => "incident_access_lost",
            Self::NoteLimitReached => "note_limit_reached",
            Self::NoteTooLong => "note_too_long",
            Self::PagerdutyRefused => "pagerduty_refused",
            Self::PagerdutyCredentials => "pagerduty_credentials",
            Self::PagerdutyFromRefused => "pagerduty_from_refused",
            Self::PagerdutyPermissionMissing => "pagerduty_permission_missing",
            Self::PagerdutyAbilityMissing => "pagerduty_ability_missing",
            Self::PagerdutyRouteUnknown => "pagerduty_route_unknown",
            Self::PagerdutyUnavailable => "pagerduty_unavailable",
            Self::PagerdutyThrottled => "pagerduty_throttled",
            Self::ConversationUnknown => "conversation_unknown",
            Self::ConversationOver => "conversation_over",
            Self::NoAgentConnected => "no_agent_connected",
            Self::CobrowseNotPossible => "cobrowse_not_possible",
            Self::CobrowseNotConfirmed => "cobrowse_not_confirmed",
            Self::SessionOutcomeUnknown => "session_outcome_unknown",
            Self::GenesysRefused => "genesys_refused",
            Self::GenesysCredentials => "genesys_credentials",
            Self::GenesysPermissionMissing => "genesys_permission_missing",
            Self::GenesysDivisionMissing => "genesys_division_missing",
            Self::GenesysUserRequired => "genesys_user_required",
            Self::GenesysRouteUnknown => "genesys_route_unknown",
            Self::GenesysConflict => "genesys_conflict",
            Self::GenesysUnavailable => "genesys_unavailable",
            Self::GenesysThrottled => "genesys_throttled",
            Self::RequestUnacceptable => "request_unacceptable",
            Self::AnsweredByAnother => "answered_by_another",
            Self::InOtherHands => "in_other_hands",
            Self::EarlierGenerationRuns => "earlier_generation_runs",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::LedgerUnreadable => "ledger_unreadable",
            Self::Internal => "internal",
        }
    }

    /// What a person can do about it, in one sentence.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::WebhookNotUnderstood => {
                "compare the stored bytes with PagerDuty's V3 webhook format; if the format is new, upgrade escalator and run `escalator catch-up --since 24h`"
            }
            Self::MessageUndecodable => {
                "something else published to the work queues, or the workers are older than the ingress: upgrade them and replay"
            }
            Self::DeliveredTooOften => {
                "look for workers that crash, or connections that come and go; then replay"
            }
            Self::Expired => {
                "replay it if the customer is still there; raise escalation.expires_after if it waited for an outage"
            }
            Self::NoConversationId => {
                "put the conversation id into the alert's custom details under one of escalation.conversation_fields"
            }
            Self::NoAlert => {
                "the incident was opened by hand or without an alert, so nothing says which conversation it is about"
            }
            Self::AlertNeverHydrated => {
                "look at the alert in PagerDuty; when its details are there, replay"
            }
            Self::IncidentUnknown => {
                "check that the API key belongs to the account and region that sends the webhooks"
            }
            Self::IncidentForbidden => {
                "give the API key's user access to the incident's service or team, then replay"
            }
            Self::IncidentAccessLost => {
                "the incident was resolved and the API key's user has no access to it any more: give that user a role that sees it, then replay"
            }
            Self::NoteLimitReached => {
                "PagerDuty keeps at most 2000 notes in an incident: delete some, then replay"
            }
            Self::NoteTooLong => {
                "a note has at most 65,535 characters and ours a few hundred: look what the reason quotes, and please report it"
            }
            Self::PagerdutyRefused => "read the reason; PagerDuty's own message is quoted in it",
            Self::PagerdutyCredentials => {
                "check pagerduty.api_token, and that pagerduty.api_url is of the same region; work waits until it is right"
            }
            Self::PagerdutyFromRefused => {
                "set pagerduty.from_email to the e-mail address of a user of that PagerDuty account; work waits until it is right"
            }
            Self::PagerdutyPermissionMissing => {
                "use a REST API key that is not read-only, or give the token the scopes incidents.read and incidents.write; work waits until it may"
            }
            Self::PagerdutyAbilityMissing => {
                "look at the account's plan with its owner: the reason names the ability; work waits until it is there"
            }
            Self::PagerdutyRouteUnknown => {
                "check pagerduty.api_url: https://api.pagerduty.com, or https://api.eu.pagerduty.com for an account in the EU"
            }
            Self::PagerdutyUnavailable => "see PagerDuty's status page; replay when it is back",
            Self::PagerdutyThrottled => {
                "lower pagerduty.requests_per_minute, or find out who else uses this API key"
            }
            Self::ConversationUnknown => {
                "check the id in the alert, the region, and that the OAuth client may see the conversation's division"
            }
            Self::ConversationOver => {
                "nothing to do: the conversation ended before cobrowse could be offered"
            }
            Self::NoAgentConnected => {
                "nobody picked the conversation up in time; raise escalation.agent_wait or replay"
            }
            Self::CobrowseNotPossible => {
                "cobrowse needs a web messaging or voice conversation and a deployment with cobrowse switched on"
            }
            Self::CobrowseNotConfirmed => {
                "look at the conversation in Genesys; if no cobrowse is there, replay"
            }
            Self::SessionOutcomeUnknown => {
                "look at the conversation in Genesys: if the customer was offered no cobrowse, the agent starts it by hand; a replay asks anew only from an hour after the call on, or from eight where joined sessions are not known to be shown"
            }
            Self::GenesysRefused => {
                "read the reason; Genesys' own message and correlation id are quoted in it"
            }
            Self::GenesysCredentials => {
                "check genesys.client_id, genesys.client_secret and genesys.region; work waits until they are right"
            }
            Self::GenesysPermissionMissing => {
                "give the OAuth client's role conversation:communication:view and conversation:cobrowse:add (voice: conversation:cobrowseVoice:add); work waits until it has them"
            }
            Self::GenesysDivisionMissing => {
                "give the OAuth client's role the conversation's division (Admin, Integrations, OAuth, Roles), then replay"
            }
            Self::GenesysUserRequired => {
                "this organisation does not let an OAuth client start cobrowse: have an agent do it, and ask Genesys' support whether it can be allowed"
            }
            Self::GenesysRouteUnknown => {
                "check genesys.region, genesys.api_url and genesys.cobrowse_api"
            }
            Self::GenesysConflict => {
                "look at the conversation in Genesys: if a cobrowse session is there, nothing is to be done; if not, replay"
            }
            Self::GenesysUnavailable => "see Genesys Cloud's status page; replay when it is back",
            Self::GenesysThrottled => {
                "lower genesys.requests_per_minute, or find out who else uses this OAuth client"
            }
            Self::RequestUnacceptable => {
                "a proxy in between changes requests, or this is a defect of escalator: compare with a run without the proxy, or report it with the reason"
            }
            Self::AnsweredByAnother => {
                "check the address (genesys.api_url, genesys.login_url, pagerduty.api_url) and the proxy or firewall in between; work waits until it is right"
            }
            Self::InOtherHands => "nothing to do: another worker has it",
            Self::EarlierGenerationRuns => {
                "nothing to do: it starts when the earlier one has ended"
            }
            Self::LedgerUnavailable => "check database.url and the disk",
            Self::LedgerUnreadable => {
                "its row in the ledger was written by something else, or is damaged: look at it, mend or delete it, then replay"
            }
            Self::Internal => {
                "a defect in escalator: please report it with the log lines of this key"
            }
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
