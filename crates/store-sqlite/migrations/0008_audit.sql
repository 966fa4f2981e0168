-- The audit trail. Whoever opens the database is a chain, and numbers its rows by itself. No row
-- refers to another table: what it is about may be gone.
CREATE TABLE audit_chains (
    chain  BLOB    NOT NULL PRIMARY KEY,
    -- Rows up to this number are under seals.
    sealed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_events (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    chain       BLOB    NOT NULL CHECK (length(chain) = 16),
    number      INTEGER NOT NULL CHECK (number > 0),
    at          INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    actor_id    BLOB             CHECK (length(actor_id) = 16),
    actor       TEXT    NOT NULL,
    object_kind TEXT,
    object_id   TEXT,
    object      TEXT,
    address     TEXT    NOT NULL,
    request     BLOB    NOT NULL CHECK (length(request) = 16),
    reason      TEXT,
    -- word=value, with a line feed after each.
    details     TEXT    NOT NULL,
    -- HMAC-SHA256 of all but chain and number, which the seal covers.
    mac         BLOB    NOT NULL,
    UNIQUE (chain, number)
) STRICT;
CREATE INDEX audit_events_at ON audit_events (at, chain, number);
CREATE INDEX audit_events_request ON audit_events (request);

CREATE TABLE audit_seals (
    number   INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    chain    BLOB    NOT NULL,
    -- The rows of the chain after this number, up to the last; how many there are, and how many
    -- under this seal and all before.
    after    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    total    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    previous BLOB    NOT NULL,
    hash     BLOB    NOT NULL
) STRICT;
