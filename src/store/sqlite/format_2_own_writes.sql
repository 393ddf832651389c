-- Format 2. Writes of ours to Zoho, by which a callback is recognised as their echo. `at` is when one was settled,
-- `fields` a JSON array of API names, `explained` one of sources. Appended, also when a write has explained one more;
-- deleted by age and number.
CREATE TABLE own_write (
    no          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    connection  INTEGER NOT NULL,
    module      TEXT NOT NULL,
    record      TEXT NOT NULL,
    modified_at INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    fields      TEXT NOT NULL,
    explained   TEXT NOT NULL
) STRICT;
