//! `escalator explain`, which asks for nothing: no settings, no broker, no ledger.

use std::process::Output;

use escalator::escalation::Code;
use serde_json::Value;
use tokio::process::Command;

async fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_escalator"))
        .arg("explain")
        .args(arguments)
        .env_clear()
        .output()
        .await
        .unwrap()
}

async fn explained(arguments: &[&str]) -> String {
    let output = explain(arguments).await;
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The code that somebody reads somewhere leads to a page with something to do.
pub(super) async fn has_its_page(name: &str) {
    let text = explained(&[name]).await;
    assert!(text.starts_with(&format!("{name}\n")), "{text}");
    for part in [
        "   cause     ",
        "   do        1. ",
        "   the work  ",
        "   seen as   ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn every_code_is_listed_with_one_line_and_as_an_object() {
    let list = explained(&[]).await;
    let names: Vec<_> = list
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, Code::ALL.map(Code::as_str));
    let objects = explained(&["--json"]).await;
    let objects: Vec<Value> = objects
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(objects.len(), Code::ALL.len());
    for (object, code) in objects.iter().zip(Code::ALL) {
        assert_eq!(object["type"], "code");
        assert_eq!(object["code"], code.as_str());
        assert_eq!(object["hint"], code.hint());
        assert!(object["steps"].as_array().unwrap().len() >= 2, "{object}");
        assert!(object["see_also"].is_array(), "{object}");
    }
    let one = explained(&["expired", "--json"]).await;
    assert_eq!(one.lines().count(), 1, "{one}");
}

#[tokio::test]
async fn a_code_that_there_is_not_ends_with_64_and_the_names_that_are_near() {
    let output = explain(&["genesys_permision_missing"]).await;
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(
        talk.contains("did you mean `genesys_permission_missing`"),
        "{talk}"
    );
}
