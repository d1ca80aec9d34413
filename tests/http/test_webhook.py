"""Webhooks: who asked to be told of a job's end is told, signed, again until it listens, over restarts; and nobody else."""
import hashlib
import hmac
import http.server
import json
import threading
import time

import pytest

from data import ENDLESS, example, iris_model
from fields import covers
from harness import wait_for

KEY = "0123456789abcdef0123456789abcdef"
TINY = {"dataset": "iris", "epochs": 2}


class Receiver(http.server.ThreadingHTTPServer):
    """Answers each delivery with the next of `answers`, then with 204, and keeps what came."""
    daemon_threads = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.answers, self.came, self.lock = [], [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def wait(self, count, seconds=30):
        wait_for(f"{count} deliveries", lambda: len(self.came) >= count, seconds)
        return self.came

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.came.append((time.monotonic(), self.path, self.headers, body))
            answer = self.server.answers.pop(0) if self.server.answers else 204
        if callable(answer):
            answer(self)
            return
        self.send_response(answer)
        if 300 <= answer < 400:
            self.send_header("Location", self.server.url("/elsewhere"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def hooked(start, tmp_path):
    """hooked(…) runs a daemon that may tell 127.0.0.1, with iris and the model m."""
    key = tmp_path / "key"
    key.write_text(KEY + "\n")

    def new(*arguments, allow="127.0.0.1"):
        daemon = start("--workers", 1, "--webhook-allow", allow, "--webhook-key-file", key, *arguments)
        c = daemon.client()
        c.csv("iris", example("iris"))
        c.put("/v1/models/m", iris_model(seed=1))
        return daemon, c
    return new


def check(delivery, job, state="succeeded"):
    _, _, headers, body = delivery
    want = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Descentd-Signature"] == want
    assert headers["Content-Type"] == "application/json" and headers["X-Descentd-Event"] == "job.ended"
    document = json.loads(body)
    assert document["id"] == job and document["state"] == state
    return document


@covers("TrainRequest.notify")
def test_the_end_is_told(hooked, receiver):
    """The document of the job as GET has it; a job without the field tells nobody."""
    _, c = hooked()
    c.train("m", TINY)
    job = c.train("m", {**TINY, "notify": receiver.url("/a/b?secret=1")})
    came = receiver.wait(1)
    assert check(came[0], job["id"]) == c.job(job["id"])
    assert came[0][1] == "/a/b?secret=1"
    assert job["config"]["notify"] == receiver.url("/a/b?…"), "a query may be a secret"
    c.train("m", {**TINY, "notify": None})
    c.train("m", {**TINY, "notify": receiver.url("")})
    assert [path for _, path, _, _ in receiver.wait(2)] == ["/a/b?secret=1", "/"]


def test_failed_and_cancelled_jobs_are_told_too(hooked, receiver):
    _, c = hooked()
    running = c.start("m", {**ENDLESS, "notify": receiver.url()})["id"]
    waiting = c.start("m", {**TINY, "notify": receiver.url()})["id"]
    c.running(running)
    c.cancel(waiting)
    check(receiver.wait(1)[0], waiting, "cancelled")
    c.cancel(running)
    assert check(receiver.wait(2)[1], running, "cancelled")["stop_reason"] == "cancelled"
    wild = {**TINY, "epochs": 50, "optimizer": {"name": "sgd", "learning_rate": 1000}, "notify": receiver.url(),
            "gradient_clip_norm": None, "early_stopping": None}
    c.put("/v1/models/wild", {"dataset": "iris", "target": "petal_width", "features": ["petal_length"], "layers": []},
          status=(200, 201))
    job = c.start("wild", wild)["id"]
    c.ended(job, "failed")
    assert check(receiver.wait(3)[2], job, "failed")["error"]["code"] == "diverged"


def test_a_cross_validation_tells_once(hooked, receiver):
    """Of the whole, not of its parts."""
    _, c = hooked()
    job = c.post("/v1/models/m:crossvalidate", {**TINY, "folds": 3, "notify": receiver.url()}, status=202)["id"]
    c.ended(job)
    assert check(receiver.wait(1)[0], job)["kind"] == "crossvalidate"
    other = c.train("m", {**TINY, "notify": receiver.url()})["id"]
    assert {json.loads(body)["id"] for _, _, _, body in receiver.wait(2)} == {job, other}


def test_two_failures_then_it_listens(hooked, receiver):
    """Again after a second, then after two, under the same id; after the answer never again."""
    _, c = hooked()
    receiver.answers = [500, 302]
    job = c.train("m", {**TINY, "notify": receiver.url()})["id"]
    came = receiver.wait(3)
    for delivery in came:
        check(delivery, job)
        assert delivery[1] == "/hook", "redirects are not followed"
    assert [h["X-Descentd-Attempt"] for _, _, h, _ in came] == ["1", "2", "3"]
    assert len({h["X-Descentd-Delivery"] for _, _, h, _ in came}) == 1
    assert came[1][0] - came[0][0] > 0.9 and came[2][0] - came[1][0] > 1.8
    other = c.train("m", {**TINY, "notify": receiver.url()})["id"]
    check(receiver.wait(4)[3], other)
    assert came[3][2]["X-Descentd-Delivery"] != came[0][2]["X-Descentd-Delivery"]
    time.sleep(2)
    assert len(receiver.came) == 4


def test_gone_is_an_answer(hooked, receiver):
    _, c = hooked()
    receiver.answers = [410]
    c.train("m", {**TINY, "notify": receiver.url()})
    receiver.wait(1)
    time.sleep(2)
    assert len(receiver.came) == 1


def test_what_waits_outlives_kills(hooked, receiver):
    """A job that ended while nobody listened, and one that ran when the daemon was killed."""
    daemon, c = hooked()
    url = receiver.url()
    port = receiver.server_address[1]
    receiver.close()
    first = c.train("m", {**TINY, "notify": url})["id"]
    second = c.start("m", {**TINY, "epochs": 20_000, "batch_size": 8, "early_stopping": None, "notify": url})["id"]
    c.running(second)
    daemon.kill()
    again = Receiver(port)
    try:
        daemon.run().client().ended(second)
        told = {json.loads(body)["id"] for _, _, _, body in again.wait(2)}
        assert told == {first, second}
    finally:
        again.close()


def test_a_slow_receiver_holds_up_nobody(hooked, receiver):
    """One that never answers takes one teller; others are told meanwhile, and the daemon still stops in time."""
    daemon, c = hooked()
    let_go = threading.Event()
    receiver.answers = [lambda handler: let_go.wait(60)]
    slow = c.train("m", {**TINY, "notify": receiver.url("/slow")})["id"]
    receiver.wait(1)
    quick = [c.train("m", {**TINY, "notify": receiver.url("/quick")})["id"] for _ in range(3)]
    came = receiver.wait(4)
    assert {json.loads(body)["id"] for _, _, _, body in came} == {slow, *quick}
    daemon.stop()
    let_go.set()


def test_answers_that_are_none(hooked, receiver):
    """Bytes that are no HTTP, and a connection that is cut, are failures like others."""
    _, c = hooked()

    def say(handler):
        handler.wfile.write(b"hello\r\n")
        handler.close_connection = True

    def cut(handler):
        handler.close_connection = True
    receiver.answers = [say, cut]
    job = c.train("m", {**TINY, "notify": receiver.url()})["id"]
    check(receiver.wait(3)[2], job)


@pytest.mark.parametrize("url, said", [
    ("https://127.0.0.1/x", "https"), ("ftp://127.0.0.1/", "schemes"), ("127.0.0.1/x", "http://host"), ("", "http://host"),
    ("http://", "no host"), ("http:///x", "no host"), ("http://user:word@127.0.0.1/", "password"),
    ("http://127.0.0.1:0/", "port"), ("http://127.0.0.1:65536/", "port"), ("http://127.0.0.1:x/", "port"),
    ("http://127.0.0.1/#x", "fragment"), ("http://127.0.0.1/a b", "escaped"), ("http://127.0.0.1/\r\nX: y", "escaped"),
    ("http://127.0.0.1/" + "x" * 3000, "long"), ("http://example.com/", "--webhook-allow example.com"),
    ("http://127.0.0.2/", "--webhook-allow 127.0.0.2"), ("http://[::1]/", "--webhook-allow"),
    ("http://127.0.0.1.example.com/", "--webhook-allow"), ("http://[::1/", "no end")])
def test_urls_that_cannot_be(hooked, url, said):
    _, c = hooked()
    answer = c.post("/v1/models/m:train", {**TINY, "notify": url}, status=422)
    assert answer.pointers() == ["/notify"] and said in answer.sentence()
    assert not c.get("/v1/jobs")["jobs"]


def test_without_the_flag_nobody_is_told(c, iris, fresh, receiver):
    c.put(f"/v1/models/{fresh}", iris_model(seed=1))
    answer = c.post(f"/v1/models/{fresh}:train", {**TINY, "notify": receiver.url()}, status=422)
    assert answer.pointers() == ["/notify"] and "--webhook-allow 127.0.0.1" in answer.sentence()


def test_a_list_without_a_key(start, tmp_path):
    code, said = start("--webhook-allow", "a.example", run=False).refused()
    assert code == 1 and "--webhook-key-file" in said
    key = tmp_path / "short"
    key.write_text("short\n")
    code, said = start("--webhook-allow", "a.example", "--webhook-key-file", key, run=False).refused()
    assert code == 1 and "5 characters" in said


def test_a_job_that_waits_to_be_told_of_is_kept(hooked, receiver):
    """--keep-jobs leaves it until its receiver listened."""
    _, c = hooked("--keep-jobs", 1)
    receiver.answers = [500]
    told = c.train("m", {**TINY, "notify": receiver.url()})["id"]
    last = c.train("m", TINY)["id"]
    check(receiver.wait(2)[1], told)
    wait_for("it to go", lambda: [job["id"] for job in c.get("/v1/jobs")["jobs"]] == [last])


# ---- who is next ----

def test_a_hundred_jobs_of_one_model_hold_up_no_other(hooked):
    """The one job of another model runs after at most one more of the many; a hundred end in the order they came."""
    _, c = hooked()
    c.put("/v1/models/other", iris_model(seed=1))
    blocker = c.start("m", ENDLESS)["id"]
    many = [c.start("m", TINY)["id"] for _ in range(100)]
    one = c.start("other", TINY)["id"]
    c.cancel(blocker)
    c.ended(one)
    c.ended(many[-1])
    ended = sorted(c.get("/v1/jobs?state=succeeded&limit=1000")["jobs"],
                   key=lambda job: (job["started_at"], int(job["id"])))
    order = [job["id"] for job in ended]
    assert order.index(one) <= 1
    assert sorted(map(int, many)) == [int(job) for job in order if job != one]


@covers("TrainRequest.priority")
@pytest.mark.parametrize("priorities, first", [((0, 5), 1), ((5, 0), 0), ((-5, 0), 1), ((0, 0), 0)])
def test_the_highest_priority_runs_first(hooked, priorities, first):
    _, c = hooked()
    blocker = c.start("m", ENDLESS)["id"]
    c.running(blocker)
    jobs = [c.start("m", {**TINY, "priority": p})["id"] for p in priorities]
    assert [c.job(job)["priority"] for job in jobs] == list(priorities)
    c.cancel(blocker)
    ended = [c.ended(job) for job in jobs]
    versions = [int(job["version"]) for job in ended]
    assert versions.index(min(versions)) == first


@pytest.mark.parametrize("priority", [1001, -1001, 0.5, "high", None])
def test_priorities_that_cannot_be(hooked, priority):
    _, c = hooked()
    assert c.post("/v1/models/m:train", {**TINY, "priority": priority}, status=422).pointers() == ["/priority"]
