-- Version 3: what was found out about the Genesys behind an OAuth client and an address.

CREATE TABLE findings (
    account  TEXT PRIMARY KEY,
    finding  TEXT NOT NULL,      -- JSON
    found_at INTEGER NOT NULL
) STRICT;
