"""test_migrate.py - databases of every schema that there was, as daemons of their time left them (tests/fixtures, made by make.py
there): everything is there, what was under way goes on, and a kill anywhere on the way up takes nothing.

A new schema needs a new fixture of the one before, and no change here."""
import os
import gzip
import json
import re
import shutil
import sqlite3
import struct
import subprocess

import pytest

from harness import BINARY, REPOSITORY, clean_environment, wait_for

FIXTURES = REPOSITORY / "tests" / "fixtures"
SCHEMAS = sorted(int(path.name[7:11]) for path in FIXTURES.glob("schema_*.db.gz"))
LATEST = max(int(path.name[:4]) for path in (REPOSITORY / "schema" / "sqlite").glob("*.sql"))
PORTABLE = ("--engine", "portable", "--workers", 1)  # as when they were made: the same bits on every machine

# What a later release may say in another way.
FREE = {"etag", "engine", "config", "training", "warnings", "estimate", "eta_seconds", "progress"}


def fixture(schema):
    return json.loads(gzip.decompress((FIXTURES / f"schema_{schema:04}.json.gz").read_bytes()))


def unpack(schema, path):
    path.write_bytes(gzip.decompress((FIXTURES / f"schema_{schema:04}.db.gz").read_bytes()))
    return path


def faults(where, then, now):
    """What was there and is not any more; more may be said than then."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in then.keys() - FREE:
            yield from faults(f"{where} {key}", then[key], now.get(key, "nothing"))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for i, (a, b) in enumerate(zip(then, now)):
            yield from faults(f"{where}[{i}]", a, b)
    elif then != now or isinstance(then, bool) != isinstance(now, bool):
        yield f"{where}: {then!r} was {now!r}"


def bits(answer):
    """An answer to :predict, its numbers as the floats that they are."""
    if isinstance(answer, float):
        return struct.pack("<f", answer)
    if isinstance(answer, dict):
        return {k: bits(v) for k, v in answer.items()}
    return [bits(v) for v in answer] if isinstance(answer, list) else answer


def check(c, made, unfinished=True):
    """All that was there when it was made."""
    for path, then in made["answers"].items():
        found = list(faults(path, then, c.get(path).json))
        assert not found, found[:5]
    for path, body, then in made["predictions"]:
        now = c.post(path, body).json
        assert bits(then) == bits({k: now[k] for k in then}), path
    for job, state in made["unfinished"].items() if unfinished else ():
        if state == "paused":
            assert c.job(job)["state"] == "paused"
            c.request("POST", f"/v1/jobs/{job}:resume", status=200)
        end = c.ended(job)
        assert end["version"] and end["resumed"] == (state == "running"), end


def tables(path):
    """{table or index: its columns}, which is the same for all that were brought up and for a new one."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert db.execute("PRAGMA user_version").fetchone() == (LATEST,)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    found = {}
    for kind, name in db.execute("SELECT type, name FROM sqlite_schema ORDER BY name").fetchall():
        info = "index_xinfo" if kind == "index" else "table_xinfo"
        found[name] = sorted(row[1 if kind == "table" else 0:] for row in db.execute(f"PRAGMA {info}('{name}')"))
    db.close()
    return found


@pytest.fixture(scope="module")
def new_tables(tmp_path_factory):
    from harness import Daemon
    daemon = Daemon(tmp_path_factory.mktemp("new")).run()
    daemon.stop()
    return tables(daemon.database)


def test_there_is_one_of_every_schema():
    assert SCHEMAS and set(SCHEMAS) >= set(range(1, LATEST)), "tests/fixtures/make.py makes what is missing"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_database_of_schema(start, tmp_path, new_tables, schema):
    made = fixture(schema)
    daemon = start(*PORTABLE, database=unpack(schema, tmp_path / "old.db"))
    c = daemon.client()
    check(c, made)
    c.csv("new", "a\n1\n", status=201)
    daemon.stop()
    assert tables(daemon.database) == new_tables
    daemon.run()
    check(daemon.client(), made, unfinished=False)
    daemon.stop()


@pytest.mark.parametrize("schema", SCHEMAS[:1] + SCHEMAS[-1:])
def test_a_backup_of_schema(start, tmp_path, schema):
    """Neither backup nor restore brings it up: the daemon does."""
    old, backup, back = unpack(schema, tmp_path / "old.db"), tmp_path / "backup.db", tmp_path / "back.db"
    for arguments in (["backup", backup, "--db", old], ["restore", backup, "--db", back]):
        subprocess.run([BINARY, *arguments], check=True, timeout=60, env=clean_environment(), stdout=subprocess.DEVNULL)
    with sqlite3.connect(f"file:{back}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema,)
    db.close()
    daemon = start(*PORTABLE, database=back)
    check(daemon.client(), fixture(schema))
    daemon.stop()


@pytest.mark.parametrize("schema", SCHEMAS[-1:])
def test_a_newer_one_is_refused(start, tmp_path, schema):
    old = unpack(schema, tmp_path / "newer.db")
    db = sqlite3.connect(old)
    db.execute(f"PRAGMA user_version = {LATEST + 1}")
    db.close()
    before = old.read_bytes()
    code, said = start(database=old, run=False).refused()
    assert code > 0 and "newer" in said and old.read_bytes() == before


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not here")
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "ftruncate,unlink"])
def test_killed_at_each_step(start, tmp_path, new_tables, call):
    """From schema 1, SIGKILL at the first such call of a start, at the second, … until it starts: the next start ends it.

    Of the writes every third; all with EVERY_KILL=1."""
    made = fixture(1)
    made["answers"] = {k: v for k, v in made["answers"].items() if re.match("/v1/(datasets|models)/[^/]*$", k)}
    kills = 0
    for when in range(1, 400, 3 if call == "pwrite64" and not os.environ.get("EVERY_KILL") else 1):
        folder = tmp_path / str(when)
        folder.mkdir()
        killed = start(*PORTABLE, folder=folder, database=unpack(1, folder / "old.db"), run=False)
        killed.arguments = ["strace", "-D", "-f", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={when}", *killed.arguments]
        killed.launch()
        wait_for("it to end or to listen", lambda: killed.process.poll() is not None or
                 (killed.port_file.exists() and killed.port_file.read_text().endswith("\n")))
        if killed.process.poll() is None:
            killed.kill()
            break
        kills += 1
        daemon = start(*PORTABLE, folder=folder, database=folder / "old.db")
        check(daemon.client(), made, unfinished=False)
        daemon.kill()
        if when % 10 == 0:
            daemon.run()
            daemon.stop()
            assert tables(daemon.database) == new_tables
        shutil.rmtree(folder)
    assert 400 > when and kills > (5 if call == "pwrite64" else 0), kills
