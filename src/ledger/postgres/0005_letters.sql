-- Version 5: dead letters, so that a person can work with them, and replays.

ALTER TABLE escalations ADD COLUMN cycle BIGINT NOT NULL DEFAULT 0;  -- how often an operator has replayed it

CREATE TABLE dead_letters (
    id              TEXT COLLATE "C" PRIMARY KEY,
    state           TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    key             TEXT COLLATE "C",           -- of its escalation
    code            TEXT COLLATE "C" NOT NULL,
    theme           TEXT COLLATE "C" NOT NULL,  -- its reason, without what is different in each letter
    incident_id     TEXT COLLATE "C",
    service_id      TEXT COLLATE "C",
    conversation_id TEXT COLLATE "C",
    died_at         BIGINT  NOT NULL,
    kept_at         BIGINT  NOT NULL,
    claimed_by      TEXT COLLATE "C",           -- the replay that has it
    letter          TEXT NOT NULL,  -- JSON
    closed          TEXT,           -- JSON: how, when, by whom, why
    closed_at       BIGINT,
    notice          TEXT NOT NULL,  -- JSON: whether the incident was told
    notice_due      BIGINT,            -- when it is to be looked at; NULL: never again
    notice_epoch    BIGINT  NOT NULL
);
CREATE INDEX dead_letters_by_age ON dead_letters (state, died_at, id);
CREATE INDEX dead_letters_by_code ON dead_letters (code, state, died_at, id);
CREATE INDEX dead_letters_by_incident ON dead_letters (incident_id) WHERE incident_id IS NOT NULL;
CREATE INDEX dead_letters_by_conversation ON dead_letters (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX dead_letters_by_service ON dead_letters (service_id, died_at) WHERE service_id IS NOT NULL;
CREATE INDEX dead_letters_by_key ON dead_letters (key, state);
CREATE INDEX dead_letters_by_closing ON dead_letters (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX dead_letters_to_tell ON dead_letters (notice_due) WHERE notice_due IS NOT NULL;

CREATE TABLE replays (
    id           TEXT COLLATE "C" PRIMARY KEY,
    what         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('running', 'cancelling', 'done', 'cancelled')),
    entered      TEXT NOT NULL,     -- JSON: who, and why
    per_minute   BIGINT  NOT NULL,
    marked       BIGINT  NOT NULL DEFAULT 0,  -- 1: every letter that was chosen has its entry
    began_at     BIGINT  NOT NULL,
    ended_at     BIGINT,
    driver       TEXT COLLATE "C",
    driver_until BIGINT
);
CREATE INDEX replays_by_age ON replays (began_at, id);
CREATE INDEX replays_by_end ON replays (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE replay_entries (
    replay  TEXT COLLATE "C" NOT NULL,
    number  BIGINT  NOT NULL,
    letter  TEXT COLLATE "C" NOT NULL,
    expects TEXT,
    stage   TEXT NOT NULL CHECK (stage IN ('marked', 'staged', 'over')),
    outcome TEXT,
    detail  TEXT,
    PRIMARY KEY (replay, number)
);
CREATE INDEX replay_entries_by_stage ON replay_entries (replay, stage, outcome);
CREATE INDEX replay_entries_by_letter ON replay_entries (replay, letter);
