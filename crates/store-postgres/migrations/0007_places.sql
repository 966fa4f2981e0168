-- Where the pages of long lists begin, so that the millionth user is found as fast as the first.
-- Each place counts the keys from its own up to that of the next one. Whoever makes or removes a
-- key only notes it, and waits for nobody; notes are counted from time to time.
CREATE TABLE list_places (
    list  TEXT   NOT NULL CHECK (list IN ('users', 'seeds')),
    first TEXT   COLLATE "C" NOT NULL,
    keys  BIGINT NOT NULL CHECK (keys >= 0),
    PRIMARY KEY (list, first)
);
CREATE TABLE list_changes (
    list   TEXT     NOT NULL,
    key    TEXT     COLLATE "C" NOT NULL,
    change SMALLINT NOT NULL CHECK (change IN (-1, 1))
);
INSERT INTO list_places (list, first, keys)
SELECT 'users', '', count(*) FROM users
UNION ALL
SELECT 'seeds', '', count(*) FROM second_factors WHERE seed_id IS NOT NULL;

CREATE INDEX users_created ON users (created, id);
CREATE INDEX users_updated ON users (updated, id);

-- The name key of the user, while there is a seed. No claim of a step changes it, so that claims
-- are still written in place.
ALTER TABLE second_factors ADD COLUMN seed_name TEXT COLLATE "C";
UPDATE second_factors SET seed_name = users.name_key
FROM users WHERE users.id = user_id AND seed_id IS NOT NULL;
CREATE INDEX second_factors_seed_name ON second_factors (seed_name) WHERE seed_name IS NOT NULL;

CREATE FUNCTION name_seed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.seed_name := NULL;
    IF NEW.seed_id IS NOT NULL THEN
        SELECT name_key INTO STRICT NEW.seed_name FROM users WHERE id = NEW.user_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER name_seed BEFORE INSERT OR UPDATE ON second_factors FOR EACH ROW
    WHEN ((NEW.seed_id IS NULL) <> (NEW.seed_name IS NULL)) EXECUTE FUNCTION name_seed();

CREATE FUNCTION note_seed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.seed_name IS NOT NULL THEN
        INSERT INTO list_changes VALUES ('seeds', OLD.seed_name, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.seed_name IS NOT NULL THEN
        INSERT INTO list_changes VALUES ('seeds', NEW.seed_name, 1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_new_seed AFTER INSERT ON second_factors FOR EACH ROW
    WHEN (NEW.seed_name IS NOT NULL) EXECUTE FUNCTION note_seed();
CREATE TRIGGER note_seed AFTER UPDATE ON second_factors FOR EACH ROW
    WHEN (OLD.seed_name IS DISTINCT FROM NEW.seed_name) EXECUTE FUNCTION note_seed();
CREATE TRIGGER note_old_seed AFTER DELETE ON second_factors FOR EACH ROW
    WHEN (OLD.seed_name IS NOT NULL) EXECUTE FUNCTION note_seed();

CREATE FUNCTION note_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO list_changes SELECT 'users', name_key, 1 FROM touched;
    ELSE
        INSERT INTO list_changes SELECT 'users', name_key, -1 FROM touched;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_new_users AFTER INSERT ON users REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION note_users();
CREATE TRIGGER note_old_users AFTER DELETE ON users REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION note_users();

CREATE FUNCTION note_renamed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO list_changes VALUES ('users', OLD.name_key, -1), ('users', NEW.name_key, 1);
    -- Whatever seed there is: one that somebody writes now waits here for this, or this for it.
    UPDATE second_factors
    SET seed_name = CASE WHEN seed_id IS NOT NULL THEN NEW.name_key END WHERE user_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER note_renamed AFTER UPDATE OF name_key ON users FOR EACH ROW
    WHEN (OLD.name_key <> NEW.name_key) EXECUTE FUNCTION note_renamed();
