-- One conditional update a transaction. Each of 32 clients has 1,000 rows of its own and steps that
-- only grow, so that every update writes; `step` begins after those of the round before.
\set step :step + 1
\set id :client_id * 1000 + random(0, 999)
UPDATE claims SET last_step = :step WHERE id = :id AND last_step < :step;
