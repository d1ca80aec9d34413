"""Random damage: bytes flipped and ends cut off of a database that has something of everything; then the daemon, `descentd check`
and `descentd repair` meet the file.

usage: tests/damage/damage.py [COUNT [SEED]]     (make damage; DESCENTD names the binary)

For each damaged file:

    check    finds it, or says that nothing is wrong; it changes no byte
    serve    starts, or refuses with a sentence and changes no byte; a request is answered as before the damage, or with a
             problem document of 404, 409, 422 or 5xx. A training ends, and what it publishes is what it published before
    repair   writes a database that check finds whole, in which everything is answered as before, or is not there, and
             then repair named it

What lies in the tables of pieces (cells, weights, curves, …) is never answered wrongly: each has a checksum. The rows of other
tables have none; a change there that no one can see is counted. Nothing may end by a signal, and no file may go.
"""
import atexit
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "http"))
from data import example, iris_model
from harness import BINARY, Daemon, clean_environment, wait_for

SHORT = {"dataset": "iris", "epochs": 3, "batch_size": 16, "seed": 1, "threads": 1}
LONG = {**SHORT, "epochs": 3000, "early_stopping": None}
ENDLESS = {**SHORT, "epochs": 1_000_000, "early_stopping": None, "checkpoint_every_seconds": 0.1}
MANY = 30_000  # rows
COLOURS = "red", "green", "blue", "pale"
ROW = {"instances": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}
PIECES = "segment", "dictionary", "blob_chunk", "curve_block", "curve_level", "drift"
TIMEOUT = 60
RUNNING = []  # daemons that a fault would leave behind
atexit.register(lambda: [daemon.kill() for daemon in RUNNING])
MEMORY = "/dev/shm"  # thousands of files are written and synced, and none is kept

# What is asked: a request, whether all that its answer says has a checksum, and a name of what it is about.
ASKED = [
    ("GET", "/v1/datasets", None, False, ""),
    ("GET", "/v1/datasets/iris", None, False, "data set iris"),
    ("GET", "/v1/datasets/iris/rows?limit=1000", None, True, "data set iris"),
    *(("GET", f"/v1/datasets/many/rows?limit=1000&offset={at}", None, True, "data set many") for at in range(0, MANY, 4000)),
    ("GET", "/v1/models", None, False, ""),
    ("GET", "/v1/models/flower", None, False, "model flower"),
    ("GET", "/v1/models/flower/versions", None, False, "model flower"),
    ("GET", "/v1/models/flower/versions/1/layers/0", None, True, "model flower"),
    ("GET", "/v1/models/wide/versions/1/layers/1", None, True, "model wide"),
    ("POST", "/v1/models/flower/versions/1:predict", ROW, True, "model flower"),
    ("POST", "/v1/models/flower/versions/2:predict", ROW, True, "model flower"),
    ("POST", "/v1/models/wide:predict", ROW, True, "model wide"),
    ("GET", "/v1/jobs?limit=100", None, False, ""),
    ("GET", "/v1/jobs/1", None, False, "job 1"),
    ("GET", "/v1/jobs/1/curve", None, True, "job 1"),
    ("GET", "/v1/jobs/1/curve?points=20", None, True, "job 1"),
    ("GET", "/v1/jobs/2/curve", None, True, "job 2"),
    ("GET", "/v1/jobs/4/predictions?limit=1000", None, True, "job 4"),
]


def build(folder, kill=False):
    """A database with something of everything; with kill, as a daemon that was killed leaves it, with its log."""
    daemon = Daemon(folder, "--workers", 2, "--threads", 1).run()
    try:
        c = daemon.client()
        c.csv("iris", example("iris"))
        c.csv("many", "a,b,c,kind\n" + "".join(f"{i},{i * i % 977 / 7:.3f},{i * 0.37},{COLOURS[i * 7 % 4]}\n" for i in range(MANY)))
        c.request("PATCH", "/v1/datasets/many", body="a,b,c,kind\n1,2,3,red\n3,4,5,violet\n", headers={"Content-Type": "text/csv"}, status=200)
        c.put("/v1/models/flower", iris_model(seed=1))
        c.put("/v1/models/wide", {"dataset": "iris", "target": "species", "layers": [128, 128], "seed": 2})
        assert c.train("flower", LONG)["id"] == "1"
        assert c.train("flower", SHORT)["id"] == "2"
        assert c.train("wide", SHORT)["id"] == "3"
        assert c.ended(c.post("/v1/models/flower:crossvalidate", {**SHORT, "folds": 3}, status=202)["id"])["id"] == "4"
        c.put("/v1/models/flower/labels/stable", {"version": "1"}, status=(200, 201))
        job = c.start("wide", ENDLESS)["id"]
        c.running(job)
        time.sleep(0.4)
        c.request("POST", f"/v1/jobs/{job}:pause")
        wait_for("the pause", lambda: c.job(job)["state"] == "paused")
        c.predict("flower", ROW["instances"])
        if not kill:
            daemon.stop()
    finally:
        daemon.kill()
    return daemon.database


class Asking:
    """Requests to a daemon, raw: their answers as they come."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def ask(self, method, path, document=None):
        """(status, bytes)"""
        headers = {"Content-Type": "application/json"} if document is not None else {}
        self.connection.request(method, path, None if document is None else json.dumps(document), headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def everything(self):
        return [self.ask(method, path, document) for method, path, document, _, _ in ASKED]

    def train(self):
        """What came of a training: metrics, or None where it was refused or failed for a reason that it gives."""
        status, body = self.ask("POST", "/v1/models/flower:train", SHORT)
        if status != 202:
            return refused(status, body)
        job = json.loads(body)["id"]
        deadline = time.monotonic() + TIMEOUT
        while True:
            status, body = self.ask("GET", f"/v1/jobs/{job}")
            if status != 200:
                return refused(status, body)
            found = json.loads(body)
            if found["state"] == "succeeded":
                return found["metrics"]
            if found["state"] in ("failed", "cancelled"):
                assert found["error"]["detail"], found
                return None
            if found["warnings"]:  # its end cannot be written, and it says so
                assert found["state"] == "running", found
                return None
            assert time.monotonic() < deadline, found
            time.sleep(0.01)


def refused(status, body):
    """An answer that refuses says why. None."""
    assert status >= 500 or status in (404, 409, 422), (status, body[:500])
    assert json.loads(body)["detail"], body[:500]
    return None


def serve(folder, database):
    """A daemon that listens, or None: it refused with a sentence."""
    daemon = Daemon(folder, "--workers", 1, "--threads", 1, database=database)
    daemon.launch()
    RUNNING.append(daemon)
    deadline = time.monotonic() + TIMEOUT
    while daemon.process.poll() is None:
        text = daemon.port_file.read_text() if daemon.port_file.exists() else ""
        if text.endswith("\n"):
            daemon.port = int(text)
            return daemon
        assert time.monotonic() < deadline, daemon.log()[-2000:]
        time.sleep(0.002)
    RUNNING.remove(daemon)
    assert daemon.process.returncode == 1, (daemon.process.returncode, daemon.log()[-3000:])
    assert '"level":"error"' in daemon.log() and "Sanitizer" not in daemon.log(), daemon.log()[-3000:]
    return None


def end(daemon):
    """It ends when it is told to, and by no signal."""
    daemon.stop()
    RUNNING.remove(daemon)
    assert "Sanitizer" not in daemon.log(), daemon.log()[-3000:]


def command(*words):
    """(exit code, what it said); 3 and above is a crash."""
    done = subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, timeout=TIMEOUT, env=clean_environment(),
                          errors="replace")
    assert done.returncode in (0, 1, 2), (words, done.returncode, done.stdout[-1000:], done.stderr[-3000:])
    assert done.returncode < 2 or done.stderr.startswith("descentd: "), done
    return done.returncode, done.stdout + done.stderr


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Campaign:
    def __init__(self, folder, seed):
        self.folder, self.seed, self.tally = folder, seed, Counter()
        (folder / "base").mkdir()
        self.base = build(folder / "base")
        self.bytes = self.base.read_bytes()
        with sqlite3.connect(f"file:{self.base}?immutable=1", uri=True) as db:
            self.page_size = db.execute("PRAGMA page_size").fetchone()[0]
            owners = dict(db.execute("SELECT name, tbl_name FROM sqlite_schema"))
            self.pages = {page: owners.get(name, name) for page, name in db.execute("SELECT pageno, name FROM dbstat")}
        assert command("check", "--db", self.base) [0] == 0
        shutil.copytree(folder / "base", folder / "sound")
        daemon = serve(folder / "sound", folder / "sound" / "x.db")
        asking = Asking(daemon.port)
        self.sound = asking.everything()
        assert all(status == 200 for status, _ in self.sound), self.sound
        self.trained = asking.train()
        assert self.trained
        end(daemon)

    # ---- one file ----

    def damage(self, number):
        """(the bytes, the tables that were hit, what was done)"""
        rng = random.Random(f"{self.seed}/{number}")
        data = bytearray(self.bytes)
        if rng.random() < 0.2:
            at = rng.randrange(len(data))
            return data[:at], {"end"}, f"cut at {at}"
        spots = [rng.randrange(len(data)) for _ in range(rng.choice((1, 1, 2, 8)))]
        for at in spots:
            data[at] ^= rng.randrange(1, 256)
        tables = {self.pages.get(at // self.page_size + 1, "free") for at in spots}
        return data, tables, "flipped " + ", ".join(f"{at} ({self.pages.get(at // self.page_size + 1, 'free')})" for at in spots)

    def compare(self, answers, strict, allowed=refused):
        """How many answers differ from what they were, without a refusal; strict: none that has a checksum may."""
        silent = 0
        for (method, path, _, summed, _), (status, body), before in zip(ASKED, answers, self.sound):
            if (status, body) == before:
                continue
            if status == 200:
                assert not (strict and summed), f"{method} {path}: a wrong answer: {body[:300]} and not {before[1][:300]}"
                silent += 1
            else:
                allowed(status, body)
        return silent

    def meet_daemon(self, folder, file, strict, clean):
        before = digest(file)
        daemon = serve(folder, file)
        if daemon is None:
            assert digest(file) == before, "a refused file was changed"
            assert not clean, "refused, and check found nothing"
            return Counter(refused=1)
        asking = Asking(daemon.port)
        answers = asking.everything()
        silent = self.compare(answers, strict)
        trained = asking.train()
        assert not strict or trained in (None, self.trained), (trained, self.trained)
        end(daemon)
        wrong = sum(1 for (status, _) in answers if status != 200)
        assert not (clean and strict and wrong), "check found nothing, and something is not answered"
        assert file.exists()
        return Counter(served=1, answers=len(answers), refusals=wrong, silent=silent)

    def meet_repair(self, folder, file, clean):
        before, new = digest(file), folder / "new.db"
        code, said = command("repair", new, "--db", file)
        assert digest(file) == before, "repair changed the damaged file"
        if code == 2:
            assert not new.exists() and not clean, said
            return Counter(beyond_repair=1)
        found, faults = command("check", "--db", new)
        assert found == 0, (said, faults)
        daemon = serve(folder, new)
        assert daemon, "what was repaired is refused"

        def left_out(status, body):
            assert status == 404, (status, body[:300], said)

        def named(about):
            return "table" in said or about in said or re.search(rf"{about}\b", said)

        answers = Asking(daemon.port).everything()
        self.compare(answers, False, left_out)
        for (method, path, _, _, about), (status, _) in zip(ASKED, answers):
            assert status == 200 or named(about), f"{method} {path}: gone, and not named: {said}"
        end(daemon)
        return Counter(repaired=1, left_out=code)

    def one(self, number):
        folder = self.folder / str(number)
        folder.mkdir()
        file, copy = folder / "x.db", folder / "copy.db"
        data, tables, what = self.damage(number)
        try:
            for path in (file, copy):
                path.write_bytes(data)
            strict = tables <= {*PIECES, "free"}
            code, said = command("check", "--db", copy)
            assert digest(copy) == hashlib.sha256(data).hexdigest() and sorted(os.listdir(folder)) == ["copy.db", "x.db"]
            tally = Counter({"check " + ("clean", "faults", "cannot")[code]: 1})
            if strict and tables != {"free"}:
                tally["piece found" if code else "piece missed"] += 1
            tally += self.meet_daemon(folder, file, strict, code == 0)
            tally += self.meet_repair(folder, copy, code == 0)
        except Exception as fault:
            raise AssertionError(f"case {number} of seed {self.seed}: {what}: {fault}") from fault
        shutil.rmtree(folder)
        return tally

    def run(self, count, threads):
        with ThreadPoolExecutor(threads) as pool:
            for tally in pool.map(self.one, range(count)):
                self.tally += tally
        return self.tally


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = sys.argv[2] if len(sys.argv) > 2 else str(time.time_ns())
    print(f"seed {seed}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        tally = Campaign(Path(folder), seed).run(count, os.cpu_count() or 1)
    print(f"{count} damaged files in {time.monotonic() - begun:.0f} s")
    for name in sorted(tally):
        print(f"    {name:14} {tally[name]}")


if __name__ == "__main__":
    main()
