-- Version 3: what was found out about the Genesys behind an OAuth client and an address.

CREATE TABLE findings (
    account  TEXT COLLATE "C" PRIMARY KEY,
    finding  TEXT NOT NULL,      -- JSON
    found_at BIGINT NOT NULL
);
