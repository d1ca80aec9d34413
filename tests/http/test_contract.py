"""The check of the contract can fail: planted answers that break it are found, one that keeps it is not."""
import json
import random
from email.message import Message

import pytest

from data import example, iris_model
from harness import CONTRACT, Answer

DATASET = {"name": "d", "revision": "1", "rows": 1, "size_bytes": 4, "sha256": "0" * 64,
           "created_at": "2026-11-24T15:04:05.123Z",
           "columns": [{"name": "a", "type": "category", "missing": 0, "distinct": 1,
                        "values": [{"value": "x", "count": 1}]}]}
PROBLEM = {"type": "/problems/not-found", "title": "Not found", "status": 404, "code": "not-found",
           "detail": "No such thing.",
           "error": "No such thing."}
PATH = "/v1/datasets/d"


def answer(status, document, media=None, **headers):
    """An answer as the client makes one; a header of None is left out."""
    message = Message()
    kept = {"Content-Type": media or ("application/json" if status < 400 else "application/problem+json"),
            "ETag": '"1"', **headers}
    for name, value in kept.items():
        if value is not None:
            message[name.replace("_", "-")] = value
    return Answer(status, message, b"" if document is None else json.dumps(document).encode())


def test_answers_that_keep_it():
    CONTRACT.check("GET", PATH, answer(200, DATASET))
    CONTRACT.check("GET", PATH, answer(404, PROBLEM))
    CONTRACT.check("GET", PATH, answer(304, None))
    CONTRACT.check("HEAD", PATH, answer(200, None))
    CONTRACT.check("DELETE", PATH, answer(204, None))
    CONTRACT.check("OPTIONS", PATH, answer(204, None, Allow="GET, HEAD, PUT, PATCH, DELETE, OPTIONS"))
    refused = {**PROBLEM, "type": "/problems/method-not-allowed", "code": "method-not-allowed", "status": 405}
    CONTRACT.check("POST", PATH, answer(405, refused, Allow="GET, HEAD, PUT, PATCH, DELETE, OPTIONS"))
    nowhere = {**PROBLEM, "type": "/problems/no-such-route", "code": "no-such-route"}
    CONTRACT.check("GET", "/v1/nowhere", answer(404, nowhere))


@pytest.mark.parametrize("method,path,found", [
    ("GET", PATH, answer(200, {**DATASET, "colour": "red"})),
    ("GET", PATH, answer(200, {k: v for k, v in DATASET.items() if k != "rows"})),
    ("GET", PATH, answer(200, {**DATASET, "rows": "1"})),
    ("GET", PATH, answer(200, {**DATASET, "created_at": "yesterday"})),
    ("GET", PATH, answer(200, DATASET, ETag=None)),
    ("GET", PATH, answer(200, DATASET, ETag='W/"1"')),
    ("GET", PATH, answer(200, DATASET, media="text/html")),
    ("GET", PATH, answer(201, DATASET, Location="/v1/datasets/d")),
    ("PUT", PATH, answer(201, DATASET)),
    ("GET", PATH, answer(404, {**PROBLEM, "error": "Another sentence."})),
    ("GET", PATH, answer(404, {**PROBLEM, "type": "about:blank"})),
    ("GET", PATH, answer(404, {**PROBLEM, "status": 400})),
    ("GET", PATH, answer(404, {**PROBLEM, "type": "/problems/oops", "code": "oops"})),
    ("GET", PATH, answer(404, PROBLEM, media="application/json")),
    ("GET", PATH, answer(404, {**PROBLEM, "type": "/problems/no-such-route", "code": "no-such-route"})),
    ("GET", PATH, answer(418, {**PROBLEM, "status": 418})),
    ("GET", PATH, answer(304, DATASET)),
    ("HEAD", PATH, answer(200, DATASET)),
    ("DELETE", PATH, answer(204, DATASET)),
    ("OPTIONS", PATH, answer(204, None, Allow="GET, HEAD, OPTIONS")),
    ("POST", PATH, answer(405, {**PROBLEM, "status": 405})),
    ("GET", "/v1/nowhere", answer(200, {})),
    ("GET", "/v1/nowhere", answer(404, PROBLEM)),
    ("GET", "/v1/datasets", answer(200, {"datasets": [DATASET], "next": "abc"})),
    ("GET", "/v1/datasets", answer(200, {"datasets": [DATASET], "next": None}, Link='<x>; rel="next"')),
])
def test_answers_that_break_it(method, path, found):
    with pytest.raises(AssertionError):
        CONTRACT.check(method, path, found)


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":-Infinity}'])
def test_json_that_is_none(body):
    message = Message()
    message["Content-Type"] = "application/json"
    with pytest.raises(AssertionError):
        Answer(200, message, body)


def test_a_request_that_was_taken_is_documented():
    model = {"inputs": 1, "outputs": 1, "colour": "red"}
    with pytest.raises(AssertionError):
        CONTRACT.check("PATCH", "/v1/models/m", answer(200, {}), model)


def spoilt(value):
    """Copies of it, each with one thing changed; some of them are still right."""
    if isinstance(value, dict):
        yield {**value, "colour": "red"}
        for key, of in value.items():
            yield {k: v for k, v in value.items() if k != key}
            yield from ({**value, key: bad} for bad in spoilt(of))
    elif isinstance(value, list):
        yield from ([], value + value, [*value, None])
        for i, of in enumerate(value[:2]):
            yield from ([*value[:i], bad, *value[i + 1:]] for bad in spoilt(of))
    else:
        yield from (None, -1, 0, 1.5, True, "", "x" * 300, [], {})


def test_the_quick_validator_finds_what_the_other_does(c):
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model())
    job = c.train("m", {"dataset": "iris", "epochs": 3})["id"]
    chance, refused = random.Random(7), 0
    for path in ("/v1/models/m", "/v1/models", "/v1/models/m/versions/1", "/v1/datasets/iris", f"/v1/jobs/{job}", f"/v1/jobs/{job}/curve",
                 "/v1/system", "/v1/catalog", "/v1/models/m/versions/1/layers/0/neurons/0"):
        schema = CONTRACT.schema_of("GET", path)
        good = c.get(path).json
        assert CONTRACT.fits(schema, good)
        bad = list(spoilt(good))
        for value in chance.sample(bad, min(len(bad), 60)):
            assert CONTRACT.fits(schema, value) == CONTRACT.validator(schema).is_valid(value), (path, value)
            refused += not CONTRACT.fits(schema, value)
    assert refused > 200
