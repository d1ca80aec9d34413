"""Bad input: each gets one clear 4xx, changes nothing, and the next request works.

What concerns databases is in test_restart.py; deleting while training is in test_models.py too.
"""
import json
import select
import socket

import pytest

from data import ENDLESS, by_hand, iris_model, table

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def the_next_request_works(c):
    yield
    c.get("/readyz")


@pytest.fixture
def model(c, iris):
    """A model on iris without a version."""
    c.put("/v1/models/m", iris_model(), status=(200, 201))
    return "m"


@pytest.fixture
def lines(c):
    """A model with a version."""
    if c.put("/v1/models/lines", {"inputs": 1, "outputs": 1, "layers": []}, status=(200, 201)).status == 201:
        c.post("/v1/models/lines/versions", by_hand([[[2]]], [[1]]), status=201)


# ---- JSON ----

WRITERS = [("PUT", "/v1/models/new"), ("PATCH", "/v1/models/lines"), ("POST", "/v1/models/lines:train"),
           ("POST", "/v1/models/lines:predict"), ("POST", "/v1/models/lines:regress"),
           ("POST", "/v1/models/lines:evaluate"), ("POST", "/v1/models/lines/versions"),
           ("PUT", "/v1/models/lines/labels/l")]
BROKEN = {"empty": b"", "cut": b'{"inputs":', "cut-in-text": b'{"inp', "comma": b'{"a":1,}', "text": b"hello",
          "quote": b"{'a':1}",
          "two": b"{} {}", "nan": b'{"a":NaN}', "no-utf8": b'{"a":"\xc3\x28"}', "control": b'{"a":"\x01"}',
          "surrogate": b'{"a":"\\ud800"}', "nul": b'{"a":1}\x00',
          "deep-arrays": b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
          "deep-objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "deep-and-cut": b"[" * 10_000}


@pytest.mark.parametrize("method,path", WRITERS)
@pytest.mark.parametrize("kind", BROKEN)
def test_broken_json(c, lines, method, path, kind):
    answer = c.request(method, path, body=BROKEN[kind], headers=JSON, status=400)
    assert answer.code in ("malformed-json", "missing-field" if kind == "empty" else "malformed-json")
    c.get("/v1/models/new", status=404)


@pytest.mark.parametrize("method,path", WRITERS)
def test_one_key_twice(c, lines, method, path):
    answer = c.request(method, path, body=b'{"version":"1","version":"1"}', headers=JSON, status=400)
    assert answer.code in ("duplicate-key", "unknown-field")
    if ":" not in path:
        assert answer.code == "duplicate-key"


@pytest.mark.parametrize("method,path", WRITERS)
@pytest.mark.parametrize("body", ["null", "true", "5", '"text"', "[]", "[{}]"])
def test_json_that_is_no_object(c, lines, method, path, body):
    c.request(method, path, body=body, headers=JSON, status=400 if ":" in path and "train" not in path else 422)


# ---- CSV ----

@pytest.mark.parametrize("text,status,line", [
    ("a,b\n1,2\n3\n5,6\n", 400, 3), ("a,b\n1,2,3\n", 400, 2), ('a,b\n1,"2\n3,4\n', 400, None),
    ('a,b\n1,"2"x\n', 400, 2),
    ("a,a\n1,2\n", (400, 422), 1), ("a,\n1,2\n", (400, 422), 1), ("a,b\n1,\xff\n", (400, 422), 2),
    ("a\0b,c\n1,2\n", (400, 422), 1),
    ("a,b\n", 422, None), ("a,b", 422, None), ("", (400, 422), None), ("\n\n\n", (400, 422), None),
], ids=["short", "long", "unclosed-quote", "text-after-quote", "one-name-twice", "no-name", "no-utf8", "nul", "no-rows",
        "header-alone", "nothing", "blank"])
def test_broken_csv(c, fresh, text, status, line):
    answer = c.csv(fresh, text.encode("latin-1"), status=status)
    if line:
        assert line in [e.get("line") for e in answer["errors"]]
    if text == "a,b\n":
        assert answer.code != "malformed-csv" and "row" in answer.sentence()
    c.get(f"/v1/datasets/{fresh}", status=404)


def test_many_faults_of_csv_come_at_once(c, fresh):
    answer = c.csv(fresh, "a,b\n1\n1,2\n1,2,3\n4\n", status=400)
    assert [e["line"] for e in answer["errors"]] == [2, 4, 5]


def test_a_line_of_100_megabytes(c, daemon, fresh):
    """Refused long before its end, without the memory for it."""
    block, size = b"x" * (1 << 20), 100
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as raw:
        raw.sendall((f"PUT /v1/datasets/{fresh} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
                     f"Content-Length: {4 + size * len(block)}\r\n\r\na,b\n").encode())
        try:
            for _ in range(size):
                if select.select([raw], [], [], 0)[0]:
                    break
                raw.sendall(block)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = raw.recv(65536)
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 413")
    assert daemon.peak() < 200 << 20
    c.get(f"/v1/datasets/{fresh}", status=404)


def test_one_row(c, fresh):
    """A table of one row is one; it cannot be split, and it says so."""
    c.csv(fresh, "x,y\n1,2\n", status=201)
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "layers": [2]})
    answer = c.post(f"/v1/models/{fresh}:train", {"dataset": fresh, "validation": {"split": 0.5}}, status=422)
    assert any(p.startswith("/validation") for p in answer.pointers())
    job = c.train(fresh, {"dataset": fresh, "epochs": 2, "batch_size": "full", "validation": None})
    assert job["metrics"]["loss"] is not None
    assert c.predict(fresh, [[1]])["predictions"][0][0] is not None


def test_a_constant_column(c, fresh):
    """Nothing to learn from it, nothing to divide by; everything stays finite."""
    c.csv(fresh, table(["x", "always", "y", "same"], [(i, 7, 2 * i, 3) for i in range(20)]))
    for way in ("standard", "minmax", "none"):
        for target in ("y", "same"):
            name = f"{fresh}-{way}-{target}"
            c.put(f"/v1/models/{name}", {"dataset": fresh, "target": target, "layers": [2], "normalize": way})
            c.train(name, {"dataset": fresh, "epochs": 3, "batch_size": 4})
            record = {"x": 3, "always": 7, "y": 6, "same": 3}
            del record[target]
            for value in (7, 8):
                answer = c.predict(name, [{**record, "always": value}])["predictions"][0][0]
                assert answer is not None, (name, value)


def test_a_column_without_a_value(c, fresh):
    c.csv(fresh, table(["x", "void", "y"], [(i, "", i) for i in range(10)]))
    for definition in ({"target": "y"}, {"target": "void"}, {"target": "y", "features": ["void"]}):
        assert "void" in c.put(f"/v1/models/{fresh}", {"dataset": fresh, **definition}, status=422).sentence()
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "features": ["x"]})


# ---- definitions ----

@pytest.mark.parametrize("change,pointer", [
    ({"target": "colour"}, "/target"), ({"target": ""}, "/target"), ({"target": 5}, "/target"),
    ({"target": "Species"}, "/target"),
    ({"features": ["sepal_length", "colour"]}, "/features/1"), ({"features": []}, "/features"),
    ({"features": "all"}, "/features"),
    ({"features": ["species"]}, "/features/0"), ({"features": ["sepal_length", "sepal_length"]}, "/features/1"),
    ({"layers": [0]}, "/layers/0"), ({"layers": [-1]}, "/layers/0"), ({"layers": [1.5]}, "/layers/0"),
    ({"layers": [10**9]}, "/layers/0"),
    ({"layers": [1_000_001]}, "/layers/0"), ({"layers": [8, "many"]}, "/layers/1"),
    ({"layers": [None]}, "/layers/0"), ({"layers": 8}, "/layers"),
    ({"layers": [{"units": 0}]}, "/layers/0/units"), ({"layers": [{"units": 1.5}]}, "/layers/0/units"),
    ({"layers": [{"units": 10**9}]}, "/layers/0/units"),
    ({"layers": [{}]}, "/layers/0"), ({"layers": [2] * 10_000}, "/layers"), ({"layers": [2] * 256}, "/layers"),
    ({"layers": [{"units": 2, "activation": "soft"}]}, "/layers/0/activation"),
    ({"layers": [{"units": 2, "dropout": 1}]}, "/layers/0/dropout"),
    ({"layers": [{"units": 2, "dropout": -0.1}]}, "/layers/0/dropout"),
    ({"layers": [{"units": 2, "l1": -1}]}, "/layers/0/l1"), ({"layers": [{"units": 2, "l2": "x"}]}, "/layers/0/l2"),
    ({"layers": [{"units": 2, "bias": 1}]}, "/layers/0/bias"),
    ({"layers": [{"units": 2, "init": "xavier"}]}, "/layers/0/init"),
    ({"layers": [{"units": 2, "activation": "leaky_relu", "activation_parameters": {"beta": 1}}]},
     "/layers/0/activation_parameters/beta"),
    ({"loss": "square"}, "/loss"), ({"output_activation": "stairs"}, "/output_activation"), ({"seed": 1.5}, "/seed"),
    ({"task": "guessing"}, "/task"), ({"normalize": "yes"}, "/normalize"), ({"missing": "zero"}, "/missing"),
    ({"metadata": {"a": {}}}, "/metadata/a"), ({"dataset": 5}, "/dataset"),
])
def test_definitions_that_make_no_sense(c, iris, fresh, change, pointer):
    definition = {"dataset": "iris", "target": "species", **change}
    answer = c.request("PUT", f"/v1/models/{fresh}", body=json.dumps(definition), headers=JSON, status=422)
    pointers = [p or "" for p in answer.pointers()]
    assert any(p == pointer or p.startswith(pointer + "/") for p in pointers), (pointer, pointers)
    c.get(f"/v1/models/{fresh}", status=404)


@pytest.mark.parametrize("definition", [
    {}, {"dataset": "iris"}, {"target": "species"}, {"inputs": 2}, {"outputs": 1}, {"inputs": 2, "outputs": 0},
    {"inputs": -1, "outputs": 1},
    {"inputs": 10**9, "outputs": 1}, {"inputs": [], "outputs": 1}, {"inputs": [{"name": "a"}], "outputs": 1},
    {"inputs": [{"name": "a", "type": "number"}] * 2, "outputs": 1},
    {"inputs": [{"name": "a", "type": "category"}], "outputs": 1},
    {"inputs": [{"name": "a", "type": "category", "values": []}], "outputs": 1},
    {"inputs": [{"name": "a", "type": "category", "values": ["x", "x"]}], "outputs": 1},
    {"inputs": [{"name": "a", "type": "number", "values": ["x"]}], "outputs": 1},
    {"inputs": 1, "outputs": [{"name": "c", "type": "category", "values": ["only"]}]},
    {"inputs": [{"name": "", "type": "number"}], "outputs": 1}, {"inputs": 1.5, "outputs": 1},
    {"inputs": "two", "outputs": 1},
    {"dataset": "iris", "target": "species", "inputs": 2, "outputs": 1},
])
def test_columns_that_make_no_sense(c, iris, fresh, definition):
    c.request("PUT", f"/v1/models/{fresh}", body=json.dumps(definition), headers=JSON, status=422)
    c.get(f"/v1/models/{fresh}", status=404)


@pytest.mark.parametrize("number", ["1" + "0" * 30, "-1" + "0" * 30, "1e400"])
def test_numbers_that_no_computer_holds(c, model, number):
    """They are named by a pointer, or by line and column where the document could not be read."""
    for method, path, body in (("PUT", "/v1/models/huge", '{"inputs":1,"outputs":1,"layers":[%s]}'),
                               ("POST", f"/v1/models/{model}:train", '{"dataset":"iris","epochs":%s}')):
        answer = c.request(method, path, body=body % number, headers=JSON, status=(400, 422))
        assert answer.pointers() or "column" in answer["detail"]


def test_a_network_larger_than_any_memory(c, fresh):
    """Refused when it is defined, or whenever it would be had; never our fault (5xx)."""
    layers = [1_000_000] * 200
    if c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": layers}, status=(201, 422)).status == 201:
        data = {"inputs": [[1], [2]], "targets": [[1], [2]]}
        assert "memory" in c.post(f"/v1/models/{fresh}:train", {"data": data}, status=422).sentence()
        c.post(f"/v1/models/{fresh}/versions", by_hand([[[1]]] * 201, [[0]] * 201), status=422)


def test_one_class_only(c, fresh):
    c.csv(fresh, table(["x", "y"], [(i, "same") for i in range(10)]))
    answer = c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y"}, status=422)
    assert answer.pointers() == ["/target"] and "class" in answer.sentence()


# ---- training ----

@pytest.mark.parametrize("change,pointer", [
    *(({"optimizer": {"name": "sgd", "learning_rate": rate}}, "/optimizer/learning_rate")
      for rate in (0, -1, 1e38, "fast", None, True)),
    ({"optimizer": "fast"}, "/optimizer"), ({"optimizer": {"learning_rate": 0.1}}, "/optimizer"),
    ({"optimizer": 5}, "/optimizer"),
    ({"optimizer": {"name": "sgd", "beta_1": 0.5}}, "/optimizer/beta_1"),
    ({"optimizer": {"name": "adam", "beta_1": 1}}, "/optimizer/beta_1"),
    ({"batch_size": 151, "validation": None}, "/batch_size"), ({"batch_size": 10**15}, "/batch_size"),
    ({"batch_size": 0}, "/batch_size"),
    ({"batch_size": -5}, "/batch_size"), ({"batch_size": 1.5}, "/batch_size"), ({"batch_size": "half"}, "/batch_size"),
    ({"batch_size": 140, "validation": {"split": 0.2}}, "/batch_size"),
    ({"epochs": 10**12}, "/epochs"), ({"epochs": 10_000_001}, "/epochs"), ({"epochs": 0}, "/epochs"),
    ({"epochs": -1}, "/epochs"),
    ({"epochs": 1.5}, "/epochs"), ({"epochs": "many"}, "/epochs"),
    ({"seed": -1}, "/seed"), ({"seed": "x"}, "/seed"), ({"seed": 1.5}, "/seed"), ({"shuffle": "yes"}, "/shuffle"),
    ({"threads": 0}, "/threads"), ({"threads": 100_000}, "/threads"), ({"max_seconds": 0}, "/max_seconds"),
    ({"max_seconds": -1}, "/max_seconds"),
    ({"target_loss": -1}, "/target_loss"), ({"target_loss": "low"}, "/target_loss"), ({"loss": "square"}, "/loss"),
    ({"validation": {"split": 0}}, "/validation/split"), ({"validation": {"split": 1}}, "/validation/split"),
    ({"validation": {}}, "/validation"),
    ({"validation": {"splt": 0.1}}, "/validation/splt"), ({"validation": 0.2}, "/validation"),
    ({"validation": {"split": "a"}}, "/validation/split"),
    ({"early_stopping": {"patience": 0}}, "/early_stopping/patience"),
    ({"early_stopping": {"patience": 1.5}}, "/early_stopping/patience"),
    ({"early_stopping": {"monitor": "luck"}}, "/early_stopping/monitor"),
    ({"early_stopping": {"min_delta": -1}}, "/early_stopping/min_delta"),
    ({"early_stopping": {"restore_best": 1}}, "/early_stopping/restore_best"),
    ({"early_stopping": True}, "/early_stopping"),
    ({"early_stopping": {"monitor": "val_loss"}, "validation": None}, "/early_stopping/monitor"),
    ({"note": 5}, "/note"), ({"priority": "high"}, "/priority"), ({"priority": 1001}, "/priority"),
    ({"dataset": 5}, "/dataset"),
    ({"schedule": "cosin"}, "/schedule"), ({"notify": "x"}, "/notify"),
])
def test_trainings_that_make_no_sense(c, model, change, pointer):
    before = c.get("/v1/jobs").json
    body = json.dumps({"dataset": "iris", **change})
    answer = c.request("POST", f"/v1/models/{model}:train", body=body, headers=JSON, status=422)
    pointers = [p or "" for p in answer.pointers()]
    assert any(p == pointer or p.startswith(pointer + "/") for p in pointers), (pointer, pointers)
    assert c.get("/v1/jobs").json == before


# ---- names ----

NAMES = {"dots": "..", "dot": ".", "encoded-dots": "%2e%2e", "slash": "a%2Fb", "backslash": "a%5Cb", "nul": "a%00b",
         "nul-alone": "%00", "65": "a" * 65, "300": "a" * 300, "cyrillic": "%D0%BC%D0%BE%D0%B4",
         "umlaut": "%C3%BC", "no-utf8": "%ff", "hidden": ".x", "dash": "-x", "underscore": "_x", "space": "a%20b",
         "newline": "a%0ab", "quote": "a%22b", "percent": "a%zz", "cut-percent": "a%4", "plus": "a+b",
         "emoji": "%F0%9F%8C%B7", "empty": "%20", "colon": "a%3Ab"}


@pytest.mark.parametrize("kind", NAMES)
def test_names_that_are_none(c, kind):
    """Nothing is made under such a name, nor under a piece of it, and nothing is read or deleted."""
    name = NAMES[kind]
    before = [c.get(f"/v1/{what}?limit=1000").json[what] for what in ("models", "datasets")]
    for answer in (c.csv(name, "a\n1\n", status=(400, 404, 422)),
                   c.put(f"/v1/models/{name}", {"inputs": 1, "outputs": 1}, status=(400, 404, 422)),
                   c.put(f"/v1/models/lines/labels/{name}", {"version": "1"}, status=(400, 404, 422))):
        assert answer.code in ("name-invalid", "bad-request", "no-such-route", "not-found"), answer.code
    for path in (f"/v1/models/{name}", f"/v1/datasets/{name}"):
        c.get(path, status=(400, 404, 422))
        c.delete(path, status=(400, 404, 422))
    assert [c.get(f"/v1/{what}?limit=1000").json[what] for what in ("models", "datasets")] == before


@pytest.mark.parametrize("name", ["../iris", "a/b", "", "a" * 65, "\u00fc", "ir\0is", ".", " iris"])
def test_names_in_documents(c, model, lines, fresh, name):
    """A name that is none is not there, or is refused as a name."""
    c.put(f"/v1/models/{fresh}", {"dataset": name, "target": "y"}, status=(400, 404, 422))
    c.post(f"/v1/models/{model}:train", {"dataset": name}, status=(400, 404, 422))
    c.post("/v1/models/lines:evaluate", {"dataset": name}, status=(400, 404))
    c.get(f"/v1/models/{fresh}", status=404)


def test_name_invalid_says_what_a_name_is(c):
    for name in ("a" * 65, ".x", "%C3%BC", "a%20b"):
        answer = c.put(f"/v1/models/{name}", {"inputs": 1, "outputs": 1}, status=422)
        assert answer.code == "name-invalid" and "64" in answer["detail"]


def test_the_longest_name_is_one(c):
    name = "Az09._-" + "x" * 57
    c.put(f"/v1/models/{name}", {"inputs": 1, "outputs": 1})
    assert c.get(f"/v1/models/{name}")["name"] == name


# ---- state ----

def test_delete_while_training(c, model):
    job = c.start(model, ENDLESS)["id"]
    assert c.delete(f"/v1/models/{model}", status=409).code == "conflict"
    assert c.delete("/v1/datasets/iris", status=409).code == "conflict"
    c.cancel(job)
    c.ended(job, "cancelled")


def test_predict_before_any_version(c, model):
    answer = c.predict(model, [[1, 2, 3, 4]], status=404)
    assert answer.code == "no-version" and ":train" in answer["detail"]


def test_a_body_above_the_limit(start):
    daemon = start("--max-body", "64K")
    c = daemon.client()
    c.put("/v1/models/m", {"inputs": 1, "outputs": 1})
    big = json.dumps({"instances": [[1]] * 20_000})
    for path in ("/v1/models/m:predict", "/v1/models/m:train", "/v1/models/m/versions"):
        assert c.request("POST", path, body=big, headers=JSON, status=413).code == "body-too-large"
        c.get("/livez")
    fine = {"description": "d" * 60_000}
    assert c.patch("/v1/models/m", fine)["description"] == fine["description"]

    def pieces():
        for _ in range(100):
            yield b" " * 4096
    c.connection.request("PATCH", "/v1/models/m", pieces(), JSON, encode_chunked=True)
    response = c.connection.getresponse()
    assert response.status == 413, "counted where no length was said"
    c.connection.close()
    c.get("/readyz")
    daemon.stop()


def test_uploads_have_a_limit_of_their_own(start):
    """A data set may be larger than a document, up to --max-upload."""
    daemon = start("--max-body", "4K", "--max-upload", "100K")
    c = daemon.client()
    text = "a\n" + "1\n" * 20_000
    c.csv("fits", text)
    assert c.csv("large", text * 3, status=413).code == "body-too-large"
    c.get("/v1/datasets/large", status=404)
    daemon.stop()


def test_a_storm_of_bad_requests(c, iris):
    """A hundred of them in a row cost nothing."""
    for _ in range(100):
        c.request("PUT", "/v1/models/never", body=b"{", headers=JSON, status=400)
        c.csv("never", "a,b\n1\n", status=400)
    assert c.get("/v1/datasets/iris")["rows"] == 150
