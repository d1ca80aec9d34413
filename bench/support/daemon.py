"""descentd on a free port with a database of its own, for the benchmarks."""
import json
import os
import subprocess
import tempfile
import time
import urllib.request

from process import cpu_seconds, end

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
DATA = os.path.join(ROOT, "examples", "data")
PROGRAM = os.path.join(ROOT, "descentd")


class Daemon:
    def __init__(self, program=None, db=None, flags=(), log=os.devnull):
        """log: the file that its log is added to."""
        self.folder = tempfile.TemporaryDirectory()
        port = os.path.join(self.folder.name, "port")
        self.db = db or os.path.join(self.folder.name, "bench.db")
        started = time.monotonic()
        with open(log, "ab") as file:
            self.process = subprocess.Popen([program or PROGRAM, "serve", "--db", self.db, "--listen", "127.0.0.1:0", "--port-file",
                                             port, *flags], stderr=file)
        while not os.path.exists(port):
            if self.process.poll() is not None or time.monotonic() > started + 20:
                end(self.process)
                raise SystemExit("the daemon did not start")
            time.sleep(0.001)
        self.url = "http://127.0.0.1:" + open(port).read().strip()
        self.ask("GET", "/readyz")
        self.ready_seconds = time.monotonic() - started

    def ask(self, method, path, body=None, kind="application/json"):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"null")

    def train(self, model, body):
        """Trains and waits for the end; the job."""
        job = self.ask("POST", f"/v1/models/{model}:train", body)
        while job["state"] in ("queued", "running"):
            time.sleep(0.01)
            job = self.ask("GET", "/v1/jobs/" + job["id"])
        return job

    def status(self, field):
        """A figure of /proc/PID/status in bytes, as in status("VmHWM")."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024

    def cpu_seconds(self):
        """That the daemon has used so far."""
        return cpu_seconds(self.process.pid)

    def stop(self):
        end(self.process)
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
