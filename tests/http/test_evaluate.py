"""Evaluation: every figure is worked out a second time here, from what :predict answers."""
import math

import pytest

from data import PLANE, XOR, by_hand, example, iris_model, records, table
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


# ---- what is said, worked out the plain way ----

def mean(values):
    values = list(values)
    return sum(values) / len(values)


def roc_auc(own, others):
    """Pairs in the right order, and half of those that are equal."""
    return mean((a > b) + (a == b) / 2 for a in own for b in others)


def average_precision(own, others):
    """At each threshold the precision, times how much of the class it adds."""
    total = 0
    for threshold in set(own):
        right, wrong = sum(s >= threshold for s in own), sum(s >= threshold for s in others)
        total += own.count(threshold) / len(own) * right / (right + wrong)
    return total


def matthews(counts):
    """Gorodkin's R_K, by its definition as a correlation of indicators."""
    k, rows = range(len(counts)), sum(map(sum, counts))
    truth, said = [sum(counts[i]) for i in k], [sum(row[j] for row in counts) for j in k]
    def covariance(pairs, a, b):
        return sum(pairs(i) / rows - a[i] * b[i] / rows ** 2 for i in k)
    both = covariance(lambda i: counts[i][i], truth, said)
    return both / math.sqrt(covariance(lambda i: truth[i], truth, truth) * covariance(lambda i: said[i], said, said))


def in_first(scores, truth, k):
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    return truth in order[:k]


def calibration_error(scores, truth):
    """Guo et al. 2017, equation 5, with 15 bins (a, b]."""
    bins = {}
    for row, t in zip(scores, truth):
        sure = max(row)
        bins.setdefault(min(14, max(0, math.ceil(sure * 15) - 1)), []).append((row.index(sure) == t, sure))
    return sum(abs(mean(r for r, _ in b) - mean(s for _, s in b)) * len(b) for b in bins.values()) / len(truth)


def quantile(values, share):
    """Between two neighbours in proportion."""
    values, place = sorted(values), (len(values) - 1) * share
    low = math.floor(place)
    return values[low] + (place - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def check_residuals(found, answers, truth):
    left = [t - a for a, t in zip(answers, truth)]
    assert list(found) == ["0", "5", "25", "50", "75", "95", "100"]
    for share, value in found.items():
        assert value == pytest.approx(quantile(left, int(share) / 100), rel=1e-4, abs=1e-4 * max(map(abs, truth)))


def check_category(found, scores, truth, probabilities=True, k=None):
    """found: an answer, or one of its outputs; rows of scores and the true class of each."""
    classes, metrics = range(len(scores[0])), found["metrics"]
    said = [s.index(max(s)) for s in scores]
    counts = [[sum((t, s) == (i, j) for t, s in zip(truth, said)) for j in classes] for i in classes]
    assert found["confusion_matrix"]["counts"] == counts
    hits = [counts[i][i] for i in classes]
    of_class, as_class = [sum(row) for row in counts], [sum(row[i] for row in counts) for i in classes]
    there = [i for i in classes if of_class[i] + as_class[i]]
    precision = {i: hits[i] / as_class[i] if as_class[i] else None for i in classes}
    recall = {i: hits[i] / of_class[i] if of_class[i] else None for i in classes}
    f1 = {i: 2 * hits[i] / (of_class[i] + as_class[i]) if i in there else None for i in classes}
    roc, pr = {}, {}
    for i in classes:
        own = [s[i] for s, t in zip(scores, truth) if t == i]
        others = [s[i] for s, t in zip(scores, truth) if t != i]
        roc[i] = roc_auc(own, others) if own and others else None
        pr[i] = average_precision(own, others) if own and others else None
        row = found["per_class"][i]
        assert row["rows"] == of_class[i]
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1), ("roc_auc", roc),
                             ("pr_auc", pr)):
            assert row[name] == (None if values[i] is None else pytest.approx(values[i], abs=1e-9)), (i, name)
    assert metrics["accuracy"] == pytest.approx(sum(hits) / len(truth))
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert metrics["macro"][name] == pytest.approx(mean(values[i] or 0 for i in there))
        assert metrics["micro"][name] == pytest.approx(metrics["accuracy"])
    for name, values in (("roc_auc", roc), ("pr_auc", pr)):
        known = [v for v in values.values() if v is not None]
        assert metrics[name] == (pytest.approx(mean(known), abs=1e-9) if known else None)
    assert metrics["top_k"]["k"] == (k or max(1, min(5, len(classes) - 1)))
    assert metrics["top_k"]["accuracy"] == pytest.approx(
        mean(in_first(s, t, metrics["top_k"]["k"]) for s, t in zip(scores, truth)))
    if probabilities:
        log_loss = -mean(math.log(max(s[t], 2 ** -52) / sum(s)) for s, t in zip(scores, truth))
        assert metrics["log_loss"] == pytest.approx(log_loss, rel=1e-6)
        assert metrics["calibration_error"] == pytest.approx(calibration_error(scores, truth), abs=1e-6)
    else:
        assert metrics["log_loss"] is None and metrics["calibration_error"] is None
    varies = len(set(truth)) > 1 and len(set(said)) > 1
    assert metrics["matthews"] == (pytest.approx(matthews(counts)) if varies else None)


def check_number(found, answers, truth):
    """found: the metrics of one number."""
    errors = [a - t for a, t in zip(answers, truth)]
    spread = sum((t - mean(truth)) ** 2 for t in truth)
    close = dict(rel=1e-4, abs=1e-9)
    assert found["mse"] == pytest.approx(mean(e * e for e in errors), **close)
    assert found["rmse"] == pytest.approx(math.sqrt(mean(e * e for e in errors)), **close)
    assert found["mae"] == pytest.approx(mean(map(abs, errors)), **close)
    assert found["mape"] == pytest.approx(mean(abs(e / t) for e, t in zip(errors, truth) if t), **close)
    assert found["r2"] == pytest.approx(1 - sum(e * e for e in errors) / spread, **close)
    assert found["explained_variance"] == pytest.approx(
        1 - sum((e - mean(errors)) ** 2 for e in errors) / spread, **close)


# ---- data that are stored ----

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
    check_category(answer, scores, truth)


@covers("EvaluateRequest.top_k")
def test_top_k(c, flowers):
    rows = records(example("iris"))
    scores, truth = asked(c, flowers, rows), [CLASSES.index(r["species"]) for r in rows]
    shares = []
    for k in (1, 2, 3):
        answer = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": "iris", "top_k": k}).json
        check_category(answer, scores, truth, k=k)
        shares.append(answer["metrics"]["top_k"]["accuracy"])
    assert shares[0] == answer["metrics"]["accuracy"] < shares[1] < shares[2] == 1
    for k in (0, 4, -1, 1.5, "2", None, 1e300):
        refused = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": "iris", "top_k": k}, status=400)
        assert refused.pointers() == ["/top_k"], k


def test_another_data_set_gives_other_figures(c, flowers, fresh):
    whole = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": "iris"}).json
    lines = example("iris").decode().splitlines(keepends=True)
    c.csv(fresh, "".join(lines[:51]))
    part = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": fresh}).json
    assert part["rows"] == 50 and part["metrics"] != whole["metrics"]
    assert [f["precision"] is None for f in part["per_class"]][0] is False
    assert part["per_class"][2]["recall"] is None, "nothing to divide by"
    scores = asked(c, flowers, records(example("iris"))[:50])
    check_category(part, scores, [0] * 50)
    assert part["metrics"]["roc_auc"] is None, "no other class to tell it from"


@pytest.mark.parametrize("loss, output, probabilities", [("binary_cross_entropy", "sigmoid", True),
                                                         ("hinge", "linear", False)])
def test_scores_that_do_not_sum_to_one(c, flowers, fresh, loss, output, probabilities):
    """Margins have no log loss; each class's own sigmoid is brought to a sum of 1 for it."""
    c.put(f"/v1/models/{fresh}", iris_model(loss=loss, output_activation=output, seed=2))
    c.train(fresh, {"dataset": "iris", "epochs": 10, "seed": 1})
    rows = records(example("iris"))
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": "iris"}).json
    check_category(answer, asked(c, fresh, rows), [CLASSES.index(r["species"]) for r in rows], probabilities)


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
    assert "per_class" not in answer and "per_output" not in answer
    check_number(metrics, [t + e for t, e in zip(truth, errors)], truth)
    check_residuals(answer["residual_quantiles"], [t + e for t, e in zip(truth, errors)], truth)
    assert answer["residual_quantiles"]["0"] < 0 < answer["residual_quantiles"]["100"]


def test_an_error_relative_to_nothing_is_left_out(c, fresh):
    """A target of 0 that was standardized in float32 is a hair off 0 when it comes back; it is 0 all the same."""
    rows = [(i, [0, 1000, -30, 7][i % 4]) for i in range(40)]
    c.csv(fresh, table(["x", "y"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "layers": [], "seed": 1})
    c.train(fresh, {"dataset": fresh, "epochs": 2, "seed": 1, "validation": None})
    answers = [p[0] for p in c.predict(fresh, [[x] for x, _ in rows])["predictions"]]
    check_number(c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh})["metrics"], answers, [y for _, y in rows])


# ---- curves ----

def check_curves(found, scores, truth):
    """Every threshold of a small set is a point; the curves are redrawn here from the scores."""
    for k, one in enumerate(found["classes"]):
        own = [s[k] for s, t in zip(scores, truth) if t == k]
        others = [s[k] for s, t in zip(scores, truth) if t != k]
        if not own or not others:
            assert one["roc"] is None and one["pr"] is None
            continue
        steps = sorted(set(own + others), reverse=True)
        assert len(steps) < 200 and one["roc"]["threshold"] == [None] + [pytest.approx(t) for t in steps]
        assert one["pr"]["threshold"] == one["roc"]["threshold"][1:]
        right = [sum(s >= t for s in own) for t in steps]
        wrong = [sum(s >= t for s in others) for t in steps]
        assert one["roc"]["true_positive_rate"] == pytest.approx([0] + [r / len(own) for r in right])
        assert one["roc"]["false_positive_rate"] == pytest.approx([0] + [w / len(others) for w in wrong])
        assert one["pr"]["recall"] == one["roc"]["true_positive_rate"][1:]
        assert one["pr"]["precision"] == pytest.approx([r / (r + w) for r, w in zip(right, wrong)])


@covers("EvaluateRequest.curves")
def test_curves(c, flowers, fresh):
    rows = records(example("iris"))
    scores, truth = asked(c, flowers, rows), [CLASSES.index(r["species"]) for r in rows]
    plain = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": "iris", "curves": False}).json
    answer = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": "iris", "curves": True}).json
    drawn = answer.pop("curves")
    assert answer == plain
    assert [one["label"] for one in drawn["classes"]] == CLASSES
    check_curves(drawn, scores, truth)
    bins = drawn["reliability"]
    assert sum(b["count"] for b in bins) == 150 and [b["from"] for b in bins] == pytest.approx([i / 15 for i in range(15)])
    for b in bins:
        inside = [(s.index(max(s)) == t, max(s)) for s, t in zip(scores, truth) if b["from"] < max(s) <= b["to"]]
        assert b["count"] == len(inside)
        if inside:
            assert (b["accuracy"], b["confidence"]) == pytest.approx((mean(r for r, _ in inside), mean(s for _, s in inside)))
        else:
            assert b["accuracy"] is None and b["confidence"] is None
    error = sum(b["count"] * abs(b["accuracy"] - b["confidence"]) for b in bins if b["count"]) / 150
    assert answer["metrics"]["calibration_error"] == pytest.approx(error)
    c.csv(fresh, "".join(example("iris").decode().splitlines(keepends=True)[:51]))
    one = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": fresh, "curves": True})["curves"]
    check_curves(one, scores[:50], [0] * 50)


def test_a_long_curve_is_thinned(c, fresh):
    """800 thresholds become at most 200 points, below which lies nearly the same area."""
    rows = [(x, "up" if (x * 7919) % 800 < x else "down") for x in range(800)]
    c.csv(fresh, table(["x", "way"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "way", "layers": [], "seed": 1})
    c.train(fresh, {"dataset": fresh, "epochs": 30, "seed": 1, "validation": None})
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh, "curves": True}).json
    for found, one in zip(answer["per_class"], answer["curves"]["classes"]):
        for curve, x, y, area, close in (("roc", "false_positive_rate", "true_positive_rate", found["roc_auc"], 1e-3),
                                         ("pr", "recall", "precision", found["pr_auc"], 0.02)):
            x, y = one[curve][x], one[curve][y]
            assert 100 < len(x) == len(y) == len(one[curve]["threshold"]) <= 200
            below = sum((x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2 for i in range(1, len(x)))
            assert below == pytest.approx(area, abs=close) and (x[-1], x == sorted(x)) == (1, True)


# ---- importance ----

@covers("EvaluateRequest.importance", "EvaluateRequest.seed")
def test_importance(c, fresh):
    """y = 2 a - 3 b, and c is not looked at: permuting a column adds 2 w² times its variance to the mse."""
    rows = [[(i * 7) % 61, (i * 13) % 29 - 14, (i * 5) % 17] for i in range(1500)]
    data = {"inputs": rows, "targets": [[2 * a - 3 * b] for a, b, _ in rows]}
    c.put(f"/v1/models/{fresh}", {"inputs": 3, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[2, -3, 0]]], [[0]]), status=201)
    base = f"/v1/models/{fresh}:evaluate"
    def spread(values):
        return mean(v * v for v in values) - mean(values) ** 2
    plain = c.post(base, {"data": data}).json
    answer = c.post(base, {"data": data, "importance": True}).json
    found = answer.pop("importance")
    assert answer == plain and answer["metrics"]["mse"] == 0
    assert [one["input"] for one in found] == ["x0", "x1", "x2"]
    for one, weight, column in zip(found, (2, 3, 0), zip(*rows)):
        assert one["loss"] == pytest.approx(2 * weight ** 2 * spread(column), rel=0.1)
        assert one["rmse"] == pytest.approx(math.sqrt(one["loss"]), rel=1e-4)
    assert found[2] == {"input": "x2", "loss": 0, "rmse": 0}
    seeds = [c.post(base, {"data": data, "importance": True, "seed": seed})["importance"] for seed in (0, 1, 1)]
    assert seeds[0] == found and seeds[1] == seeds[2] != found
    assert "importance" not in c.post(base, {"data": data, "importance": False}).json


def test_a_permutation_has_every_row_once(c, fresh):
    """The answer is the column itself and the truth is 0: the mean of the squares does not mind the order."""
    rows = [[i, 1] for i in range(1000)]
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1, 0]]], [[0]]), status=201)
    answer = c.post(f"/v1/models/{fresh}:evaluate",
                    {"data": {"inputs": rows, "targets": [[0]] * 1000}, "importance": True}).json
    assert answer["metrics"]["mse"] > 300000
    assert [one["loss"] for one in answer["importance"]] == pytest.approx([0, 0], abs=0.1)


def test_importance_of_a_stored_set(c, flowers):
    """Of a classification it is the accuracy that falls; the inputs that are worth most come first."""
    answer = c.post(f"/v1/models/{flowers}:evaluate", {"dataset": "iris", "importance": True}).json
    found = answer["importance"]
    assert {one["input"] for one in found} == {"sepal_length", "sepal_width", "petal_length", "petal_width"}
    assert [one["loss"] for one in found] == sorted((one["loss"] for one in found), reverse=True)
    assert found[0]["input"].startswith("petal") and found[0]["accuracy"] < -0.1
    assert all(-1 <= one["accuracy"] <= 0.1 for one in found) and "warnings" not in answer


def test_importance_in_blocks(start, fresh):
    """More rows than memory has room for at once: a permutation keeps to a block, and the answer says so."""
    c = start("--memory-budget", "64MiB").client()
    rows = [((i * 7919) % 1009, (i * 104729) % 2003, i % 2) for i in range(150000)]
    c.csv(fresh, table(["a", "b", "y"], [(a, b, a - 2 * y) for a, b, y in rows]))
    c.put(f"/v1/models/{fresh}", {"inputs": [{"name": n, "type": "number"} for n in "ab"],
                                  "outputs": [{"name": "y", "type": "number"}], "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1, 0]]], [[-1]]), status=201)
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh, "importance": True}).json
    spread = mean(a * a for a, _, _ in rows) - mean(a for a, _, _ in rows) ** 2
    assert answer["metrics"]["mse"] == pytest.approx(1, rel=1e-3)
    assert [one["input"] for one in answer["importance"]] == ["a", "b"]
    assert answer["importance"][0]["loss"] == pytest.approx(2 * spread, rel=0.05)
    assert answer["importance"][1]["loss"] == 0
    assert "blocks of" in answer["warnings"][0]


def test_importance_that_would_take_too_long(c, fresh):
    """5 million weights, 20 columns, 100,000 rows: refused before the work begins; what is asked for is named."""
    c.put(f"/v1/models/{fresh}", {"inputs": 20, "outputs": 1, "layers": [2200, 2200], "seed": 1})
    c.train(fresh, {"data": {"inputs": [[0] * 20] * 4, "targets": [[0]] * 4}, "epochs": 1, "validation": None})
    header = ",".join([*(f"x{i}" for i in range(20)), "y0"])
    c.csv(fresh, "\n".join([header] + [",".join("0" * 21)] * 100000))
    refused = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh, "importance": True}, status=400)
    assert refused.pointers() == ["/importance"] and "at most" in refused.sentence()
    c.csv(f"{fresh}-few", "\n".join([header] + [",".join("0" * 21)] * 10))
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": f"{fresh}-few", "importance": True}).json
    assert len(answer["importance"]) == 20


def test_importance_with_several_targets(c, fresh):
    rows = [(x, y, 2 * x, "odd" if y % 2 else "even") for x in range(9) for y in range(6)]
    c.csv(fresh, table(["x", "y", "size", "parity"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": ["size", "parity"], "layers": [8], "seed": 2})
    c.train(fresh, {"dataset": fresh, "epochs": 50, "seed": 1, "validation": None})
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh, "importance": True, "curves": True}).json
    assert [set(one) for one in answer["importance"]] == [{"input", "loss"}] * 2
    assert answer["importance"][0]["input"] == "x" and answer["importance"][0]["loss"] > 0.5
    assert "curves" in answer["outputs"]["parity"] and "curves" not in answer["outputs"]["size"]
    said = c.predict(fresh, [list(row[:2]) for row in rows])["predictions"]
    check_curves(answer["outputs"]["parity"]["curves"], [row["parity"] for row in said],
                 [["even", "odd"].index(row[3]) for row in rows])


# ---- data with the request ----

def test_several_numbers(c, fresh):
    """y0 = x0 + 1, y1 = 10 x1: the means at the top, each number by itself below."""
    inputs, targets = [[1, 2], [3, 5], [2, 2], [0, 4]], [[1, 20], [5, 40], [3, 25], [2, 41]]
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 2, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1, 0], [0, 10]]], [[1, 0]]), status=201)
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"data": {"inputs": inputs, "targets": targets}}).json
    said = [[x + 1 for x, _ in inputs], [10 * x for _, x in inputs]]
    assert [row["output"] for row in answer["per_output"]] == ["y0", "y1"]
    for i, row in enumerate(answer["per_output"]):
        check_number(row, said[i], [t[i] for t in targets])
        check_residuals(row["residual_quantiles"], said[i], [t[i] for t in targets])
    for name in ("mse", "mae", "mape", "r2", "explained_variance"):
        assert answer["metrics"][name] == pytest.approx(mean(row[name] for row in answer["per_output"]))
    assert answer["metrics"]["rmse"] == pytest.approx(math.sqrt(answer["metrics"]["mse"]))
    refused = c.post(f"/v1/models/{fresh}:evaluate",
                     {"data": {"inputs": inputs, "targets": targets}, "top_k": 1}, status=400)
    assert refused.pointers() == ["/top_k"]


def test_several_targets(c, fresh):
    """A number, a category of three and one of two from one network: each is judged by itself."""
    rows = [(x, y, 2 * x - y, "abc"[(x + y) % 3], "odd" if x % 2 else "even") for x in range(9) for y in range(5)]
    c.csv(fresh, table(["x", "y", "size", "letter", "parity"], rows))
    c.put(f"/v1/models/{fresh}", {
        "inputs": [{"name": "x", "type": "number"}, {"name": "y", "type": "number"}], "layers": [8], "seed": 2,
        "outputs": [{"name": "letter", "type": "category", "values": ["a", "b", "c"]},
                    {"name": "size", "type": "number", "weight": 3},
                    {"name": "parity", "type": "category", "values": ["even", "odd"], "loss": "hinge"}]})
    c.train(fresh, {"dataset": fresh, "epochs": 20, "seed": 1, "validation": None})
    said = c.predict(fresh, [list(row[:2]) for row in rows])["predictions"]
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh}).json
    assert set(answer["metrics"]) == {"loss"} and "per_class" not in answer and answer["rows"] == 45
    found = answer["outputs"]
    assert list(found) == ["letter", "size", "parity"]
    check_category(found["letter"], [row["letter"] for row in said], ["abc".index(row[3]) for row in rows])
    check_category(found["parity"], [row["parity"] for row in said], [row[0] % 2 for row in rows], False)
    check_number(found["size"]["metrics"], [row["size"][0] for row in said], [row[2] for row in rows])
    check_residuals(found["size"]["residual_quantiles"], [row["size"][0] for row in said], [row[2] for row in rows])
    losses = {name: one["metrics"]["loss"] for name, one in found.items()}
    assert losses["letter"] == pytest.approx(found["letter"]["metrics"]["log_loss"], rel=1e-4)
    margins = [1 - (2 * (row[0] % 2 == k) - 1) * one["parity"][k] for row, one in zip(rows, said) for k in (0, 1)]
    assert losses["parity"] == pytest.approx(mean(max(0, margin) for margin in margins), rel=1e-4)
    assert answer["metrics"]["loss"] == pytest.approx(losses["letter"] + 3 * losses["size"] + losses["parity"])
    best = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh, "top_k": 3})["outputs"]
    assert [best[name]["metrics"]["top_k"]["k"] for name in ("letter", "parity")] == [3, 2]
    c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh, "top_k": 4}, status=400)


def test_answers_that_are_not_finite(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[3e38]]], [[0]]), status=201)
    answer = c.post(f"/v1/models/{fresh}:evaluate", {"data": {"inputs": [[0], [9]], "targets": [[0], [1]]}}).json
    assert answer["metrics"]["mse"] is None and "1 of 2 rows" in answer["warnings"][0]


def test_a_category_never_seen_is_named(c, fresh):
    c.csv(fresh, table(["colour", "y"], [("red", 1), ("green", 2)] * 10))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "layers": [2], "seed": 1})
    c.train(fresh, {"dataset": fresh, "epochs": 2, "seed": 1})
    data = {"inputs": [["red"], ["blue"]], "targets": [[1], [2]]}
    assert "blue" in c.post(f"/v1/models/{fresh}:evaluate", {"data": data})["warnings"][0]
    data["inputs"][1] = ["green"]
    assert "warnings" not in c.post(f"/v1/models/{fresh}:evaluate", {"data": data}).json


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
    for more, pointer in (({"curves": 1}, "/curves"), ({"importance": "yes"}, "/importance"), ({"seed": 1}, "/seed"),
                          ({"importance": True, "seed": -1}, "/seed"), ({"importance": True, "seed": 0.5}, "/seed")):
        assert c.post(base, {"dataset": "iris", **more}, status=400).pointers() == [pointer]
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1, 1]]], [[0]]), status=201)
    assert c.post(f"/v1/models/{fresh}:evaluate", {"data": XOR, "curves": True}, status=400).pointers() == ["/curves"]
