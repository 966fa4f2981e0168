-- Times are microseconds since the Unix epoch. Ids are 16 octets. Secrets arrive sealed.

CREATE TABLE users (
    id                    BLOB    NOT NULL PRIMARY KEY,
    name                  TEXT    NOT NULL,
    -- Equal for all spellings of the name; also what lists are ordered by.
    name_key              TEXT    NOT NULL UNIQUE,
    first_name            TEXT    NOT NULL,
    last_name             TEXT    NOT NULL,
    email                 TEXT,
    phone                 TEXT,
    notes                 TEXT    NOT NULL,
    tags                  TEXT    NOT NULL, -- a JSON array of texts
    disabled              INTEGER NOT NULL,
    password_hash         TEXT,
    failed_login_attempts INTEGER NOT NULL,
    lock_start            INTEGER,
    exempt_until          INTEGER,
    roles                 TEXT    NOT NULL, -- a JSON array of ids
    created               INTEGER NOT NULL,
    updated               INTEGER NOT NULL,
    -- What the user can be found by, in lower case.
    search                TEXT    NOT NULL
) STRICT;

CREATE TABLE known_devices (
    user_id        BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id      BLOB    NOT NULL,
    last_completed INTEGER NOT NULL,
    failures       INTEGER NOT NULL,
    lock_start     INTEGER,
    PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_devices_last_completed ON known_devices (last_completed);

-- Who has no row has revision 0 and a full budget. A row stays when the seed goes, so that the
-- revision never starts again.
CREATE TABLE second_factors (
    user_id       BLOB    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    revision      INTEGER NOT NULL CHECK (revision > 0),
    streak        INTEGER NOT NULL DEFAULT 0,
    waiting_until INTEGER,
    recent        BLOB    NOT NULL DEFAULT x'',
    closed        INTEGER NOT NULL DEFAULT 0,
    seed_id       BLOB,
    seed_key_id   BLOB,
    seed_sealed   BLOB,
    verified      INTEGER NOT NULL DEFAULT 0,
    last_step     INTEGER, -- of a verified seed
    shown_to      BLOB,    -- of an unverified seed: the session
    seed_created  INTEGER  -- of an unverified seed
) STRICT;

CREATE TABLE tokens (
    hash            BLOB    NOT NULL PRIMARY KEY,
    session         BLOB    NOT NULL,
    user_id         BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id       BLOB    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('partial', 'verified', 'admin')),
    expires         INTEGER NOT NULL,
    session_expires INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_session ON tokens (session);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_expires ON tokens (expires);

-- One row once the settings were written.
CREATE TABLE admin_mfa (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    provider BLOB
) STRICT;

CREATE TABLE admin_mfa_exemptions (
    position INTEGER NOT NULL PRIMARY KEY,
    text     TEXT    NOT NULL,
    user_id  BLOB REFERENCES users (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX admin_mfa_exemptions_user ON admin_mfa_exemptions (user_id);

CREATE TABLE canary (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    key_id BLOB    NOT NULL,
    sealed BLOB    NOT NULL
) STRICT;
