"""harness.py - a real daemon on a free port, and a client that believes nothing.

Daemon starts ./descentd (DESCENTD names another binary) on a database of its own and ends it; Client talks to it over
http.client and holds every answer against the contract. All waits are bounded.
"""
import contextlib
import gzip
import http.client
import json
import os
import signal
import subprocess
import time
import warnings
import zlib
from pathlib import Path

import pytest

from contract import Contract, read_json

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DESCENTD") or str(REPOSITORY / "descentd")
# What the daemon was built with (tests/sanitized.sh, make coverage), and how much longer it may then take.
INSTRUMENTED = os.environ.get("INSTRUMENTED", "")
SANITIZED = INSTRUMENTED in ("asan", "tsan")
PATIENCE = {"": 1, "coverage": 3, "asan": 4, "tsan": 10}[INSTRUMENTED]
START_SECONDS = 20 * PATIENCE
STOP_SECONDS = 10 * PATIENCE
ENDED = ("succeeded", "failed", "cancelled")
CONTRACT = Contract()


def not_sanitized(reason, by=("asan", "tsan")):
    """Marks a test that a daemon with a sanitizer in it cannot pass, with why."""
    return pytest.mark.skipif(INSTRUMENTED in by, reason=f"{INSTRUMENTED}: {reason}")


def scaled(count):
    """So many of what is there to take time, as the epochs of a job that is killed in its middle: an instrumented daemon takes longer
    for each."""
    return count // PATIENCE


def clean_environment(**more):
    """This environment without settings that would reach the daemon."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DESCENTD")}
    return {**kept, **more}


def traced_environment():
    """The same for a program that runs under strace to its end: who is traced cannot be looked at for leaks."""
    return clean_environment(ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")


def wait_for(what, condition, seconds=30.0):
    """What condition returns, as soon as that is true in Python's sense."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    pause = 0.005
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Daemon:
    """One run of the daemon; run(...) starts it and waits until it listens."""

    def __init__(self, folder, *arguments, database=None, environment=None, listen="127.0.0.1:0",
                 log_format="json", binary=BINARY):
        self.folder = Path(folder)
        self.database = Path(database or self.folder / "x.db")
        self.port_file = self.folder / "port"
        self.log_path = self.folder / "log"
        self.arguments = [str(binary), "serve", "--db", str(self.database), "--port-file", str(self.port_file),
                          "--log-format", log_format, *(("--listen", listen) if listen else ()),
                          *map(str, arguments)]
        self.environment = clean_environment(**(environment or {}))
        self.process = None
        self.port = None
        self.user = None  # another user to run as

    def run(self):
        self.launch()
        wait_for("the daemon to listen", self.listening, START_SECONDS / PATIENCE)
        return self

    def launch(self):
        self.port_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment, cwd=self.folder, user=self.user)

    def listening(self):
        assert self.process.poll() is None, f"the daemon ended ({self.process.returncode}): {self.log()[-2000:]}"
        text = self.port_file.read_text() if self.port_file.exists() else ""
        if not text.endswith("\n"):
            return False
        self.port = int(text)
        return True

    def refused(self, seconds=START_SECONDS):
        """Waits for a start that fails; (exit code, what it said)."""
        self.launch()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the daemon started although it must refuse: {self.log()[-2000:]}") from None
        self.process = None
        return code, self.log()

    def stop(self, by=signal.SIGTERM):
        """Ends it gracefully."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(by)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"still there {STOP_SECONDS} s after the signal: {self.log()[-2000:]}") from None
        assert code == 0, f"exit code {code}: {self.log()[-2000:]}"

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def end(self):
        """After a test, whatever became of it. An instrumented daemon ends in order, as that is when it says what it saw."""
        if INSTRUMENTED and self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def says(self, text):
        """Waits until the log, which is written behind what it tells of, has this."""
        return wait_for(f"the log to say {text!r}", lambda: text in self.log())

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self):
        """The log as JSON objects; a line that is none fails."""
        return [json.loads(line) for line in self.log().splitlines()]

    def descriptors(self):
        """{number: what it is of}, a path or a word as "socket:[1]", of those that are open now."""
        folder, found = f"/proc/{self.process.pid}/fd", {}
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found[int(name)] = os.readlink(f"{folder}/{name}")
        return found

    def sockets(self):
        """How many it has open now."""
        return sum(what.startswith("socket:") for what in self.descriptors().values())

    def resident(self):
        """Bytes of memory that it has."""
        return self.memory("VmRSS")

    def peak(self):
        """The most bytes of memory that it ever had."""
        return self.memory("VmHWM")

    def memory(self, line):
        """A sanitizer keeps what was freed and notes on all that there is, so its daemon has 0: no bound is exceeded, and the summary
        of the tests says where."""
        if SANITIZED:
            warnings.warn("bounds of memory are not held: a sanitizer takes memory of its own", stacklevel=3)
            return 0
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(found.split()[1]) << 10 for found in file if found.startswith(line))

    def client(self, **more):
        return Client(self.port, **more)


UNPACK = {"gzip": gzip.decompress, "deflate": zlib.decompress}


class Answer:
    """body is what was sent, unpacked."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.sent = status, headers, body
        self.body = body = UNPACK[headers["Content-Encoding"]](body) if body and headers["Content-Encoding"] else body
        self.json = None
        if body and "json" in (headers["Content-Type"] or ""):
            self.json = read_json(body)

    def __getitem__(self, key):
        return self.json[key]

    @property
    def code(self):
        return self.json["code"]

    @property
    def etag(self):
        return self.headers["ETag"]

    @property
    def text(self):
        return self.body.decode("utf-8")

    def allow(self):
        return {m.strip() for m in (self.headers["Allow"] or "").split(",")}

    def pointers(self):
        return [e.get("pointer") for e in self.json.get("errors", [])]

    def sentence(self):
        """Everything that the answer says to a person, in small letters."""
        return (self.json["detail"] + " " + " ".join(e["detail"] for e in self.json.get("errors", []))).lower()


class Client:
    """Requests to one daemon over one connection that is kept. Every answer is held against the contract."""

    def __init__(self, port, host="127.0.0.1", headers=None, timeout=30, tls=None):
        """tls: an ssl.SSLContext."""
        timeout *= PATIENCE
        self.connection = (http.client.HTTPSConnection(host, port, timeout=timeout, context=tls) if tls else
                           http.client.HTTPConnection(host, port, timeout=timeout))
        self.headers = headers or {}
        self.port = port

    def request(self, method, path, body=None, status=None, headers=None, document=None):
        """body: bytes or str as they are. document: sent as JSON. status: what must come, one or several."""
        headers = {**self.headers, **(headers or {})}
        if document is not None:
            body = json.dumps(document)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        headers = {k: v for k, v in headers.items() if v is not None}
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (http.client.HTTPException, OSError):
            self.connection.close()
            raise
        said = f"{method} {path[:200]} {(body or b'')[:600]!r} -> {answer.status} {answer.body[:1200]!r}"
        try:
            CONTRACT.check(method, path, answer, document)
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{said}") from None
        if status is not None:
            wanted = status if isinstance(status, tuple) else (status,)
            assert answer.status in wanted, f"{status} expected: {said}"
        elif answer.status >= 500:
            raise AssertionError(said)
        return answer

    def get(self, path, status=200, **more):
        return self.request("GET", path, status=status, **more)

    def delete(self, path, status=204, **more):
        return self.request("DELETE", path, status=status, **more)

    def put(self, path, document, status=201, **more):
        return self.request("PUT", path, document=document, status=status, **more)

    def post(self, path, document, status=200, **more):
        return self.request("POST", path, document=document, status=status, **more)

    def patch(self, path, document, status=200, **more):
        return self.request("PATCH", path, document=document, status=status, **more)

    def csv(self, name, text, status=(200, 201), query="", headers=None):
        """Uploads a data set."""
        return self.request("PUT", f"/v1/datasets/{name}{query}", body=text, status=status,
                            headers={"Content-Type": "text/csv", **(headers or {})})

    def train(self, model, document, state="succeeded", seconds=240):
        """Trains to the end and returns the job."""
        job = self.start(model, document)
        return self.ended(job["id"], state, seconds)

    def start(self, model, document):
        return self.post(f"/v1/models/{model}:train", document, status=202).json

    def job(self, job):
        return self.get(f"/v1/jobs/{job}").json

    def ended(self, job, state="succeeded", seconds=240):
        """Waits for a job's end; state: what must come, one or several."""
        def look():
            found = self.job(job)
            return found if found["state"] in ENDED else None
        found = wait_for(f"job {job} to end", look, seconds)
        assert found["state"] in (state if isinstance(state, tuple) else (state,)), found
        return found

    def running(self, job, seconds=30):
        """Waits until a job runs and has finished an epoch."""
        def look():
            found = self.job(job)
            assert found["state"] in ("queued", "running"), found
            return found if found["state"] == "running" and found["epoch"] >= 1 else None
        return wait_for(f"job {job} to run", look, seconds)

    def cancel(self, job, status=200):
        return self.request("POST", f"/v1/jobs/{job}:cancel", status=status)

    def layers(self, model, version):
        """[(weights, biases), …] of a version."""
        base = f"/v1/models/{model}/versions/{version}/layers"
        count = len(self.get(base)["layers"])
        found = [self.get(f"{base}/{i}").json for i in range(count)]
        return [(layer["weights"], layer["biases"]) for layer in found]

    def predict(self, model, instances, where="", status=200):
        return self.post(f"/v1/models/{model}{where}:predict", {"instances": instances}, status=status)
