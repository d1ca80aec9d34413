-- 0003_jobs.sql - jobs that end well and can be watched: leases, checkpoints, pauses, children, the log of changes,
-- answers that were given, and hooks to be told of an end.

ALTER TABLE job ADD COLUMN owner TEXT;                                 -- who claimed it, while it runs
ALTER TABLE job ADD COLUMN lease_ms INTEGER NOT NULL DEFAULT 0;        -- until when, on the store's monotonic clock
ALTER TABLE job ADD COLUMN pause_requested INTEGER NOT NULL DEFAULT 0; -- of a running job
ALTER TABLE job ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;         -- claims that were cut off since its last checkpoint
ALTER TABLE job ADD COLUMN checkpoints INTEGER NOT NULL DEFAULT 0;     -- that it ever had
ALTER TABLE job ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;          -- 0: none

DROP INDEX job_queue;
CREATE INDEX job_queue ON job (priority DESC, model, id) WHERE state = 0;
CREATE INDEX job_of_parent ON job (parent, id) WHERE parent > 0;
CREATE INDEX job_ended ON job (id) WHERE state >= 3 AND parent = 0;

-- When a model last had a job claimed, counted in claims: the one whose turn is longest ago goes first.
CREATE TABLE served (
	model         TEXT PRIMARY KEY,
	turn          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
	job           INTEGER NOT NULL,
	sequence      INTEGER NOT NULL,
	epoch         INTEGER NOT NULL,
	step          INTEGER NOT NULL,
	blob          INTEGER NOT NULL REFERENCES blob (id),
	size_bytes    INTEGER NOT NULL,
	created_ms    INTEGER NOT NULL,
	PRIMARY KEY (job, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX checkpoint_of_blob ON checkpoint (blob);

-- The log: ids come from series 'event', in the order of commits. The points of curves have ids of it too, those of a
-- block from first_event on.
CREATE TABLE event (
	id            INTEGER PRIMARY KEY,
	job           INTEGER NOT NULL, -- 0: of no job
	topic         TEXT NOT NULL,
	kind          TEXT NOT NULL,
	name          TEXT NOT NULL,    -- of the model or the data set
	data          TEXT NOT NULL,
	created_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX event_of_job ON event (job, id) WHERE job > 0;

ALTER TABLE curve_block ADD COLUMN first_event INTEGER NOT NULL DEFAULT 0;
UPDATE curve_block SET first_event = numbered.first FROM
	(SELECT id, 1 + sum(points) OVER (ORDER BY id) - points AS first FROM curve_block) AS numbered
	WHERE numbered.id = curve_block.id;
CREATE INDEX curve_block_of_event ON curve_block (curve, first_event);

-- What older releases did not log: one state for each job that is there.
INSERT INTO event (id, job, topic, kind, name, data, created_ms)
	SELECT (SELECT coalesce(sum(points), 0) FROM curve_block) + row_number() OVER (ORDER BY id), id, 'jobs', 'state',
	model, json_object('job', CAST(id AS TEXT), 'model', model, 'kind', kind, 'state',
	CASE state WHEN 0 THEN 'queued' WHEN 1 THEN 'running' WHEN 2 THEN 'paused' WHEN 3 THEN 'succeeded'
	WHEN 4 THEN 'failed' ELSE 'cancelled' END, 'attempt', attempt, 'resumed', resumed, 'epoch', epoch,
	'stop_reason', stop_reason, 'version', CASE WHEN version > 0 THEN CAST(version AS TEXT) END, 'parent', NULL),
	max(created_ms, finished_ms) FROM job;
INSERT INTO series (name, next) SELECT 'event',
	1 + (SELECT coalesce(sum(points), 0) FROM curve_block) + (SELECT count(*) FROM event);

-- The answers to requests with an Idempotency-Key.
CREATE TABLE answer (
	key           TEXT PRIMARY KEY,
	request       TEXT NOT NULL,    -- what was asked, as a hash
	status        INTEGER NOT NULL,
	job           INTEGER NOT NULL, -- that it made; 0: none
	location      TEXT NOT NULL,
	body          TEXT NOT NULL,
	created_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_age ON answer (created_ms);

-- Who wants to be told when a job has ended. next_ms: when to try, on the store's monotonic clock; -1: not ended yet.
CREATE TABLE notify (
	job           INTEGER PRIMARY KEY,
	url           TEXT NOT NULL,
	tries         INTEGER NOT NULL DEFAULT 0,
	next_ms       INTEGER NOT NULL DEFAULT -1
) STRICT;
CREATE INDEX notify_due ON notify (next_ms) WHERE next_ms >= 0;
