-- 0006_sweeps.sql - runs that are compared on their way, and what there is of time for all of them; and a page less for most
-- jobs to write.

ALTER TABLE job ADD COLUMN rest INTEGER NOT NULL DEFAULT 0;          -- it pauses by itself after this epoch; 0: after none
ALTER TABLE job ADD COLUMN end_requested INTEGER NOT NULL DEFAULT 0; -- it is to end soon, with what it has
ALTER TABLE job ADD COLUMN seconds REAL NOT NULL DEFAULT 0;          -- that a parent has been under way, where that is counted

DROP INDEX job_unfinished_of_validation;
CREATE INDEX job_unfinished_of_validation ON job (validation_revision) WHERE state < 3 AND validation_revision > 0;

-- Which jobs ended last: a number that ascends with their ends, that of the event.
ALTER TABLE job ADD COLUMN ended INTEGER NOT NULL DEFAULT 0; -- 0: not yet
UPDATE job SET ended = id WHERE state >= 3;
DROP INDEX job_ended;
CREATE INDEX job_ended ON job (ended) WHERE state >= 3 AND parent = 0;
