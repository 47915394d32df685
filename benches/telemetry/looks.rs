//! What the lookout's looks at the ledger cost where a hundred thousand escalations are in it.

use std::path::Path;
use std::time::Instant;

use escalator::ledger::{Ledger, Sqlite};
use rusqlite::Connection;

/// The rows are those of real escalations, each multiplied: what is searched has its true size.
pub(crate) const TEMPLATES: usize = 200;
const ROWS: usize = 100_000;
/// How many of them are open: hardly any, a bad day, and the worst one.
const OPEN: [usize; 3] = [100, 10_000, ROWS];
const LOOKS: usize = 50;

/// Fills the ledger of a worker that has ended, and looks at it as a worker does.
pub(crate) async fn measure(path: &Path) {
    let filling = Connection::open(path).unwrap();
    let copies = ROWS / TEMPLATES - 1;
    filling
        .execute_batch(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies})
             INSERT INTO escalations (key, incident_id, state, epoch, lease_until, attempts, takeovers, accepted_at,
                                      occurred_at, created_at, ended_at, progress, ending, conversation_id)
               SELECT incident_id || 'X' || i || '/0', incident_id || 'X' || i, state, epoch, lease_until, attempts,
                      takeovers, accepted_at, occurred_at, created_at, ended_at, progress, ending, conversation_id || i
               FROM escalations, n;"
        ))
        .unwrap();
    println!(
        "\na look of the lookout at an SQLite ledger of {ROWS} escalations, medians of {LOOKS}"
    );
    for open in OPEN {
        // Half of them wait for an agent.
        filling
            .execute_batch(&format!(
                "UPDATE escalations SET state = 'open', ended_at = NULL, ending = NULL
                   WHERE key IN (SELECT key FROM escalations ORDER BY key LIMIT {open});
                 UPDATE escalations SET progress =
                     json_set(json_remove(progress, '$.agent'), '$.waiting_since', '2026-11-20T03:04:05Z')
                   WHERE key IN (SELECT key FROM escalations ORDER BY key LIMIT {open} / 2);"
            ))
            .unwrap();
        let ledger = Sqlite::open_to_read(path).unwrap();
        let (mut every_5_s, mut every_60_s) = (Vec::new(), Vec::new());
        for _ in 0..LOOKS {
            let began = Instant::now();
            let standing = ledger.gauges().standing().await.unwrap();
            every_5_s.push(began.elapsed().as_secs_f64() * 1000.0);
            let began = Instant::now();
            let sizes = ledger.gauges().sizes().await.unwrap();
            every_60_s.push(began.elapsed().as_secs_f64() * 1000.0);
            let seen: u64 = standing.open.iter().map(|(_, count, _)| count).sum();
            let all: u64 = sizes.escalations.iter().map(|(_, count)| count).sum();
            assert_eq!((seen, all), (open as u64, ROWS as u64));
        }
        println!(
            "{open:6} of them open: standing() {:7.2} ms every 5 s, sizes() {:6.2} ms every 60 s",
            crate::median(every_5_s.into_iter()),
            crate::median(every_60_s.into_iter()),
        );
    }
}
