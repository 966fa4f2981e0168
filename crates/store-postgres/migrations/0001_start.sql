-- Times are microseconds since the Unix epoch. Secrets arrive sealed.

CREATE TABLE users (
    id                    UUID    NOT NULL PRIMARY KEY,
    name                  TEXT    NOT NULL,
    -- Equal for all spellings of the name; also what lists are ordered by, byte by byte.
    name_key              TEXT    COLLATE "C" NOT NULL UNIQUE,
    first_name            TEXT    NOT NULL,
    last_name             TEXT    NOT NULL,
    email                 TEXT,
    phone                 TEXT,
    notes                 TEXT    NOT NULL,
    tags                  JSONB   NOT NULL,
    disabled              BOOLEAN NOT NULL,
    password_hash         TEXT,
    failed_login_attempts BIGINT  NOT NULL,
    lock_start            BIGINT,
    exempt_until          BIGINT,
    roles                 JSONB   NOT NULL,
    created               BIGINT  NOT NULL,
    updated               BIGINT  NOT NULL,
    -- What the user can be found by, in lower case.
    search                TEXT    NOT NULL
);

CREATE TABLE known_devices (
    user_id        UUID   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id      UUID   NOT NULL,
    last_completed BIGINT NOT NULL,
    failures       BIGINT NOT NULL,
    lock_start     BIGINT,
    PRIMARY KEY (user_id, device_id)
);
CREATE INDEX known_devices_last_completed ON known_devices (last_completed);

-- Who has no row has revision 0 and a full budget. A row stays when the seed goes, so that the
-- revision never starts again. No index but the key, and room on the pages, so that a claim is
-- written in place.
CREATE TABLE second_factors (
    user_id       UUID    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    revision      BIGINT  NOT NULL CHECK (revision > 0),
    streak        BIGINT  NOT NULL DEFAULT 0,
    waiting_until BIGINT,
    recent        BYTEA   NOT NULL DEFAULT '',
    closed        BOOLEAN NOT NULL DEFAULT FALSE,
    seed_id       UUID,
    seed_key_id   UUID,
    seed_sealed   BYTEA,
    verified      BOOLEAN NOT NULL DEFAULT FALSE,
    last_step     BIGINT, -- of a verified seed
    shown_to      UUID,   -- of an unverified seed: the session
    seed_created  BIGINT  -- of an unverified seed
) WITH (fillfactor = 70);

CREATE TABLE tokens (
    hash            BYTEA  NOT NULL PRIMARY KEY,
    session         UUID   NOT NULL,
    user_id         UUID   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id       UUID   NOT NULL,
    kind            TEXT   NOT NULL CHECK (kind IN ('partial', 'verified', 'admin')),
    expires         BIGINT NOT NULL,
    session_expires BIGINT NOT NULL
);
CREATE INDEX tokens_session ON tokens (session);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_expires ON tokens (expires);

-- One row, always: whoever changes the settings locks it.
CREATE TABLE admin_mfa (
    one      BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (one),
    written  BOOLEAN NOT NULL DEFAULT FALSE,
    provider UUID
);
INSERT INTO admin_mfa DEFAULT VALUES;

CREATE TABLE admin_mfa_exemptions (
    position BIGINT NOT NULL PRIMARY KEY,
    text     TEXT   NOT NULL,
    user_id  UUID REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX admin_mfa_exemptions_user ON admin_mfa_exemptions (user_id);

CREATE TABLE canary (
    one    BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (one),
    key_id UUID    NOT NULL,
    sealed BYTEA   NOT NULL
);
