-- Version 2: what listings and retention need, and the history by transaction instead of by line.

ALTER TABLE escalations ADD COLUMN conversation_id TEXT COLLATE "C";  -- known once its context is
ALTER TABLE escalations ADD COLUMN code TEXT COLLATE "C";             -- why it died
-- A reason may quote a NUL, which PostgreSQL cannot read out of JSON, not even to pass it over.
UPDATE escalations SET conversation_id = replace(progress, '\u0000', '')::json #>> '{context,conversation}',
                       code = replace(ending, '\u0000', '')::json ->> 'code';

CREATE INDEX escalations_by_age ON escalations (created_at, key);
CREATE INDEX escalations_by_state ON escalations (state, created_at, key);
CREATE INDEX escalations_by_conversation ON escalations (conversation_id) WHERE conversation_id IS NOT NULL;

ALTER TABLE conversations ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;  -- when it was last claimed
UPDATE conversations SET used_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
CREATE INDEX conversations_with_link ON conversations (used_at) WHERE link IS NOT NULL;

ALTER TABLE resolutions ADD COLUMN noted_at BIGINT NOT NULL DEFAULT 0;   -- by the database's clock
UPDATE resolutions SET noted_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
CREATE INDEX resolutions_by_age ON resolutions (noted_at);

-- One row for each transaction that told something, with an array of lines. Put together as text, for the
-- same reason.
ALTER TABLE history RENAME COLUMN entry TO entries;
UPDATE history SET entries = '[{"kind":"answered",' || substr(entries, 2) || ']';
