"""Ends and starts: kill -9 and SIGTERM in mid-job, what is kept, and databases that must not be opened."""
import os
import shutil
import signal
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest

from data import ENDLESS, by_hand, example, iris_model
from harness import BINARY, PATIENCE, Client, Daemon, scaled

LONG = {"dataset": "iris", "epochs": scaled(60_000), "batch_size": 8, "seed": 3, "validation": {"split": 0.2},
        "early_stopping": None}


@pytest.fixture
def busy(start):
    """A daemon with a job under way that ends by itself after a while."""
    daemon = start("--workers", 1)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    job = c.start("m", LONG)["id"]
    c.running(job)
    return daemon, job


def test_kill_in_mid_job(busy):
    """The job is found again, runs from its start and ends once; its version is what it would have been."""
    daemon, job = busy
    daemon.kill()
    c = daemon.run().client()
    end = c.ended(job)
    assert end["resumed"] == 1 and end["version"] == "1" and end["stop_reason"] == "epochs"
    curve = c.get(f"/v1/jobs/{job}/curve?to=100").json
    assert curve["epoch"] == list(range(1, 101)), "no epoch twice"
    again = c.train("m", LONG)
    assert c.layers("m", again["version"]) == c.layers("m", "1")
    assert len(c.get("/v1/models/m/versions")["versions"]) == 2
    daemon.stop()


def test_kill_twice_in_mid_job(busy):
    daemon, job = busy
    for _ in range(2):
        daemon.kill()
        daemon.run().client().running(job)
    c = daemon.client()
    assert c.job(job)["resumed"] == 2
    c.cancel(job)
    c.ended(job, "cancelled")
    daemon.stop()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_graceful_end_in_mid_job(busy, by):
    """Exit 0 within 10 s (harness.py), and the job goes on at the next start."""
    daemon, job = busy
    daemon.stop(by)
    c = daemon.run().client()
    end = c.ended(job)
    assert end["version"] == "1" and end["resumed"] >= 1
    daemon.stop()


def test_queued_jobs_survive(busy):
    daemon, job = busy
    c = daemon.client()
    queued = [c.start("m", {"dataset": "iris", "epochs": 2, "note": f"n{i}"})["id"] for i in range(3)]
    daemon.kill()
    c = daemon.run().client()
    c.cancel(job)
    for i, other in enumerate(queued):
        end = c.ended(other)
        assert (end["note"], end["resumed"]) == (f"n{i}", 0)
    assert [c.job(j)["version"] for j in queued] == ["1", "2", "3"]
    daemon.stop()


def test_a_cancel_survives(start):
    """What was told to be cancelled does not come back to life."""
    daemon = start("--workers", 1)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model())
    job = c.start("m", ENDLESS)["id"]
    c.running(job)
    c.cancel(job)
    daemon.kill()
    c = daemon.run().client()
    assert c.ended(job, "cancelled", 10)["stop_reason"] == "cancelled"
    daemon.stop()


def test_what_was_acknowledged_is_there(start):
    """Everything that got a 2xx is there after kill -9, to the last change; so is what it answers."""
    daemon = start()
    c = daemon.client()
    for i in range(20):
        c.csv(f"d{i}", f"a\n{i}\n")
        c.put(f"/v1/models/m{i}", {"inputs": 1, "outputs": 1, "layers": []})
        c.post(f"/v1/models/m{i}/versions", by_hand([[[i]]], [[0]]), status=201)
        c.put(f"/v1/models/m{i}/labels/stable", {"version": "1"}, status=(200, 201))
    c.delete("/v1/datasets/d0")
    c.patch("/v1/models/m19", {"description": "the last change"})
    before = [c.get(f"/v1/{what}?limit=1000").json for what in ("datasets", "models")]
    daemon.kill()
    c = daemon.run().client()
    assert [c.get(f"/v1/{what}?limit=1000").json for what in ("datasets", "models")] == before
    assert c.get("/v1/models/m19")["description"] == "the last change"
    for i in range(20):
        assert c.predict(f"m{i}", [[2]])["predictions"] == [[2 * i]]
    daemon.stop()


def test_a_kill_in_mid_upload(start):
    """Nothing of it is visible, and the name is free."""
    daemon = start()
    c = daemon.client()
    started = threading.Event()

    def pieces():
        yield b"a,b\n"
        for i in range(100_000):
            if i == 40_000:
                started.set()
            yield b"1,2\n" * 100

    def upload():
        try:
            daemon.client().request("PUT", "/v1/datasets/half", body=pieces(), headers={"Content-Type": "text/csv"})
        except Exception:  # the daemon dies under it
            pass
    thread = threading.Thread(target=upload, daemon=True)
    thread.start()
    assert started.wait(20 * PATIENCE)
    daemon.kill()
    thread.join(20)
    c = daemon.run().client()
    c.get("/v1/datasets/half", status=404)
    c.csv("half", "a\n1\n", status=201)
    daemon.stop()


def test_the_label_and_version_that_answered_before_answer_after(start):
    daemon = start()
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    c.train("m", {"dataset": "iris", "epochs": 5, "seed": 1})
    rows = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, None]]
    before = c.predict("m", rows).json
    daemon.stop()
    c = daemon.run().client()
    assert c.predict("m", rows).json == before, "to the last bit"
    daemon.stop()


def test_no_new_requests_while_stopping(busy):
    """A graceful end finishes what is at work: an answer that has begun is whole."""
    daemon, _ = busy
    port = daemon.port
    whole = daemon.client().get("/openapi.json").body
    assert len(whole) > 1000
    daemon.stop()
    with pytest.raises(OSError):
        Client(port).get("/livez")


# ---- databases that are not to be opened ----

def refusal(start, database, **more):
    """Starts on that file, which must be refused: one sentence, an exit code, and the file as it was."""
    before = database.read_bytes()
    daemon = start(database=database, run=False, **more)
    code, said = daemon.refused()
    assert code > 0, said
    assert database.read_bytes() == before
    assert not daemon.port_file.exists()
    lines = [line for line in said.splitlines() if line.strip()]
    assert len(lines) <= 2, f"one sentence: {said}"
    assert database.name in said
    return said.lower()


@pytest.fixture
def ours(start, tmp_path):
    """A database that a daemon made and left."""
    daemon = start(database=tmp_path / "ours.db")
    daemon.client().csv("d", "a\n1\n")
    daemon.stop()
    return tmp_path / "ours.db"


def test_a_file_that_is_no_database(start, tmp_path):
    for name, content in (("text.db", b"hello\n" * 1000), ("noise.db", bytes(range(256)) * 64),
                          ("cut.db", b"SQLite format 3\0" + b"\0" * 50)):
        (tmp_path / name).write_bytes(content)
        refusal(start, tmp_path / name)


def test_a_database_of_somebody_else(start, tmp_path):
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE notes (text TEXT)")
        db.execute("INSERT INTO notes VALUES ('mine')")
    db.close()
    refusal(start, foreign)
    marked = tmp_path / "marked.db"
    with sqlite3.connect(marked) as db:
        db.execute("PRAGMA application_id = 1234567")
        db.execute("CREATE TABLE notes (text TEXT)")
    db.close()
    refusal(start, marked)
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".db") == ["foreign.db", "marked.db"]


def test_a_database_of_a_newer_version(start, ours):
    db = sqlite3.connect(ours)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {version + 1}")
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert "newer" in refusal(start, ours)


def test_a_database_that_another_daemon_holds(start, ours):
    first = start(database=ours)
    second = start(database=ours, run=False)
    code, said = second.refused()
    assert code > 0 and ours.name in said
    assert len([line for line in said.splitlines() if line.strip()]) <= 2
    assert first.client().get("/v1/datasets/d")["rows"] == 1
    first.kill()
    third = start(database=ours)
    assert third.client().get("/v1/datasets/d")["rows"] == 1, "a killed daemon holds nothing"
    third.stop()


def test_a_database_that_is_read_only(start, ours):
    """Run as somebody who may only read: root may write everything."""
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        work, kept = folder / "work", folder / "kept"
        work.mkdir()
        work.chmod(0o777)
        kept.mkdir()
        shutil.copy(ours, kept / "ours.db")
        (kept / "ours.db").chmod(0o444)
        kept.chmod(0o555)
        binary = shutil.copy(BINARY, folder / "descentd")
        Path(binary).chmod(0o755)
        before = (kept / "ours.db").read_bytes()
        daemon = Daemon(work, database=kept / "ours.db", binary=binary)
        if os.geteuid() == 0:
            daemon.user = 65534
        code, said = daemon.refused()
        assert code > 0 and str(kept) in said, "says where"
        assert len([line for line in said.splitlines() if line.strip()]) <= 2
        assert (kept / "ours.db").read_bytes() == before
    finally:
        for path in (folder / "kept", folder):
            path.chmod(0o755)
        shutil.rmtree(folder)


def test_a_folder_that_is_not_there(start, tmp_path):
    daemon = start(database=tmp_path / "no" / "where.db", run=False)
    code, said = daemon.refused()
    assert code > 0 and "where.db" in said
    assert not (tmp_path / "no").exists()


def test_an_empty_file_is_a_new_database(start, tmp_path):
    (tmp_path / "new.db").touch()
    daemon = start(database=tmp_path / "new.db")
    daemon.client().csv("d", "a\n1\n", status=201)
    daemon.stop()


def test_the_database_is_one_file_after_a_graceful_end(start, tmp_path):
    """The log of SQLite is written back, so that the file can be copied."""
    daemon = start(database=tmp_path / "one.db")
    daemon.client().csv("d", "a\n1\n")
    daemon.stop()
    shutil.copy(tmp_path / "one.db", tmp_path / "copy.db")
    copy = start(database=tmp_path / "copy.db")
    assert copy.client().get("/v1/datasets/d")["rows"] == 1
    copy.stop()


def test_a_killed_database_is_sound(busy):
    """SQLite's own check finds nothing in what a kill -9 left."""
    daemon, _ = busy
    daemon.kill()
    db = sqlite3.connect(daemon.database)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()
