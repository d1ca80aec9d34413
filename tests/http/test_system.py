"""The daemon about itself: health, system, its own contract, and the access log."""
import json
import time

import pytest

from data import by_hand
from fields import covers
from harness import CONTRACT, wait_for


@covers("readyz?verbose")
def test_health(c):
    assert c.get("/livez").json == {"status": "ok"}
    assert c.get("/readyz").json == {"status": "ok"}
    for query in ("?verbose", "?verbose=", "?verbose=true"):
        assert c.get(f"/readyz{query}")["checks"]
    assert c.get("/readyz?loud", status=422).pointers() == ["?loud"]


def test_probes_by_any_address(c):
    """A probe comes by an address that is on no list."""
    for path in ("/livez", "/readyz"):
        c.get(path, headers={"Host": "10.1.2.3:8420"})
    c.get("/v1/system", headers={"Host": "10.1.2.3:8420"}, status=421)


def test_system(c, daemon, iris, fresh):
    before = c.get("/v1/system").json
    assert before["threads"]["workers"] == 2 and before["threads"]["threads"] == 2
    assert before["store"]["path"].endswith(daemon.database.name)
    assert before["store"]["file_bytes"] > 0 and before["engine"]["name"]
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1]]], [[0]]), status=201)
    after = c.get("/v1/system").json
    assert after["store"]["models"] == before["store"]["models"] + 1
    assert after["store"]["versions"] == before["store"]["versions"] + 1
    assert after["uptime_seconds"] >= before["uptime_seconds"]
    assert after["started_at"] == before["started_at"]


def test_the_engine_is_the_one_in_versions(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", {"dataset": "iris", "target": "species"})
    c.train(fresh, {"dataset": "iris", "epochs": 1})
    assert c.get("/v1/system")["engine"]["name"] in c.get(f"/v1/models/{fresh}/versions/1")["engine"]


def test_it_serves_its_contract(c):
    assert c.get("/openapi.json").json == json.loads(json.dumps(CONTRACT.document)), "the one in the repository"


@pytest.mark.parametrize("template", sorted(CONTRACT.document["paths"]))
def test_routes_are_the_documented_ones(c, template):
    """OPTIONS names exactly the documented methods, so that none is missing and none too many (see contract.py)."""
    path = template
    for name, value in (("dataset", "d"), ("model", "m"), ("version", "1"), ("label", "l"), ("layer", "0"),
                        ("neuron", "0"), ("job", "1"), ("kind", "losses"), ("name", "mse")):
        path = path.replace("{%s}" % name, value)
    c.request("OPTIONS", path, status=204)
    for method in {"GET", "PUT", "POST", "PATCH", "DELETE"} - CONTRACT.allowed(CONTRACT.document["paths"][template]):
        c.request(method, path, body=b"{}", headers={"Content-Type": "application/json"}, status=405)


def test_the_access_log(start):
    daemon = start()
    c = daemon.client()
    c.get("/livez")
    c.get("/v1/models/nobody%22%0a?token=dtk_secret", status=(400, 404, 422))
    body = c.get("/v1/catalog").body
    def requests():
        return [line for line in daemon.log_lines() if line.get("event") == "request"]
    lines = wait_for("three lines", lambda: requests() if len(requests()) >= 3 else None, 5)
    assert [(line["method"], line["status"]) for line in lines][::2] == [("GET", 200), ("GET", 200)]
    assert lines[0]["path"] == "/livez" and lines[1]["path"] == "/v1/models/nobody%22%0a"
    assert "dtk_secret" not in daemon.log(), "a query may be a secret"
    assert 400 <= lines[1]["status"] < 500
    assert lines[2]["bytes"] >= len(body)
    for line in lines:
        assert line["level"] == "info" and line["time"].endswith("Z") and 0 <= line["duration_seconds"] < 60
    daemon.stop()


def test_the_access_log_as_text(start):
    daemon = start(log_format="text")
    daemon.client().get("/readyz")
    line = wait_for("a line", lambda: [i for i in daemon.log().splitlines() if " GET /readyz 200 " in i], 5)[0]
    assert line.split()[0].startswith(time.strftime("%Y-", time.gmtime())) and line.split()[0].endswith("Z")
    daemon.stop()
