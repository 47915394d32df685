//! Where the cause of a code is: what an objective may count against the service, and what it may not.

use super::Code;

/// Where the cause of a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The conversation or the incident was such: nothing that anybody here could have done better.
    Case,
    /// A credential, a permission, an address: somebody has to put it right.
    SetUp,
    /// A vendor did not do what it says it does.
    Vendor,
    /// The service itself, its broker or its ledger.
    Ours,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Case, Self::SetUp, Self::Vendor, Self::Ours];

    /// The name used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::SetUp => "set_up",
            Self::Vendor => "vendor",
            Self::Ours => "ours",
        }
    }
}

impl Code {
    /// Where its cause is.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::NoConversationId
            | Self::NoAlert
            | Self::AlertNeverHydrated
            | Self::NoteLimitReached
            | Self::ConversationOver
            | Self::NoAgentConnected
            | Self::CobrowseNotPossible => Cause::Case,
            Self::IncidentUnknown
            | Self::IncidentForbidden
            | Self::IncidentAccessLost
            | Self::PagerdutyCredentials
            | Self::PagerdutyFromRefused
            | Self::PagerdutyPermissionMissing
            | Self::PagerdutyAbilityMissing
            | Self::PagerdutyRouteUnknown
            | Self::ConversationUnknown
            | Self::GenesysCredentials
            | Self::GenesysPermissionMissing
            | Self::GenesysDivisionMissing
            | Self::GenesysUserRequired
            | Self::GenesysRouteUnknown
            | Self::AnsweredByAnother => Cause::SetUp,
            Self::PagerdutyRefused
            | Self::PagerdutyUnavailable
            | Self::PagerdutyThrottled
            | Self::GenesysRefused
            | Self::GenesysConflict
            | Self::GenesysUnavailable
            | Self::GenesysThrottled
            | Self::CobrowseNotConfirmed
            | Self::SessionOutcomeUnknown => Cause::Vendor,
            Self::WebhookNotUnderstood
            | Self::MessageUndecodable
            | Self::DeliveredTooOften
            | Self::Expired
            | Self::NoteTooLong
            | Self::RequestUnacceptable
            | Self::InOtherHands
            | Self::EarlierGenerationRuns
            | Self::LedgerUnavailable
            | Self::LedgerUnreadable
            | Self::Internal => Cause::Ours,
        }
    }
}
