"""--audit-log: a line for each change, before its answer; who, what, when, from where, with which status, and no secrets."""
import json
import re
import signal
import socket
import stat
import threading
import time

import pytest

from data import example, iris_model
from harness import wait_for
from test_token_command import control
from test_unix import Local
from tokens import ROOT, bearer, comes_from, command, guarded, holder, root

MARKER = "marker-that-nobody-must-see"


@pytest.fixture
def kept(tmp_path):
    """A daemon with an audit log; kept.lines() are its lines."""
    class Kept:
        path = tmp_path / "audit"
        daemon = guarded(tmp_path, "--audit-log", tmp_path / "audit")

        def lines(self, path=None):
            return [json.loads(line) for line in (path or self.path).read_text().splitlines()]
    kept = Kept()
    kept.daemon.run()
    yield kept
    kept.daemon.kill()


def test_a_line_for_each_change(kept):
    c = root(kept.daemon)
    who = comes_from(holder(kept.daemon), "127.0.0.7")
    before = time.time()
    who.csv("iris", example("iris"), query="?types=species:category")
    who.put("/v1/models/m", iris_model(seed=1))
    who.put("/v1/models/m", iris_model(seed=1), status=200)
    who.put("/v1/models/m", iris_model(seed=2), status=409)
    who.put("/v1/models/n", {"inputs": 0}, status=422)
    who.patch("/v1/models/m", {"description": "x"})
    job = who.start("m", {"dataset": "iris", "epochs": 1})["id"]
    c.ended(job)
    who.put("/v1/models/m/labels/stable", {"version": "1"}, status=(200, 201))
    who.delete("/v1/models/none", status=404)
    who.delete(f"/v1/jobs/{job}")
    lines = kept.lines()[1:]
    found = [(line["method"], line["path"], line["status"], line.get("location")) for line in lines]
    label = found.pop(-3)
    assert label[:2] == ("PUT", "/v1/models/m/labels/stable") and label[2] in (200, 201)
    assert found == [("PUT", "/v1/datasets/iris", 201, "/v1/datasets/iris"), ("PUT", "/v1/models/m", 201, "/v1/models/m"), ("PUT", "/v1/models/m", 200, None),
                     ("PUT", "/v1/models/m", 409, None), ("PUT", "/v1/models/n", 422, None), ("PATCH", "/v1/models/m", 200, None),
                     ("POST", "/v1/models/m:train", 202, f"/v1/jobs/{job}"), ("DELETE", "/v1/models/none", 404, None), ("DELETE", f"/v1/jobs/{job}", 204, None)]
    for line in lines:
        assert (line["token"], line["name"], line["address"]) == (who.id, who.made["name"], "127.0.0.7")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert lines[0]["time"] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_tokens_and_their_owner(kept):
    c = root(kept.daemon)
    made = c.post("/v1/tokens", {"name": "a", "roles": ["read"]}, status=201)
    c.delete(f"/v1/tokens/{made['id']}")
    command(kept.daemon.database, "create", "b")
    Local(control(kept.daemon)).ask("DELETE", "/v1/models/none", status=404)
    lines = kept.lines()
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/v1/tokens", 201), ("DELETE", f"/v1/tokens/{made['id']}", 204), ("POST", "/v1/tokens", 201), ("DELETE", "/v1/models/none", 404)]
    assert all(line["token"] is None and "name" not in line for line in lines)
    assert ["owner" in line for line in lines] == [False, False, True, True]
    assert lines[0]["address"] == "127.0.0.1" and lines[2]["address"] is None


def test_none_for_what_only_reads(kept):
    c = root(kept.daemon)
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    c.train("m", {"dataset": "iris", "epochs": 1})
    count = len(kept.lines())
    for path in ("/v1/models", "/v1/models/m", "/v1/datasets/iris/rows", "/v1/jobs", "/metrics", "/livez", "/v1/tokens", "/nowhere"):
        c.get(path, status=(200, 404))
        c.request("HEAD", path, status=(200, 404))
        c.request("OPTIONS", path, status=(204, 404))
    c.predict("m", [[1, 2, 3, 4]])
    c.post("/v1/models/m:evaluate", {"dataset": "iris"})
    c.post("/v1/models/m:explain", {"instances": [[1, 2, 3, 4]]})
    c.request("POST", "/v2/repository/index", status=200)
    assert len(kept.lines()) == count


def test_what_the_gate_refuses_is_in_the_log_alone(kept):
    """Else somebody without a token could fill a disk with lines."""
    reads = holder(kept.daemon, "read")
    count = len(kept.lines())
    reads.put("/v1/models/m", {"inputs": 1, "outputs": 1}, status=403)
    kept.daemon.client().delete("/v1/models/m", status=401)
    root(kept.daemon).request("PUT", "/v1/models/m", body="x", headers={"Content-Type": "text/plain"}, status=415)
    assert len(kept.lines()) == count
    wait_for("the log to have them", lambda: {(line.get("method"), line.get("status")) for line in kept.daemon.log_lines()} >= {
        ("PUT", 403), ("DELETE", 401), ("PUT", 415)}, 10)


def test_a_path_of_any_bytes(kept):
    """One that was no text made a line that was no JSON, at which a reader stops."""
    with socket.create_connection(("127.0.0.1", kept.daemon.port), timeout=30) as s:
        s.sendall(b'DELETE /v1/models/\xff"\\\xc3\xa9\xe2\x80 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ' + ROOT.encode() + b"\r\n\r\n")
        assert s.makefile("rb").readline().split()[1] == b"404"
    root(kept.daemon).delete("/v1/models/none", status=404)
    assert [line["path"] for line in kept.lines()] == ['/v1/models/?"\\é??', "/v1/models/none"]


def test_uploads_that_fail(kept):
    """At their head, in the middle, at the end; and what a limited token asks of a job that is none of its own."""
    c = root(kept.daemon)
    c.csv("d", "a,b\n1,2\n", status=201)
    for query, text, status in (("?types=z:number", "a,b\n1,2\n", 422), ("?replace=true", "a,b\n1,2\n3\n", (400, 422)), ("", "a,b\n1,3\n", 409),
                                ("?replace=perhaps", "a\n1\n", 422)):
        c.csv("d", text, query=query, status=status)
    lines = kept.lines()
    assert [line["status"] for line in lines[:1] + lines[3:]] == [201, 409, 422] and lines[1]["status"] == 422 and lines[2]["status"] in (400, 422)
    c.put("/v1/models/m", {"inputs": 2, "outputs": 1})
    c.post("/v1/models/m:train", {"data": {"inputs": [[1, 2]], "targets": [[1]]}, "epochs": 1}, status=202)
    other = holder(kept.daemon, models=["x*"])
    other.delete("/v1/jobs/1", status=403)
    assert (kept.lines()[-1]["status"], kept.lines()[-1]["token"]) == (403, other.id)


def test_no_secrets_and_no_data(kept):
    c = root(kept.daemon)
    who = holder(kept.daemon)
    who.csv("d", f"a,{MARKER}\n1,2\n", query=f"?types={MARKER}:category", headers={"Idempotency-Key": MARKER, "Referer": MARKER, "User-Agent": MARKER})
    who.put("/v1/models/m", {"inputs": 1, "outputs": 1, "description": MARKER})
    who.put("/v1/models/n", {MARKER: 1}, status=422)
    who.csv("e", f"a\n{MARKER}\n", query=f"?types=a:number&x={MARKER}", status=422)
    who.post("/v1/models/m:train", {"data": {"inputs": [[1]], "targets": [[MARKER]]}}, status=422)
    c.post("/v1/session", None)
    text = kept.path.read_text()
    assert MARKER not in text and "?" not in text
    for secret in (ROOT, who.made["token"], who.made["token"][4:], "session_"):
        assert secret not in text


def test_paths_cannot_break_a_line(kept):
    c = root(kept.daemon)
    for path in ("/v1/models/%22%7D", "/v1/models/%0a%7B", "/v1/models/%C3%A4", "/v1/models/%ff", '/v1/models/a"b'):
        c.request("DELETE", path, status=(400, 404, 422))
    assert all(line["path"].startswith("/v1/models/") for line in kept.lines())


def test_its_mode(kept):
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600


def test_it_goes_on_after_a_restart(kept):
    root(kept.daemon).delete("/v1/models/a", status=404)
    kept.daemon.stop()
    kept.daemon.run()
    root(kept.daemon).delete("/v1/models/b", status=404)
    assert [line["path"] for line in kept.lines()] == ["/v1/models/a", "/v1/models/b"]


def test_it_is_opened_again(kept):
    """As logrotate does: moved away, then SIGHUP."""
    c, moved = root(kept.daemon), kept.path.with_name("moved")
    c.delete("/v1/models/a", status=404)
    kept.path.rename(moved)
    c.delete("/v1/models/b", status=404)
    assert not kept.path.exists()
    kept.daemon.process.send_signal(signal.SIGHUP)
    wait_for("the file to be there again", kept.path.exists, 10)
    c.delete("/v1/models/c", status=404)
    wait_for("the old one to be let go", lambda: str(moved) not in kept.daemon.descriptors().values(), 10)
    c.delete("/v1/models/d", status=404)
    paths = [line["path"][-1] for file in (moved, kept.path) for line in kept.lines(file)]
    assert paths == list("abcd"), "no line is lost, none is there twice"
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600


def test_one_that_cannot_be_opened_again(kept):
    """It goes on with the old one, and says so."""
    c, moved = root(kept.daemon), kept.path.with_name("moved")
    kept.path.rename(moved)
    kept.path.mkdir()
    kept.daemon.process.send_signal(signal.SIGHUP)
    wait_for("the log to say it", lambda: "--audit-log" in kept.daemon.log(), 10)
    c.delete("/v1/models/a", status=404)
    assert [line["path"] for line in kept.lines(moved)] == ["/v1/models/a"]


def test_a_full_disk(tmp_path):
    """Changes go on, and the log says so, once for all that fail in a row."""
    (tmp_path / "token").write_text(ROOT)
    daemon = guarded(tmp_path, "--audit-log", "/dev/full").run()
    try:
        c = root(daemon)
        for i in range(5):
            c.put(f"/v1/models/m{i}", {"inputs": 1, "outputs": 1})
        wait_for("the log to say it", lambda: "--audit-log" in daemon.log(), 10)
        daemon.stop()
        assert len([line for line in daemon.log_lines() if "--audit-log" in line.get("message", "")]) == 1
    finally:
        daemon.kill()


def test_one_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / "not" / "there", tmp_path):
        code, said = guarded(tmp_path, "--audit-log", path).refused()
        assert code == 1 and "--audit-log" in said and str(path) in said


def test_lines_stay_whole(kept):
    """Eight at once: each line is there before its answer, and whole."""
    faults = []

    def change(number):
        try:
            c = root(kept.daemon)
            for i in range(40):
                path = f"/v1/models/{'x' * 40}-{number}-{i}"
                c.delete(path, status=404)
                assert path in kept.path.read_text(), "before the answer"
        except BaseException as fault:  # reported below
            faults.append(fault)
    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults, faults[0]
    assert len({line["path"] for line in kept.lines()}) == 320
