-- Version 2: what listings and retention need, and the history by transaction instead of by line.

ALTER TABLE escalations ADD COLUMN conversation_id TEXT;  -- known once its context is
ALTER TABLE escalations ADD COLUMN code TEXT;             -- why it died
UPDATE escalations SET conversation_id = json_extract(progress, '$.context.conversation'),
                       code = json_extract(ending, '$.code');

CREATE INDEX escalations_by_age ON escalations (created_at, key);
CREATE INDEX escalations_by_state ON escalations (state, created_at, key);
CREATE INDEX escalations_by_conversation ON escalations (conversation_id) WHERE conversation_id IS NOT NULL;

ALTER TABLE conversations ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;  -- when it was last claimed
UPDATE conversations SET used_at = unixepoch() * 1000;
CREATE INDEX conversations_with_link ON conversations (used_at) WHERE link IS NOT NULL;

ALTER TABLE resolutions ADD COLUMN noted_at INTEGER NOT NULL DEFAULT 0;   -- by our clock
UPDATE resolutions SET noted_at = unixepoch() * 1000;
CREATE INDEX resolutions_by_age ON resolutions (noted_at);

-- One row for each transaction that told something, with an array of lines.
ALTER TABLE history RENAME COLUMN entry TO entries;
UPDATE history SET entries = json_array(json_set(entries, '$.kind', 'answered'));
