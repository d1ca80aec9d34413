"""Tokens: which role opens which route, models of its own, an end, revocation; what an answer says of it."""
import contextlib
import http.client
import itertools
import json
import sqlite3
import threading
import time
from datetime import datetime

import pytest

from data import ENDLESS, example, iris_model
from fields import covers
from harness import CONTRACT, wait_for
from sse import Stream
from tokens import ROLES, ROOT, Holder, bearer, comes_from, guarded, holder, root

PROBES = ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready")
PREDICTS = ("predict", "classify", "regress", "explain", "evaluate", "infer")
ALL_MODELS = ("/metrics", "/v1/events", "/v2/models/stats", "/v2/repository/index", "/v1/tokens", "/v1/tokens/{token}", "/v1/backup")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = guarded(tmp_path_factory.mktemp("tokens"), "--workers", 2, "--threads", 1).run()
    c = root(daemon)
    c.csv("iris", example("iris"))
    for model in ("ours", "theirs"):
        c.put(f"/v1/models/{model}", iris_model(seed=1))
        c.train(model, {"dataset": "iris", "epochs": 1})
    try:
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@pytest.fixture
def c(daemon):
    return root(daemon)


def operations():
    """(method, path as openapi.yaml has it), of every route."""
    for path, item in sorted(CONTRACT.document["paths"].items()):
        for method in ("get", "put", "post", "patch", "delete"):
            if method in item:
                yield method.upper(), path


def needed(method, path):
    """The role that docs/operations.md asks for; None: whoever comes in, "": nobody is asked."""
    if path in PROBES:
        return ""
    if path == "/v1/session":
        return None
    if path.startswith(("/v1/tokens", "/v1/backup")):
        return "admin"
    if method == "GET" or path == "/v2/repository/index":
        return "read"
    return "predict" if path.replace("/", ":").rpartition(":")[2] in PREDICTS else "train"


def filled(path, **names):
    names = {"model": "nobody", "dataset": "nobody", "version": "1", "label": "stable", "layer": "0", "neuron": "0", "token": "999999",
             "job": "999999", "kind": "activations", "name": "relu", "column": "x", **names}
    for name, value in names.items():
        path = path.replace("{%s}" % name, value)
    return path


def asked(port, method, path, token):
    """The status alone, as an event stream has no end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = b"{}" if method in ("PUT", "POST", "PATCH") else None
    connection.request(method, path, body, {**JSON, **(bearer(token) if token else {})})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.fixture(scope="module")
def one_each(daemon):
    """A token for each role, with nothing but that."""
    return {role: holder(daemon, role).made["token"] for role in ROLES}


@pytest.mark.parametrize("method, path", list(operations()))
def test_each_role_opens_its_routes_alone(daemon, one_each, method, path):
    role, way = needed(method, path), filled(path)
    assert (asked(daemon.port, method, way, None) == 401) == (role != "")
    for other, token in one_each.items():
        status = asked(daemon.port, method, way, token)
        if role in ("", None, other):
            assert status not in (401, 403), (other, status)
        else:
            assert status == 403, (other, status)


def test_roles_are_told(daemon, c):
    """Which role is missing, and that HEAD and OPTIONS are no way around it."""
    predicts = holder(daemon, "predict")
    refused = predicts.get("/v1/models", status=403)
    assert refused.code == "forbidden" and "read" in refused["detail"]
    predicts.request("HEAD", "/v1/models/ours", status=403)
    predicts.request("DELETE", "/v1/models/ours", status=403)
    predicts.predict("ours", [[5.1, 3.5, 1.4, 0.2]])
    both = holder(daemon, "predict", "read")
    both.get("/v1/models")
    both.predict("ours", [[5.1, 3.5, 1.4, 0.2]])
    both.put("/v1/models/new", {"inputs": 1, "outputs": 1}, status=403)
    c.get("/v1/models/new", status=404)


# ---- fields of a request ----

@covers("TokenRequest.name", "TokenRequest.roles", "TokenRequest.models", "TokenRequest.expires_seconds", "TokenRequest.rate",
        "TokenRequest.limits")
def test_what_is_asked_for_is_what_is_shown(daemon, c):
    plain = c.post("/v1/tokens", {"name": "plain", "roles": ["train", "read"]}, status=201)
    whole = c.post("/v1/tokens", {"name": "whole", "roles": ["admin"], "models": ["iris*", "w?ne"], "expires_seconds": 3600, "rate": 2.5,
                                  "limits": {"models": 1, "datasets": 2, "bytes": 3_000_000_000, "jobs": 0}}, status=201)
    assert plain.headers["Location"] == f"/v1/tokens/{plain['id']}"
    assert (plain["name"], plain["roles"], plain["models"], plain["rate"], plain["expires_at"]) == ("plain", ["read", "train"], None, None, None)
    assert (whole["roles"], whole["models"], whole["rate"]) == (["admin"], ["iris*", "w?ne"], 2.5)
    assert whole["limits"] == {"models": 1, "datasets": 2, "bytes": 3_000_000_000, "jobs": 0}
    times = [datetime.fromisoformat(whole[name].replace("Z", "+00:00")) for name in ("created_at", "expires_at")]
    assert 3590 < (times[1] - times[0]).total_seconds() < 3610
    assert plain["token"] != whole["token"]
    for made in (plain, whole):
        shown = c.get(f"/v1/tokens/{made['id']}")
        assert shown.json == {k: v for k, v in made.json.items() if k != "token"}
        assert shown.json in c.get("/v1/tokens")["tokens"]
        c.get(f"/v1/tokens/{made['id']}", headers={"If-None-Match": shown.etag}, status=304)
    assert "dtk_" not in c.get("/v1/tokens").text
    ids = [int(token["id"]) for token in c.get("/v1/tokens")["tokens"]]
    assert ids == sorted(ids)


@pytest.mark.parametrize("change, pointer", [
    ({"name": "with space"}, "/name"), ({"name": ""}, "/name"), ({"name": "x" * 65}, "/name"), ({"name": ".x"}, "/name"), ({"name": 5}, "/name"),
    ({"roles": []}, "/roles"), ({"roles": "read"}, "/roles"), ({"roles": ["reed"]}, "/roles"), ({"roles": ["read", 1]}, "/roles"),
    ({"models": []}, "/models"), ({"models": ["a b"]}, "/models"), ({"models": [""]}, "/models"), ({"models": ["a,b"]}, "/models"),
    ({"models": ["x" * 65]}, "/models"), ({"models": "iris"}, "/models"),
    ({"expires_seconds": 0}, "/expires_seconds"), ({"expires_seconds": 1.5}, "/expires_seconds"), ({"expires_seconds": -1}, "/expires_seconds"),
    ({"expires_seconds": 3162240001}, "/expires_seconds"), ({"expires_seconds": "1h"}, "/expires_seconds"),
    ({"rate": 0}, "/rate"), ({"rate": -1}, "/rate"), ({"rate": 1000001}, "/rate"), ({"rate": "5"}, "/rate"),
    ({"limits": {"models": -1}}, "/limits/models"), ({"limits": {"models": 1.5}}, "/limits/models"), ({"limits": {"model": 1}}, "/limits/model"),
    ({"limits": {"bytes": 10 ** 16}}, "/limits/bytes"), ({"limits": 5}, "/limits"), ({"limits": []}, "/limits"),
    ({"colour": 1}, "/colour"), ({"token": "dtk_" + "0" * 64}, "/token"), ({"id": "5"}, "/id"),
])
def test_requests_that_make_no_sense(c, fresh, change, pointer):
    before = len(c.get("/v1/tokens")["tokens"])
    answer = c.post("/v1/tokens", {"name": fresh, "roles": ["read"], **change}, status=422)
    assert answer.pointers() == [pointer]
    assert len(c.get("/v1/tokens")["tokens"]) == before


def test_all_faults_at_once(c):
    answer = c.post("/v1/tokens", {"name": "-", "roles": ["x"], "rate": 0, "models": ["%"], "limits": {"jobs": "2"}}, status=422)
    assert {"/name", "/roles", "/rate", "/models", "/limits/jobs"} <= set(answer.pointers())
    assert set(c.post("/v1/tokens", {}, status=422).pointers()) >= {"/name", "/roles"}


def test_a_name_is_taken_once(c, fresh):
    first = c.post("/v1/tokens", {"name": fresh, "roles": ["read"]}, status=201)
    assert c.post("/v1/tokens", {"name": fresh, "roles": ["train"]}, status=409).code == "conflict"
    c.delete(f"/v1/tokens/{first['id']}")
    again = c.post("/v1/tokens", {"name": fresh, "roles": ["read"]}, status=201)
    assert int(again["id"]) > int(first["id"]), "an id is not given twice"
    for gone in (first["id"], "0", "9223372036854775807"):
        c.get(f"/v1/tokens/{gone}", status=404)
        c.delete(f"/v1/tokens/{gone}", status=404)
    c.delete(f"/v1/tokens/{again['id']}", headers={"If-Match": '"no"'}, status=412)
    c.delete(f"/v1/tokens/{again['id']}", headers={"If-Match": c.get(f"/v1/tokens/{again['id']}").etag})


# ---- models of its own ----

@pytest.fixture(scope="module")
def limited(daemon):
    return holder(daemon, models=["our*", "tx?"])


@pytest.mark.parametrize("method, path", [row for row in operations() if "{model}" in row[1]])
def test_models_of_others_are_closed(daemon, limited, method, path):
    token = limited.made["token"]
    for model in ("theirs", "nobody", "xours", "tx"):
        assert asked(daemon.port, method, filled(path, model=model), token) == 403, model
    for model in ("our-nobody", "txy"):
        assert asked(daemon.port, method, filled(path, model=model), token) not in (401, 403), model


@pytest.mark.parametrize("method, path", [row for row in operations() if "{job}" in row[1]])
def test_jobs_of_others_are_closed(daemon, c, limited, method, path):
    jobs = {job["model"]: job["id"] for job in c.get("/v1/jobs")["jobs"]}
    if method == "DELETE":  # it would be carried out
        jobs = {model: c.train(model, {"dataset": "iris", "epochs": 1})["id"] for model in ("ours", "theirs")}
    token = limited.made["token"]
    assert asked(daemon.port, method, filled(path, job=jobs["theirs"]), token) == 403
    assert asked(daemon.port, method, filled(path, job=jobs["ours"]), token) not in (401, 403)
    assert asked(daemon.port, method, filled(path), token) == 404


@pytest.mark.parametrize("method, path", [row for row in operations() if row[1] in ALL_MODELS])
def test_what_is_of_all_models_is_closed(daemon, limited, method, path):
    assert asked(daemon.port, method, filled(path), limited.made["token"]) == 403
    assert asked(daemon.port, method, filled(path), ROOT) not in (401, 403)


def test_lists_show_what_it_may_see(daemon, c, limited):
    for i in range(7):
        c.put(f"/v1/models/mid-{i}", {"inputs": 1, "outputs": 1}, status=(200, 201))
        c.put(f"/v1/models/ours-{i}", {"inputs": 1, "outputs": 1}, status=(200, 201))

    def pages(what, query):
        found, cursor = [], ""
        for _ in range(100):
            answer = limited.get(f"/v1/{what}?limit=2{query}{cursor}").json
            assert len(answer[what]) == 2 or not answer["next"], "pages are full"
            assert not answer["next"] or answer["next"] in own[what], "a cursor names none of the others"
            found += answer[what]
            if not answer["next"]:
                return found
            cursor = f"&cursor={answer['next']}"
        raise AssertionError("the list has no end")
    every = [model["name"] for model in c.get("/v1/models?limit=1000")["models"]]
    mine = [name for name in every if name.startswith("our")]
    assert mine and len(mine) < len(every)
    own = {"models": mine, "jobs": [job["id"] for job in c.get("/v1/jobs?model=ours&limit=1000")["jobs"]]}
    assert [model["name"] for model in pages("models", "")] == mine
    assert [model["name"] for model in limited.get("/v1/models")["models"]] == mine
    jobs = c.get("/v1/jobs?limit=1000")["jobs"]
    assert {job["model"] for job in jobs} >= {"ours", "theirs"}
    assert [job["id"] for job in pages("jobs", "")] == [job["id"] for job in jobs if job["model"] == "ours"]
    assert pages("jobs", "&model=ours")
    for query in ("model=theirs", "model=theirs&limit=1", "model=theirs&limit=1&state=succeeded", "model=never-made"):
        limited.get(f"/v1/jobs?{query}", status=403)
    assert "iris" in [found["name"] for found in limited.get("/v1/datasets")["datasets"]], "data sets have no such limit"
    for path in ("/v1/system", "/v1/session", "/v1/catalog", "/v1/models", "/v1/jobs", "/v1/datasets/iris"):
        assert "theirs" not in limited.get(path).text, path


def test_jobs_behind_thousands_of_others(tmp_path):
    """Each page looks through so many at most: a few are empty, and the list comes to its end."""
    daemon = guarded(tmp_path).run()
    try:
        c = root(daemon)
        c.csv("iris", example("iris"))
        for model in ("ours", "theirs", "ours"):
            c.put(f"/v1/models/{model}", iris_model(seed=1), status=(200, 201))
            c.train(model, {"dataset": "iris", "epochs": 1})
        daemon.stop()
        with contextlib.closing(sqlite3.connect(daemon.database)) as db, db:
            names = ", ".join(row[1] for row in db.execute("PRAGMA table_info(job)") if row[1] != "id")
            db.execute(f"INSERT INTO job ({names}) WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500) SELECT {names} FROM job, n WHERE job.id = 2")
        daemon.run()
        who, found, cursor, pages = holder(daemon, "read", models=["ours"]), [], "", 0
        while cursor is not None:
            answer = who.get(f"/v1/jobs?limit=2{cursor and '&cursor='}{cursor}").json
            found += [(job["id"], job["model"]) for job in answer["jobs"]]
            cursor, pages = answer["next"], pages + 1
        assert found == [("3", "ours"), ("1", "ours")] and pages == 3
        assert len(root(daemon).get("/v1/jobs?limit=1000")["jobs"]) == 1000
        daemon.stop()
    finally:
        daemon.kill()


@covers("TokenRequest.models")
def test_two_limits_two_results(daemon):
    first, second = holder(daemon, "read", models=["ours"]), holder(daemon, "read", models=["theirs"])
    assert [c.get(f"/v1/models/{m}", status=(200, 403)).status for c in (first, second) for m in ("ours", "theirs")] == [200, 403, 403, 200]


# ---- its end ----

@covers("TokenRequest.expires_seconds")
def test_a_token_ends(daemon, c):
    short, long = holder(daemon, "read", expires_seconds=1), holder(daemon, "read", expires_seconds=3600)
    assert "expired" in wait_for("the token to end", lambda: short.get("/v1/models", status=(200, 401)).status == 401 and short, 10).get(
        "/v1/models", status=401)["detail"]
    long.get("/v1/models")
    assert any(token["id"] == short.id for token in c.get("/v1/tokens")["tokens"]), "it can still be seen, and revoked"
    c.delete(f"/v1/tokens/{short.id}")


def test_a_revoked_token_is_refused_on_the_same_connection(daemon, c):
    gone = holder(daemon)
    gone.get("/v1/models")
    kept = gone.connection.sock
    c.delete(f"/v1/tokens/{gone.id}")
    assert gone.connection.sock is kept
    gone.get("/v1/models", status=401)
    gone.put("/v1/models/never", {"inputs": 1, "outputs": 1}, status=401)
    c.get("/v1/models/never", status=404)


def test_a_token_may_revoke_itself(daemon):
    me = holder(daemon, "admin")
    me.delete(f"/v1/tokens/{me.id}")
    me.get("/v1/tokens", status=401)


def test_a_stream_ends_with_its_token(daemon, c, fresh):
    """Whoever lost the right to see is told nothing more: revoked or over, of a job and of everything."""
    job = c.start("ours", ENDLESS)["id"]
    gone, short = holder(daemon, "read"), holder(daemon, "read", expires_seconds=3)
    kept = Stream(daemon.port, "/v1/events?topics=models", headers=bearer(ROOT))
    streams = [Stream(daemon.port, path, headers=bearer(who.made["token"])) for who in (gone, short)
               for path in ("/v1/events?topics=models", f"/v1/jobs/{job}/events")]
    c.put("/v1/models/seen", {"inputs": 1, "outputs": 1})
    assert all("seen" in stream.next().text for stream in streams[::2])
    c.delete(f"/v1/tokens/{gone.id}")
    wait_for("the other to end", lambda: short.get("/v1/session", status=(200, 401)).status == 401, 10)
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1})
    deadline = time.monotonic() + 60
    for stream in streams:
        while not stream.over:
            assert time.monotonic() < deadline, "it goes on"
            stream.read()
        assert fresh not in "".join(event.text for event in stream.ready)
    kept.until(lambda event: fresh in event.text)  # others go on
    kept.leave()
    c.cancel(job)
    c.ended(job, "cancelled")


def test_one_is_used_while_others_come_and_go(daemon, c):
    """No look at the tokens meets a half made set."""
    faults, stop, sources = [], threading.Event(), itertools.count(1)  # who meets ten tokens that are none waits
    used = holder(daemon, "read")

    def change():
        try:
            by = root(daemon)
            by.get("/v1/session")  # so that it is known here, whatever the others try
            for _ in range(25):
                new = holder(daemon, "read", by=by, source=f"127.0.2.{next(sources)}")
                new.get("/v1/session")
                by.delete(f"/v1/tokens/{new.id}")
                new.get("/v1/session", status=401)
        except BaseException as fault:  # reported below
            faults.append(fault)

    def use():
        try:
            me = Holder(daemon.port, used.made)
            while not stop.is_set():
                assert me.get("/v1/session")["token"] == used.id
        except BaseException as fault:
            faults.append(fault)
    changers, users = [threading.Thread(target=change) for _ in range(4)], [threading.Thread(target=use) for _ in range(2)]
    for thread in changers + users:
        thread.start()
    for thread in changers:
        thread.join(120)
    stop.set()
    for thread in users:
        thread.join(30)
    assert not faults, faults[0]


def test_tokens_outlive_a_restart(tmp_path, start):
    daemon = guarded(tmp_path).run()
    try:
        kept, gone = holder(daemon, "read", models=["a*"], rate=50), holder(daemon, "read")
        root(daemon).delete(f"/v1/tokens/{gone.id}")
        daemon.kill()
        daemon.run()
        again = Holder(daemon.port, kept.made)
        again.get("/v1/models/a", status=404)
        again.get("/v1/models/b", status=403)
        assert again.get("/v1/models").headers["RateLimit-Limit"] == "50"
        Holder(daemon.port, gone.made).get("/v1/models", status=401)
        daemon.stop()
    finally:
        daemon.kill()
    text = kept.made["token"]
    for file in tmp_path.iterdir():
        if file.is_file():
            assert text.encode() not in file.read_bytes() and bytes.fromhex(text[4:]) not in file.read_bytes(), file
    assert text not in daemon.log()


# ---- forms of a header ----

def test_headers_that_are_no_token(daemon):
    good = holder(daemon, "read").made["token"]
    c = comes_from(daemon.client(), "127.0.0.9")
    c.get("/v1/models", headers={"Authorization": f"bearer {good}"})
    for value in (good, f"Basic {good}", f"Bearer {good}x", f"Bearer {good[:-1]}", f"Bearer {good.upper()}"):
        answer = c.get("/v1/models", headers={"Authorization": value}, status=401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer") and good not in answer.text


@pytest.mark.parametrize("path, media, body", [("/v1/datasets/late", "text/csv", b"a,b\n1,2\n3,4\n"),
                                               ("/v1/models/late", "application/json", b'{"inputs":1,"outputs":1}')], ids=["stream", "document"])
@pytest.mark.parametrize("models", [None, ["late*"]], ids=["all", "some"])
def test_a_token_that_is_revoked_while_its_body_comes(daemon, c, path, media, body, models):
    """The change was made, and told with 201: an upload may take days."""
    for revoked in (True, False):
        made = c.post("/v1/tokens", {"name": "slow", "roles": ["train"], **({"models": models} if models else {})}, status=201)
        raw = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
        raw.putrequest("PUT", path)
        for name, value in (*bearer(made["token"]).items(), ("Content-Type", media), ("Content-Length", str(len(body))), ("Expect", "100-continue")):
            raw.putheader(name, value)
        raw.endheaders()
        assert raw.sock.recv(100).startswith(b"HTTP/1.1 100 "), "it was let in"
        raw.send(body[:8])
        if revoked:
            c.delete(f"/v1/tokens/{made['id']}")
        raw.send(body[8:])
        assert raw.getresponse().status == (401 if revoked else 201)
        raw.close()
        c.get(path, status=404 if revoked else 200)
    c.delete(f"/v1/tokens/{made['id']}")
    c.delete(path)


# ---- what browsers are told ----

def test_every_answer_is_safe_to_show(daemon, c):
    """A strict Content-Security-Policy and nosniff: on whatever it is."""
    tag = c.get("/v1/models/ours").etag
    reads = holder(daemon, "predict")
    nobody = daemon.client()
    job = c.get("/v1/jobs?model=ours")["jobs"][0]["id"]
    answers = [
        c.get("/v1/models/ours"), c.get("/v1/models/ours", headers={"If-None-Match": tag}, status=304), c.request("OPTIONS", "/v1/models", status=204),
        c.request("HEAD", "/v1/models", status=200), c.get("/nowhere", status=404), c.delete("/v1/models", status=405), nobody.get("/v1/models", status=401),
        reads.get("/v1/models", status=403), c.get("/v1/models", headers={"Host": "evil.example"}, status=421),
        c.get("/v1/models", headers={"Origin": "http://evil.example"}, status=403), c.get("/livez"), c.get("/metrics"), c.get("/openapi.json"),
        c.request("PUT", "/v1/models/m", body=b"x", headers={"Content-Type": "text/plain"}, status=415), c.put("/v1/models/m", {}, status=422),
        c.get("/v1/datasets/iris/rows?limit=1", headers={"Accept": "text/csv"}), c.predict("ours", [[1, 2, 3, 4]]), c.predict("ours", [[1]], status=400),
        c.get("/v2/models/nobody", status=404), c.request("GET", "/v1/models", headers={"Expect": "nonsense"}, status=(200, 417)),
    ]
    stream = Stream(daemon.port, f"/v1/jobs/{job}/events", headers=bearer(ROOT))
    answers.append(stream.response)
    raw = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    raw.putrequest("POST", "/v1/models/ours:predict", skip_accept_encoding=True)  # from the gate
    raw.putheader("Content-Length", "2")
    raw.putheader("Transfer-Encoding", "chunked")
    raw.endheaders()
    answers.append(raw.getresponse())
    assert answers[-1].status == 400
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"] or ""
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, (answer.status, policy)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", answer.status
        for name in ("Content-Security-Policy", "X-Content-Type-Options"):
            assert len(answer.headers.get_all(name)) == 1
    stream.leave()
    raw.close()


@pytest.mark.parametrize("method, path", [row for row in operations() if row[0] in ("PUT", "POST", "PATCH") and needed(*row) in ("train", "admin")])
@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_what_a_form_can_send_changes_nothing(daemon, c, method, path, media):
    """A page may send these to anybody without asking first."""
    job = c.get("/v1/jobs?model=ours")["jobs"][0]["id"]
    body, code = json.dumps({"inputs": 1, "outputs": 1}), "unsupported-media-type"
    if path == "/v1/backup":  # which takes no body at all
        code = "body-too-large"
    assert c.request(method, filled(path, model="ours", job=job), body=body, headers={"Content-Type": media}, status=(413, 415)).code == code


def test_models_that_share_a_product_are_named_to_their_own_tokens(daemon, c):
    """/v1/system lists networks in memory whose requests go through together."""
    for model in ("ours-wide", "theirs-wide"):
        c.put(f"/v1/models/{model}", {"inputs": 8, "outputs": 1, "layers": [1000, 1000], "normalize": "none", "seed": 3})
        c.train(model, {"data": {"inputs": [[1] * 8] * 8, "targets": [[1]] * 8}, "epochs": 1, "batch_size": "full", "validation": None})
        c.predict(model, [[1] * 8])
    every = {version["model"] for version in c.get("/v1/system")["batching"]["versions"]}
    if every < {"ours-wide", "theirs-wide"}:
        pytest.skip("sharing does not pay here")
    seen = holder(daemon, "read", models=["our*"]).get("/v1/system")["batching"]["versions"]
    assert {version["model"] for version in seen} == {"ours-wide"}
