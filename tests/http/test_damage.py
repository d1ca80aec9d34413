"""Damaged, foreign and newer files: refused with a sentence or answered with what is right, found by `descentd check`, and what is
whole of them brought back by `descentd repair`. tests/damage has the random ones."""
import gzip
import os
import random
import shutil
import sqlite3
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "damage"))
from damage import SHORT, Campaign, Asking, ROW, build, command, end, serve

RANDOM = 40  # damaged files; make damage meets 500
LOGS = 10    # damaged logs
STRIDE = 211 # between bytes that are damaged one after another
EDGE = 100   # of a page: its own header and the first cells

FIXTURES = sorted((Path(__file__).resolve().parents[1] / "fixtures").glob("*.db.gz"))

# Bytes of a SQLite file's header.
HEADER, SCHEMA_FORMAT, USER_VERSION = 100, 47, 63


def contents(folder):
    """What lies in it and since when; the folder's own time shows whether something was there for a moment."""
    return os.stat(folder).st_mtime_ns, {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.iterdir()) if p.is_file()}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A database with something of everything."""
    return build(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder that a killed daemon left, with its log."""
    folder = build(tmp_path_factory.mktemp("killed"), kill=True).parent
    (folder / "x.db-control").unlink(missing_ok=True)  # a socket
    return folder


@pytest.fixture
def file(sound, tmp_path):
    """A copy of it."""
    folder = tmp_path / "copy"
    folder.mkdir()
    return Path(shutil.copy(sound, folder / "x.db"))


def change(file, sql, *values):
    """Behind the back of everybody, with nothing left beside the file."""
    with sqlite3.connect(file) as db:
        assert db.execute(sql, values).rowcount != 0
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def test_random_damage(tmp_path):
    seed = str(time.time_ns())
    tally = Campaign(tmp_path, seed).run(RANDOM, os.cpu_count() or 1)
    assert tally["check clean"] + tally["check faults"] + tally["check cannot"] == RANDOM, (seed, tally)
    assert tally["repaired"] + tally["beyond_repair"] == RANDOM and tally["repaired"] > RANDOM // 2, (seed, tally)


# ---- check ----

def test_a_whole_database_has_no_fault_and_is_not_touched(file):
    before = contents(file.parent)
    code, said = command("check", "--db", file)
    assert code == 0 and said.endswith("no fault\n") and "2 data sets" in said and "2 models (3 versions)" in said
    assert contents(file.parent) == before


def test_a_killed_daemon_s_log_is_read_and_not_touched(killed, tmp_path):
    folder = shutil.copytree(killed, tmp_path / "x")
    assert (folder / "x.db-wal").stat().st_size
    before = contents(folder)
    code, said = command("check", "--db", folder / "x.db")
    assert code == 0 and "2 models (3 versions)" in said
    assert contents(folder) == before


def test_beside_a_daemon(c, daemon, iris):
    """What was committed a moment ago is looked at, and the daemon goes on."""
    c.put("/v1/models/beside", {"dataset": iris, "target": "species"}, status=(200, 201))
    c.train("beside", {"dataset": iris, "epochs": 2})
    code, said = command("check", "--db", daemon.database)
    assert code == 0 and "no fault" in said, said
    code, said = command("repair", daemon.folder / "new.db", "--db", daemon.database)
    assert code == 2 and "stop it" in said and not (daemon.folder / "new.db").exists()
    assert c.get("/v1/models/beside")["latest_version"] == "1"


DAMAGES = [
    ("UPDATE segment SET data = zeroblob(length(data)) WHERE id = (SELECT max(id) FROM segment)", "of data set many, revision 2, is damaged"),
    ("UPDATE dictionary SET data = CAST(data || 'x' AS BLOB) WHERE id = 1", "the list of values of column 5 of data set iris, revision 1, is damaged"),
    ("UPDATE blob_chunk SET data = zeroblob(length(data)) WHERE blob = (SELECT blob FROM version WHERE model = 'flower' AND number = 2)",
     "version 2 of model flower is damaged"),
    ("DELETE FROM blob_chunk WHERE blob = (SELECT max(blob) FROM checkpoint)", "checkpoint"),
    ("UPDATE curve_block SET data = x'00' WHERE curve = 1", "the curve of job 1"),
    ("UPDATE curve_level SET crc = 1", "the curve of job 1"),
    ("UPDATE drift SET data = x'00'", "what was counted of version 1"),
    ("UPDATE blob_chunk SET data = zeroblob(length(data)) WHERE blob = (SELECT output FROM job WHERE id = 4)", "what job 4 predicted"),
    ("UPDATE model SET definition = '{' WHERE name = 'wide'", "model wide: a stored document is damaged"),
    ("UPDATE job SET config = '{' WHERE id = 2", "job 2: a stored document is damaged"),
    ("UPDATE event SET data = 'x' WHERE id = (SELECT max(id) FROM event)", "the log, near event"),
    ("DELETE FROM blob WHERE id = (SELECT blob FROM version WHERE model = 'wide')", "names one of the table blob that is not there"),
    ("UPDATE revision SET row_count = row_count + 1 WHERE dataset = 'iris'", "data set iris, revision 1: it has 150 rows and says 151"),
]


@pytest.mark.parametrize("sql, names", DAMAGES, ids=[names[:24] for _, names in DAMAGES])
def test_every_kind_of_damage_is_named_and_left_out(file, tmp_path, sql, names):
    change(file, sql)
    code, said = command("check", "--db", file)
    assert code == 1 and names in said, said
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 1 and "left out: " in said, said
    assert command("check", "--db", tmp_path / "new.db")[0] == 0


def test_what_is_left_out_is_all_that_is(file, tmp_path):
    """The weights of one version: it goes with its label, its model and all others stay."""
    change(file, "UPDATE blob_chunk SET data = zeroblob(length(data)) WHERE blob = (SELECT blob FROM version WHERE model = 'flower' AND number = 1)")
    assert command("repair", tmp_path / "new.db", "--db", file)[0] == 1
    daemon = serve(tmp_path, tmp_path / "new.db")
    asking = Asking(daemon.port)
    assert asking.ask("GET", "/v1/models/flower/versions/1")[0] == 404
    assert asking.ask("POST", "/v1/models/flower/versions/2:predict", ROW)[0] == 200
    assert b'"labels":{}' in asking.ask("GET", "/v1/models/flower")[1]
    assert asking.train() # numbers go on
    assert asking.ask("GET", "/v1/models/flower/versions/3")[0] == 200
    end(daemon)


def test_damaged_cells_and_weights_are_refused_by_name(file, tmp_path):
    change(file, "UPDATE segment SET data = zeroblob(length(data)) WHERE revision = 1 AND column_index = 2")
    change(file, "UPDATE blob_chunk SET data = zeroblob(length(data)) WHERE blob = (SELECT blob FROM version WHERE model = 'wide')")
    daemon = serve(tmp_path, file)
    asking = Asking(daemon.port)
    status, body = asking.ask("GET", "/v1/datasets/iris/rows")
    assert status == 500 and b"row group 1 of column 3 of data set iris, revision 1, is damaged" in body, body
    status, body = asking.ask("POST", "/v1/models/wide:predict", ROW)
    assert status == 500 and b"version 1 of model wide is damaged" in body, body
    assert asking.train() is None and asking.ask("GET", "/v1/models/flower/versions/3")[0] == 404
    assert b"descentd check" in asking.ask("GET", "/v1/jobs?limit=1")[1]
    end(daemon)


def test_an_older_release_s_pieces_get_their_checksums(file, tmp_path):
    change(file, "UPDATE segment SET crc = NULL")
    code, said = command("check", "--db", file)
    assert code == 0 and "pieces of an older release have no checksum" in said
    assert command("repair", tmp_path / "new.db", "--db", file)[0] == 0
    assert "no checksum" not in command("check", "--db", tmp_path / "new.db")[1]


@pytest.mark.parametrize("table", ["blob_chunk", "curve_block", "segment"])
def test_rows_that_became_zeros_at_the_end_of_a_cut_file(start, file, tmp_path, table):
    """They have no id where ids ascend; what looks for the next one that can be read must come to an end all the same."""
    if table == "curve_block":  # in how many blocks a job wrote its points is a matter of time
        daemon = start(database=file)
        c = daemon.client()
        for job in [c.start("flower", SHORT)["id"] for _ in range(40)]:
            c.ended(job)
        daemon.stop()
    with sqlite3.connect(file) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        leaves = [n for n, in db.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,))]
    db.close()
    assert len(leaves) > 2
    for page in leaves:
        cut = tmp_path / f"{page}.db"
        cut.write_bytes(file.read_bytes()[:(page - 1) * size + 1000])
        code, said = command("repair", tmp_path / f"new{page}.db", "--db", cut)
        assert code == 1 and "cannot be read" in said, (page, said)
        assert command("check", "--db", tmp_path / f"new{page}.db")[0] == 0


# ---- what the file says of its tables ----

def dump(file):
    """All rows of all tables but the log, where repair tells what it did, and the descriptions of the tables."""
    with sqlite3.connect(f"file:{file}?immutable=1", uri=True) as db:
        tables = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") if name not in ("event", "series")]
        found = {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}"))) for name in tables}
        found["descriptions"] = db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    db.close()
    return found


@pytest.fixture(scope="module")
def saved(sound, tmp_path_factory):
    """What repair makes of the whole file."""
    new = tmp_path_factory.mktemp("saved") / "new.db"
    assert command("repair", new, "--db", sound)[0] == 0
    return dump(new)


def schema_pages(file):
    """(the size of a page, where those begin that describe the tables)"""
    with sqlite3.connect(f"file:{file}?immutable=1", uri=True) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        pages = [(n - 1) * size for n, in db.execute("SELECT pageno FROM dbstat WHERE name = 'sqlite_schema' ORDER BY pageno")]
    db.close()
    return size, pages


def flip(file, at, bits=1):
    data = bytearray(file.read_bytes())
    data[at] ^= bits
    file.write_bytes(data)


TEXTS = [("CREATE TABLE job (", 3, "no such table: job"), ("CREATE TABLE job (", 21, "no such column"), ("sha256        TEXT", 0, "no such column"),
         ("STRICT, WITHOUT ROWID", 12, ""), ("CREATE INDEX job_of_state", 3, "is never used")]


@pytest.mark.parametrize("text, at, names", TEXTS)
def test_a_description_that_is_damaged(file, tmp_path, saved, text, at, names):
    """Nothing was given back though all rows were whole, and the advice was to look at the disk."""
    flip(file, file.read_bytes().index(text.encode()) + at)
    before = contents(file.parent)
    code, said = command("check", "--db", file)
    assert code == 1 and names in said and "descentd check" not in said and "permissions" not in said, said
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 0 and said.endswith("nothing was left out\n"), said
    assert dump(tmp_path / "new.db") == saved and contents(file.parent) == before


def test_every_byte_that_describes_tables(file, tmp_path, saved):
    """All of it is known, so none of it is needed."""
    size, pages = schema_pages(file)
    whole = file.read_bytes()
    rng = random.Random(5)
    spots = [at for page in pages for at in range(page or HEADER, page + size, STRIDE) if whole[at] or at % size < EDGE]
    for at in spots:
        file.write_bytes(whole)
        flip(file, at, rng.randrange(1, 256))
        code, said = command("repair", tmp_path / f"{at}.db", "--db", file)
        assert code == 0, (at, said)
        assert dump(tmp_path / f"{at}.db") == saved, at
        (tmp_path / f"{at}.db").unlink()
    assert len(spots) > 50


def wipe_descriptions(file):
    size, pages = schema_pages(file)
    data = bytearray(file.read_bytes())
    for page in pages:
        begin = page or HEADER
        data[begin:page + size] = bytes(page + size - begin)
    file.write_bytes(data)


def test_pages_that_describe_tables_and_are_gone(file, tmp_path, saved):
    wipe_descriptions(file)
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 0 and dump(tmp_path / "new.db") == saved, said
    code, said = command("check", "--db", file)
    assert code == 1 and "descentd check" not in said, said


@pytest.mark.parametrize("fixture", FIXTURES, ids=[fixture.name[:11] for fixture in FIXTURES])
def test_releases_whose_descriptions_are_gone(tmp_path, fixture):
    """Where each of them had its tables is known as well."""
    file = tmp_path / "x.db"
    file.write_bytes(gzip.decompress(fixture.read_bytes()))
    assert command("repair", tmp_path / "whole.db", "--db", file)[0] == 0
    wipe_descriptions(file)
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 0 and dump(tmp_path / "new.db") == dump(tmp_path / "whole.db"), said


def test_a_file_that_somebody_vacuumed(file, tmp_path, saved):
    """Its tables begin elsewhere, and only the file says where."""
    with sqlite3.connect(file) as db:
        db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    flip(file, file.read_bytes().index(b"CREATE TABLE job (") + 3)
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 0 and dump(tmp_path / "new.db") == saved, said
    flip(file, file.read_bytes().index(b"tablejobjob") + 6)
    code, said = command("repair", tmp_path / "other.db", "--db", file)
    assert code == 1 and "left out: the table job cannot be found" in said and "2 data sets, 2 models (3 versions), 0 jobs" in said, said


def test_a_version_that_is_damaged(file, tmp_path):
    """An older release had fewer tables, and its migrations do not fit these."""
    flip(file, USER_VERSION, 8)
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 2 and "says that its schema is 1, and has" in said and not (tmp_path / "new.db").exists(), said


def test_tables_of_somebody_else(file, tmp_path, saved):
    change(file, "CREATE TABLE notes (text TEXT)")
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 1 and "left out: 1 tables and indexes that are not ours" in said and dump(tmp_path / "new.db") == saved, said


def test_a_file_cut_before_its_descriptions(file, tmp_path):
    """What describes the tables is gone; models and jobs lie before it."""
    cut = schema_pages(file)[1][1]
    file.write_bytes(file.read_bytes()[:cut])
    code, said = command("check", "--db", file)
    assert code == 1 and "descentd check" not in said, said
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 1 and "2 models" in said and "8 jobs" in said and "left out: the table segment cannot be read" in said, said
    assert command("check", "--db", tmp_path / "new.db")[0] == 0


@pytest.mark.parametrize("percent", [1, 5, 10, 41, 75, 99])
def test_a_file_cut_anywhere(file, tmp_path, saved, percent):
    """Nothing is left out unsaid; of the last pages, which may be those of an index or free ones, nothing need be missing."""
    data = file.read_bytes()
    file.write_bytes(data[:len(data) * percent // 100])
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    whole = percent == 99 and code == 0 and dump(tmp_path / "new.db") == saved
    assert whole or (code == 1 and "left out: " in said), said
    assert command("check", "--db", tmp_path / "new.db")[0] == 0


def test_a_header_that_says_nothing(file, tmp_path):
    flip(file, SCHEMA_FORMAT)
    before = contents(file.parent)
    code, said = command("check", "--db", file)
    assert code == 2 and "is damaged" in said and "descentd check" not in said, said
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 2 and "restore it from a backup" in said and "descentd repair" not in said, said
    assert contents(file.parent) == before and not (tmp_path / "new.db").exists()


# ---- files that are none of ours ----

def refused_by_all(file, tmp_path, words, serves=False):
    before = file.read_bytes() if file.is_file() else None
    for done in (command("check", "--db", file), command("repair", tmp_path / "new.db", "--db", file)):
        assert done[0] == 2 and words in done[1], done
    assert not (tmp_path / "new.db").exists()
    if not serves:
        assert serve(tmp_path, file) is None
        assert words in (tmp_path / "log").read_text()
    assert file.exists() and (before is None or file.read_bytes() == before)


def test_random_bytes(tmp_path):
    (tmp_path / "x.db").write_bytes(random.Random(1).randbytes(100_000))
    refused_by_all(tmp_path / "x.db", tmp_path, "is not a SQLite database")


def test_an_empty_file_is_a_database_to_be(tmp_path):
    (tmp_path / "x.db").touch()
    refused_by_all(tmp_path / "x.db", tmp_path, "there is nothing in", serves=True)


def test_a_database_of_another_program(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    refused_by_all(tmp_path / "x.db", tmp_path, "of another program")


def test_a_folder_and_a_fifo(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    refused_by_all(tmp_path / "folder", tmp_path, "is not a file")
    refused_by_all(tmp_path / "fifo", tmp_path, "is not a file")


def test_a_newer_release_s(file, tmp_path):
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version = {db.execute('PRAGMA user_version').fetchone()[0] + 1}")
    db.close()
    refused_by_all(file, tmp_path, "was written by a newer descentd")


def test_a_file_that_is_there_is_not_written_over(file, tmp_path):
    (tmp_path / "new.db").write_bytes(b"mine")
    code, said = command("repair", tmp_path / "new.db", "--db", file)
    assert code == 2 and "is there already" in said and (tmp_path / "new.db").read_bytes() == b"mine"


# ---- beside the file ----

@pytest.mark.parametrize("number", range(LOGS))
def test_a_damaged_log(killed, tmp_path, number):
    """What the log has before the damage counts; nobody crashes, and nothing goes."""
    rng = random.Random(number)
    folder = shutil.copytree(killed, tmp_path / "x")
    data = bytearray((folder / "x.db-wal").read_bytes())
    for _ in range(rng.choice((1, 5))):
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    (folder / "x.db-wal").write_bytes(data[:rng.choice((len(data), rng.randrange(len(data))))])
    before = contents(folder)
    command("check", "--db", folder / "x.db")
    assert contents(folder) == before
    daemon = serve(folder, folder / "x.db")
    if daemon:
        for status, body in Asking(daemon.port).everything():
            assert status in (200, 404, 409, 500), body  # 409: a job that the end of the log had ended
        end(daemon)
    assert (folder / "x.db").exists()


def test_a_journal_of_somebody_beside_the_file(file, tmp_path):
    Path(f"{file}-journal").write_bytes(random.Random(2).randbytes(5000))
    daemon = serve(tmp_path, file)
    assert daemon and Asking(daemon.port).ask("POST", "/v1/models/wide:predict", ROW)[0] == 200
    end(daemon)
    assert command("check", "--db", file)[0] == 0
