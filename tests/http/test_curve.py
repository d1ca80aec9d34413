"""What a curve keeps and how it is read: every mini-batch, validation now and then, few points of many."""
import csv
import io

import pytest

from fields import covers

ROWS, BATCH, BATCHES = 70, 20, 4
DATA = {"inputs": [[i % 7, i // 7] for i in range(ROWS)], "targets": [[(i % 7) * 0.5 + (i // 7) ** 0.5] for i in range(ROWS)]}
BODY = {"data": DATA, "batch_size": BATCH, "seed": 1, "epochs": 6, "validation": None, "early_stopping": None}
HELD = {**BODY, "data": {"inputs": DATA["inputs"] * 2, "targets": DATA["targets"] * 2}, "validation": {"split": 0.5}}


@pytest.fixture
def model(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [6], "seed": 1})
    return fresh


def curve_of(c, job, query=""):
    return c.get(f"/v1/jobs/{job['id']}/curve{query}").json


@covers("TrainRequest.record")
def test_each_mini_batch_is_a_point(c, model):
    whole, steps = (c.train(model, {**BODY, "record": record}) for record in ("epoch", "step"))
    assert steps["config"]["record"] == "step" and whole["config"]["record"] == "epoch"
    epochs, curve = curve_of(c, whole), curve_of(c, steps)
    assert epochs["total"] == 6 and curve["total"] == curve["returned"] == 6 * BATCHES
    assert curve["epoch"] == [i // BATCHES + 1 for i in range(24)] and curve["step"] == list(range(1, 25))
    rows = [BATCH, BATCH, BATCH, ROWS - 3 * BATCH]
    for e in range(6):  # the epoch's numbers are the means over its rows
        for metric in ("loss", "mae"):
            mean = sum(n * v for n, v in zip(rows, curve[metric][e * BATCHES:])) / ROWS
            assert mean == pytest.approx(epochs[metric][e], rel=1e-9)
    assert c.layers(model, whole["version"]) == c.layers(model, steps["version"]), "recording is no part of the run"
    part = curve_of(c, steps, "?from=2&to=3")
    assert part["step"] == list(range(5, 13)) and part["total"] == 8
    thinned = curve_of(c, steps, "?points=5")
    assert thinned["total"] == 24 and thinned["step"][0] == 1 and thinned["step"][-1] == 24
    assert len(thinned["step"]) <= 5
    assert "/record" in c.post(f"/v1/models/{model}:train", {**BODY, "record": "all"}, status=422).pointers()


def test_validation_within_the_steps(c, model):
    curve = curve_of(c, c.train(model, {**HELD, "record": "step"}))
    for i in range(24):
        ends = i % BATCHES == BATCHES - 1
        assert (curve["val_loss"][i] is not None) == ends and (curve["val_mae"][i] is not None) == ends
    assert curve["nonfinite"] == [], "what was not measured is not what left the finite numbers"


@covers("TrainRequest.evaluate_every")
def test_validation_now_and_then(c, model):
    each, third = (c.train(model, {**HELD, "epochs": 11, "evaluate_every": n}) for n in (1, 3))
    all_of, some = curve_of(c, each), curve_of(c, third)
    assert third["config"]["evaluate_every"] == 3
    assert [e for e, v in zip(some["epoch"], some["val_loss"]) if v is not None] == [3, 6, 9, 11]
    assert some["loss"] == all_of["loss"] and some["val_loss"][8] == all_of["val_loss"][8]
    assert some["nonfinite"] == [] and third["metrics"]["val_loss"] == some["val_loss"][10]
    assert c.layers(model, each["version"]) == c.layers(model, third["version"])
    assert third["best"]["epoch"] in (3, 6, 9, 11)
    stopped = c.train(model, {**HELD, "epochs": 50, "evaluate_every": 4, "early_stopping": {
        "monitor": "val_loss", "patience": 2, "min_delta": 1e9, "restore_best": False}})
    assert stopped["stop_reason"] == "early_stopping" and stopped["epoch"] == 12, "patience counts what was validated"
    met = c.train(model, {**HELD, "epochs": 50, "evaluate_every": 7, "target_loss": 1e9})
    assert (met["stop_reason"], met["epoch"]) == ("target_loss", 7)
    refused = c.post(f"/v1/models/{model}:train", {**BODY, "evaluate_every": 2}, status=422)
    assert "/evaluate_every" in refused.pointers() and "validation" in refused.sentence()
    assert "/evaluate_every" in c.post(f"/v1/models/{model}:train", {**HELD, "evaluate_every": 0}, status=422).pointers()


def test_thinning_keeps_every_spike(c, model):
    """A long run, thinned through the summaries of every level, against all of its points."""
    job = c.train(model, {**HELD, "record": "step", "epochs": 12000, "batch_size": BATCH, "evaluate_every": 7,
                          "optimizer": {"name": "adam", "learning_rate": 0.03}})
    whole = curve_of(c, job)
    assert whole["total"] == whole["returned"] == 48000
    at = dict(zip(whole["step"], range(48000)))
    for points in (2, 3, 10, 100, 1000, 5000, 20000):
        thinned = curve_of(c, job, f"?points={points}")
        assert thinned["total"] == 48000 and points / 5 <= thinned["returned"] <= points
        assert thinned["step"] == sorted(set(thinned["step"]))
        assert thinned["step"][0] == 1 and thinned["step"][-1] == 48000
        for column in ("epoch", "loss", "val_loss", "mae", "seconds"):
            assert thinned[column] == [whole[column][at[s]] for s in thinned["step"]], "each is a point that there was"
        if points >= 10:
            for column in ("loss", "val_loss"):
                there = [v for v in whole[column] if v is not None]
                shown = [v for v in thinned[column] if v is not None]
                assert max(shown) == max(there) and min(shown) == min(there)
    part = curve_of(c, job, "?from=1001&to=9000&points=500")
    inside = whole["loss"][4000:36000]
    assert part["total"] == 32000 and part["step"][0] == 4001 and part["step"][-1] == 36000
    assert max(part["loss"]) == max(inside) and min(part["loss"]) == min(inside)
    rows = list(csv.DictReader(io.StringIO(c.request("GET", f"/v1/jobs/{job['id']}/curve?points=10", status=200,
                                                     headers={"Accept": "text/csv"}).text)))
    assert len(rows) == 48000, "CSV has every row"
    assert [r["loss"] for r in rows[:100]] == [repr(v) if v != int(v) else str(int(v)) for v in whole["loss"][:100]]
    assert rows[0]["val_loss"] == "" and rows[27]["val_loss"] != ""


def test_a_curve_of_no_points(c, model):
    job = c.start(model, {**BODY, "epochs": 1})
    c.ended(job["id"])
    for query in ("?from=5", "?from=5&points=10", "?to=0&points=10"):
        curve = curve_of(c, job, query)
        assert curve["total"] == curve["returned"] == 0 and curve["epoch"] == []


def test_more_points_than_are_kept_is_said(c, model):
    job = c.start(model, {**BODY, "record": "step", "epochs": 9_000_000})
    assert any("36000000 points" in w for w in job["warnings"])
    c.cancel(job["id"])
    job = c.start(model, {**BODY, "epochs": 9_000_000})
    assert job["warnings"] == []
    c.cancel(job["id"])


def test_health_is_a_measurement(c, model):
    """At most ten times a second, whatever the number of epochs."""
    job = c.train(model, {**BODY, "epochs": 5000})
    health = curve_of(c, job, "?health=true")["health"]
    seconds = curve_of(c, job)["seconds"][-1]
    assert health["epoch"][0] == 1 and health["epoch"][-1] == 5000
    assert len(health["epoch"]) <= 3 + 30 * max(seconds, 0.1)
    assert all(v > 0 for v in health["layers"][0]["gradient_norm"])
    few = curve_of(c, job, "?health=true&points=2")["health"]["epoch"]
    assert len(few) <= 2 and few[-1] == 5000
