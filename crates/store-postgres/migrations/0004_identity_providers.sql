-- The provider of identities. One row, always: there is no other provider.
CREATE TABLE local_identity_provider (
    one                 BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (one),
    notes               TEXT    NOT NULL DEFAULT 'Built-in Identity Provider on local database.',
    tags                JSONB   NOT NULL DEFAULT '["builtin"]',
    -- Failures in a row that lock, and for how many minutes.
    lockout_threshold   BIGINT  NOT NULL DEFAULT 5 CHECK (lockout_threshold BETWEEN 1 AND 1000),
    lockout_minutes     BIGINT  NOT NULL DEFAULT 1 CHECK (lockout_minutes BETWEEN 1 AND 525600),
    -- In characters.
    min_password_length BIGINT  NOT NULL DEFAULT 0 CHECK (min_password_length BETWEEN 0 AND 256),
    updated             BIGINT  NOT NULL DEFAULT 0
);
INSERT INTO local_identity_provider DEFAULT VALUES;
