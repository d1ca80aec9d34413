"""Explanations: which inputs made an answer, and what every neuron did on the way; all of it worked out again here."""
import math

import pytest

from data import GRID, PLANE, XOR, by_hand, example, iris_model, records, table
from fields import covers

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
ROW = list(FLOWER.values())
HAIR = {"name": "hair", "type": "category", "values": ["black", "brown"]}
AGE = {"name": "age", "type": "number"}


@pytest.fixture(scope="module")
def flowers(daemon):
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/flowers", iris_model(seed=1))
    c.train("flowers", {"dataset": "iris", "epochs": 60, "seed": 1, "optimizer": {"name": "adam", "learning_rate": 0.02}})
    return "flowers"


def explained(c, model, instances, where="", status=200, **more):
    return c.post(f"/v1/models/{model}{where}:explain", {"instances": instances, **more}, status=status)


def hand_made(c, name, weights, biases, **definition):
    c.put(f"/v1/models/{name}", {"inputs": 2, "outputs": 1, "layers": [], **definition})
    c.post(f"/v1/models/{name}/versions", by_hand(weights, biases), status=201)
    return name


def mean_of(values):
    values = list(values)
    return sum(values) / len(values)


def check_sum(found):
    """Output minus baseline is what the contributions sum up to, within 1 % or the rounding of float32."""
    difference = found["output"] - found["baseline"]
    left = difference - sum(found["contributions"].values())
    rounding = 2e-6 * (abs(found["output"]) + abs(found["baseline"]))
    assert abs(left) <= 0.01 * abs(difference) + rounding, found
    assert found["residual"] == pytest.approx(left, abs=1e-3 * abs(difference) + rounding)


# ---- what is exact ----

@covers("ExplainRequest.baseline")
def test_a_linear_model_by_hand(c, fresh):
    """y = 2 a - 3 b + 1: an input contributes its weight times its way from the baseline."""
    hand_made(c, fresh, [[[2, -3]]], [[1]])
    found = explained(c, fresh, [[5, 7]], baseline=[1, 2])["explanations"]
    assert found == [{"contributions": {"x0": 8, "x1": -15}, "baseline": -3, "output": -10, "residual": 0}]
    other = explained(c, fresh, [[5, 7]], baseline={"x1": 7, "x0": 5})["explanations"]
    assert other == [{"contributions": {"x0": 0, "x1": 0}, "baseline": -10, "output": -10, "residual": 0}]
    hand_made(c, f"{fresh}-one", [[[2]]], [[1]], inputs=1)
    assert explained(c, f"{fresh}-one", [4], baseline=3)["explanations"][0]["contributions"] == {"x0": 2}


def test_a_linear_model_in_the_units_of_its_columns(c, fresh):
    """Trained on y = 3 a - 2 b + 1; from the means, as nothing is said: 3 (a - 3.5) and -2 (b - 3.5)."""
    c.csv("plane", PLANE)
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [], "seed": 1})
    job = c.train(fresh, {"dataset": "plane", "epochs": 300, "seed": 1, "validation": None, "optimizer": "lbfgs",
                          "batch_size": "full"})
    answer = explained(c, fresh, [[a, b] for a, b, _ in GRID])
    assert "warnings" not in answer.json
    ((weights,), (bias,)), = c.layers(fresh, job["version"])
    spread = math.sqrt(sum((a - 3.5) ** 2 for a, _, _ in GRID) / len(GRID))
    of_y = math.sqrt(sum((y - 4.5) ** 2 for _, _, y in GRID) / len(GRID))
    for (a, b, y), found in zip(GRID, answer["explanations"]):
        exact = {"a": weights[0] * (a - 3.5) / spread * of_y, "b": weights[1] * (b - 3.5) / spread * of_y}
        assert found["contributions"] == pytest.approx(exact, rel=1e-5, abs=1e-6)
        assert found["contributions"] == pytest.approx({"a": 3 * (a - 3.5), "b": -2 * (b - 3.5)}, abs=0.1)
        assert (found["baseline"], found["output"]) == pytest.approx((4.5, y), abs=0.1)
        check_sum(found)


def test_the_baseline_is_the_mean_of_the_training_rows(c, fresh):
    """Of a linear model the answer to the mean is the mean of the answers: numbers, gaps, categories and all."""
    rows = [("" if i % 7 == 3 else i % 5, "" if i % 6 == 1 else "rgb"[i * i % 3], i % 9 + 2 * (i * i % 3)) for i in range(60)]
    c.csv(fresh, table(["size", "colour", "y"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "layers": [], "seed": 1})
    c.train(fresh, {"dataset": fresh, "epochs": 30, "seed": 1, "validation": None})
    inputs = [{k: v for k, v in (("size", a), ("colour", b)) if v != ""} for a, b, _ in rows]
    answers = [p[0] for p in c.predict(fresh, inputs)["predictions"]]
    found = explained(c, fresh, inputs)["explanations"]
    for one, answer in zip(found, answers):
        assert one["baseline"] == pytest.approx(sum(answers) / len(answers), rel=1e-4)
        assert one["output"] == answer
        check_sum(one)
    for name in ("size", "colour"):
        assert sum(one["contributions"][name] for one in found) == pytest.approx(0, abs=1e-3), "means of 0 by column"


def test_what_has_no_effect_contributes_nothing(c, fresh):
    """relu(2 a) + relu(-a) of two inputs; the other weights are 0."""
    hand_made(c, fresh, [[[2, 0], [-1, 0]], [[1, 1]]], [[0, 0], [0]], layers=[2])
    found = explained(c, fresh, [[3, 8], [-4, 1]], baseline=[-1, 5])["explanations"]
    assert [one["contributions"]["x1"] for one in found] == [0, 0]
    assert [one["contributions"]["x0"] for one in found] == pytest.approx([5, 3], rel=0.01)


# ---- sums ----

NETS = [["relu", "relu"], ["tanh", "tanh"], ["gelu", "sigmoid"], ["prelu", "softplus"]]


@pytest.mark.parametrize("activations", NETS, ids="-".join)
def test_contributions_sum_up(c, fresh, flowers, activations):
    layers = [{"units": 24, "activation": a} for a in activations]
    c.put(f"/v1/models/{fresh}", iris_model(layers=layers, seed=3))
    c.train(fresh, {"dataset": "iris", "epochs": 60, "seed": 1})
    rows = [[float(v) for v in list(r.values())[:4]] for r in records(example("iris"))]
    predicted = c.predict(fresh, rows).json
    answer = explained(c, fresh, rows)
    assert "warnings" not in answer.json and answer["model_version"] == "1"
    for one, scores, label in zip(answer["explanations"], predicted["predictions"], predicted["labels"], strict=True):
        assert (one["output"], one["class"]) == (max(scores), label)
        check_sum(one)


def test_shortcuts_maxout_normalization_and_words(c, fresh):
    """Every kind of layer, with a category, a gap and a number; the target is in units of its own."""
    rows = [("" if i % 8 == 5 else i % 11, "abc"[i * i % 3], 1000 + 50 * (i % 11) * (i * i % 3)) for i in range(90)]
    c.csv(fresh, table(["x", "kind", "y"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "seed": 2, "layers": [
        {"units": 12, "activation": "maxout"}, {"units": 10, "batch_norm": True},
        {"units": 8, "activation": "tanh", "layer_norm": True, "from": ["inputs", 0, 1]}]})
    c.train(fresh, {"dataset": fresh, "epochs": 40, "seed": 1})
    found = explained(c, fresh, [[x or None, kind] for x, kind, _ in rows[:30]])["explanations"]
    for one in found:
        check_sum(one)
    assert max(abs(one["contributions"]["x"]) for one in found) > 20


def test_dates_booleans_and_hashed_categories(c, fresh):
    """Whatever a column is inside the network, it is one name outside."""
    rows = [(f"2024-{1 + i % 12:02}-{1 + i % 28:02}", "yes" if i % 3 else "no", f"shop {i % 400}",
             100 * (i % 12) + 50 * (i % 3 > 0)) for i in range(1200)]
    c.csv(fresh, table(["day", "open", "shop", "y"], rows), query="?types=day:date,open:boolean")
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "layers": [16], "seed": 1})
    c.train(fresh, {"dataset": fresh, "epochs": 60, "seed": 1})
    found = explained(c, fresh, [[day, open, shop] for day, open, shop, _ in rows[:40]])["explanations"]
    for one in found:
        assert list(one["contributions"]) == ["day", "open", "shop"]
        check_sum(one)
    late, early = (mean_of(one["contributions"]["day"] for one, row in zip(found, rows) if row[0][5:7] == month)
                   for month in ("11", "02"))
    assert late - early > 500
    opened, closed = (mean_of(one["contributions"]["open"] for one, row in zip(found, rows) if row[1] == said)
                      for said in ("yes", "no"))
    assert opened > closed
    record = {"day": "2024-06-15", "open": True, "shop": "shop 7"}
    one = explained(c, fresh, [record], baseline=record)["explanations"][0]
    assert one["contributions"] == {"day": 0, "open": 0, "shop": 0}


@covers("ExplainRequest.class")
def test_a_class_that_is_named(c, flowers):
    """The scores of all classes sum up to 1, so what an input gives to one it takes from the others."""
    classes = ["setosa", "versicolor", "virginica"]
    found = [explained(c, flowers, [FLOWER], **{"class": name})["explanations"][0] for name in classes]
    assert [one["class"] for one in found] == classes
    assert [one["output"] for one in found] == c.predict(flowers, [ROW])["predictions"][0]
    for one in found:
        check_sum(one)
    for name in FLOWER:
        given = [one["contributions"][name] for one in found]
        assert abs(sum(given)) <= 0.01 * max(map(abs, given)) + 0.005
    assert explained(c, flowers, [FLOWER])["explanations"] == [found[0]]


def test_classes_that_are_numbers(c, fresh):
    c.csv(fresh, table(["x", "grade"], [(i, i % 3) for i in range(30)]))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "grade", "task": "classification", "layers": [4]})
    c.train(fresh, {"dataset": fresh, "epochs": 5, "seed": 1})
    for said in ("2", 2):
        assert explained(c, fresh, [[7]], **{"class": said})["explanations"][0]["class"] == "2"


@covers("ExplainRequest.output")
def test_several_outputs(c, fresh):
    """size = 2 x, and a category by the sign of x: one of them is asked for, and each is in its own units."""
    rows = [(x, 100 + 2 * x, "low" if x < 0 else "high") for x in range(-20, 20)]
    c.csv(fresh, table(["x", "size", "kind"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": ["size", "kind"], "layers": [8], "seed": 1})
    c.train(fresh, {"dataset": fresh, "epochs": 300, "seed": 1, "validation": None})
    said = c.predict(fresh, [[12]])
    size, kind = (explained(c, fresh, [[12]], output=name)["explanations"][0] for name in ("size", "kind"))
    assert size["output"] == said["predictions"][0]["size"][0] and "class" not in size
    assert size["contributions"]["x"] == pytest.approx(25, abs=5)
    assert (kind["class"], kind["output"]) == (said["labels"][0]["kind"], max(said["predictions"][0]["kind"]))
    for one in (size, kind):
        check_sum(one)
    refused = explained(c, fresh, [[12]], status=400)
    assert refused.pointers() == ["/output"] and "size" in refused.sentence()
    refused = explained(c, fresh, [[12]], status=400, output="siz")
    assert refused.pointers() == ["/output"] and 'did you mean "size"?' in refused.sentence()
    refused = explained(c, fresh, [[12]], status=400, output="size", **{"class": "low"})
    assert refused.pointers() == ["/class"]


# ---- the trace ----

def act(name, z):
    if name == "softmax":
        e = [math.exp(v - max(z)) for v in z]
        return [v / sum(e) for v in e]
    return [{"relu": lambda v: max(v, 0), "tanh": math.tanh, "linear": lambda v: v}[name](v) for v in z]


@covers("ExplainRequest.trace")
def test_the_trace_is_a_forward_pass(c, fresh, flowers):
    """Worked out from what GET layers shows; nothing is normalized, so that the inputs are the row itself."""
    c.put(f"/v1/models/{fresh}", iris_model(normalize="none", seed=4, layers=[
        {"units": 6, "activation": "relu"}, {"units": 5, "activation": "tanh", "from": ["inputs", 0]}]))
    c.train(fresh, {"dataset": "iris", "epochs": 10, "seed": 1})
    shown = c.get(f"/v1/models/{fresh}/versions/1/layers")["layers"]
    rows = [ROW, [6.7, 3.0, 5.2, 2.3]]
    answer = explained(c, fresh, rows, trace=True)
    for row, one in zip(rows, answer["explanations"], strict=True):
        seen = [row]
        assert len(one["trace"]["layers"]) == 3
        for i, ((weights, biases), layer) in enumerate(zip(c.layers(fresh, 1), one["trace"]["layers"])):
            x = row + seen[1] if i == 1 else seen[-1]
            z = [sum(w * v for w, v in zip(unit, x)) + b for unit, b in zip(weights, biases)]
            assert layer["weighted_inputs"] == pytest.approx(z, rel=1e-4, abs=1e-5)
            assert layer["activations"] == pytest.approx(act(shown[i]["activation"], z), rel=1e-4, abs=1e-5)
            seen.append(layer["activations"])
        assert one["output"] == max(seen[-1])
    for off in ({"trace": False}, {}):
        plain = explained(c, fresh, rows, **off)["explanations"]
        assert [{k: v for k, v in one.items() if k != "trace"} for one in answer["explanations"]] == plain


# ---- the forms of a question ----

@covers("ExplainRequest.instances", "ExplainRequest.inputs", "ExplainRequest.signature_name")
def test_forms_of_one_question(c, flowers):
    other = [6.7, 3.0, 5.2, 2.3]
    base, plain = f"/v1/models/{flowers}:explain", explained(c, flowers, [ROW, other]).json
    columns = {name: [FLOWER[name], value] for name, value in zip(FLOWER, other)}
    for body in ({"instances": [FLOWER, dict(zip(FLOWER, other))]}, {"inputs": [ROW, other]}, {"inputs": columns},
                 {"instances": [ROW, other], "signature_name": "serving_default"}):
        assert c.post(base, body).json == plain
    assert explained(c, flowers, [other])["explanations"] == plain["explanations"][1:] != plain["explanations"][:1]
    rows = [[float(v) for v in list(r.values())[:4]] for r in records(example("iris"))]
    alone = explained(c, flowers, rows[100:101])["explanations"][0]
    assert explained(c, flowers, rows)["explanations"][100] == alone, "a row has the same bits in a batch"


def test_which_version_explains(c, fresh):
    hand_made(c, fresh, [[[2, 0]]], [[1]])
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[3, 0]]], [[1]]), status=201)
    c.put(f"/v1/models/{fresh}/labels/first", {"version": "1"}, status=(200, 201))
    for where, version in (("", "2"), ("/versions/1", "1"), ("/labels/first", "1")):
        answer = explained(c, fresh, [[1, 1]], where)
        assert answer["model_version"] == version
        assert answer["explanations"][0]["contributions"]["x0"] == {"1": 2, "2": 3}[version]
    explained(c, fresh, [[1, 1]], "/versions/7", status=404)


# ---- what is said beside it ----

def test_without_training_rows(c, fresh):
    """Made by hand: numbers start at 0, the slots of a category alike, and the answer says so."""
    hand_made(c, fresh, [[[2, 5, 10, 20, 35]]], [[1]], inputs=[AGE, HAIR])
    answer = explained(c, fresh, [[3, "brown"]])
    one = answer["explanations"][0]
    assert one["baseline"] == pytest.approx(1 + (5 + 10 + 20 + 35) / 4)
    assert one["contributions"] == pytest.approx({"age": 6, "hair": 10 - (5 + 10 + 20 + 35) / 4})
    assert "baseline" in answer["warnings"][0] and "no training rows" in answer["warnings"][0]
    assert "warnings" not in explained(c, fresh, [[3, "brown"]], baseline=[0, "black"]).json


def test_a_category_never_seen_is_named(c, fresh):
    hand_made(c, fresh, [[[2, 5, 10, 20, 35]]], [[1]], inputs=[AGE, HAIR])
    answer = explained(c, fresh, [{"age": 3, "hair": "green"}], baseline=[0, "black"])
    assert "green" in answer["warnings"][0]
    assert answer["explanations"][0]["contributions"] == {"age": 6, "hair": 15}


def test_a_network_that_jumps(c, fresh):
    """There is no gradient on a step: nothing is explained, and residual and a warning tell it."""
    hand_made(c, fresh, [[[1, 1]], [[7]]], [[0], [0]], layers=[{"units": 1, "activation": "step"}])
    answer = explained(c, fresh, [[1, 2]], baseline=[-1, -1])
    assert answer["explanations"] == [{"contributions": {"x0": 0, "x1": 0}, "baseline": 0, "output": 7, "residual": 7}]
    assert "1 of 1 rows" in answer["warnings"][0] and "residual" in answer["warnings"][0]


def test_answers_that_are_not_finite(c, fresh):
    hand_made(c, fresh, [[[3e38, 3e38]]], [[0]])
    answer = explained(c, fresh, [[9, 9], [0, 1]], baseline=[0, 0], trace=True)
    first, second = answer["explanations"]
    assert first["output"] is None and first["residual"] is None and second["output"] is not None
    assert first["trace"]["layers"][0]["activations"] == [None]
    assert "1 of 2 rows" in answer["warnings"][0] and "not a finite number" in answer["warnings"][0]


# ---- what cannot be explained ----

def test_bad_input(c, flowers, fresh):
    base = f"/v1/models/{flowers}:explain"
    for body, pointer, said in (
            ({}, "", "instances"),
            ({"instances": [ROW], "inputs": [ROW]}, "/inputs", "instances"),
            ({"instances": 5}, "/instances", "array"),
            ({"instances": [ROW[:3]]}, "/instances/0", "sepal_length"),
            ({"instances": [{"sepal_lenght": 5}]}, "/instances/0/sepal_lenght", 'did you mean "sepal_length"?'),
            ({"instances": [ROW], "class": "setsa"}, "/class", 'did you mean "setosa"?'),
            ({"instances": [ROW], "class": ["setosa"]}, "/class", "species"),
            ({"instances": [ROW], "class": None}, "/class", "species"),
            ({"instances": [ROW], "output": "specis"}, "/output", 'did you mean "species"?'),
            ({"instances": [ROW], "output": 1}, "/output", "name"),
            ({"instances": [ROW], "trace": 1}, "/trace", "true or false"),
            ({"instances": [ROW], "signature_name": 1}, "/signature_name", "string"),
            ({"instances": [ROW], "base_line": ROW}, "/base_line", "baseline"),
            ({"instances": [ROW], "baseline": {"petal_widht": 1}}, "/baseline/petal_widht", 'did you mean "petal_width"?'),
            ({"instances": [ROW], "baseline": [1, 2, 3, "tall"]}, "/baseline/3", "tall"),
            ({"instances": [ROW], "baseline": [1, 2]}, "/baseline", "petal_width"),
            ({"instances": [ROW], "baseline": 5}, "/baseline", "array of 4 values")):
        refused = c.post(base, body, status=400)
        assert refused.pointers() == [pointer] and said.lower() in refused.sentence(), (body, refused.json)
    assert len(c.post(base, {"instances": [["a", 1, 2, 3], [1, "b", 2, 3]], "baseline": ["c", 1, 2, 3]},
                      status=400).pointers()) == 3, "every fault at once"
    wrong = {"instances": [ROW[:3]], "class": "rose", "trace": 1, "baseline": [1], "color": 1}  # the first one was all
    assert sorted(c.post(base, wrong, status=400).pointers()) == ["/baseline", "/class", "/color", "/instances/0", "/trace"]
    assert c.post(base, {"instances": [ROW], "output": "size", "class": "rose"}, status=400).pointers() == ["/output"]
    c.post("/v1/models/nothing:explain", {"instances": []}, status=404)
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": []})
    assert explained(c, fresh, [[1, 2]], status=404).code == "no-version"


def test_more_rows_than_a_request_may_explain(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [1500, 1500], "seed": 1})
    c.train(fresh, {"data": XOR, "epochs": 1, "validation": None})
    refused = explained(c, fresh, [[1, 2]] * 400, status=400)
    assert refused.pointers() == ["/instances"] and "at most" in refused.sentence()
    check_sum(explained(c, fresh, [[1, 2]])["explanations"][0])
