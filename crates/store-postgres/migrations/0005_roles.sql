-- Who may do what: roles, and a number that grows with every change of it. Whoever changes any of it
-- locks the row of admin_mfa.
ALTER TABLE admin_mfa ADD COLUMN authority BIGINT NOT NULL DEFAULT 0 CHECK (authority >= 0);

-- Administrative roles. The two that are built in are the same in every database.
CREATE TABLE administrative_roles (
    id            UUID    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    -- Equal for all spellings of the name; also what lists are ordered by, byte by byte.
    name_key      TEXT    COLLATE "C" NOT NULL UNIQUE,
    notes         TEXT    NOT NULL,
    tags          JSONB   NOT NULL,
    privileges    JSONB   NOT NULL,
    -- Whether its holders may do everything.
    administering BOOLEAN NOT NULL,
    created       BIGINT  NOT NULL,
    updated       BIGINT  NOT NULL,
    -- What the role can be found by, in lower case: all together, and by field.
    search        TEXT    NOT NULL,
    fields        JSONB   NOT NULL
);

INSERT INTO administrative_roles
    (id, name, name_key, notes, tags, privileges, administering, created, updated, search, fields)
VALUES
    ('b0adbc60-7ed4-11e4-b4a9-0800200c9a66', 'System Administration', 'system administration', 'Built-in Administrative Role that has access to all.',
     '["builtin"]', '[{"type": "All", "target": "All"}]', TRUE, 0, 0,
     'system administration
built-in administrative role that has access to all.
b0adbc60-7ed4-11e4-b4a9-0800200c9a66
builtin',
     '{"id": "b0adbc60-7ed4-11e4-b4a9-0800200c9a66", "name": "system administration", "notes": "built-in administrative role that has access to all.", "tags": "builtin"}'),
    ('72cbe03c-4e35-4ff8-9e2b-9bcf88e689f5', 'Api Access', 'api access', 'Built-in Administrative Role for programs that manage policies.',
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
]', FALSE, 0, 0,
     'api access
built-in administrative role for programs that manage policies.
72cbe03c-4e35-4ff8-9e2b-9bcf88e689f5
builtin',
     '{"id": "72cbe03c-4e35-4ff8-9e2b-9bcf88e689f5", "name": "api access", "notes": "built-in administrative role for programs that manage policies.", "tags": "builtin"}');

-- Those who hold a role. There are few, among many users.
DROP INDEX users_administrators;
CREATE INDEX users_with_roles ON users (id) WHERE roles <> '[]';

-- What users and providers can be found by, by field, in lower case.
ALTER TABLE users ADD COLUMN fields JSONB;
UPDATE users SET fields = jsonb_build_object('id', id::text, 'username', name_key,
    'name', name_key, 'providerName', 'local', 'userDistinguishedName', lower('cn=' || name || ',ou=local'),
    'firstName', lower(first_name), 'lastName', lower(last_name), 'email', lower(coalesce(email, '')),
    'phone', lower(coalesce(phone, '')), 'disabled', disabled::text, 'notes', lower(notes),
    'tags', (SELECT coalesce(string_agg(lower(tag), E'\n'), '') FROM jsonb_array_elements_text(tags) tag));
ALTER TABLE users ALTER COLUMN fields SET NOT NULL;

ALTER TABLE mfa_providers ADD COLUMN fields JSONB;
UPDATE mfa_providers SET fields = jsonb_build_object('id', id::text, 'name', lower(name),
    'type', lower(kind), 'inputType', lower(input_type), 'notes', lower(notes),
    'hostnames', (SELECT coalesce(string_agg(lower(host), E'\n'), '') FROM jsonb_array_elements_text(hostnames) host),
    'tags', (SELECT coalesce(string_agg(lower(tag), E'\n'), '') FROM jsonb_array_elements_text(tags) tag));
ALTER TABLE mfa_providers ALTER COLUMN fields SET NOT NULL;
