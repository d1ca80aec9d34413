"""What a token may ask in a second and keep in all, and how long somebody waits who tries tokens."""
import contextlib
import gzip
import http.client
import signal
import time

import pytest

from data import ENDLESS, XOR, example, iris_model
from fields import covers
from harness import wait_for
from tokens import ROOT, Holder, bearer, comes_from, created, guarded, holder, root

TRIES = 10  # wrong tokens for which nobody waits


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = guarded(tmp_path_factory.mktemp("limits"), "--workers", 1, "--threads", 1).run()
    root(daemon).csv("iris", example("iris"))
    try:
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@pytest.fixture
def c(daemon):
    """Jobs that a test leaves behind end with it."""
    client = root(daemon)
    yield client
    left = root(daemon)
    for state in ("queued", "running", "paused"):
        for job in left.get(f"/v1/jobs?state={state}")["jobs"]:
            left.cancel(job["id"], status=(200, 409))


# ---- rate ----

def rate_headers(answer):
    return [int(answer.headers[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")]


def sent(client, path="/v1/session", most=200):
    """Answers until one is 429, that with them."""
    answers = []
    while len(answers) < most and (not answers or answers[-1].status != 429):
        answers.append(client.get(path, status=(200, 429)))
    return answers


@covers("TokenRequest.rate")
@pytest.mark.parametrize("rate, burst", [(0.5, 1), (3, 3), (2.5, 3)])
def test_so_many_a_second_and_no_more(daemon, rate, burst):
    who = holder(daemon, "read", rate=rate)
    begun = time.monotonic()
    answers = sent(who)
    passed = len(answers) - 1
    assert answers[-1].status == 429 and answers[-1].code == "too-many-requests"
    assert burst <= passed <= burst + rate * (time.monotonic() - begun) + 1
    lefts = [rate_headers(answer)[1] for answer in answers]
    assert lefts[0] == burst - 1 and lefts[-1] == 0 and all(0 <= left < burst for left in lefts)
    assert all(rate_headers(answer)[0] == burst for answer in answers)
    assert all(1 <= rate_headers(answer)[2] <= burst / rate + 1 for answer in answers)
    wait = int(answers[-1].headers["Retry-After"])
    assert 1 <= wait <= 1 / rate + 1
    time.sleep(wait)
    who.get("/v1/session")


def test_a_rate_counts_refusals_too(daemon):
    """Whoever is refused for the role asks no more often."""
    who = holder(daemon, "predict", rate=2)
    for _ in range(200):
        answer = who.get("/v1/models", status=(403, 429))
        assert rate_headers(answer)[0] == 2
        if answer.status == 429:
            return
    raise AssertionError("no limit")


def test_tokens_without_a_rate_and_others(daemon, c):
    slow, other = holder(daemon, "read", rate=1), holder(daemon, "read")
    assert sent(slow)[-1].status == 429
    answer = other.get("/v1/session")
    assert answer.headers["RateLimit-Limit"] is None and c.get("/v1/session").headers["RateLimit-Limit"] is None
    assert len(sent(other, most=50)) == 50


@pytest.mark.parametrize("rate", [1e-12, 1e-300])
def test_a_rate_that_is_next_to_nothing(daemon, rate):
    """Seconds between two requests that no integer holds were no limit at all."""
    who = holder(daemon, "read", rate=rate)
    assert [answer.status for answer in sent(who)] == [200, 429]
    assert who.get("/v1/session", status=429).headers["Retry-After"].isdigit()


def test_a_rate_is_shared_by_connections(daemon):
    who = holder(daemon, "read", rate=1)
    others = [Holder(daemon.port, who.made) for _ in range(8)]
    assert 429 in [other.get("/v1/session", status=(200, 429)).status for other in others for _ in range(5)]


# ---- quotas ----

def small(client, name, status):
    return client.put(f"/v1/models/{name}", {"inputs": 1, "outputs": 1}, status=status)


def exhausted(answer, word):
    assert answer.code == "quota-exhausted" and word in answer["detail"]


@covers("TokenLimits.models")
def test_models(daemon, c, fresh):
    one, two = holder(daemon, limits={"models": 1}), holder(daemon, limits={"models": 2})
    small(one, f"{fresh}-1", 201)
    exhausted(small(one, f"{fresh}-2", 429), "1 models")
    c.get(f"/v1/models/{fresh}-2", status=404)
    small(one, f"{fresh}-1", 200)  # nothing new
    small(two, f"{fresh}-3", 201)
    small(two, f"{fresh}-4", 201)
    small(two, f"{fresh}-5", 429)
    one.delete(f"/v1/models/{fresh}-1")
    small(one, f"{fresh}-6", 201)
    c.delete(f"/v1/models/{fresh}-3")  # whoever deletes it
    small(two, f"{fresh}-5", 201)
    small(holder(daemon, limits={"models": 0}), f"{fresh}-7", 429)
    small(holder(daemon, limits={"models": None}), f"{fresh}-8", 201)


@covers("TokenLimits.datasets")
def test_data_sets(daemon, c, fresh):
    one, two = holder(daemon, limits={"datasets": 1}), holder(daemon, limits={"datasets": 2})
    one.csv(f"{fresh}-1", "a\n1\n", status=201)
    exhausted(one.csv(f"{fresh}-2", "a\n1\n", status=429), "1 data sets")
    c.get(f"/v1/datasets/{fresh}-2", status=404)
    one.csv(f"{fresh}-1", "a\n2\n", query="?replace=true", status=200)  # its own
    one.csv(f"{fresh}-1", "a\n3\n", query="?replace=true", status=200)
    for i in (3, 4):
        two.csv(f"{fresh}-{i}", "a\n1\n", status=201)
    two.csv(f"{fresh}-5", "a\n1\n", status=429)
    one.delete(f"/v1/datasets/{fresh}-1")
    one.csv(f"{fresh}-2", "a\n1\n", status=201)


@covers("TokenLimits.bytes")
def test_bytes(daemon, c, fresh):
    rows = "a\n" + "12345\n" * 100  # 602 bytes
    less, more = holder(daemon, limits={"bytes": 1000}), holder(daemon, limits={"bytes": 1300})
    for who, second in ((less, 429), (more, 201)):
        who.csv(f"{fresh}-{who.id}-1", rows, status=201)
        answer = who.csv(f"{fresh}-{who.id}-2", rows.replace("5", "6"), status=second)
        if second == 429:
            exhausted(answer, "1000 bytes")
    c.get(f"/v1/datasets/{fresh}-{less.id}-2", status=404)
    path = f"/v1/datasets/{fresh}-{less.id}-1"
    tag = c.get(path).etag
    csv = {"Content-Type": "text/csv"}
    exhausted(less.request("PATCH", path, body=rows, headers=csv, status=429), "1000 bytes")
    assert c.get(path).etag == tag, "nothing was appended"
    less.request("PATCH", path, body="a\n1\n2\n", headers=csv, status=200)
    less.csv(f"{fresh}-{less.id}-1", "a\n7\n", query="?replace=true", status=200)
    less.csv(f"{fresh}-{less.id}-2", rows, status=201)  # there is room again
    less.csv(f"{fresh}-{less.id}-3", rows, status=429)


def test_a_data_set_is_of_who_changed_it_last(daemon, c, fresh):
    """PATCH and replace take it over, with all of its bytes; the same bytes again change nothing."""
    rows, csv = "a\n" + "12345\n" * 100, {"Content-Type": "text/csv"}
    small_one, first, second = holder(daemon, limits={"bytes": 100}), holder(daemon, limits={"datasets": 1}), holder(daemon, limits={"datasets": 1})
    path = f"/v1/datasets/{fresh}-1"
    first.csv(f"{fresh}-1", rows, status=201)
    exhausted(small_one.request("PATCH", path, body="a\n1\n", headers=csv, status=429), "bytes")
    exhausted(small_one.csv(f"{fresh}-1", rows + "1\n" * 50, query="?replace=true", status=429), "bytes")
    second.csv(f"{fresh}-1", rows, status=200)
    first.csv(f"{fresh}-2", "a\n1\n", status=429)  # still the first one's
    second.request("PATCH", path, body="a\n1\n", headers=csv, status=200)
    first.csv(f"{fresh}-2", "a\n1\n", status=201)
    exhausted(second.csv(f"{fresh}-3", "a\n1\n", status=429), "data sets")
    exhausted(first.csv(f"{fresh}-1", "a\n9\n", query="?replace=true", status=429), "data sets")
    assert c.get(f"{path}/rows?limit=1").json
    c.csv(f"{fresh}-1", "a\n8\n", query="?replace=true", status=200)  # the daemon's own token takes it from all
    second.csv(f"{fresh}-3", "a\n1\n", status=201)
    second.put(f"{path}/columns/a", {"type": "category"}, status=429)


@covers("TokenLimits.jobs")
def test_jobs(daemon, c, fresh):
    one, two = holder(daemon, limits={"jobs": 1}), holder(daemon, limits={"jobs": 2})
    c.put(f"/v1/models/{fresh}", iris_model(seed=1))
    train = f"/v1/models/{fresh}:train"
    first = one.post(train, ENDLESS, status=202)["id"]
    exhausted(one.post(train, ENDLESS, status=429), "1 unfinished jobs")
    exhausted(one.post(f"/v1/models/{fresh}:crossvalidate", {"dataset": "iris", "folds": 2}, status=429), "1 unfinished jobs")
    jobs = [first] + [two.post(train, ENDLESS, status=202)["id"] for _ in range(2)]
    two.post(train, ENDLESS, status=429)
    assert [job["id"] for job in c.get("/v1/jobs?limit=3")["jobs"]] == jobs[::-1]
    c.cancel(first)
    c.ended(first, "cancelled")
    jobs.append(one.post(train, ENDLESS, status=202)["id"])
    one.request("POST", f"/v1/jobs/{jobs[-1]}:pause", status=200)
    one.post(train, ENDLESS, status=429)  # a paused one has not ended
    for job in jobs[1:]:
        c.cancel(job)
        c.ended(job, "cancelled")


def test_a_refused_job_leaves_its_key_free(daemon, c, fresh):
    """A quota is no answer that is kept under an Idempotency-Key."""
    one = holder(daemon, limits={"jobs": 1})
    c.put(f"/v1/models/{fresh}", iris_model(seed=1))
    train, key = f"/v1/models/{fresh}:train", {"Idempotency-Key": fresh}
    first = one.post(train, ENDLESS, status=202)["id"]
    one.post(train, {"dataset": "iris", "epochs": 1}, headers=key, status=429)
    c.cancel(first)
    c.ended(first, "cancelled")
    job = one.post(train, {"dataset": "iris", "epochs": 1}, headers=key, status=202)["id"]
    assert one.post(train, {"dataset": "iris", "epochs": 1}, headers=key, status=202)["id"] == job
    c.ended(job)


def test_each_token_has_its_own_keys(daemon, c, fresh):
    """Who guesses another's Idempotency-Key does not get the answer to it."""
    c.put(f"/v1/models/{fresh}", iris_model(seed=1))
    train, key, body = f"/v1/models/{fresh}:train", {"Idempotency-Key": fresh}, {"dataset": "iris", "epochs": 1}
    one, two = holder(daemon), holder(daemon)
    jobs = [client.post(train, body, headers=key, status=202)["id"] for client in (one, two, c, one, two, c)]
    assert jobs[:3] == jobs[3:] and len(set(jobs)) == 3
    for job in jobs[:3]:
        c.ended(job)


def test_data_in_a_body_are_no_data_set(daemon, c, fresh):
    """Inline data of a training are kept for its job, under no name: they count as the job."""
    one = holder(daemon, limits={"datasets": 0, "bytes": 0})
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1})
    job = one.post(f"/v1/models/{fresh}:train", {"data": XOR, "epochs": 1}, status=202)["id"]
    c.ended(job)
    one.csv(fresh, "a\n1\n", status=429)
    assert fresh not in [found["name"] for found in c.get("/v1/datasets")["datasets"]]


def test_what_is_made_is_counted_over_restarts(tmp_path):
    daemon = guarded(tmp_path).run()
    try:
        two = holder(daemon, limits={"models": 1, "datasets": 1, "bytes": 10})
        small(two, "a", 201)
        two.csv("a", "a\n1\n", status=201)
        daemon.kill()
        daemon.run()
        again = Holder(daemon.port, two.made)
        small(again, "b", 429)
        again.csv("b", "a\n1\n", status=429)
        again.delete("/v1/models/a")
        small(again, "b", 201)
        root(daemon).delete(f"/v1/tokens/{two.id}")  # what it made is nobody's now
        root(daemon).get("/v1/models/b")
        daemon.stop()
    finally:
        daemon.kill()


# ---- quotas, while data come ----

PIECE = b"12345\n" * 10_000  # 60 KB
PIECES = 140  # of a column: 8 MB, whose rows are megabytes in the database


@contextlib.contextmanager
def upload(who, path, method="PUT", **headers):
    """Its headers are sent."""
    raw = http.client.HTTPConnection("127.0.0.1", who.port, timeout=60)
    raw.putrequest(method, path)
    for name, value in {**who.headers, "Content-Type": "text/csv", **headers}.items():
        raw.putheader(name.replace("_", "-"), str(value))
    raw.endheaders()
    yield raw
    raw.close()


def asked_first(who, path, length, method="PUT", **headers):
    """What a client hears that sends nothing before it has leave."""
    with upload(who, path, method, Content_Length=length, Expect="100-continue", **headers) as raw:
        return raw.sock.recv(4096)


def file_bytes(daemon):
    return sum(file.stat().st_size for file in daemon.database.parent.glob(daemon.database.name + "*") if file.is_file())


def sent_on(raw, pieces):
    """In chunks, to the end; the answer."""
    for piece in pieces:
        raw.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    raw.send(b"0\r\n\r\n")
    return raw.getresponse()


def test_what_cannot_fit_is_refused_before_it_is_sent(daemon, fresh):
    rows, path = "a\n" + "12345\n" * 100, f"/v1/datasets/{fresh}"  # 602 bytes
    who, full, one = holder(daemon, limits={"bytes": 1000}), holder(daemon, limits={"bytes": 602}), holder(daemon, limits={"datasets": 1})
    for mine in (who, full, one):
        mine.csv(f"{fresh}-{mine.id}", rows)
    for mine, method, to, length, wanted in ((who, "PUT", "", 398, 100), (who, "PUT", "", 399, 429),
                                            (who, "PUT", f"-{who.id}?replace=true", 1000, 100), (who, "PUT", f"-{who.id}?replace=true", 1001, 429),
                                            (who, "PATCH", f"-{who.id}", 398, 100), (who, "PATCH", f"-{who.id}", 399, 429),
                                            (who, "PUT", f"-{full.id}?replace=true", 398, 100), (who, "PUT", f"-{full.id}?replace=true", 399, 429),
                                            (who, "PUT", f"-{full.id}?types=a:category", 602, 100), (who, "PUT", f"-{full.id}?types=a:category", 603, 409),
                                            (who, "PATCH", f"-{full.id}", 2, 429),
                                            (full, "PUT", "", 1, 429), (full, "PUT", f"-{full.id}?replace=true", 602, 100), (full, "PATCH", f"-{full.id}", 1, 429),
                                            (one, "PUT", "", 4, 429), (one, "PUT", f"-{one.id}?replace=true", 10 ** 9, 100), (one, "PATCH", f"-{one.id}", 10 ** 9, 100)):
        heard = asked_first(mine, path + to, length, method)
        assert heard.startswith(b"HTTP/1.1 %d " % wanted), (method, to, length, heard)
    # packed, nobody knows how many there will be
    assert asked_first(who, path, 900, Content_Encoding="gzip").startswith(b"HTTP/1.1 100 ")
    assert asked_first(full, path, 900, Content_Encoding="gzip").startswith(b"HTTP/1.1 429 ")


def pieces_of(body):
    return (body[at:at + len(PIECE)] for at in range(0, len(body), len(PIECE)))


@pytest.mark.parametrize("method, to, coding, wanted", [
    ("PUT", "-2", None, 429), ("PUT", "-2", "gzip", 429), ("PATCH", "", None, 429), ("PUT", "?replace=true", None, 429), ("PUT", "?types=a:category", None, 409),
], ids=["chunked", "packed", "appended", "replaced", "other types"])
def test_what_is_refused_takes_no_disk(tmp_path, method, to, coding, wanted):
    """The rows of gigabytes were written before the commit refused them."""
    daemon = guarded(tmp_path).run()
    try:
        who, body = holder(daemon, limits={"bytes": 100_000}), b"a\n" + PIECE * PIECES
        who.csv("a", b"a\n" + PIECE)
        before = file_bytes(daemon)
        with upload(who, f"/v1/datasets/a{to}", method, Transfer_Encoding="chunked", **({"Content-Encoding": coding} if coding else {})) as raw:
            answer = sent_on(raw, pieces_of(gzip.compress(body) if coding else body))
            said = answer.read()
        assert answer.status == wanted and (b"quota-exhausted" in said) == (wanted == 429), said
        assert file_bytes(daemon) - before < 500_000
        assert who.get("/v1/datasets/a")["rows"] == len(PIECE) // 6, "nothing was changed"
        who.get("/v1/datasets/a-2", status=404)
        who.csv("a", b"a\n" + b"1\n" * 49_999, query="?replace=true", status=200)  # to the last byte
        daemon.stop()
    finally:
        daemon.kill()


def test_uploads_at_once_send_no_more_than_may_be_kept(daemon, fresh):
    """Each of them alone would fit, and none is committed yet."""
    who, other = holder(daemon, limits={"bytes": 1000}), holder(daemon, limits={"bytes": 1000})
    chunked, rows = {"Transfer_Encoding": "chunked"}, b"a\n" + b"12345\n" * 100
    with upload(who, f"/v1/datasets/{fresh}-1", Content_Length=602, Expect="100-continue") as first:
        assert first.sock.recv(4096).startswith(b"HTTP/1.1 100 ")
        with upload(who, f"/v1/datasets/{fresh}-2", **chunked) as second:
            answer = sent_on(second, [rows])
            said = answer.read()
            assert answer.status == 429 and b"quota-exhausted" in said and b"under way" in said
        who.csv(f"{fresh}-3", b"a\n" + b"12345\n" * 66, status=201)  # as much as is left
        other.csv(f"{fresh}-4", rows, status=201)
        first.send(rows)
        answer = first.getresponse()
        assert answer.status == 201, answer.read()
    who.delete(f"/v1/datasets/{fresh}-1")
    with upload(who, f"/v1/datasets/{fresh}-2", **chunked) as second:  # what has ended counts no more
        assert sent_on(second, [rows]).status == 201


# ---- guessing ----

@pytest.fixture
def closed(tmp_path):
    """A daemon that nobody has tried anything on, and a token of its own."""
    daemon = guarded(tmp_path).run()
    yield daemon, created(daemon.database, "one")
    daemon.kill()


def guess(client, number=0):
    return client.get("/v1/models", headers=bearer(f"dtk_{number:064x}"), status=(401, 429))


def slowed(client):
    """Tries until it has to wait; how many were looked at, and the answer."""
    for looked in range(TRIES + 5):
        answer = guess(client, looked)
        if answer.status == 429:
            assert answer.code == "too-many-requests" and 1 <= int(answer.headers["Retry-After"]) <= 60
            return looked, answer
    raise AssertionError("guessing goes on and on")


def test_whoever_tries_tokens_waits(closed):
    daemon, token = closed
    thief, neighbour = comes_from(daemon.client(), "127.0.0.2"), comes_from(daemon.client(), "127.0.0.3")
    looked, answer = slowed(thief)
    assert looked in (TRIES, TRIES + 1)
    assert int(answer.headers["Retry-After"]) == 1
    right = thief.get("/v1/models", headers=bearer(token), status=429)  # not even a right one is looked at
    assert {k: v for k, v in right.json.items()} == guess(thief).json, "nothing tells it from a wrong one"
    neighbour.get("/v1/models", headers=bearer(token))
    guess(neighbour).status == 401
    thief.get("/livez")
    thief.get("/v1/models", status=401)  # who sends none is told what is missing
    time.sleep(int(answer.headers["Retry-After"]))
    guess(thief)
    again = wait_for("to wait again", lambda: (found := guess(thief)).status == 429 and found, 5)
    assert int(again.headers["Retry-After"]) in (1, 2), "twice as long"
    time.sleep(int(again.headers["Retry-After"]) + 0.1)
    thief.get("/v1/models", headers=bearer(token))  # it recovers
    neighbour.get("/v1/models", headers=bearer(ROOT))


def test_who_came_from_there_before_does_not_wait(closed):
    """Clients behind one proxy: the thief among them does not lock the others out."""
    daemon, token = closed
    for known in (token, ROOT):
        daemon.client().get("/v1/models", headers=bearer(known))
    slowed(daemon.client())
    for _ in range(30):
        daemon.client().get("/v1/models", headers=bearer(token))
        daemon.client().get("/v1/models", headers=bearer(ROOT))
        guess(daemon.client())
    assert guess(daemon.client()).status == 429
    daemon.process.send_signal(signal.SIGHUP)  # a certificate was renewed, say: the daemon's own token is still the same
    wait_for("the options to be read", lambda: "options were read again" in daemon.log(), 10)
    for _ in range(15):
        guess(daemon.client())
        daemon.client().get("/v1/models", headers=bearer(ROOT))
