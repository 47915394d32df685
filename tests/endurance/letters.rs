//! Ten thousand dead letters of six causes: listed, grouped, planned, and one group of them replayed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use escalator::ledger::Letter;
use escalator::simulator::{
    ConversationSpec, Details, Fault, IncidentSpec, Operation, What, Which,
};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::support::program::Program;
use crate::support::world::{Case, World, assert_once, kept, real_notes};

/// Of each cause.
const EACH: [usize; 6] = [1667, 1667, 1667, 1667, 1666, 1666];
const PATIENCE: Duration = Duration::from_secs(600);

/// What a command has cost.
struct Cost {
    took: Duration,
    peak_mib: f64,
    code: Option<i32>,
    data: String,
    talk: String,
}

pub(crate) async fn run() -> Vec<String> {
    let world = Arc::new(World::new().await);
    let program = world.start("serve", &[("LOG_LEVEL", "info")]).await;
    let began = Instant::now();
    let healable = die(&world, &program).await;
    let total = EACH.iter().sum::<usize>();
    let url = format!("sqlite://{}", world.ledger().display());
    let letters = wait_for(&url, total).await;
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for letter in &letters {
        *causes.entry(letter.letter.code.to_string()).or_default() += 1;
    }
    assert_eq!(causes.len(), EACH.len(), "{causes:?}");
    let mut said = vec![format!(
        "letters: {total} of {} causes {causes:?}, dead and told within {:.0} s",
        causes.len(),
        began.elapsed().as_secs_f64()
    )];
    let before = world.simulator.effects();
    assert_eq!(real_notes(&before), 0);
    assert_eq!(before.live_notes, total, "each incident is told once");

    let plan = world.folder.path().join("the.plan");
    let plan = plan.to_str().unwrap();
    let mut costs =
        String::from("letters, what it costs to look at them and to begin one group anew:");
    for (name, arguments) in [
        ("list (50)", vec!["list"]),
        ("list --json (all)", vec!["list", "--json"]),
        ("groups", vec!["groups"]),
        ("export", vec!["export"]),
        (
            "plan of one group",
            vec!["plan", "--code", "genesys_refused", "--out", plan],
        ),
        (
            "replay of that plan",
            vec!["replay", plan, "--per-minute", "1000000"],
        ),
    ] {
        let cost = costing(&world, &arguments).await;
        assert_eq!(cost.code, Some(0), "{name}\n{}", cost.talk);
        let _ = write!(
            costs,
            " {name} {:.2} s, {:.0} MiB, {} lines;",
            cost.took.as_secs_f64(),
            cost.peak_mib,
            cost.data.lines().count()
        );
        if name == "groups" {
            said.extend(cost.data.lines().map(str::to_owned));
        }
    }
    said.push(costs);
    let began = Instant::now();
    let count = healable.len();
    let came = world.simulator.wait_until(PATIENCE, |effects| {
        effects.attached == count && real_notes(effects) == count
    });
    let effects = came
        .await
        .unwrap_or_else(|effects| panic!("{} attached of {count}", effects.attached));
    assert_once(&effects, &healable);
    assert_eq!(
        effects.live_notes, total,
        "each real note stands where its failure note stood"
    );
    let left = kept(&url).await.len();
    assert_eq!(left, total - count);
    said.push(format!(
        "letters: of {count} replayed, {} sessions attached, {} real notes in the place of {count} failure notes, {left} letters as they were; the last note {:.1} s after the replay's end",
        effects.attached,
        real_notes(&effects),
        began.elapsed().as_secs_f64()
    ));
    program.terminate().await;
    said
}

/// Those that would succeed now.
async fn die(world: &Arc<World>, program: &Program) -> Vec<Case> {
    let [forbidden, refused, over, unknown, channel, nothing] = EACH;
    let url = format!("sqlite://{}", world.ledger().display());
    let genesys = |status: u16, code: &str| What::Status {
        status,
        headers: Vec::new(),
        body: json!({"message": "refused by the test", "code": code, "status": status}).to_string(),
    };
    let script = |operation, count: usize, what| {
        world.simulator.script(Fault {
            operation,
            which: Which::First(count as u64),
            what,
        });
    };
    let simulator = &world.simulator;
    let about = |spec: IncidentSpec, conversation: String| Case {
        incident: simulator.open_incident(spec),
        conversation,
    };
    let well = || {
        let conversation = simulator.open_conversation(ConversationSpec::with_agent("agent-1"));
        about(IncidentSpec::about(conversation.clone()), conversation)
    };
    script(
        Operation::GenesysConversation,
        forbidden,
        genesys(403, "missing.division.permission"),
    );
    deliver(world, program, (0..forbidden).map(|_| well()).collect()).await;
    wait_for(&url, forbidden).await;
    script(
        Operation::GenesysCreateSession,
        refused,
        genesys(400, "invalid.value"),
    );
    let healable: Vec<Case> = (0..refused).map(|_| well()).collect();
    deliver(world, program, healable.clone()).await;
    wait_for(&url, forbidden + refused).await;
    let mut rest = Vec::new();
    rest.extend((0..over).map(|_| {
        let conversation = simulator.open_conversation(ConversationSpec {
            over: true,
            ..ConversationSpec::with_agent("agent-1")
        });
        about(IncidentSpec::about(conversation.clone()), conversation)
    }));
    rest.extend((0..unknown).map(|number| {
        let conversation = format!("00000000-0000-4000-8000-{number:012}");
        about(IncidentSpec::about(conversation.clone()), conversation)
    }));
    rest.extend((0..channel).map(|_| {
        let conversation = simulator.open_conversation(ConversationSpec {
            cobrowse: false,
            ..ConversationSpec::with_agent("agent-1")
        });
        about(IncidentSpec::about(conversation.clone()), conversation)
    }));
    rest.extend((0..nothing).map(|_| {
        let spec = IncidentSpec {
            details: Details::Object,
            ..IncidentSpec::default()
        };
        about(spec, String::new())
    }));
    deliver(world, program, rest).await;
    healable
}

async fn deliver(world: &Arc<World>, program: &Program, cases: Vec<Case>) {
    let mut delivering = JoinSet::new();
    for case in cases {
        let webhook = world.trigger(&case);
        let url = format!("{}/webhooks/pagerduty", program.ingress);
        let world = Arc::clone(world);
        delivering.spawn(async move {
            let within = Duration::from_secs(120);
            let delivered = world.simulator.deliver_until(&url, &webhook, within).await;
            assert!(delivered.is_accepted(), "{delivered:?}");
        });
        if delivering.len() >= 20 {
            delivering.join_next().await.unwrap().unwrap();
        }
    }
    delivering.join_all().await;
}

/// Until so many are kept, and their incidents told.
async fn wait_for(url: &str, count: usize) -> Vec<Letter> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let letters = kept(url).await;
        let told = letters.iter().filter(|letter| !letter.notice.is_due());
        let told = told.count();
        if told >= count {
            assert_eq!(letters.len(), count);
            return letters;
        }
        assert!(Instant::now() < deadline, "{told} of {count}");
        // A ledger that others write to tells nobody: it is looked at again, and not so often that the look is the load.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Gives a command, and looks how much memory it takes.
async fn costing(world: &World, arguments: &[&str]) -> Cost {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_escalator"))
        .arg("dead-letters")
        .args(arguments)
        .env_clear()
        .envs(world.settings(&[("LOG_LEVEL", "info")]))
        .env("USER", "alex")
        .current_dir(world.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = child.id().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut peak_kib = 0;
    let reading = async {
        let (mut data, mut talk) = (String::new(), String::new());
        let both = tokio::join!(out.read_to_string(&mut data), err.read_to_string(&mut talk));
        assert!(both.0.is_ok() && both.1.is_ok());
        (data, talk)
    };
    let mut reading = std::pin::pin!(reading);
    let (data, talk) = loop {
        tokio::select! {
            read = &mut reading => break read,
            // Its high-water mark is read while it lives.
            () = tokio::time::sleep(Duration::from_millis(5)) => {
                peak_kib = peak_of(pid).unwrap_or(0).max(peak_kib);
            }
        }
    };
    let code = child.wait().await.unwrap().code();
    Cost {
        took: began.elapsed(),
        peak_mib: f64::from(peak_kib) / 1024.0,
        code,
        data,
        talk,
    }
}

fn peak_of(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
