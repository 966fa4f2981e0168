-- Who may do what: roles, and a number that grows with every change of it.
CREATE TABLE authority (
    one      INTEGER NOT NULL PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    revision INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0)
) STRICT;
INSERT INTO authority DEFAULT VALUES;

-- Administrative roles. The two that are built in are the same in every database.
CREATE TABLE administrative_roles (
    id            BLOB    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    -- Equal for all spellings of the name; also what lists are ordered by.
    name_key      TEXT    NOT NULL UNIQUE,
    notes         TEXT    NOT NULL,
    tags          TEXT    NOT NULL, -- a JSON array of texts
    privileges    TEXT    NOT NULL, -- a JSON array of objects
    -- Whether its holders may do everything.
    administering INTEGER NOT NULL CHECK (administering IN (0, 1)),
    created       INTEGER NOT NULL,
    updated       INTEGER NOT NULL,
    -- What the role can be found by, in lower case: all together, and by field.
    search        TEXT    NOT NULL,
    fields        TEXT    NOT NULL -- a JSON object of texts
) STRICT;

INSERT INTO administrative_roles
    (id, name, name_key, notes, tags, privileges, administering, created, updated, search, fields)
VALUES
    (x'b0adbc607ed411e4b4a90800200c9a66', 'System Administration', 'system administration', 'Built-in Administrative Role that has access to all.',
     '["builtin"]', '[{"type": "All", "target": "All"}]', 1, 0, 0,
     'system administration
built-in administrative role that has access to all.
b0adbc60-7ed4-11e4-b4a9-0800200c9a66
builtin',
     '{"id": "b0adbc60-7ed4-11e4-b4a9-0800200c9a66", "name": "system administration", "notes": "built-in administrative role that has access to all.", "tags": "builtin"}'),
    (x'72cbe03c4e354ff89e2b9bcf88e689f5', 'Api Access', 'api access', 'Built-in Administrative Role for programs that manage policies.',
     '["builtin"]', '[
    {"type": "Create", "target": "Condition", "only": {"ids": [], "tags": []}, "defaultTags": ["api-created"]},
    {"type": "Delete", "target": "Condition"},
    {"type": "Edit", "target": "Condition"},
    {"type": "View", "target": "Condition"},
    {"type": "Create", "target": "CriteriaScript", "only": {"ids": [], "tags": []}, "defaultTags": ["api-created"]},
    {"type": "Delete", "target": "CriteriaScript"},
    {"type": "Edit", "target": "CriteriaScript"},
    {"type": "View", "target": "CriteriaScript"},
    {"type": "Create", "target": "Entitlement", "only": {"ids": [], "tags": []}, "defaultTags": ["api-created"]},
    {"type": "Delete", "target": "Entitlement"},
    {"type": "Edit", "target": "Entitlement"},
    {"type": "View", "target": "Entitlement"},
    {"type": "Create", "target": "Policy", "only": {"ids": [], "tags": []}, "defaultTags": ["api-created"]},
    {"type": "Delete", "target": "Policy"},
    {"type": "Edit", "target": "Policy"},
    {"type": "View", "target": "Policy"}
]', 0, 0, 0,
     'api access
built-in administrative role for programs that manage policies.
72cbe03c-4e35-4ff8-9e2b-9bcf88e689f5
builtin',
     '{"id": "72cbe03c-4e35-4ff8-9e2b-9bcf88e689f5", "name": "api access", "notes": "built-in administrative role for programs that manage policies.", "tags": "builtin"}');

-- Those who hold a role. There are few, among many users.
DROP INDEX users_administrators;
CREATE INDEX users_with_roles ON users (id) WHERE roles <> '[]';

-- What users and providers can be found by, by field, in lower case.
ALTER TABLE users ADD COLUMN fields TEXT NOT NULL DEFAULT '{}';
UPDATE users SET fields = json_object(
    'id', lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)),
    'username', name_key, 'name', name_key, 'providerName', 'local',
    'userDistinguishedName', lower('cn=' || name || ',ou=local'),
    'firstName', lower(first_name), 'lastName', lower(last_name), 'email', lower(coalesce(email, '')),
    'phone', lower(coalesce(phone, '')), 'disabled', iif(disabled, 'true', 'false'), 'notes', lower(notes),
    'tags', (SELECT coalesce(lower(group_concat(value, char(10))), '') FROM json_each(tags)));

ALTER TABLE mfa_providers ADD COLUMN fields TEXT NOT NULL DEFAULT '{}';
UPDATE mfa_providers SET fields = json_object(
    'id', lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)),
    'name', lower(name), 'type', lower(kind), 'inputType', lower(input_type), 'notes', lower(notes),
    'hostnames', (SELECT coalesce(lower(group_concat(value, char(10))), '') FROM json_each(hostnames)),
    'tags', (SELECT coalesce(lower(group_concat(value, char(10))), '') FROM json_each(tags)));
