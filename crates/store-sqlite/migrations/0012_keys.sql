-- Master keys other than the one in use, which the canary names.
CREATE TABLE master_keys (
    key_id       BLOB NOT NULL PRIMARY KEY CHECK (length(key_id) = 16),
    state        TEXT NOT NULL CHECK (state IN ('next', 'replaced', 'retired')),
    -- Of a key that was replaced or retired: what of it the audit trail needs, sealed.
    audit_key_id BLOB CHECK ((audit_key_id IS NOT NULL) = (state <> 'next')),
    audit_sealed BLOB CHECK ((audit_sealed IS NULL) = (audit_key_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX master_keys_next ON master_keys (state) WHERE state = 'next';

-- Whether an operator has paused the sealing anew.
ALTER TABLE canary ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));

-- Which servers have the key that is to be used next, or use the one in use while another is being
-- replaced.
CREATE TABLE key_reports (
    server BLOB    NOT NULL PRIMARY KEY CHECK (length(server) = 16),
    name   TEXT    NOT NULL,
    key_id BLOB    NOT NULL,
    has    INTEGER NOT NULL CHECK (has IN (0, 1))
) STRICT, WITHOUT ROWID;

-- Of which master key the key is that a seal was made with: until now there was one.
ALTER TABLE audit_seals ADD COLUMN key_id BLOB;
UPDATE audit_seals SET key_id = (SELECT key_id FROM canary);

-- Nothing comes in that was sealed with a key that was retired.
CREATE TRIGGER seed_of_retired_key BEFORE INSERT ON second_factors
WHEN EXISTS (SELECT 1 FROM master_keys WHERE key_id = NEW.seed_key_id AND state = 'retired')
BEGIN SELECT RAISE(ABORT, 'sealed with a retired master key'); END;
CREATE TRIGGER new_seed_of_retired_key BEFORE UPDATE OF seed_key_id ON second_factors
WHEN EXISTS (SELECT 1 FROM master_keys WHERE key_id = NEW.seed_key_id AND state = 'retired')
BEGIN SELECT RAISE(ABORT, 'sealed with a retired master key'); END;
CREATE TRIGGER dialogue_of_retired_key BEFORE UPDATE OF dialogue_key_id ON tokens
WHEN EXISTS (SELECT 1 FROM master_keys WHERE key_id = NEW.dialogue_key_id AND state = 'retired')
BEGIN SELECT RAISE(ABORT, 'sealed with a retired master key'); END;
CREATE TRIGGER provider_of_retired_key BEFORE INSERT ON mfa_providers
WHEN EXISTS (SELECT 1 FROM master_keys WHERE state = 'retired'
    AND key_id IN (NEW.shared_secret_key_id, NEW.challenge_secret_key_id))
BEGIN SELECT RAISE(ABORT, 'sealed with a retired master key'); END;
CREATE TRIGGER new_provider_of_retired_key
BEFORE UPDATE OF shared_secret_key_id, challenge_secret_key_id ON mfa_providers
WHEN EXISTS (SELECT 1 FROM master_keys WHERE state = 'retired'
    AND key_id IN (NEW.shared_secret_key_id, NEW.challenge_secret_key_id))
BEGIN SELECT RAISE(ABORT, 'sealed with a retired master key'); END;
CREATE TRIGGER audit_key_of_retired_key BEFORE UPDATE OF audit_key_id ON master_keys
WHEN EXISTS (SELECT 1 FROM master_keys WHERE key_id = NEW.audit_key_id AND state = 'retired')
BEGIN SELECT RAISE(ABORT, 'sealed with a retired master key'); END;
CREATE TRIGGER seal_of_retired_key BEFORE INSERT ON audit_seals
WHEN EXISTS (SELECT 1 FROM master_keys WHERE key_id = NEW.key_id AND state = 'retired')
BEGIN SELECT RAISE(ABORT, 'sealed with a retired master key'); END;
