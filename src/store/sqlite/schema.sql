-- Format 1. Times are microseconds since 1970. `version` says how the row's JSON is to be read.
-- Rows are appended; only the small queue tables (open_change, delivery) are deleted from when work is done.

-- Texts from the configuration, stored once: sources, connections, destinations, routes, sends, content types.
CREATE TABLE name (
    no   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- What was accepted; written once, never updated. Its changes are the rows [change_first, change_first + changes).
CREATE TABLE notification (
    no           INTEGER PRIMARY KEY,
    id           BLOB NOT NULL,
    source       INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    change_first INTEGER NOT NULL,
    changes      INTEGER NOT NULL,
    body         BLOB NOT NULL
) STRICT;

-- The hash by which a repeat of a notification is recognised, and the id it is answered with; kept apart so that an
-- open need not read the bodies and the bodies need not be kept for it.
CREATE TABLE repeat (
    notification_no INTEGER PRIMARY KEY,
    received_at     INTEGER NOT NULL,
    id              BLOB NOT NULL,
    hash            BLOB NOT NULL
) STRICT;

-- The inbox: changes that are not closed.
CREATE TABLE open_change (
    no              INTEGER PRIMARY KEY,
    notification_no INTEGER NOT NULL,
    key             INTEGER NOT NULL,
    id              BLOB NOT NULL,
    source          INTEGER NOT NULL,
    connection      INTEGER,
    module          TEXT NOT NULL,
    record          TEXT,
    operation       TEXT NOT NULL,
    server_time     INTEGER NOT NULL,
    accepted_at     INTEGER NOT NULL,
    origin          TEXT NOT NULL,
    version         INTEGER NOT NULL,
    detail          TEXT
) STRICT;
CREATE INDEX open_change_by_record ON open_change (key, server_time, no);

-- History: closed changes, with the record where it was read.
CREATE TABLE event (
    no              INTEGER PRIMARY KEY,
    notification_no INTEGER NOT NULL,
    key             INTEGER NOT NULL,
    id              BLOB NOT NULL,
    source          INTEGER NOT NULL,
    connection      INTEGER,
    module          TEXT NOT NULL,
    record          TEXT,
    operation       TEXT NOT NULL,
    server_time     INTEGER NOT NULL,
    accepted_at     INTEGER NOT NULL,
    origin          TEXT NOT NULL,
    version         INTEGER NOT NULL,
    detail          TEXT,
    outcome         TEXT NOT NULL,
    sequence        INTEGER NOT NULL,
    closed_at       INTEGER NOT NULL,
    modified_at     INTEGER,
    read_at         INTEGER,
    seen_fields     TEXT,
    seen_values     TEXT
) STRICT;

-- Per record: the event that holds it as last seen, and what was closed of it. `deleted_no` is the last closed delete.
CREATE TABLE snapshot (
    key             INTEGER PRIMARY KEY,
    event_no        INTEGER NOT NULL,
    server_time_max INTEGER NOT NULL,
    deleted_no      INTEGER
) STRICT;

-- The backlog: deliveries that are not settled. `next_at` 0 means at once.
CREATE TABLE delivery (
    no           INTEGER PRIMARY KEY,
    destination  INTEGER NOT NULL,
    key          INTEGER NOT NULL,
    id           BLOB NOT NULL,
    change_no    INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    planned_at   INTEGER NOT NULL,
    accepted_at  INTEGER NOT NULL,
    route        INTEGER NOT NULL,
    send         INTEGER NOT NULL,
    on_failure   TEXT NOT NULL,
    content_type INTEGER NOT NULL,
    routing_key  TEXT,
    last_error   TEXT,
    version      INTEGER NOT NULL,
    attributes   TEXT NOT NULL,
    data         BLOB NOT NULL
) STRICT;
CREATE INDEX delivery_by_record ON delivery (destination, key, no);

-- History: what became of deliveries. `no` is the delivery's.
CREATE TABLE receipt (
    no          INTEGER PRIMARY KEY,
    id          BLOB NOT NULL,
    change_no   INTEGER NOT NULL,
    destination INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT;

-- Set aside for a person, with all that a release needs in `content` (JSON) and `data`.
CREATE TABLE quarantine (
    no              INTEGER PRIMARY KEY,
    kind            TEXT NOT NULL,
    reason          TEXT NOT NULL,
    detail          TEXT NOT NULL,
    at              INTEGER NOT NULL,
    id              BLOB NOT NULL,
    notification_no INTEGER,
    change_no       INTEGER,
    destination     INTEGER,
    version         INTEGER NOT NULL,
    content         TEXT,
    data            BLOB
) STRICT;

-- Durable totals, the next row numbers, the highest sequence given, the heartbeat.
CREATE TABLE total (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sealed access tokens.
CREATE TABLE token (
    connection TEXT PRIMARY KEY,
    sealed     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Times in which proven callbacks may have been missed. No connection: every one.
CREATE TABLE gap (
    no         INTEGER PRIMARY KEY,
    connection TEXT,
    reason     TEXT NOT NULL,
    from_at    INTEGER NOT NULL,
    until_at   INTEGER NOT NULL,
    closed_at  INTEGER
) STRICT;
CREATE INDEX gap_open ON gap (closed_at) WHERE closed_at IS NULL;
