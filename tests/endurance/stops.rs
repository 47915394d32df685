//! The broker, and the database, are stopped for a minute with work in hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backlog::seconds;
use crate::support::database::{Database, Server};
use crate::support::node::Node;
use crate::support::program::Program;
use crate::support::world::{Case, World, assert_once};

const INCIDENTS: usize = 200;
const STOPPED: Duration = Duration::from_secs(60);

/// A program with work in hand, more of which comes in while something is away.
struct AtWork {
    world: Arc<World>,
    program: Program,
    cases: Vec<Case>,
    /// Where its ledger is.
    ledger: String,
}

impl AtWork {
    async fn start(world: World, more: &[(&str, &str)]) -> Self {
        let mut settings = vec![
            ("LOG_LEVEL", "info"),
            ("GENESYS_REQUESTS_PER_MINUTE", "600"),
        ];
        settings.extend(more);
        let program = world.start("serve", &settings).await;
        let own = format!("sqlite://{}", world.ledger().display());
        let named = more.iter().find(|(name, _)| *name == "DATABASE_URL");
        let ledger = named.map_or(own, |(_, url)| (*url).to_owned());
        let cases: Vec<_> = (0..INCIDENTS).map(|_| world.case()).collect();
        for case in &cases {
            world.deliver(&program, &world.trigger(case)).await;
        }
        Self {
            world: Arc::new(world),
            program,
            cases,
            ledger,
        }
    }

    /// Says how long it took until it was ready again, and until the last note.
    async fn recovers(self, what: &str) -> String {
        let back = Instant::now();
        self.program.becomes_ready(true).await;
        let ready = seconds(back);
        let effects = self
            .world
            .simulator
            .wait_until(Duration::from_secs(300), |effects| {
                effects.live_notes >= INCIDENTS
            });
        let effects = effects
            .await
            .unwrap_or_else(|effects| panic!("{} of {INCIDENTS} notes", effects.live_notes));
        let done = seconds(back);
        assert_once(&effects, &self.cases);
        let letters = self.world.dead_letters_in(&self.ledger).await;
        assert!(letters.is_empty(), "{letters:#?}");
        let (status, _) = self.program.terminate().await;
        assert!(status.success(), "{status}");
        format!(
            "{what} stopped for {STOPPED:?} with work in hand, {INCIDENTS} incidents: nothing lost, nothing twice; ready again \
             after {ready:.1} s, the last note after {done:.1} s"
        )
    }
}

pub(crate) async fn broker() -> String {
    let node = Node::start().await;
    let said = {
        let world = World::on(&node).await;
        let at_work = AtWork::start(world, &[]).await;
        node.stop().await;
        at_work.program.becomes_ready(false).await;
        // A stop of this length is what is tested.
        tokio::time::sleep(STOPPED).await;
        node.start_again().await;
        at_work.recovers("broker").await
    };
    drop(node);
    said
}

pub(crate) async fn database() -> String {
    let server = Server::start().await;
    let said = {
        let schema = Database::on(&server).await;
        let world = World::new().await;
        let at_work = AtWork::start(world, &[("DATABASE_URL", schema.url.as_str())]).await;
        server.stop().await;
        at_work.program.becomes_ready(false).await;
        // A stop of this length is what is tested.
        tokio::time::sleep(STOPPED).await;
        server.start_again().await;
        at_work.recovers("database").await
    };
    drop(server);
    said
}
