-- Times are microseconds since the Unix epoch; durations are microseconds.

-- Providers of second factors. The two that are built in are the same in every database.
CREATE TABLE mfa_providers (
    id         BLOB    NOT NULL PRIMARY KEY,
    revision   INTEGER NOT NULL CHECK (revision > 0),
    name       TEXT    NOT NULL,
    -- Equal for all spellings of the name; also what lists are ordered by.
    name_key   TEXT    NOT NULL UNIQUE,
    notes      TEXT    NOT NULL,
    tags       TEXT    NOT NULL, -- a JSON array of texts
    input_type TEXT    NOT NULL CHECK (input_type IN ('Masked', 'Numeric', 'Text')),
    kind       TEXT    NOT NULL CHECK (kind IN ('DefaultTimeBased', 'Fido2', 'Radius')),
    created    INTEGER NOT NULL,
    updated    INTEGER NOT NULL,
    -- What the provider can be found by, in lower case.
    search     TEXT    NOT NULL,

    -- Of RADIUS, all of them.
    hostnames                     TEXT, -- a JSON array of texts
    port                          INTEGER CHECK (port BETWEEN 1 AND 65535),
    protocol                      TEXT    CHECK (protocol IN ('PAP', 'CHAP')),
    mode                          TEXT    CHECK (mode IN ('OneFactor', 'Challenge', 'Push')),
    timeout                       INTEGER CHECK (timeout > 0),
    use_user_password             INTEGER CHECK (use_user_password IN (0, 1)),
    require_message_authenticator INTEGER CHECK (require_message_authenticator IN (0, 1)),
    status_server                 INTEGER CHECK (status_server IN (0, 1)),

    -- Of RADIUS, or none.
    nas_identifier          TEXT,
    source_address          TEXT,
    shared_secret_key_id    BLOB,
    shared_secret_sealed    BLOB,
    challenge_secret_key_id BLOB,
    challenge_secret_sealed BLOB,

    CHECK ((hostnames IS NULL) + (port IS NULL) + (protocol IS NULL) + (mode IS NULL)
        + (timeout IS NULL) + (use_user_password IS NULL)
        + (require_message_authenticator IS NULL) + (status_server IS NULL)
        = CASE kind WHEN 'Radius' THEN 0 ELSE 8 END),
    CHECK (kind = 'Radius' OR coalesce(nas_identifier, source_address, shared_secret_key_id,
        challenge_secret_key_id) IS NULL),
    CHECK ((shared_secret_key_id IS NULL) = (shared_secret_sealed IS NULL)),
    CHECK ((challenge_secret_key_id IS NULL) = (challenge_secret_sealed IS NULL))
) STRICT;

INSERT INTO mfa_providers
    (id, revision, name, name_key, notes, tags, input_type, kind, created, updated, search)
VALUES
    (x'3ae98d53c520437f99e4451f936e6d2c', 1, 'Default FIDO2 Provider', 'default fido2 provider',
     'Built-in default FIDO2 provider.', '["builtin"]', 'Masked', 'Fido2', 0, 0,
     'default fido2 provider
built-in default fido2 provider.
3ae98d53-c520-437f-99e4-451f936e6d2c
builtin'),
    (x'03542d1e733c4c43a567d28fbc4649a7', 1, 'Default Time-Based OTP Provider',
     'default time-based otp provider', 'Built-in default time-based OTP provider.',
     '["builtin"]', 'Numeric', 'DefaultTimeBased', 0, 0,
     'default time-based otp provider
built-in default time-based otp provider.
03542d1e-733c-4c43-a567-d28fbc4649a7
builtin');

-- The provider of the settings is one that is there.
CREATE TABLE admin_mfa_of_known_provider (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    provider BLOB REFERENCES mfa_providers (id)
) STRICT;
INSERT INTO admin_mfa_of_known_provider SELECT one, provider FROM admin_mfa;
DROP TABLE admin_mfa;
ALTER TABLE admin_mfa_of_known_provider RENAME TO admin_mfa;

-- Grows with every success and every reset.
ALTER TABLE second_factors ADD COLUMN budget_row INTEGER NOT NULL DEFAULT 0
    CHECK (budget_row >= 0);

-- Of a partial token: its dialogue with a RADIUS server, sealed.
ALTER TABLE tokens ADD COLUMN dialogue_key_id BLOB
    CHECK (dialogue_key_id IS NULL OR kind = 'partial');
ALTER TABLE tokens ADD COLUMN dialogue_sealed BLOB
    CHECK ((dialogue_sealed IS NULL) = (dialogue_key_id IS NULL));

-- A push whose provider is gone, or another one by now, is only counted.
CREATE TABLE pushes (
    id                BLOB    NOT NULL PRIMARY KEY,
    user_id           BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session           BLOB    NOT NULL,
    provider          BLOB    NOT NULL,
    provider_revision INTEGER NOT NULL,
    started           INTEGER NOT NULL,
    deadline          INTEGER NOT NULL,
    outcome           TEXT CHECK (outcome IN ('accepted', 'denied', 'challenged', 'unavailable')),
    collected         INTEGER NOT NULL CHECK (collected IN (0, 1)),
    -- From when on it is of no use to anybody.
    useless_from      INTEGER NOT NULL
) STRICT;
CREATE INDEX pushes_user ON pushes (user_id);
CREATE INDEX pushes_useless_from ON pushes (useless_from);
