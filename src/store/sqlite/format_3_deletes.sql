-- Format 3.
-- The server_time of the latest closed delete of the record: an older change may be accepted after it.
ALTER TABLE snapshot ADD COLUMN deleted_at INTEGER;
