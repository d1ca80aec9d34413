"""Pages of other origins: what a browser is told (the Fetch standard, section 3.2), and that nobody is let in who is not named."""
import pytest

from data import trained
from harness import Daemon
from sse import Stream

PAGE, OTHER = "https://app.example", "http://localhost:3000"
TOKEN = "a token of twenty-two".replace(" ", "-")
SAFE = {"Cache-Control", "Content-Language", "Content-Length", "Content-Type", "Expires", "Last-Modified", "Pragma"}  # always to be seen


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cors")
    (folder / "token").write_text(TOKEN + "\n")
    daemon = Daemon(folder, "--token-file", folder / "token", "--cors-origin", f"{PAGE}, {OTHER}").run()
    trained(daemon.client(headers={"Authorization": f"Bearer {TOKEN}"}), "iris")
    yield daemon
    daemon.stop()


@pytest.fixture
def c(daemon):
    return daemon.client(headers={"Authorization": f"Bearer {TOKEN}", "Origin": PAGE})


@pytest.fixture
def browser(daemon):
    """Its preflights carry no token."""
    return daemon.client()


def preflight(client, path, method, status=204, origin=PAGE, headers="authorization,content-type"):
    return client.request("OPTIONS", path, status=status, headers={"Origin": origin, "Access-Control-Request-Method": method,
                                                                   "Access-Control-Request-Headers": headers})


def words(answer, name):
    return {word.strip().lower() for word in (answer.headers[name] or "").split(",")}


@pytest.mark.parametrize("origin", [PAGE, OTHER])
def test_a_browser_that_asks(browser, origin):
    for path, method in (("/v1/models/iris:predict", "POST"), ("/v1/models/iris", "PUT"), ("/v1/jobs/1", "DELETE"), ("/v1/datasets/iris", "PATCH"),
                         ("/v2/models/iris/infer", "POST"), ("/v1/models", "GET")):
        answer = preflight(browser, path, method, origin=origin)
        assert answer.headers["Access-Control-Allow-Origin"] == origin and "origin" in words(answer, "Vary")
        assert method.lower() in words(answer, "Access-Control-Allow-Methods")
        assert words(answer, "Access-Control-Allow-Methods") == words(answer, "Allow")
        assert {"authorization", "content-type", "if-match", "idempotency-key", "prefer"} <= words(answer, "Access-Control-Allow-Headers")
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Access-Control-Allow-Private-Network" not in answer.headers
    answer = browser.request("OPTIONS", "/v1/models", status=204, headers={
        "Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Private-Network": "true"})
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"


def test_a_session_changes_nothing_from_there(daemon, c):
    """To a browser another port of a host is the same site: it sends the cookie, and asks nothing before a body without a media type."""
    cookie = c.post("/v1/session", None).headers["Set-Cookie"].partition(";")[0]
    for origin in (PAGE, OTHER):
        page = daemon.client(headers={"Cookie": cookie, "Origin": origin})
        for method, path, document in (("POST", "/v1/models/iris:train", {"dataset": "iris"}), ("DELETE", "/v1/models/iris", None),
                                       ("POST", "/v1/tokens", {"name": "x", "roles": ["admin"]}), ("DELETE", "/v1/session", None)):
            assert page.request(method, path, document=document, status=403).code == "origin-refused"
        page.get("/v1/models/iris")
        page.put("/v1/models/mine", {"inputs": 1, "outputs": 1}, headers={"Authorization": f"Bearer {TOKEN}"}, status=(200, 201))
    daemon.client(headers={"Cookie": cookie, "Origin": f"http://127.0.0.1:{daemon.port}"}).delete("/v1/models/mine")


@pytest.mark.parametrize("origin", ["http://app.example", "https://app.example:444", "https://app.example.evil", "null", "https://evil.app.example"])
def test_others_are_not_told_anything(c, browser, origin):
    for answer in (preflight(browser, "/v1/models", "GET", status=403, origin=origin), c.get("/v1/models", headers={"Origin": origin}, status=403),
                   c.post("/v1/models/iris:predict", {"instances": [[1, 2, 3, 4]]}, headers={"Origin": origin}, status=403)):
        assert answer.code == "origin-refused" and "--cors-origin" in answer["detail"]
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_white_space_behind_a_value_is_none_of_it(daemon):
    """RFC 9110, section 5.5. An origin that may call was refused, and so was a token."""
    tag = daemon.client(headers={"Authorization": f"Bearer {TOKEN}"}).get("/v1/models/iris").etag
    c = daemon.client(headers={"Authorization": f"Bearer {TOKEN} ", "Origin": f"{PAGE}\t ", "Host": "localhost "})
    answer = c.get("/v1/models/iris", headers={"If-None-Match": f"{tag} ", "Accept": "application/json\t"}, status=304)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    c.request("PATCH", "/v1/models/iris", body='{"description":"x"}', status=412, headers={"Content-Type": "application/json ", "If-Match": '"x" '})


def test_the_rest_of_the_gate_stands(c, browser):
    """A page that may call needs the token all the same, and reads the sentence that says so."""
    answer = browser.get("/v1/models", headers={"Origin": PAGE}, status=401)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    browser.request("OPTIONS", "/v1/models", headers={"Origin": PAGE}, status=401)  # no preflight
    browser.request("OPTIONS", "/v1/models", headers={"Access-Control-Request-Method": "GET"}, status=401)
    preflight(browser, "/nowhere", "GET", status=404)
    answer = browser.request("OPTIONS", "/v1/models", status=421, headers={"Origin": PAGE, "Host": "evil.example", "Access-Control-Request-Method": "GET"})
    assert answer.code == "misdirected-host"


def test_answers_that_a_page_reads(c):
    for answer in (c.get("/v1/models/iris"), c.post("/v1/models/iris:predict", {"instances": [[1, 2, 3, 4]]}),
                   c.get("/v1/models/none", status=404), c.post("/v1/models/iris:predict", {"instances": [[1]]}, status=400),
                   c.get("/v1/models/iris", headers={"If-None-Match": c.get("/v1/models/iris").etag}, status=304),
                   c.post("/v1/models/iris:train", {"dataset": "iris", "epochs": 1}, status=202), c.get("/v1/models?limit=1"),
                   c.get("/v1/jobs/1/curve", headers={"Accept": "text/csv"}), c.get("/livez")):
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE and "origin" in words(answer, "Vary")
        seen = words(answer, "Access-Control-Expose-Headers") | {name.lower() for name in SAFE}
        ours = {name.lower() for name in answer.headers if not name.lower().startswith("access-control")}
        assert ours - seen <= {"date", "connection", "vary", "transfer-encoding", "content-security-policy",
                                 "x-content-type-options"}


def test_events_that_a_page_reads(daemon):
    stream = Stream(daemon.port, "/v1/jobs/1/events", headers={"Authorization": f"Bearer {TOKEN}", "Origin": PAGE})
    assert stream.response.headers["Access-Control-Allow-Origin"] == PAGE
    stream.connection.close()


def test_a_client_that_is_no_page(daemon):
    answer = daemon.client(headers={"Authorization": f"Bearer {TOKEN}"}).get("/v1/models")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_every_origin(start):
    c = start("--cors-origin", "*").client()
    for origin in ("null", "https://anywhere.example", "http://localhost:1"):
        assert c.get("/v1/models", headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] == origin
        assert preflight(c, "/v1/models", "GET", origin=origin).headers["Access-Control-Allow-Origin"] == origin


def test_nobody_unless_named(start):
    c = start().client()
    c.get("/v1/models", headers={"Origin": PAGE}, status=403)
    preflight(c, "/v1/models", "GET", status=403)
