//! The statements of changes: each change is a row of a table beside the database while it is made.

use crate::audit::write_down;

/// The changes of a transaction, as long as it lasts: of the connection that writes, and of nobody
/// else. Everything that only some kinds of changes have is NULL in the others.
pub(crate) const TABLE: &str = "
    CREATE TEMP TABLE changes (
        number            INTEGER NOT NULL PRIMARY KEY,
        passed            INTEGER NOT NULL DEFAULT 0,
        trail             TEXT    NOT NULL,
        user_id           BLOB    NOT NULL,
        session           BLOB    NOT NULL,
        revision          INTEGER NOT NULL,
        streak            INTEGER NOT NULL,
        waiting_until     INTEGER,
        recent            BLOB    NOT NULL,
        closed            INTEGER NOT NULL,
        budget_row        INTEGER NOT NULL,

        -- Of a partial token that becomes a verified one.
        partial           BLOB,
        hash              BLOB,
        kind              TEXT,
        expires           INTEGER,
        session_expires   INTEGER,
        device_id         BLOB,
        completed         INTEGER,

        -- Of a step that is claimed, and of an acceptance.
        step              INTEGER,
        seed              BLOB,
        seed_key_id       BLOB,
        seed_sealed       BLOB,
        provider          BLOB,
        provider_revision INTEGER,

        -- Of a budget that is stored.
        ends_token        INTEGER,
        sets_dialogue     INTEGER,
        dialogue_key_id   BLOB,
        dialogue_sealed   BLOB
    ) STRICT";

/// All of them, one statement after the other: there is one way to the thread of the connection.
/// JSON that is looked into several times is read once.
pub(crate) const STATEMENTS: &str = concat!(
    "INSERT INTO changes (number, trail, user_id, session, revision, streak, waiting_until, recent,
        closed, budget_row, partial, hash, kind, expires, session_expires, device_id, completed,
        step, seed, seed_key_id, seed_sealed, provider, provider_revision, ends_token,
        sets_dialogue, dialogue_key_id, dialogue_sealed)
     WITH given AS MATERIALIZED (
        SELECT key AS number, value -> 0 AS change, value ->> 1 AS trail FROM json_each(?1)
     )
     SELECT number, trail, unhex(change ->> 'user'), unhex(change ->> 'session'),
        change ->> 'revision', change ->> 'streak', change ->> 'waiting_until',
        unhex(change ->> 'recent'), change ->> 'closed', change ->> 'budget_row',
        unhex(change ->> 'partial'), unhex(change ->> 'hash'), change ->> 'kind',
        change ->> 'expires', change ->> 'session_expires', unhex(change ->> 'device'),
        change ->> 'completed', change ->> 'step', unhex(change ->> 'seed'),
        unhex(change ->> 'seed_key_id'), unhex(change ->> 'seed_sealed'),
        unhex(change ->> 'provider'), change ->> 'provider_revision', change ->> 'ends_token',
        change ->> 'sets_dialogue', unhex(change ->> 'dialogue_key_id'),
        unhex(change ->> 'dialogue_sealed')
     FROM given;

     UPDATE changes AS c SET passed = 1
     WHERE coalesce((SELECT revision FROM second_factors WHERE user_id = c.user_id), 0)
            = c.revision
        AND EXISTS (SELECT 1 FROM tokens t
            WHERE t.session = c.session AND t.user_id = c.user_id AND t.kind = 'partial'
                AND t.hash = coalesce(c.partial, t.hash))
        AND (c.step IS NULL OR EXISTS (SELECT 1 FROM second_factors f
            WHERE f.user_id = c.user_id AND f.seed_id = c.seed
                AND (NOT f.verified OR f.last_step < c.step)))
        AND (c.provider IS NULL OR EXISTS (SELECT 1 FROM admin_mfa m
            JOIN mfa_providers p ON p.id = m.provider
            WHERE p.id = c.provider AND p.revision = c.provider_revision));

     INSERT INTO second_factors
        (user_id, revision, streak, waiting_until, recent, closed, budget_row)
     SELECT user_id, revision + 1, streak, waiting_until, recent, closed, budget_row
     FROM changes WHERE passed AND revision = 0;

     UPDATE second_factors AS f SET revision = c.revision + 1, streak = c.streak,
        waiting_until = c.waiting_until, recent = c.recent, closed = c.closed,
        budget_row = c.budget_row
     FROM changes c
     WHERE f.user_id = c.user_id AND c.passed AND c.revision > 0 AND c.step IS NULL;

     UPDATE second_factors AS f SET revision = c.revision + 1, streak = c.streak,
        waiting_until = c.waiting_until, recent = c.recent, closed = c.closed,
        budget_row = c.budget_row, verified = 1, last_step = c.step, shown_to = NULL,
        seed_created = NULL, seed_key_id = coalesce(c.seed_key_id, f.seed_key_id),
        seed_sealed = coalesce(c.seed_sealed, f.seed_sealed)
     FROM changes c
     WHERE f.user_id = c.user_id AND c.passed AND c.step IS NOT NULL;

     UPDATE tokens AS t SET hash = c.hash, kind = c.kind, expires = c.expires,
        session_expires = c.session_expires, dialogue_key_id = NULL, dialogue_sealed = NULL
     FROM changes c
     WHERE t.hash = c.partial AND c.passed;

     INSERT INTO known_devices (user_id, device_id, last_completed, failures)
     SELECT user_id, device_id, completed, 0
     FROM changes WHERE passed AND completed IS NOT NULL
     ON CONFLICT (user_id, device_id) DO UPDATE SET last_completed = excluded.last_completed;

     UPDATE tokens AS t SET dialogue_key_id = c.dialogue_key_id,
        dialogue_sealed = c.dialogue_sealed
     FROM changes c
     WHERE t.session = c.session AND t.user_id = c.user_id AND t.kind = 'partial'
        AND c.passed AND c.sets_dialogue;

     DELETE FROM tokens
     WHERE (user_id, session) IN
            (SELECT user_id, session FROM changes WHERE passed AND ends_token)
        AND kind = 'partial';

     ",
    write_down!("changes, json_each(changes.trail) WHERE changes.passed"),
    ";

     DELETE FROM changes RETURNING number, passed,
        revision <> coalesce((SELECT f.revision FROM second_factors f
            WHERE f.user_id = changes.user_id), 0)"
);
