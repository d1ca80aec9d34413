"""Jobs: the queue, lists and filters, cancelling, notes and priorities, the curve."""
import pytest

from data import ENDLESS, example, iris_model, records
from fields import covers
from harness import wait_for

SHORT = {"dataset": "iris", "epochs": 3, "batch_size": 32, "seed": 1, "early_stopping": None}


@pytest.fixture
def model(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    return fresh


@pytest.fixture
def queue(start):
    """A daemon with one worker, which an endless job keeps busy."""
    daemon = start("--workers", 1)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model())
    endless = c.start("m", ENDLESS)["id"]
    c.running(endless)
    return c, endless


@covers("job_list?model", "job_list?state", "job_list?limit", "job_list?cursor")
def test_lists(c, model, fresh):
    c.put(f"/v1/models/{fresh}-other", iris_model())
    mine = [c.train(model, SHORT)["id"] for _ in range(3)]
    other = c.train(f"{fresh}-other", SHORT)["id"]
    def ids(query):
        return [j["id"] for j in c.get(f"/v1/jobs{query}")["jobs"]]
    assert ids(f"?model={model}") == mine[::-1], "newest first"
    assert ids(f"?model={fresh}-other") == [other]
    assert ids(f"?model={model}&state=succeeded") == mine[::-1]
    assert ids(f"?model={model}&state=failed") == []
    assert ids("?model=nobody") == []
    first = c.get(f"/v1/jobs?model={model}&limit=2")
    assert [j["id"] for j in first["jobs"]] == mine[:0:-1]
    assert f"model={model}" in first.headers["Link"]
    assert ids(f"?model={model}&limit=2&cursor={first['next']}") == mine[:1]
    everything = ids("?limit=1000")
    assert everything == sorted(everything, key=int, reverse=True)
    for query, pointer in (("state=tired", "?state"), ("limit=0", "?limit"), ("sort=id", "?sort"),
                           ("cursor=x", "?cursor")):
        assert c.get(f"/v1/jobs?{query}", status=422).pointers() == [pointer]


def test_a_running_job_shows_how_far_it_is(c, model):
    job = c.start(model, ENDLESS)
    seen = c.running(job["id"])
    assert 0 < seen["progress"] < 1
    assert seen["eta_seconds"] > 0
    assert seen["started_at"] and not seen["finished_at"]
    assert seen["metrics"]["loss"] > 0
    wait_for("points of the curve", lambda: c.get(f"/v1/jobs/{job['id']}/curve")["returned"] >= 1, 10)
    later = c.job(job["id"])
    assert later["epoch"] >= seen["epoch"] and later["step"] >= seen["step"]


def test_cancel_a_running_job(c, model):
    job = c.start(model, ENDLESS)["id"]
    c.running(job)
    assert c.cancel(job)["state"] in ("running", "cancelled")
    end = c.ended(job, "cancelled", seconds=5)
    assert (end["stop_reason"], end["version"], end["error"]) == ("cancelled", None, None)
    assert c.cancel(job, status=409).code == "conflict"
    assert c.get(f"/v1/models/{model}")["latest_version"] is None


def test_cancel_a_queued_job(queue):
    c, endless = queue
    job = c.start("m", SHORT)
    assert job["state"] == "queued"
    assert c.cancel(job["id"])["state"] == "cancelled"
    end = c.job(job["id"])
    assert (end["state"], end["stop_reason"], end["started_at"], end["epoch"]) == ("cancelled", "cancelled", None, 0)
    c.cancel(endless)
    c.ended(endless, "cancelled")


def test_an_ended_job_cannot_be_cancelled(c, model):
    job = c.train(model, SHORT)["id"]
    assert c.cancel(job, status=409).code == "conflict"
    assert c.job(job)["state"] == "succeeded"


@covers("JobPatch.priority")
def test_the_highest_priority_runs_first_then_the_oldest(queue):
    c, endless = queue
    first, second, third = (c.start("m", SHORT)["id"] for _ in range(3))
    assert c.job(first)["priority"] == 0
    assert c.patch(f"/v1/jobs/{third}", {"priority": 5})["priority"] == 5
    c.patch(f"/v1/jobs/{first}", {"priority": -1})
    c.cancel(endless)
    ends = {job: c.ended(job) for job in (first, second, third)}
    order = sorted(ends, key=lambda job: int(ends[job]["version"]))
    assert order == [third, second, first]
    started = [ends[job]["started_at"] for job in order]
    assert started == sorted(started)


@covers("JobPatch.note")
def test_patch(c, model):
    job = c.train(model, {**SHORT, "note": "one"})
    after = c.patch(f"/v1/jobs/{job['id']}", {"note": "two"}).json
    assert after == {**job, "note": "two"}
    assert c.job(job["id"]) == after
    for bad, pointer in (({"note": 1}, "/note"), ({"priority": "high"}, "/priority"), ({"priority": 1.5}, "/priority"),
                         ({"priority": 1001}, "/priority"), ({"epochs": 5}, "/epochs")):
        assert c.patch(f"/v1/jobs/{job['id']}", bad, status=422).pointers() == [pointer]
    assert c.job(job["id"]) == after


def test_delete(c, model):
    running = c.start(model, ENDLESS)["id"]
    c.running(running)
    assert c.delete(f"/v1/jobs/{running}", status=409).code == "conflict"
    c.cancel(running)
    c.ended(running, "cancelled")
    c.delete(f"/v1/jobs/{running}")
    for path in (f"/v1/jobs/{running}", f"/v1/jobs/{running}/curve"):
        c.get(path, status=404)
    c.delete(f"/v1/jobs/{running}", status=404)
    done = c.train(model, SHORT)
    c.delete(f"/v1/jobs/{done['id']}")
    assert c.get(f"/v1/models/{model}/versions/{done['version']}")["job"] == done["id"], "the version stays"
    assert int(c.start(model, SHORT)["id"]) > int(done["id"]), "an id is never used twice"


def test_what_is_not_there(c):
    for path in ("/v1/jobs/999999", "/v1/jobs/0", "/v1/jobs/99999999999999999999", "/v1/jobs/999999/curve"):
        c.get(path, status=404)
    c.get("/v1/jobs/seven", status=(404, 422))
    c.cancel(999999, status=404)
    c.patch("/v1/jobs/999999", {"note": "x"}, status=404)


# ---- the curve ----

def test_curve_in_columns(c, model):
    job = c.train(model, {**SHORT, "epochs": 40, "validation": {"split": 0.2}})
    curve = c.get(f"/v1/jobs/{job['id']}/curve").json
    assert (curve["job"], curve["total"], curve["returned"], curve["nonfinite"]) == (job["id"], 40, 40, [])
    assert curve["epoch"] == list(range(1, 41))
    for name in ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate"):
        assert len(curve[name]) == 40 and all(isinstance(v, (int, float)) for v in curve[name]), name
    for name, value in job["metrics"].items():
        assert curve[name][-1] == pytest.approx(value, rel=1e-6)
    assert curve["loss"][-1] < curve["loss"][0]
    without = c.get(f"/v1/jobs/{c.train(model, {**SHORT, 'validation': None})['id']}/curve").json
    assert "val_loss" not in without


def test_curve_of_a_regression(c, fresh):
    c.csv("diabetes", example("diabetes"))
    c.put(f"/v1/models/{fresh}", {"dataset": "diabetes", "target": "progression", "layers": [4]})
    job = c.train(fresh, {"dataset": "diabetes", "epochs": 5, "validation": {"split": 0.2}})
    curve = c.get(f"/v1/jobs/{job['id']}/curve").json
    assert {"loss", "val_loss", "mae", "val_mae"} <= set(curve)
    assert 10 < curve["mae"][-1] < 200, "in the users' units"


@covers("job_curve?from", "job_curve?to", "job_curve?points")
def test_pieces_of_a_curve(c, model):
    job = c.train(model, {**SHORT, "epochs": 1000, "batch_size": 8, "validation": {"split": 0.2},
                          "optimizer": {"name": "adam", "learning_rate": 0.05}})
    path = f"/v1/jobs/{job['id']}/curve"
    whole = c.get(path).json
    assert whole["total"] == whole["returned"] == 1000
    assert c.get(f"{path}?from=10&to=12")["epoch"] == [10, 11, 12]
    assert c.get(f"{path}?from=998")["epoch"] == [998, 999, 1000]
    assert c.get(f"{path}?to=3")["epoch"] == [1, 2, 3]
    assert c.get(f"{path}?from=5&to=4").status == 200
    thin = c.get(f"{path}?points=50").json
    assert thin["total"] == 1000 and 2 <= thin["returned"] <= 50 and thin["returned"] == len(thin["epoch"])
    assert thin["epoch"] == sorted(set(thin["epoch"])) and {1, 1000} <= set(thin["epoch"])
    at = {e: i for i, e in enumerate(whole["epoch"])}
    for name in ("loss", "val_loss"):
        assert thin[name] == [whole[name][at[e]] for e in thin["epoch"]], "points are taken, not made"
        assert {min(whole[name]), max(whole[name])} <= set(thin[name]), "no spike is lost"
    assert c.get(f"{path}?from=100&to=300&points=20")["total"] == 201
    for query, pointer in (("points=1", "?points"), ("points=all", "?points"), ("from=-1", "?from"), ("to=x", "?to"),
                           ("step=2", "?step")):
        assert c.get(f"{path}?{query}", status=422).pointers() == [pointer]


def test_curve_as_csv(c, model):
    job = c.train(model, {**SHORT, "epochs": 30, "validation": {"split": 0.2}})
    path = f"/v1/jobs/{job['id']}/curve"
    answer = c.get(path, headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows, curve = records(answer.text), c.get(path).json
    assert len(rows) == 30
    assert [int(r["epoch"]) for r in rows] == curve["epoch"]
    for name in ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate"):
        assert [float(r[name]) for r in rows] == pytest.approx(curve[name], rel=1e-12), name


def test_curve_media_types(c, model):
    path = f"/v1/jobs/{c.train(model, SHORT)['id']}/curve"
    for accept, media in ((None, "application/json"), ("*/*", "application/json"), ("text/*", "text/csv"),
                          ("text/csv;q=0.5, application/json", "application/json"),
                          ("text/csv, application/json;q=0.5", "text/csv")):
        found = c.get(path, headers={"Accept": accept}).headers["Content-Type"]
        assert found.startswith(media), accept
    c.get(path, headers={"Accept": "image/png"}, status=406)


def test_a_curve_of_more_epochs_than_are_kept(c, fresh):
    """Beyond 10,000 epochs neighbours are merged; the first and the last stay."""
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": []})
    job = c.train(fresh, {"data": {"inputs": [[0], [1]], "targets": [[0], [1]]}, "epochs": 30_000, "batch_size": "full",
                          "validation": None, "early_stopping": None})
    curve = c.get(f"/v1/jobs/{job['id']}/curve").json
    assert 10_000 <= curve["total"] < 30_000
    assert curve["epoch"][:10_000] == list(range(1, 10_001))
    assert curve["epoch"] == sorted(curve["epoch"])
