""":sweep: which runs there are, worked out here again; that a run is what :train makes of the same values; that halving keeps
those that whole runs say are the best; and how it ends."""
import math
import signal
import sqlite3
import time

import pytest

from data import ENDLESS, PLANE, XOR, example, iris_model, table
from fields import covers
from harness import scaled, wait_for

BASE = {"dataset": "iris", "epochs": 4, "batch_size": 16, "seed": 1, "threads": 1}
LOG = {"min": 0.0001, "max": 0.1, "log": True}


def start_sweep(c, model, space, body=BASE, **more):
    job = c.post(f"/v1/models/{model}:sweep", {**body, "space": space, **more}, status=202)
    assert job.headers["Location"] == f"/v1/jobs/{job['id']}" and job["kind"] == "sweep" and job["state"] == "running"
    return job["id"]


def sweep(c, model, space, body=BASE, state="succeeded", **more):
    return c.ended(start_sweep(c, model, space, body, **more), state)


def alone(start, *arguments):
    """A daemon with one worker, iris and the model m."""
    c = start("--workers", 1, *arguments).client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    return c


def runs(c, job):
    found = c.get(f"/v1/jobs/{job['id'] if isinstance(job, dict) else job}/runs").json
    assert [run["run"] for run in found["runs"]] == list(range(1, len(found["runs"]) + 1))
    return found["runs"]


def tried(c, job):
    return [run["parameters"] for run in runs(c, job)]


@pytest.fixture
def flower(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model(seed=1))
    return fresh


# ---- the space ----

TWO_VALUES = {
    "layers": [1, 2], "units": [4, 8], "activation": ["relu", "tanh"], "dropout": [0, 0.5], "l1": [0, 0.1], "l2": [0, 0.1],
    "max_norm": [0.1, 1], "batch_norm": [True, False], "layer_norm": [True, False], "init": ["he_normal", "zeros"],
    "optimizer": ["adam", "sgd"], "learning_rate": [0.001, 0.01], "batch_size": [8, 32], "epochs": [2, 3],
    "schedule": [None, "cosine"], "gradient_clip_norm": [0.001, 1], "gradient_clip_value": [0.00001, 1], "accumulate": [1, 4],
    "noise": [0, 1], "ema_decay": [0.5, 0.99], "seed": [1, 2],
}


@covers("SweepSpace.layers", "SweepSpace.units", "SweepSpace.activation", "SweepSpace.dropout", "SweepSpace.l1",
        "SweepSpace.l2", "SweepSpace.max_norm", "SweepSpace.batch_norm", "SweepSpace.layer_norm", "SweepSpace.init",
        "SweepSpace.optimizer", "SweepSpace.learning_rate", "SweepSpace.batch_size", "SweepSpace.epochs",
        "SweepSpace.schedule", "SweepSpace.gradient_clip_norm", "SweepSpace.gradient_clip_value", "SweepSpace.accumulate",
        "SweepSpace.noise", "SweepSpace.ema_decay", "SweepSpace.seed", "SweepRequest.space")
@pytest.mark.parametrize("name", TWO_VALUES)
def test_each_parameter_makes_other_runs(c, flower, name):
    job = sweep(c, flower, {name: TWO_VALUES[name]}, strategy="grid")
    found = runs(c, job)
    assert [run["parameters"] for run in found] == [{name: value} for value in TWO_VALUES[name]]
    assert found[0]["value"] != found[1]["value"]


@covers("SweepSpace.momentum", "SweepSpace.weight_decay", "SweepSpace.early_stopping")
@pytest.mark.parametrize("optimizer,name,values", [
    ("momentum", "momentum", [0.5, 0.99]), ("adamw", "weight_decay", [0, 0.9]),
    ("adam", "early_stopping", [None, {"patience": 1, "min_delta": 10}])])
def test_parameters_of_some_runs(c, flower, optimizer, name, values):
    found = runs(c, sweep(c, flower, {name: values}, strategy="grid", optimizer=optimizer))
    assert found[0]["metrics"] != found[1]["metrics"] or found[0]["epoch"] != found[1]["epoch"]


def test_a_parameter_that_needs_another_of_the_space(c, flower):
    job = sweep(c, flower, {"optimizer": ["momentum", "nesterov"], "momentum": [0.5, 0.9]}, strategy="grid")
    assert len({run["value"] for run in runs(c, job)}) == 4


def test_progress_of_runs_that_say_how_long_they_are(c, flower):
    assert sweep(c, flower, {"epochs": [2, 3]}, strategy="grid")["epochs"] == 5


def test_a_run_is_what_train_makes_of_it(c, flower):
    """Layers and all: a model of that definition, trained so, has the same figures and the same weights."""
    space = {"layers": [[{"units": 6, "activation": "tanh"}, 4], 1], "units": [5, 9], "l2": [0.001], "learning_rate": [0.02]}
    job = sweep(c, flower, space, strategy="grid", runs=4)
    for number, run in enumerate(runs(c, job)):
        values = run["parameters"]
        shape = {"units": values["units"], "l2": 0.001}
        layers = [{**shape, "activation": "tanh"}, shape] if values["layers"] != 1 else [shape]
        name = f"{flower}-{number}"
        c.put(f"/v1/models/{name}", iris_model(seed=1, layers=layers))
        twin = c.train(name, {**BASE, "validation": {"split": 0.2}, "early_stopping": {}, "optimizer": {"name": "adam", "learning_rate": 0.02}})
        assert twin["metrics"] == run["metrics"]
        if run["job"] == job["results"]["best"]["job"]:
            assert c.layers(flower, job["version"]) == c.layers(name, twin["version"])


@covers("SweepRange.min", "SweepRange.max", "SweepRange.log")
def test_values_are_drawn_from_their_ranges(c, flower):
    space = {"learning_rate": LOG, "dropout": {"min": 0.1, "max": 0.6}, "units": {"min": 2, "max": 9}}
    found = tried(c, sweep(c, flower, space, runs=60, body={**BASE, "epochs": 1}))
    rates, shares, units = ([values[name] for values in found] for name in space)
    assert all(0.0001 <= rate <= 0.1 for rate in rates) and all(0.1 <= share <= 0.6 for share in shares)
    assert set(units) == set(range(2, 10))
    assert len(set(rates)) == 60 and all(float(f"{rate:.4g}") == rate for rate in rates)
    # a third of them in each power of ten, and half of the shares on each side, give or take four deviations
    for low in (0.0001, 0.001, 0.01):
        assert abs(sum(low <= rate < 10 * low for rate in rates) - 20) < 4 * math.sqrt(60 * 2 / 9)
    assert abs(sum(share < 0.35 for share in shares) - 30) < 4 * math.sqrt(15)
    even = tried(c, sweep(c, flower, {"learning_rate": {**LOG, "log": False}}, runs=30, body={**BASE, "epochs": 1}))
    assert sum(values["learning_rate"] > 0.01 for values in even) > 20


def test_whole_numbers_by_the_logarithm(c, flower):
    """A space of few points too: half of the units lie below the square root of the largest."""
    found = [values["units"] for values in tried(c, sweep(c, flower, {"units": {"min": 1, "max": 900, "log": True}}, runs=60,
                                                          body={**BASE, "epochs": 1}))]
    assert abs(sum(units <= 30 for units in found) - 30) < 4 * math.sqrt(15) and max(found) > 300


@covers("SweepRange.steps")
def test_steps_of_a_narrow_range(c, flower):
    narrow = {"min": 0.9999, "max": 0.99999, "steps": 5}
    values = [it["ema_decay"] for it in tried(c, sweep(c, flower, {"ema_decay": narrow}, strategy="grid"))]
    assert values == pytest.approx([0.9999, 0.9999225, 0.999945, 0.9999675, 0.99999], abs=1e-7) and len(set(values)) == 5


def test_a_range_of_one_value(c, flower):
    job = sweep(c, flower, {"learning_rate": {"min": 0.01, "max": 0.01}}, runs=5)
    assert tried(c, job) == [{"learning_rate": 0.01}]


def test_steps_of_a_grid(c, flower):
    def grid(**more):
        return [values["learning_rate"] for values in tried(c, sweep(c, flower, {"learning_rate": {**LOG, **more}}, strategy="grid"))]
    assert grid(steps=4) == [0.0001, 0.001, 0.01, 0.1]
    assert grid(steps=3, log=False) == pytest.approx([0.0001, 0.05005, 0.1], rel=1e-3)
    assert tried(c, sweep(c, flower, {"units": {"min": 3, "max": 6}}, strategy="grid")) == [{"units": n} for n in (3, 4, 5, 6)]
    units = tried(c, sweep(c, flower, {"units": {"min": 4, "max": 64, "log": True, "steps": 5}}, strategy="grid"))
    assert [values["units"] for values in units] == [4, 8, 16, 32, 64]


@covers("SweepRequest.strategy")
def test_a_grid_is_all_points_and_random_no_point_twice(c, flower):
    space = {"units": [4, 6, 8], "activation": ["relu", "tanh"]}
    points = [{"units": n, "activation": a} for n in space["units"] for a in space["activation"]]
    assert tried(c, sweep(c, flower, space, strategy="grid")) == points
    drawn = tried(c, sweep(c, flower, space))
    assert drawn != points and sorted(map(str, drawn)) == sorted(map(str, points))


@covers("SweepRequest.runs")
def test_so_many_runs(c, flower):
    assert [len(tried(c, sweep(c, flower, {"learning_rate": LOG}, runs=n))) for n in (2, 5)] == [2, 5]
    job = sweep(c, flower, {"learning_rate": LOG})
    assert len(tried(c, job)) == 20 == job["config"]["sweep"]["runs"] == job["children"]["succeeded"]


def test_the_seed_draws_the_runs(c, flower):
    one, same, other = (sweep(c, flower, {"learning_rate": LOG, "units": [4, 8]}, runs=4, seed=seed) for seed in (1, 1, 2))
    values = [[(run["parameters"], run["metrics"]) for run in runs(c, job)] for job in (one, same, other)]
    assert values[0] == values[1] and values[0] != values[2]


# ---- what they are compared by ----

@covers("SweepRequest.metric")
def test_the_best_by_each_metric(c, flower):
    for metric, best in (("val_loss", min), ("val_accuracy", max), ("loss", min), ("accuracy", max)):
        job = sweep(c, flower, {"learning_rate": LOG}, runs=6, metric=metric)
        table_ = c.get(f"/v1/jobs/{job['id']}/runs").json
        values = [run["metrics"][metric] for run in table_["runs"]]
        assert table_["metric"] == metric and [run["value"] for run in table_["runs"]] == values
        first = values.index(best(values))
        assert job["results"]["best"]["run"] == first + 1 and job["results"]["best"]["value"] == best(values)
        assert job["metrics"] == table_["runs"][first]["metrics"]
        for run in table_["runs"]:
            better = [v for v in values if (v > run["value"] if best is max else v < run["value"])]
            assert run["rank"] == 1 + len(better)


def test_a_run_is_judged_by_its_best_epoch_and_keeps_it(c, flower):
    """Unless it is said otherwise: those whose rate is too large are better before their end."""
    space, body = {"learning_rate": [0.3, 0.5, 0.9]}, {**BASE, "epochs": 40, "batch_size": 8}
    job = sweep(c, flower, space, body, strategy="grid")
    last = sweep(c, flower, space, body, strategy="grid", early_stopping=None)
    assert job["config"]["early_stopping"]["restore_best"] and last["config"]["early_stopping"] is None
    for run, other in zip(runs(c, job), runs(c, last)):
        curve = c.get(f"/v1/jobs/{other['job']}/curve")["val_loss"]
        assert other["value"] == curve[-1] and run["value"] == min(curve[:run["epoch"]]) == run["best"]["val_loss"]
    assert [run["value"] for run in runs(c, job)] != [run["value"] for run in runs(c, last)]
    version = c.get(f"/v1/models/{flower}/versions/{job['version']}")
    assert version["metrics"]["val_loss"] == job["results"]["best"]["value"]


def test_numbers_and_several_outputs(c, fresh):
    c.csv("plane", PLANE)
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "task": "regression", "layers": [4], "seed": 1})
    body = {**BASE, "dataset": "plane"}
    job = sweep(c, fresh, {"learning_rate": LOG}, body, runs=4, metric="val_mae")
    assert job["results"]["best"]["value"] == min(run["metrics"]["val_mae"] for run in runs(c, job))
    c.post(f"/v1/models/{fresh}:sweep", {**body, "space": {"units": [4]}, "metric": "val_accuracy"}, status=422)


def test_validation_as_it_is_said(c, flower):
    rows = example("iris").decode().splitlines()
    c.csv(f"{flower}-held", "\n".join([rows[0] + ",part"] + [row + (",test" if i % 5 == 0 else ",train") for i, row in enumerate(rows[1:])]) + "\n")
    space, found = {"learning_rate": [0.001, 0.01]}, []
    for validation in (None, {"split": 0.2}, {"split": 0.4}, {"fold": 2, "of": 5},
                       {"dataset": f"{flower}-held"}, {"column": "part", "value": "test"}):
        body = {**BASE, "dataset": f"{flower}-held" if validation and "column" in validation else "iris"}
        job = sweep(c, flower, space, body, strategy="grid", validation=validation)
        assert job["config"]["sweep"]["metric"] == ("val_loss" if validation else "loss")
        run = runs(c, job)[1]
        stopping = {"early_stopping": {}} if validation else {}
        twin = c.train(flower, {**body, "validation": validation, **stopping, "optimizer": {"name": "adam", "learning_rate": 0.01}})
        assert run["metrics"] == twin["metrics"]
        found.append(run["value"])
    assert len(set(found)) == len(found)
    unsaid = sweep(c, flower, space, strategy="grid")
    assert runs(c, unsaid)[1]["value"] == found[1]


def test_inline_data(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [4], "seed": 1})
    body = {"data": {name: XOR[name] * 5 for name in XOR}, "epochs": 3}
    assert len(runs(c, sweep(c, fresh, {"units": [2, 3, 4]}, body))) == 3


# ---- what becomes of the best ----

def test_the_best_is_a_version_that_predicts(c, flower):
    before = c.train(flower, {**BASE, "validation": {"split": 0.2}})
    job = sweep(c, flower, {"layers": [[12, 7]], "learning_rate": [0.001, 0.03]}, strategy="grid")
    versions = c.get(f"/v1/models/{flower}/versions")["versions"]
    assert [v["version"] for v in versions] == [job["version"], before["version"]]
    version = c.get(f"/v1/models/{flower}/versions/{job['version']}").json
    assert version["job"] == job["id"] and version["metrics"] == job["metrics"]
    assert version["dataset"]["name"] == "iris" and version["dataset"]["rows"] == 150
    assert [len(weights) for weights, _ in c.layers(flower, job["version"])] == [12, 7, 3]
    assert [layer["units"] for layer in version["training"]["network"]["layers"]] == [12, 7]
    said = c.predict(flower, [[5.1, 3.5, 1.4, 0.2]])
    assert said["model_version"] == job["version"] and said["predictions"] == c.predict(
        flower, [[5.1, 3.5, 1.4, 0.2]], f"/versions/{job['version']}")["predictions"]
    assert len(c.layers(flower, before["version"])) == 2


def test_training_goes_on_from_it_with_its_layers(c, flower):
    job = sweep(c, flower, {"layers": [[12, 7]], "learning_rate": [0.01]}, strategy="grid")
    next_ = c.train(flower, {**BASE, "from": "latest"})
    assert [len(weights) for weights, _ in c.layers(flower, next_["version"])] == [12, 7, 3]
    assert next_["config"]["from"] == job["version"] and next_["config"]["network"]["layers"][0]["units"] == 12
    again = c.train(flower, {**BASE, "from": "latest"})
    assert [len(weights) for weights, _ in c.layers(flower, again["version"])] == [12, 7, 3]
    scratch = c.train(flower, BASE)
    assert [len(weights) for weights, _ in c.layers(flower, scratch["version"])] == [8, 3]


def test_only_the_best_model_is_kept(c, daemon, flower):
    job = sweep(c, flower, {"learning_rate": LOG}, runs=8)
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM job WHERE output > 0").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM version WHERE model = ?", (flower,)).fetchone() == (1,)
    assert all(c.job(run["job"])["version"] is None and c.job(run["job"])["parent"] == job["id"] for run in runs(c, job))


# ---- halving and hyperband ----

def expected_survivors(curves, epochs, reduction, rungs):
    """Which run goes how far, from the curves of whole runs: rung by rung the best 1/reduction go on."""
    alive, far = list(range(len(curves))), {}
    for rung in range(rungs):
        end = epochs // reduction ** (rungs - 1 - rung)
        keep = max(1, len(curves) // reduction ** (rung + 1)) if rung + 1 < rungs else len(alive)
        order = sorted(alive, key=lambda run: (curves[run][end - 1], run))
        for run in order:
            far[run] = end
        alive = order[:keep]
    return far


@covers("SweepRequest.reduction", "SweepRequest.min_epochs")
@pytest.mark.parametrize("reduction,min_epochs,count,rungs", [(3, 3, 27, 4), (2, 10, 8, 3), (4, 1, 16, 3)])
def test_halving_keeps_those_that_do_best_on_their_way(c, flower, reduction, min_epochs, count, rungs):
    """Every run to its end first, by random, which draws the same points: their curves say who should have gone on."""
    body = {**BASE, "epochs": 81 if reduction == 3 else 64, "early_stopping": None}
    space = {"learning_rate": {"min": 0.001, "max": 0.1, "log": True}, "units": [3, 5, 8]}
    whole = sweep(c, flower, space, body, runs=count)
    curves = [c.get(f"/v1/jobs/{run['job']}/curve")["val_loss"] for run in runs(c, whole)]
    job = sweep(c, flower, space, body, strategy="halving", runs=count, reduction=reduction, min_epochs=min_epochs)
    assert tried(c, job) == tried(c, whole)
    far = {run["run"] - 1: run["epoch"] for run in runs(c, job)}
    assert far == expected_survivors(curves, body["epochs"], reduction, rungs)
    for run, curve in zip(runs(c, job), curves):
        assert run["value"] == curve[run["epoch"] - 1], "it went on where it stopped, and is the whole run's beginning"
        assert run["stop_reason"] == ("epochs" if run["epoch"] == body["epochs"] else "outperformed")
        assert run["state"] == ("succeeded" if run["epoch"] == body["epochs"] else "cancelled")
    assert job["epoch"] == sum(far.values()) == job["epochs"]
    assert [run["run"] for run in runs(c, job) if run["rank"] == 1] == [job["results"]["best"]["run"]]
    for one in runs(c, job):
        ahead = [run for run in runs(c, job) if (-run["epoch"], run["value"]) < (-one["epoch"], one["value"])]
        assert one["rank"] == 1 + len(ahead), "further on, and of those that went as far the better"


def test_a_round_of_hyperband_is_that_of_its_paper(c, flower):
    """Li et al., JMLR 2018: 81 epochs at most, one at least, a third goes on: 81, 34, 15, 8 and 5 runs."""
    body = {**BASE, "epochs": 81, "batch_size": 120, "early_stopping": None}
    job = sweep(c, flower, {"learning_rate": LOG}, body, strategy="hyperband", min_epochs=1)
    brackets, least = {}, {}
    for run in runs(c, job):
        brackets[run["bracket"]] = brackets.get(run["bracket"], 0) + 1
        least[run["bracket"]] = min(run["epoch"], least.get(run["bracket"], 81))
    assert brackets == {1: 81, 2: 34, 3: 15, 4: 8, 5: 5} and least == {1: 1, 2: 3, 3: 9, 4: 27, 5: 81}
    cut = sweep(c, flower, {"learning_rate": LOG}, {**body, "epochs": 9}, strategy="hyperband", min_epochs=1, runs=30)
    found = [run["bracket"] for run in runs(c, cut)]
    assert found == [1] * 9 + [2] * 5 + [3] * 3 + [4] * 9 + [5] * 4, "a round, and what there is of a second"


def test_a_run_that_rests_is_left_to_its_sweep(start):
    """One worker: the first comes to its rung while the second trains."""
    c = alone(start)
    rung = scaled(100_000)
    job = start_sweep(c, "m", {"learning_rate": [0.001, 0.01, 0.1]}, {**ENDLESS, "epochs": 3 * rung}, validation={"split": 0.2},
                      strategy="halving", runs=3, min_epochs=rung // 3)
    first = wait_for("a run to rest", lambda: next((run for run in runs(c, job) if run["state"] == "paused"), None), 240)
    assert first["epoch"] == rung and first["run"] == 1
    refused = c.post(f"/v1/jobs/{first['job']}:resume", None, status=409)
    assert f"rests after epoch {rung}" in refused["detail"] and f"job {job}" in refused["detail"]
    c.post(f"/v1/jobs/{job}:pause", None)
    c.post(f"/v1/jobs/{job}:resume", None)
    assert c.job(first["job"])["state"] == "paused"
    c.cancel(job)
    assert c.ended(job, "cancelled")["children"]["cancelled"] == len(runs(c, job))


# ---- time ----

@covers("SweepRequest.seconds")
@pytest.mark.parametrize("strategy", ["random", "halving"])
def test_when_its_seconds_are_over_the_best_so_far_is_published(c, flower, strategy):
    body = {**ENDLESS, "validation": {"split": 0.2}}
    job = sweep(c, flower, {"learning_rate": LOG}, body, strategy=strategy, seconds=1, runs=9)
    found = runs(c, job)
    assert job["stop_reason"] == "max_seconds" and job["version"] and job["results"]["runs"] == len(found) < 9
    assert {run["stop_reason"] for run in found} == {"max_seconds"}
    assert job["results"]["best"]["value"] == min(run["value"] for run in found)
    c.predict(flower, [[5.1, 3.5, 1.4, 0.2]])
    enough = sweep(c, flower, {"learning_rate": LOG}, strategy=strategy, seconds=1000, runs=3)
    assert enough["stop_reason"] == "complete"


def test_runs_that_rest_when_the_time_is_over(start):
    """One worker; one run comes to its rung soon, and the others never: what rests ends with what it has."""
    c = alone(start)
    rung = scaled(5000)
    job = c.ended(start_sweep(c, "m", {"units": [8, 20_000, 20_001]}, {**ENDLESS, "epochs": 3 * rung, "validation": {"split": 0.2}},
                              strategy="halving", runs=3, seconds=4, seed=1))
    found = runs(c, job)
    small = next(run for run in found if run["parameters"]["units"] == 8)
    assert job["stop_reason"] == "max_seconds" and job["version"]
    assert small["epoch"] == rung and small["state"] == "succeeded" and small["stop_reason"] == "max_seconds"
    assert job["results"]["best"]["value"] == min(run["value"] for run in found if run["state"] == "succeeded" and run["value"] is not None)


def test_a_pause_does_not_count(c, flower):
    job = start_sweep(c, flower, {"learning_rate": LOG}, {**ENDLESS, "validation": {"split": 0.2}}, seconds=2.5)
    wait_for("a run", lambda: any(run["state"] == "running" for run in runs(c, job)))
    c.post(f"/v1/jobs/{job}:pause", None)
    wait_for("all to rest", lambda: {run["state"] for run in runs(c, job)} <= {"paused"})
    time.sleep(3)
    assert c.job(job)["state"] == "paused" and c.job(job)["progress"] < 1
    c.post(f"/v1/jobs/{job}:resume", None)
    assert c.ended(job)["stop_reason"] == "max_seconds"


# ---- how it ends ----

def test_runs_that_diverge_are_the_worst(c, flower):
    job = sweep(c, flower, {"optimizer": [{"name": "sgd", "learning_rate": 1000}, "adam", {"name": "sgd", "learning_rate": 999}]},
                {**BASE, "epochs": 200}, strategy="grid")
    found = runs(c, job)
    assert [run["state"] for run in found] == ["failed", "succeeded", "failed"] and job["results"]["best"]["run"] == 2
    assert found[0]["error"]["cause"] and found[0]["stop_reason"] == "diverged"


def test_nothing_that_works(c, flower):
    job = sweep(c, flower, {"optimizer": [{"name": "sgd", "learning_rate": 1000}, {"name": "sgd", "learning_rate": 999}]},
                {**BASE, "epochs": 200}, "failed", strategy="grid")
    assert job["error"]["detail"].startswith(f"run 1 (job {runs(c, job)[0]['job']}): ") and job["version"] is None
    assert job["stop_reason"] == "diverged" and job["results"] is None


def test_parts_go_on_with_their_family(c, flower):
    job = start_sweep(c, flower, {"learning_rate": LOG}, ENDLESS, runs=6)
    wait_for("runs", lambda: {run["state"] for run in runs(c, job)} == {"running"})
    c.post(f"/v1/jobs/{job}:pause", None)
    wait_for("all to rest", lambda: {run["state"] for run in runs(c, job)} == {"paused"})
    child = runs(c, job)[0]["job"]
    assert f"job {job} is paused as a whole" in c.post(f"/v1/jobs/{child}:resume", None, status=409)["detail"]
    c.patch(f"/v1/jobs/{job}", {"priority": 7})
    assert {c.job(run["job"])["priority"] for run in runs(c, job)} == {7}
    c.post(f"/v1/jobs/{job}:resume", None)
    wait_for("runs", lambda: {run["state"] for run in runs(c, job)} == {"running"})
    c.post(f"/v1/jobs/{child}:pause", None)
    wait_for("another in its place", lambda: [run["state"] for run in runs(c, job)] == ["paused", "running", "running"])
    c.cancel(job)
    c.ended(job, "cancelled")


def test_more_workers_are_used_at_once(start, tmp_path):
    config = tmp_path / "descentd.conf"
    config.write_text("workers = 1\n")
    daemon = start("--config", config)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    job = start_sweep(c, "m", {"learning_rate": LOG}, ENDLESS, runs=6)
    wait_for("a run", lambda: c.job(job)["children"]["running"] == 1)
    config.write_text("workers = 3\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for("three", lambda: c.job(job)["children"]["running"] == 3)
    c.cancel(job)
    c.ended(job, "cancelled")


def test_what_ended_last_is_kept(start):
    """A sweep is older than what was started while it ran."""
    c = alone(start, "--keep-jobs", 2)
    job = start_sweep(c, "m", {"learning_rate": [0.01]}, {**BASE, "epochs": 20_000}, early_stopping=None)
    later = [c.start("m", BASE)["id"] for _ in range(3)]
    for one in later:
        c.post(f"/v1/jobs/{one}:cancel", None)
    assert c.ended(job)["version"]
    wait_for("older ones to go", lambda: len(c.get("/v1/jobs?state=cancelled")["jobs"]) == 1)
    assert c.job(job)["results"] and len(runs(c, job)) == 1


def test_cancelled_as_a_whole_and_in_part(c, flower):
    job = start_sweep(c, flower, {"learning_rate": LOG}, ENDLESS, runs=6)
    wait_for("runs", lambda: len(runs(c, job)) == 2)
    c.cancel(runs(c, job)[0]["job"])
    wait_for("another run", lambda: len(runs(c, job)) == 3)
    c.cancel(job)
    end = c.ended(job, "cancelled")
    assert end["children"]["cancelled"] == end["children"]["total"] == 3 and end["version"] is None
    child = runs(c, job)[0]["job"]
    c.delete(f"/v1/jobs/{job}")
    c.get(f"/v1/jobs/{child}", status=404)


def test_as_many_at_once_as_there_are_workers(c, flower):
    job = start_sweep(c, flower, {"learning_rate": LOG}, ENDLESS, runs=100)
    wait_for("runs", lambda: c.job(job)["children"]["running"] == 2)
    assert c.job(job)["children"]["total"] == 2 and 0 <= c.job(job)["progress"] < 1
    c.cancel(job)
    c.ended(job, "cancelled")


def test_an_idempotency_key_makes_one_sweep(c, flower):
    key = {"Idempotency-Key": flower}
    body = {**BASE, "space": {"units": [4, 8]}}
    first, second = (c.post(f"/v1/models/{flower}:sweep", body, status=202, headers=key) for _ in range(2))
    assert first["id"] == second["id"] and len(runs(c, c.ended(first["id"]))) == 2
    c.post(f"/v1/models/{flower}:sweep", {**body, "runs": 1}, status=422, headers=key)


@pytest.mark.parametrize("strategy,workers", [("random", 2), ("halving", 1), ("hyperband", 2)])
def test_killed_in_the_middle(start, strategy, workers):
    """What it comes to is what it would have come to, wherever it was cut off."""
    daemon = start("--workers", workers)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    body = {**BASE, "epochs": 1800, "batch_size": 8, "checkpoint_every_seconds": 0.05}
    space = {"learning_rate": LOG, "units": [4, 8, 16]}
    whole = sweep(c, "m", space, body, strategy=strategy, runs=12)
    job = start_sweep(c, "m", space, body, strategy=strategy, runs=12)
    for share in (0.2, 0.5, 0.8):
        wait_for(f"{share} of it", lambda: (it := c.job(job))["progress"] >= share or it["state"] != "running")
        daemon.kill()
        c = daemon.run().client()
    end = c.ended(job)
    told = [[{key: run[key] for key in ("run", "bracket", "parameters", "state", "stop_reason", "epoch", "metrics")}
             for run in runs(c, one)] for one in (whole, end)]
    assert told[0] == told[1]
    assert c.layers("m", whole["version"]) == c.layers("m", end["version"])
    assert len(c.get("/v1/models/m/versions")["versions"]) == 2
    daemon.stop()


# ---- what is refused ----

@pytest.mark.parametrize("change,pointer", [
    ({"space": None}, "/space"), ({"space": {}}, "/space"), ({"space": []}, "/space"), ({"space": {"units": []}}, "/space/units"),
    ({"space": {"unit": [1]}}, "/space/unit"), ({"space": {"units": 8}}, "/space/units"), ({"space": {"units": [0]}}, "/space/units/0"),
    ({"space": {"units": [8, "x"]}}, "/space/units/1"), ({"space": {"units": {"min": 9, "max": 8}}}, "/space/units"),
    ({"space": {"units": {"min": 0.5, "max": 8}}}, "/space/units/min"), ({"space": {"units": {"max": 8}}}, "/space/units"),
    ({"space": {"units": {"min": 0, "max": 8}}}, "/space/units/min"), ({"space": {"units": {"min": 1, "max": 8, "step": 2}}}, "/space/units/step"),
    ({"space": {"learning_rate": {"min": 0, "max": 1, "log": True}}}, "/space/learning_rate"),
    ({"space": {"learning_rate": {"min": 0.1, "max": 2000}}}, "/space/learning_rate/max"),
    ({"space": {"learning_rate": {"min": 0.1, "max": 1e300}}}, "/space/learning_rate/max"),
    ({"space": {"activation": {"min": 0, "max": 1}}}, "/space/activation"), ({"space": {"activation": ["relu", "rleu"]}}, "/space/activation/1"),
    ({"space": {"optimizer": ["adam", "adma"]}}, "/space/optimizer/1"), ({"space": {"layers": [1, -1]}}, "/space/layers/1"),
    ({"space": {"layers": [[{"unit": 3}]]}}, "/space/layers/0"), ({"space": {"batch_size": [16, 121]}}, "/space/batch_size/1"),
    ({"space": {"optimizer": ["lbfgs"]}, "batch_size": 16}, "/space/optimizer/0"),
    ({"space": {"optimizer": ["sgd", "lion"], "momentum": [0.5]}}, "/space"), ({"space": {"momentum": [0.5]}}, "/space/momentum/0"),
    ({"space": {"units": {"min": 1, "max": 10, "log": True, "steps": 10}}}, "/space/units"),
    ({"space": {"units": list(range(1, 1002))}}, "/space/units"),
    ({"strategy": "halving", "space": {"units": {"min": 1, "max": 100}}, "epochs": 81, "evaluate_every": 2}, "/evaluate_every"),
    ({"strategy": "hyperband", "epochs": 81, "evaluate_every": 50}, "/evaluate_every"),
    ({"space": {"learning_rate": LOG}, "strategy": "grid"}, "/space/learning_rate"),
    ({"space": {"units": {"min": 1, "max": 999}, "activation": ["relu", "tanh"]}, "strategy": "grid"}, "/space"),
    ({"strategy": "grids"}, "/strategy"), ({"runs": 0}, "/runs"), ({"runs": 1001}, "/runs"), ({"seconds": 0}, "/seconds"),
    ({"seconds": -1}, "/seconds"), ({"seconds": "1"}, "/seconds"), ({"metric": "val_mae"}, "/metric"), ({"metric": "f1"}, "/metric"),
    ({"metric": "val_loss", "validation": None}, "/metric"), ({"reduction": 2}, "/reduction"), ({"min_epochs": 2}, "/min_epochs"),
    ({"strategy": "halving", "reduction": 1}, "/reduction"), ({"strategy": "halving", "min_epochs": 5}, "/min_epochs"),
    ({"strategy": "halving", "space": {"epochs": [1, 2]}}, "/space/epochs"),
    ({"strategy": "hyperband", "min_epochs": 1, "epochs": 100000}, "/min_epochs"),
    ({"from": "latest"}, "/from"), ({"epochs": 0}, "/epochs"), ({"budget": 3}, "/budget"), ({"network": {}}, "/network"),
    ({"sweep": {}}, "/sweep"), ({"space": {"layers": [[70000] * 3]}}, "/space/layers/0"),
])
def test_bad_requests(c, flower, change, pointer):
    body = {**BASE, "space": {"units": [4, 8]}, **change}
    answer = c.post(f"/v1/models/{flower}:sweep", {k: v for k, v in body.items() if v is not None or k == "validation"}, status=422)
    if change == {"space": None}:
        pointer = ""
    assert answer.pointers() == [pointer], answer.json
    if "momentum" in (change.get("space") or {}):
        assert '" has no momentum: name one that has it' in answer["detail"]
    assert not c.get(f"/v1/jobs?model={flower}")["jobs"]


def test_what_is_not_there(c, flower):
    c.post("/v1/models/nowhere:sweep", {**BASE, "space": {"units": [4]}}, status=404)
    c.post(f"/v1/models/{flower}:sweep", {**BASE, "dataset": "nowhere", "space": {"units": [4]}}, status=404)
