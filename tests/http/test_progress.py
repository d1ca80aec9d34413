"""What a job says while it runs, and why it failed."""
import time

import pytest

from data import table
from harness import wait_for

GRID = [(i % 9, i // 9, i % 9 + 2 * (i // 9)) for i in range(90)]
ENDLESS = {"dataset": "slope", "epochs": 5_000_000, "batch_size": 10, "seed": 1, "validation": None, "early_stopping": None,
           "optimizer": {"name": "sgd", "learning_rate": 1e-6}}


@pytest.fixture
def model(c, fresh):
    c.csv("slope", table(["a", "b", "y"], GRID))
    c.put(f"/v1/models/{fresh}", {"inputs": [{"name": "a", "type": "number"}, {"name": "b", "type": "number"}],
                                  "outputs": [{"name": "y", "type": "number"}], "layers": [8, {"units": 4, "activation": "tanh"}],
                                  "normalize": "none", "seed": 1})
    return fresh


def test_a_running_job(c, model):
    job = c.start(model, ENDLESS)["id"]
    c.running(job)
    wait_for("the layers", lambda: c.job(job)["layers"], 10)
    first = c.job(job)
    assert [row["index"] for row in first["layers"]] == [0, 1, 2]
    relu, tanh, out = first["layers"]
    assert all(row["gradient_norm"] >= 0 and row["weight_norm"] > 0 for row in first["layers"])
    assert 0 <= relu["dead"] <= 1 and relu["saturated"] is None
    assert tanh["dead"] is None and 0 <= tanh["saturated"] <= 1 and out["dead"] is None
    assert first["samples_per_second"] > 0 and first["best"]["epoch"] <= first["epoch"]
    later = wait_for("an epoch that takes a step", lambda: (lambda j: j if j["epoch"] > first["epoch"] else None)(c.job(job)))
    assert later["step"] >= 9 * later["epoch"], "nine mini-batches an epoch"
    assert later["progress"] > first["progress"] and later["progress"] == pytest.approx(later["step"] / (9 * 5_000_000))
    c.cancel(job)
    assert c.ended(job, "cancelled")["layers"] is None


def test_the_end_comes_nearer(c, model):
    job = c.start(model, {**ENDLESS, "max_seconds": 600})["id"]
    c.running(job)
    seen = []
    for _ in range(4):
        seen.append(c.job(job)["eta_seconds"])
        time.sleep(0.05)
    assert all(0 < eta <= 600 for eta in seen), "no longer than it may take"
    c.cancel(job)
    short = c.start(model, {**ENDLESS, "max_seconds": 1.5})["id"]
    c.running(short)
    etas = []
    while (seen := c.job(short))["state"] == "running":
        etas.append(seen["eta_seconds"])
        time.sleep(0.02)
    assert etas == sorted(etas, reverse=True) and max(etas) <= 1.5
    assert c.ended(short)["eta_seconds"] == 0


def failed(c, model, **change):
    return c.train(model, {**ENDLESS, "epochs": 2000, **change}, state="failed")


def test_a_run_that_diverged_says_where_and_what_to_try(c, model):
    job = failed(c, model, optimizer={"name": "sgd", "learning_rate": 1000})
    error = job["error"]
    assert (job["stop_reason"], error["code"], error["type"]) == ("diverged", "diverged", "/problems/diverged")
    assert error["cause"] in ("gradient", "weights", "activations", "loss")
    assert error["epoch"] >= 1 and error["step"] >= 1 and (error["epoch"] - 1) * 9 <= error["step"] <= error["epoch"] * 9
    assert (error["layer"] is None) == (error["cause"] == "loss") and (error["layer"] or 0) <= 2
    assert f"epoch {error['epoch']}" in error["detail"]
    advice = " ".join(error["try"])
    assert "as in 100 in place of 1e+03" in advice and "gradient_clip_norm" in advice and '"normalize": "standard"' in advice
    curve = c.get(f"/v1/jobs/{job['id']}/curve").json
    assert curve["epoch"][-1] == error["epoch"] and curve["loss"][-1] is None
    assert {"epoch": error["epoch"], "metric": "loss", "kind": "nan"} in curve["nonfinite"]


def test_what_is_done_already_is_not_advised(c, model, fresh):
    plain = f"{fresh}-normal"
    c.put(f"/v1/models/{plain}", {"dataset": "slope", "target": "y", "layers": [4]})
    error = failed(c, plain, gradient_clip_norm=1e30, optimizer={"name": "sgd", "learning_rate": 1000})["error"]
    advice = " ".join(error["try"])
    assert "learning_rate" in advice and "gradient_clip_norm" not in advice and "normalize" not in advice


def test_steps_of_a_run_that_diverged(c, model):
    job = failed(c, model, record="step", optimizer={"name": "sgd", "learning_rate": 1000})
    curve = c.get(f"/v1/jobs/{job['id']}/curve").json
    assert curve["step"] == list(range(1, curve["total"] + 1)), "to the mini-batch where it happened"
    assert curve["step"][-1] >= job["error"]["step"] and curve["loss"][-1] is None or curve["loss"][-1] > 1e10


def test_other_failures_have_a_cause_too(c, model):
    """Weights that a row lacks are found when the rows are read."""
    c.csv("weighed", table(["a", "b", "y", "w"], [(*row, 0) for row in GRID]))
    error = failed(c, model, dataset="weighed", sample_weight_column="w")["error"]
    assert (error["cause"], error["epoch"], error["layer"]) == ("data", 0, None)
    assert error["try"] and error["code"] != "diverged"
