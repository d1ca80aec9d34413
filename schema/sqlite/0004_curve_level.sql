-- 0004_curve_level.sql - summaries of curves, so that few points of many are found without reading them all.

-- Blocks of spans as server/codec/curve.h codes them; level 1 is right above the points in curve_block. Keys are those of
-- curve_block.first_epoch and last_epoch, which since record "step" are no plain epochs for every job.
CREATE TABLE curve_level (
	id            INTEGER PRIMARY KEY,
	curve         INTEGER NOT NULL,
	level         INTEGER NOT NULL,
	first_key     INTEGER NOT NULL,
	last_key      INTEGER NOT NULL,
	spans         INTEGER NOT NULL,
	data          BLOB NOT NULL,
	UNIQUE (curve, level, first_key)
) STRICT;
