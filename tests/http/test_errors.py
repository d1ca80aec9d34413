"""Refusals: what comes before what, their form, conditional requests, HEAD and OPTIONS."""
import json

import pytest

from data import iris_model
from harness import Client, Daemon

TOKEN = "a-token-of-the-tests-0123456789"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A daemon with a token, one more host and a small body limit."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "token").chmod(0o600)
    daemon = Daemon(folder, "--token-file", folder / "token", "--allow-host", "app.example,other.example",
                    "--max-body", "64K").run()
    try:
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@pytest.fixture
def inside(guarded):
    """A client that has the token."""
    return guarded.client(headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
def outside(guarded):
    return guarded.client()


# ---- the form ----

def test_a_problem_document(c, fresh):
    """The example of the contract."""
    answer = c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": [16, {"unit": 8}]}, status=422)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer["title"], answer.code) == ("Unknown field", "unknown-field")
    assert '"units"' in answer["detail"], "did you mean"
    fault = next(e for e in answer["errors"] if e["pointer"] == "/layers/1/unit")
    assert '"units"' in fault["detail"]


def test_all_faults_of_a_definition_at_once(c, fresh):
    answer = c.put(f"/v1/models/{fresh}", {"inputs": 0, "outputs": [{"name": "y", "type": "numbr"}], "seed": -1,
                                           "layers": [0, {"units": 4, "activation": "rleu", "dropout": 1}],
                                           "loss": "msee", "normalize": "max", "missing": 3, "metadata": {"a": 1},
                                           "description": [], "colour": "red"}, status=422)
    assert set(answer.pointers()) >= {"/inputs", "/outputs/0/type", "/seed", "/layers/0", "/layers/1/activation",
                                      "/layers/1/dropout", "/loss", "/normalize", "/missing", "/metadata/a",
                                      "/description", "/colour"}
    assert '"relu"' in next(e["detail"] for e in answer["errors"] if e["pointer"] == "/layers/1/activation")
    c.get(f"/v1/models/{fresh}", status=404)


def test_pointers_are_escaped(c, fresh):
    answer = c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "a/b~c": 1}, status=422)
    assert answer.pointers() == ["/a~1b~0c"]


def test_more_faults_than_are_listed(c, fresh):
    answer = c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": [0] * 200}, status=422)
    assert 10 <= len(answer["errors"]) <= 200


# ---- the order of refusal ----

def test_host_comes_before_origin_before_token_before_route(guarded, outside):
    bad_host, bad_origin = {"Host": "evil.example"}, {"Origin": "http://evil.example"}
    for path in ("/v1/models", "/v1/nowhere"):
        assert outside.get(path, headers={**bad_host, **bad_origin}, status=421).code == "misdirected-host"
        assert outside.get(path, headers=bad_origin, status=403).code == "origin-refused"
        answer = outside.get(path, status=401)
        assert answer.code == "token-required"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "authorization: bearer" in answer.sentence()


def test_route_comes_before_media_before_size(inside):
    big, form = "x" * 100_000, {"Content-Type": "application/x-www-form-urlencoded"}
    assert inside.request("PUT", "/v1/nowhere", body=big, headers=form, status=404).code == "no-such-route"
    assert inside.request("PUT", "/v1/models", body=big, headers=form, status=405).code == "method-not-allowed"
    assert inside.request("PUT", "/v1/models/m", body=big, headers=form, status=415).code == "unsupported-media-type"
    assert inside.request("PUT", "/v1/models/m", body=big, headers=JSON, status=413).code == "body-too-large"


def test_resource_comes_before_state_before_meaning(inside):
    nonsense = {"version": 5, "x": 1}
    assert inside.put("/v1/models/nobody/labels/l", nonsense, status=(404, 422)).status == 404
    assert inside.post("/v1/models/nobody:train", {"epochs": 0}, status=(404, 422)).status == 404
    inside.put("/v1/models/m", {"inputs": 1, "outputs": 1}, status=(200, 201))
    assert inside.patch("/v1/models/m", {"x": 1}, headers={"If-Match": '"no"'}, status=(412, 422)).status == 412
    inside.patch("/v1/models/m", {"x": 1}, status=422)


# ---- who may come in ----

@pytest.mark.parametrize("host,status",
                         [("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1", 200), ("[::1]:8420", 200),
                                         ("app.example", 200), ("app.example:443", 200), ("other.example", 200),
                                         ("evil.example", 421), ("app.example.evil", 421), ("xapp.example", 421),
                                         ("127.0.0.1.evil", 421), ("10.0.0.1", 421), ("", (400, 421))])
def test_hosts(inside, host, status):
    inside.get("/v1/models", headers={"Host": host}, status=status)


def test_origins(guarded, inside):
    own = f"127.0.0.1:{guarded.port}"
    inside.get("/v1/models", headers={"Host": own, "Origin": f"http://{own}"})
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"http://{own}.evil", "file://"):
        inside.get("/v1/models", headers={"Host": own, "Origin": origin}, status=403)
        inside.put("/v1/models/never", {"inputs": 1, "outputs": 1}, headers={"Host": own, "Origin": origin}, status=403)
    inside.get("/v1/models/never", status=404)


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN,
                                   f"Basic {TOKEN}", f"Bearer {TOKEN.upper()}", "Bearer \xff"])
def test_tokens_that_are_none(outside, value):
    outside.get("/v1/models", headers={"Authorization": value}, status=401)
    outside.request("DELETE", "/v1/models/m", headers={"Authorization": value}, status=401)


def test_the_token(inside, outside):
    inside.get("/v1/models")
    outside.get("/v1/models", headers={"Authorization": f"bearer {TOKEN}"})
    outside.get("/livez")
    outside.get("/readyz")


# ---- routes and methods ----

@pytest.mark.parametrize("path",
                         ["/nowhere", "/v1", "/v1/", "/v1/models/", "/v1/models/m/", "/v1//models", "/v3/models",
                          "/V1/models",
                          "/v1/models/m:fly", "/v1/models/m/versions/1/weights", "/v1/jobs/1/curves", "//",
                          "/v1/jobs/1:hold", "/metric", "/metrics/"])
def test_paths_that_lead_nowhere(c, path):
    assert c.get(path, status=404).code == "no-such-route"


@pytest.mark.parametrize("method,path", [("POST", "/v1/models"), ("DELETE", "/v1/models"), ("POST", "/v1/datasets/d"),
                                         ("PUT", "/v1/jobs/1"), ("GET", "/v1/models/m:train"), ("PUT", "/livez"),
                                         ("GET", "/v1/jobs/1:cancel"), ("GET", "/v1/models/m/labels/l"),
                                         ("BREW", "/v1/models")])
def test_methods_that_are_not_there(c, method, path):
    """The contract check holds Allow against openapi.yaml."""
    c.request(method, path, body=b"{}", headers=JSON, status=(405, 501) if method == "BREW" else 405)


def test_options(c):
    """contract.py holds Allow against openapi.yaml."""
    c.request("OPTIONS", "/v1/models/anything", status=204)
    c.request("OPTIONS", "/v1/nowhere", status=404)


def test_head(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    for path in (f"/v1/models/{fresh}", "/v1/models", "/v1/datasets/iris", "/v1/catalog", "/livez", "/openapi.json"):
        whole, head = c.get(path), c.request("HEAD", path, status=200)
        for name in ("Content-Type", "ETag", "Content-Length"):
            assert head.headers[name] == whole.headers[name], (path, name)
        assert int(head.headers["Content-Length"]) == len(whole.body)
    c.request("HEAD", "/v1/models/nobody", status=404)
    c.request("HEAD", f"/v1/models/{fresh}:train", status=405)
    c.get(f"/v1/models/{fresh}")


# ---- media ----

def test_bodies_that_are_not_json(c, fresh):
    document = json.dumps({"inputs": 1, "outputs": 1})
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/csv",
                  "json"):
        answer = c.request("PUT", f"/v1/models/{fresh}", body=document, headers={"Content-Type": media}, status=415)
        assert "content-type: application/json" in answer.sentence(), "names the flag of curl"
    c.request("PUT", f"/v1/models/{fresh}", body=document,
              headers={"Content-Type": "Application/JSON; charset=utf-8"}, status=201)


def test_answers_in_no_type_asked_for(c):
    for accept, status in (("text/html", 406), ("application/xml, image/*", 406), ("application/json;q=0", 406),
                           ("application/*", 200), ("text/html, */*;q=0.1", 200), ("APPLICATION/JSON", 200)):
        c.get("/v1/models", headers={"Accept": accept}, status=status)
    assert c.get("/v1/models/nobody", headers={"Accept": "application/json"}, status=404).json


# ---- conditional requests ----

def test_etag_and_304(c, iris, fresh):
    path = f"/v1/models/{fresh}"
    c.put(path, iris_model())
    tag = c.get(path).etag
    assert tag == c.get(path).etag
    for match in (tag, "*", f'"other", {tag}', f"W/{tag}"):
        assert c.get(path, headers={"If-None-Match": match}, status=304).etag == tag
    c.get(path, headers={"If-None-Match": '"other"'})
    c.patch(path, {"description": "new"})
    changed = c.get(path, headers={"If-None-Match": tag}).etag
    assert changed != tag
    for path in ("/v1/datasets/iris", "/v1/catalog", "/v1/datasets", "/openapi.json"):
        tag = c.get(path).etag
        c.get(path, headers={"If-None-Match": tag}, status=304)
        c.request("HEAD", path, headers={"If-None-Match": tag}, status=304)


def test_if_match_guards_a_change(c, fresh):
    path = f"/v1/models/{fresh}"
    c.put(path, {"inputs": 1, "outputs": 1})
    old = c.get(path).etag
    new = c.patch(path, {"description": "one"}, headers={"If-Match": old})
    current = c.get(path).etag
    assert current != old and new["description"] == "one"
    for match in (old, '"nothing"', f"W/{current}"):
        assert c.patch(path, {"description": "two"}, headers={"If-Match": match},
                       status=412).code == "precondition-failed"
        c.delete(path, headers={"If-Match": match}, status=412)
    assert c.get(path)["description"] == "one"
    c.patch(path, {"description": "three"}, headers={"If-Match": f'"x", {current}'})
    c.patch(path, {"description": "four"}, headers={"If-Match": "*"})
    c.delete(path, headers={"If-Match": c.get(path).etag})
    c.put(path, {"inputs": 1, "outputs": 1}, headers={"If-Match": "*"}, status=412)
    c.get(path, status=404)


def test_if_match_guards_a_data_set(c, fresh):
    path = f"/v1/datasets/{fresh}"
    old = c.csv(fresh, "a\n1\n", status=201).etag or c.get(path).etag
    current = c.get(path).etag
    assert old == current
    c.csv(fresh, "a\n2\n", query="?replace=true", headers={"If-Match": '"no"'}, status=412)
    assert c.get(path).etag == current
    c.csv(fresh, "a\n2\n", query="?replace=true", headers={"If-Match": current}, status=200)
    c.csv(fresh, "a\n3\n", query="?replace=true", headers={"If-Match": current}, status=412)
    c.delete(path, headers={"If-Match": current}, status=412)
    assert c.get(path)["columns"][0]["max"] == 2


# ---- documents ----

@pytest.mark.parametrize("text", ['{"inputs":1,"outputs":1,"inputs":1}', '{"inputs":1,"outputs":1,"\\u0069nputs":2}',
                                  '{"inputs":1,"outputs":1,"metadata":{"a":"1","a":"1"}}'])
def test_one_key_twice(c, fresh, text):
    assert c.request("PUT", f"/v1/models/{fresh}", body=text, headers=JSON, status=400).code == "duplicate-key"
    c.get(f"/v1/models/{fresh}", status=404)


def test_nesting(c, fresh):
    def nested(depth):
        return '{"inputs":1,"outputs":1,"metadata":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
    c.request("PUT", f"/v1/models/{fresh}", body=nested(64), headers=JSON, status=422)
    for depth in (65, 100, 10_000):
        answer = c.request("PUT", f"/v1/models/{fresh}", body=nested(depth), headers=JSON, status=400)
        assert answer.code == "malformed-json" and "64" in answer["detail"]


def test_one_connection_goes_on_after_every_refusal(guarded):
    """A refusal does not cost the connection, unless it says so."""
    c = Client(guarded.port, headers={"Authorization": f"Bearer {TOKEN}"})
    c.get("/livez")
    kept = c.connection.sock
    for method, path, status in (("GET", "/nowhere", 404), ("POST", "/v1/models", 405), ("GET", "/v1/models?x=1", 422)):
        answer = c.request(method, path, status=status)
        if (answer.headers["Connection"] or "").lower() != "close":
            assert c.connection.sock is kept
        c.get("/livez")
        kept = c.connection.sock
