-- 0008_tokens.sql - who may do what: tokens, what each may keep, and which of them made what is there.

CREATE TABLE token (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	name          TEXT NOT NULL UNIQUE,
	digest        BLOB NOT NULL UNIQUE, -- SHA-256 of the token, which is kept nowhere
	roles         INTEGER NOT NULL,     -- bits of server/auth/auth.h
	models        TEXT,                 -- patterns of the models it is for; NULL: all
	rate          REAL NOT NULL,        -- requests a second; 0: any
	max_models    INTEGER NOT NULL,     -- what it may keep
	max_datasets  INTEGER NOT NULL,
	max_bytes     INTEGER NOT NULL,
	max_jobs      INTEGER NOT NULL,
	created_ms    INTEGER NOT NULL,
	expires_ms    INTEGER NOT NULL      -- 0: never
) STRICT;

-- The token that made it; 0: none of these.
ALTER TABLE model ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dataset ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
CREATE INDEX model_of_token ON model (token) WHERE token > 0;
CREATE INDEX dataset_of_token ON dataset (token) WHERE token > 0;
CREATE INDEX job_of_token ON job (token) WHERE token > 0 AND state < 3;
