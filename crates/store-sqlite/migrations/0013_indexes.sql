-- Whoever asks for the tokens of a session knows whose it is. A token that becomes another is in each
-- index anew, so each costs something at every sign-in.
CREATE INDEX tokens_user_session ON tokens (user_id, session);
DROP INDEX tokens_session;
DROP INDEX tokens_user;
