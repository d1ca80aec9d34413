"""Idempotency-Key: asked twice, done once; over kills, restarts, and beside the first request."""
import http.client
import json
import random
import sqlite3
import threading
import time

import pytest

from data import PLANE, example, iris_model
from harness import Client

TRAIN = {"dataset": "iris", "epochs": 3, "seed": 1}


@pytest.fixture
def model(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model(seed=1), status=(200, 201))
    return fresh


def train(c, model, key, document=TRAIN, status=202):
    return c.post(f"/v1/models/{model}:train", document, status=status, headers={"Idempotency-Key": key})


def jobs(c, model):
    return c.get(f"/v1/jobs?model={model}")["jobs"]


def rows(c, name):
    return c.get(f"/v1/datasets/{name}")["rows"]


def append(c, name, text, key, status=200, **headers):
    return c.request("PATCH", f"/v1/datasets/{name}", body=text, status=status,
                     headers={"Content-Type": "text/csv", "Idempotency-Key": key, **headers})


def same(a, b):
    assert (a.status, a.body) == (b.status, b.body)
    for header in ("Location", "Retry-After"):
        assert a.headers[header] == b.headers[header]


def test_train_twice_is_one_job(c, model):
    """The first answer again, to the byte, although the job has gone on; another key makes another job."""
    first = train(c, model, "twice")
    c.ended(first["id"])
    same(first, train(c, model, "twice"))
    assert first.headers["Retry-After"] == "1"
    assert [job["id"] for job in jobs(c, model)] == [first["id"]]
    assert train(c, model, "thrice")["id"] != first["id"]
    assert len(jobs(c, model)) == 2


def test_without_a_key_nothing_is_remembered(c, model):
    assert c.start(model, TRAIN)["id"] != c.start(model, TRAIN)["id"]


def test_inline_data_count_as_body(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1})
    data = {"data": {"inputs": [[0, 1], [1, 0]], "targets": [[1], [0]]}, "epochs": 2}
    first = train(c, fresh, fresh, data)
    same(first, train(c, fresh, fresh, data))
    data["data"]["targets"] = [[0], [1]]
    assert "another request" in train(c, fresh, fresh, data, status=422).sentence()
    assert len(jobs(c, fresh)) == 1


def test_cross_validation_twice_is_one_job(c, model):
    def cross(**more):
        return c.post(f"/v1/models/{model}:crossvalidate", {**TRAIN, "folds": 2}, headers={"Idempotency-Key": model}, **more)
    first = cross(status=202)
    same(first, cross(status=202))
    c.ended(first["id"])
    same(first, cross(status=202))
    train(c, model, model, status=422)


@pytest.mark.parametrize("change", [{"epochs": 4}, {"note": "x"}])
def test_another_body_is_refused(c, model, change):
    train(c, model, model)
    assert "new key" in train(c, model, model, {**TRAIN, **change}, status=422).sentence()
    assert len(jobs(c, model)) == 1


def test_another_route_is_refused(c, model):
    """A key belongs to its request: method, path and query count too."""
    train(c, model, model)
    c.put(f"/v1/models/{model}-2", iris_model(seed=1), status=(200, 201))
    train(c, f"{model}-2", model, status=422)
    c.csv(f"{model}-data", PLANE, status=422, headers={"Idempotency-Key": model})
    c.get(f"/v1/datasets/{model}-data", status=404)
    c.csv(f"{model}-data", PLANE, status=201, headers={"Idempotency-Key": model + "d"})
    c.csv(f"{model}-data", PLANE, status=422, query="?replace=true", headers={"Idempotency-Key": model + "d"})


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "a\tb"])
def test_keys_that_cannot_be(c, model, key):
    answer = train(c, model, key.encode("latin-1"), status=400)
    assert "idempotency-key" in answer.sentence() and not jobs(c, model)


def test_the_longest_key(c, model):
    key = "".join(map(chr, range(33, 127))) * 3
    first = train(c, model, key[:255])
    same(first, train(c, model, key[:255]))


def test_a_refusal_leaves_its_key_free(c, model):
    """Nothing was changed by a request that was refused, so the mended one may come under the same key."""
    train(c, model, model, {**TRAIN, "epochs": 0}, status=422)
    train(c, model, model, {**TRAIN, "epochs": 0}, status=422)
    assert train(c, model, model)["config"]["epochs"] == 3


# ---- uploads ----

def test_upload_twice(c, fresh):
    """PUT says 201 both times, and is not done again when the data set has moved on."""
    headers = {"Idempotency-Key": fresh}
    first = c.csv(fresh, PLANE, status=201, headers=headers)
    same(first, c.csv(fresh, PLANE, status=201, headers=headers))
    c.csv(fresh, "a,b,y\n1,2,3\n", status=200, query="?replace=true")
    same(first, c.csv(fresh, PLANE, status=201, headers=headers))
    assert rows(c, fresh) == 1
    c.csv(fresh, PLANE + "1,2,3\n", status=422, headers=headers)


def test_append_twice(c, fresh):
    """The rows come once; If-Match, which names the state before, holds for the repetition too."""
    etag = c.csv(fresh, PLANE).etag or c.get(f"/v1/datasets/{fresh}").etag
    more = "a,b,y\n9,9,9\n"
    first = append(c, fresh, more, fresh, **{"If-Match": etag})
    same(first, append(c, fresh, more, fresh, **{"If-Match": etag}))
    assert rows(c, fresh) == 65
    append(c, fresh, more, fresh + "-2", status=412, **{"If-Match": etag})
    append(c, fresh, "a,b,y\n8,9,9\n", fresh, status=422)
    append(c, fresh, more, fresh + "-2")
    assert rows(c, fresh) == 66


def test_one_in_flight(c, fresh, daemon):
    """While a body is still coming its key is taken; a broken upload gives it back."""
    c.csv(fresh, PLANE)
    def begin():
        slow = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
        slow.putrequest("PATCH", f"/v1/datasets/{fresh}")
        for name, value in (("Content-Type", "text/csv"), ("Content-Length", "30"), ("Idempotency-Key", fresh)):
            slow.putheader(name, value)
        slow.endheaders(b"a,b,y\n")
        return slow

    slow = begin()
    more = "a,b,y\n1,1,1\n"
    deadline = time.monotonic() + 20
    while (busy := append(c, fresh, "a,b,y\n", fresh, status=(409, 422))).status != 409:
        assert time.monotonic() < deadline, "the slow one never began"
        slow.close()  # ours had the key when it began: it was refused
        slow = begin()
        time.sleep(0.1)
    assert busy.headers["Retry-After"] == "1" and "under way" in busy.sentence()
    append(c, fresh, more, fresh + "-other")
    slow.close()
    while append(c, fresh, more, fresh, status=(200, 409)).status != 200:
        assert time.monotonic() < deadline, "the key was never given back"
    assert rows(c, fresh) == 66


def test_many_at_once_make_one_job(c, model, daemon):
    """Eight clients, one key: one job, and every answer is its or says that it is under way."""
    answers = []

    def send():
        client = daemon.client()
        while True:
            answer = client.request("POST", f"/v1/models/{model}:train", document=TRAIN, status=(202, 409),
                                    headers={"Idempotency-Key": model})
            if answer.status == 202:
                answers.append(answer)
                return
    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({answer.body for answer in answers}) == 1 and len(answers) == 8
    assert len(jobs(c, model)) == 1


# ---- restarts and kills ----

def prepared(daemon):
    c = daemon.client()
    c.csv("iris", example("iris"), status=(200, 201))
    c.csv("plane", PLANE, status=(200, 201))
    c.put("/v1/models/m", iris_model(seed=1), status=(200, 201))
    return c


def test_answers_outlive_a_restart(start):
    daemon = start("--workers", 1)
    c = prepared(daemon)
    first, put = train(c, "m", "k"), c.csv("x", PLANE, status=201, headers={"Idempotency-Key": "p"})
    daemon.stop()
    c = daemon.run().client()
    same(first, train(c, "m", "k"))
    same(put, c.csv("x", PLANE, status=201, headers={"Idempotency-Key": "p"}))
    assert len(jobs(c, "m")) == 1


def change(daemon, statement):
    daemon.kill()
    with sqlite3.connect(daemon.database) as db:
        db.execute(statement)
    return daemon.run().client()


def test_a_kill_between_the_change_and_its_answer(start):
    """The key stands with the change itself: where no answer can be put beside it, it is told what was made."""
    daemon = start("--workers", 1)
    prepared(daemon)
    c = change(daemon, "CREATE TRIGGER killed BEFORE INSERT ON answer WHEN NEW.status > 0 BEGIN SELECT raise(ABORT, ''); END")
    job = train(c, "m", "k")["id"]
    append(c, "plane", "a,b,y\n9,9,9\n", "a")
    c.csv("x", PLANE, status=201, headers={"Idempotency-Key": "p"})
    c = change(daemon, "DROP TRIGGER killed")
    again = train(c, "m", "k")
    assert again["id"] == job and again.headers["Location"] == f"/v1/jobs/{job}" and len(jobs(c, "m")) == 1
    same(again, train(c, "m", "k"))
    assert append(c, "plane", "a,b,y\n9,9,9\n", "a")["rows"] == 65 and rows(c, "plane") == 65
    made = c.csv("x", PLANE, status=201, headers={"Idempotency-Key": "p"})
    assert made.headers["Location"] == "/v1/datasets/x" and made["rows"] == 64
    train(c, "m", "k", {**TRAIN, "epochs": 9}, status=422)


def test_a_day_later_the_key_is_free(start):
    daemon = start("--workers", 1)
    c = prepared(daemon)
    first = train(c, "m", "k")["id"]
    c = change(daemon, "UPDATE answer SET created_ms = created_ms - 86400000")
    second = train(c, "m", "k", {**TRAIN, "epochs": 4})["id"]
    assert first != second and train(c, "m", "k", {**TRAIN, "epochs": 4})["id"] == second


def test_kills_make_no_second_job(start):
    """SIGKILL at a random moment of :train and of an append; sent again under the same keys, each was done once."""
    daemon = start("--workers", 1)
    prepared(daemon)
    rng = random.Random(5)
    rounds = 12

    def send(port, key):
        for method, path, body, kind in (("POST", "/v1/models/m:train", json.dumps(TRAIN), "application/json"),
                                         ("PATCH", "/v1/datasets/plane", "a,b,y\n9,9,9\n", "text/csv")):
            try:
                Client(port, timeout=5).request(method, path, body=body,
                                                headers={"Content-Type": kind, "Idempotency-Key": key + method})
            except (OSError, http.client.HTTPException):
                return
    for i in range(rounds):
        thread = threading.Thread(target=send, args=(daemon.port, f"key-{i}-"))
        thread.start()
        time.sleep(rng.uniform(0, 0.012))
        daemon.kill()
        thread.join(30)
        c = daemon.run().client()
        train(c, "m", f"key-{i}-POST")
        append(c, "plane", "a,b,y\n9,9,9\n", f"key-{i}-PATCH")
    assert len(jobs(c, "m")) == rounds
    assert rows(c, "plane") == 64 + rounds
