-- Version 4: the pool as one: what it may ask of a vendor with one credential, who belongs to it, what it was told to do.

CREATE TABLE budgets (
    account TEXT COLLATE "C" PRIMARY KEY,
    budget  TEXT NOT NULL,       -- JSON
    used_at BIGINT NOT NULL
) WITH (fillfactor = 50);        -- one row, changed all the time

CREATE TABLE workers (
    name    TEXT COLLATE "C" PRIMARY KEY,
    said    TEXT NOT NULL,       -- JSON
    seen_at BIGINT NOT NULL
) WITH (fillfactor = 50);

-- What operators did. The newest line about the whole pool is what it obeys.
CREATE TABLE audit (
    seq    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     BIGINT NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    entry  TEXT NOT NULL         -- JSON
);
CREATE INDEX audit_by_action ON audit (action, seq);
