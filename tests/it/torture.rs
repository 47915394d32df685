//! A part of the crash suite that `make torture` runs whole: every crash point without another fault, and a sample of the
//! rest. And that nothing of it exists in a release.

#![allow(clippy::print_stdout, reason = "a failed run says how to repeat it")]

#[path = "../torture/suite/mod.rs"]
#[allow(dead_code, reason = "the whole suite uses the rest")]
mod suite;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use suite::database::Database;
use suite::fault::Script;
use suite::scenario::Scenario;
use suite::series::Suite;
use suite::table::Summary;

/// So many runs at once: they mostly wait for leases to end, and other tests run beside them.
const LANES: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_point_it_crashes_at_there_is_one_session_and_one_note() {
    let suite = Suite::new(LANES).await;
    let single = Arc::clone(&suite).series(Database::Sqlite, Scenario::Single, Script::none(), 5);
    single.await;
    let reports = suite.reports.lock().await;
    let summary = Summary::of(&reports);
    assert_eq!(summary.violations, 0, "see above how to repeat it");
    assert!(summary.points.len() > 30, "{:?}", summary.points);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_point_it_crashes_at_there_is_one_offer_or_a_person_is_asked() {
    let suite = Suite::new(LANES).await;
    let offered = Arc::clone(&suite).series(Database::Sqlite, Scenario::Offered, Script::none(), 5);
    offered.await;
    let reports = suite.reports.lock().await;
    let summary = Summary::of(&reports);
    assert_eq!(summary.violations, 0, "see above how to repeat it");
    assert!(summary.points.len() > 25, "{:?}", summary.points);
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_crashes_beside_faults_of_the_vendors_do_no_more_harm() {
    let suite = Suite::new(LANES).await;
    let seed = std::env::var("TORTURE_SEED").ok();
    let seed = seed.map_or_else(rand::random, |seed| seed.parse().unwrap());
    println!("TORTURE_SEED={seed}");
    Arc::clone(&suite).pairs(&Database::all(), seed, 40).await;
    let reports = suite.reports.lock().await;
    assert_eq!(
        Summary::of(&reports).violations,
        0,
        "see above how to repeat it"
    );
}

/// The module alone in a program of its own, built as a debug or as a release build.
fn program(folder: &Path, debug: bool) -> PathBuf {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/crash.rs");
    let source = folder.join("main.rs");
    let text = format!(
        "#[path = {module:?}]\n#[allow(dead_code)]\nmod crash;\nfn main() {{\n    crash::arm();\n    crash::before(\"this\");\n    println!(\"alive\");\n}}\n"
    );
    std::fs::write(&source, text).unwrap();
    let program = folder.join(if debug { "debug" } else { "release" });
    // The compiler that stands beside the cargo that runs this.
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let built = Command::new(rustc)
        .args(["--edition", "2024", "-C"])
        .arg(format!(
            "debug-assertions={}",
            if debug { "on" } else { "off" }
        ))
        .args([source.as_os_str(), "-o".as_ref(), program.as_os_str()])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    program
}

fn crash_at_one(program: &Path) -> Output {
    Command::new(program).env("CRASH_AT", "1").output().unwrap()
}

#[test]
fn no_release_can_be_told_to_crash() {
    let folder = tempfile::tempdir().unwrap();
    let debug = crash_at_one(&program(folder.path(), true));
    assert!(!debug.status.success() && debug.stdout.is_empty());
    let told = String::from_utf8(debug.stderr).unwrap();
    assert!(told.contains("crash point 1: before this"), "{told}");

    let release = program(folder.path(), false);
    let lived = crash_at_one(&release);
    assert!(lived.status.success() && lived.stdout == b"alive\n");
    let bytes = std::fs::read(&release).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"CRASH_AT"));
}
