"""test_environment.py - what happens around the daemon: a full disk, one that is read-only, no descriptors, no memory, a clock that
jumps. Predictions go on, what cannot be done is refused with a status, nothing that was acknowledged is lost, and when the cause
goes all works again without a restart."""
import contextlib
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from datetime import datetime
from glob import glob

import pytest

from data import iris_model, trained
from harness import BINARY, SANITIZED, Client, not_sanitized, wait_for

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
NOISE = "a,b\n" + "".join(f"{(i + 1) / 7919},{(i + 1) / 3}\n" for i in range(30_000))  # some 500 KB in the database
LONG = {"dataset": "iris", "epochs": 6000, "batch_size": 1, "seed": 3, "validation": None, "early_stopping": None,
        "checkpoint_every_seconds": 0.2}


def sound(database):
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()


class Limit:
    """A limit of a running daemon, until it is lifted."""

    def __init__(self, daemon, which, value):
        self.pid, self.which = daemon.process.pid, which
        self.before = resource.prlimit(self.pid, which)
        resource.prlimit(self.pid, which, (value, self.before[1]))

    def lift(self):
        resource.prlimit(self.pid, self.which, self.before)


# ---- a full disk ----

class Tmpfs:
    """A file system of 12 MB, full but for some KB."""

    def __init__(self, folder):
        self.folder = folder
        if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", folder], capture_output=True).returncode:
            pytest.skip("no file system can be mounted here")

    def fill(self, daemon):
        with open(self.folder / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        (self.folder / "filler").unlink()

    def end(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


class FileSize:
    """No file of the daemon's may grow."""

    def __init__(self, folder):
        pass

    def fill(self, daemon):
        self.limit = Limit(daemon, resource.RLIMIT_FSIZE, 1 << 16)

    def free(self):
        self.limit.lift()

    def end(self):
        pass


@pytest.fixture(params=[Tmpfs, FileSize])
def full(request, start, tmp_path):
    """(daemon, disk) with a network trained and the disk full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = request.param(folder)
    try:
        daemon = start("--workers", 1, "--threads", 1, database=folder / "d.db")
        trained(daemon.client(), "iris")
        yield daemon, disk
        daemon.kill()
    finally:
        disk.end()


def refused(c):
    """Changes until one is refused for want of room; what was taken before that."""
    taken = []
    for i in range(5000):
        answer = c.request("PUT", f"/v1/models/m{i}", document={"inputs": 1, "outputs": 1, "layers": []}, status=(201, 507))
        if answer.status == 507:
            assert answer.code == "disk-full" and "room" in answer.sentence()
            return taken
        taken.append(f"m{i}")
    raise AssertionError("it is not full")


def curl(daemon, tmp_path, name):
    """The status of an upload that is larger than what is read of it: http.client does not look for an answer while it sends."""
    (tmp_path / "noise.csv").write_text(NOISE)
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", tmp_path / "noise.csv", "-H", "Content-Type: text/csv",
                           f"http://127.0.0.1:{daemon.port}/v1/datasets/{name}"], capture_output=True, text=True, timeout=60)
    return done.stdout


def test_a_full_disk(full, tmp_path):
    daemon, disk = full
    c = daemon.client()
    before = c.predict("iris", ROWS).json
    disk.fill(daemon)
    taken = refused(c)
    assert curl(daemon, tmp_path, "noise") == "507"
    c.request("POST", "/v1/backup", status=507)
    c.post("/v1/models/iris:train", {"dataset": "iris", "epochs": 2}, status=507)
    for _ in range(20):
        assert c.predict("iris", ROWS).json == before
    c.get("/v1/models"), c.get("/v1/datasets/iris/rows"), c.get("/v1/system"), c.get("/metrics")
    assert c.get("/livez").status == c.get("/readyz").status == 200, "it answers predictions"
    assert [m["name"] for m in c.get("/v1/models?limit=1000")["models"] if m["name"] != "iris"] == sorted(taken)
    disk.free()
    c.put("/v1/models/after", {"inputs": 1, "outputs": 1, "layers": []})
    c.csv("noise", NOISE)
    c.train("iris", {"dataset": "iris", "epochs": 2})
    assert len(c.request("POST", "/v1/backup", status=200).body) > 1 << 19
    daemon.stop()
    sound(daemon.database)
    daemon.run()
    assert {m["name"] for m in daemon.client().get("/v1/models?limit=1000")["models"]} == {"iris", "after", *taken}
    daemon.stop()


def test_jobs_on_a_full_disk(full):
    """What a job cannot write waits for room, points, checkpoints and its end; then it ends as if nothing had been."""
    daemon, disk = full
    c = daemon.client()
    c.put("/v1/models/twin", iris_model(seed=1))
    c.put("/v1/models/m", iris_model(seed=1))
    twin = c.train("twin", LONG)
    job = c.start("m", LONG)["id"]
    c.running(job)
    disk.fill(daemon)
    refused(c)
    wait_for("the job to say so", lambda: any("room" in warning for warning in c.job(job)["warnings"]))
    time.sleep(3)
    found = c.job(job)
    assert found["state"] == "running", "it does not end while its end cannot be written"
    disk.free()
    end = c.ended(job)
    assert (end["stop_reason"], end["version"], end["resumed"]) == ("epochs", "1", 0)
    assert c.layers("m", "1") == c.layers("twin", "1")
    curves = [c.get(f"/v1/jobs/{j}/curve").json for j in (job, twin["id"])]
    assert curves[0]["loss"] == curves[1]["loss"] and curves[0]["epoch"] == curves[1]["epoch"]
    daemon.stop()
    sound(daemon.database)


def test_a_start_on_a_full_disk(full):
    """It starts when it can, or says why not; what is there is left alone."""
    daemon, disk = full
    daemon.client().put("/v1/models/last", {"inputs": 1, "outputs": 1, "layers": []})
    daemon.kill()
    if isinstance(disk, FileSize):
        pytest.skip("the limit is of a daemon that runs")
    disk.fill(daemon)
    daemon.launch()
    wait_for("it to end or to listen", lambda: daemon.process.poll() is not None or
             (daemon.port_file.exists() and daemon.port_file.read_text().endswith("\n")))
    if daemon.process.poll() is None:
        Client(int(daemon.port_file.read_text())).predict("iris", ROWS)
        daemon.kill()
    else:
        assert daemon.process.returncode > 0 and "room" in daemon.log().splitlines()[-1]
    disk.free()
    daemon.run()
    assert {m["name"] for m in daemon.client().get("/v1/models")["models"]} == {"iris", "last"}
    daemon.stop()


# ---- a disk that becomes read-only ----

@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not here")
def test_a_disk_that_becomes_read_only(start, tmp_path):
    """As after an error of the disk: each write says EROFS."""
    daemon = start(database=tmp_path / "d.db")
    c = daemon.client()
    trained(c, "iris")
    before = c.predict("iris", ROWS).json
    files = [arg for name in ("d.db", "d.db-wal") for arg in ("-P", str(tmp_path / name))]
    tracer = subprocess.Popen(["strace", "-f", "-p", str(daemon.process.pid), *files, "-o", "/dev/null",
                               "-e", "inject=pwrite64,write,ftruncate:error=EROFS"], stderr=subprocess.PIPE, text=True)
    try:
        wait_for("changes to be refused", lambda: c.request(
            "PUT", f"/v1/models/m{time.monotonic_ns()}", document={"inputs": 1, "outputs": 1, "layers": []}, status=(201, 500)).status == 500)
        assert "cannot be read or written" in c.put("/v1/models/no", {"inputs": 1, "outputs": 1, "layers": []}, status=500).sentence()
        assert outcome(daemon, "PUT", "/v1/datasets/noise", NOISE, "text/csv") in (500, "cut")  # answered before it is all sent
        for _ in range(20):
            assert c.predict("iris", ROWS).json == before
        c.get("/v1/models/no", status=404)
        assert c.get("/livez").status == 200
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=20)
    c.put("/v1/models/after", {"inputs": 1, "outputs": 1, "layers": []})
    c.csv("noise", NOISE)
    daemon.stop()
    sound(daemon.database)


# ---- no descriptors ----

def test_out_of_descriptors(start, tmp_path):
    daemon = start(database=tmp_path / "d.db")
    c = daemon.client()
    trained(c, "iris")
    before = c.predict("iris", ROWS).json
    limit = Limit(daemon, resource.RLIMIT_NOFILE, 1 + max(daemon.descriptors()))
    spare = []
    for _ in range(10):
        other = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=1)
        spare.append(other)
        try:
            other.request("GET", "/livez")
            other.getresponse().read()
        except OSError:
            pass
        assert c.predict("iris", ROWS).json == before
    c.request("POST", "/v1/backup", status=500)
    for i in range(5):
        c.put(f"/v1/models/m{i}", {"inputs": 1, "outputs": 1, "layers": []})
    crowd = [socket.create_connection(("127.0.0.1", daemon.port), timeout=30) for _ in range(100)]  # more than were set aside
    used = cpu(daemon)
    time.sleep(1)  # with those before the door, and nothing else to do
    used = cpu(daemon) - used
    for one in crowd:
        one.settimeout(60)
        one.shutdown(socket.SHUT_WR)
    for one in crowd:  # each is let in and out again, or turned away
        with contextlib.suppress(ConnectionError):
            one.recv(1)
        one.close()
    limit.lift()
    for other in spare:
        other.close()
    wait_for("new connections to be served", lambda: daemon.client().predict("iris", ROWS, status=(200, 503)).status == 200)
    fresh = daemon.client()
    assert fresh.predict("iris", ROWS).json == before
    assert len(fresh.get("/v1/models")["models"]) == 6
    fresh.request("POST", "/v1/backup", status=200)
    daemon.stop()
    sound(daemon.database)
    assert used < 0.5, "it does not spin over connections that it cannot take"


def cpu(daemon):
    """Seconds of processor time that it took."""
    fields = open(f"/proc/{daemon.process.pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- no memory ----

def outcome(daemon, method, path, body, media):
    """A status, or "cut"; there may be no memory for words."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": media})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (http.client.HTTPException, OSError):
        return "cut"
    finally:
        connection.close()
        assert daemon.process.poll() is None, daemon.log()[-3000:]


@not_sanitized("its allocator has no two MiB to spare in which small predictions go on")
def test_out_of_memory(start, tmp_path):
    """Two MiB are left: what needs more is refused, small predictions go on."""
    daemon = start("--workers", 1, database=tmp_path / "d.db")
    c = daemon.client(timeout=60)
    trained(c, "iris")
    for _ in range(3):  # the first one waits for the network in another thread than that of the connection, which has what it needs after this
        before = c.predict("iris", ROWS).json
    status = open(f"/proc/{daemon.process.pid}/status").read()
    limit = Limit(daemon, resource.RLIMIT_DATA, (int(status.split("VmData:")[1].split()[0]) << 10) + (2 << 20))
    many = {"instances": [[1.5, 2.5, 3.5, 4.5]] * 300_000}
    asked = [("POST", "/v1/models/iris:predict", json.dumps(many), "application/json"),
             ("PUT", "/v1/datasets/noise?replace=true", NOISE * 20, "text/csv"),
             ("POST", "/v1/models/iris:train", json.dumps({"data": {"inputs": [[1.0, 2.0, 3.0, 4.0]] * 100_000,
                                                                    "targets": [["setosa"]] * 100_000}}), "application/json"),
             ("PUT", "/v1/models/huge", json.dumps({"inputs": 4, "outputs": 1, "layers": [{"units": 20_000}] * 3}), "application/json")]
    seen = Counter(outcome(daemon, *request) for _ in range(3) for request in asked)
    assert set(seen) <= {200, 201, 202, 409, 413, 422, 503, "cut"}
    # On a connection and a thread that are there; what was refused may take a moment to let go.
    wait_for("small predictions", lambda: c.predict("iris", ROWS, status=(200, 503)).status == 200)
    assert c.predict("iris", ROWS).json == before
    limit.lift()
    assert seen[503] + seen[413] + seen["cut"], "there was memory enough"
    c = daemon.client(timeout=60)
    assert outcome(daemon, *asked[0]) == 200
    c.csv("after", NOISE)
    for job in c.get("/v1/jobs")["jobs"]:
        c.request("POST", f"/v1/jobs/{job['id']}:cancel", status=(200, 409))
        c.ended(job["id"], ("succeeded", "failed", "cancelled"))
    c.train("iris", {"dataset": "iris", "epochs": 2})
    assert c.predict("iris", ROWS, "/versions/1").json == before
    daemon.stop()
    sound(daemon.database)


# ---- a clock that jumps ----

FAKETIME = (glob("/usr/lib/*/faketime/libfaketime.so.1") or [None])[0]


def preloaded(library):
    """As LD_PRELOAD has it: behind the sanitizer's, which must be the first."""
    needs = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout if SANITIZED else ""
    return " ".join([*re.findall(r"=> (\S+/lib[at]san\S+)", needs), library])


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not here")
@not_sanitized("beside libfaketime it does not end", by=("tsan",))
@pytest.mark.parametrize("jump", ["+3d", "-3d"])
def test_a_clock_that_jumps(start, tmp_path, jump):
    """Leases, retention, beats and waits go by a clock that nobody sets. By the day's clock go the 24 hours of an
    Idempotency-Key, expiries of tokens and what is shown as a date."""
    rc = tmp_path / "clock"
    rc.write_text("+0d")
    daemon = start("--workers", 1, "--keep-jobs", 3, database=tmp_path / "d.db", environment={
        "LD_PRELOAD": preloaded(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(rc), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"})  # which would end each wait at once
    c = daemon.client(timeout=60)
    trained(c, "iris")
    c.put("/v1/models/m", iris_model(seed=1))
    key = {"Idempotency-Key": "once"}
    first = c.post("/v1/models/m:train", {"dataset": "iris", "epochs": 1}, status=202, headers=key)
    c.ended(first["id"])
    job = c.start("m", {**LONG, "epochs": 20_000})["id"]
    c.running(job)
    stream = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    stream.request("GET", f"/v1/jobs/{job}/events")
    events = stream.getresponse()
    now = lambda: datetime.fromisoformat(c.get(f"/v1/models/{clock_model()}")["created_at"].replace("Z", "+00:00"))

    def clock_model():
        name = f"t{time.monotonic_ns()}"
        c.put(f"/v1/models/{name}", {"inputs": 1, "outputs": 1, "layers": []})
        return name
    before = now()
    rc.write_text(jump)
    wait_for("the jump", lambda: abs((now() - before).total_seconds()) > 86_400)
    found = c.job(job)
    assert found["state"] == "running" and found["resumed"] == 0, "its lease holds"
    last = c.start("m", {"dataset": "iris", "epochs": 2, "note": "after"})["id"]
    again = c.post("/v1/models/m:train", {"dataset": "iris", "epochs": 1}, status=202, headers=key)
    if jump == "-3d":
        assert again["id"] == first["id"], "a key is not forgotten before its time"
    c.cancel(job)
    end = c.ended(job, "cancelled")
    assert end["resumed"] == 0 and b"cancelled" in events.read(), "the stream went on and ended"
    assert c.ended(last)["version"]
    ids = [int(j["id"]) for j in c.get("/v1/jobs")["jobs"]]
    assert ids == sorted(ids, reverse=True), "the newest first, by their making"
    wait_for("the oldest to go", lambda: len(c.get("/v1/jobs")["jobs"]) == 3)
    assert last in [j["id"] for j in c.get("/v1/jobs")["jobs"]], "what ended last is kept, whatever its date"
    assert 0 <= c.get("/v1/system")["uptime_seconds"] < 600
    answer = c.get(f"/v1/jobs/{last}")
    begun = time.monotonic()
    c.get(f"/v1/jobs/{last}", headers={"Prefer": "wait=1", "If-None-Match": answer.etag}, status=304)
    assert 0.5 < time.monotonic() - begun < 30
    daemon.stop()
    daemon.run()
    daemon.stop()
    sound(daemon.database)
