"""POST /v1/session: a cookie for what cannot send a header, and what it cannot be used for."""
import http.client
import http.cookies
import re
import time

import pytest

from data import example, iris_model
from harness import Client, Daemon, wait_for
from sse import Stream
from tokens import ROOT, ROLES, bearer, comes_from, guarded, holder, root

HOURS = 3600


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = guarded(tmp_path_factory.mktemp("session")).run()
    c = root(daemon)
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    c.train("m", {"dataset": "iris", "epochs": 1})
    try:
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@pytest.fixture
def who(daemon):
    """Each test comes from an address of its own: cookies that are none count as tokens that are none."""
    who.number = getattr(who, "number", 9) + 1
    return comes_from(holder(daemon), f"127.0.0.{who.number}")


def cookie_of(answer):
    """(NAME=VALUE, its attributes)"""
    found = answer.headers.get_all("Set-Cookie")
    assert len(found) == 1
    pair, *attributes = found[0].split("; ")
    return pair, dict((attribute.partition("=")[::2]) for attribute in attributes)


def session(client):
    """A client that has nothing but the cookie."""
    pair, _ = cookie_of(client.post("/v1/session", None))
    return by(client, Cookie=pair)


def by(client, **headers):
    other = Client(client.port, headers=headers)
    other.connection.source_address = client.connection.source_address
    return other


def own(client):
    return {"Origin": f"http://127.0.0.1:{client.port}"}


def test_the_cookie(who):
    answer = who.post("/v1/session", None)
    pair, attributes = cookie_of(answer)
    assert attributes.keys() == {"Path", "Max-Age", "HttpOnly", "SameSite"}
    assert (attributes["Path"], attributes["SameSite"]) == ("/", "Strict")
    assert 8 * HOURS - 60 <= int(attributes["Max-Age"]) <= 8 * HOURS
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer["token"] == who.id and answer["roles"] == list(ROLES) and answer["expires_at"]
    assert who.made["token"] not in pair and len(http.cookies.SimpleCookie(pair)) == 1
    assert re.fullmatch(r"[A-Za-z0-9_]+=[A-Za-z0-9.]+", pair)


def test_it_reads_and_watches(daemon, who):
    c = session(who)
    found = c.get("/v1/session")
    assert found["token"] == who.id and found["expires_at"] is None
    c.get("/v1/models/m")
    c.get("/v1/models", headers=own(c))
    job = c.get("/v1/jobs")["jobs"][0]["id"]
    stream = Stream(daemon.port, f"/v1/jobs/{job}/events", headers={**c.headers, **own(c)})
    assert stream.rest()[-1].name == "end"
    pair = c.headers["Cookie"]
    for cookies in (f"a=b; {pair}", f"{pair}; a=b", f"a=b;{pair};c", f"x{pair}; {pair}"):
        by(who, Cookie=cookies).get("/v1/models")


def test_changes_need_the_page_of_the_daemon_itself(daemon, who):
    c, model = session(who), {"inputs": 1, "outputs": 1}
    for origin in (None, "http://evil.example", "null", f"http://127.0.0.1:{daemon.port}.evil", f"http://localhost:{daemon.port}",
                   f"http://127.0.0.1:{daemon.port + 1}"):
        for method, path, document in (("PUT", "/v1/models/never", model), ("DELETE", "/v1/models/m", None), ("POST", "/v1/tokens", {"name": "x", "roles": ["read"]}),
                                       ("POST", "/v1/models/m:train", {"dataset": "iris"}), ("DELETE", "/v1/session", None)):
            assert c.request(method, path, document=document, headers={"Origin": origin}, status=403).code == "origin-refused"
    c.get("/v1/models/never", status=404)
    c.get("/v1/models", headers={"Origin": "http://evil.example"}, status=403)
    c.put("/v1/models/made", model, headers=own(c))
    c.delete("/v1/models/made", headers=own(c))


def test_a_session_may_what_its_token_may(daemon, who):
    reads = comes_from(holder(daemon, "read", models=["m"], rate=1000), "127.0.0.8")
    c = session(reads)
    assert c.get("/v1/models/m").headers["RateLimit-Limit"] == "1000"
    assert c.get("/v1/models/other", status=403).code == "forbidden"
    assert c.put("/v1/models/m", {"inputs": 1, "outputs": 1}, headers=own(c), status=403).code == "forbidden"


def test_an_authorization_header_goes_before(daemon, who):
    c = session(who)
    c.get("/v1/models", headers=bearer("wrong-0123456789abcdef"), status=401)
    assert c.get("/v1/session", headers=bearer(ROOT))["token"] is None


def test_a_session_makes_no_other(who):
    """Else it would never end."""
    c = session(who)
    c.request("POST", "/v1/session", headers=own(c), status=401)


def test_it_can_be_taken_away(who):
    c = session(who)
    pair, attributes = cookie_of(c.request("DELETE", "/v1/session", headers=own(c), status=204))
    assert pair == c.headers["Cookie"].partition("=")[0] + "=" and attributes["Max-Age"] == "0" and attributes["Path"] == "/"


def test_one_that_was_taken_away_is_over(daemon, who):
    """Whoever kept the cookie was let in until the evening."""
    c, other = session(who), session(who)
    c.get("/v1/models")
    c.delete("/v1/session", headers=own(c))
    for _ in range(30):  # and is no guess at a token
        assert c.get("/v1/models", status=401).code == "token-required"
    other.get("/v1/models")
    own_token = session(root(daemon))
    own_token.delete("/v1/session", headers=own(own_token))
    own_token.get("/v1/models", status=401)
    # of two ways to say who asks the header counts, and what it takes away is its cookie's session still
    other.request("DELETE", "/v1/session", headers={**own(other), **bearer(ROOT)}, status=204)
    other.get("/v1/models", status=401)


def test_it_ends_with_its_token(daemon, who):
    c, other = session(who), session(comes_from(holder(daemon), "127.0.0.7"))
    root(daemon).delete(f"/v1/tokens/{who.id}")
    assert "session" in c.get("/v1/models", status=401)["detail"]
    c.put("/v1/models/never", {"inputs": 1, "outputs": 1}, headers=own(c), status=401)
    other.get("/v1/models")
    short = comes_from(holder(daemon, "read", expires_seconds=2), "127.0.0.6")
    answer = short.post("/v1/session", None)
    pair, attributes = cookie_of(answer)
    assert 0 <= int(attributes["Max-Age"]) <= 2, "no longer than the token"
    c = by(short, Cookie=pair)
    wait_for("it to end", lambda: c.get("/v1/models", status=(200, 401)).status == 401, 10)


def test_of_the_daemons_own_token(tmp_path, start):
    """It ends when that is changed, and with the process."""
    daemon = guarded(tmp_path).run()
    try:
        c = session(root(daemon))
        assert c.get("/v1/session")["token"] is None
        c.put("/v1/models/m", {"inputs": 1, "outputs": 1}, headers=own(c))
        (tmp_path / "token").write_text("another-token-0123456789\n")
        daemon.process.send_signal(1)
        wait_for("it to end", lambda: c.get("/v1/models", status=(200, 401)).status == 401, 10)
        other = daemon.client(headers=bearer("another-token-0123456789"))
        c = session(other)
        c.get("/v1/models")
        daemon.stop()
        daemon.run()
        daemon.client(headers=c.headers).get("/v1/models", status=401)
        daemon.client(headers=bearer("another-token-0123456789")).get("/v1/models")
        daemon.stop()
    finally:
        daemon.kill()


# ---- who is let in, and then may be no more ----

MODEL = b'{"inputs":1,"outputs":1}'


def watching(client):
    return Stream(client.port, "/v1/events?topics=models", headers=client.headers)


def half_sent(client, path, **headers):
    """A change that was let in, and whose body is on its way."""
    raw = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    raw.putrequest("PUT", path)
    media = "text/csv" if "datasets" in path else "application/json"
    for name, value in {**client.headers, **headers, "Content-Type": media, "Content-Length": str(len(MODEL)), "Expect": "100-continue"}.items():
        raw.putheader(name, value)
    raw.endheaders()
    assert raw.sock.recv(100).startswith(b"HTTP/1.1 100 "), "it was let in"
    return raw


def nothing_more(by, streams, changes):
    """None of the streams shows what comes now, and none of the changes is made."""
    for change in changes:
        change.send(MODEL)
        assert change.getresponse().status == 401
        change.close()
    by.put("/v1/models/unseen", {"inputs": 1, "outputs": 1})
    deadline = time.monotonic() + 60
    for stream in streams:
        while not stream.over:
            assert time.monotonic() < deadline, "it goes on"
            stream.read()
        assert "unseen" not in "".join(event.text for event in stream.ready)
    assert [model["name"] for model in by.get("/v1/models")["models"] if model["name"].startswith("late")] == []
    assert by.get("/v1/datasets")["datasets"] == [] or by.get("/v1/datasets/late", status=404)
    by.delete("/v1/models/unseen")


def test_what_a_session_began_ends_with_it(daemon, who):
    """A page that was left went on to watch until its token ended, and its upload was taken."""
    c, other = session(who), session(who)
    streams, kept = [watching(c)], watching(other)
    changes = [half_sent(c, path, **own(c)) for path in ("/v1/models/late", "/v1/datasets/late")]
    c.delete("/v1/session", headers=own(c))
    nothing_more(root(daemon), streams, changes)
    kept.until(lambda event: "unseen" in event.text)
    kept.leave()


def test_what_the_daemons_own_token_began_ends_with_it(tmp_path):
    """It was changed because somebody else had it, who went on to watch."""
    daemon = guarded(tmp_path).run()
    try:
        c = root(daemon)
        page = session(c)
        streams = [watching(c), watching(page)]
        changes = [half_sent(c, "/v1/models/late"), half_sent(c, "/v1/datasets/late"), half_sent(page, "/v1/models/late-2", **own(c))]
        (tmp_path / "token").write_text("another-token-0123456789\n")
        daemon.process.send_signal(1)
        wait_for("it to be another", lambda: c.get("/v1/session", status=(200, 401)).status == 401, 10)
        nothing_more(daemon.client(headers=bearer("another-token-0123456789")), streams, changes)
        daemon.stop()
    finally:
        daemon.kill()


def test_what_anybody_began_ends_with_the_first_token(tmp_path):
    daemon = Daemon(tmp_path).run()
    try:
        c = daemon.client()
        streams, changes = [watching(c)], [half_sent(c, "/v1/models/late"), half_sent(c, "/v1/datasets/late")]
        made = c.post("/v1/tokens", {"name": "first", "roles": list(ROLES)}, status=201)
        nothing_more(daemon.client(headers=bearer(made["token"])), streams, changes)
        daemon.stop()
    finally:
        daemon.kill()


def test_cookies_that_are_none(daemon, who):
    name, _, value = session(who).headers["Cookie"].partition("=")
    id, until, number, mac = value.split(".")
    forged = [f"{id}.{until}.{int(number) + 1}.{mac}", f"{id}.{until}.{mac}.{number}", f"{id}.{until}.{number}.{'0' * len(mac)}"]
    mac = f"{number}.{mac}"
    forged += [f"{int(id) + 1}.{until}.{mac}", f"0.{until}.{mac}", f"{id}.{int(until) + 1}.{mac}", f"{id}.{until}.{mac[:-1]}", f"{id}.{until}.{mac}0",
              f"{id}.{until}.{'0' * len(mac)}", f"{id}.{until}.", f"{id}.{until}", id, "", "..", f"0{id}.{until}.{mac}", f"-{id}.{until}.{mac}",
              f"{id}.{until}.{mac.upper()}", f" {value}", f'"{value}"', f"{id}.{int(time.time()) - 1}.{mac}", f"{id}.99999999999999999999.{mac}",
              who.made["token"]]
    sources = iter(range(100, 250))
    for value in forged:
        c = comes_from(daemon.client(), f"127.0.0.{next(sources)}")
        c.get("/v1/models", headers={"Cookie": f"{name}={value}"}, status=401)
    for other in (f"{name}x={until}", name, f"{name[:-1]}={id}.{until}.{mac}", f"{name.upper()}={id}.{until}.{mac}", f"a={name}={id}.{until}.{mac}"):
        daemon.client().get("/v1/models", headers={"Cookie": other}, status=401)
    daemon.client().get("/v1/models", headers={"Cookie": f"{name}={id}.{until}.{mac}"})


def test_forging_is_slowed_too(daemon, who):
    pair = session(who).headers["Cookie"]
    forger = comes_from(daemon.client(), "127.0.0.5")
    statuses = [forger.get("/v1/models", headers={"Cookie": f"{pair[:-2]}{i:02x}"}, status=(200, 401, 429)).status for i in range(14)]
    assert 429 in statuses


def test_a_session_that_is_over_is_no_guess(daemon):
    """A page that is left open goes on asking; its address is not shut out for it."""
    gone = holder(daemon, source="127.0.0.7")
    page = session(gone)
    page.get("/v1/models")
    root(daemon).delete(f"/v1/tokens/{gone.id}")
    name, _, value = page.headers["Cookie"].partition("=")
    id, until, mac = value.split(".", 2)
    for old in (value, f"{id}.{int(time.time()) - 1}.{mac}"):
        for _ in range(15):
            page.get("/v1/models", headers={"Cookie": f"{name}={old}"}, status=401)
    holder(daemon, source="127.0.0.7").get("/v1/models")


def test_who_gets_none(daemon, start):
    daemon.client().request("POST", "/v1/session", status=401)
    comes_from(daemon.client(), "127.0.0.4").request("POST", "/v1/session", headers=bearer("wrong-0123456789abcdef"), status=401)
    start().client().request("POST", "/v1/session", status=401)  # an open daemon: there is no token to make one of


def test_two_daemons_on_one_host(daemon, tmp_path, who):
    """A browser sends the cookies of all ports of a host to each."""
    other = guarded(tmp_path).run()
    try:
        first, second = session(who), session(holder(other))
        both = f"{first.headers['Cookie']}; {second.headers['Cookie']}"
        assert first.headers["Cookie"].partition("=")[0] != second.headers["Cookie"].partition("=")[0]
        for one in (daemon, other):
            for cookies in (both, "; ".join(both.split("; ")[::-1])):
                for _ in range(8):  # the other's is no guess
                    one.client(headers={"Cookie": cookies}).get("/v1/models")
        for _ in range(15):
            other.client(headers=first.headers).get("/v1/models", status=401)
        other.stop()
    finally:
        other.kill()
