-- Version 5: dead letters, so that a person can work with them, and replays.

ALTER TABLE escalations ADD COLUMN cycle INTEGER NOT NULL DEFAULT 0;  -- how often an operator has replayed it

CREATE TABLE dead_letters (
    id              TEXT PRIMARY KEY,
    state           TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    key             TEXT,           -- of its escalation
    code            TEXT NOT NULL,
    theme           TEXT NOT NULL,  -- its reason, without what is different in each letter
    incident_id     TEXT,
    service_id      TEXT,
    conversation_id TEXT,
    died_at         INTEGER  NOT NULL,
    kept_at         INTEGER  NOT NULL,
    claimed_by      TEXT,           -- the replay that has it
    letter          TEXT NOT NULL,  -- JSON
    closed          TEXT,           -- JSON: how, when, by whom, why
    closed_at       INTEGER,
    notice          TEXT NOT NULL,  -- JSON: whether the incident was told
    notice_due      INTEGER,            -- when it is to be looked at; NULL: never again
    notice_epoch    INTEGER  NOT NULL
) STRICT;
CREATE INDEX dead_letters_by_age ON dead_letters (state, died_at, id);
CREATE INDEX dead_letters_by_code ON dead_letters (code, state, died_at, id);
CREATE INDEX dead_letters_by_incident ON dead_letters (incident_id) WHERE incident_id IS NOT NULL;
CREATE INDEX dead_letters_by_conversation ON dead_letters (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX dead_letters_by_service ON dead_letters (service_id, died_at) WHERE service_id IS NOT NULL;
CREATE INDEX dead_letters_by_key ON dead_letters (key, state);
CREATE INDEX dead_letters_by_closing ON dead_letters (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX dead_letters_to_tell ON dead_letters (notice_due) WHERE notice_due IS NOT NULL;

CREATE TABLE replays (
    id           TEXT PRIMARY KEY,
    what         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('running', 'cancelling', 'done', 'cancelled')),
    entered      TEXT NOT NULL,     -- JSON: who, and why
    per_minute   INTEGER  NOT NULL,
    marked       INTEGER  NOT NULL DEFAULT 0,  -- 1: every letter that was chosen has its entry
    began_at     INTEGER  NOT NULL,
    ended_at     INTEGER,
    driver       TEXT,
    driver_until INTEGER
) STRICT;
CREATE INDEX replays_by_age ON replays (began_at, id);
CREATE INDEX replays_by_end ON replays (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE replay_entries (
    replay  TEXT NOT NULL,
    number  INTEGER  NOT NULL,
    letter  TEXT NOT NULL,
    expects TEXT,
    stage   TEXT NOT NULL CHECK (stage IN ('marked', 'staged', 'over')),
    outcome TEXT,
    detail  TEXT,
    PRIMARY KEY (replay, number)
) STRICT;
CREATE INDEX replay_entries_by_stage ON replay_entries (replay, stage, outcome);
CREATE INDEX replay_entries_by_letter ON replay_entries (replay, letter);
