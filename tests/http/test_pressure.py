"""More than the daemon takes on: it says so at once, goes on with what it has, and health and metrics are answered all the while."""
import contextlib
import http.client
import json
import socket
import struct
import time
import zlib

import pytest

from data import by_hand, example, iris_model
from harness import INSTRUMENTED, wait_for
from test_metrics import read, value

VITAL = ("/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready")
PREDICT = "/v1/models/m:predict"


def double(c):
    """The model m doubles a number."""
    c.put("/v1/models/m", {"inputs": 1, "outputs": 1, "layers": [], "normalize": "none"})
    c.post("/v1/models/m/versions", by_hand([[[2]]], [[0]]), status=201)
    return c


@contextlib.contextmanager
def half_sent(port, count, length=100, sent=b"{", path=PREDICT):
    """So many requests whose body is not there yet."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(count)]
        for one in sockets:
            one.sendall(head + sent)
        yield sockets


def at_work(c):
    return value(read(c)[0], "descentd_http_requests_at_work")


def held(c):
    return value(read(c)[0], "descentd_http_held_bytes")


def refused(c):
    return value(read(c)[0], "descentd_http_requests_total", code="503")


def alive(c):
    for path in VITAL:
        c.get(path)


@pytest.mark.parametrize("most", [2, 5])
def test_no_more_requests_than_it_takes(start, most):
    daemon = start("--max-requests", most)
    c = double(daemon.client())
    with half_sent(daemon.port, most):
        wait_for("all to be at work", lambda: at_work(c) == most)
        answer = c.predict("m", [[1]], status=503)
        assert answer.headers["Retry-After"] and f"{most} requests" in answer["detail"]
        c.get("/v1/models", status=503)  # on the same connection
        alive(c)
    wait_for("them to be gone", lambda: at_work(c) == 0)
    assert c.predict("m", [[1]])["predictions"] == [[2]]


def test_who_waits_for_news_is_not_at_work(start):
    """Watchers and long polls, more than --max-requests, leave the others their places."""
    daemon = start("--max-requests", 3, "--workers", 1)
    c = double(daemon.client())
    c.csv("iris", example("iris"))
    c.put("/v1/models/i", iris_model())
    c.train("i", {"dataset": "iris", "epochs": 2})
    tag = c.get("/v1/jobs/1").etag
    with contextlib.ExitStack() as stack:
        for i in range(8):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), timeout=30))
            if i % 2:
                one.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
                assert one.recv(12) == b"HTTP/1.1 200"
            else:
                one.sendall(f"GET /v1/jobs/1 HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\nIf-None-Match: {tag}\r\n\r\n".encode())
                wait_for("it to wait", lambda: at_work(c) == 0)
        assert c.predict("m", [[1]])["predictions"] == [[2]]


def test_no_more_bytes_than_it_holds(start):
    daemon = start("--request-memory", "2M")
    c = double(daemon.client())
    body = b'{"instances":[[1]]' + b" " * 1_500_000
    with half_sent(daemon.port, 1, len(body) + 1, body) as (first,):
        wait_for("the body to be held", lambda: held(c) >= len(body))
        large = json.dumps({"instances": [[1]] * 200_000})
        assert "MiB" in c.request("POST", PREDICT, large, status=503)["detail"]  # by its Content-Length
        assert c.predict("m", [[1]])["predictions"] == [[2]]
        alive(c)
        before = refused(c)
        with contextlib.suppress(OSError), half_sent(daemon.port, 1, len(body) + 1, body):  # the rest is not read
            pass
        wait_for("it to be refused", lambda: refused(c) == before + 1)
        first.sendall(b"}")
        assert first.recv(12) == b"HTTP/1.1 200"
        wait_for("the answer to have left", lambda: held(c) == 0)
        c.request("POST", PREDICT, large, status=200)
    wait_for("all to be given back", lambda: held(c) == 0)


def test_chunks_and_packed_bodies_count(start):
    daemon = start("--request-memory", "2M")
    c = double(daemon.client())
    text = b'{"instances":[[1]]' + b" " * 1_500_000 + b"}"
    with half_sent(daemon.port, 1, 1_500_000, b"{" + b" " * 1_200_000):
        wait_for("the body to be held", lambda: held(c) >= 1_200_000)
        packed = zlib.compress(text)
        assert len(packed) < 10_000
        c.request("POST", PREDICT, packed, 503, {"Content-Encoding": "deflate"})
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as one:
            one.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{len(text):x}\r\n".encode())
            with contextlib.suppress(OSError):
                one.sendall(text + b"\r\n0\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 503"
    wait_for("all to be given back", lambda: held(c) == 0)
    c.request("POST", PREDICT, packed, 200, {"Content-Encoding": "deflate"})  # alone it may hold what it likes


def test_what_is_refused_gives_back_what_it_held(start):
    """Of forty bodies at once each held a part when it was refused, until it had come to its end: so none of them was answered."""
    daemon = start("--request-memory", "2M")
    c = double(daemon.client())
    text = b'{"instances":[[1]]' + b" " * 1_500_000 + b"}"
    with half_sent(daemon.port, 1, len(text), text[:1_200_000]) as (first,):
        wait_for("the body to be held", lambda: held(c) >= 1_200_000)
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as second:
            second.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{40_000_000:x}\r\n".encode())
            second.sendall(b" " * 39_999_999)  # more than lies in buffers on its way
            assert held(c) == 1_200_000
            first.sendall(text[1_200_000:])
            assert first.recv(12) == b"HTTP/1.1 200"


def test_answers_that_nobody_reads_count(start):
    daemon = start("--request-memory", "2M")
    c = double(daemon.client())
    rows = json.dumps({"instances": [[0.1234567]] * 900_000}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(rows)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(head + rows)
        wait_for("the answer to be made", lambda: held(c) > 15_000_000)
        c.predict("m", [[1]], status=503)
        alive(c)
    wait_for("all to be given back", lambda: held(c) == 0)
    assert c.predict("m", [[1]])["predictions"] == [[2]]


# ---- deadlines ----

@pytest.fixture
def slow(start):
    """A model that needs a while for what many_rows says, and the rows as JSON."""
    c = start("--no-batching").client()
    c.put("/v1/models/big", {"inputs": 4, "outputs": 1, "layers": [700, 700, 700], "normalize": "none"})
    c.train("big", {"data": {"inputs": [[1, 2, 3, 4]] * 8, "targets": [[1]] * 8}, "epochs": 1, "validation": None, "batch_size": "full"})
    return c


MANY = [[1.5, -2, 0.25, 3]] * (6_000 if INSTRUMENTED == "asan" else 30_000)  # seconds, where the engine is watched


@pytest.mark.parametrize("way", ["predict", "infer", "csv", "npy", "explain", "evaluate"])
def test_work_ends_when_the_client_does_not_wait(slow, way):
    def ask(timeout, status):
        headers = {"Request-Timeout": timeout}
        if way == "infer":
            tensor = {"name": "inputs", "shape": [len(MANY), 4], "datatype": "FP32", "data": sum(MANY, [])}
            return slow.post("/v2/models/big/infer", {"inputs": [tensor]}, status=status, headers=headers)
        if way == "explain":
            return slow.post("/v1/models/big:explain", {"instances": MANY[:240]}, status=status, headers=headers)
        if way == "evaluate":
            data = {"data": {"inputs": MANY, "targets": [[1]] * len(MANY)}}
            return slow.post("/v1/models/big:evaluate", data, status=status, headers=headers)
        if way == "csv":
            text = "x0,x1,x2,x3\n" + "1.5,-2,0.25,3\n" * len(MANY)
            return slow.request("POST", "/v1/models/big:predict", text, status, {"Content-Type": "text/csv", **headers})
        if way == "npy":
            head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(MANY)}, 4), }}".ljust(117).encode() + b"\n"
            body = b"\x93NUMPY\x01\0" + struct.pack("<H", 118) + head + struct.pack("<4f", *MANY[0]) * len(MANY)
            return slow.request("POST", "/v1/models/big:predict", body, status, {"Content-Type": "application/x-npy", **headers})
        return slow.predict("big", MANY, status=status) if timeout is None else slow.post(
            "/v1/models/big:predict", {"instances": MANY}, status=status, headers=headers)

    answer = ask("0.05", 504)
    assert "Request-Timeout" in answer.text
    if way != "explain":  # which takes long
        ask("600", 200)


def test_it_is_counted_from_the_beginning(start):
    daemon = start()
    c = double(daemon.client())
    body = json.dumps({"instances": [[1]]}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nRequest-Timeout: 0.2\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as one:
        one.sendall(head)
        time.sleep(0.3)
        one.sendall(body)
        answer = http.client.HTTPResponse(one)
        answer.begin()
        assert answer.status == 504 and answer.read()  # all of it: who leaves before counts as gone
    wait_for("the count", lambda: value(read(c)[0], "descentd_http_requests_total", code="504") == 1)


def test_who_waits_for_news_waits_no_longer(start):
    c = start("--workers", 1).client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/i", iris_model())
    c.train("i", {"dataset": "iris", "epochs": 2})
    tag = c.get("/v1/jobs/1").etag
    begun = time.monotonic()
    c.get("/v1/jobs/1", status=304, headers={"Prefer": "wait=60", "If-None-Match": tag, "Request-Timeout": "0.3"})
    assert time.monotonic() - begun >= 0.25


@pytest.mark.parametrize("timeout", ["", "0", "-1", "abc", "1e3", "1s", "1.2.3", ".", "0.0", "5, 6"])
def test_no_timeouts(c, timeout):
    answer = c.get("/v1/models", status=400, headers={"Request-Timeout": timeout})
    assert "Request-Timeout" in answer["detail"]


@pytest.mark.parametrize("timeout", ["1", "60.5", "0060", "99999999999999999999"])
def test_timeouts(c, timeout):
    c.get("/v1/models", headers={"Request-Timeout": timeout})
