"""SIGHUP: the options are read again, and those that can be are changed under way."""
import os
import signal

import pytest

from data import ENDLESS, example, iris_model
from harness import wait_for


@pytest.fixture
def told(start, tmp_path):
    """A daemon whose options stand in a file; told(lines) writes it, and with a daemon running has it read again."""
    class Told:
        file = tmp_path / "descentd.conf"
        daemon = None

        def write(self, text):
            self.file.write_text(text)

        def run(self, text, *arguments, **more):
            self.write(text)
            self.daemon = start("--config", self.file, *arguments, **more)
            return self.daemon.client()

        def again(self, text, said):
            """What the log says new of it, once `said` is in it."""
            self.write(text)
            before = len(self.daemon.log())
            self.daemon.process.send_signal(signal.SIGHUP)
            wait_for(f"the log to say {said!r}", lambda: said in self.daemon.log()[before:])
            return self.daemon.log()[before:]
    return Told()


def running(c):
    return sorted(job["id"] for job in c.get("/v1/jobs?state=running")["jobs"])


def test_workers_grow_and_shrink(told):
    """More workers take what waits; fewer let running jobs run, and take no other after them."""
    c = told.run("workers = 1\n", "--threads", 1)
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    jobs = [c.start("m", ENDLESS)["id"] for _ in range(4)]
    c.running(jobs[0])
    assert running(c) == jobs[:1]
    told.again("workers = 3\n", "changed: --workers")
    wait_for("three jobs to run", lambda: running(c) == jobs[:3])
    assert c.get("/v1/system")["threads"]["workers"] == 3
    told.again("workers = 1\n", "changed: --workers")
    assert running(c) == jobs[:3], "none was stopped"
    for job in jobs[1:3]:
        c.cancel(job)
        c.ended(job, "cancelled")
    assert running(c) == jobs[:1] and c.job(jobs[3])["state"] == "queued"
    told.again("workers = 2\n", "changed: --workers")
    wait_for("the last to run", lambda: running(c) == [jobs[0], jobs[3]])
    for job in (jobs[0], jobs[3]):
        c.cancel(job)
        c.ended(job, "cancelled")
    assert all(c.job(job)["resumed"] == 0 for job in jobs)


def test_many_reloads_lose_no_job(told):
    """Workers come and go while jobs are made: each ends once."""
    c = told.run("workers = 1\n", "--threads", 1)
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    jobs = []
    for i in range(40):
        jobs.append(c.start("m", {"dataset": "iris", "epochs": 2})["id"])
        told.write(f"workers = {1 + i * 7 % 5}\n")
        told.daemon.process.send_signal(signal.SIGHUP)
    ended = [c.ended(job) for job in jobs]
    assert sorted(int(job["version"]) for job in ended) == list(range(1, 41))


def test_retention(told):
    c = told.run("")
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    for _ in range(3):
        c.train("m", {"dataset": "iris", "epochs": 1})
    assert c.get("/v1/system")["keep"] == {"jobs": None, "versions": None}
    told.again("keep-jobs = 1\nkeep-versions = 2\n", "changed: --keep-jobs, --keep-versions")
    wait_for("one job to be left", lambda: len(c.get("/v1/jobs")["jobs"]) == 1)
    wait_for("two versions to be left", lambda: len(c.get("/v1/models/m/versions")["versions"]) == 2)
    told.again("", "changed: --keep-jobs, --keep-versions")
    assert c.get("/v1/system")["keep"] == {"jobs": None, "versions": None}


def test_origins(told):
    c = told.run("")
    page = {"headers": {"Origin": "https://app.example"}}
    c.get("/v1/models", status=403, **page)
    told.again("cors-origin = https://app.example\n", "changed: --cors-origin")
    assert c.get("/v1/models", **page).headers["Access-Control-Allow-Origin"] == "https://app.example"
    told.again("", "changed: --cors-origin")
    c.get("/v1/models", status=403, **page)


def test_hosts(told):
    c = told.run("")
    other = {"headers": {"Host": "models.example.com"}}
    c.get("/v1/models", status=421, **other)
    told.again("allow-host = models.example.com\n", "changed: --allow-host")
    c.get("/v1/models", **other)
    told.again("", "changed: --allow-host")
    c.get("/v1/models", status=421, **other)


def test_log_level(told):
    c = told.run("log-level = error\n")
    c.get("/v1/models")
    c.get("/v1/catalog")  # the same connection: the request before is over, its line would have been written
    said = told.again("log-level = info\n", "changed: --log-level")
    assert "/v1/models" not in said
    c.get("/v1/jobs")
    wait_for("the request to be logged", lambda: "/v1/jobs" in told.daemon.log())


def test_a_new_token_in_the_same_file(told, tmp_path):
    """A token is changed without an end: the file's new one counts, the old one no more; a broken file changes nothing."""
    token = tmp_path / "token"
    token.write_text("a" * 32)
    c = told.run(f"token-file = {token}\n")
    old, new = ({"headers": {"Authorization": "Bearer " + letter * 32}} for letter in "ab")
    c.get("/v1/models", **old)
    token.write_text("short")
    told.again(f"token-file = {token}\nworkers = 3\n", "SIGHUP changed nothing")
    assert c.get("/v1/system", **old)["threads"]["workers"] != 3
    token.write_text("b" * 32)
    told.again(f"token-file = {token}\n", "nothing is new")
    c.get("/v1/models", status=401, **old)
    c.get("/v1/models", **new)


@pytest.mark.parametrize("broken, said", [
    ("workers = none\n", "line 1"), ("workers = 3\nwokers = 4\n", "did you mean"), ("workers = 3\nmax-body = 1\n", "size"),
    ("workers = 3\nallow-host = a:b:c\n", "hosts"), ("workers = 3\nnonsense\n", "line 2")])
def test_a_broken_file_changes_nothing(told, broken, said):
    c = told.run("workers = 2\n")
    line = told.again(broken, "SIGHUP changed nothing")
    assert said in line
    assert c.get("/v1/system")["threads"]["workers"] == 2
    told.again("workers = 3\n", "changed: --workers")
    assert c.get("/v1/system")["threads"]["workers"] == 3


def test_a_file_that_went(told):
    c = told.run("workers = 2\n")
    told.file.unlink()
    before = len(told.daemon.log())
    told.daemon.process.send_signal(signal.SIGHUP)
    wait_for("the log to say it", lambda: "SIGHUP changed nothing" in told.daemon.log()[before:])
    assert c.get("/v1/system")["threads"]["workers"] == 2


def test_what_needs_a_restart_is_named(told):
    """It stays as it is, and is named each time until then; what reloads beside it does."""
    c = told.run("workers = 1\nmax-body = 1M\n")
    for workers in (2, 3):
        said = told.again(f"workers = {workers}\nmax-body = 2M\nloops = {os.cpu_count() + 1}\n", "after a restart only")
        assert "--max-body, " in said or "--loops, --max-body" in said
        assert "changed: --workers" in said
        found = c.get("/v1/system").json
        assert found["threads"]["workers"] == workers and found["limits"]["body_bytes"] == 1 << 20
    told.daemon.stop()
    assert told.daemon.run().client().get("/v1/system")["limits"]["body_bytes"] == 2 << 20


def test_flags_still_go_before_the_file(told):
    c = told.run("keep-jobs = 5\n", "--workers", 2)
    told.again("keep-jobs = 6\nworkers = 4\n", "changed: --keep-jobs")
    found = c.get("/v1/system").json
    assert found["threads"]["workers"] == 2 and found["keep"]["jobs"] == 6
