"""--memory-budget as a whole: whatever is thrown at the daemon at once, it stays below the budget and what is there besides, refuses
with 503, and takes everything again as soon as it is quiet. What is too large for it alone is 413."""
import contextlib
import gzip
import http.client
import json
import random
import socket
import threading
import time

from harness import not_sanitized, wait_for
from test_metrics import read, value

BUDGET_MIB = 256
# Program, page caches, threads' stacks and what malloc keeps of them, connections, texts for watchers.
BESIDES_MIB = 160
SECONDS = 8
REFUSED = (503, 413, 404, 409)
WIDE = 40
PART = 400_000  # of forty bodies is nearly what bodies may hold of 64 MiB


def send(port, method, path, body, kind="application/json", headers=None):
    """(status, first bytes of the answer); None: the connection was closed, as a refusal in the middle of a body does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, {"Content-Type": kind, **(headers or {})})
        answer = connection.getresponse()
        said = answer.read()
        return answer.status, said[:200]
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def rows(n, seed):
    draw = random.Random(seed)
    return "".join(",".join(f"{draw.random():.4f}" for _ in range(WIDE)) + f",w{draw.randrange(10 ** 6)},{i % 3}\n" for i in range(n))


HEAD = ",".join(f"x{i}" for i in range(WIDE)) + ",word,y\n"


class Throng:
    """Requests of all kinds from as many threads, until it is told to stop."""

    def __init__(self, port):
        self.port, self.stop, self.seen = port, threading.Event(), []
        small = HEAD + rows(2000, 1)
        many = "[" + ",".join(["[1,2]"] * 2_000_000) + "]"
        self.kinds = [
            lambda i: ("PUT", f"/v1/datasets/u{i}?replace=true", small * 1 + rows(60_000, i), "text/csv"),
            lambda i: ("PUT", f"/v1/datasets/p{i}?replace=true", gzip.compress((small + rows(20_000, i)).encode(), 1), "text/csv",
                       {"Content-Encoding": "gzip"}),
            lambda i: ("POST", "/v1/models/two:predict", '{"instances":%s}' % many),
            lambda i: ("POST", "/v1/models/two:predict", '{"instances":[[1,2]%s]}' % (" " * 30_000_000)),
            lambda i: ("PUT", f"/v1/models/k{i}", json.dumps({"inputs": 2, "outputs": 1, "metadata": {f"k{j}": "" for j in range(100_000)}})),
            lambda i: ("PUT", f"/v1/models/c{i}", '{"inputs":14000,"outputs":1,"layers":[1]}'),
            lambda i: ("POST", "/v1/models/base:train", '{"dataset":"base","epochs":3,"batch_size":64,"seed":%d}' % i),
            lambda i: ("POST", "/v1/models/base:evaluate", '{"dataset":"base","importance":true}'),
            lambda i: ("GET", f"/v1/models/c{i}", None),
            lambda i: ("GET", "/v1/datasets/base/rows?limit=10000", None),
        ]
        self.threads = [threading.Thread(target=self.run, args=(make, i)) for i in range(2) for make in self.kinds]

    def run(self, make, i):
        what = make(i)
        while not self.stop.is_set():
            self.seen.append((what[0], what[1], send(self.port, *what)))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        for thread in self.threads:
            thread.join(150)


def taken(c):
    return value(read(c)[0], "descentd_memory_taken_bytes")


def test_never_above_the_budget(start):
    daemon = start("--memory-budget", f"{BUDGET_MIB}M", "--workers", 2, "--threads", 1)
    c = daemon.client(timeout=120)
    c.csv("base", HEAD + rows(20_000, 0), query="?types=y:category")
    c.put("/v1/models/base", {"dataset": "base", "target": "y", "layers": [32]})
    c.train("base", {"dataset": "base", "epochs": 1}, seconds=300)
    c.put("/v1/models/two", {"inputs": 2, "outputs": 1, "layers": [], "normalize": "none"})
    c.post("/v1/models/two/versions", {"layers": [{"weights": [[1, 1]], "biases": [0]}]}, status=201)
    with Throng(daemon.port) as throng:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and daemon.peak() < (BUDGET_MIB + BESIDES_MIB) << 20:
            time.sleep(0.1)
            c.get("/livez")
    assert daemon.process.poll() is None
    c = daemon.client(timeout=120)  # the throng may have taken its time to go
    assert daemon.peak() < (BUDGET_MIB + BESIDES_MIB) << 20
    strange = [seen for seen in throng.seen if seen[2] and seen[2][0] >= 300 and seen[2][0] not in REFUSED]
    assert not strange, strange[:3]
    assert {seen[2][0] for seen in throng.seen if seen[2]} & {200, 201}, "nothing was done at all"
    for job in c.get("/v1/jobs?state=queued&limit=1000")["jobs"] + c.get("/v1/jobs?state=running")["jobs"]:
        c.cancel(job["id"], status=(200, 202, 409))
    wait_for("the memory to be given back", lambda: taken(c) < BUDGET_MIB << 18, 60)
    assert c.predict("two", [[3, 4]])["predictions"] == [[7]]
    c.csv("after", "a,b\n1,2\n")
    c.post("/v1/models/base:evaluate", {"dataset": "base"})


def too_large(answer):
    assert answer.code == "body-too-large" and "--memory-budget" in answer["detail"] and not answer.headers["Retry-After"]


@not_sanitized("how much memory its daemon has says nothing", by=("tsan",))
def test_an_answer_is_not_larger_than_the_memory(start):
    """A few bytes ask for many: the answer grows until there is no room, and the next one is served."""
    daemon = start("--memory-budget", "64M")
    c = daemon.client(timeout=120)
    c.put("/v1/models/wide", {"inputs": 1, "outputs": 1000, "layers": [], "normalize": "none"})
    c.post("/v1/models/wide/versions", {"layers": [{"weights": [[0.123456]] * 1000, "biases": [0.1] * 1000}]}, status=201)
    body = '{"instances":[%s]}' % ",".join(["[1.5]"] * 50_000)
    for _ in range(2):
        too_large(c.request("POST", "/v1/models/wide:predict", body, 413))
        assert len(c.predict("wide", [[1]])["predictions"][0]) == 1000
    assert daemon.peak() < (64 + BESIDES_MIB) << 20
    assert taken(c) < 32 << 20


@contextlib.contextmanager
def half_uploaded(port, count):
    """Data sets of which nobody knows how large they will be."""
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(count)]
    for i, one in enumerate(connections):
        one.putrequest("PUT", f"/v1/datasets/half{i}")
        one.putheader("Content-Type", "text/csv")
        one.putheader("Transfer-Encoding", "chunked")
        one.endheaders()
        one.send(b"8\r\na,b\n1,2\n\r\n")
    yield connections
    for one in connections:
        one.close()


def test_uploads_take_their_part(start):
    """Of uploads without a length as many are read as there is memory for; a small one says how small it is."""
    daemon = start("--memory-budget", "64M")
    c = daemon.client(timeout=120)
    with half_uploaded(daemon.port, 2):
        wait_for("both to be read", lambda: taken(c) > 40 << 20)
        answer = c.request("PUT", "/v1/datasets/third", gzip.compress(b"a,b\n1,2\n"), 503,
                           {"Content-Type": "text/csv", "Content-Encoding": "gzip"})
        assert answer.headers["Retry-After"] and "memory" in answer["detail"]
        c.csv("small", "a,b\n1,2\n")
    wait_for("all to be given back", lambda: taken(c) < 4 << 20)
    c.request("PUT", "/v1/datasets/third", gzip.compress(b"a,b\n1,2\n"), 201, {"Content-Type": "text/csv", "Content-Encoding": "gzip"})


def words(n):
    return "word\n" + "".join(f"w{i:07}\n" for i in range(n))


def test_an_upload_that_never_fits(start):
    """It was told that others had the memory, and to try again, when it was alone. 503 is where it would fit alone."""
    daemon = start("--memory-budget", "64M")
    c = daemon.client(timeout=120)
    for _ in range(2):
        too_large(c.csv("many", words(2_000_000), status=413))
        c.predict("two", [[1, 2]], status=404)
    half = words(600_000)
    with half_uploaded(daemon.port, 1):
        wait_for("it to be read", lambda: taken(c) > 20 << 20)
        assert c.csv("half", half, status=503).headers["Retry-After"]
    wait_for("all to be given back", lambda: taken(c) < 4 << 20)
    c.csv("half", half, status=201)
    too_large(c.request("PATCH", "/v1/datasets/half", words(2_000_000), 413, {"Content-Type": "text/csv"}))
    assert c.get("/v1/datasets/half")["rows"] == 600_000


def test_a_body_that_never_fits(start):
    """By its length before it is sent, else where it is found out; packed too. What is half as large is read."""
    daemon = start("--memory-budget", "64M")
    c = daemon.client(timeout=120)
    c.put("/v1/models/two", {"inputs": 2, "outputs": 1, "layers": [], "normalize": "none"})
    c.post("/v1/models/two/versions", {"layers": [{"weights": [[1, 1]], "biases": [0]}]}, status=201)
    path, text = "/v1/models/two:predict", b'{"instances":[[1,2]%s]}' % (b" " * 40_000_000)
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as one:
        one.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert one.recv(12) == b"HTTP/1.1 413"
    status, said = send(daemon.port, "POST", path, iter([text]))  # in a chunk
    assert status == 413 and b"body-too-large" in said
    too_large(c.request("POST", path, gzip.compress(text, 1), 413, {"Content-Encoding": "gzip"}))
    wait_for("nearly all to be given back", lambda: taken(c) < 8 << 20)
    assert c.request("POST", path, text.replace(b" " * 30_000_000, b""), 200)["predictions"] == [[3]]


def test_of_many_at_once_some_are_answered(start):
    """Each took a part of the memory, and none of forty came to its end."""
    daemon = start("--memory-budget", "64M")
    c = daemon.client(timeout=120)
    c.put("/v1/models/two", {"inputs": 2, "outputs": 1, "layers": [], "normalize": "none"})
    c.post("/v1/models/two/versions", {"layers": [{"weights": [[1, 1]], "biases": [0]}]}, status=201)
    body, seen = b'{"instances":[%s]}' % b",".join([b"[1,2]"] * 660_000), []
    head = b"POST /v1/models/two:predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    def rest(one):
        with contextlib.suppress(OSError):
            one.sendall(body[PART:])
        with contextlib.suppress(OSError):
            seen.append(one.recv(12))

    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), timeout=60)) for _ in range(40)]
        for one in sockets:
            with contextlib.suppress(OSError):  # some may be refused at once
                one.sendall(head + body[:PART])
        wait_for("most to be on their way", lambda: value(read(c)[0], "descentd_http_held_bytes") >= 30 * PART)
        threads = [threading.Thread(target=rest, args=(one,)) for one in sockets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(150)
    wait_for("nearly all to be given back", lambda: taken(c) < 8 << 20)
    assert b"HTTP/1.1 200" in seen and set(seen) <= {b"HTTP/1.1 200", b"HTTP/1.1 503", b""}, seen
    assert c.request("POST", "/v1/models/two:predict", body, 200)


@not_sanitized("how much memory its daemon has says nothing", by=("tsan",))
def test_what_was_large_is_given_back(start):
    """An upload that is cut off ends on a thread that begins no request: what that kept would never be used again."""
    daemon = start("--memory-budget", "4G", "--loops", "1")
    c = daemon.client()
    c.put("/v1/models/two", {"inputs": 2, "outputs": 1, "layers": [4]})
    c.post("/v1/models/two:train", {"data": {"inputs": [[0, 1], [1, 0]], "targets": [[1], [0]]}, "epochs": 1}, status=202)
    wait_for("the version", lambda: c.get("/v1/models/two")["latest_version"])
    body = '{"instances":[%s]}' % ",".join(["[1,2]"] * 1_200_000)  # 7 MB

    def large_and_cut_off():
        assert send(daemon.port, "POST", "/v1/models/two:predict", body)[0] == 200
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as one:
            one.sendall(b"PUT /v1/datasets/cut HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 9999\r\n\r\na,b\n1,")
            time.sleep(0.02)

    large_and_cut_off()
    before = daemon.resident()
    for _ in range(20):
        large_and_cut_off()
    wait_for("the memory to come back", lambda: daemon.resident() < before + (32 << 20))
