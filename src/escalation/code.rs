//! Error codes: the stable names under which a failure is counted, read, searched and explained.

use serde::{Deserialize, Serialize};

/// Why an escalation waits or died. The names are fixed: dashboards, filters and runbooks quote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The webhook was genuine but could not be understood.
    WebhookNotUnderstood,
    /// A message of a work lane could not be read.
    MessageUndecodable,
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
    /// The incident holds as many notes as it can.
    NoteLimitReached,
    /// PagerDuty refused a request for a reason of its own.
    PagerdutyRefused,
    /// PagerDuty does not accept the API key or the `From` address.
    PagerdutyCredentials,
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
    /// Genesys does not accept the client id or secret.
    GenesysCredentials,
    /// The OAuth client lacks a permission.
    GenesysPermissionMissing,
    /// Genesys does not know the route: the other side speaks another contract, or the region is wrong.
    GenesysRouteUnknown,
    /// Genesys cannot be reached, or answers with errors.
    GenesysUnavailable,
    /// Genesys asked us to slow down.
    GenesysThrottled,
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
    pub const ALL: [Self; 30] = [
        Self::WebhookNotUnderstood,
        Self::MessageUndecodable,
        Self::Expired,
        Self::NoConversationId,
        Self::NoAlert,
        Self::AlertNeverHydrated,
        Self::IncidentUnknown,
        Self::IncidentForbidden,
        Self::NoteLimitReached,
        Self::PagerdutyRefused,
        Self::PagerdutyCredentials,
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
        Self::GenesysRouteUnknown,
        Self::GenesysUnavailable,
        Self::GenesysThrottled,
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
                | Self::GenesysCredentials
                | Self::GenesysPermissionMissing
                | Self::GenesysRouteUnknown
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
            Self::Expired => "expired",
            Self::NoConversationId => "no_conversation_id",
            Self::NoAlert => "no_alert",
            Self::AlertNeverHydrated => "alert_never_hydrated",
            Self::IncidentUnknown => "incident_unknown",
            Self::IncidentForbidden => "incident_forbidden",
            Self::NoteLimitReached => "note_limit_reached",
            Self::PagerdutyRefused => "pagerduty_refused",
            Self::PagerdutyCredentials => "pagerduty_credentials",
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
            Self::GenesysRouteUnknown => "genesys_route_unknown",
            Self::GenesysUnavailable => "genesys_unavailable",
            Self::GenesysThrottled => "genesys_throttled",
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
                "compare the stored bytes with PagerDuty's V3 webhook format; if the format is new, upgrade escalator and replay"
            }
            Self::MessageUndecodable => {
                "something else published to the work queues, or the workers are older than the ingress: upgrade them and replay"
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
            Self::NoteLimitReached => {
                "PagerDuty keeps at most 2000 notes in an incident: delete some, then replay"
            }
            Self::PagerdutyRefused => "read the reason; PagerDuty's own message is quoted in it",
            Self::PagerdutyCredentials => {
                "check pagerduty.api_token and that pagerduty.from_email is a user of that account; work waits until it is right"
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
                "look at the conversation in Genesys: if the customer was offered no cobrowse session, replay"
            }
            Self::GenesysRefused => {
                "read the reason; Genesys' own message and correlation id are quoted in it"
            }
            Self::GenesysCredentials => {
                "check genesys.client_id, genesys.client_secret and genesys.region; work waits until they are right"
            }
            Self::GenesysPermissionMissing => {
                "give the OAuth client's role conversation:communication:view and conversation:cobrowse:add; work waits until it has them"
            }
            Self::GenesysRouteUnknown => {
                "check genesys.region, genesys.api_url and genesys.cobrowse_api"
            }
            Self::GenesysUnavailable => "see Genesys Cloud's status page; replay when it is back",
            Self::GenesysThrottled => {
                "lower genesys.requests_per_minute, or find out who else uses this OAuth client"
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
