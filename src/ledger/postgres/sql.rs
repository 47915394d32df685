//! Every statement, to be prepared on each connection.
//!
//! Time is the database's: workers on several machines have one clock in common, and this is it. It is `clock_timestamp`,
//! not `now`, which stands still while a transaction waits for a lock.

/// The database's time.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

/// The same, asked once before all else: an index cannot be searched for something that may change on the way.
macro_rules! now_once {
    () => {
        "(SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
    };
}

macro_rules! row {
    () => {
        "SELECT key, state, epoch, owner, lease_until, attempts, takeovers, accepted_at, occurred_at, progress, ending, cycle
         FROM escalations WHERE key = "
    };
}

/// What is known of an escalation, locked.
pub(super) const ROW: &str = concat!(row!(), "$1 FOR UPDATE");
/// The same of the newest generation.
pub(super) const NEWEST_ROW: &str = concat!(
    row!(),
    "(SELECT key FROM escalations WHERE incident_id = $1 ORDER BY occurred_at DESC, key DESC LIMIT 1) FOR UPDATE"
);
/// What the time is, and when an incident was resolved.
pub(super) const NOW_AND_RESOLVED: &str = concat!(
    "SELECT ",
    now!(),
    ", (SELECT resolved_at FROM resolutions WHERE incident_id = $1)"
);
/// An earlier generation that is open; `$4` is how old one may be that nobody holds.
pub(super) const EARLIER: &str = concat!(
    "SELECT key FROM escalations
     WHERE incident_id = $1 AND key <> $2 AND state = 'open'
       AND occurred_at <= coalesce((SELECT occurred_at FROM escalations WHERE key = $2), $3)
       AND (lease_until > ",
    now!(),
    " OR accepted_at > ",
    now!(),
    " - $4)
     ORDER BY occurred_at LIMIT 1"
);
pub(super) const TAKE_AGAIN: &str = concat!(
    "UPDATE escalations
     SET takeovers = takeovers + (owner IS NOT NULL)::int, epoch = epoch + 1, owner = $2, lease_until = $3 + ",
    now!(),
    " WHERE key = $1"
);
/// Nobody had it before. Should somebody else get there first, it changes nothing, the history included.
pub(super) const TAKE_FIRST: &str = concat!(
    "WITH taken AS (
       INSERT INTO escalations
         (key, incident_id, state, epoch, owner, lease_until, accepted_at, occurred_at, created_at, progress, cycle)
       VALUES ($1, $2, 'open', 1, $3, $4 + ",
    now!(),
    ", $5, $6, ",
    now!(),
    ", $7, $9)
       ON CONFLICT (key) DO NOTHING RETURNING key)
     INSERT INTO history (key, seq, entries)
     SELECT key, (SELECT coalesce(max(seq), 0) + 1 FROM history WHERE key = $1), $8 FROM taken"
);

/// Whether a claim still holds; if so, it is locked.
pub(super) const HOLDS: &str =
    "SELECT 1 FROM escalations WHERE key = $1 AND epoch = $2 AND state = 'open' FOR UPDATE";
/// So that there is a row to lock: of two who come first, one waits for the other here.
pub(super) const ENSURE_CONVERSATION: &str =
    "INSERT INTO conversations (conversation_id, epoch, lease_until, cobrowse) VALUES ($1, 0, 0, $2)
     ON CONFLICT (conversation_id) DO NOTHING";
pub(super) const CONVERSATION: &str = "SELECT epoch, holder, lease_until, cobrowse FROM conversations WHERE conversation_id = $1 FOR UPDATE";
pub(super) const NAME_CONVERSATION: &str =
    "UPDATE escalations SET conversation_id = $2 WHERE key = $1";
pub(super) const INTEND: &str =
    "UPDATE escalations SET conversation_id = $2, progress = $3, attempts = $4 WHERE key = $1";
pub(super) const TAKE_CONVERSATION: &str = concat!(
    "UPDATE conversations SET epoch = $2, holder = $3, lease_until = $4 + ",
    now!(),
    ", cobrowse = $5, used_at = ",
    now!(),
    " WHERE conversation_id = $1"
);

pub(super) const CONTINUE: &str = "UPDATE escalations SET progress = $3, attempts = $4
     WHERE key = $1 AND epoch = $2 AND state = 'open'";
pub(super) const RELEASE: &str =
    "UPDATE escalations SET progress = $3, attempts = $4, owner = NULL, lease_until = 0
     WHERE key = $1 AND epoch = $2 AND state = 'open'";
pub(super) const END: &str = concat!(
    "UPDATE escalations SET progress = $3, attempts = $4, owner = NULL, lease_until = 0,
                            state = $5, ending = $6, code = $7, ended_at = ",
    now!(),
    " WHERE key = $1 AND epoch = $2 AND state = 'open'"
);
pub(super) const COBROWSE: &str =
    "UPDATE conversations SET cobrowse = $3 WHERE conversation_id = $1 AND epoch = $2";
pub(super) const COBROWSE_AND_LINK: &str =
    "UPDATE conversations SET cobrowse = $3, link = $4 WHERE conversation_id = $1 AND epoch = $2";
pub(super) const RELEASE_CONVERSATION: &str = "UPDATE conversations SET holder = NULL, lease_until = 0 WHERE conversation_id = $1 AND epoch = $2";
/// The one that is held on behalf of this escalation, by somebody who may not even know.
pub(super) const RELEASE_ITS_CONVERSATION: &str =
    "UPDATE conversations SET holder = NULL, lease_until = 0
     WHERE conversation_id = (SELECT conversation_id FROM escalations WHERE key = $1) AND holder = $1";
/// Safe for whoever has locked the escalation: nobody else counts at the same time.
pub(super) const TELL: &str = "INSERT INTO history (key, seq, entries)
     SELECT $1, coalesce(max(seq), 0) + 1, $2 FROM history WHERE key = $1";

pub(super) const RENEW: &str = concat!(
    "UPDATE escalations SET lease_until = $3 + ",
    now!(),
    " WHERE key = $1 AND epoch = $2 AND state = 'open' AND owner IS NOT NULL"
);
pub(super) const RENEW_CONVERSATION: &str = concat!(
    "UPDATE conversations SET lease_until = $3 + ",
    now!(),
    " WHERE conversation_id = $1 AND epoch = $2 AND holder IS NOT NULL"
);
pub(super) const LINK: &str = "SELECT cobrowse, link FROM conversations WHERE conversation_id = $1";
pub(super) const RESOLVE: &str = concat!(
    "INSERT INTO resolutions AS known (incident_id, resolved_at, noted_at) VALUES ($1, $2, ",
    now!(),
    ") ON CONFLICT (incident_id) DO UPDATE
     SET resolved_at = greatest(known.resolved_at, excluded.resolved_at), noted_at = excluded.noted_at"
);
pub(super) const DEAD: &str = "SELECT epoch, ending FROM escalations WHERE key = $1 AND state = 'dead' AND cycle = $2 FOR UPDATE";
pub(super) const PUBLISHED: &str = "UPDATE escalations SET ending = $2 WHERE key = $1";

/// With the rest of the condition and the order.
macro_rules! known {
    ($rest:literal) => {
        concat!(
            "SELECT key, incident_id, state, epoch, owner, lease_until - ",
            now!(),
            ", attempts, takeovers, accepted_at, occurred_at, created_at, ended_at, progress, ending,
               (SELECT resolved_at FROM resolutions r WHERE r.incident_id = e.incident_id)
             FROM escalations e",
            $rest
        )
    };
}

/// What listings show; conditions follow.
pub(super) const KNOWN: &str = known!("");
pub(super) const GENERATIONS: &str = known!(" WHERE incident_id = $1 ORDER BY occurred_at, key");
pub(super) const HISTORY: &str = "SELECT entries FROM history WHERE key = $1 ORDER BY seq";
/// What the time is.
pub(super) const NOW: &str = concat!("SELECT ", now!());
/// What our tables take on disk, with their indexes.
pub(super) const BYTES: &str = "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint
     FROM unnest(ARRAY['escalations', 'conversations', 'resolutions', 'history', 'dead_letters', 'replays', 'replay_entries', 'audit']) name";
pub(super) const PING: &str = "SELECT 1 FROM escalations WHERE key = ''";

/// Ended long ago, or open for as long with nobody at it: its message is gone, and any that still came would be too old to
/// be worked on. What somebody is just now writing to is passed over. The order, here and below, makes it an index that is
/// read: most of the time nothing is old enough, and a table without an old row would be read to its end.
pub(super) const FORGETTABLE: &str = concat!(
    "SELECT key, conversation_id FROM escalations
     WHERE state = $1 AND created_at < ",
    now_once!(),
    " - $2 AND coalesce(ended_at, greatest(accepted_at, lease_until)) < ",
    now_once!(),
    " - $2 AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.key = escalations.key AND d.state = 'open' OFFSET 0)
     ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED"
);
pub(super) const FORGET_HISTORY: &str = "DELETE FROM history h USING
       (SELECT key, seq FROM history WHERE key = ANY($1) ORDER BY key, seq LIMIT $2) old
     WHERE h.key = old.key AND h.seq = old.seq";
/// Those whose history is gone, and with them what conversations they were about.
pub(super) const FORGET: &str = "DELETE FROM escalations e WHERE key = ANY($1)
       AND NOT EXISTS (SELECT 1 FROM history h WHERE h.key = e.key)";
/// Before it is looked at whether anybody still tells of them, which they must not begin to do meanwhile.
pub(super) const LOCK_CONVERSATIONS: &str = "SELECT conversation_id FROM conversations WHERE conversation_id = ANY($1) FOR UPDATE SKIP LOCKED";
pub(super) const FORGET_CONVERSATIONS: &str = concat!(
    "DELETE FROM conversations c WHERE conversation_id = ANY($1) AND lease_until < ",
    now!(),
    " AND NOT EXISTS (SELECT 1 FROM escalations e WHERE e.conversation_id = c.conversation_id)"
);
pub(super) const OLD_RESOLUTIONS: &str = concat!(
    "SELECT incident_id FROM resolutions WHERE noted_at < ",
    now_once!(),
    " - $1 ORDER BY noted_at LIMIT $2 FOR UPDATE SKIP LOCKED"
);
pub(super) const FORGET_RESOLUTIONS: &str = "DELETE FROM resolutions WHERE incident_id = ANY($1)";
pub(super) const OLD_LINKS: &str = concat!(
    "SELECT conversation_id FROM conversations WHERE link IS NOT NULL AND used_at < ",
    now_once!(),
    " - $1 ORDER BY used_at LIMIT $2 FOR UPDATE SKIP LOCKED"
);
pub(super) const FORGET_LINKS: &str =
    "UPDATE conversations SET link = NULL WHERE conversation_id = ANY($1)";

pub(super) const FINDING: &str = "SELECT finding FROM findings WHERE account = $1";
pub(super) const FINDING_LOCKED: &str =
    "SELECT finding FROM findings WHERE account = $1 FOR UPDATE";
pub(super) const ENSURE_FINDING: &str = "INSERT INTO findings (account, finding, found_at) VALUES ($1, $2, 0) ON CONFLICT (account) DO NOTHING";
pub(super) const FOUND: &str = concat!(
    "UPDATE findings SET finding = $2, found_at = ",
    now!(),
    " WHERE account = $1"
);

pub(super) const ENSURE_BUDGET: &str = "INSERT INTO budgets (account, budget, used_at) VALUES ($1, '{}', 0) ON CONFLICT (account) DO NOTHING";
pub(super) const BUDGET_LOCKED: &str = concat!(
    "SELECT budget, ",
    now!(),
    " FROM budgets WHERE account = $1 FOR UPDATE"
);
pub(super) const BUDGET: &str = "UPDATE budgets SET budget = $2, used_at = $3 WHERE account = $1";

pub(super) const REPORT: &str = concat!(
    "INSERT INTO workers (name, said, seen_at) VALUES ($1, $2, ",
    now!(),
    ") ON CONFLICT (name) DO UPDATE SET said = excluded.said, seen_at = excluded.seen_at"
);
/// And those that were never heard of again for a day.
pub(super) const LEAVE: &str = concat!(
    "DELETE FROM workers WHERE name = $1 OR seen_at < ",
    now_once!(),
    " - 86400000"
);
pub(super) const ORDERS: &str = "SELECT seq, at, entry FROM audit WHERE action IN ('pause', 'resume') ORDER BY seq DESC LIMIT 1";
pub(super) const ENTER: &str = concat!(
    "INSERT INTO audit (at, action, entry) VALUES (",
    now!(),
    ", $1, $2) RETURNING seq, at, entry"
);
pub(super) const PRESENT: &str = concat!(
    "SELECT said, ",
    now_once!(),
    " - seen_at FROM workers WHERE seen_at >= ",
    now_once!(),
    " - $1 ORDER BY name"
);
pub(super) const AUDIT: &str = "SELECT seq, at, entry FROM audit ORDER BY seq DESC LIMIT $1";

/// All of them.
pub(super) const ALL: [&str; 52] = [
    ROW,
    NEWEST_ROW,
    NOW_AND_RESOLVED,
    EARLIER,
    TAKE_AGAIN,
    TAKE_FIRST,
    HOLDS,
    ENSURE_CONVERSATION,
    CONVERSATION,
    NAME_CONVERSATION,
    INTEND,
    TAKE_CONVERSATION,
    CONTINUE,
    RELEASE,
    END,
    COBROWSE,
    COBROWSE_AND_LINK,
    RELEASE_CONVERSATION,
    RELEASE_ITS_CONVERSATION,
    TELL,
    RENEW,
    RENEW_CONVERSATION,
    LINK,
    RESOLVE,
    DEAD,
    PUBLISHED,
    GENERATIONS,
    HISTORY,
    NOW,
    PING,
    FORGETTABLE,
    FORGET_HISTORY,
    FORGET,
    LOCK_CONVERSATIONS,
    FORGET_CONVERSATIONS,
    OLD_RESOLUTIONS,
    FORGET_RESOLUTIONS,
    OLD_LINKS,
    FORGET_LINKS,
    FINDING,
    FINDING_LOCKED,
    ENSURE_FINDING,
    FOUND,
    ENSURE_BUDGET,
    BUDGET_LOCKED,
    BUDGET,
    REPORT,
    LEAVE,
    ORDERS,
    ENTER,
    PRESENT,
    AUDIT,
];
