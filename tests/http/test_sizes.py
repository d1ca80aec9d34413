"""Numbers that are too much: each numeric field and parameter that schema/openapi.yaml knows, with the worst values that JSON can say.

The answer is right or a 4xx, never a 5xx; the daemon lives, and what it takes of the memory stays within its budget.
"""
import json

import pytest

from data import XOR, by_hand
from harness import CONTRACT, Daemon

BUDGET_MIB = 256
PEAK_BYTES = (BUDGET_MIB + 96) << 20  # with what is there besides: program, threads, page caches
DEPTH_MAX = 6  # of fields within fields
# As JSON text: signs, halves, the edges of integers and doubles, what is neither, and what is no number.
WORST = ("-1", "0", "1.5", "1000000000", "4294967296", "9223372036854775807", "9223372036854775808", "1e18", "1e308",
         "1e400", "-1e400", "-0.0", '"1"', "null", "[]", "[1e999]", "{}", "true")
WORST_QUERY = ("-1", "0", "1.5", "1000000000", "18446744073709551616", "9223372036854775807", "1e9", "0x10", "", "%20",
               "%C3%28", "99999999999999999999999999")
HERE = {"model": "m", "version": "1", "label": "best", "dataset": "d", "column": "a", "job": "1", "layer": "0", "neuron": "0",
        "kind": "activations", "name": "relu"}
# What a body says besides the field under test, so that the field is reached.
BODIES = {
    "/v1/models/{model}": {"inputs": 2, "outputs": 1, "layers": [2]},
    "/v1/models/{model}/versions": by_hand([[[1, 2]]], [[3]]),
    "/v1/models/{model}:train": {"dataset": "d", "epochs": 1},
    "/v1/models/{model}:estimate": {"dataset": "d", "epochs": 1},
    "/v1/models/{model}:crossvalidate": {"dataset": "d", "epochs": 1, "folds": 2},
    "/v1/models/{model}:sweep": {"dataset": "d", "epochs": 1, "runs": 2, "space": {"learning_rate": {"min": 0.01, "max": 1}}},
    "/v1/models/{model}:predict": {"instances": [{"a": 1, "b": 2}]},
    "/v1/models/{model}:explain": {"instances": [{"a": 1, "b": 2}]},
    "/v1/models/{model}:evaluate": {"dataset": "d"},
    "/v2/models/{model}/infer": {"inputs": [{"name": "a", "shape": [1, 1], "datatype": "FP32", "data": [1]},
                                            {"name": "b", "shape": [1, 1], "datatype": "FP32", "data": [1]}]},
}


def numbers(schema, depth=0):
    """Where a document of this schema may have a number: paths of keys and, for items, 0."""
    schema = CONTRACT.resolve(schema)
    if depth > DEPTH_MAX:
        return
    kinds = schema.get("type")
    if kinds in ("integer", "number") or isinstance(kinds, list) and {"integer", "number"} & set(kinds):
        yield ()
    for key in ("oneOf", "anyOf", "allOf"):
        for part in schema.get(key, ()):
            yield from numbers(part, depth + 1)
    for name, part in schema.get("properties", {}).items():
        yield from ((name, *rest) for rest in numbers(part, depth + 1))
    if isinstance(schema.get("items"), dict):
        yield from ((0, *rest) for rest in numbers(schema["items"], depth + 1))


def operations():
    """(method, template, operation) of the contract, those of other spellings of a model's name left out."""
    for template, item in CONTRACT.document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "put", "post", "patch", "delete") and "/labels/{label}:" not in template and \
                    "/versions/{version}:" not in template and "/versions/{version}/infer" not in template:
                yield method.upper(), template, operation


def bodies():
    for method, template, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content and "/datasets/{dataset}" != template:
            fields = sorted(set(numbers(content["application/json"]["schema"])), key=str)
            if fields:
                yield pytest.param(method, template, fields, id=f"{method} {template}")


def queries():
    for method, template, operation in operations():
        item = CONTRACT.document["paths"][template]
        for parameter in map(CONTRACT.resolve, [*item.get("parameters", []), *operation.get("parameters", [])]):
            if parameter["in"] == "query" and method == "GET" and not template.endswith("/events"): # which do not end
                yield pytest.param(template, parameter["name"], id=f"{template}?{parameter['name']}")


def within(document, path, marker):
    """document with the marker where the path says; what is on the way is made."""
    if not path:
        return marker
    key, *rest = path
    if key == 0:
        return [within(document[0] if isinstance(document, list) and document else None, rest, marker)]
    return {**(document if isinstance(document, dict) else {}), key: within((document or {}).get(key) if isinstance(
        document, dict) else None, rest, marker)}


def filled(template):
    for name, value in HERE.items():
        template = template.replace("{%s}" % name, value)
    return template


@pytest.fixture(scope="module")
def budgeted(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("daemon"), "--memory-budget", f"{BUDGET_MIB}M", "--workers", 1, "--threads", 1).run()
    c = daemon.client()
    c.csv("d", "a,b,c\n" + "".join(f"{i},{i * i % 7},{i % 3}\n" for i in range(30)))
    c.put("/v1/models/m", {"dataset": "d", "target": "c", "layers": [2]})
    c.train("m", {"dataset": "d", "epochs": 2})
    c.put("/v1/models/m/labels/best", {"version": "1"}, status=(200, 201))
    try:
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


def in_order(daemon, c):
    """It lives, within its memory; the jobs that were made are cancelled."""
    for state in ("queued", "running"):
        for job in c.get(f"/v1/jobs?state={state}&limit=1000")["jobs"]:
            c.cancel(job["id"], status=(200, 202, 409))
    assert daemon.process.poll() is None
    assert daemon.peak() < PEAK_BYTES, f"{daemon.peak() >> 20} MiB"
    c.get("/v1/models/m")


@pytest.mark.parametrize("method, template, fields", bodies())
def test_numbers_of_bodies(budgeted, method, template, fields):
    c = budgeted.client(timeout=120)
    path = filled(template)
    for number, field in enumerate(fields):
        text = json.dumps(within(BODIES.get(template, {}), field, "@"))
        for value in WORST:
            there = path.replace("/m", f"/n{number}") if method == "PUT" and template == "/v1/models/{model}" else path
            answer = c.request(method, there, text.replace('"@"', value), headers={"Content-Type": "application/json"})
            if "/n" in there and answer.status < 300:
                c.delete(there, status=(204, 404))
    in_order(budgeted, c)


@pytest.mark.parametrize("template, name", queries())
def test_numbers_of_queries(budgeted, template, name):
    c = budgeted.client(timeout=120)
    for value in WORST_QUERY:
        c.get(f"{filled(template)}?{name}={value}", status=(200, 400, 404, 409, 422))
    in_order(budgeted, c)


@pytest.mark.parametrize("template", sorted({template for _, template, _ in operations() if "{" in template}))
def test_numbers_of_paths(budgeted, template):
    c = budgeted.client(timeout=120)
    for name in ("version", "job", "layer", "neuron"):
        for value in ("0", "-1", "1.5", "9223372036854775808", "99999999999999999999999", "1e9", "%31", "0x1"):
            if "{%s}" % name in template and not template.endswith("/events"):
                c.request("GET", filled(template.replace("{%s}" % name, value)), status=(200, 400, 404, 405, 422))
    in_order(budgeted, c)


@pytest.mark.parametrize("body", [
    '{"inputs":1000000,"outputs":1,"layers":[1]}', '{"inputs":1000000000,"outputs":1,"layers":[1]}',
    '{"inputs":2,"outputs":1000000,"layers":[1]}', '{"inputs":2,"outputs":1,"layers":[1000000000,1000000000]}',
    '{"inputs":2,"outputs":1,"layers":[1000000,1000000]}', '{"inputs":2,"outputs":1,"layers":[%s]}' % ",".join(["1000000"] * 300),
    '{"inputs":1000000000000000000000,"outputs":1}', '{"dataset":"d","target":"c","buckets":1e18}',
], ids=["inputs", "range", "outputs", "units", "product", "layers", "overflow", "buckets"])
def test_a_network_that_is_too_large_is_not_begun(budgeted, body):
    """A million names were made, and a gigabyte of memory with them, before anything was refused."""
    c = budgeted.client(timeout=120)
    before = budgeted.peak()
    refused = c.request("PUT", "/v1/models/large", body, (413, 422), {"Content-Type": "application/json"})
    assert refused.sentence()
    assert budgeted.peak() < before + (16 << 20)


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, '{"inputs":1,"inputs":2,"outputs":1}', b'{"inputs":1,"\xff":1}',
                                  b'{"inputs":"\xed\xa0\x80"}', '{"inputs":"\\ud800"}', '{"inputs":01}', '{"inputs":1e}', "[1e400]"],
                         ids=["arrays", "objects", "twice", "utf8", "surrogate", "half", "zero", "exponent", "infinite"])
@pytest.mark.parametrize("path", ["PUT /v1/models/odd", "POST /v1/models/m:train", "POST /v1/models/m:predict", "POST /v1/models/m:evaluate",
                                  "POST /v1/models/m:sweep", "POST /v2/models/m/infer"])
def test_documents_that_are_none(budgeted, path, body):
    method, there = path.split()
    c = budgeted.client(timeout=120)
    answer = c.request(method, there, body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status < 500


def test_training_data_inline_keep_to_the_budget(budgeted):
    c = budgeted.client(timeout=120)
    c.put("/v1/models/x", {"inputs": 2, "outputs": 1, "layers": [2]}, status=(200, 201))
    for value in WORST:
        c.request("POST", "/v1/models/x:train", '{"data":%s,"epochs":1,"batch_size":%s}' % (json.dumps(XOR), value),
                  headers={"Content-Type": "application/json"})
    in_order(budgeted, c)
