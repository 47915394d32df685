//! The admin listener as an operator's script meets it: the real program over HTTP. Whatever is asked and answered here is held
//! against `src/admin/openapi.json`.

mod api;
mod document;
mod draining;
mod entering;
mod letters;
mod planning;
mod replays;

use escalator::simulator::{Fault, Operation, What, Which};
use serde_json::{Value, json};

use self::api::Api;
use crate::support::program::Program;
use crate::support::vhost::eventually;
use crate::support::world::{Case, World};

/// What lets these tests in.
const TOKEN: &str = "the-token-of-an-operator";

/// A `serve` with a token.
async fn served(world: &World, more: &[(&str, &str)]) -> (Program, Api) {
    let settings = [
        &[("ADMIN_TOKEN", TOKEN), ("GENESYS_COBROWSE_API", "sessions")],
        more,
    ]
    .concat();
    let program = world.start("serve", &settings).await;
    let api = Api::of(&program, Some(TOKEN));
    (program, api)
}

/// An incident that dies of what its conversation is said not to be there, although it is: a replay succeeds.
async fn dies(world: &World, program: &Program) -> Case {
    let not_found = json!({"status": 404, "code": "not.found", "message": "not found"});
    world.simulator.script(Fault {
        operation: Operation::GenesysConversation,
        which: Which::Nth(1),
        what: What::Status {
            status: 404,
            headers: Vec::new(),
            body: not_found.to_string(),
        },
    });
    let case = world.case();
    world.deliver(program, &world.trigger(&case)).await;
    let dead =
        |line: &Value| line["incident"] == case.incident.as_str() && line["outcome"] == "dead";
    program.logged("escalation.attempt", dead).await;
    case
}

/// So many of them, which the keeper has in the ledger.
async fn die(world: &World, program: &Program, api: &Api, count: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for _ in 0..count {
        cases.push(dies(world, program).await);
    }
    eventually("all are kept", async || {
        let open = api.get("/dead-letters").await.ok(200);
        (open["total"] == count).then_some(())
    })
    .await;
    cases
}

/// The ids of the open letters, newest first.
async fn open(api: &Api) -> Vec<String> {
    let answer = api.get("/dead-letters").await.ok(200);
    ids(&answer)
}

fn ids(answer: &Value) -> Vec<String> {
    let letters = answer["letters"].as_array().unwrap().iter();
    letters
        .map(|letter| letter["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until a replay is in this state.
async fn becomes(api: &Api, replay: &str, state: &str) -> Value {
    eventually(state, async || {
        let answer = api.get(&format!("/replays/{replay}")).await.ok(200);
        (answer["state"] == state).then_some(answer)
    })
    .await
}

/// Begins a replay; its id.
async fn begun(api: &Api, body: Value) -> String {
    let answer = api.post("/replays", &body).await.ok(202);
    answer["id"].as_str().unwrap().to_owned()
}

/// What operators did, the newest first: action, by, result.
async fn deeds(api: &Api) -> Vec<(String, String, String)> {
    let answer = api.get("/audit").await.ok(200);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let deeds = answer["deeds"].as_array().unwrap().iter();
    deeds
        .map(|deed| {
            assert_eq!(deed["from"], "127.0.0.1", "{deed}");
            (
                text(&deed["action"]),
                text(&deed["by"]),
                text(&deed["result"]),
            )
        })
        .collect()
}
