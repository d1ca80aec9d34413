-- 0007_traffic.sql - how the requests for a model that name no version are shared out.

CREATE TABLE traffic (
	model         TEXT NOT NULL,
	version       INTEGER NOT NULL,
	weight        REAL NOT NULL,    -- beside the weights of the others
	shadow        INTEGER NOT NULL, -- 1: asked what the others answer, and weighs nothing
	PRIMARY KEY (model, version),
	FOREIGN KEY (model, version) REFERENCES version (model, number)
) STRICT, WITHOUT ROWID;
