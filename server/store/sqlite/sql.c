/* sql.c - every SQL statement of the store, in one table.
 *
 * The order of the columns in a *_COLUMNS list is the order in which the reader of that struct takes them
 * (revision_read in dataset.c, model_read in model.c, version_read in version.c, job_read in job.c, …). States of a
 * job are numbers of enum job_state: below 3 it has not ended.
 */
#include "server/store/sqlite/sql.h"

#define REVISION_COLUMNS                                                                                            \
	"r.id, r.dataset, r.number, r.row_count, r.column_count, r.group_count, r.size_bytes, r.sha256, r.columns," \
	" r.created_ms"
#define MODEL_COLUMNS                                                \
	"name, sent, definition, description, metadata, created_ms," \
	" (SELECT max(number) FROM version WHERE model = name)"
#define VERSION_COLUMNS    "model, number, job, metrics, training, dataset, engine, size_bytes, blob, created_ms"
#define CHECKPOINT_COLUMNS "job, sequence, epoch, step, blob, size_bytes, created_ms"
#define EVENT_COLUMNS      "id, job, topic, kind, name, data, created_ms"
#define JOB_COLUMNS                                                                                                       \
	"id, model, kind, state, cancel_requested, pause_requested, attempt, resumed, crashes, parent, owner, priority,"  \
	" revision, validation_revision, dataset, config, note,"                                                          \
	" epoch, step, epochs, metrics, best, stop_reason, error, results, output, version, samples_per_second, seconds," \
	" created_ms, started_ms, finished_ms, rest, end_requested"

/* Segments of group ?2, column ?3 that revision ?1 shares by its part of that column (-1: of all columns). */
#define SHARED(what, column)                                                                                \
	"SELECT " what " FROM part p CROSS JOIN segment s ON s.revision = p.source"                         \
	" AND s.row_group = p.source_first + ?2 - p.first_group AND s.column_index = ?3"                    \
	" WHERE p.revision = ?1 AND p.column_index = " column " AND p.last_group >= ?2 AND p.first_group =" \
	" (SELECT max(first_group) FROM part WHERE revision = ?1 AND column_index = " column                \
	" AND first_group <= ?2)"
#define SHARED_DATA "s.data, s.crc, p.source, p.source_first + ?2 - p.first_group"
/* Row groups that revision `of` shares: they are its first ones. */
#define SHARED_GROUPS(of) \
	"(SELECT coalesce(max(last_group) + 1, 0) FROM part WHERE revision = " of " AND column_index = -1)"

/* clang-format off */
const char *const sql_texts[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_BEGIN_READ] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVEPOINT] = "SAVEPOINT one",
	[SQL_SAVEPOINT_UNDO] = "ROLLBACK TO one",
	[SQL_SAVEPOINT_RELEASE] = "RELEASE one",
	[SQL_SERIES_NEXT] =
		"INSERT INTO series (name, next) VALUES (?1, 2)"
		" ON CONFLICT (name) DO UPDATE SET next = next + 1 RETURNING next - 1",
	[SQL_SERIES_TAKE] =
		"INSERT INTO series (name, next) VALUES (?1, 1 + ?2)"
		" ON CONFLICT (name) DO UPDATE SET next = next + ?2 RETURNING next - ?2",
	[SQL_SERIES_LAST] = "SELECT next - 1 FROM series WHERE name = ?1",
	[SQL_COUNT_DATASETS] = "SELECT count(*) FROM dataset",
	[SQL_COUNT_MODELS] = "SELECT count(*) FROM model",
	[SQL_COUNT_VERSIONS] = "SELECT count(*) FROM version",
	[SQL_COUNT_JOBS] = "SELECT count(*) FROM job",
	[SQL_COUNT_JOBS_IN] = "SELECT count(*) FROM job WHERE state = ?1",
	[SQL_BYTES_DATASETS] = "SELECT coalesce(sum(size_bytes), 0) FROM revision JOIN dataset ON revision.id = dataset.revision",
	[SQL_BYTES_BLOBS] = "SELECT coalesce(sum(size_bytes), 0) FROM blob WHERE state > 0",
	[SQL_BYTES_CHECKPOINTS] = "SELECT coalesce(sum(size_bytes), 0) FROM checkpoint",

	/* garbage */
	[SQL_GARBAGE_ADD] = "INSERT OR IGNORE INTO garbage (kind, owner) VALUES (?1, ?2)",
	/* Owners of cells that only revision ?1 still shares. */
	[SQL_GARBAGE_ADD_SOURCES] =
		"INSERT OR IGNORE INTO garbage (kind, owner) SELECT DISTINCT ?2, p.source FROM part p"
		" WHERE p.revision = ?1 AND NOT EXISTS (SELECT 1 FROM revision WHERE id = p.source)"
		" AND NOT EXISTS (SELECT 1 FROM part q WHERE q.source = p.source AND q.revision <> ?1)",
	/* The cells of revision ?1, unless they are shared. */
	[SQL_GARBAGE_ADD_CELLS] =
		"INSERT OR IGNORE INTO garbage (kind, owner) SELECT ?2, ?1"
		" WHERE NOT EXISTS (SELECT 1 FROM part WHERE source = ?1)",
	[SQL_GARBAGE_NEXT] = "SELECT kind, owner FROM garbage LIMIT 1",
	[SQL_GARBAGE_DONE] = "DELETE FROM garbage WHERE kind = ?1 AND owner = ?2",
	[SQL_SEGMENT_PIECE] = "SELECT id, length(data) FROM segment WHERE revision = ?1 LIMIT 1",
	[SQL_SEGMENT_SWEEP] = "DELETE FROM segment WHERE id = ?1",
	[SQL_DICTIONARY_PIECE] = "SELECT id, length(data) FROM dictionary WHERE revision = ?1 LIMIT 1",
	[SQL_DICTIONARY_SWEEP] = "DELETE FROM dictionary WHERE id = ?1",
	[SQL_BLOB_PIECE] = "SELECT id, length(data) FROM blob_chunk WHERE blob = ?1 LIMIT 1",
	[SQL_BLOB_SWEEP] = "DELETE FROM blob_chunk WHERE id = ?1",
	[SQL_CURVE_PIECE] = "SELECT id, length(data) FROM curve_block WHERE curve = ?1 LIMIT 1",
	[SQL_CURVE_SWEEP] = "DELETE FROM curve_block WHERE id = ?1",
	[SQL_LEVEL_PIECE] = "SELECT id, length(data) FROM curve_level WHERE curve = ?1 LIMIT 1",
	[SQL_LEVEL_SWEEP] = "DELETE FROM curve_level WHERE id = ?1",
	[SQL_REVISION_LOOSE] = "SELECT id FROM revision WHERE state < 2 LIMIT 1",
	[SQL_BLOB_LOOSE] = "SELECT id FROM blob WHERE state = 0 LIMIT 1",

	/* revisions and data sets */
	[SQL_REVISION_NEW] = "INSERT INTO revision (state) VALUES (0)",
	[SQL_REVISION_FILL] =
		"UPDATE revision SET state = CASE WHEN ?2 IS NULL THEN 1 ELSE 2 END, dataset = ?2, number = ?3,"
		" row_count = ?4, column_count = ?5, group_count = ?6, size_bytes = ?7, sha256 = ?8, columns = ?9,"
		" created_ms = ?10 WHERE id = ?1 AND state = 0",
	[SQL_REVISION_INLINE_TAKEN] = "UPDATE revision SET state = 3 WHERE id = ?1 AND state = 1",
	[SQL_REVISION_RETIRE] = "UPDATE revision SET state = 3 WHERE id = ?1",
	[SQL_REVISION_RELEASE] =
		"DELETE FROM revision WHERE id = ?1 AND state = 3"
		" AND NOT EXISTS (SELECT 1 FROM job WHERE job.revision = ?1 AND job.state < 3)"
		" AND NOT EXISTS (SELECT 1 FROM job WHERE job.validation_revision = ?1 AND job.validation_revision > 0 AND job.state < 3)",
	[SQL_REVISION_DROP] = "DELETE FROM revision WHERE id = ?1",
	[SQL_REVISION_DROP_LOOSE] = "DELETE FROM revision WHERE id = ?1 AND state < 2",
	[SQL_REVISION_GET] = "SELECT " REVISION_COLUMNS " FROM revision r WHERE r.id = ?1 AND r.state > 0",
	[SQL_REVISION_OF_DATASET] = "SELECT id FROM revision WHERE dataset = ?1 LIMIT 1",
	/* What it is called in a sentence. */
	[SQL_REVISION_SAYS] =
		"SELECT CASE WHEN dataset IS NULL THEN 'data that came with a job'"
		" ELSE 'data set ' || dataset || ', revision ' || number || ',' END FROM revision WHERE id = ?1",
	[SQL_SEGMENT_PUT] =
		"INSERT INTO segment (revision, row_group, column_index, data, crc) VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_SEGMENT_CHANGE] =
		"UPDATE segment SET data = ?4, crc = ?5 WHERE revision = ?1 AND row_group = ?2 AND column_index = ?3",
	/* With the revision and the group that it was put for. */
	[SQL_SEGMENT_GET] =
		"SELECT data, crc, ?1, ?2 FROM segment WHERE revision = ?1 AND row_group = ?2 AND column_index = ?3"
		" AND EXISTS (SELECT 1 FROM revision WHERE id = ?1)"
		" UNION ALL " SHARED(SHARED_DATA, "?3") " UNION ALL " SHARED(SHARED_DATA, "-1") " LIMIT 1",
	[SQL_SEGMENT_FIND] =
		"SELECT id FROM segment WHERE revision = ?1 AND row_group = ?2 AND column_index = ?3"
		" AND EXISTS (SELECT 1 FROM revision WHERE id = ?1)"
		" UNION ALL " SHARED("s.id", "?3") " UNION ALL " SHARED("s.id", "-1") " LIMIT 1",
	[SQL_SEGMENT_SHARED] = SHARED("1", "?3") " UNION ALL " SHARED("1", "-1") " LIMIT 1",
	[SQL_PART_GROUPS] = "SELECT " SHARED_GROUPS("?1"),
	/* The first groups of ?2, to ?3, become shared by ?1: what ?2 shares itself, ... */
	[SQL_PART_COPY] =
		"INSERT INTO part (revision, column_index, first_group, last_group, source, source_first)"
		" SELECT ?1, column_index, first_group, min(last_group, ?3), source, source_first FROM part"
		" WHERE revision = ?2 AND first_group <= ?3",
	/* ... the groups it has of its own, ... */
	[SQL_PART_OWN_GROUPS] =
		"INSERT INTO part (revision, column_index, first_group, last_group, source, source_first)"
		" SELECT ?1, -1, own, ?3, ?2, own FROM (SELECT " SHARED_GROUPS("?2") " AS own) WHERE own <= ?3",
	/* ... and the columns it has in place of shared ones. */
	[SQL_PART_OWN_COLUMNS] =
		"INSERT INTO part (revision, column_index, first_group, last_group, source, source_first)"
		" SELECT ?1, column_index, 0, min(shared - 1, ?3), ?2, 0 FROM segment,"
		" (SELECT " SHARED_GROUPS("?2") " AS shared) WHERE revision = ?2 AND row_group = 0 AND shared > 0",
	/* Is a column changed in some shared groups, but not in all? */
	[SQL_PART_CHANGED] =
		"SELECT 1 FROM segment, (SELECT " SHARED_GROUPS("?1") " AS shared)"
		" WHERE revision = ?1 AND row_group < shared GROUP BY column_index HAVING count(*) < shared LIMIT 1",
	[SQL_PART_HIDE] =
		"DELETE FROM part WHERE revision = ?1 AND column_index IN"
		" (SELECT column_index FROM segment WHERE revision = ?1 AND row_group = 0)",
	[SQL_PART_DROP] = "DELETE FROM part WHERE revision = ?1",
	[SQL_DICTIONARY_PUT] =
		"INSERT INTO dictionary (revision, column_index, chunk, data, crc) VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_DICTIONARY_GET] =
		"SELECT data, crc, ?1, ?2 FROM dictionary WHERE revision = ?1 AND column_index = ?2 AND chunk = ?3"
		" AND EXISTS (SELECT 1 FROM revision WHERE id = ?1)",
	[SQL_DATASET_GET] =
		"SELECT " REVISION_COLUMNS " FROM dataset d JOIN revision r ON r.id = d.revision WHERE d.name = ?1",
	[SQL_DATASET_LIST] =
		"SELECT " REVISION_COLUMNS " FROM dataset d JOIN revision r ON r.id = d.revision"
		" WHERE d.name > ?1 ORDER BY d.name LIMIT ?2",
	[SQL_DATASET_SET] =
		"INSERT INTO dataset (name, revision, token) VALUES (?1, ?2, ?3)"
		" ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, token = excluded.token",
	[SQL_DATASET_DELETE] = "DELETE FROM dataset WHERE name = ?1",
	[SQL_DATASET_JOB] =
		"SELECT job.id FROM revision JOIN job ON job.revision = revision.id"
		" WHERE revision.dataset = ?1 AND job.state < 3"
		" UNION ALL SELECT job.id FROM revision JOIN job ON job.validation_revision = revision.id AND job.validation_revision > 0"
		" WHERE revision.dataset = ?1 AND job.state < 3 LIMIT 1",

	/* blobs */
	[SQL_BLOB_NEW] = "INSERT INTO blob (state, size_bytes) VALUES (0, ?1)",
	[SQL_BLOB_PUT] = "INSERT INTO blob_chunk (blob, chunk, data, crc) VALUES (?1, ?2, ?3, ?4)",
	[SQL_BLOB_GET] =
		"SELECT size_bytes, data, crc FROM blob b LEFT JOIN blob_chunk c ON c.blob = b.id AND c.chunk = ?2 WHERE b.id = ?1",
	[SQL_BLOB_SAYS] =
		"SELECT 'version ' || number || ' of model ' || model FROM version WHERE blob = ?1"
		" UNION ALL SELECT 'a checkpoint of job ' || job FROM checkpoint WHERE blob = ?1"
		" UNION ALL SELECT 'what job ' || id || ' predicted' FROM job WHERE output = ?1 LIMIT 1",
	[SQL_BLOB_KEEP] = "UPDATE blob SET state = 1 WHERE id = ?1 AND state = 0",
	[SQL_BLOB_DROP] = "DELETE FROM blob WHERE id = ?1",
	[SQL_BLOB_DROP_LOOSE] = "DELETE FROM blob WHERE id = ?1 AND state = 0",

	/* models, labels, versions */
	[SQL_MODEL_NEW] =
		"INSERT INTO model (name, sent, definition, description, metadata, created_ms, token)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_MODEL_SENT] = "SELECT sent = ?2 FROM model WHERE name = ?1",
	[SQL_MODEL_EXISTS] = "SELECT 1 FROM model WHERE name = ?1",
	[SQL_MODEL_GET] = "SELECT " MODEL_COLUMNS " FROM model WHERE name = ?1",
	[SQL_MODEL_LIST] = "SELECT " MODEL_COLUMNS " FROM model WHERE name > ?1 ORDER BY name LIMIT ?2",
	[SQL_MODEL_UPDATE] =
		"UPDATE model SET description = coalesce(?2, description), metadata = coalesce(?3, metadata)"
		" WHERE name = ?1",
	[SQL_MODEL_DELETE] = "DELETE FROM model WHERE name = ?1",
	[SQL_MODEL_JOB] =
		"SELECT id FROM job WHERE model = ?1 AND id IN (SELECT id FROM job WHERE state < 3) LIMIT 1",
	[SQL_MODEL_BLOB] = "SELECT number, blob FROM version WHERE model = ?1 LIMIT 1",
	[SQL_LABEL_LIST] = "SELECT label, version FROM label WHERE model = ?1 ORDER BY label",
	[SQL_LABEL_SET] =
		"INSERT INTO label (model, label, version) VALUES (?1, ?2, ?3)"
		" ON CONFLICT (model, label) DO UPDATE SET version = excluded.version",
	[SQL_LABEL_DELETE] = "DELETE FROM label WHERE model = ?1 AND label = ?2",
	[SQL_LABEL_DELETE_ALL] = "DELETE FROM label WHERE model = ?1",
	[SQL_LABEL_OF_VERSION] = "SELECT label, version FROM label WHERE model = ?1 AND version = ?2 LIMIT 1",
	[SQL_SHARE_LIST] = "SELECT version, weight, shadow FROM traffic WHERE model = ?1 ORDER BY version",
	[SQL_SHARE_ADD] = "INSERT INTO traffic (model, version, weight, shadow) VALUES (?1, ?2, ?3, ?4)",
	[SQL_SHARE_DELETE_ALL] = "DELETE FROM traffic WHERE model = ?1",
	[SQL_SHARE_OF_VERSION] = "SELECT 1 FROM traffic WHERE model = ?1 AND version = ?2",
	[SQL_VERSION_NEW] =
		"INSERT INTO version (" VERSION_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[SQL_VERSION_GET] = "SELECT " VERSION_COLUMNS " FROM version WHERE model = ?1 AND number = ?2",
	[SQL_VERSION_LIST] =
		"SELECT " VERSION_COLUMNS " FROM version WHERE model = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
	[SQL_VERSION_BLOB] = "SELECT blob FROM version WHERE model = ?1 AND number = ?2",
	[SQL_VERSION_DELETE] = "DELETE FROM version WHERE model = ?1 AND number = ?2",
	[SQL_DRIFT_PUT] =
		"INSERT INTO drift (model, version, data, crc) VALUES (?1, ?2, ?3, ?4)"
		" ON CONFLICT (model, version) DO UPDATE SET data = excluded.data, crc = excluded.crc",
	[SQL_DRIFT_GET] = "SELECT data, crc FROM drift WHERE model = ?1 AND version = ?2",

	/* jobs and their curves */
	[SQL_JOB_NEW] =
		"INSERT INTO job (model, kind, dataset, config, note, priority, revision, validation_revision,"
		" epochs, created_ms, parent, state, rest, token, started_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
		" ?12, ?13, ?14, CASE ?12 WHEN 0 THEN 0 ELSE ?10 END)",
	[SQL_JOB_GET] = "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1",
	[SQL_JOB_LIST] = "SELECT " JOB_COLUMNS " FROM job WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
	[SQL_JOB_LIST_OF_STATE] =
		"SELECT " JOB_COLUMNS " FROM job WHERE id < ?1 AND state = ?3 ORDER BY id DESC LIMIT ?2",
	[SQL_JOB_LIST_OF_MODEL] =
		"SELECT " JOB_COLUMNS " FROM job WHERE id < ?1 AND model = ?3 ORDER BY id DESC LIMIT ?2",
	[SQL_JOB_LIST_OF_BOTH] =
		"SELECT " JOB_COLUMNS " FROM job WHERE id < ?1 AND model = ?3 AND state = ?4 ORDER BY id DESC LIMIT ?2",
	[SQL_JOB_CHILDREN] =
		"SELECT " JOB_COLUMNS " FROM job WHERE parent > 0 AND parent = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
	[SQL_JOB_CHILD_OUTPUT] =
		"SELECT id FROM job WHERE parent > 0 AND parent = ?1 AND output > 0 LIMIT 1",
	[SQL_JOB_OUTPUT] = "UPDATE job SET output = ?2 WHERE id = ?1",
	[SQL_JOB_CHILD] = "SELECT id FROM job WHERE parent > 0 AND parent = ?1 AND id > ?2 ORDER BY id LIMIT 1",
	[SQL_JOB_TOP] = "SELECT priority FROM job WHERE state = 0 ORDER BY priority DESC LIMIT 1",
	/* Of priority ?1: the models that wait, each by one step in the index, and of each its oldest job. */
	[SQL_JOB_NEXT] =
		"WITH RECURSIVE waiting (model) AS ("
		"SELECT min(model) FROM job WHERE state = 0 AND priority = ?1"
		" UNION ALL SELECT (SELECT min(j.model) FROM job j WHERE j.state = 0 AND j.priority = ?1"
		" AND j.model > waiting.model) FROM waiting WHERE waiting.model IS NOT NULL)"
		" SELECT (SELECT min(j.id) FROM job j WHERE j.state = 0 AND j.priority = ?1 AND j.model = w.model) AS oldest"
		" FROM waiting w LEFT JOIN served s ON s.model = w.model WHERE w.model IS NOT NULL"
		" ORDER BY (SELECT count(*) FROM job r WHERE r.state = 1 AND r.attempt > 0 AND +r.model = w.model), s.turn, oldest LIMIT 1",
	[SQL_JOB_CLAIM] =
		"UPDATE job SET state = 1, attempt = attempt + 1, cancel_requested = 0, pause_requested = 0, owner = ?4,"
		" lease_ms = ?5, started_ms = CASE started_ms WHEN 0 THEN ?2 ELSE started_ms END, curve = ?3 WHERE id = ?1",
	[SQL_JOB_SERVED] =
		"INSERT INTO served (model, turn) VALUES (?1, ?2) ON CONFLICT (model) DO UPDATE SET turn = excluded.turn",
	[SQL_JOB_UNSERVED] = "DELETE FROM served WHERE model = ?1",
	[SQL_JOB_RENEW] = "UPDATE job SET lease_ms = ?2 WHERE id = ?1",
	[SQL_JOB_PUT_BACK] =
		"UPDATE job SET state = ?2, resumed = resumed + ?3, crashes = crashes + ?4, pause_requested = 0,"
		" owner = NULL, lease_ms = 0 WHERE id = ?1",
	[SQL_JOB_CRASHED] =
		"UPDATE job SET state = ?2, stop_reason = 'crashed', crashes = crashes + 1, error = ?3, finished_ms = ?4,"
		" owner = NULL WHERE id = ?1",
	[SQL_JOB_STATE] = "UPDATE job SET state = ?2 WHERE id = ?1",
	[SQL_JOB_END] =
		"UPDATE job SET state = ?2, stop_reason = ?3, metrics = coalesce(?4, metrics), best = coalesce(?5, best),"
		" error = ?6, epoch = ?7, step = ?8, samples_per_second = ?9, version = ?10, finished_ms = ?11,"
		" results = ?12, output = ?13, owner = NULL WHERE id = ?1",
	[SQL_JOB_CANCEL] =
		"UPDATE job SET state = ?2, stop_reason = ?4, finished_ms = ?3, owner = NULL WHERE id = ?1",
	[SQL_JOB_CANCEL_REQUEST] = "UPDATE job SET cancel_requested = 1 WHERE id = ?1",
	[SQL_JOB_END_REQUEST] = "UPDATE job SET end_requested = 1 WHERE id = ?1",
	[SQL_JOB_REST] = "UPDATE job SET rest = ?2 WHERE id = ?1",
	[SQL_JOB_SPEND] = "UPDATE job SET seconds = seconds + ?2 WHERE id = ?1",
	[SQL_JOB_PAUSE_REQUEST] = "UPDATE job SET pause_requested = ?2 WHERE id = ?1",
	[SQL_JOB_UPDATE] =
		"UPDATE job SET note = coalesce(?2, note), priority = coalesce(?3, priority) WHERE id = ?1",
	[SQL_JOB_ENDED] = "UPDATE job SET ended = ?2 WHERE id = ?1",
	[SQL_JOB_PRIORITY_OF_CHILDREN] =
		"UPDATE job SET priority = ?2 WHERE parent > 0 AND parent = ?1 AND state < 3 AND ?2 IS NOT NULL",
	[SQL_JOB_DELETE] = "DELETE FROM job WHERE id = ?1",
	[SQL_JOB_RUNNING] = "SELECT id FROM job WHERE state = 1 AND attempt > 0 LIMIT 1",
	[SQL_JOB_EXPIRED] = "SELECT id FROM job WHERE state = 1 AND attempt > 0 AND lease_ms <= ?1 LIMIT 1",
	[SQL_JOB_PRUNE] =
		"SELECT id FROM job WHERE state >= 3 AND parent = 0 AND NOT EXISTS (SELECT 1 FROM notify WHERE notify.job = job.id)"
		" AND NOT EXISTS (SELECT 1 FROM job c WHERE c.parent > 0 AND c.parent = job.id AND c.state < 3)"
		" AND ended <= (SELECT ended FROM job WHERE state >= 3 AND parent = 0 ORDER BY ended DESC LIMIT 1 OFFSET ?1)"
		" ORDER BY ended LIMIT 1",
	[SQL_JOB_CURVE] = "SELECT curve FROM job WHERE id = ?1",
	[SQL_JOB_CURVE_SET] = "UPDATE job SET curve = ?2 WHERE id = ?1",
	[SQL_JOB_CHECKPOINT] =
		"UPDATE job SET checkpoints = checkpoints + 1, crashes = 0, epoch = ?2, step = ?3,"
		" metrics = coalesce(?4, metrics), best = coalesce(?5, best) WHERE id = ?1 RETURNING checkpoints",
	[SQL_CHECKPOINT_ADD] =
		"INSERT INTO checkpoint (" CHECKPOINT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_CHECKPOINT_LIST] =
		"SELECT " CHECKPOINT_COLUMNS " FROM checkpoint WHERE job = ?1 ORDER BY sequence DESC LIMIT ?2",
	/* One beyond the newest ?2. */
	[SQL_CHECKPOINT_OLD] =
		"SELECT sequence, blob FROM checkpoint WHERE job = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ?2",
	[SQL_CHECKPOINT_DROP] = "DELETE FROM checkpoint WHERE job = ?1 AND sequence = ?2 RETURNING blob",
	[SQL_CURVE_LAST] = "SELECT last_epoch FROM curve_block WHERE curve = ?1 ORDER BY first_epoch DESC LIMIT 1",
	[SQL_CURVE_ADD] =
		"INSERT INTO curve_block (curve, first_epoch, last_epoch, points, first_event, data, crc)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	/* The first block that may overlap is the last one that starts at or before ?2. */
	[SQL_CURVE_GET] =
		"SELECT first_epoch, last_epoch, points, first_event, data, crc FROM curve_block WHERE curve = ?1 AND first_epoch >="
		" coalesce((SELECT max(first_epoch) FROM curve_block WHERE curve = ?1 AND first_epoch <= ?2), 0)"
		" AND first_epoch <= ?3 AND last_epoch >= ?2 ORDER BY first_epoch LIMIT ?4",
	/* Likewise by events: those above ?2. */
	[SQL_CURVE_GET_AFTER] =
		"SELECT first_epoch, last_epoch, points, first_event, data, crc FROM curve_block WHERE curve = ?1 AND first_event >="
		" coalesce((SELECT max(first_event) FROM curve_block WHERE curve = ?1 AND first_event <= ?2), 0)"
		" AND first_event + points > ?2 + 1 ORDER BY first_event LIMIT ?3",
	[SQL_CURVE_REWIND] = "DELETE FROM curve_block WHERE curve = ?1 AND last_epoch > ?2",
	[SQL_LEVEL_ADD] =
		"INSERT INTO curve_level (curve, level, first_key, last_key, spans, data, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_LEVEL_GET] =
		"SELECT first_key, last_key, spans, 0, data, crc FROM curve_level WHERE curve = ?1 AND level = ?2 AND first_key >="
		" coalesce((SELECT max(first_key) FROM curve_level WHERE curve = ?1 AND level = ?2 AND first_key <= ?3), 0)"
		" AND first_key <= ?4 AND last_key >= ?3 ORDER BY first_key LIMIT ?5",
	[SQL_LEVEL_REWIND] = "DELETE FROM curve_level WHERE curve = ?1 AND last_key > ?2 AND level BETWEEN ?3 AND ?4",

	/* the log */
	[SQL_EVENT_ADD_MODEL] =
		"INSERT INTO event (" EVENT_COLUMNS ") VALUES (?1, 0, 'models', ?2, ?3, json_object('model', ?3,"
		" 'version', CASE WHEN ?4 > 0 THEN CAST(?4 AS TEXT) END, 'label', ?5), ?6)",
	[SQL_EVENT_ADD_DATASET] =
		"INSERT INTO event (" EVENT_COLUMNS ") VALUES (?1, 0, 'datasets', ?2, ?3, json_object('dataset', ?3,"
		" 'revision', CASE WHEN ?4 > 0 THEN CAST(?4 AS TEXT) END), ?5)",
	[SQL_EVENT_ADD_STATE] =
		"INSERT INTO event (" EVENT_COLUMNS ") SELECT ?1, id, 'jobs', ?3, model, json_object('job',"
		" CAST(id AS TEXT), 'model', model, 'kind', kind, 'state', ?4, 'attempt', attempt, 'resumed', resumed,"
		" 'epoch', epoch, 'stop_reason', stop_reason, 'version', CASE WHEN version > 0 THEN CAST(version AS TEXT) END,"
		" 'parent', CASE WHEN parent > 0 THEN CAST(parent AS TEXT) END), ?5 FROM job WHERE id = ?2",
	[SQL_EVENT_ADD_REWIND] =
		"INSERT INTO event (" EVENT_COLUMNS ") SELECT ?1, id, 'jobs', 'rewind', model, json_object('job',"
		" CAST(id AS TEXT), 'epoch', ?3, 'attempt', attempt), ?4 FROM job WHERE id = ?2",
	/* A deleted job's own events are gone: this one is of no job. */
	[SQL_EVENT_ADD_JOB] =
		"INSERT INTO event (" EVENT_COLUMNS ") VALUES (?1, 0, 'jobs', 'deleted', ?3, json_object('job',"
		" CAST(?2 AS TEXT), 'model', ?3), ?4)",
	[SQL_EVENT_LIST] = "SELECT " EVENT_COLUMNS " FROM event WHERE id > ?1 ORDER BY id LIMIT ?2",
	[SQL_EVENT_LIST_OF_JOB] =
		"SELECT " EVENT_COLUMNS " FROM event WHERE id > ?1 AND job > 0 AND job = ?3 ORDER BY id LIMIT ?2",
	[SQL_EVENT_FORGET] = "DELETE FROM event WHERE job > 0 AND job = ?1",

	/* what serves requests: pruning, answers, hooks */
	[SQL_VERSION_PRUNE] =
		"SELECT v.number, v.blob, m.name FROM model m JOIN version v ON v.model = m.name AND v.number <"
		" (SELECT w.number FROM version w WHERE w.model = m.name ORDER BY w.number DESC LIMIT 1 OFFSET ?1 - 1)"
		" WHERE NOT EXISTS (SELECT 1 FROM label l WHERE l.model = v.model AND l.version = v.number)"
		" AND NOT EXISTS (SELECT 1 FROM traffic t WHERE t.model = v.model AND t.version = v.number) LIMIT 1",
	[SQL_ANSWER_GET] = "SELECT request, status, job, location, body, created_ms FROM answer WHERE key = ?1",
	[SQL_ANSWER_PUT] =
		"INSERT OR REPLACE INTO answer (key, request, status, job, location, body, created_ms)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_ANSWER_NEW] =
		"INSERT INTO answer (key, request, status, job, location, body, created_ms)"
		" VALUES (?1, ?2, 0, ?3, ?4, '', ?5) ON CONFLICT (key) DO NOTHING",
	[SQL_ANSWER_PRUNE] = "DELETE FROM answer WHERE created_ms < ?1",
	[SQL_NOTIFY_ADD] = "INSERT INTO notify (job, url) VALUES (?1, ?2)",
	[SQL_NOTIFY_READY] = "UPDATE notify SET next_ms = 0 WHERE job = ?1",
	[SQL_NOTIFY_ALL_DUE] = "UPDATE notify SET next_ms = 0 WHERE next_ms > 0",
	[SQL_NOTIFY_DUE] =
		"SELECT job, url, tries FROM notify WHERE next_ms >= 0 AND next_ms <= ?1 ORDER BY next_ms, job LIMIT ?2",
	[SQL_NOTIFY_DONE] = "DELETE FROM notify WHERE job = ?1",
	[SQL_NOTIFY_LATER] = "UPDATE notify SET tries = tries + 1, next_ms = ?2 WHERE job = ?1",

	/* tokens; a quota is over while a row comes */
	[SQL_TOKEN_NEW] =
		"INSERT INTO token (name, digest, roles, models, rate, max_models, max_datasets, max_bytes, max_jobs,"
		" created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (name) DO NOTHING",
	[SQL_TOKEN_LIST] =
		"SELECT id, name, digest, roles, models, rate, max_models, max_datasets, max_bytes, max_jobs, created_ms,"
		" expires_ms FROM token ORDER BY id",
	[SQL_TOKEN_DELETE] = "DELETE FROM token WHERE id = ?1",
	[SQL_TOKEN_LAST] = "SELECT seq FROM sqlite_sequence WHERE name = 'token'",
	[SQL_TOKEN_OVER_MODELS] =
		"SELECT max_models FROM token WHERE id = ?1 AND max_models <"
		" (SELECT count(*) FROM model WHERE token > 0 AND token = ?1)",
	[SQL_TOKEN_OVER_DATASETS] =
		"SELECT max_datasets FROM token WHERE id = ?1 AND max_datasets <"
		" (SELECT count(*) FROM dataset WHERE token > 0 AND token = ?1)",
	[SQL_TOKEN_OVER_BYTES] =
		"SELECT max_bytes FROM token WHERE id = ?1 AND max_bytes <"
		" (SELECT sum(r.size_bytes) FROM dataset d JOIN revision r ON r.id = d.revision WHERE d.token > 0 AND d.token = ?1)",
	[SQL_TOKEN_OVER_JOBS] =
		"SELECT max_jobs FROM token WHERE id = ?1 AND max_jobs <"
		" (SELECT count(*) FROM job WHERE token > 0 AND token = ?1 AND state < 3)",
	/* would be over with a data set of that name, of ?3 bytes */
	[SQL_TOKEN_FULL_DATASETS] =
		"SELECT max_datasets FROM token WHERE id = ?1 AND max_datasets <="
		" (SELECT count(*) FROM dataset WHERE token > 0 AND token = ?1 AND name <> ?2)",
	[SQL_TOKEN_FULL_BYTES] =
		"SELECT max_bytes FROM token WHERE id = ?1 AND max_bytes - ?3 <"
		" (SELECT coalesce(sum(r.size_bytes), 0) FROM dataset d JOIN revision r ON r.id = d.revision"
		" WHERE d.token > 0 AND d.token = ?1 AND d.name <> ?2)",
	[SQL_TOKEN_BYTES] = "SELECT max_bytes FROM token WHERE id = ?1",
};
