-- Master keys other than the one in use, which the canary names.
CREATE TABLE master_keys (
    key_id       UUID NOT NULL PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN ('next', 'replaced', 'retired')),
    -- Of a key that was replaced or retired: what of it the audit trail needs, sealed.
    audit_key_id UUID CHECK ((audit_key_id IS NOT NULL) = (state <> 'next')),
    audit_sealed BYTEA CHECK ((audit_sealed IS NULL) = (audit_key_id IS NULL))
);
CREATE UNIQUE INDEX master_keys_next ON master_keys (state) WHERE state = 'next';

-- Whether an operator has paused the sealing anew.
ALTER TABLE canary ADD COLUMN paused BOOLEAN NOT NULL DEFAULT FALSE;

-- Which servers have the key that is to be used next, or use the one in use while another is being
-- replaced.
CREATE TABLE key_reports (
    server UUID    NOT NULL PRIMARY KEY,
    name   TEXT    NOT NULL,
    key_id UUID    NOT NULL,
    has    BOOLEAN NOT NULL
);

-- Of which master key the key is that a seal was made with: until now there was one.
ALTER TABLE audit_seals ADD COLUMN key_id UUID;
UPDATE audit_seals SET key_id = (SELECT key_id FROM canary);

-- Nothing comes in that was sealed with a key that was retired. Whoever retires one holds the lock
-- alone: what began before is seen by then, and what comes later sees that the key is retired.
-- The columns that name keys are the arguments.
CREATE FUNCTION check_master_keys() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    named CONSTANT jsonb := to_jsonb(NEW);
BEGIN
    PERFORM pg_advisory_xact_lock_shared(8531321105947714866);
    IF EXISTS (
        SELECT 1 FROM master_keys
        WHERE state = 'retired' AND key_id::text IN (SELECT named ->> unnest(TG_ARGV))
    ) THEN
        RAISE EXCEPTION 'sealed with a retired master key' USING ERRCODE = 'VK001';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_key BEFORE INSERT ON second_factors FOR EACH ROW
    WHEN (NEW.seed_key_id IS NOT NULL) EXECUTE FUNCTION check_master_keys('seed_key_id');
CREATE TRIGGER check_new_key BEFORE UPDATE ON second_factors FOR EACH ROW
    WHEN (NEW.seed_key_id IS NOT NULL AND (NEW.seed_key_id IS DISTINCT FROM OLD.seed_key_id
        OR NEW.seed_sealed IS DISTINCT FROM OLD.seed_sealed))
    EXECUTE FUNCTION check_master_keys('seed_key_id');
CREATE TRIGGER check_new_key BEFORE UPDATE ON tokens FOR EACH ROW
    WHEN (NEW.dialogue_key_id IS NOT NULL) EXECUTE FUNCTION check_master_keys('dialogue_key_id');
CREATE TRIGGER check_keys BEFORE INSERT OR UPDATE ON mfa_providers FOR EACH ROW
    WHEN (NEW.kind = 'Radius')
    EXECUTE FUNCTION check_master_keys('shared_secret_key_id', 'challenge_secret_key_id');
CREATE TRIGGER check_key BEFORE INSERT ON audit_seals FOR EACH ROW
    WHEN (NEW.key_id IS NOT NULL) EXECUTE FUNCTION check_master_keys('key_id');
CREATE TRIGGER check_key BEFORE UPDATE ON master_keys FOR EACH ROW
    WHEN (NEW.audit_key_id IS NOT NULL) EXECUTE FUNCTION check_master_keys('audit_key_id');
