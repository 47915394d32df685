-- Version 1. Times are milliseconds since 1970 UTC. The same tables as SQLite's; JSON is kept as text, since jsonb cannot
-- hold every text that JSON can. Keys sort by their bytes, in whatever language the database is.
--
-- Rows are written again and again while their escalation is in hand. The room left in each page lets such an update
-- stay in it and touch no index.

CREATE TABLE escalations (
    key         TEXT COLLATE "C" PRIMARY KEY,
    incident_id TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'done', 'cancelled', 'dead')),
    epoch       BIGINT NOT NULL,
    owner       TEXT,              -- NULL: nobody holds it
    lease_until BIGINT NOT NULL,   -- 0: given back
    attempts    BIGINT NOT NULL DEFAULT 0,
    takeovers   BIGINT NOT NULL DEFAULT 0,  -- leases that ended without being given back
    accepted_at BIGINT NOT NULL,
    occurred_at BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    progress    TEXT NOT NULL,     -- JSON, without a secret or a link
    ending      TEXT               -- JSON, once it has ended
) WITH (fillfactor = 70);

-- Which generations an incident has, in the order in which they happened.
CREATE INDEX escalations_by_incident ON escalations (incident_id, occurred_at, key);

CREATE TABLE conversations (
    conversation_id TEXT COLLATE "C" PRIMARY KEY,
    epoch           BIGINT NOT NULL,
    holder          TEXT COLLATE "C",  -- the key of the escalation that holds it
    lease_until     BIGINT NOT NULL,
    cobrowse        TEXT NOT NULL,
    link            TEXT               -- the only place where a session's link is kept
) WITH (fillfactor = 70);

-- Tombstones: an incident may be resolved before its start was ever seen here.
CREATE TABLE resolutions (
    incident_id TEXT COLLATE "C" PRIMARY KEY,
    resolved_at BIGINT NOT NULL
);

CREATE TABLE history (
    key   TEXT COLLATE "C" NOT NULL,
    seq   BIGINT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (key, seq)
);
