"""Drift: what a version was asked, beside what it was trained on. Counts only; they outlive a restart."""
import math
import random

import pytest

from data import table

ROWS = 500


def rows(shift=0.0, hair=("black", "brown"), seed=1):
    draw = random.Random(seed)
    return [(round(draw.gauss(170 + shift, 10), 2), draw.choice(hair), f"2024-{1 + i % 12:02d}-05", i % 2)
            for i in range(ROWS)]


@pytest.fixture
def model(c, fresh):
    c.csv(fresh, table(["height", "hair", "day", "y"], rows()), query="?types=day:date")
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "task": "regression", "layers": [4]})
    c.train(fresh, {"dataset": fresh, "epochs": 2, "validation": None})
    return fresh


def ask(c, model, found, verb="predict"):
    member = "instances" if verb == "predict" else "examples"
    c.post(f"/v1/models/{model}:{verb}", {member: [{"height": h, "hair": k, "day": d} for h, k, d, _ in found]})


def drift(c, model, where=""):
    answer = c.get(f"/v1/models/{model}{where}/drift").json
    return answer, {entry["name"]: entry for entry in answer["inputs"]}


def index(bins):
    """Population stability index with half a row more in each bin."""
    n, m = (sum(b[which] for b in bins) + len(bins) / 2 for which in ("asked", "trained"))
    shares = [((b["asked"] + 0.5) / n, (b["trained"] + 0.5) / m) for b in bins]
    return sum((a - t) * math.log(a / t) for a, t in shares)


def test_nothing_was_asked_yet(c, model):
    answer, inputs = drift(c, model)
    assert answer["rows"] == 0 and answer["trained_rows"] == ROWS
    assert inputs["height"]["psi"] is None and inputs["height"]["missing_share"] is None
    assert [sum(b["trained"] for b in entry["bins"]) for entry in inputs.values()] == [ROWS] * 3


def test_the_training_rows_have_not_drifted_and_others_have(c, model):
    ask(c, model, rows())
    answer, inputs = drift(c, model)
    assert answer["rows"] == ROWS
    assert all(entry["psi"] == pytest.approx(0, abs=1e-9) for entry in inputs.values())
    assert all(b["asked"] == b["trained"] for entry in inputs.values() for b in entry["bins"])
    ask(c, model, rows(shift=40, hair=("brown", "green"), seed=2), "regress")
    answer, inputs = drift(c, model)
    assert answer["rows"] == 2 * ROWS
    assert inputs["height"]["psi"] > 0.25 and inputs["hair"]["psi"] > 0.25 > inputs["day"]["psi"]
    assert inputs["hair"]["unknown_share"] == pytest.approx(0.25, abs=0.05)
    assert inputs["height"]["above_share"] > 0.2 and inputs["height"]["below_share"] == 0
    for entry in inputs.values():
        assert entry["psi"] == pytest.approx(index(entry["bins"]), abs=1e-9)
    assert inputs["day"]["bins"][0]["to"].startswith("2024-")
    assert c.get(f"/v1/models/{model}/versions/1/drift").json == answer


def test_what_is_missing_and_what_is_refused(c, model):
    c.predict(model, [{}, {"height": 170}])
    c.predict(model, [{"height": "tall"}, {"height": 170}], status=400)
    answer, inputs = drift(c, model)
    assert answer["rows"] == 2, "a refused request was not answered"
    assert inputs["height"]["missing_share"] == 0.5 and inputs["hair"]["missing_share"] == 1
    assert inputs["height"]["trained_missing_share"] == 0


def test_counts_outlive_a_restart_and_go_with_their_version(start, fresh):
    daemon = start()
    c = daemon.client()
    c.csv(fresh, table(["height", "hair", "day", "y"], rows()))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "task": "regression", "layers": [4]})
    c.train(fresh, {"dataset": fresh, "epochs": 2, "validation": None})
    ask(c, fresh, rows()[:30])
    daemon.stop()
    again = start(folder=daemon.folder)
    c = again.client()
    assert drift(c, fresh)[0]["rows"] == 30
    ask(c, fresh, rows()[:5])
    assert drift(c, fresh)[0]["rows"] == 35
    c.train(fresh, {"dataset": fresh, "epochs": 1, "validation": None})
    assert drift(c, fresh)[0] | {"inputs": 0} == {"model_version": "2", "rows": 0, "trained_rows": ROWS, "inputs": 0}
    assert drift(c, fresh, "/versions/1")[0]["rows"] == 35
    c.delete(f"/v1/models/{fresh}/versions/1")
    c.get(f"/v1/models/{fresh}/versions/1/drift", status=404)
    again.stop()


@pytest.mark.parametrize("arguments, environment", [(("--no-drift",), {}), ((), {"DESCENTD_NO_DRIFT": "true"})])
def test_no_drift(start, fresh, arguments, environment):
    daemon = start(*arguments, environment=environment)
    c = daemon.client()
    c.csv(fresh, table(["height", "hair", "day", "y"], rows()))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "task": "regression", "layers": [4]})
    c.train(fresh, {"dataset": fresh, "epochs": 1, "validation": None})
    ask(c, fresh, rows()[:3])
    assert "--no-drift" in c.get(f"/v1/models/{fresh}/drift", status=409)["detail"]
    daemon.stop()


def test_a_version_by_hand_was_trained_on_nothing(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}/versions", {"layers": [{"weights": [[1, 2]], "biases": [0]}]}, status=201)
    c.predict(fresh, [[1, 2]])
    answer, inputs = drift(c, fresh)
    assert answer["rows"] == 1 and answer["trained_rows"] == 0 and inputs["x0"]["psi"] is None
    c.get(f"/v1/models/{fresh}-gone/drift", status=404)


def test_a_switch_that_is_neither_on_nor_off(start):
    code, said = start("--no-drift=perhaps", run=False).refused()
    assert code == 2 and "--no-drift" in said and "true or false" in said
