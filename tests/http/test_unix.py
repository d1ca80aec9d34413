"""--listen unix:/PATH: a socket on this machine, its mode, and what is there before and after."""
import http.client
import json
import os
import signal
import socket
import stat

import pytest

from data import by_hand
from harness import CONTRACT, Answer, wait_for


class Local(http.client.HTTPConnection):
    """Over a socket's file."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self.path))

    def ask(self, method, path, body=None, headers=None, status=200):
        self.request(method, path, body, headers or {})
        response = self.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        CONTRACT.check(method, path, answer, None)
        assert answer.status == status, answer.body
        return answer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s"


def listen(start, path, *more, **how):
    return start("--listen", f"unix:{path}", *more, listen=None, **how)


def test_it_serves(start, path):
    daemon = listen(start, path)
    assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o600
    c = Local(path)
    c.ask("GET", "/livez")
    c.ask("PUT", "/v1/models/m", b'{"inputs":1,"outputs":1,"layers":[],"normalize":"none"}', {"Content-Type": "application/json"}, 201)
    c.ask("POST", "/v1/models/m/versions", json.dumps(by_hand([[[2]]], [[0]])), {"Content-Type": "application/json"}, 201)
    assert c.ask("POST", "/v1/models/m:predict", b'{"instances":[[3]]}')["predictions"] == [[6]]
    c.ask("GET", "/livez", headers={"Host": "evil.example"})  # a probe
    c.ask("GET", "/v1/models", headers={"Host": "evil.example"}, status=421)
    daemon.says(str(path))
    assert not [line for line in daemon.log_lines() if line["level"] == "error"], "it was said for each answer that this is not TCP"
    daemon.stop()
    assert not path.exists()


@pytest.mark.parametrize("mode, found", [("660", 0o660), ("0606", 0o606), ("777", 0o777)])
def test_its_mode(start, path, mode, found):
    before = os.umask(0o77)  # which has no say
    try:
        listen(start, path, "--socket-mode", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == found


def test_its_options_are_read_again(start, path, tmp_path):
    """SIGHUP changed nothing, as the path was taken for HOST:PORT."""
    more = tmp_path / "more.conf"
    more.write_text("")
    daemon = listen(start, path, "--config", more)
    Local(path).ask("GET", "/v1/models", headers={"Host": "models.example"}, status=421)
    more.write_text("allow-host = models.example\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for("the log to say it", lambda: "changed: --allow-host" in daemon.log())
    Local(path).ask("GET", "/v1/models", headers={"Host": "models.example"})
    Local(path).ask("GET", "/v1/models", headers={"Host": "localhost"})


def test_what_a_kill_left_is_replaced(start, path):
    daemon = listen(start, path)
    daemon.kill()
    assert path.exists()
    daemon = listen(start, path)
    Local(path).ask("GET", "/readyz")
    code, said = listen(start, path, run=False).refused()
    assert code == 1 and "listens on" in said and path.exists()  # who listens is left alone
    Local(path).ask("GET", "/readyz")
    daemon.stop()


def test_other_files_are_left_alone(start, path):
    path.write_text("mine")
    code, said = listen(start, path, run=False).refused()
    assert code == 1 and "no socket" in said and path.read_text() == "mine"


@pytest.mark.parametrize("address, mode", [("unix:", "600"), ("unix:relative", "600"), ("unix:/tmp/" + "x" * 200, "600"),
                                           ("unix:/nowhere/at/all", "600"), ("unix:/tmp/x", "800"), ("unix:/tmp/x", "rw"), ("unix:/tmp/x", "1777")])
def test_what_is_refused(start, address, mode):
    code, said = start("--listen", address, "--socket-mode", mode, listen=None, run=False).refused()
    assert code in (1, 2) and ("--listen" in said or "--socket-mode" in said or "cannot listen" in said)


def test_a_client_that_leaves(start, path):
    daemon = listen(start, path)
    c = Local(path)
    c.ask("GET", "/livez")
    sockets = daemon.sockets()
    with socket.socket(socket.AF_UNIX) as left:
        left.connect(str(path))
        left.sendall(b"PUT /v1/datasets/d HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n\r\na,b\n1,")
    wait_for("the socket to be closed", lambda: daemon.sockets() <= sockets)
    c.ask("GET", "/v1/datasets/d", status=404)
