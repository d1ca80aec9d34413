"""Prediction: rows, records and columns in; scores, classes and numbers out; which version answers."""
import struct

import pytest

from data import XOR, by_hand, example, iris_model, records
from fields import covers

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
ROW = list(FLOWER.values())
HAIR = {"name": "hair", "type": "category", "values": ["black", "brown"]}


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


@pytest.fixture(scope="module")
def flowers(daemon):
    """The model flowers, trained on iris."""
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/flowers", iris_model(seed=1))
    c.train("flowers",
            {"dataset": "iris", "epochs": 60, "seed": 1, "optimizer": {"name": "adam", "learning_rate": 0.02}})
    return "flowers"


@pytest.fixture(scope="module")
def lines(daemon):
    """The model lines with two versions made by hand: y0 = 2 x0 + 1, y0 = 3 x0 + 1."""
    c = daemon.client()
    c.put("/v1/models/lines", {"inputs": 1, "outputs": 1, "layers": []})
    for slope in (2, 3):
        c.post("/v1/models/lines/versions", by_hand([[[slope]]], [[1]]), status=201)
    return "lines"


@covers("PredictRequest.instances", "PredictRequest.inputs")
def test_four_forms_of_one_question(c, flowers):
    by_rows = c.predict(flowers, [ROW, [6.7, 3.0, 5.2, 2.3]]).json
    assert by_rows["model_version"] == "1"
    assert by_rows["labels"] == ["setosa", "virginica"]
    for row in by_rows["predictions"]:
        assert len(row) == 3 and sum(row) == pytest.approx(1, abs=1e-5)
    record = dict(zip(FLOWER, [6.7, 3.0, 5.2, 2.3]))
    assert c.predict(flowers, [FLOWER, dict(reversed(record.items()))]).json == by_rows
    as_outputs = {"outputs": by_rows["predictions"], "labels": by_rows["labels"], "model_version": "1"}
    columns = {k: [FLOWER[k], record[k]] for k in FLOWER}
    base = f"/v1/models/{flowers}:predict"
    assert c.post(base, {"inputs": columns}).json == as_outputs
    assert c.post(base, {"inputs": [ROW, list(record.values())]}).json == as_outputs
    assert "warnings" not in by_rows or by_rows["warnings"] == []


def test_a_row_has_the_same_bits_alone_and_in_a_batch(c, flowers):
    rows = [[float(v) for v in list(r.values())[:4]] for r in records(example("iris"))]
    together = c.predict(flowers, rows)["predictions"]
    assert len(together) == 150
    for i in (0, 1, 63, 64, 149):
        assert c.predict(flowers, [rows[i]])["predictions"] == [together[i]]
    assert c.predict(flowers, rows[10:43])["predictions"] == together[10:43]


def test_a_large_batch(c, lines):
    answer = c.predict(lines, [[i] for i in range(20_000)])
    assert answer["predictions"] == [[3 * i + 1] for i in range(20_000)]


def test_one_number_gives_one_array_a_row(c, lines):
    assert c.predict(lines, [[1], [2]]).json == {"predictions": [[4], [7]], "model_version": "2"}


def test_cells(c, lines):
    """Numbers as text, truth values, one-element arrays and bare cells are read where there is one way to read them."""
    for cell, x in ((1, 1), (1.5, 1.5), ("1.5", 1.5), (-2e2, -200), (True, 1), (False, 0), ([1], 1)):
        assert c.predict(lines, [[cell]])["predictions"] == [[3 * x + 1]], cell
    assert c.predict(lines, [1, 2])["predictions"] == [[4], [7]]


def test_float32_comes_back_with_as_few_digits_as_it_needs(c, lines):
    for x in (0.1, 1 / 3, 1e-20, 123456.789, 1e30):
        answer = c.predict(lines, [[x]], "/versions/1")
        y = answer["predictions"][0][0]
        assert float32(y) == pytest.approx(float32(2 * float32(x) + 1), rel=3e-7)
        digits = answer.text.split("[[")[1].split("]]")[0].lower().split("e")[0].strip("-0.").replace(".", "")
        assert len(digits) <= 9


def test_overflow_is_null_and_named(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1e38]]], [[0]]), status=201)
    answer = c.predict(fresh, [[1], [1e5]]).json
    assert answer["predictions"][0][0] == pytest.approx(1e38) and answer["predictions"][1] == [None]
    assert answer["nonfinite"] == [{"row": 1, "output": "y0", "kind": "inf"}]


# ---- which version ----

def test_stable_then_latest(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": []})
    for slope in (1, 2, 3):
        c.post(f"/v1/models/{fresh}/versions", by_hand([[[slope]]], [[0]]), status=201)
    def asked(where=""):
        answer = c.predict(fresh, [[1]], where)
        assert answer["predictions"] == [[int(answer["model_version"])]]
        return answer["model_version"]
    assert asked() == "3"
    c.put(f"/v1/models/{fresh}/labels/other", {"version": "1"}, status=(200, 201))
    assert asked() == "3" and asked("/labels/other") == "1"
    c.put(f"/v1/models/{fresh}/labels/stable", {"version": "2"}, status=(200, 201))
    assert asked() == "2" and asked("/versions/3") == "3" and asked("/labels/stable") == "2"
    c.put(f"/v1/models/{fresh}/labels/stable", {"version": "1"}, status=200)
    assert asked() == "1"
    c.delete(f"/v1/models/{fresh}/labels/stable")
    assert asked() == "3"
    c.delete(f"/v1/models/{fresh}/versions/3")
    assert asked() == "2"
    c.predict(fresh, [[1]], "/versions/3", status=404)
    c.predict(fresh, [[1]], "/labels/stable", status=404)


def test_a_name_that_is_used_again_answers_as_the_new_model(c, fresh):
    for slope in (5, 7):
        c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": []})
        c.post(f"/v1/models/{fresh}/versions", by_hand([[[slope]]], [[0]]), status=201)
        assert c.predict(fresh, [[1]])["predictions"] == [[slope]]
        c.delete(f"/v1/models/{fresh}")
        c.predict(fresh, [[1]], status=404)


@pytest.mark.parametrize("verb,body", [("predict", {"instances": [ROW]}), ("classify", {"examples": [FLOWER]}),
                                       ("evaluate", {"dataset": "iris"})])
def test_every_verb_under_versions_and_labels(c, flowers, verb, body):
    c.put(f"/v1/models/{flowers}/labels/here", {"version": "1"}, status=(200, 201))
    whole = c.post(f"/v1/models/{flowers}:{verb}", body).json
    for where in ("/versions/1", "/labels/here"):
        assert c.post(f"/v1/models/{flowers}{where}:{verb}", body).json == whole
    for where in ("/versions/77", "/labels/nowhere"):
        c.post(f"/v1/models/{flowers}{where}:{verb}", body, status=404)
    c.post(f"/v1/models/nobody:{verb}", body, status=404)


def test_regress_under_versions_and_labels(c, lines):
    c.put(f"/v1/models/{lines}/labels/first", {"version": "1"}, status=(200, 201))
    for where, y in (("", 4), ("/versions/1", 3), ("/versions/2", 4), ("/labels/first", 3)):
        assert c.post(f"/v1/models/{lines}{where}:regress", {"examples": [{"x0": 1}]})["results"] == [y]


# ---- classes and numbers ----

@covers("ExamplesRequest.examples")
def test_classify(c, flowers):
    answer = c.post(f"/v1/models/{flowers}:classify", {"examples": [FLOWER, {**FLOWER, "petal_length": 5}]}).json
    assert answer["model_version"] == "1" and len(answer["results"]) == 2
    assert answer["results"][0] != answer["results"][1]
    scores = c.predict(flowers, [FLOWER])["predictions"][0]
    assert dict(answer["results"][0]) == dict(zip(("setosa", "versicolor", "virginica"), scores))
    for pairs in answer["results"]:
        assert [p[1] for p in pairs] == sorted((p[1] for p in pairs), reverse=True), "the likeliest first"
    assert answer["results"][0][0][0] == "setosa"


def test_classify_and_regress_know_what_they_are_for(c, flowers, lines):
    assert "regress" in c.post(f"/v1/models/{lines}:classify", {"examples": [{"x0": 1}]}, status=400).sentence()
    assert "classif" in c.post(f"/v1/models/{flowers}:regress", {"examples": [FLOWER]}, status=400).sentence()
    assert c.post(f"/v1/models/{lines}:regress", {"examples": [{"x0": 1}, {"x0": 2}]}).json == {"results": [4, 7],
                                                                                              "model_version": "2"}


@covers("PredictRequest.signature_name", "ExamplesRequest.signature_name")
def test_signature_name_is_accepted(c, flowers):
    plain = c.predict(flowers, [ROW]).json
    for name in ("serving_default", "other"):
        assert c.post(f"/v1/models/{flowers}:predict", {"signature_name": name, "instances": [ROW]}).json == plain
    c.post(f"/v1/models/{flowers}:classify", {"signature_name": "serving_default", "examples": [FLOWER]})


def test_content_type_is_ignored(c, lines):
    for media in (None, "application/json", "text/plain", "application/x-www-form-urlencoded", "x"):
        answer = c.request("POST", f"/v1/models/{lines}:predict", body='{"instances":[[1]]}', status=200,
                           headers={"Content-Type": media})
        assert answer["predictions"] == [[4]]


def test_several_outputs(c, fresh):
    """An object a row, by the output's name; labels of the categories among them."""
    c.put(f"/v1/models/{fresh}",
          {"inputs": 1, "outputs": [{"name": "a", "type": "number"}, {"name": "b", "type": "number"}],
                                  "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1], [2]]], [[0, 10]]), status=201)
    assert c.predict(fresh, [[1], [2]])["predictions"] == [{"a": [1], "b": [12]}, {"a": [2], "b": [14]}]
    c.post(f"/v1/models/{fresh}:regress", {"examples": [{"x0": 1}]}, status=400)


# ---- categories and holes ----

@pytest.fixture(scope="module")
def hair(daemon):
    """The model hair: a category in, made by hand; slots black, brown, other, missing weigh 1, 2, 3, 4."""
    c = daemon.client()
    c.put("/v1/models/hair", {"inputs": [HAIR], "outputs": 1, "layers": []})
    c.post("/v1/models/hair/versions", by_hand([[[1, 2, 3, 4]]], [[0]]), status=201)
    return "hair"


def test_slots_of_a_category(c, hair):
    answer = c.predict(hair, [["black"], ["brown"], ["red"], [None], ["red"]]).json
    assert answer["predictions"] == [[1], [2], [3], [4], [3]]
    assert len(answer["warnings"]) == 1 and "red" in answer["warnings"][0] and "hair" in answer["warnings"][0]
    answer = c.predict(hair, [{"hair": "black"}, {}, {"hair": None}]).json
    assert answer["predictions"] == [[1], [4], [4]], "an absent key is a missing value"
    assert not answer.get("warnings"), "what is missing is not unknown"
    assert "blond" in c.post(f"/v1/models/{hair}:regress", {"examples": [{"hair": "blond"}]})["warnings"][0]


def test_a_missing_number_is_the_mean(c, fresh):
    c.csv(fresh, "x,y\n1,1\n2,2\n6,6\n")
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "layers": []})
    c.train(fresh, {"dataset": fresh, "epochs": 5, "batch_size": "full", "validation": None})
    with_mean = c.predict(fresh, [[3]])["predictions"]
    assert c.predict(fresh, [[None]])["predictions"] == with_mean
    assert c.predict(fresh, [{}])["predictions"] == with_mean


# ---- what is wrong with a question ----

@pytest.mark.parametrize("body,pointer", [
    ({"instances": [[1, 2, 3]]}, "/instances/0"),
    ({"instances": [ROW, ROW + [1]]}, "/instances/1"),
    ({"instances": [ROW, [1, 2, "long", 4]]}, "/instances/1/2"),
    ({"instances": [ROW, [1, 2, {}, 4]]}, "/instances/1/2"),
    ({"instances": [{**FLOWER, "petal": 1}]}, "/instances/0/petal"),
    ({"instances": [FLOWER, {**FLOWER, "petal_width": "wide"}]}, "/instances/1/petal_width"),
    ({"instances": [{**FLOWER, "a/b~c": 1}]}, "/instances/0/a~1b~0c"),
    ({"instances": "iris"}, "/instances"),
    ({"instances": 5}, "/instances"),
    ({"instances": ["x"]}, "/instances/0"),
    ({"inputs": {"sepal_length": [1]}, "instances": [ROW]}, None),
    ({"inputs": {**{k: [1] for k in FLOWER}, "sepal_width": [1, 2]}}, "/inputs/sepal_width"),
    ({"inputs": {**{k: [1] for k in FLOWER}, "petal": [1]}}, "/inputs/petal"),
    ({"inputs": {"sepal_length": 5}}, "/inputs/sepal_length"),
    ({"instances": [ROW], "instance": []}, "/instance"),
    ({}, None),
    ([ROW], None),
    ("flower", None),
])
def test_questions_that_make_no_sense(c, flowers, body, pointer):
    answer = c.post(f"/v1/models/{flowers}:predict", body, status=400)
    if pointer:
        assert pointer in answer.pointers()
    assert c.predict(flowers, [ROW])["labels"] == ["setosa"], "the next question is answered"


def test_all_faults_of_many_rows_come_at_once(c, flowers):
    answer = c.predict(flowers, [ROW, [1], ROW, [1, "x", 3, "y"]], status=400)
    assert set(answer.pointers()) >= {"/instances/1", "/instances/3/1", "/instances/3/3"}


@pytest.mark.parametrize("text", [b"", b"{", b'{"instances":[[1]]', b'{"instances":[[1,]]}', b'{"instances":[[01]]}',
                                  b'{"instances":[[NaN]]}', b'{"instances":[[1]]} x', b"\xff\xfe",
                                  b'{"instances":[["\xff"]]}'])
def test_text_that_is_no_json(c, lines, text):
    answer = c.request("POST", f"/v1/models/{lines}:predict", body=text, status=400)
    assert answer.code in ("malformed-json", "missing-field")
    assert c.predict(lines, [[1]])["predictions"] == [[4]]


def test_numbers_beyond_float32(c, lines):
    """They are refused, or the answer names what is not finite; never a silent infinity."""
    for number in ("1e39", "-1e400", "1" + "0" * 400):
        answer = c.request("POST", f"/v1/models/{lines}:predict", body='{"instances":[[%s]]}' % number,
                           status=(200, 400))
        if answer.status == 200:
            assert answer["predictions"] == [[None]] and answer["nonfinite"]


def test_a_model_without_a_version(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1})
    for verb, body in (("predict", {"instances": [[0, 0]]}), ("regress", {"examples": [{"x0": 1}]}),
                       ("evaluate", {"data": XOR})):
        answer = c.post(f"/v1/models/{fresh}:{verb}", body, status=404)
        assert answer.code == "no-version" and "train" in answer.sentence()


def test_an_unknown_query_parameter(c, lines):
    answer = c.post(f"/v1/models/{lines}:predict?verbose=1", {"instances": [[1]]}, status=400)
    assert answer.code == "unknown-field" and answer.pointers() == ["?verbose"]
