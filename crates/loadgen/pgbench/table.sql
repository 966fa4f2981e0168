-- What the reference of a finish writes to: a claim of a step and nothing else. Room on the pages,
-- as in the table of second factors, so that an update is written in place.
CREATE TABLE claims (
    id        BIGINT NOT NULL PRIMARY KEY,
    last_step BIGINT NOT NULL
) WITH (fillfactor = 70);
INSERT INTO claims SELECT n, 0 FROM generate_series(0, 32 * 1000 - 1) AS n;
VACUUM ANALYZE claims;
