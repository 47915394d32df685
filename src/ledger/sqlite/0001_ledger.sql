-- Version 1. Times are milliseconds since 1970 UTC.

CREATE TABLE escalations (
    key         TEXT    PRIMARY KEY,
    incident_id TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'done', 'cancelled', 'dead')),
    epoch       INTEGER NOT NULL,
    owner       TEXT,               -- NULL: nobody holds it
    lease_until INTEGER NOT NULL,   -- 0: given back
    attempts    INTEGER NOT NULL DEFAULT 0,
    takeovers   INTEGER NOT NULL DEFAULT 0,  -- leases that ended without being given back
    accepted_at INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    progress    TEXT    NOT NULL,   -- JSON, without a secret or a link
    ending      TEXT                -- JSON, once it has ended
) STRICT, WITHOUT ROWID;

-- Which generations an incident has, in the order in which they happened.
CREATE INDEX escalations_by_incident ON escalations (incident_id, occurred_at);

CREATE TABLE conversations (
    conversation_id TEXT    PRIMARY KEY,
    epoch           INTEGER NOT NULL,
    holder          TEXT,           -- the key of the escalation that holds it
    lease_until     INTEGER NOT NULL,
    cobrowse        TEXT    NOT NULL,
    link            TEXT            -- the only place where a session's link is kept
) STRICT, WITHOUT ROWID;

-- Tombstones: an incident may be resolved before its start was ever seen here.
CREATE TABLE resolutions (
    incident_id TEXT    PRIMARY KEY,
    resolved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
    key   TEXT    NOT NULL,
    seq   INTEGER NOT NULL,
    entry TEXT    NOT NULL,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;
