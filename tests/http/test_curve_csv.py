"""Every row of a long curve as CSV: none is missing, nothing grows with them, and what is cut off does not look whole."""
import http.client
import signal
import socket
import threading

import pytest

from harness import wait_for

STEPS, BATCHES = 1_100_000, 5
DATA = {"inputs": [[i] for i in range(BATCHES)], "targets": [[i] for i in range(BATCHES)]}


@pytest.fixture(scope="module")
def long(daemon):
    """A job with more points than an answer of JSON holds."""
    c = daemon.client()
    c.put("/v1/models/line", {"inputs": 1, "outputs": 1, "layers": [], "seed": 1})
    body = {"data": DATA, "epochs": STEPS // BATCHES, "batch_size": 1, "record": "step", "seed": 1, "optimizer": "sgd"}
    return c.train("line", body, seconds=120)["id"]


def take(daemon, job, query=""):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    connection.request("GET", f"/v1/jobs/{job}/curve{query}", headers={"Accept": "text/csv"})
    return connection.getresponse()


def test_every_row_and_no_memory(daemon, c, long):
    assert c.get(f"/v1/jobs/{long}/curve", status=422).pointers() == ["?points"]
    size = len(take(daemon, long).read())  # now the store's caches are warm
    before = daemon.resident()
    answer = take(daemon, long)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/csv"
    head = answer.readline().decode().strip().split(",")
    step, epoch = head.index("step"), head.index("epoch")
    grown = 0
    for i in range(1, STEPS + 1):
        cells = answer.readline().split(b",")
        assert int(cells[step]) == i and int(cells[epoch]) == (i - 1) // BATCHES + 1
        if i % 50_000 == 0:
            grown = max(grown, daemon.resident() - before)
    assert answer.read() == b""
    assert grown < size / 2, f"{grown >> 20} MiB more, of {size >> 20}"


def test_a_part_of_many(daemon, c, long):
    rows = take(daemon, long, "?from=1001&to=101000").read().splitlines()
    assert len(rows) == 1 + 100_000 * BATCHES
    assert rows[1].startswith(b"1001,5001,") and rows[-1].startswith(b"101000,505000,")
    few = c.request("GET", f"/v1/jobs/{long}/curve?from=7&to=8", status=200, headers={"Accept": "text/csv"})
    assert len(few.text.splitlines()) == 1 + 2 * BATCHES and few.etag


def test_those_that_leave_and_those_that_are_slow(daemon, c, long):
    before = daemon.sockets()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as raw:
            raw.sendall(f"GET /v1/jobs/{long}/curve HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\n\r\n".encode())
            raw.recv(100)
    slow = take(daemon, long)
    slow.read(1000)
    many = [threading.Thread(target=lambda: found.append(take(daemon, long, "?to=50000").read().count(b"\n"))) for _ in range(8)]
    found = []
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    assert found == [1 + 50_000 * BATCHES] * 8
    slow.close()
    wait_for("the sockets to go", lambda: daemon.sockets() <= before + 2)


def test_what_the_end_of_the_daemon_cut_off_does_not_look_whole(start):
    daemon = start()
    c = daemon.client()
    c.put("/v1/models/line", {"inputs": 1, "outputs": 1, "layers": [], "seed": 1})
    body = {"data": DATA, "epochs": 60_000, "batch_size": 1, "record": "step", "seed": 1, "optimizer": "sgd"}
    answer = take(daemon, c.train("line", body)["id"])
    answer.read(1000)
    daemon.stop(signal.SIGTERM)
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
