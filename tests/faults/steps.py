"""steps.py - what a client does while calls fail, and what must hold afterwards.

World keeps what the daemon has promised: for each path what a GET of it must show. A change under a fault whose answer
was no 2xx leaves its path in doubt: it is as before or as wished, and nothing between.
"""
import gzip
import http.client
import json

from data import by_hand, example, iris_model
from harness import ENDED, wait_for
from tokens import ROOT, bearer

IRIS = example("iris")
ROWS = IRIS.splitlines(keepends=True)
SMALL = b"".join(ROWS[:40] + ROWS[60:80] + ROWS[110:130])
MORE = b"".join([ROWS[0], *ROWS[80:90]])
TRAINING = {"dataset": "iris", "epochs": 4, "seed": 1, "checkpoint_every_seconds": 0.05}
ROW = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]]
CUT = "cut"  # instead of a status: there was no answer
KEPT = 12    # promised paths of a kind that are not deleted yet
CHANGES = (500, 503, 507)  # how a fault may be answered


class Violation(Exception):
    pass


def shows(document, wished):
    """Whether document has what is wished of it, as deep as that goes; a function decides itself."""
    if callable(wished):
        return wished(document)
    if isinstance(wished, dict):
        return isinstance(document, dict) and all(k in document and shows(document[k], v) for k, v in wished.items())
    return document == wished


class World:
    def __init__(self, daemon, memory, tls=None):
        """memory: it is allocations that fail. tls: an ssl.SSLContext, for a daemon with TLS."""
        self.daemon, self.memory, self.tls, self.c = daemon, memory, tls, None
        self.promised = {}   # path: what GET shows; None: 404
        self.doubts = []     # (path, before, wished) of a change that got no 2xx
        self.late = {}       # path: wished, where it was not found at first: who asked has left, and it may still be carried out
        self.asked = []      # statuses of this step
        self.seen = {}       # reading: the answer without faults
        self.faulted = False
        self.count = 0

    # ---- asking ----

    def connect(self):
        self.c = self.daemon.client(timeout=20, tls=self.tls, headers=bearer(ROOT))

    def begin(self):
        self.count += 1
        self.asked = []

    def ask(self, method, path, body=None, document=None, headers=None):
        """The answer, or None when the connection was cut."""
        try:
            answer = self.c.request(method, path, body, status=(200, 201, 202, 204, 400, 404, 409, 422, *CHANGES), document=document,
                                    headers=headers)
        except TimeoutError:
            raise Violation(f"{method} {path}: no answer in time") from None
        except (OSError, http.client.HTTPException):
            self.asked.append(CUT)
            return None
        if answer.status != 204 and not {"Content-Length", "Transfer-Encoding"} & set(answer.headers.keys()):
            self.asked.append(CUT)  # in the middle of its headers, whose end http.client takes it for
            return None
        self.asked.append(answer.status)
        return answer

    def outcome(self):
        """Of the step, in a word."""
        bad = [s for s in self.asked if s == CUT or s >= 400]
        return str(bad[0]) if bad else "got over it"

    def change(self, method, path, wished, at=None, **more):
        """A request that makes GET at (or of the path) show what is wished, None: nothing."""
        at = at or path
        answer = self.ask(method, path, **more)
        if answer is not None and answer.status < 300:
            self.promised[at] = wished
        else:
            if answer is not None and answer.status not in CHANGES:
                raise Violation(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
            self.doubts.append((at, self.promised.get(at), wished))
        return answer if answer is not None and answer.status < 300 else None

    def read(self, path, name=None, method="GET", same=lambda j: j, **more):
        """A reading; when it is 200 it is what it is without a fault, but for what `same` takes out."""
        answer = self.ask(method, path, **more)
        if answer is None or answer.status >= 500:
            return None
        if answer.status >= 400:
            raise Violation(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
        found = same(answer.json if answer.json is not None else answer.body)
        if not self.faulted and self.seen.setdefault(name or path, found) != found:
            raise Violation(f"{method} {path} says something else:\n  {found}\n  {self.seen[name or path]}")
        return answer

    # ---- looking, without faults ----

    def look(self, path, *wished):
        """Which of the states the path is in."""
        answer = self.c.get(path, status=(200, 404))
        found = answer.json if answer.status == 200 else None
        for state in wished:
            if found is None if state is None else found is not None and shows(found, state):
                return state
        raise Violation(f"{path} is neither of {wished}: {answer.status} {answer.body[:1500]!r}")

    def look_at(self, paths):
        for path in paths:
            self.promised[path] = self.look(path, self.promised[path], *([self.late[path]] if path in self.late else []))

    def look_all(self):
        self.look_at(list(self.promised))

    def settle(self, faulted):
        """After a step: changes are there, those in doubt in one of two states, and a step without a fault has worked."""
        if faulted:
            wait_for("a place for a connection", self.has_place, 20)
            self.clear()
        elif any(s == CUT or s >= 400 for s in self.asked):
            raise Violation(f"without a fault: {self.asked}")
        for path, before, wished in self.doubts:
            self.promised[path] = self.look(path, before, wished)
        self.late = {path: wished for path, _, wished in self.doubts if self.promised[path] != wished}
        self.doubts = []
        self.look_at(list(self.promised)[-6:])
        self.tidy()

    def has_place(self):
        """Who came when descriptors ran out is let in for health only, and so is everybody for a moment."""
        self.connect()
        return self.c.get("/v1/jobs?limit=1", status=(200, 503)).status == 200

    def clear(self):
        """Jobs whose order got no answer, or that a stop has left, end."""
        for state in ("queued", "running", "paused"):
            for job in self.c.get(f"/v1/jobs?state={state}")["jobs"]:
                self.c.cancel(job["id"], status=(200, 409))
                self.wait_job(job["id"])

    def forget_doubts(self):
        self.doubts = []

    def tidy(self):
        """Old things go, so that a campaign of thousands of steps stays quick."""
        for kind in ("datasets", "models"):
            paths = [p for p in self.promised if p.startswith(f"/v1/{kind}/x") and p.count("/") == 3]
            for path in paths[:-KEPT]:
                if self.promised[path] is not None:
                    self.c.request("DELETE", path + ("?force=true" if kind == "models" else ""), status=(204, 404))
                for gone in [p for p in self.promised if p == path or p.startswith((path + "/", path + ":"))]:
                    del self.promised[gone]
        for kind in ("jobs", "tokens"):
            for path in [p for p in self.promised if p.startswith(f"/v1/{kind}/")][:-KEPT]:
                del self.promised[path]

    # ---- the world that the steps are in ----

    def prepare(self):
        """What no step changes."""
        c = self.c
        c.csv("iris", IRIS)
        c.put("/v1/models/base", iris_model(seed=1))
        job = c.train("base", {"dataset": "iris", "epochs": 30, "seed": 1})
        self.job = job["id"]
        for path in ("/v1/datasets/iris", "/v1/models/base", "/v1/models/base/versions/1"):
            self.promised[path] = {k: v for k, v in c.get(path).json.items() if k not in ("labels", "traffic", "model_version_status")}

    def work(self):
        """Before a stop: something runs, and something was asked."""
        self.begin()
        name = self.new()
        self.c.put(f"/v1/models/{name}", iris_model(seed=1))
        self.c.post(f"/v1/models/{name}:train", {**TRAINING, "epochs": 10_000_000, "early_stopping": None, "validation": None}, status=202)
        self.promised[f"/v1/models/{name}"] = {"name": name}
        self.c.predict("base", ROW)

    def new(self):
        return f"x{self.count}"

    def wait_job(self, job):
        """Its end, while calls may fail."""
        def look():
            try:
                found = self.c.get(f"/v1/jobs/{job}", status=(200, *CHANGES))
            except (OSError, http.client.HTTPException) as fault:
                if isinstance(fault, TimeoutError):
                    raise Violation(f"job {job}: no answer") from None
                return None if self.daemon.process.poll() is None else {"state": "gone"}
            return found.json if found.status == 200 and found["state"] in ENDED else None
        return wait_for(f"job {job} to end", look, 60)


# ---- steps ----

def upload(w, query="", media="text/csv", body=SMALL, rows=79, headers=None):
    w.change("PUT", f"/v1/datasets/{w.new()}{query}", {"name": w.new(), "rows": rows, "revision": "1"},
             at=f"/v1/datasets/{w.new()}", body=body, headers={"Content-Type": media, **(headers or {})})


def upload_json(w):
    table = [dict(zip(("a", "b", "c"), (i, i * 0.5, f"w{i % 3}"))) for i in range(30)]
    upload(w, media="application/json", body=json.dumps(table), rows=30)


def upload_gzip(w):
    upload(w, body=gzip.compress(SMALL), headers={"Content-Encoding": "gzip"})


def upload_keyed(w):
    upload(w, headers={"Idempotency-Key": f"key-{w.count}"})


def append(w):
    path = f"/v1/datasets/{w.new()}"
    if w.change("PUT", path, {"rows": 79, "revision": "1"}, body=SMALL, headers={"Content-Type": "text/csv"}):
        w.change("PATCH", path, {"rows": 89, "revision": "2"}, body=MORE, headers={"Content-Type": "text/csv"})


def retype(w):
    path = f"/v1/datasets/{w.new()}"
    if w.change("PUT", path, {"rows": 79}, body=SMALL, headers={"Content-Type": "text/csv"}):
        w.change("PUT", f"{path}/columns/petal_width", {"revision": "2"}, at=path, document={"type": "category"})


def define(w):
    path = f"/v1/models/{w.new()}"
    wished = {"name": w.new(), "parameters": 67, "description": "d", "metadata": {"k": "v"}}
    w.change("PUT", path, wished, document=iris_model(description="d", metadata={"k": "v"}))


def describe(w):
    path = f"/v1/models/{w.new()}"
    if w.change("PUT", path, {"description": ""}, document=iris_model()):
        w.change("PATCH", path, {"description": "new"}, document={"description": "new"})


def ended_whole(job):
    """A job that was accepted ends once: with a version, or with a reason."""
    if job["state"] == "succeeded":
        return job["version"] == "1"
    return job["state"] == "failed" and job["version"] is None and bool(job["error"])


def run(w, verb="train", document=None, ended=ended_whole, **more):
    """A job from its order to its end."""
    path = f"/v1/models/{w.new()}"
    if not w.change("PUT", path, {"name": w.new()}, document=iris_model(seed=1)):
        return
    answer = w.ask("POST", f"{path}:{verb}", document={**TRAINING, **(document or {})}, **more)
    if answer is None or answer.status != 202:
        return
    job = answer["id"]
    end = w.wait_job(job)
    if end["state"] != "gone":
        w.promised[f"/v1/jobs/{job}"] = {k: end[k] for k in ("id", "state", "version", "epoch")}
        if not ended(end):
            raise Violation(f"job {job} has ended like this: {end}")
        if end["state"] == "succeeded" and end["version"]:
            w.promised[f"{path}/versions/1"] = {"job": job, "version": "1"}
    else:
        w.promised[f"/v1/jobs/{job}"] = {"id": job}


def train(w):
    run(w, headers={"Idempotency-Key": f"train-{w.count}"})


def train_long(w):
    run(w, document={"epochs": 300, "validation": None, "early_stopping": None, "optimizer": "adam"})


def ended(job):
    return job["state"] == "succeeded" or job["state"] == "failed" and bool(job["error"])


def crossvalidate(w):
    run(w, "crossvalidate", {"folds": 2}, ended)


def sweep(w):
    run(w, "sweep", {"runs": 2, "space": {"learning_rate": {"min": 0.001, "max": 0.1, "log": True}}}, ended)


def cancel(w):
    """A job that runs, paused, resumed and cancelled."""
    path = f"/v1/models/{w.new()}"
    if not w.change("PUT", path, {"name": w.new()}, document=iris_model(seed=1)):
        return
    answer = w.ask("POST", f"{path}:train", document={**TRAINING, "epochs": 10_000_000, "validation": None, "early_stopping": None})
    if answer is None or answer.status != 202:
        return
    job = answer["id"]
    for verb in ("pause", "resume"):
        w.ask("POST", f"/v1/jobs/{job}:{verb}")
    for _ in range(20):
        answer = w.ask("POST", f"/v1/jobs/{job}:cancel")
        if w.daemon.process.poll() is not None or answer is not None and answer.status in (200, 202, 409):
            break
    end = w.wait_job(job)
    w.promised[f"/v1/jobs/{job}"] = {"id": job} if end["state"] == "gone" else {"id": job, "state": end["state"]}


def publish(w):
    """A version by hand, a label, and traffic."""
    name = w.new()
    path = f"/v1/models/{name}"
    if not w.change("PUT", path, {"name": name}, document={"inputs": 1, "outputs": 1, "layers": [], "normalize": "none"}):
        return
    for number in ("1", "2"):
        if not w.change("POST", f"{path}/versions", {"version": number}, at=f"{path}/versions/{number}",
                        document=by_hand([[[float(number)]]], [[0]])):
            return
    if w.change("PUT", f"{path}/labels/live", {"name": name, "labels": {"live": "1"}}, at=path, document={"version": "1"}):
        w.change("PUT", f"{path}/traffic", {"name": name, "traffic": {"1": 0.5, "2": 0.5}, "labels": {"live": "1"}}, at=path,
                 document={"1": 0.5, "2": 0.5})


def delete(w):
    """A data set, a version and a model."""
    name = w.new()
    upload(w)
    if w.promised.get(f"/v1/datasets/{name}"):
        w.change("DELETE", f"/v1/datasets/{name}", None)
    path = f"/v1/models/{name}"
    if not w.change("PUT", path, {"name": name}, document={"inputs": 1, "outputs": 1, "layers": [], "normalize": "none"}):
        return
    if not w.change("POST", f"{path}/versions", {"version": "1"}, at=f"{path}/versions/1", document=by_hand([[[1.0]]], [[0]])):
        return
    w.change("DELETE", f"{path}/versions/1", None)
    w.change("DELETE", f"{path}?force=true", None, at=path)


def predict(w):
    w.read("/v1/models/base:predict", method="POST", document={"instances": ROW})


def predict_csv(w):
    w.read("/v1/models/base:predict", name="csv", method="POST", body=b"".join(ROWS[:30]), headers={"Content-Type": "text/csv"})


def infer(w):
    inputs = [{"name": "inputs", "shape": [2, 4], "datatype": "FP32", "data": sum(ROW, [])}]
    w.read("/v2/models/base/infer", method="POST", body=json.dumps({"inputs": inputs}), same=lambda j: j["outputs"])


def explain(w):
    w.read("/v1/models/base:explain", method="POST", document={"instances": ROW[:1]})


def answers(w):
    """All of these: the first after a start loads the version, and has its memory to make."""
    for step in (predict, predict_csv, infer, explain, evaluate):
        step(w)


def evaluate(w):
    w.read("/v1/models/base:evaluate", method="POST", document={"dataset": "iris", "curves": True})


def coded(w):
    """An answer that is packed."""
    w.read("/v1/datasets/iris/rows?limit=150", name="rows", headers={"Accept-Encoding": "gzip"})


def watch(w):
    """The events of a job that has ended, and its curve."""
    w.read(f"/v1/jobs/{w.job}/events", headers={"Accept": "text/event-stream"})
    w.read(f"/v1/jobs/{w.job}/curve")


READINGS = ("/v1/models/base", "/v1/models/base/versions", "/v1/models/base/versions/1", "/v1/models/base/versions/1/layers",
            "/v1/models/base/versions/1/layers/0", "/v1/models/base/versions/1/layers/0/neurons/0", "/v1/models/base/metadata",
            "/v1/datasets/iris", "/v1/datasets/iris/rows", "/v1/catalog", "/v2/models/base", "/openapi.json", "/livez", "/readyz",
            "/v1/catalog/activations/relu", "/v1/catalog/activations/relu/curve?from=-1&to=1&points=5")


LOADED = ("model_version_status",)  # whether a version is in memory differs


def look_around(w):
    for path in READINGS:
        w.read(path, same=lambda j: {k: v for k, v in j.items() if k not in LOADED} if isinstance(j, dict) else j)
    w.read(f"/v1/jobs/{w.job}")


def lists(w):
    """What every step changes: only whether it is whole."""
    for path in ("/v1/models", "/v1/datasets", "/v1/jobs?limit=5", "/v1/system", "/metrics", "/v1/models/base/drift", "/v2/models/stats"):
        w.read(path, same=lambda j: sorted(j) if isinstance(j, dict) else None)


def first_connection(w):
    """All that a new connection needs."""
    w.connect()
    w.read("/livez")


def wrong(w):
    """Refusals keep their form."""
    for method, path, document, status in (
            ("PUT", f"/v1/models/{w.new()}", {"dataset": "nowhere", "target": "y"}, (404, 422)),
            ("PUT", f"/v1/models/{w.new()}", {"inputs": 0, "layers": [-1], "odd": 1}, (422,)),
            ("GET", "/v1/models/nowhere", None, (404,)),
            ("POST", "/v1/models/base:predict", {"instances": [[1, 2]]}, (422, 400))):
        answer = w.ask(method, path, document=document)
        w.asked.pop()
        if answer is not None and answer.status not in (*status, *CHANGES):
            raise Violation(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
        w.asked.append(CUT if answer is None else 200 if answer.status in status else answer.status)


STEPS = {f.__name__: f for f in (predict, lists, upload, upload_json, upload_gzip, upload_keyed, append, retype, define, describe, train,
                                 train_long, crossvalidate, sweep, cancel, publish, predict_csv, infer, explain, evaluate, answers, coded,
                                 watch, look_around, first_connection, wrong, delete)}
