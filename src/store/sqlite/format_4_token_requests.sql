-- Format 4.
-- When the tokens of a connection were asked for lately, so that a loop of restarts asks no more often than Zoho allows.
-- `sent` is a JSON array.
CREATE TABLE token_request (
    connection TEXT PRIMARY KEY,
    sent       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
