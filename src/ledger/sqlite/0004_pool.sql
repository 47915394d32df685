-- Version 4: the pool as one: what it may ask of a vendor with one credential, who belongs to it, what it was told to do.

CREATE TABLE budgets (
    account TEXT PRIMARY KEY,
    budget  TEXT NOT NULL,       -- JSON
    used_at INTEGER NOT NULL
) STRICT;

CREATE TABLE workers (
    name    TEXT PRIMARY KEY,
    said    TEXT NOT NULL,       -- JSON
    seen_at INTEGER NOT NULL
) STRICT;

-- What operators did. The newest line about the whole pool is what it obeys.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    action TEXT NOT NULL,
    entry  TEXT NOT NULL         -- JSON
) STRICT;
CREATE INDEX audit_by_action ON audit (action, seq);
