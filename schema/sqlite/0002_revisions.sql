-- 0002_revisions.sql - revisions that share row groups, a second data set a job may need, and drift.

-- Row groups first_group to last_group of a revision are those of another one, source, from source_first on; where
-- a revision has a segment of its own, that one counts. source is always who has the segments, never one that shares
-- them. The cells of a source stay, though its revision may be gone, until no part names it.
CREATE TABLE part (
	revision      INTEGER NOT NULL,
	column_index  INTEGER NOT NULL, -- -1: every column for which there is no part of its own
	first_group   INTEGER NOT NULL,
	last_group    INTEGER NOT NULL,
	source        INTEGER NOT NULL,
	source_first  INTEGER NOT NULL,
	PRIMARY KEY (revision, column_index, first_group)
) STRICT, WITHOUT ROWID;
CREATE INDEX part_of_source ON part (source);

-- The data a job validates on, when they are a data set of their own; 0: none. Pinned as job.revision is.
ALTER TABLE job ADD COLUMN validation_revision INTEGER NOT NULL DEFAULT 0;
CREATE INDEX job_unfinished_of_validation ON job (validation_revision) WHERE state < 3;

-- What has been asked of a version since it was made; the store does not look into it.
CREATE TABLE drift (
	model         TEXT NOT NULL,
	version       INTEGER NOT NULL,
	data          BLOB NOT NULL,
	PRIMARY KEY (model, version),
	FOREIGN KEY (model, version) REFERENCES version (model, number) ON DELETE CASCADE
) STRICT;
