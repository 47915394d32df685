//! The regions of Genesys Cloud, by their domains and by the names that AWS has for them.
//!
//! Source: the list of region hosts in the vendor's own client library,
//! <https://github.com/MyPureCloud/platform-client-sdk-javascript>, as of August 2026.

use super::hint::closest;

/// The name at AWS, and the domain: `https://api.{domain}` is the API, `https://login.{domain}` gives tokens.
const REGIONS: [(&str, &str); 18] = [
    ("us-east-1", "mypurecloud.com"),
    ("eu-west-1", "mypurecloud.ie"),
    ("ap-southeast-2", "mypurecloud.com.au"),
    ("ap-northeast-1", "mypurecloud.jp"),
    ("eu-central-1", "mypurecloud.de"),
    ("us-west-2", "usw2.pure.cloud"),
    ("ca-central-1", "cac1.pure.cloud"),
    ("ap-northeast-2", "apne2.pure.cloud"),
    ("eu-west-2", "euw2.pure.cloud"),
    ("ap-south-1", "aps1.pure.cloud"),
    ("us-east-2", "use2.us-gov-pure.cloud"),
    ("sa-east-1", "sae1.pure.cloud"),
    ("me-central-1", "mec1.pure.cloud"),
    ("ap-northeast-3", "apne3.pure.cloud"),
    ("eu-central-2", "euc2.pure.cloud"),
    ("mx-central-1", "mxc1.pure.cloud"),
    ("ap-southeast-1", "apse1.pure.cloud"),
    ("eusc-de-east-1", "edee1.eusc-pure.cloud"),
];

/// The domain of the region that AWS calls so: what people write instead of the domain.
pub(super) fn domain_of(aws: &str) -> Option<&'static str> {
    let found = REGIONS.iter().find(|(name, _)| *name == aws);
    found.map(|(_, domain)| *domain)
}

/// Whether a region of Genesys Cloud has this domain.
#[must_use]
pub fn is_known(domain: &str) -> bool {
    REGIONS.iter().any(|(_, known)| *known == domain)
}

/// The domain that was probably meant.
pub(super) fn meant(domain: &str) -> Option<&'static str> {
    closest(domain, REGIONS.map(|(_, known)| known))
}
