"""Versions change under the requests: each answer is wholly of the version that it names, and never of one before a version
that was answered from already. SWAP=1000000 asks as often."""
import json
import os
import socket
import threading

from data import example, iris_model

ASKS = int(os.environ.get("SWAP", 30_000))
ASKERS = 3
VERSIONS = 10  # at least, that each of them sees
ROWS = [[4.3 + i / 10, 2.0 + i / 15, 1.0 + i / 6, 0.1 + i / 16] for i in range(36)]


class Connection:
    """As little as a client can be, to ask often."""

    def __init__(self, port, path, document):
        body = json.dumps(document).encode()
        self.request = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.rest = b""

    def ask(self):
        self.socket.sendall(self.request)
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(self.rest) < length:
            self.more()
        body, self.rest = self.rest[:length], self.rest[length:]
        return body

    def more(self):
        piece = self.socket.recv(65536)
        assert piece
        self.rest += piece


def test_answers_are_of_one_version(start):
    daemon = start("--workers", "1")
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model())
    c.train("m", {"dataset": "iris", "epochs": 3, "seed": 1})
    found = [{} for _ in range(ASKERS)]
    faults = []

    def ask(mine):
        try:
            connection = Connection(daemon.port, "/v1/models/m:predict", {"instances": ROWS})
            last = asked = 0
            while asked < ASKS // ASKERS or len(mine) < VERSIONS:
                asked += 1
                body = connection.ask()
                version = int(body.rpartition(b'"model_version":"')[2].partition(b'"')[0])
                assert version >= last, f"version {version} after {last}"
                last = version
                assert mine.setdefault(version, body) == body, f"two answers of version {version}"
        except Exception as fault:
            faults.append(fault)

    askers = [threading.Thread(target=ask, args=(mine,)) for mine in found]
    for asker in askers:
        asker.start()
    seed = 1
    while any(asker.is_alive() for asker in askers) and seed < 10_000:
        seed += 1
        c.train("m", {"dataset": "iris", "epochs": 3, "seed": seed})
    for asker in askers:
        asker.join()
    assert not faults, faults[0]
    versions = set().union(*found)
    answers = {}
    for version in versions:
        answers[version] = Connection(daemon.port, f"/v1/models/m/versions/{version}:predict", {"instances": ROWS}).ask()
        assert all(mine.get(version, answers[version]) == answers[version] for mine in found), f"not what version {version} says"
    assert len({json.dumps(json.loads(answer)["predictions"]) for answer in answers.values()}) == len(versions)
