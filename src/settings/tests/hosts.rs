//! Where the vendors are.

use super::*;

fn genesys(vars: &Fake) -> (String, String, String) {
    let settings = load(vars);
    let genesys = settings.genesys().unwrap();
    let (api, login) = (&genesys.api_url, &genesys.login_url);
    (genesys.region.clone(), api.to_string(), login.to_string())
}

#[test]
fn each_region_has_its_hosts_and_is_told_by_its_name_at_aws() {
    // Written out once more, so that a slip in the one list is not in the other.
    let regions = [
        (
            "us-east-1",
            "mypurecloud.com",
            "https://api.mypurecloud.com",
            "https://login.mypurecloud.com",
        ),
        (
            "eu-west-1",
            "mypurecloud.ie",
            "https://api.mypurecloud.ie",
            "https://login.mypurecloud.ie",
        ),
        (
            "ap-southeast-2",
            "mypurecloud.com.au",
            "https://api.mypurecloud.com.au",
            "https://login.mypurecloud.com.au",
        ),
        (
            "ap-northeast-1",
            "mypurecloud.jp",
            "https://api.mypurecloud.jp",
            "https://login.mypurecloud.jp",
        ),
        (
            "eu-central-1",
            "mypurecloud.de",
            "https://api.mypurecloud.de",
            "https://login.mypurecloud.de",
        ),
        (
            "us-west-2",
            "usw2.pure.cloud",
            "https://api.usw2.pure.cloud",
            "https://login.usw2.pure.cloud",
        ),
        (
            "ca-central-1",
            "cac1.pure.cloud",
            "https://api.cac1.pure.cloud",
            "https://login.cac1.pure.cloud",
        ),
        (
            "ap-northeast-2",
            "apne2.pure.cloud",
            "https://api.apne2.pure.cloud",
            "https://login.apne2.pure.cloud",
        ),
        (
            "eu-west-2",
            "euw2.pure.cloud",
            "https://api.euw2.pure.cloud",
            "https://login.euw2.pure.cloud",
        ),
        (
            "ap-south-1",
            "aps1.pure.cloud",
            "https://api.aps1.pure.cloud",
            "https://login.aps1.pure.cloud",
        ),
        (
            "us-east-2",
            "use2.us-gov-pure.cloud",
            "https://api.use2.us-gov-pure.cloud",
            "https://login.use2.us-gov-pure.cloud",
        ),
        (
            "sa-east-1",
            "sae1.pure.cloud",
            "https://api.sae1.pure.cloud",
            "https://login.sae1.pure.cloud",
        ),
        (
            "me-central-1",
            "mec1.pure.cloud",
            "https://api.mec1.pure.cloud",
            "https://login.mec1.pure.cloud",
        ),
        (
            "ap-northeast-3",
            "apne3.pure.cloud",
            "https://api.apne3.pure.cloud",
            "https://login.apne3.pure.cloud",
        ),
        (
            "eu-central-2",
            "euc2.pure.cloud",
            "https://api.euc2.pure.cloud",
            "https://login.euc2.pure.cloud",
        ),
        (
            "mx-central-1",
            "mxc1.pure.cloud",
            "https://api.mxc1.pure.cloud",
            "https://login.mxc1.pure.cloud",
        ),
        (
            "ap-southeast-1",
            "apse1.pure.cloud",
            "https://api.apse1.pure.cloud",
            "https://login.apse1.pure.cloud",
        ),
        (
            "eusc-de-east-1",
            "edee1.eusc-pure.cloud",
            "https://api.edee1.eusc-pure.cloud",
            "https://login.edee1.eusc-pure.cloud",
        ),
    ];
    for (aws, region, api, login) in regions {
        let vars = required().with("GENESYS_REGION", region);
        let of = |text: &str| text.to_owned();
        assert_eq!(genesys(&vars), (of(region), of(api), of(login)));
        let fault = fault_of("GENESYS_REGION", aws);
        assert!(
            fault.contains(&format!("write its domain, {region}")),
            "{fault}"
        );
    }
}

#[test]
fn a_region_that_is_not_known_is_a_fault_that_says_which_one_was_meant() {
    for (written, meant) in [
        ("mypureclould.ie", "did you mean mypurecloud.ie?"),
        ("usw2.pure.could", "did you mean usw2.pure.cloud?"),
        ("mypurecloud.eu", "did you mean mypurecloud."),
        ("genesys.example.com", "behind apps. in the browser"),
    ] {
        let fault = fault_of("GENESYS_REGION", written);
        assert!(fault.contains(written) && fault.contains(meant), "{fault}");
        assert!(
            fault.contains("genesys.api_url and genesys.login_url"),
            "{fault}"
        );
    }
}

#[test]
fn a_new_or_private_region_is_named_by_its_addresses() {
    let new = required()
        .with("GENESYS_REGION", "euw9.pure.cloud")
        .with("GENESYS_API_URL", "https://api.euw9.pure.cloud")
        .with("GENESYS_LOGIN_URL", "https://login.euw9.pure.cloud");
    let (region, api, login) = genesys(&new);
    assert_eq!(region, "euw9.pure.cloud");
    assert_eq!(api, "https://api.euw9.pure.cloud");
    assert_eq!(login, "https://login.euw9.pure.cloud");
    // The credentials go to the login host, but the conversations are read at the other.
    let half = required()
        .with("GENESYS_REGION", "euw9.pure.cloud")
        .with("GENESYS_LOGIN_URL", "https://login.euw9.pure.cloud");
    let all = faults(Role::Serve, &half);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].subject, "genesys.region");
}

#[test]
fn pagerduty_is_in_the_us_unless_its_address_says_otherwise() {
    let at = |vars: &Fake| load(vars).pagerduty().unwrap().api_url.to_string();
    assert_eq!(at(&required()), "https://api.pagerduty.com");
    for address in [
        "https://api.eu.pagerduty.com",
        "https://api.eu.pagerduty.com/",
    ] {
        let eu = required().with("PAGERDUTY_API_URL", address);
        assert_eq!(at(&eu), "https://api.eu.pagerduty.com");
    }
}
