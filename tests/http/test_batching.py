"""Requests that share a product of a large network: the same bits as alone, everybody gets an own answer, nobody waits for ever."""
import json
import socket
import threading

import pytest

from data import by_hand
from harness import Daemon, wait_for
from test_metrics import read, value

ROWS = [[((i * 7 + j * 3) % 11) / 11 for j in range(8)] for i in range(40)]
DATA = {"inputs": ROWS, "targets": [["abc"[i % 3]] for i in range(len(ROWS))]}


def make(c, layers=(1000, 1000)):
    """A network that is worth sharing, and a version of it. One epoch gives it weights."""
    c.put("/v1/models/big", {"inputs": 8, "outputs": [{"name": "k", "type": "category", "values": ["a", "b", "c"]}],
                             "layers": list(layers), "normalize": "none", "seed": 3})
    c.train("big", {"data": DATA, "epochs": 1, "batch_size": "full", "validation": None, "optimizer": {"name": "sgd"}})
    return c


def paying(c):
    """Which versions in memory share, once big is loaded."""
    c.predict("big", ROWS[:1])
    return c.get("/v1/system")["batching"]["versions"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A daemon that shares and one that does not, with the same weights."""
    folder = tmp_path_factory.mktemp("sharing")
    (folder / "b").mkdir()
    with_it = Daemon(folder, "--workers", 1, "--loops", 2).run()
    make(with_it.client())
    with_it.stop()
    (folder / "b" / "x.db").write_bytes((folder / "x.db").read_bytes())
    if not paying(with_it.run().client()):
        with_it.stop()
        pytest.skip("sharing does not pay here")
    daemons = with_it, Daemon(folder / "b", "--loops", 2, "--no-batching").run()
    yield daemons
    for daemon in daemons:
        daemon.stop()


def together(askers, ask):
    """Calls ask(i) on so many threads at once; what they gave, in order."""
    found, faults = [None] * askers, []
    gate = threading.Barrier(askers)

    def run(i):
        try:
            gate.wait(30)
            found[i] = ask(i)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(askers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults, faults[0]
    return found


def infer(rows):
    return {"inputs": [{"name": "inputs", "shape": [len(rows), 8], "datatype": "FP32", "data": rows}]}


def shared(c):
    """(products, rows) so far."""
    found, _ = read(c)
    return value(found, "descentd_batch_rows_count"), value(found, "descentd_batch_rows_sum")


def test_it_is_measured_and_shown(both):
    with_it, without = (daemon.client() for daemon in both)
    for c in (with_it, without):
        c.predict("big", ROWS[:1])
    shown = with_it.get("/v1/system")["batching"]
    assert shown["enabled"] is True and [(v["model"], v["version"]) for v in shown["versions"]] == [("big", "1")]
    assert shown["versions"][0]["row_seconds"] > shown["versions"][0]["batched_row_seconds"] > 0
    assert without.get("/v1/system")["batching"] == {"enabled": False, "versions": []}
    with_it.put("/v1/models/small", {"inputs": 1, "outputs": 1, "layers": [], "normalize": "none"})
    with_it.post("/v1/models/small/versions", by_hand([[[2]]], [[0]]), status=201)
    with_it.predict("small", [[1]])
    assert [v["model"] for v in with_it.get("/v1/system")["batching"]["versions"]] == ["big"]


def test_the_same_bits(both):
    """Forty clients at once, each with rows of its own, in every dialect."""
    with_it, without = both
    for daemon in both:
        daemon.client().predict("big", ROWS[:1])

    def ask(daemon, i):
        c = daemon.client()
        rows = ROWS[i:i + 1 + i % 3]
        return [[c.predict("big", rows).body, c.post("/v1/models/big:classify", {"examples": [{f"x{n}": x for n, x in enumerate(row)} for row in rows]}).body,
                 c.post("/v2/models/big/infer", infer(rows)).body, c.post("/v1/models/big:predict", {"inputs": rows}).body]
                for _ in range(3)]

    before = shared(with_it.client())
    found = together(len(ROWS), lambda i: ask(with_it, i))
    products, rows = (now - then for now, then in zip(shared(with_it.client()), before))
    assert found == [ask(without, i) for i in range(len(ROWS))]
    assert rows > products > 0, "nobody shared"
    assert shared(without.client()) == (0, 0)
    assert value(read(with_it.client())[0], "descentd_batch_waiting_requests") == 0


def test_bad_ones_among_them(both):
    """A fault is its sender's alone."""
    with_it, without = both

    def ask(daemon, i):
        c = daemon.client()
        if i % 4 == 0:
            return c.predict("big", [[1, 2]], status=400).body
        if i % 4 == 1:
            return c.post("/v2/models/big/infer", infer(ROWS[:1])["inputs"][0], status=400).body
        return c.predict("big", [ROWS[i], [None] + ROWS[i][1:]]).body

    assert together(24, lambda i: ask(with_it, i)) == [ask(without, i) for i in range(24)]


def test_more_rows_than_are_shared(both):
    with_it, without = both
    for n in (15, 16, 17, 40):
        assert together(8, lambda i: with_it.client().predict("big", ROWS[:n]).body) == [without.client().predict("big", ROWS[:n]).body] * 8


def test_clients_that_leave(both):
    """What they asked is computed for nobody; the others get theirs."""
    daemon = both[0]
    c = daemon.client()
    expected = c.predict("big", ROWS[:1]).body
    sockets = daemon.sockets()
    body = json.dumps({"instances": ROWS[:1]}).encode()
    head = f"POST /v1/models/big:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def ask(i):
        for _ in range(10):
            if i % 2:
                with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as left:
                    left.sendall(head + body)
            else:
                assert daemon.client().predict("big", ROWS[:1]).body == expected
        return True

    assert all(together(16, ask))
    wait_for("the connections to be gone", lambda: daemon.sockets() <= sockets + 1)
    assert c.predict("big", ROWS[:1]).body == expected


def test_versions_come_meanwhile(start):
    """Each answer is wholly of the version that it names."""
    daemon = start("--workers", 1)
    c = make(daemon.client())
    answers = {"1": c.predict("big", ROWS[:1])["predictions"]}

    def ask(i):
        mine = daemon.client()
        if i == 0:
            for seed in (1, 2, 3):
                mine.train("big", {"data": DATA, "epochs": 1, "seed": seed,
                                   "validation": None, "batch_size": "full"})
            return []
        return [mine.predict("big", ROWS[:1]).json for _ in range(25)]

    for answer in sum(together(9, ask), []):
        version = answer["model_version"]
        if version not in answers:
            answers[version] = c.predict("big", ROWS[:1], f"/versions/{version}")["predictions"]
        assert answer["predictions"] == answers[version]


def test_it_stops_with_requests_under_way(start):
    daemon = start("--workers", 1)
    make(daemon.client())

    def ask(i):
        c = daemon.client()
        if i == 0:
            daemon.stop()
            return True
        try:
            while True:
                c.predict("big", ROWS[:1], status=(200, 503))
        except OSError:
            return True
        except Exception as fault:  # http.client: the connection was closed
            return "RemoteDisconnected" in repr(fault) or "BadStatusLine" in repr(fault) or "CannotSend" in repr(fault)

    assert all(together(8, ask))


def test_a_network_too_wide_to_share(start):
    """What a thread computes with holds fewer rows of it than others may bring: their rows lay behind its end."""
    c = make((daemon := start("--workers", 1)).client(), (20_000, 100))
    alone = c.predict("big", ROWS[:16]).body
    assert together(12, lambda i: [daemon.client().predict("big", ROWS[:16]).body for _ in range(3)]) == [[alone] * 3] * 12
    infer_alone = c.post("/v2/models/big/infer", infer(ROWS[:16])).body
    assert together(12, lambda i: daemon.client().post("/v2/models/big/infer", infer(ROWS[:16])).body) == [infer_alone] * 12
