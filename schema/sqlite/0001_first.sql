-- 0001_first.sql - the first tables of descentd's SQLite file.
--
-- What is large (cells, dictionaries, blobs, curves) lies in piece tables under the id of an owner. Taking an owner
-- away deletes its row and notes its id in garbage, in one small transaction; the pieces are invisible from then on
-- and are deleted in steps by the sweep. So the piece tables have no foreign keys, on purpose.
-- application_id and user_version are set by the program, in the transaction that runs this file.

-- ---- data sets ----

CREATE TABLE revision (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	state         INTEGER NOT NULL, -- 0 uploading, 1 inline and waiting for its job, 2 current, 3 kept for unfinished jobs only
	dataset       TEXT,             -- NULL: inline, or uploading
	number        INTEGER NOT NULL DEFAULT 0,
	row_count     INTEGER NOT NULL DEFAULT 0,
	column_count  INTEGER NOT NULL DEFAULT 0,
	group_count   INTEGER NOT NULL DEFAULT 0,
	size_bytes    INTEGER NOT NULL DEFAULT 0,
	sha256        TEXT NOT NULL DEFAULT '',
	columns       TEXT NOT NULL DEFAULT '',
	created_ms    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX revision_of_dataset ON revision (dataset) WHERE dataset IS NOT NULL;
CREATE INDEX revision_loose ON revision (state) WHERE state < 2;

CREATE TABLE dataset (
	name          TEXT PRIMARY KEY,
	revision      INTEGER NOT NULL REFERENCES revision (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE segment (
	id            INTEGER PRIMARY KEY,
	revision      INTEGER NOT NULL,
	row_group     INTEGER NOT NULL,
	column_index  INTEGER NOT NULL,
	data          BLOB NOT NULL,
	UNIQUE (revision, row_group, column_index)
) STRICT;

CREATE TABLE dictionary (
	id            INTEGER PRIMARY KEY,
	revision      INTEGER NOT NULL,
	column_index  INTEGER NOT NULL,
	chunk         INTEGER NOT NULL,
	data          BLOB NOT NULL,
	UNIQUE (revision, column_index, chunk)
) STRICT;

-- ---- models ----

CREATE TABLE model (
	name          TEXT PRIMARY KEY,
	sent          TEXT NOT NULL,
	definition    TEXT NOT NULL,
	description   TEXT NOT NULL,
	metadata      TEXT NOT NULL,
	created_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE blob (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	state         INTEGER NOT NULL, -- 0 no version names it yet, 1 of a version
	size_bytes    INTEGER NOT NULL
) STRICT;
CREATE INDEX blob_loose ON blob (state) WHERE state = 0;

CREATE TABLE blob_chunk (
	id            INTEGER PRIMARY KEY,
	blob          INTEGER NOT NULL,
	chunk         INTEGER NOT NULL,
	data          BLOB NOT NULL,
	UNIQUE (blob, chunk)
) STRICT;

CREATE TABLE version (
	model         TEXT NOT NULL REFERENCES model (name),
	number        INTEGER NOT NULL,
	job           INTEGER NOT NULL,
	metrics       TEXT NOT NULL,
	training      TEXT NOT NULL,
	dataset       TEXT NOT NULL,
	engine        TEXT NOT NULL,
	size_bytes    INTEGER NOT NULL,
	blob          INTEGER NOT NULL REFERENCES blob (id),
	created_ms    INTEGER NOT NULL,
	PRIMARY KEY (model, number)
) STRICT;
CREATE INDEX version_of_blob ON version (blob);

CREATE TABLE label (
	model         TEXT NOT NULL,
	label         TEXT NOT NULL,
	version       INTEGER NOT NULL,
	PRIMARY KEY (model, label),
	FOREIGN KEY (model, version) REFERENCES version (model, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX label_of_version ON label (model, version);

-- ---- jobs ----

CREATE TABLE job (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	model         TEXT NOT NULL,
	kind          TEXT NOT NULL,
	state         INTEGER NOT NULL, -- enum job_state: 0 queued, 1 running, 2 paused; from 3 on it has ended
	cancel_requested INTEGER NOT NULL DEFAULT 0,
	attempt       INTEGER NOT NULL DEFAULT 0,
	resumed       INTEGER NOT NULL DEFAULT 0,
	priority      INTEGER NOT NULL,
	revision      INTEGER NOT NULL,
	dataset       TEXT,
	config        TEXT NOT NULL,
	note          TEXT NOT NULL,
	epoch         INTEGER NOT NULL DEFAULT 0,
	step          INTEGER NOT NULL DEFAULT 0,
	epochs        INTEGER NOT NULL,
	metrics       TEXT NOT NULL DEFAULT '{}',
	best          TEXT NOT NULL DEFAULT 'null',
	stop_reason   TEXT,
	error         TEXT,
	version       INTEGER NOT NULL DEFAULT 0,
	samples_per_second REAL NOT NULL DEFAULT 0,
	created_ms    INTEGER NOT NULL,
	started_ms    INTEGER NOT NULL DEFAULT 0,
	finished_ms   INTEGER NOT NULL DEFAULT 0,
	curve         INTEGER NOT NULL DEFAULT 0 -- owner of its curve blocks, another one for each claim; 0: none
) STRICT;
CREATE INDEX job_queue ON job (priority DESC, id) WHERE state = 0;
CREATE INDEX job_of_state ON job (state, id);
CREATE INDEX job_of_model ON job (model, id);
CREATE INDEX job_unfinished_of_revision ON job (revision) WHERE state < 3;

CREATE TABLE curve_block (
	id            INTEGER PRIMARY KEY,
	curve         INTEGER NOT NULL,
	first_epoch   INTEGER NOT NULL,
	last_epoch    INTEGER NOT NULL,
	points        INTEGER NOT NULL,
	data          BLOB NOT NULL,
	UNIQUE (curve, first_epoch)
) STRICT;

-- ---- what serves them all ----

-- Numbers that are never given twice: 'curve', and 'version/MODEL', which outlives its model.
CREATE TABLE series (
	name          TEXT PRIMARY KEY,
	next          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE garbage (
	kind          INTEGER NOT NULL, -- enum garbage in server/store/sqlite/sweep.h
	owner         INTEGER NOT NULL,
	PRIMARY KEY (kind, owner)
) STRICT, WITHOUT ROWID;
