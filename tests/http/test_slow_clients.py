"""Clients that take their time: who sends a byte a second, or reads no answer, is ended; who is slow and honest, or waits for us, is not."""
import contextlib
import json
import socket
import threading
import time

import pytest

from data import example, iris_model
from harness import Daemon, wait_for
from sse import Stream
from test_pressure import double, held
from test_raw_http import HOST, JSON, Raw, statuses

HEADERS, BODY, RATE = 1, 2, 2048  # seconds, seconds, bytes a second
SOON = 20  # seconds within which anything must have ended, on any machine
PREDICT = f"POST /v1/models/m:predict HTTP/1.1\r\n{HOST}{JSON}"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("hasty"), "--header-seconds", HEADERS, "--body-seconds", BODY, "--min-rate", RATE,
                    "--workers", 1).run()
    try:
        double(daemon.client())
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


def drip(raw, piece, pause):
    """Sends the piece again and again until the other side ends; seconds that it took, and what came."""
    begun = time.monotonic()
    raw.socket.settimeout(pause)
    answer = b""
    while time.monotonic() - begun < SOON:
        with contextlib.suppress(TimeoutError):
            try:
                raw.socket.sendall(piece)
                found = raw.socket.recv(65536)
            except (BrokenPipeError, ConnectionResetError):
                found = b""
            answer += found
            if not found:
                return time.monotonic() - begun, answer
    raise AssertionError(f"it still listens after {SOON} s")


@pytest.mark.parametrize("head, piece", [
    ("", b""), ("", b"G"), ("GET /livez HTTP/1.1\r\n", b"X"), (f"GET /livez HTTP/1.1\r\n{HOST}", b"A: b\r\n"),
    (f"GET /livez HTTP/1.1\r\n{HOST}\r\nGET /livez HTTP/1.1\r\n", b"X"),
], ids=["nothing", "request-line", "header", "headers", "second-request"])
def test_headers_by_the_byte(hasty, head, piece):
    with Raw(hasty.port) as raw:
        took, answer = drip(raw.send(head), piece, 0.2)
    assert took > HEADERS * 0.8
    assert statuses(answer) == [200] * ("\r\n\r\n" in head)


UPLOAD = f"PUT /v1/datasets/drip HTTP/1.1\r\n{HOST}Content-Type: text/csv\r\n"


@pytest.mark.parametrize("head, piece", [
    (PREDICT + "Content-Length: 100000\r\n\r\n{", b" "), (PREDICT + "Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    (UPLOAD + "Content-Length: 100000\r\n\r\na\n", b"1"), (UPLOAD + "Transfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n", b"1\r\n1\r\n"),
    (f"PUT /v1/nothing HTTP/1.1\r\n{HOST}Content-Length: 100000\r\n\r\n", b" "),
    (PREDICT + "Content-Length: 100000\r\n\r\n", b""),
], ids=["length", "chunked", "upload", "upload-chunked", "refused", "nothing"])
def test_a_body_by_the_byte(hasty, head, piece):
    c = hasty.client()
    lines = len(hasty.log_lines())
    with Raw(hasty.port) as raw:
        took, answer = drip(raw.send(head), piece, 0.2)
    assert took > BODY * 0.8
    assert statuses(answer) == [408] and b"\r\nConnection: close\r\n" in answer
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["code"] == "request-timeout" and problem["status"] == 408 and "too slowly" in problem["detail"]
    wait_for("it to be logged", lambda: any(line.get("status") == 408 for line in hasty.log_lines()[lines:]))
    c.get("/v1/datasets/drip", status=404)


def test_a_slow_body_that_keeps_the_pace(hasty):
    """Half more than the least rate, for longer than any deadline alone."""
    rows = json.dumps({"instances": [[1]]}).encode()
    size = int(RATE * 1.5 * BODY * 3)
    with Raw(hasty.port) as raw:
        raw.send(PREDICT + f"Content-Length: {size + len(rows)}\r\n\r\n")
        begun = time.monotonic()
        for _ in range(BODY * 3 * 4):
            raw.send(b" " * (size // (BODY * 3 * 4)))
            time.sleep(0.25)
        assert time.monotonic() - begun > BODY * 2
        assert statuses(raw.send(rows).all()) == [200]


def test_a_pause_behind_a_quick_beginning(hasty):
    """A mobile line goes through a tunnel."""
    rows = json.dumps({"instances": [[1]]}).encode()
    with Raw(hasty.port) as raw:
        raw.send(PREDICT + f"Content-Length: {100_000 + len(rows)}\r\n\r\n").send(b" " * 100_000)
        time.sleep(BODY * 2)
        assert statuses(raw.send(rows).all()) == [200]


def test_our_own_time_is_not_the_clients(start):
    """An upload that the disk takes more slowly than the client sends: the deadline is far below the whole, and never moves on."""
    daemon = start("--body-seconds", 1, "--min-rate", "1G")
    c = daemon.client(timeout=300)
    took, lines = 0, 100_000
    while took < 1.1 and lines < 20_000_000:  # no more than it takes: a client that gets no turn is slow, too
        text = "a,b,c\n" + f"1.25,word,{lines}.3333\n" * lines
        begun = time.monotonic()
        c.csv("large", text, query="?replace=true")
        took = time.monotonic() - begun
        lines *= 3
    if took < 1.1:
        pytest.skip("this machine takes everything within the deadline")


def slow_reader(port, request):
    """A connection with small buffers, which asked."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(30)
    one.connect(("127.0.0.1", port))
    one.sendall(request)
    return one


def large_predict():
    rows = json.dumps({"instances": [[0.1234567]] * 900_000}).encode()
    return f"{PREDICT}Content-Length: {len(rows)}\r\n\r\n".encode() + rows


@pytest.mark.parametrize("reads", [0, 256], ids=["nothing", "a-little"])
def test_an_answer_that_is_not_read(start, reads):
    """What it holds comes free long before the idle limit: others are answered again."""
    daemon = start("--request-memory", "2M", "--body-seconds", BODY, "--min-rate", RATE)
    c = double(daemon.client())
    with slow_reader(daemon.port, large_predict()) as slow:
        wait_for("the answer to be made", lambda: held(c) > 15_000_000)
        c.predict("m", [[1]], status=503)
        deadline = time.monotonic() + SOON
        while held(c):
            assert time.monotonic() < deadline, "it still holds its answer"
            if reads:
                slow.recv(reads)
            time.sleep(0.25)
        assert c.predict("m", [[1]])["predictions"] == [[2]]
        with pytest.raises(ConnectionResetError):  # and not a well-formed end
            while slow.recv(1 << 20):
                pass


def test_an_answer_that_is_read_slowly(start):
    """Above the least rate, for longer than the deadline alone: all of it comes."""
    daemon = start("--body-seconds", 2, "--min-rate", "4K")
    double(daemon.client())
    with slow_reader(daemon.port, large_predict()) as slow:
        begun, got = time.monotonic(), b""
        while time.monotonic() - begun < 6:
            got += slow.recv(1 << 16)
            time.sleep(0.1)
        size = int(got.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        size += len(got.partition(b"\r\n\r\n")[0]) + 4
        assert len(got) < size, "the test needs a larger answer"
        while len(got) < size:
            piece = slow.recv(1 << 20)
            assert piece, "cut"
            got += piece
    assert got.startswith(b"HTTP/1.1 200") and json.loads(got.partition(b"\r\n\r\n")[2])


def test_who_waits_for_us_is_not_cut(hasty):
    """Watchers, long polls, kept connections and slow computations last longer than all deadlines."""
    c = hasty.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/i", iris_model())
    c.put("/v1/models/long", {"inputs": 4, "outputs": 1, "layers": [700, 700, 700], "normalize": "none"})
    c.train("long", {"data": {"inputs": [[1, 2, 3, 4]] * 8, "targets": [[1]] * 8}, "epochs": 1, "validation": None, "batch_size": "full"})
    job = c.start("i", {"dataset": "iris", "epochs": 10_000_000, "early_stopping": None})
    waiting = c.start("i", {"dataset": "iris", "epochs": 1})["id"]
    kept = hasty.client()
    kept.get("/livez")
    found = {}

    def poll():
        one = hasty.client()
        tag = one.get(f"/v1/jobs/{waiting}").etag
        begun = time.monotonic()
        one.get(f"/v1/jobs/{waiting}", status=304, headers={"Prefer": f"wait={2 * BODY + 1}", "If-None-Match": tag})
        found["poll"] = time.monotonic() - begun

    def compute():
        one = hasty.client(timeout=120)
        count, took = 250, 0
        while took < BODY + 1 and count < 2_000_000:
            begun = time.monotonic()
            one.predict("long", [[1.5, -2, 0.25, 3]] * count)
            took = time.monotonic() - begun
            count *= 2
        found["compute"] = took

    stream = Stream(hasty.port, f"/v1/jobs/{waiting}/events")
    threads = [threading.Thread(target=each) for each in (poll, compute)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert found["poll"] > 2 * BODY and found["compute"] > BODY, found
    c.cancel(waiting)
    assert stream.until(lambda event: event.name == "state" and event.data.get("state") == "cancelled")
    c.cancel(job["id"])
    socket_before = kept.connection.sock
    kept.get("/livez")
    assert kept.connection.sock is socket_before, "it was connected anew"


def test_a_stop_waits_for_no_slow_client(start):
    daemon = start()
    c = double(daemon.client())
    del c
    with contextlib.ExitStack() as stack:
        for head in ("", "GET /li", PREDICT + "Content-Length: 10\r\n\r\n{", UPLOAD + "Content-Length: 10\r\n\r\na"):
            stack.enter_context(Raw(daemon.port)).send(head)
        daemon.stop()
