"""Evaluation: every figure is worked out a second time here, from what :predict answers."""
import math

import pytest

from data import PLANE, XOR, by_hand, example, iris_model, records
from fields import covers

CLASSES = ["setosa", "versicolor", "virginica"]


@pytest.fixture(scope="module")
def flowers(daemon):
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/flowers", iris_model(seed=1))
    c.train("flowers", {"dataset": "iris", "epochs": 15, "seed": 1})
    return "flowers"


def asked(c, model, rows):
    """Scores of records of text, the last column left out."""
    return c.predict(model, [dict(list(r.items())[:-1]) for r in rows])["predictions"]


@covers("EvaluateRequest.dataset")
def test_classification(c, flowers):
    rows = records(example("iris"))
    scores = asked(c, flowers, rows)
    truth = [CLASSES.index(r["species"]) for r in rows]
    said = [s.index(max(s)) for s in scores]
    answer = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": "iris"}).json
    assert answer["model_version"] == "1" and answer["rows"] == 150
    assert answer["metrics"]["accuracy"] == pytest.approx(sum(t == s for t, s in zip(truth, said)) / 150)
    loss = -sum(math.log(s[t]) for s, t in zip(scores, truth)) / 150
    assert answer["metrics"]["loss"] == pytest.approx(loss, rel=1e-4)
    counts = [[sum(1 for t, s in zip(truth, said) if (t, s) == (i, j)) for j in range(3)] for i in range(3)]
    assert answer["confusion_matrix"] == {"labels": CLASSES, "counts": counts}
    for k, found in enumerate(answer["per_class"]):
        hits, of_class, as_class = counts[k][k], sum(counts[k]), sum(row[k] for row in counts)
        assert (found["label"], found["rows"]) == (CLASSES[k], 50)
        assert found["recall"] == pytest.approx(hits / of_class)
        assert found["precision"] == (pytest.approx(hits / as_class) if as_class else None)
        assert found["f1"] == pytest.approx(2 * hits / (of_class + as_class))


def test_another_data_set_gives_other_figures(c, flowers, fresh):
    whole = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": "iris"}).json
    lines = example("iris").decode().splitlines(keepends=True)
    c.csv(fresh, "".join(lines[:51]))
    part = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": fresh}).json
    assert part["rows"] == 50 and part["metrics"] != whole["metrics"]
    assert [f["precision"] is None for f in part["per_class"]][0] is False
    assert part["per_class"][2]["recall"] is None, "nothing to divide by"


def test_regression(c, fresh):
    c.csv("plane", PLANE)
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [3], "seed": 1})
    c.train(fresh, {"dataset": "plane", "epochs": 5, "seed": 1})
    rows = records(PLANE)
    truth = [float(r["y"]) for r in rows]
    errors = [p[0] - t for p, t in zip(asked(c, fresh, rows), truth)]
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": "plane"}).json
    metrics, n, mean = answer["metrics"], len(rows), sum(truth) / len(rows)
    squares = sum(e * e for e in errors)
    assert metrics["mse"] == pytest.approx(squares / n, rel=1e-4)
    assert metrics["rmse"] == pytest.approx(math.sqrt(squares / n), rel=1e-4)
    assert metrics["mae"] == pytest.approx(sum(map(abs, errors)) / n, rel=1e-4)
    assert metrics["r2"] == pytest.approx(1 - squares / sum((t - mean) ** 2 for t in truth), rel=1e-4)
    assert "per_class" not in answer


@covers("EvaluateRequest.data")
def test_rows_with_the_request(c, fresh):
    """y0 = x0 + x1 on the truth table of xor is right but for the last row, where it says 2."""
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1, 1]]], [[0]]), status=201)
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"data": XOR}).json
    assert (answer["rows"], answer["metrics"]["mse"], answer["metrics"]["mae"]) == (4, 1, 0.5)
    right = {"inputs": XOR["inputs"], "targets": [[0], [1], [1], [2]]}
    assert c.post(f"/v1/models/{fresh}:evaluate", {"data": right})["metrics"]["mse"] == 0


def test_what_cannot_be_evaluated(c, flowers, fresh):
    base = f"/v1/models/{flowers}:evaluate"
    assert c.post(base, {"dataset": "nothing"}, status=404).code == "not-found"
    c.csv("plane", PLANE)
    assert "species" in c.post(base, {"dataset": "plane"}, status=400).sentence()
    tulips = example("iris").decode().replace("virginica", "tulip")
    c.csv(fresh, tulips)
    assert "tulip" in c.post(base, {"dataset": fresh}, status=400).sentence()
    for body in ({}, {"dataset": "iris", "data": XOR}, {"dataset": 5}, {"rows": []}, {"data": {"inputs": []}}):
        c.post(base, body, status=400)
