"""Jobs that are killed, stopped, paused and go on: in the same bits as if nothing had happened, and ended once."""
import random
import resource
import signal
import sqlite3
import time

import pytest

from data import ENDLESS, example, iris_model
from harness import Daemon, scaled, wait_for

KILLS = 10
OFTEN = {"checkpoint_every_seconds": 0.05}

# model, what is trained, how: several optimizers, one and two threads, and what else a run has to remember.
RUNS = [
    ("plain", iris_model(seed=1),
     {"dataset": "iris", "epochs": scaled(30_000), "batch_size": 8, "seed": 3, "early_stopping": None,
      "optimizer": {"name": "momentum", "learning_rate": 0.001}, "schedule": "cosine"}),
    ("best", iris_model(seed=2, layers=[{"units": 8, "dropout": 0.2}]),
     {"dataset": "iris", "epochs": scaled(20_000), "batch_size": 10, "seed": 4, "validation": {"split": 0.3},
      "early_stopping": {"patience": scaled(15_000), "restore_best": True}, "optimizer": "adamw", "ema_decay": 0.9}),
    ("wide", {"dataset": "digits", "target": "digit", "task": "classification", "layers": [256, {"units": 128, "batch_norm": True}], "seed": 5},
     {"dataset": "digits", "epochs": scaled(80), "batch_size": 128, "seed": 6, "threads": 2, "validation": {"split": 0.2},
      "early_stopping": None, "accumulate": 2, "noise": {"input": 0.05, "gradient": 0.01}, "optimizer": "nadam",
      "schedule": "reduce_on_plateau"}),
    ("full", {"dataset": "wine", "target": "cultivar", "task": "classification", "layers": [6], "seed": 7},
     {"dataset": "wine", "epochs": scaled(3_000), "seed": 8, "early_stopping": None, "optimizer": "rprop"}),
]


def prepare(c):
    for name in ("iris", "digits", "wine"):
        c.csv(name, example(name))
    for name, definition, _ in RUNS:
        c.put(f"/v1/models/{name}", definition)


def submit(c, **more):
    return {name: c.start(name, {**training, **more})["id"] for name, _, training in RUNS}


def curve(c, job):
    """All that was recorded; the clock's readings and what was measured by the clock are not in it."""
    found = c.get(f"/v1/jobs/{job}/curve").json
    return {name: found[name] for name in found if name not in ("job", "seconds")}


def outcome(c, name, job):
    end = c.ended(job, seconds=300)
    assert end["version"] == "1"
    kept = ("state", "epoch", "step", "metrics", "best", "stop_reason")
    return ({field: end[field] for field in kept}, c.layers(name, end["version"]), curve(c, job)), end


def ask(daemon, sql):
    """A number from the daemon's file."""
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchone()[0]


def test_ten_kills_change_no_bit(start):
    calm = start("--workers", 2, "--threads", 2)
    prepare(calm.client())
    expected = {name: outcome(calm.client(), name, job)[0] for name, job in submit(calm.client()).items()}
    calm.stop()

    daemon = start("--workers", 2, "--threads", 2)
    prepare(daemon.client())
    jobs = submit(daemon.client(), **OFTEN)
    rng = random.Random(time.time_ns())
    cut_off = 0
    for _ in range(KILLS):
        time.sleep(rng.uniform(0, 0.3))
        # It may hit anything; but no job is to be cut off three times without a checkpoint.
        wait_for("checkpoints of jobs that were cut off twice",
                 lambda: ask(daemon, "SELECT coalesce(max(crashes), 0) FROM job WHERE state < 3") < 2, 120)
        daemon.kill()
        cut_off += ask(daemon, "SELECT count(*) FROM job WHERE state = 1")
        with sqlite3.connect(daemon.database) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        daemon.run()
    c = daemon.client()
    resumed = 0
    for name, job in jobs.items():
        found, end = outcome(c, name, job)
        for part, (is_, should) in enumerate(zip(found, expected[name])):
            assert is_ == should, f"{name}: part {part} differs"
        assert len(c.get(f"/v1/models/{name}/versions")["versions"]) == 1
        resumed += end["resumed"]
    assert resumed == cut_off > 0
    daemon.stop()


# ---- pause and resume ----

LONG = {"dataset": "iris", "epochs": scaled(60_000), "batch_size": 8, "seed": 3, "validation": {"split": 0.2},
        "early_stopping": None, "checkpoint_every_seconds": None}


@pytest.fixture
def one(start):
    """A daemon with one worker and a model."""
    daemon = start("--workers", 1)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    return daemon, c


def state(c, job, wanted):
    return wait_for(f"job {job} to be {wanted}",
                    lambda: (j := c.job(job))["state"] == wanted and j)


def pause(c, job, status=200):
    return c.request("POST", f"/v1/jobs/{job}:pause", status=status)


def resume(c, job, status=200):
    return c.request("POST", f"/v1/jobs/{job}:resume", status=status)


def test_a_pause_frees_the_worker_survives_and_changes_no_bit(one):
    daemon, c = one
    job = c.start("m", LONG)["id"]
    waiting = c.start("m", {"dataset": "iris", "epochs": 2})["id"]
    for _ in range(3):
        c.running(job)
        pause(c, job)
        paused = state(c, job, "paused")
        assert paused["epoch"] >= 1 and paused["metrics"]["loss"] > 0 and paused["resumed"] == 0
        assert paused["finished_at"] is None and paused["stop_reason"] is None
        c.ended(waiting)  # whom the worker has time for now
        assert "pause" in pause(c, job, status=409).sentence()
        daemon.kill() if waiting else daemon.stop()
        c = daemon.run().client()
        assert c.job(job)["state"] == "paused"
        assert c.job(job)["epoch"] == paused["epoch"]
        resume(c, job)
    end = c.ended(job, seconds=120)
    assert end["resumed"] == 0 and end["version"] == "2"
    again = c.train("m", LONG, seconds=120)
    assert c.layers("m", "2") == c.layers("m", again["version"])
    assert curve(c, job) == curve(c, again["id"])
    assert end["metrics"] == again["metrics"]
    assert "not paused" in resume(c, c.start("m", LONG)["id"], status=409).sentence()
    assert "ended" in resume(c, job, status=409).sentence()
    assert "ended" in pause(c, job, status=409).sentence()
    pause(c, 99, status=404), resume(c, 99, status=404)
    daemon.stop()


def test_a_paused_job_is_cancelled_and_a_waiting_one_is_paused(one):
    daemon, c = one
    running = c.start("m", ENDLESS)["id"]
    c.running(running)
    waiting = c.start("m", ENDLESS)["id"]
    assert pause(c, waiting).json["state"] == "paused"
    pause(c, running)
    state(c, running, "paused")
    assert c.delete("/v1/datasets/iris", status=409).json["detail"]
    assert c.cancel(running).json["state"] == "cancelled"
    assert c.cancel(waiting).json["stop_reason"] == "cancelled"
    resume(c, waiting, status=409)
    daemon.stop()


def test_sigterm_loses_nothing_and_a_second_one_changes_nothing(one):
    """Checkpoints are written at the end of the daemon though none is written meanwhile."""
    daemon, c = one
    job = c.start("m", LONG)["id"]
    epoch = 0
    for _ in range(3):
        epoch = wait_for("progress", lambda: (j := c.job(job))["epoch"] > epoch + 100 and j["epoch"])
        process = daemon.process
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        daemon.stop()
        c = daemon.run().client()
        assert c.job(job)["epoch"] >= epoch
    end = c.ended(job, seconds=120)
    assert end["resumed"] == 3 and end["version"] == "1"
    again = c.train("m", LONG, seconds=120)
    assert c.layers("m", "1") == c.layers("m", again["version"])
    assert curve(c, job) == curve(c, again["id"])
    daemon.stop()


# ---- checkpoints that cannot be used ----

STEADY = {**LONG, "epochs": scaled(30_000), "checkpoint_every_seconds": 0.05}


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def flip(blob):
    return blob[:200] + bytes([blob[200] ^ 4]) + blob[201:]


def cut(blob):
    return blob[:len(blob) // 2]


def of_another_program(blob):
    other = blob.replace(b"0.1.0\0", b"0.0.9\0", 1)[:-4]
    assert other != blob[:-4]
    return other + crc32c(other).to_bytes(4, "little")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """What STEADY comes to when nothing happens."""
    daemon = Daemon(tmp_path_factory.mktemp("calm"), "--workers", 1).run()
    try:
        c = daemon.client()
        c.csv("iris", example("iris"))
        c.put("/v1/models/m", iris_model(seed=1))
        job = c.train("m", STEADY, seconds=120)
        yield c.layers("m", "1"), curve(c, job["id"]), job["metrics"]
        daemon.stop()
    finally:
        daemon.kill()


@pytest.mark.parametrize("damage, which, said", [
    (flip, 1, "damaged"), (flip, 2, "damaged"), (cut, 1, "damaged"), (of_another_program, 1, "version 0.0.9 of the program"),
    (of_another_program, 2, "version 0.0.9 of the program"),
])
def test_checkpoints_that_cannot_be_used(one, calm, damage, which, said):
    """The newest (1), or both: the older one or a fresh start, the log says why, and the outcome is the same."""
    daemon, c = one
    job = c.start("m", STEADY)["id"]

    wait_for("two checkpoints", lambda: ask(daemon, "SELECT count(*) FROM checkpoint") == 2)
    daemon.stop()
    with sqlite3.connect(daemon.database) as db:
        rows = db.execute("SELECT b.id, b.data FROM checkpoint c JOIN blob_chunk b ON b.blob = c.blob"
                          " ORDER BY c.sequence DESC LIMIT ?", (which,)).fetchall()
        assert len(rows) == which
        for row, blob in rows:
            changed = damage(blob)
            db.execute("UPDATE blob_chunk SET data = ? WHERE id = ?", (changed, row))
            if len(changed) != len(blob):
                db.execute("UPDATE blob SET size_bytes = ? WHERE id = (SELECT blob FROM blob_chunk WHERE id = ?)",
                           (len(changed), row))
    before = len(daemon.log())
    c = daemon.run().client()
    end = c.ended(job, seconds=120)
    log = daemon.log()[before:]
    assert log.count("cannot go on from its checkpoint") == which and said in log
    assert ("begins again" in log) == (which == 2) and ("goes on after epoch" in log) == (which == 1)
    assert end["resumed"] == 1
    assert (c.layers("m", "1"), curve(c, job), end["metrics"]) == calm
    daemon.stop()


def test_a_disk_that_fills_up(one, calm):
    """The job goes on, says what is wrong, once in the log, and is none the worse when there is room again."""
    daemon, c = one
    job = c.start("m", STEADY)["id"]
    c.running(job)
    limit = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (1 << 16, limit[1]))
    warned = wait_for("a warning", lambda: (j := c.job(job))["warnings"] and j)
    assert warned["state"] == "running" and "goes on" in warned["warnings"][0] and "disk" in warned["warnings"][0]
    wait_for("progress", lambda: c.job(job)["epoch"] > warned["epoch"] + 100)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, limit)
    wait_for("the end of the warning", lambda: not c.job(job)["warnings"])
    end = c.ended(job, seconds=120)
    assert (c.layers("m", "1"), curve(c, job), end["metrics"]) == calm
    assert daemon.log().count("cannot be written") == daemon.log().count("can be written again") == 1
    daemon.stop()
