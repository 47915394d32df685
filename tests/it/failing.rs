//! What fails, as the person sees it who has to do something about it: the dead letter, or the escalation that waits, has
//! code, reason and hint, `escalations show` quotes them, and `explain` has the page. `deploy/runbook/failures.md` is the table
//! of all failures; these are some of each kind, through the whole program.

mod explaining;

use std::time::Duration;

use escalator::escalation::Code;
use escalator::simulator::{ConversationSpec, Fault, Operation, What, Which};
use serde_json::{Value, json};

use crate::listing::{objects, shown};
use crate::support::program::Program;
use crate::support::vhost::eventually;
use crate::support::world::{Case, World};

fn answer(status: u16, body: Value) -> What {
    What::Status {
        status,
        headers: Vec::new(),
        body: body.to_string(),
    }
}

fn genesys(status: u16, code: &str, message: &str) -> What {
    answer(
        status,
        json!({"status": status, "code": code, "message": message}),
    )
}

fn pagerduty(status: u16, code: u32, message: &str) -> What {
    answer(status, json!({"error": {"code": code, "message": message}}))
}

async fn starts(world: &World) -> Program {
    world
        .start("serve", &[("GENESYS_COBROWSE_API", "sessions")])
        .await
}

/// Triggers a case; the next request of the operation meets this.
async fn meets(world: &World, program: &Program, operation: Operation, what: What) -> Case {
    world.simulator.script(Fault {
        operation,
        which: Which::Nth(1),
        what,
    });
    let case = world.case();
    world.deliver(program, &world.trigger(&case)).await;
    case
}

fn code_of(name: &str) -> Code {
    let mut all = Code::ALL.into_iter();
    all.find(|code| code.as_str() == name).unwrap()
}

/// What the program said of its last attempt at this incident, once it ended so.
async fn ended(program: &Program, case: &Case, outcome: &str) -> Value {
    let wanted =
        |line: &Value| line["incident"] == case.incident.as_str() && line["outcome"] == outcome;
    program.logged("escalation.attempt", wanted).await
}

/// The dead letter of this case says it all, and so does `show`.
async fn is_dead(world: &World, program: &Program, case: &Case, name: &str, words: &str) {
    let said = ended(program, case, "dead").await;
    assert_eq!(said["code"], name, "{said}");
    let letters = eventually("the dead letter", async || {
        let mut letters = world.dead_letters().await;
        letters.retain(|letter| letter["message"]["incident_id"] == case.incident.as_str());
        (!letters.is_empty()).then_some(letters)
    })
    .await;
    let [letter] = letters.as_slice() else {
        panic!("{letters:#?}");
    };
    let hint = code_of(name).hint();
    assert_eq!(
        (&letter["code"], &letter["hint"], &letter["reason"]),
        (&name.into(), &hint.into(), &said["reason"]),
        "{letter:#}"
    );
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.contains(words), "{reason}");
    let (text, _) = shown(&world.ledger(), &["show", &case.incident]).await;
    for wanted in [
        format!("why           {name}: {reason}"),
        format!("what to do    {hint}"),
        format!("more          escalator explain {name}"),
    ] {
        assert!(text.contains(&wanted), "{wanted}\n{text}");
    }
    let lines = objects(&world.ledger(), &["show", &case.incident]).await;
    assert_eq!(lines[0]["code"], name, "{}", lines[0]);
    assert_eq!(lines[0]["hint"], hint, "{}", lines[0]);
    explaining::has_its_page(name).await;
}

/// It waits for this reason, and `show` says so. Says how long it waits.
async fn waits(world: &World, program: &Program, case: &Case, name: &str, words: &str) -> Duration {
    let said = ended(program, case, "later").await;
    assert_eq!(said["code"], name, "{said}");
    assert_eq!(said["attempts"], 0, "{said}");
    let reason = said["reason"].as_str().unwrap();
    assert!(reason.contains(words), "{reason}");
    let (text, _) = shown(&world.ledger(), &["show", &case.incident]).await;
    let mut all = vec![
        format!("waits for     {name}: {reason}"),
        format!("more          escalator explain {name}"),
    ];
    if code_of(name).waits_for_a_person() {
        all.push(format!("what to do    {}", code_of(name).hint()));
        assert_eq!(said["hint"], code_of(name).hint(), "{said}");
        assert_eq!(said["level"], "WARN", "{said}");
    }
    for wanted in all {
        assert!(text.contains(&wanted), "{wanted}\n{text}");
    }
    let lines = objects(&world.ledger(), &["show", &case.incident]).await;
    let setback = lines.iter().find(|line| line["code"] == name);
    let setback = setback.unwrap_or_else(|| panic!("{lines:#?}"));
    assert_eq!(setback["hint"], code_of(name).hint(), "{setback}");
    assert!(world.dead_letters().await.is_empty());
    explaining::has_its_page(name).await;
    Duration::from_millis(said["delay_ms"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_retry_heals_is_dead_and_says_why_and_what_to_do() {
    let world = World::new().await;
    let program = starts(&world).await;
    let user = "This request requires a user context. Client credentials cannot be used for requests to this resource.";
    let too_long = "Content is too long (maximum is 65535 characters)";
    for (operation, what, code, words) in [
        (
            Operation::PagerdutyAlerts,
            pagerduty(404, 5001, "Incident Not Found"),
            "incident_unknown",
            "read_alerts with 404 code 5001: Incident Not Found (request id ",
        ),
        (
            Operation::PagerdutyAlerts,
            pagerduty(403, 2010, "Access Denied"),
            "incident_forbidden",
            "code 2010",
        ),
        (
            Operation::PagerdutyAlerts,
            pagerduty(403, 2018, "No longer yours"),
            "incident_access_lost",
            "code 2018",
        ),
        (
            Operation::GenesysConversation,
            genesys(404, "not.found", "not found"),
            "conversation_unknown",
            "read_conversation with 404 not.found: not found (correlation id ",
        ),
        (
            Operation::GenesysConversation,
            genesys(403, "missing.division.permission", "not in this division"),
            "genesys_division_missing",
            "not in this division",
        ),
        (
            Operation::GenesysCreateSession,
            genesys(400, "bad.request", user),
            "genesys_user_required",
            "a user context",
        ),
        (
            Operation::GenesysCreateSession,
            genesys(400, "invalid.value", "a value"),
            "genesys_refused",
            "invalid.value",
        ),
        (
            Operation::GenesysAttachMedia,
            genesys(400, "bad.request", "no cobrowse on this channel"),
            "cobrowse_not_possible",
            "no cobrowse on this channel",
        ),
        (
            Operation::GenesysAttachMedia,
            genesys(413, "request.entity.too.large", "too large"),
            "request_unacceptable",
            "413",
        ),
        (
            Operation::PagerdutyCreateNote,
            pagerduty(400, 2019, "Product limit reached"),
            "note_limit_reached",
            "write_note with 400 code 2019",
        ),
        (
            Operation::PagerdutyCreateNote,
            pagerduty(400, 2001, too_long),
            "note_too_long",
            "too long",
        ),
        (
            Operation::PagerdutyCreateNote,
            pagerduty(400, 2001, "Invalid Input Provided"),
            "pagerduty_refused",
            "Invalid Input",
        ),
    ] {
        let case = meets(&world, &program, operation, what).await;
        is_dead(&world, &program, &case, code, words).await;
    }
    let over = world.case_with(ConversationSpec {
        over: true,
        ..ConversationSpec::with_agent("agent-1")
    });
    world.deliver(&program, &world.trigger(&over)).await;
    is_dead(&world, &program, &over, "conversation_over", "has ended").await;
}

/// One world for each: what waits comes again, and must not meet what was meant for another.
async fn waits_in_a_world_of_its_own(operation: Operation, what: What, code: &str, words: &str) {
    let world = World::new().await;
    let program = starts(&world).await;
    let case = meets(&world, &program, operation, what).await;
    let wait = waits(&world, &program, &case, code, words).await;
    assert!(
        (Duration::from_secs(15)..=Duration::from_secs(30)).contains(&wait),
        "{wait:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_at_genesys_waits_and_says_what_to_put_right() {
    let page = What::Status {
        status: 403,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: "<html><body>Blocked by policy</body></html>".to_owned(),
    };
    for (operation, what, code, words) in [
        (
            Operation::GenesysToken,
            answer(
                400,
                json!({"error": "invalid_client", "description": "client not found"}),
            ),
            "genesys_credentials",
            "token with 400 invalid_client: client not found",
        ),
        (
            Operation::GenesysConversation,
            genesys(
                403,
                "missing.permissions",
                "missing conversation:communication:view",
            ),
            "genesys_permission_missing",
            "conversation:communication:view",
        ),
        (
            Operation::GenesysCreateSession,
            genesys(404, "not.found", "no such route"),
            "genesys_route_unknown",
            "create_session with 404",
        ),
        (
            Operation::GenesysConversation,
            page,
            "answered_by_another",
            "read_conversation with 403 and a page instead of JSON",
        ),
    ] {
        waits_in_a_world_of_its_own(operation, what, code, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_at_pagerduty_waits_and_says_what_to_put_right() {
    for (operation, what, code, words) in [
        (
            Operation::PagerdutyAlerts,
            What::status(401),
            "pagerduty_credentials",
            "read_alerts with 401",
        ),
        (
            Operation::PagerdutyAlerts,
            What::status(402),
            "pagerduty_ability_missing",
            "read_alerts with 402",
        ),
        (
            Operation::PagerdutyCreateNote,
            pagerduty(400, 1008, "Requester User Not Found"),
            "pagerduty_from_refused",
            "Requester User Not Found",
        ),
        (
            Operation::PagerdutyCreateNote,
            answer(
                403,
                json!({"error": {"message": "Token missing required scopes", "required_scopes": "incidents.write"}}),
            ),
            "pagerduty_permission_missing",
            "required scopes; incidents.write",
        ),
        (
            Operation::PagerdutyAlerts,
            What::Redirect,
            "pagerduty_route_unknown",
            "read_alerts with 307",
        ),
    ] {
        waits_in_a_world_of_its_own(operation, what, code, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_asks_for_patience_gets_it_however_long_and_nobody_dies() {
    for (operation, what, code, least) in [
        (
            Operation::GenesysConversation,
            What::genesys_throttled(300),
            "genesys_throttled",
            300,
        ),
        (
            Operation::GenesysConversation,
            What::genesys_throttled(7200),
            "genesys_throttled",
            7200,
        ),
        (
            Operation::PagerdutyAlerts,
            What::status(429),
            "pagerduty_throttled",
            5,
        ),
    ] {
        let world = World::new().await;
        let program = starts(&world).await;
        let case = meets(&world, &program, operation, what).await;
        let wait = waits(&world, &program, &case, code, "with 429").await;
        assert!(wait >= Duration::from_secs(least), "{code}: {wait:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeline_has_the_ids_by_which_the_vendors_find_each_call() {
    let world = World::new().await;
    let program = starts(&world).await;
    let case = world.case();
    world.deliver(&program, &world.trigger(&case)).await;
    ended(&program, &case, "done").await;
    let calls = program.events("upstream.answered");
    let id_of = |operation: &str| {
        let mut all = calls.iter().rev();
        let call = all.find(|call| call["operation"] == operation);
        call.unwrap_or_else(|| panic!("{operation}: {calls:#?}"))["correlation"].clone()
    };
    let lines = objects(&world.ledger(), &["show", &case.incident]).await;
    let answered: Vec<_> = lines.iter().filter(|l| l["kind"] == "answered").collect();
    let told = |step: &str| {
        let mut all = answered.iter().rev();
        let line = all.find(|line| line["step"] == step);
        line.unwrap_or_else(|| panic!("{step}: {answered:#?}"))["correlation"].clone()
    };
    for (step, operation) in [
        ("context", "read_alerts"),
        ("token", "token"),
        ("media", "attach_media"),
        ("note", "write_note"),
    ] {
        assert!(id_of(operation).is_string(), "{operation}");
        assert_eq!(told(step), id_of(operation), "{step}");
    }
    assert!(answered.iter().all(|line| line["correlation"].is_string()));
}
