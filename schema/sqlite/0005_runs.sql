-- 0005_runs.sql - jobs that are more than one run: what came of all of them together, and the bytes that a job leaves.

ALTER TABLE job ADD COLUMN results TEXT;                       -- JSON; NULL: none
ALTER TABLE job ADD COLUMN output INTEGER NOT NULL DEFAULT 0;  -- a blob that goes with the job; 0: none
