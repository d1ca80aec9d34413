""":crossvalidate: which rows are in which fold, counted by hand; what the folds come to, computed again; and that a fold is
what :train makes of the same rows."""
import csv
import io
import random
import statistics

import pytest

from data import ENDLESS, PLANE, XOR, example, iris_model, records, table
from fields import covers
from harness import ENDED, wait_for

PLAIN = {"dataset": "iris", "epochs": 3, "batch_size": 16, "seed": 1, "threads": 1}


def cross(c, model, body=PLAIN, state="succeeded", **more):
    job = c.post(f"/v1/models/{model}:crossvalidate", {**body, **more}, status=202)
    assert job.headers["Location"] == f"/v1/jobs/{job['id']}"
    return c.ended(job["id"], state)


def predictions(c, job, **query):
    """All pages of them, put together."""
    found, offset = {"rows": [], "folds": [], "predictions": [], "labels": []}, 0
    while offset is not None:
        page = c.get(f"/v1/jobs/{job['id']}/predictions?offset={offset}&limit=61").json
        for key in found:
            found[key] += page.get(key, [])
        offset = page["next"]
    assert page["total"] == len(found["rows"])
    return found


def sizes(folds, of, where=lambda row: True, rows=None):
    """How many rows each fold has."""
    kept = [fold for i, fold in enumerate(folds) if where(rows[i] if rows else None)]
    return [kept.count(fold) for fold in range(1, of + 1)]


@pytest.fixture
def flower(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model(seed=1))
    return fresh


# ---- the folds ----

@covers("CrossvalidateRequest.folds")
@pytest.mark.parametrize("of", [2, 5, 7])
def test_each_row_is_in_one_fold_and_each_class_spread_evenly(c, flower, of):
    found = predictions(c, cross(c, flower, folds=of))
    rows = records(example("iris"))
    assert found["rows"] == list(range(150))
    assert max(sizes(found["folds"], of)) - min(sizes(found["folds"], of)) <= 1
    for kind in ("setosa", "versicolor", "virginica"):
        share = sizes(found["folds"], of, lambda row: row["species"] == kind, rows)
        assert sum(share) == 50 and max(share) - min(share) <= 1


def test_five_folds_unless_it_is_said(c, flower):
    job = cross(c, flower)
    assert job["config"]["folds"] == 5 and job["config"]["stratify"] is True and job["children"]["succeeded"] == 5
    assert sizes(predictions(c, job)["folds"], 5) == [30] * 5


def test_classes_that_are_not_as_frequent(c, fresh):
    """23 of one, 7 of another, 3 of a third, which has fewer rows than there are folds."""
    noise = random.Random(1)
    kinds = ["a"] * 23 + ["b"] * 7 + ["c"] * 3
    noise.shuffle(kinds)
    c.csv(fresh, table(["x", "kind"], [(round(noise.gauss(0, 1), 3), kind) for kind in kinds]))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "kind", "layers": [2], "seed": 1})
    job = cross(c, fresh, dataset=fresh, folds=4)
    found = predictions(c, job)
    for kind, share in (("a", [5, 6, 6, 6]), ("b", [1, 2, 2, 2]), ("c", [0, 1, 1, 1])):
        assert sorted(sizes(found["folds"], 4, lambda it: it == kind, kinds)) == share
    assert sorted(sizes(found["folds"], 4)) == [8, 8, 8, 9]
    assert len(job["warnings"]) == 1 and '"c" has 3 rows' in job["warnings"][0]


@covers("CrossvalidateRequest.stratify")
def test_not_stratified(c, flower):
    """The folds are as large, and the classes lie in them as it comes."""
    rows = records(example("iris"))
    found = predictions(c, cross(c, flower, stratify=False))
    assert sizes(found["folds"], 5) == [30] * 5
    assert sizes(found["folds"], 5, lambda row: row["species"] == "setosa", rows) != [10] * 5


def test_the_seed_draws_the_folds(c, flower):
    one, other, same = (cross(c, flower, seed=seed) for seed in (1, 2, 1))
    folds = [predictions(c, job) for job in (one, other, same)]
    assert folds[0] == folds[2] and folds[0]["folds"] != folds[1]["folds"]
    assert one["results"]["metrics"] == same["results"]["metrics"] != other["results"]["metrics"]


# ---- what they come to ----

def test_mean_and_deviation_of_every_metric(c, flower):
    job = cross(c, flower)
    folds = job["results"]["folds"]
    assert [fold["fold"] for fold in folds] == [1, 2, 3, 4, 5] and job["version"] is None
    assert job["results"]["rows"] == 150 and job["results"]["predictions_bytes"] > 150 * (9 + 3 * 4)
    assert set(job["results"]["metrics"]) == {"loss", "val_loss", "accuracy", "val_accuracy"}
    for name, found in job["results"]["metrics"].items():
        values = [fold["metrics"][name] for fold in folds]
        assert found["mean"] == pytest.approx(statistics.mean(values), rel=1e-12)
        assert found["std"] == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-12)
        assert job["metrics"][name] == found["mean"]
    for fold in folds:
        child = c.job(fold["job"])
        assert child["metrics"] == fold["metrics"] and child["parent"] == job["id"] and child["version"] is None
    assert c.get(f"/v1/models/{flower}/versions")["versions"] == []


def test_a_fold_is_what_train_makes_of_the_same_rows(c, flower):
    """The rows of each fold, held out by a column: the same figures, and the same predictions of them."""
    job = cross(c, flower)
    found = predictions(c, job)
    rows = records(example("iris"))
    names = list(rows[0])
    c.csv(f"{flower}-dealt", table([*names, "fold"], [[*row.values(), fold] for row, fold in zip(rows, found["folds"])]))
    runs = []
    for fold in range(1, 6):
        run = c.train(flower, {**PLAIN, "dataset": f"{flower}-dealt", "validation": {"column": "fold", "value": fold}})
        runs.append(run["metrics"])
        assert run["metrics"] == job["results"]["folds"][fold - 1]["metrics"]
        held = [i for i in range(150) if found["folds"][i] == fold]
        said = c.predict(flower, [[float(rows[i][name]) for name in names if name != "species"] for i in held],
                         f"/versions/{run['version']}").json
        assert said["predictions"] == [found["predictions"][i] for i in held]
        assert said["labels"] == [found["labels"][i] for i in held]
    for name in runs[0]:
        assert job["results"]["metrics"][name]["mean"] == pytest.approx(statistics.mean(run[name] for run in runs), rel=1e-12)


@covers("Validation.fold", "Validation.of")
def test_one_fold_by_train(c, flower):
    """{"fold": 2, "of": 5} holds out what the second child did, and leaves a version."""
    folds = cross(c, flower)["results"]["folds"]
    for fold, of in ((2, 5), (3, 5)):
        run = c.train(flower, {**PLAIN, "validation": {"fold": fold, "of": of}})
        assert run["metrics"] == folds[fold - 1]["metrics"] and run["version"]
        assert run["config"]["validation"] == {"fold": fold, "of": of, "stratify": True}
    assert c.train(flower, {**PLAIN, "validation": {"fold": 2, "of": 3}})["metrics"] != folds[1]["metrics"]


def test_numbers_in_the_users_units_and_rows_without_a_target(c, fresh):
    rows = [(a, b, "" if (a, b) == (3, 4) else 1000 * (3 * a - 2 * b) + 5000) for a in range(8) for b in range(8)]
    c.csv(fresh, table(["a", "b", "y"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "layers": [], "seed": 1})
    job = cross(c, fresh, dataset=fresh, folds=4, epochs=400, optimizer={"name": "adam", "learning_rate": 0.05})
    found = predictions(c, job)
    assert found["rows"] == [i for i in range(64) if i != 28] and found["labels"] == []
    assert max(abs(said[0] - rows[i][2]) for i, said in zip(found["rows"], found["predictions"])) < 100
    assert job["results"]["metrics"]["val_mae"]["mean"] < 100


def test_several_outputs(c, fresh):
    c.csv(fresh, table(["a", "kind", "y"], [(i, "odd" if i % 2 else "even", i * 2) for i in range(40)]))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": ["kind", "y"], "layers": [4], "seed": 1})
    job = cross(c, fresh, dataset=fresh, folds=3)
    page = c.get(f"/v1/jobs/{job['id']}/predictions?limit=2").json
    assert set(page["predictions"][0]) == {"kind", "y"} and set(page["labels"][0]) == {"kind"}
    text = c.get(f"/v1/jobs/{job['id']}/predictions?limit=2", headers={"Accept": "text/csv"}).text
    assert text.splitlines()[0] == "row,fold,kind,kind=even,kind=odd,y"


def test_inline_data(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [4], "seed": 1})
    body = {"data": {name: XOR[name] * 5 for name in XOR}, "epochs": 2, "folds": 4}
    job = cross(c, fresh, body)
    assert sizes(predictions(c, job)["folds"], 4) == [5] * 4


@covers("job_predictions?offset", "job_predictions?limit")
def test_pages_and_csv(c, flower):
    job = cross(c, flower)
    path = f"/v1/jobs/{job['id']}/predictions"
    whole = c.get(f"{path}?limit=1000").json
    page = c.get(f"{path}?offset=140&limit=7")
    assert page["rows"] == list(range(140, 147)) and page["next"] == 147 and page["total"] == 150
    assert page["predictions"] == whole["predictions"][140:147] and 'offset=147&limit=7>; rel="next"' in page.headers["Link"]
    last = c.get(f"{path}?offset=147&limit=7")
    assert last["rows"] == [147, 148, 149] and last["next"] is None and "Link" not in last.headers
    assert c.get(f"{path}?offset=999").json["rows"] == []
    text = c.get(f"{path}?offset=140&limit=7", headers={"Accept": "text/csv"}).text
    lines = list(csv.reader(io.StringIO(text)))
    assert lines[0] == ["row", "fold", "species", "species=setosa", "species=versicolor", "species=virginica"]
    for i, line in enumerate(lines[1:]):
        assert [int(line[0]), int(line[1]), line[2]] == [page["rows"][i], page["folds"][i], page["labels"][i]]
        assert [float(score) for score in line[3:]] == page["predictions"][i]


def test_the_table_of_runs(c, flower):
    job = cross(c, flower)
    runs = c.get(f"/v1/jobs/{job['id']}/runs")["runs"]
    assert [run["fold"] for run in runs] == [1, 2, 3, 4, 5]
    assert [run["job"] for run in runs] == [fold["job"] for fold in job["results"]["folds"]]
    assert all(run["state"] == "succeeded" and run["epoch"] == 3 and run["stop_reason"] == "epochs" for run in runs)


def test_a_parent_has_no_curve_of_its_own(c, flower):
    job = cross(c, flower)
    assert c.get(f"/v1/jobs/{job['id']}/curve")["total"] == 0
    assert c.get(f"/v1/jobs/{job['results']['folds'][2]['job']}/curve")["epoch"] == [1, 2, 3]


def test_an_idempotency_key_makes_one_family(c, flower):
    key = {"Idempotency-Key": flower}
    first, second = (c.post(f"/v1/models/{flower}:crossvalidate", PLAIN, status=202, headers=key) for _ in range(2))
    assert first["id"] == second["id"] and c.ended(first["id"])["children"]["total"] == 5
    assert len(c.get(f"/v1/jobs?model={flower}")["jobs"]) == 6


# ---- how it ends ----

def runs_of(c, job):
    return c.get(f"/v1/jobs/{job}/runs")["runs"]


def test_a_fold_that_fails_fails_all(start):
    """One worker: the first fold diverges while the others wait."""
    c = start("--workers", 1).client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    job = cross(c, "m", state="failed", epochs=1000, optimizer={"name": "sgd", "learning_rate": 1000})
    assert job["stop_reason"] == "diverged" and job["results"] is None
    runs = runs_of(c, job["id"])
    assert job["error"]["detail"].startswith(f"fold 1 (job {runs[0]['job']}): ")
    assert [run["state"] for run in runs] == ["failed"] + ["cancelled"] * 4
    assert c.get(f"/v1/jobs/{job['id']}/predictions", status=404)


def test_a_cancelled_parent_cancels_its_children(c, flower):
    job = c.post(f"/v1/models/{flower}:crossvalidate", {**ENDLESS, "validation": None}, status=202)["id"]
    wait_for("a fold to run", lambda: any(run["state"] == "running" for run in runs_of(c, job)))
    c.get(f"/v1/jobs/{job}/predictions", status=409)
    assert 0 <= c.job(job)["progress"] < 1 and c.job(job)["state"] == "running"
    child = runs_of(c, job)[4]["job"]
    c.cancel(job)
    end = c.ended(job, "cancelled")
    assert end["stop_reason"] == "cancelled" and end["children"]["cancelled"] == 5
    c.cancel(job, status=409)
    c.delete(f"/v1/jobs/{job}")
    c.get(f"/v1/jobs/{child}", status=404)


def test_a_cancelled_child_cancels_all(c, flower):
    job = c.post(f"/v1/models/{flower}:crossvalidate", {**ENDLESS, "validation": None}, status=202)["id"]
    waiting = runs_of(c, job)[4]["job"]
    c.cancel(waiting)
    assert c.ended(job, "cancelled")["children"]["cancelled"] == 5


def test_paused_and_resumed_as_one(c, flower):
    body = {**PLAIN, "epochs": 3000, "batch_size": 8}
    whole = cross(c, flower, body)
    job = c.post(f"/v1/models/{flower}:crossvalidate", body, status=202)["id"]
    wait_for("a fold to run", lambda: any(run["state"] == "running" for run in runs_of(c, job)))
    assert c.post(f"/v1/jobs/{job}:pause", None)["state"] == "paused"
    wait_for("all to rest", lambda: {run["state"] for run in runs_of(c, job)} <= {"paused", "succeeded"})
    c.post(f"/v1/jobs/{job}:pause", None, status=409)
    assert c.post(f"/v1/jobs/{job}:resume", None)["state"] == "running"
    assert c.ended(job)["results"]["metrics"] == whole["results"]["metrics"]


def test_a_model_that_is_deleted_by_force(c, flower):
    job = c.post(f"/v1/models/{flower}:crossvalidate", {**ENDLESS, "validation": None}, status=202)["id"]
    c.delete(f"/v1/models/{flower}", status=409)
    c.delete(f"/v1/models/{flower}?force=true")
    assert c.job(job)["state"] == "cancelled"


def test_predictions_outlive_their_model(c, flower):
    job = cross(c, flower)
    before = predictions(c, job)
    c.delete(f"/v1/models/{flower}")
    assert predictions(c, job) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_in_the_middle(start, workers):
    """What it comes to is what it would have come to, whichever folds were cut off."""
    daemon = start("--workers", workers)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    body = {**PLAIN, "epochs": 2000, "batch_size": 8}
    whole = cross(c, "m", body)
    job = c.post("/v1/models/m:crossvalidate", body, status=202)["id"]
    for done in (1, 3):
        wait_for(f"{done} folds to end", lambda: c.job(job)["children"]["succeeded"] >= done)
        daemon.kill()
        c = daemon.run().client()
    end = c.ended(job)
    assert end["results"]["metrics"] == whole["results"]["metrics"]
    assert predictions(c, end) == predictions(c, whole)
    assert end["children"] == {**whole["children"]} and end["children"]["succeeded"] == 5
    assert [job["kind"] for job in c.get("/v1/jobs?limit=1000")["jobs"]].count("crossvalidate") == 2
    daemon.stop()


def test_many_at_once(c, flower):
    """Parents end whichever of their children ends last, and wherever."""
    jobs = [c.post(f"/v1/models/{flower}:crossvalidate", {**PLAIN, "seed": seed, "folds": 3}, status=202)["id"]
            for seed in range(20)]
    ends = [c.ended(job) for job in jobs]
    assert all(end["children"]["succeeded"] == 3 and end["state"] in ENDED for end in ends)


# ---- what is refused ----

@pytest.mark.parametrize("change,pointer", [
    ({"folds": 1}, "/folds"), ({"folds": 21}, "/folds"), ({"folds": 2.5}, "/folds"), ({"folds": "5"}, "/folds"),
    ({"stratify": 1}, "/stratify"), ({"validation": {"split": 0.2}}, "/validation"), ({"from": "latest"}, "/from"),
    ({"fold": 3}, "/fold"), ({"epochs": 0}, "/epochs"), ({"batch_size": 121}, "/batch_size"),
])
def test_bad_requests(c, flower, change, pointer):
    answer = c.post(f"/v1/models/{flower}:crossvalidate", {**PLAIN, **change}, status=422)
    assert answer.pointers() == [pointer]
    assert not c.get(f"/v1/jobs?model={flower}")["jobs"]


def test_what_does_not_fit_the_data(c, fresh):
    c.csv("plane", PLANE)
    c.csv("few", table(["a", "b", "y"], [(1, 2, 3), (4, 5, 6), (7, 8, 10)]))
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "task": "regression", "layers": [2]})
    path = f"/v1/models/{fresh}:crossvalidate"
    assert c.post(path, {"dataset": "plane", "stratify": True}, status=422).pointers() == ["/stratify"]
    assert c.post(path, {"dataset": "few", "folds": 4}, status=422).pointers() == ["/folds"]
    c.post(path, {"dataset": "nowhere"}, status=404)
    c.post("/v1/models/nowhere:crossvalidate", {"dataset": "plane"}, status=404)


@pytest.mark.parametrize("validation,pointer", [
    ({"fold": 6, "of": 5}, "/validation/fold"), ({"fold": 1}, "/validation"), ({"of": 5}, "/validation"),
    ({"fold": 1, "of": 1}, "/validation/of"), ({"fold": 1, "of": 5, "split": 0.2}, "/validation"),
    ({"fold": 0, "of": 5}, "/validation/fold"),
])
def test_folds_of_train_that_are_none(c, flower, validation, pointer):
    assert pointer in c.post(f"/v1/models/{flower}:train", {**PLAIN, "validation": validation}, status=422).pointers()


def test_a_single_run_has_no_table(c, flower):
    job = c.train(flower, PLAIN)
    assert job["parent"] is None and job["children"] is None and job["results"] is None
    c.get(f"/v1/jobs/{job['id']}/runs", status=404)
    c.get(f"/v1/jobs/{job['id']}/predictions", status=404)
    c.get("/v1/jobs/999999/runs", status=404)
