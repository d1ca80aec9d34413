"""A campaign of kills: SIGKILL at random moments while data come in, networks train, checkpoints are written and versions
are published; after each, the daemon must find everything that it had acknowledged, and end every job once.

usage: tests/torture/torture.py [KILLS]     (make torture; DESCENTD names the binary)

Each kill aims at one phase. What it hit is read from the database file as the kill left it:

    upload      a revision is on its way in
    checkpoint  a job runs that is not trained to its end, and a blob that nothing names lies there
    publish     a job runs whose curve has its last epoch
    epoch       a job runs, and none of the above

The campaign ends when there were KILLS of them and a tenth of those in each phase; the tally is printed.
"""
import http.client
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "http"))
from data import example, iris_model
from harness import Daemon, wait_for

PHASES = ("upload", "epoch", "checkpoint", "publish")
MOST_ROUNDS = 3  # times KILLS: a phase that is never hit ends the campaign with a fault

SMALL = {"dataset": "iris", "batch_size": 8, "early_stopping": None, "checkpoint_every_seconds": 0.1}
LARGE = {"dataset": "digits", "batch_size": 256, "early_stopping": None, "validation": None, "checkpoint_every_seconds": 0.05}
DIGITS = {"dataset": "digits", "target": "digit", "task": "classification", "layers": [512, 512]}
KINDS = {  # model, definition, how it is trained; the same run without a kill is made first
    "sgd": (iris_model(seed=1), {**SMALL, "epochs": 30_000, "seed": 2, "optimizer": "momentum", "threads": 1}),
    "adam": (iris_model(seed=3, layers=[{"units": 8, "dropout": 0.2}]),
             {**SMALL, "epochs": 20_000, "seed": 4, "optimizer": "adam", "threads": 2, "validation": {"split": 0.2}}),
    "large": ({**DIGITS, "seed": 5}, {**LARGE, "epochs": 12, "seed": 6, "optimizer": "adam", "threads": 2}),
    "short": ({**DIGITS, "layers": [2048, 1024], "seed": 7}, {**LARGE, "epochs": 1, "seed": 8, "optimizer": "nadam", "threads": 1}),
}
AIMS = {"epoch": ("sgd", "adam"), "checkpoint": ("large",), "publish": ("short",)}
ROWS = b"".join(b"%d,%d.5,word%d\n" % (i, i % 977, i % 31) for i in range(20_000))


def look(database):
    """The phase that the file shows."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        one = lambda sql: db.execute(sql).fetchone()[0]
        if one("SELECT count(*) FROM revision WHERE state = 0"):
            return "upload"
        running = "FROM job WHERE state = 1 AND parent = 0"
        if one(f"SELECT count(*) {running} AND epochs = (SELECT max(last_epoch) FROM curve_block WHERE curve = job.curve)"):
            return "publish"
        if not one(f"SELECT count(*) {running}"):
            return "idle"
        return "checkpoint" if one("SELECT count(*) FROM blob WHERE state = 0") else "epoch"


class Campaign:
    def __init__(self, folder, kills):
        self.daemon = Daemon(folder, "--workers", 2, "--threads", 2)
        self.kills, self.tally = kills, Counter()
        self.random = random.Random(time.time_ns())
        self.jobs = {}       # id: kind, of every job that was accepted
        self.ended = {}      # id: its document, which must not change any more
        self.datasets = {}   # name: sha256, of every upload that was acknowledged
        self.expected = {}   # kind: what the run without a kill made
        self.compared = set()  # jobs that made the same

    # ---- what happens ----

    def begin(self):
        c = self.daemon.run().client()
        for name in ("iris", "digits"):
            self.datasets[name] = c.csv(name, example(name))["sha256"]
        for kind, (definition, training) in KINDS.items():
            c.put(f"/v1/models/{kind}", definition)
            self.jobs[c.train(kind, training, seconds=300)["id"]] = kind
            self.expected[kind] = self.outcome(c, kind, "1", max(self.jobs, key=int))

    def raw(self, path):
        """An answer's bytes: the weights of a large network are many, and holding them against the contract takes its time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status == 200, (path, body[:500])
        return body

    def outcome(self, c, kind, version, job):
        """Weights and curve of a run."""
        base = f"/v1/models/{kind}/versions/{version}/layers"
        curve = json.loads(self.raw(f"/v1/jobs/{job}/curve"))
        layers = [self.raw(f"{base}/{i}") for i in range(len(c.get(base)["layers"]))]
        return layers, {k: v for k, v in curve.items() if k not in ("job", "seconds")}

    def upload(self, name, done):
        """Sends rows without haste; an answer is remembered."""
        def body():
            yield b"a,b,c\n"
            for _ in range(60):
                yield ROWS
                time.sleep(0.005)
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30)
            connection.request("PUT", f"/v1/datasets/{name}", body(), {"Content-Type": "text/csv"}, encode_chunked=True)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 201:
                self.datasets[name] = text.split(b'"sha256":"')[1][:64].decode()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            done.set()

    def strike(self, number):
        """One kill, aimed at the phase that was hit least."""
        aim = min(PHASES, key=lambda phase: (self.tally[phase], self.random.random()))
        c, done = self.daemon.client(), threading.Event()
        if aim == "upload":
            threading.Thread(target=self.upload, args=(f"rows{number}", done)).start()
            time.sleep(self.random.uniform(0.02, 0.3))
        else:
            kind = self.random.choice(AIMS[aim])
            job = c.start(kind, KINDS[kind][1])["id"]
            self.jobs[job] = kind
            self.await_aim(c, aim, job)
            done.set()
        self.daemon.kill()
        done.wait(60)
        hit = look(self.daemon.database)
        self.tally[hit] += 1
        print(f"kill {number + 1}: aimed at {aim}, hit {hit}", flush=True)

    def await_aim(self, c, aim, job):
        """Until the job is about where the kill should hit it."""
        kind = self.jobs[job]
        if aim == "publish":
            epochs = KINDS[kind][1]["epochs"]
            deadline = time.monotonic() + 120
            while (j := c.job(job))["epoch"] < epochs and j["state"] != "succeeded":
                assert time.monotonic() < deadline, j
                time.sleep(0.001)
            time.sleep(self.random.uniform(0, 0.01))
        else:
            wait_for("an epoch", lambda: (j := c.job(job))["epoch"] or j["state"] == "succeeded", 120)
            time.sleep(self.random.uniform(0, 0.4))

    # ---- what must hold ----

    def check(self):
        """After a kill and a start: the file is whole, and what was acknowledged is there."""
        with sqlite3.connect(self.daemon.database) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        c = self.daemon.run().client()
        for name, sha256 in self.datasets.items():
            assert c.get(f"/v1/datasets/{name}")["sha256"] == sha256, f"{name} was acknowledged"
        for job in self.jobs:
            document = c.job(job)
            if job in self.ended:
                assert document == self.ended[job], f"job {job} had ended"
            elif document["state"] in ("succeeded", "failed", "cancelled"):
                self.ended[job] = document
        return c

    def settle(self):
        """Lets all jobs end; each made one version, which is that of the run without a kill."""
        c = self.daemon.client()
        for job, kind in self.jobs.items():
            if job in self.ended:
                continue
            end = wait_for(f"job {job} to end", lambda: (j := c.job(job))["state"] not in ("queued", "running") and j, 300)
            if end["state"] == "failed":  # three kills without a checkpoint between them
                assert end["stop_reason"] == "crashed" and end["resumed"] >= 2, end
            else:
                assert end["state"] == "succeeded", end
            self.ended[job] = end
        for kind in KINDS:
            made = [v for v in self.versions(c, kind)]
            wanted = {j: e for j, e in self.ended.items() if self.jobs[j] == kind and e["state"] == "succeeded"}
            assert sorted(v["job"] for v in made) == sorted(wanted), f"{kind}: each job published once"
            for job, end in wanted.items():
                if job in self.compared:
                    continue
                self.compared.add(job)
                found = self.outcome(c, kind, end["version"], job)
                for part, (is_, should) in enumerate(zip(found, self.expected[kind])):
                    assert is_ == should, f"{kind}, job {job}, resumed {end['resumed']}: part {part} differs"

    def versions(self, c, kind):
        path = f"/v1/models/{kind}/versions?limit=100"
        cursor = ""
        while cursor is not None:
            page = c.get(path + cursor).json
            yield from page["versions"]
            cursor = page["next"] and f"&cursor={page['next']}"

    def run(self):
        self.begin()
        for number in range(MOST_ROUNDS * self.kills):
            least = min(self.tally[phase] for phase in PHASES)
            if number >= self.kills and least * 10 >= self.kills:
                break
            self.strike(number)
            c = self.check()
            if self.random.random() < 0.3:
                self.settle()
            for name in [n for n in self.datasets if n.startswith("rows")]:
                c.delete(f"/v1/datasets/{name}")
                del self.datasets[name]
        self.settle()
        resumed = sum(end["resumed"] for end in self.ended.values())
        self.daemon.stop()
        kills = sum(self.tally.values())
        print(f"{kills} kills: " + ", ".join(f"{self.tally[p]} in {p}" for p in (*PHASES, "idle")))
        print(f"{len(self.jobs)} jobs, each ended once, resumed {resumed} times; integrity_check ok after each kill")
        assert all(self.tally[phase] * 10 >= self.kills for phase in PHASES), "a phase was hit too seldom"


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory(prefix="torture") as folder:
        campaign = Campaign(folder, kills)
        try:
            campaign.run()
        finally:
            campaign.daemon.kill()


if __name__ == "__main__":
    main()
