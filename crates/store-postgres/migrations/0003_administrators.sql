-- Those who may do everything, of whom one always stays. There are few, among many users.
CREATE INDEX users_administrators ON users (id)
    WHERE NOT disabled AND roles @> '["b0adbc60-7ed4-11e4-b4a9-0800200c9a66"]';
