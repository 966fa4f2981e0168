-- The audit trail. Whoever opens the database is a chain, and numbers its rows by itself. No row
-- refers to another table: what it is about may be gone.
CREATE TABLE audit_chains (
    chain  UUID   NOT NULL PRIMARY KEY,
    -- Rows up to this number are under seals.
    sealed BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE audit_events (
    id          UUID   NOT NULL PRIMARY KEY,
    chain       UUID   NOT NULL,
    number      BIGINT NOT NULL CHECK (number > 0),
    at          BIGINT NOT NULL,
    event       TEXT   NOT NULL,
    outcome     TEXT   NOT NULL,
    actor_id    UUID,
    actor       TEXT   NOT NULL,
    object_kind TEXT,
    object_id   TEXT,
    object      TEXT,
    address     TEXT   NOT NULL,
    request     UUID   NOT NULL,
    reason      TEXT,
    -- word=value, with a line feed after each.
    details     TEXT   NOT NULL,
    -- HMAC-SHA256 of all but chain and number, which the seal covers.
    mac         BYTEA  NOT NULL,
    UNIQUE (chain, number)
);
CREATE INDEX audit_events_at ON audit_events (at, chain, number);
CREATE INDEX audit_events_request ON audit_events (request);

CREATE TABLE audit_seals (
    number   BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    chain    UUID   NOT NULL,
    -- The rows of the chain after this number, up to the last; how many there are, and how many
    -- under this seal and all before.
    after    BIGINT NOT NULL,
    last     BIGINT NOT NULL,
    count    BIGINT NOT NULL,
    total    BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    previous BYTEA  NOT NULL,
    hash     BYTEA  NOT NULL
);
