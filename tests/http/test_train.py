"""Training: what :train accepts, what a job goes through, and what it leaves behind."""
import math

import pytest

from data import PLANE, XOR, example, iris_model, table

PLAIN = {"epochs": 2, "batch_size": 16, "validation": None, "early_stopping": None}


@pytest.fixture
def plane(c):
    c.csv("plane", PLANE)


def test_from_202_to_a_version(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    answer = c.post(f"/v1/models/{fresh}:train", {"dataset": "iris", "epochs": 20, "seed": 1}, status=202)
    job = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert (job["model"], job["kind"], job["epochs"]) == (fresh, "train", 20)
    assert job["state"] in ("queued", "running")
    assert (job["finished_at"], job["stop_reason"], job["version"], job["error"]) == (None, None, None, None)
    end = c.ended(job["id"])
    assert (end["stop_reason"], end["version"], end["error"], end["resumed"]) == ("epochs", "1", None, 0)
    assert (end["epoch"], end["progress"]) == (20, 1)
    assert end["created_at"] <= end["started_at"] <= end["finished_at"]
    assert end["config"] == job["config"]
    assert end["samples_per_second"] > 0
    assert math.isfinite(end["metrics"]["loss"]) and 0 <= end["metrics"]["accuracy"] <= 1
    assert c.get(f"/v1/models/{fresh}")["latest_version"] == "1"


def test_what_is_left_out_is_chosen_and_shown(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    config = c.start(fresh, {"dataset": "iris"})["config"]
    assert config["dataset"] == "iris"
    assert config["shuffle"] is True
    assert config["from"] == "scratch"
    assert config["optimizer"]["learning_rate"] > 0


def test_null_switches_off(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    job = c.train(fresh, {"dataset": "iris", "epochs": 2, "validation": None, "early_stopping": None})
    assert (job["config"]["validation"], job["config"]["early_stopping"]) == (None, None)
    assert "val_loss" not in job["metrics"]


def test_steps_are_counted_in_batches_of_the_training_rows(c, iris, fresh):
    """150 rows, 20 % held out, batches of 32: four steps an epoch."""
    c.put(f"/v1/models/{fresh}", iris_model())
    job = c.train(fresh, {"dataset": "iris", "epochs": 5, "batch_size": 32, "validation": {"split": 0.2},
                          "early_stopping": None})
    assert job["step"] == 5 * 4
    assert {"loss", "val_loss", "accuracy", "val_accuracy"} <= set(job["metrics"])
    assert 1 <= job["best"]["epoch"] <= 5 and job["best"]["val_loss"] > 0


def test_data_with_the_request(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [{"units": 4, "activation": "tanh"}], "seed": 1})
    before = c.get("/v1/datasets?limit=1000").json
    job = c.train(fresh, {**PLAIN, "data": XOR, "batch_size": "full"})
    assert job["step"] == 2
    version = c.get(f"/v1/models/{fresh}/versions/1").json
    assert version["dataset"]["name"] is None and version["dataset"]["rows"] == 4
    assert c.get("/v1/datasets?limit=1000").json == before, "it is not a data set that others see"


def test_data_with_categories_and_holes(c, fresh):
    hair = {"name": "hair", "type": "category", "values": ["black", "brown"]}
    eye = {"name": "eye", "type": "category", "values": ["blue", "green"]}
    c.put(f"/v1/models/{fresh}",
          {"inputs": [{"name": "height", "type": "number"}, hair], "outputs": [eye], "layers": [3]})
    data = {"inputs": [[180, "black"], [None, "brown"], [170, None], [160, "red"]] * 3,
            "targets": [["blue"], ["green"], ["blue"], ["green"]] * 3}
    assert c.train(fresh, {**PLAIN, "batch_size": 4, "data": data})["version"] == "1"
    assert c.predict(fresh, [[175, "brown"]])["labels"][0] in ("blue", "green")


def test_a_target_class_that_the_model_does_not_know(c, iris, fresh):
    """422, or where only the worker can see it, a failed job with that sentence; never a version."""
    c.put(f"/v1/models/{fresh}", iris_model())
    text = example("iris").decode().replace("virginica", "tulip")
    c.csv(f"{fresh}-tulips", text, status=201)
    answer = c.post(f"/v1/models/{fresh}:train", {"dataset": f"{fresh}-tulips", "epochs": 1}, status=422)
    assert "tulip" in answer.sentence()
    data = {"inputs": [[1, 2, 3, 4], [4, 3, 2, 1]], "targets": [["setosa"], ["tulip"]]}
    answer = c.post(f"/v1/models/{fresh}:train", {**PLAIN, "batch_size": "full", "data": data}, status=422)
    assert answer.pointers()[0].startswith("/data/targets/1") and "tulip" in answer.sentence()
    assert c.get(f"/v1/models/{fresh}")["latest_version"] is None


def test_data_sets_that_do_not_fit(c, iris, plane, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    answer = c.post(f"/v1/models/{fresh}:train", {"dataset": "plane"}, status=422)
    for column in ("sepal_length", "species"):
        assert column in answer.sentence(), "names every column that is missing"
    assert c.post(f"/v1/models/{fresh}:train", {"dataset": "nothing"}, status=404).code == "not-found"
    words = table(["sepal_length", "sepal_width", "petal_length", "petal_width", "species"],
                  [("long", 1, 2, 3, "setosa"), ("short", 1, 2, 3, "virginica")])
    c.csv(f"{fresh}-words", words)
    answer = c.post(f"/v1/models/{fresh}:train", {"dataset": f"{fresh}-words"}, status=422)
    assert "sepal_length" in answer.sentence()


@pytest.mark.parametrize("data,pointer", [
    ({"inputs": [[0, 0, 0]], "targets": [[0]]}, "/data/inputs/0"),
    ({"inputs": [[0, 0]], "targets": [[0, 0]]}, "/data/targets/0"),
    ({"inputs": [[0, 0], [0]], "targets": [[0], [0]]}, "/data/inputs/1"),
    ({"inputs": [[0, 0], [0, "high"]], "targets": [[0], [0]]}, "/data/inputs/1/1"),
    ({"inputs": [[0, 0], [1, 1]], "targets": [[0]]}, "/data"),
    ({"inputs": [[0, 0], [1, 1]]}, "/data"),
    ({"targets": [[0]]}, "/data"),
    ({"inputs": "no", "targets": [[0]]}, "/data/inputs"),
    ([], "/data"),
    ({"inputs": [[0, 0]], "targets": [[0]], "weights": [1]}, "/data/weights"),
    ({"inputs": [[0, 0], [1, 1]], "targets": [[0], [None]]}, "/data/targets/1/0"),
])
def test_data_that_does_not_fit(c, data, pointer):
    c.put("/v1/models/two-one", {"inputs": 2, "outputs": 1, "layers": [2]}, status=(200, 201))
    answer = c.post("/v1/models/two-one:train", {"data": data, "batch_size": "full", "validation": None}, status=422)
    assert pointer in answer.pointers() or any(p.startswith(pointer + "/") for p in answer.pointers())


def test_data_without_rows(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1})
    answer = c.post(f"/v1/models/{fresh}:train", {"data": {"inputs": [], "targets": []}}, status=422)
    assert "row" in answer.sentence()


def test_every_fault_comes_at_once(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    answer = c.post(f"/v1/models/{fresh}:train",
                    {"dataset": "iris", "epochs": 0, "batch_size": "some", "seed": -1, "shuffle": 1, "epoch": 5,
                     "optimizer": {"name": "adam", "beta1": 0.5}, "validation": {"split": 1}}, status=422)
    assert set(answer.pointers()) >= {"/epochs", "/batch_size", "/seed", "/shuffle", "/epoch", "/optimizer/beta1",
                                      "/validation/split"}
    assert '"epochs"' in next(e["detail"] for e in answer["errors"] if e["pointer"] == "/epoch"), "did you mean"


def test_data_is_named_exactly_once(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1})
    assert c.post(f"/v1/models/{fresh}:train", {"epochs": 1}, status=422).code == "missing-field"
    c.post(f"/v1/models/{fresh}:train", {"dataset": "iris", "data": XOR}, status=422)


def test_divergence(c, plane, fresh):
    """The loss leaves the finite numbers: failed, no version, and the curve names where."""
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [], "normalize": "none"})
    job = c.train(fresh,
                  {**PLAIN, "dataset": "plane", "epochs": 2000, "optimizer": {"name": "sgd", "learning_rate": 10}},
                  state="failed")
    assert (job["stop_reason"], job["version"]) == ("diverged", None)
    assert job["error"]["code"] and "learning" in job["error"]["detail"], "says how to mend it"
    assert job["epoch"] < 2000
    assert c.get(f"/v1/models/{fresh}")["latest_version"] is None
    c.predict(fresh, [[1, 2]], status=404)
    c.get(f"/v1/jobs/{job['id']}/curve")


def test_target_loss_looks_at_validation_when_there_is_some(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model(seed=2))
    body = {"dataset": "iris", "epochs": 500, "seed": 1, "target_loss": 0.3, "early_stopping": None,
            "optimizer": {"name": "adam", "learning_rate": 0.01}}
    for validation, metric in ((None, "loss"), ({"split": 0.3}, "val_loss")):
        job = c.train(fresh, {**body, "validation": validation})
        curve = c.get(f"/v1/jobs/{job['id']}/curve").json
        assert job["stop_reason"] == "target_loss" and job["epoch"] < 500
        assert curve[metric][-1] <= 0.3 < min(curve[metric][:-1]), "the first epoch that reaches it is the last"


def test_early_stopping_keeps_the_best_epoch(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model(seed=2))
    job = c.train(fresh, {"dataset": "iris", "epochs": 5000, "seed": 1, "batch_size": 8, "validation": {"split": 0.3},
                          "optimizer": {"name": "adam", "learning_rate": 0.05},
                          "early_stopping": {"monitor": "val_loss", "patience": 10, "restore_best": True}})
    curve = c.get(f"/v1/jobs/{job['id']}/curve").json
    assert job["stop_reason"] == "early_stopping"
    best = min(range(len(curve["epoch"])), key=lambda i: curve["val_loss"][i])
    assert job["best"]["epoch"] == curve["epoch"][best] == job["epoch"] - 10
    assert job["best"]["val_loss"] == curve["val_loss"][best]


def test_from_a_version_that_is_not_there(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    for start in ("latest", "1"):
        answer = c.post(f"/v1/models/{fresh}:train", {"dataset": "iris", "from": start}, status=(404, 422))
        assert answer.json["detail"]
    for start in (1, "first", ""):
        assert c.post(f"/v1/models/{fresh}:train", {"dataset": "iris", "from": start},
                      status=422).pointers() == ["/from"]


def test_what_an_encoder_learnt_stays_with_the_version(c, fresh):
    """Two data sets a thousand apart: each version answers in the units of its own."""
    c.csv(f"{fresh}-low", table(["x", "y"], [(i, i) for i in range(64)]))
    c.csv(f"{fresh}-high", table(["x", "y"], [(i + 1000, i + 5000) for i in range(64)]))
    c.put(f"/v1/models/{fresh}", {"dataset": f"{fresh}-low", "target": "y", "layers": []})
    body = {"epochs": 400, "batch_size": 16, "validation": None, "early_stopping": None,
            "optimizer": {"name": "adam", "learning_rate": 0.05}}
    for name in ("low", "high"):
        c.train(fresh, {**body, "dataset": f"{fresh}-{name}"})
    assert abs(c.predict(fresh, [[32]], "/versions/1")["predictions"][0][0] - 32) < 1
    assert abs(c.predict(fresh, [[1032]], "/versions/2")["predictions"][0][0] - 5032) < 1
