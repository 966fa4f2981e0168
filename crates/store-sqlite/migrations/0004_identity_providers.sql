-- The provider of identities. One row, always: there is no other provider.
CREATE TABLE local_identity_provider (
    one                 INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    notes               TEXT    NOT NULL DEFAULT 'Built-in Identity Provider on local database.',
    tags                TEXT    NOT NULL DEFAULT '["builtin"]', -- a JSON array of texts
    -- Failures in a row that lock, and for how many minutes.
    lockout_threshold   INTEGER NOT NULL DEFAULT 5 CHECK (lockout_threshold BETWEEN 1 AND 1000),
    lockout_minutes     INTEGER NOT NULL DEFAULT 1 CHECK (lockout_minutes BETWEEN 1 AND 525600),
    -- In characters.
    min_password_length INTEGER NOT NULL DEFAULT 0 CHECK (min_password_length BETWEEN 0 AND 256),
    updated             INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO local_identity_provider (one) VALUES (1);
