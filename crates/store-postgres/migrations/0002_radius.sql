-- Times are microseconds since the Unix epoch; durations are microseconds.

-- Providers of second factors. The two that are built in are the same in every database.
CREATE TABLE mfa_providers (
    id         UUID    NOT NULL PRIMARY KEY,
    revision   BIGINT  NOT NULL CHECK (revision > 0),
    name       TEXT    NOT NULL,
    -- Equal for all spellings of the name; also what lists are ordered by, byte by byte.
    name_key   TEXT    COLLATE "C" NOT NULL UNIQUE,
    notes      TEXT    NOT NULL,
    tags       JSONB   NOT NULL,
    input_type TEXT    NOT NULL CHECK (input_type IN ('Masked', 'Numeric', 'Text')),
    kind       TEXT    NOT NULL CHECK (kind IN ('DefaultTimeBased', 'Fido2', 'Radius')),
    created    BIGINT  NOT NULL,
    updated    BIGINT  NOT NULL,
    -- What the provider can be found by, in lower case.
    search     TEXT    NOT NULL,

    -- Of RADIUS, all of them.
    hostnames                     JSONB,
    port                          BIGINT  CHECK (port BETWEEN 1 AND 65535),
    protocol                      TEXT    CHECK (protocol IN ('PAP', 'CHAP')),
    mode                          TEXT    CHECK (mode IN ('OneFactor', 'Challenge', 'Push')),
    timeout                       BIGINT  CHECK (timeout > 0),
    use_user_password             BOOLEAN,
    require_message_authenticator BOOLEAN,
    status_server                 BOOLEAN,

    -- Of RADIUS, or none.
    nas_identifier          TEXT,
    source_address          TEXT,
    shared_secret_key_id    UUID,
    shared_secret_sealed    BYTEA,
    challenge_secret_key_id UUID,
    challenge_secret_sealed BYTEA,

    CHECK (num_nulls(hostnames, port, protocol, mode, timeout, use_user_password,
        require_message_authenticator, status_server)
        = CASE kind WHEN 'Radius' THEN 0 ELSE 8 END),
    CHECK (kind = 'Radius' OR num_nonnulls(nas_identifier, source_address, shared_secret_key_id,
        challenge_secret_key_id) = 0),
    CHECK ((shared_secret_key_id IS NULL) = (shared_secret_sealed IS NULL)),
    CHECK ((challenge_secret_key_id IS NULL) = (challenge_secret_sealed IS NULL))
);

INSERT INTO mfa_providers
    (id, revision, name, name_key, notes, tags, input_type, kind, created, updated, search)
VALUES
    ('3ae98d53-c520-437f-99e4-451f936e6d2c', 1, 'Default FIDO2 Provider', 'default fido2 provider',
     'Built-in default FIDO2 provider.', '["builtin"]', 'Masked', 'Fido2', 0, 0,
     'default fido2 provider
built-in default fido2 provider.
3ae98d53-c520-437f-99e4-451f936e6d2c
builtin'),
    ('03542d1e-733c-4c43-a567-d28fbc4649a7', 1, 'Default Time-Based OTP Provider',
     'default time-based otp provider', 'Built-in default time-based OTP provider.',
     '["builtin"]', 'Numeric', 'DefaultTimeBased', 0, 0,
     'default time-based otp provider
built-in default time-based otp provider.
03542d1e-733c-4c43-a567-d28fbc4649a7
builtin');

-- The provider of the settings is one that is there.
ALTER TABLE admin_mfa ADD FOREIGN KEY (provider) REFERENCES mfa_providers (id);

-- Grows with every success and every reset.
ALTER TABLE second_factors ADD COLUMN budget_row BIGINT NOT NULL DEFAULT 0
    CHECK (budget_row >= 0);

-- Of a partial token: its dialogue with a RADIUS server, sealed.
ALTER TABLE tokens ADD COLUMN dialogue_key_id UUID
    CHECK (dialogue_key_id IS NULL OR kind = 'partial');
ALTER TABLE tokens ADD COLUMN dialogue_sealed BYTEA
    CHECK ((dialogue_sealed IS NULL) = (dialogue_key_id IS NULL));

-- A push whose provider is gone, or another one by now, is only counted.
CREATE TABLE pushes (
    id                UUID    NOT NULL PRIMARY KEY,
    user_id           UUID    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session           UUID    NOT NULL,
    provider          UUID    NOT NULL,
    provider_revision BIGINT  NOT NULL,
    started           BIGINT  NOT NULL,
    deadline          BIGINT  NOT NULL,
    outcome           TEXT CHECK (outcome IN ('accepted', 'denied', 'challenged', 'unavailable')),
    collected         BOOLEAN NOT NULL,
    -- From when on it is of no use to anybody.
    useless_from      BIGINT  NOT NULL
);
CREATE INDEX pushes_user ON pushes (user_id);
CREATE INDEX pushes_useless_from ON pushes (useless_from);
