"""A soak: two daemons under a mix of everything, for as long as one likes.

usage: tests/soak/soak.py [MINUTES]     (make soak; DESCENTD names the binary)

Clients upload, append, train, predict, watch, label, delete and send nonsense, each on names of its own, and keep a ledger of
what was acknowledged. One daemon is never disturbed: what it holds of memory and descriptors must not grow. The other is
killed (SIGKILL) and started again all the time: what it had acknowledged must be there. At the end

    memory       the steady daemon's median of the last quarter is within 5 % of that after the first tenth; of a run below a
                 quarter of an hour it is shown and not judged, as caches still fill
    descriptors  likewise, within a few
    answers      no 5xx but 503 with Retry-After
    ledger       every acknowledged change is there, every accepted job has ended, a version answers with the bits it had
    file         integrity_check and foreign_key_check are ok

and the tally is printed. Any breach is named, and the exit code is 1.
"""
import hashlib
import http.client
import json
import os
import random
import socket
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "http"))
from data import example, iris_model
from harness import ENDED, Daemon, wait_for

CLIENTS = 4              # of each daemon
MODELS, DATASETS = 3, 3  # names of each client
KILL_SECONDS = 4, 15     # between two kills
SAMPLE_SECONDS = 0.5
MEMORY_GROWTH = 1.05
JUDGED_SECONDS = 15 * 60
DESCRIPTORS_GROWTH = 8
KEEP = ("--keep-jobs", 100, "--keep-versions", 4)
FLOWER = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
NONSENSE = [
    ("GET", "/v1/models/%00", None), ("PUT", "/v1/models/x y", b"{"), ("POST", "/v1/models/none:predict", b"[" * 5000),
    ("PUT", "/v1/datasets/broken", b"a,b\n1,2\n3\n"), ("GET", "/v1/jobs/99999999", None), ("BREW", "/v1/models", None),
    ("PUT", "/v1/models/huge", b'{"inputs":1000000000,"outputs":1000000000,"layers":[1000000000]}'),
    ("GET", "/v1/models?limit=-1", None), ("DELETE", "/v1/datasets/nowhere", None), ("GET", "/../../etc/passwd", None),
]


class Gone(Exception):
    """The daemon left in the middle of a request: nobody knows whether it was carried out."""


class Side:
    """One daemon, its clients, and what they saw."""

    def __init__(self, folder, name):
        Path(folder, name).mkdir()
        self.name = name
        self.daemon = Daemon(Path(folder, name), "--workers", 1, "--threads", 1, *KEEP, log_format="text")
        self.daemon.arguments += ["--log-level", "error"]
        self.stop, self.tally, self.faults = threading.Event(), Counter(), []
        self.lock = threading.Lock()
        self.port = None

    def start(self):
        self.daemon.run()
        self.port = self.daemon.port

    def count(self, what):
        with self.lock:
            self.tally[what] += 1

    def fault(self, text):
        with self.lock:
            self.faults.append(f"{self.name}: {text}")

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """(status, body). Gone: no answer, while the daemon may have been killed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            kind = {"Content-Type": "text/csv" if "/datasets/" in path else "application/json"}
            connection.request(method, path, body, {**(kind if body is not None else {}), **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise Gone(f"{method} {path}: {fault!r}") from None
        finally:
            connection.close()
        self.count("requests")
        if answer.status >= 500 and not (answer.status == 503 and answer.headers["Retry-After"]):
            self.fault(f"{method} {path} -> {answer.status} {text[:300]!r}")
        if answer.status == 503:
            self.count("503")
        return answer.status, text


class Worker(threading.Thread):
    """A client with names of its own. ledger: name -> what was acknowledged last; doubt: what may have happened since."""

    def __init__(self, side, number, seed):
        super().__init__(daemon=True)
        self.side, self.random = side, random.Random(f"{seed}/{side.name}/{number}")
        self.models = [f"m{number}-{i}" for i in range(MODELS)]
        self.datasets = [f"d{number}-{i}" for i in range(DATASETS)]
        self.there = {}    # name: sha256 of a data set, or the definition of a model; absent: deleted
        self.doubt = {}    # name: what it may be as well, None: gone
        self.jobs = {}     # id: model, accepted and not seen to end
        self.bits = {}     # (model, version): the answer to FLOWER
        self.serial = 0
        self.actions = [(self.upload, 3), (self.append, 2), (self.create, 3), (self.train, 4), (self.predict, 12), (self.watch, 2),
                        (self.label, 1), (self.remove, 2), (self.nonsense, 3), (self.look, 3), (self.vanish, 2), (self.cancel, 1)]

    def run(self):
        names, weights = zip(*self.actions)
        while not self.side.stop.is_set():
            try:
                self.random.choices(names, weights)[0]()
            except Gone:
                time.sleep(0.05)
            except Exception as fault:  # the test itself, or an answer that it does not understand
                self.side.fault(f"{type(fault).__name__}: {fault}")
                time.sleep(0.2)

    # ---- changes, and what is known of them ----

    def change(self, name, becomes, method, path, body=None, good=(200, 201, 202, 204)):
        """A change of name into what `becomes` (None: gone); the status."""
        self.doubt.setdefault(name, []).append(becomes)
        status, text = self.side.ask(method, path, body)
        if status in good:
            self.doubt.pop(name)
            if becomes is None:
                self.there.pop(name, None)
            else:
                self.there[name] = becomes
            self.side.count(f"{method} acknowledged")
        elif status < 500:
            self.doubt[name].pop()  # refused, so nothing happened
        return status, text

    def table(self):
        self.serial += 1
        rows = self.random.randint(50, 3000)
        body = "a,b,c,y\n" + "".join(f"{i % 97},{(i * 7 + self.serial) % 1013}.5,word{i % 23},{i % 5}\n" for i in range(rows))
        return body.encode()

    def upload(self):
        name, body = self.random.choice(self.datasets), self.table()
        self.change(name, hashlib.sha256(body).hexdigest(), "PUT", f"/v1/datasets/{name}?replace=true", body)

    def append(self):
        name = self.random.choice(self.datasets)
        if name not in self.there or self.doubt.get(name):
            return
        body = self.table()
        self.doubt.setdefault(name, []).append("?")  # a hash over both, which the answer tells
        status, text = self.side.ask("PATCH", f"/v1/datasets/{name}", body)
        if status == 200:
            self.doubt.pop(name)
            self.there[name] = json.loads(text)["sha256"]
        elif status < 500:
            self.doubt[name].pop()

    def create(self):
        name = self.random.choice(self.models)
        definition = json.dumps(iris_model(seed=self.random.randint(0, 9), layers=[self.random.choice((4, 16, 64))]))
        self.change(name, definition, "PUT", f"/v1/models/{name}", definition.encode())

    def remove(self):
        name = self.random.choice(self.models + self.datasets)
        kind = "models" if name in self.models else "datasets"
        for job in [j for j, model in self.jobs.items() if model == name]:
            self.jobs.pop(job)  # cancelled with it
        for key in [k for k in self.bits if k[0] == name]:
            self.bits.pop(key)
        self.change(name, None, "DELETE", f"/v1/{kind}/{name}" + ("?force=true" if kind == "models" else ""))

    def train(self):
        name = self.random.choice(self.models)
        wish = {"dataset": "iris", "epochs": self.random.choice((2, 20, 60)), "seed": self.random.randint(0, 99),
                "optimizer": self.random.choice(("adam", "sgd", "rmsprop")), "checkpoint_every_seconds": 0.2}
        status, text = self.side.ask("POST", f"/v1/models/{name}:train", json.dumps(wish).encode())
        if status == 202:
            self.side.count("jobs accepted")
            self.jobs[json.loads(text)["id"]] = name

    def cancel(self):
        if self.jobs:
            self.side.ask("POST", f"/v1/jobs/{self.random.choice(list(self.jobs))}:cancel")

    def label(self):
        name = self.random.choice(self.models)
        status, text = self.side.ask("GET", f"/v1/models/{name}")
        latest = json.loads(text).get("latest_version") if status == 200 else None
        if latest:
            self.side.ask("PUT", f"/v1/models/{name}/labels/stable", json.dumps({"version": latest}).encode())
            self.side.ask("DELETE", f"/v1/models/{name}/labels/stable")

    # ---- looks ----

    def predict(self):
        name = self.random.choice(self.models)
        for _ in range(self.random.randint(1, 20)):
            status, text = self.side.ask("POST", f"/v1/models/{name}:predict", json.dumps({"instances": FLOWER}).encode())
            if status != 200:
                return
            answer = json.loads(text)
            known = self.bits.setdefault((name, answer["model_version"]), answer["predictions"])
            if known != answer["predictions"]:
                self.side.fault(f"{name} version {answer['model_version']} answered {known}, then {answer['predictions']}")
            self.side.count("predictions")

    def look(self):
        for path in ("/v1/models", "/v1/datasets", "/v1/jobs?limit=20", "/metrics", "/readyz", "/v1/system"):
            self.side.ask("GET", path)
        for job, name in list(self.jobs.items()):
            status, text = self.side.ask("GET", f"/v1/jobs/{job}")
            if status == 200 and json.loads(text)["state"] in ENDED:
                self.ended(job, json.loads(text))

    def ended(self, job, document):
        self.jobs.pop(job, None)
        self.side.count(f"jobs {document['state']}")
        if document["state"] == "failed" and document["stop_reason"] != "crashed":
            self.side.fault(f"job {job} failed: {document['error']}")

    def watch(self):
        """An event stream that is read for a while."""
        job = self.random.choice(list(self.jobs) or ["1"])
        connection = http.client.HTTPConnection("127.0.0.1", self.side.port, timeout=10)
        try:
            connection.request("GET", f"/v1/jobs/{job}/events")
            answer = connection.getresponse()
            end = time.monotonic() + 1
            while time.monotonic() < end and answer.read1(4096):
                pass
            self.side.count("watched")
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def vanish(self):
        """Clients that leave: in the middle of headers, of a body, of a stream."""
        text = self.random.choice((b"GET /v1/mod", b"PUT /v1/datasets/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\na,b\n1,",
                                   b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                   b"POST /v1/models/x:predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"in"))
        try:
            with socket.create_connection(("127.0.0.1", self.side.port), timeout=5) as s:
                s.sendall(text)
                if self.random.random() < 0.5:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # leaves by RST
                time.sleep(self.random.uniform(0, 0.05))
            self.side.count("vanished")
        except OSError:
            pass

    def nonsense(self):
        method, path, body = self.random.choice(NONSENSE)
        status, text = self.side.ask(method, path.replace(" ", "%20"), body)
        if status < 400:
            self.side.fault(f"{method} {path} -> {status}: nonsense was taken")
        self.side.count("refused")

    # ---- at the end ----

    def settle(self, name, found):
        """What is there now must be what was acknowledged, or what was asked for without an answer since."""
        allowed = [self.there.get(name), *self.doubt.get(name, [])]
        if found not in allowed and not ("?" in allowed and found):
            self.side.fault(f"{name} is {str(found)[:90]}, and was acknowledged as {[str(a)[:90] for a in allowed]}")
        self.side.count("names verified")

    def verify(self):
        for name in self.datasets:
            status, text = self.side.ask("GET", f"/v1/datasets/{name}")
            self.settle(name, json.loads(text)["sha256"] if status == 200 else None)
        for name in self.models:
            status, text = self.side.ask("GET", f"/v1/models/{name}")
            there = json.loads(text)["layers"][0]["units"] if status == 200 else None
            self.there[name] = self.units(self.there.get(name))
            self.doubt[name] = [self.units(d) for d in self.doubt.get(name, [])]
            self.settle(name, there)
        for job in list(self.jobs):
            status, text = self.side.ask("GET", f"/v1/jobs/{job}")
            if status == 200:  # else pruned: it had ended
                self.ended(job, json.loads(text))

    @staticmethod
    def units(definition):
        return json.loads(definition)["layers"][0] if definition else None


class Samples(threading.Thread):
    """Memory and descriptors of the steady daemon."""

    def __init__(self, side):
        super().__init__(daemon=True)
        self.side, self.taken = side, []

    def run(self):
        begun = time.monotonic()
        pid = self.side.daemon.process.pid
        while not self.side.stop.is_set():
            self.taken.append((time.monotonic() - begun, self.side.daemon.resident(), len(os.listdir(f"/proc/{pid}/fd"))))
            time.sleep(SAMPLE_SECONDS)

    def between(self, column, first, last):
        whole = self.taken[-1][0]
        return statistics.median(s[column] for s in self.taken if first * whole <= s[0] <= last * whole)

    def judge(self):
        before, after = self.between(1, 0.1, 0.35), self.between(1, 0.75, 1)
        fds = self.between(2, 0.1, 0.35), self.between(2, 0.75, 1)
        tenths = [self.between(1, i / 10, (i + 1) / 10) / 2**20 for i in range(10)]
        print("steady, MiB by tenths: " + " ".join(f"{m:.1f}" for m in tenths))
        print(f"steady: {before / 2**20:.1f} MiB after the first tenth, {after / 2**20:.1f} MiB at the end "
              f"({after / before:.3f}); descriptors {fds[0]:.0f} and {fds[1]:.0f}")
        if after > before * MEMORY_GROWTH and self.taken[-1][0] >= JUDGED_SECONDS:
            self.side.fault(f"memory grew from {before} to {after}")
        if fds[1] > fds[0] + DESCRIPTORS_GROWTH:
            self.side.fault(f"descriptors grew from {fds[0]} to {fds[1]}")


def kill_again_and_again(side, seed):
    chance = random.Random(seed)
    while not side.stop.wait(chance.uniform(*KILL_SECONDS)):
        side.daemon.kill()
        side.start()
        side.count("kills")


def begin(side, seed):
    side.start()
    status, _ = side.ask("PUT", "/v1/datasets/iris", example("iris"))
    assert status == 201, status
    return [Worker(side, number, seed) for number in range(CLIENTS)]


def await_jobs(side):
    def idle():
        return not any(json.loads(side.ask("GET", f"/v1/jobs?state={state}")[1])["jobs"] for state in ("running", "queued"))
    try:
        wait_for("all jobs to end", idle, 300)
    except AssertionError as fault:
        side.fault(str(fault))


def finish(side, workers):
    await_jobs(side)
    for worker in workers:
        worker.verify()
    side.daemon.stop()
    with sqlite3.connect(side.daemon.database) as db:
        if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)] or db.execute("PRAGMA foreign_key_check").fetchall():
            side.fault("the file is damaged")
    print(f"{side.name}: " + ", ".join(f"{n} {what}" for what, n in sorted(side.tally.items())))


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    print(f"{minutes:g} minutes, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        sides = steady, killed = Side(folder, "steady"), Side(folder, "killed")
        try:
            workers = {side: begin(side, seed) for side in sides}
            samples = Samples(steady)
            killer = threading.Thread(target=kill_again_and_again, args=(killed, seed), daemon=True)
            for thread in (samples, killer, *workers[steady], *workers[killed]):
                thread.start()
            time.sleep(minutes * 60)
            for side in sides:
                side.stop.set()
            for thread in (samples, killer, *workers[steady], *workers[killed]):
                thread.join(120)
                assert not thread.is_alive(), "a client hangs"
            samples.judge()
            for side in sides:
                finish(side, workers[side])
        finally:
            for side in sides:
                side.daemon.kill()
        faults = steady.faults + killed.faults
    for fault in faults[:50]:
        print(fault)
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
