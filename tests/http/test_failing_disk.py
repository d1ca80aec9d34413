"""A disk that does not confirm what was written: nothing more is believed, and the daemon ends with an error."""
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from data import ENDLESS, example, iris_model
from harness import BINARY, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))
from control import Faults

SENTENCE = "the disk did not confirm what was written"


@pytest.fixture
def failing(start, tmp_path):
    """(daemon, its faults): the first sync of a file that is armed fails, and each one after it would succeed."""
    faults = Faults(tmp_path, BINARY)
    return start(folder=tmp_path, environment=faults.environment()), faults


def ended(daemon):
    """The exit code of a daemon that ends by itself; what it said."""
    code = daemon.process.wait(30)
    daemon.process = None
    return code, daemon.log()


def test_a_sync_that_fails_ends_the_daemon(failing, start):
    daemon, faults = failing
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model())
    job = c.start("m", {**ENDLESS, "checkpoint_every_seconds": 0.1})["id"]
    c.running(job)
    before = time.monotonic()
    faults.arm(["fdatasync"])
    told = []
    while not told and time.monotonic() - before < 20:  # the job's own writes may meet it first
        answer = c.put(f"/v1/models/n{len(told)}", iris_model(), status=(201, 200, 500, 503))
        told += [answer] if answer.status >= 500 else []
    assert SENTENCE in told[0].sentence()
    assert str(faults.disarm()[0]).startswith("fdatasync EIO")
    # Until it ends, and it may be quick: not ready, and no change is taken, though the disk would write again.
    ready = daemon.client().get("/readyz", status=503)
    assert ready.code == "busy" and SENTENCE in ready.sentence()
    assert SENTENCE in daemon.client().put("/v1/models/late", iris_model(), status=500).sentence()
    assert daemon.client().get("/v1/models/m")["name"] == "m", "what was confirmed is shown"
    code, log = ended(daemon)
    assert code == 1 and log.count(SENTENCE) >= 1
    # The next start has what was confirmed, and the job goes on.
    again = start(folder=daemon.folder)
    c = again.client()
    assert c.get("/v1/datasets/iris")["rows"] == 150
    c.get("/v1/models/late", status=404)
    assert c.running(job)["resumed"] == 1
    c.cancel(job)
    c.ended(job, "cancelled")
    again.stop()
    with sqlite3.connect(again.database) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kind, sentence", (("fdatasync", SENTENCE), ("sync_folder", "be sure of the names in the folder")))
def test_a_start_that_is_not_confirmed_is_refused(failing, kind, sentence):
    """Of the new file, and of its name in the folder, whose sync SQLite asks for in other places and does not look at."""
    daemon, faults = failing
    daemon.stop()
    for _ in range(20):  # each call site fails once
        for file in daemon.folder.glob("x.db*"):
            file.unlink()
        faults.arm([kind])
        daemon.launch()
        wait_for("it to listen or end", lambda: daemon.port_file.exists() or daemon.process.poll() is not None, 20)
        if daemon.process.poll() is not None:
            break
        daemon.stop()
    code, log = ended(daemon)
    assert code == 1 and sentence in log
    daemon.run().client().get("/readyz")
