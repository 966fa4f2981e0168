-- One row, always, written or not: where it is missing, nobody knows of whom a second factor is due.
ALTER TABLE admin_mfa ADD COLUMN written INTEGER NOT NULL DEFAULT 1 CHECK (written IN (0, 1));
INSERT INTO admin_mfa (one, provider, written) VALUES (1, NULL, 0) ON CONFLICT DO NOTHING;
