"""Many connections: a limit in all and for each address, health from a reserve, no descriptor left, and clients that vanish."""
import contextlib
import os
import re
import resource
import socket
import struct
import time

import pytest

from data import example, iris_model
from harness import BINARY, wait_for
from sse import Stream
from test_pressure import VITAL, double
from test_raw_http import HOST, JSON, Raw, statuses

RESERVE, RESERVE_SHARE = 64, 16


def dial(port, count=1, source="127.0.0.1"):
    """So many idle connections from an address of this machine."""
    return [socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0)) for _ in range(count)]


def heard(one, end):
    """What comes, up to this end."""
    found = b""
    while not found.endswith(end):
        piece = one.recv(65536)
        assert piece, f"closed behind {found}"
        found += piece
    return found


@contextlib.contextmanager
def idle(port, count, source="127.0.0.1"):
    """The same, until the end of the block; each has been let in."""
    held = []
    try:
        for _ in range(count):
            held += dial(port, 1, source)
            held[-1].sendall(f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode())
            assert heard(held[-1], b'{"status":"ok"}').startswith(b"HTTP/1.1 200")
        yield held
    finally:
        for one in held:
            one.close()


def ask(port, path="/livez", source="127.0.0.1", close=True):
    """(status, head) of one GET on a connection of its own; status 0: closed without an answer."""
    (one,) = dial(port, 1, source)
    answer = b""
    with one, contextlib.suppress(ConnectionError):
        one.sendall(f"GET {path} HTTP/1.1\r\n{HOST}".encode() + b"Connection: close\r\n" * close + b"\r\n")
        while b"\r\n\r\n" not in answer and (piece := one.recv(65536)):
            answer += piece
    head = answer.partition(b"\r\n\r\n")[0].decode()
    return (int(head.split()[1]), head) if head else (0, "")


def answers(port, **more):
    return lambda: ask(port, **more)[0] == 200


# ---- limits ----

def expect_reserve(port, source="127.0.0.1"):
    """Only what is vital is answered, and the connection ends with it."""
    for path in VITAL:
        status, head = ask(port, path, source, close=False)
        assert status == 200 and "\r\nConnection: close" in head, (path, head)
    for path in ("/v1/models", "/nothing", "/v1/catalog"):
        status, head = ask(port, path, source, close=False)
        assert status in (404, 503) and "\r\nConnection: close" in head, (path, head)
    status, head = ask(port, "/v1/models", source)
    assert status == 503 and "\r\nRetry-After: " in head


def test_a_limit_for_each_address(start):
    daemon = start("--max-connections-per-address", 10)
    with idle(daemon.port, 10):
        expect_reserve(daemon.port)
        assert ask(daemon.port, "/v1/models", "127.0.0.2")[0] == 200, "another address has its own"
    wait_for("places to be free", answers(daemon.port, path="/v1/models"))


def test_a_limit_for_all(start):
    daemon = start("--max-connections", 20)
    with idle(daemon.port, 10, "127.0.0.1"), idle(daemon.port, 10, "127.0.0.2") as kept:
        expect_reserve(daemon.port, "127.0.0.3")
        kept[0].sendall(f"GET /v1/models HTTP/1.1\r\n{HOST}\r\n".encode())
        assert heard(kept[0], b"}").startswith(b"HTTP/1.1 200"), "who has a place goes on"
    wait_for("places to be free", answers(daemon.port, path="/v1/models"))


def test_a_body_on_a_reserve_connection_is_not_awaited(start):
    daemon = start("--max-connections", 1)
    with idle(daemon.port, 1), Raw(daemon.port) as raw:
        raw.send(f"POST /v1/models/m:predict HTTP/1.1\r\n{HOST}{JSON}Content-Length: 1000\r\n\r\n")
        assert statuses(raw.all()) == [503]


def test_the_reserve_cannot_be_locked_up(start):
    """One address gets a part of it, and nobody stays."""
    daemon = start("--max-connections", 4)
    with idle(daemon.port, 4), contextlib.ExitStack() as stack:
        def crowd(last):
            """They come anew: on a slow machine the first have been ended before the last are there."""
            stack.close()
            for i in range(1, last + 1):
                for one in dial(daemon.port, RESERVE_SHARE + 5, f"127.0.0.{i}"):
                    stack.enter_context(one)

        wait_for("one address to have its part", lambda: crowd(1) or ask(daemon.port)[0] == 0)
        assert ask(daemon.port, source="127.0.0.2")[0] == 200
        wait_for("all to be taken", lambda: crowd(5) or ask(daemon.port, source="127.0.0.9")[0] == 0)
        wait_for("the silent to be ended", answers(daemon.port, source="127.0.0.9"), 20)
        wait_for("the silent to be ended", answers(daemon.port), 20)


def test_a_socket_file_has_no_address(start, tmp_path):
    path = tmp_path / "s"
    start("--max-connections-per-address", 2, listen=f"unix:{path}")
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(30)
            one.connect(str(path))
            one.sendall(f"GET /v1/models HTTP/1.1\r\n{HOST}\r\n".encode())
            assert heard(one, b"}").startswith(b"HTTP/1.1 200")


# ---- descriptors ----

def cpu_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def limit_descriptors(daemon, more):
    """It may open so many more than it has, and what it closes; (how many in all, what held before)."""
    hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)[1]
    limit = max(daemon.descriptors()) + 1 + more
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (limit, hard))
    return limit, hard


@pytest.mark.parametrize("more", [0, 10])
def test_out_of_descriptors(start, more):
    """Nothing spins, health is answered from what was set aside, and all is well when there are some again."""
    daemon = start()
    double(daemon.client())
    limit, hard = limit_descriptors(daemon, more)
    with contextlib.ExitStack() as stack:

        def gone():
            """One connection more than there are descriptors, also when one that was counted is closed by now."""
            for one in dial(daemon.port, 1 + max(limit - len(daemon.descriptors()), 0)):
                stack.enter_context(one)
            time.sleep(0.2)
            return "no file descriptors left" in daemon.log()

        wait_for("the descriptors to be gone", gone)
        before, begun = cpu_seconds(daemon), time.monotonic()
        lines = len(daemon.log().splitlines())
        time.sleep(3)
        spent, took = cpu_seconds(daemon) - before, time.monotonic() - begun
        assert spent < took / 4, f"{spent} s of CPU in {took} s"
        assert len(daemon.log().splitlines()) - lines < 20
        wait_for("health", answers(daemon.port))
        wait_for("readiness", answers(daemon.port, path="/readyz"))
        wait_for("nothing else", lambda: ask(daemon.port, "/v1/models")[0] == 503)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    wait_for("it to recover", answers(daemon.port, path="/v1/models"))
    wait_for("it to say so", lambda: "descriptors again" in daemon.log())
    assert daemon.client().predict("m", [[2]])["predictions"] == [[4]]


def test_a_low_limit_of_the_system(start, tmp_path):
    """It is told, and connections are fewer, so that the rest has its descriptors."""
    wrapper = tmp_path / "limited"
    wrapper.write_text(f"#!/bin/sh\nulimit -n 300\nexec {BINARY} \"$@\"\n")
    wrapper.chmod(0o755)
    daemon = start("--max-connections", 500, binary=wrapper)
    wait_for("it to be told", lambda: "--max-connections is 44 and not 500" in daemon.log())
    with idle(daemon.port, 44):
        expect_reserve(daemon.port)
        assert "descriptors left" not in daemon.log()


# ---- many ----

def allow_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def test_ten_thousand_idle_connections(start):
    count = min(10_000, allow_files(10_200) - 200)
    daemon = start("--header-seconds", 600)
    double(daemon.client())
    before = daemon.resident()
    with contextlib.ExitStack() as stack:
        for i in range(count):
            (one,) = dial(daemon.port)
            stack.enter_context(one)
            one.sendall(f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode() if i % 2 else b"GET /li")
        c = daemon.client()
        slowest = 0
        for _ in range(50):
            begun = time.monotonic()
            c.get("/livez")
            assert c.predict("m", [[2]])["predictions"] == [[4]]
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 5
        wait_for("all to be let in", lambda: daemon.sockets() >= count, 60)
        assert daemon.resident() - before < count * 20_000, "bytes a connection"
    wait_for("all to be gone", lambda: daemon.sockets() < 20, 60)


def vanish(stream, by):
    one = stream.connection.sock or stream.response.fp.raw._sock
    if by == "RST":
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    stream.leave()


@pytest.mark.parametrize("by", ["RST", "FIN"])
def test_a_thousand_watchers_that_vanish(start, by):
    allow_files(3000)
    daemon = start("--workers", 1)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/i", iris_model())
    job = c.start("i", {"dataset": "iris", "epochs": 10_000_000, "early_stopping": None})["id"]
    stays = Stream(daemon.port, f"/v1/jobs/{job}/events")
    memory = []
    for _ in range(3):
        before = daemon.sockets()
        watchers = [Stream(daemon.port, f"/v1/jobs/{job}/events") for _ in range(1000)]
        assert daemon.sockets() > 1000
        for one in watchers:
            vanish(one, by)
        wait_for("their descriptors to come back", lambda most=before: daemon.sockets() <= most, 60)
        memory.append(daemon.resident())
        assert stays.until(lambda event: event.name in ("epoch", "epochs")), "others go on"
    assert memory[2] < memory[0] + (32 << 20), memory
    c.cancel(job)
    assert stays.until(lambda event: event.name == "state" and event.data["state"] == "cancelled")


# ---- one connection, many pieces ----

def test_who_vanishes_is_no_fault_of_the_daemon(start):
    """Clients come and go; whoever looks for errors in the log at night finds none of theirs."""
    daemon = start("--log-level", "debug")
    heads = (b"GET /v1/mod", b"PUT /v1/datasets/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\na,b\n1,",
             b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /v1/models HTTP/1.1\r\n\r\n",
             b"PUT /v1/datasets/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n")
    def vanish():
        for head in heads:
            one, = dial(daemon.port)
            one.sendall(head)
            time.sleep(0.01)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves by RST
            one.close()
        return sum(line["level"] == "debug" for line in daemon.log_lines()) > 3

    wait_for("words of it", vanish)
    daemon.client().get("/v1/models")
    daemon.stop()
    assert not [line for line in daemon.log_lines() if line["level"] == "error"], daemon.log()


def test_fifty_requests_at_once(start):
    """Answered in their order, whoever answers: a loop, the pool, or a refusal."""
    daemon = start()
    c = double(daemon.client())
    c.csv("iris", example("iris"))
    text, wanted = "", []
    for i in range(10):
        rows = '{"instances":[[%d]]}' % i
        text += f"GET /livez HTTP/1.1\r\n{HOST}\r\n"
        text += f"POST /v1/models/m:predict HTTP/1.1\r\n{HOST}{JSON}Content-Length: {len(rows)}\r\n\r\n{rows}"
        text += f"GET /nothing/{i} HTTP/1.1\r\n{HOST}\r\n"
        text += f"PUT /v1/datasets/d{i} HTTP/1.1\r\n{HOST}Content-Type: text/csv\r\nContent-Length: 6\r\n\r\na\n{i}\n9\n"
        text += f"GET /v1/datasets/d{i} HTTP/1.1\r\n{HOST}\r\n"
        wanted += [200, 200, 404, 201, 200]
    with Raw(daemon.port, timeout=60) as raw:
        answer = raw.send(text).all(quiet=3)
    assert statuses(answer) == wanted
    places = [answer.index(b"[[%d" % (2 * i)) for i in range(10)]
    assert places == sorted(places)
    names = re.findall(rb'"name":"(d\d)"', answer)
    assert names == sorted(names) and len(set(names)) == 10


@pytest.mark.parametrize("where", ["predict", "upload"])
def test_a_million_chunks_of_a_byte(start, where):
    """Answered rightly, and twice as many take twice as long."""
    daemon = start()
    double(daemon.client())
    spent = []
    for size in (250_000, 1_000_000):
        if where == "predict":
            body = b'{"instances":[[21]]' + b" " * (size - 20) + b"}"
            head = f"POST /v1/models/m:predict HTTP/1.1\r\n{HOST}{JSON}"
        else:
            body = b"a\n" + b"7\n" * (size // 2 - 1)
            head = f"PUT /v1/datasets/d{size} HTTP/1.1\r\n{HOST}Content-Type: text/csv\r\n"
        assert len(body) == size
        wire = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        before = cpu_seconds(daemon)
        with Raw(daemon.port, timeout=120) as raw:
            answer = raw.send(f"{head}Transfer-Encoding: chunked\r\n\r\n").send(wire).all()
        spent.append(cpu_seconds(daemon) - before)
        assert statuses(answer) == [200 if where == "predict" else 201]
        if where == "predict":
            assert b"[[42]]" in answer.replace(b".0", b"")
        else:
            assert daemon.client().get(f"/v1/datasets/d{size}")["rows"] == size // 2 - 1
    print(f"{where}: {spent} s of CPU")
    assert spent[1] < 60 and spent[1] < 4 * 3 * max(spent[0], 0.2)
