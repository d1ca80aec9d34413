"""Every request field does something: for each, two values that must give two results.

A row of TRAIN changes the body of :train, a row of MODEL the definition; the last item of a row is what is looked at.
Fields that need a story of their own have a test of their own, here or where their subject is (covers says so).
"""
import random

import pytest

from data import GRID, PLANE, XOR, by_hand, table
from fields import covered, covers, documented


def test_every_request_field_is_tried():
    missing = documented() - covered()
    assert not missing, f"no test tries these request fields: {sorted(missing)}"


def test_nothing_is_tried_that_is_not_documented():
    unknown = covered() - documented()
    assert not unknown, f"tests name request fields that are not in openapi.yaml: {sorted(unknown)}"


# ---- what is looked at ----

def weights(c, model, job):
    return c.layers(model, job["version"])


def steps(c, model, job):
    return job["step"]


def epochs(c, model, job):
    return job["epoch"]


def stopped(c, model, job):
    return job["stop_reason"]


def shown(*keys):
    """That part of the job's document."""
    def look(c, model, job):
        for key in keys:
            job = job[key]
        return job
    return look


def described(*keys):
    """That part of the model's document."""
    def look(c, model, job):
        found = c.get(f"/v1/models/{model}").json
        for key in keys:
            found = found[key]
        return found
    return look


@pytest.fixture
def tables(c):
    """The data sets that the rows below name."""
    c.csv("plane", PLANE)
    c.csv("bowl", table(["a", "b", "y"], [(a, b, a * a + b) for a, b, _ in GRID]))
    c.csv("holes", table(["a", "b", "y"], [("" if i % 7 == 3 else a, b, y) for i, (a, b, y) in enumerate(GRID)]))
    noise = random.Random(1)
    c.csv("noise", table([f"x{i}" for i in range(10)] + ["y"],
                         [[round(noise.gauss(0, 1), 3) for _ in range(11)] for _ in range(60)]))


# ---- the body of :train ----

PLAIN = {"dataset": "plane", "epochs": 3, "batch_size": 16, "seed": 1, "optimizer": "adam", "validation": None,
         "early_stopping": None}
NEVER = {"monitor": "loss", "patience": 2, "min_delta": 1e9, "restore_best": False}  # no epoch is an improvement
OVERFIT = {"dataset": "noise", "epochs": 400, "batch_size": "full", "validation": {"split": 0.3},
           "optimizer": {"name": "adam", "learning_rate": 0.01}}

TRAIN = [  # fields, two changes to PLAIN, what must differ, the two values of it where they are known
    (covers("TrainRequest.dataset"), {"dataset": "plane"}, {"dataset": "bowl"}, weights, None),
    (covers("TrainRequest.data", "InlineData.inputs"),
     {"dataset": ..., "data": {"inputs": [[1, 2], [2, 1], [5, 5]] * 6, "targets": [[1], [2], [3]] * 6}},
     {"dataset": ..., "data": {"inputs": [[1, 2], [2, 1], [5, 9]] * 6, "targets": [[1], [2], [3]] * 6}}, weights, None),
    (covers("InlineData.targets"),
     {"dataset": ..., "data": {"inputs": [[1, 2], [2, 1]] * 9, "targets": [[1], [2]] * 9}},
     {"dataset": ..., "data": {"inputs": [[1, 2], [2, 1]] * 9, "targets": [[2], [1]] * 9}}, weights, None),
    (covers("TrainRequest.epochs"), {"epochs": 2}, {"epochs": 5}, epochs, (2, 5)),
    (covers("TrainRequest.batch_size"), {"batch_size": 10}, {"batch_size": "full"}, steps, (21, 3)),
    (covers("TrainRequest.shuffle"), {"shuffle": False}, {"shuffle": True}, weights, None),
    (covers("TrainRequest.seed"), {"seed": 1}, {"seed": 2}, weights, None),
    (covers("TrainRequest.threads"), {"threads": 1}, {"threads": 2}, shown("config", "threads"), (1, 2)),
    (covers("TrainRequest.max_seconds"), {}, {"epochs": 10_000_000, "max_seconds": 0.2}, stopped,
     ("epochs", "max_seconds")),
    (covers("TrainRequest.target_loss"), {}, {"target_loss": 1e9}, stopped, ("epochs", "target_loss")),
    (covers("TrainRequest.optimizer", "NamedWithParameters.name"), {"optimizer": "sgd"},
     {"optimizer": {"name": "adam"}},
     weights, None),
    (covers("TrainRequest.validation"), {"validation": None}, {"validation": {"split": 0.5}}, steps, (12, 6)),
    (covers("Validation.split"), {"validation": {"split": 0.25}}, {"validation": {"split": 0.75}}, steps, (9, 3)),
    (covers("Validation.order_by"), {"validation": {"split": 0.25}}, {"validation": {"split": 0.25, "order_by": "y"}},
     weights, None),
    (covers("Validation.dataset"), {"validation": {"dataset": "bowl"}}, {"validation": {"dataset": "holes"}},
     shown("metrics", "val_loss"), None),
    (covers("Validation.column"), {"validation": {"column": "a", "value": 1}},
     {"validation": {"column": "b", "value": 1}}, weights, None),
    (covers("Validation.value"), {"validation": {"column": "a", "value": 1}},
     {"validation": {"column": "a", "value": 2}}, weights, None),
    (covers("TrainRequest.early_stopping"), {"epochs": 20}, {"epochs": 20, "early_stopping": NEVER}, stopped,
     ("epochs", "early_stopping")),
    (covers("EarlyStopping.patience"), {"epochs": 20, "early_stopping": NEVER},
     {"epochs": 20, "early_stopping": {**NEVER, "patience": 5}}, epochs, (3, 6)),
    (covers("EarlyStopping.min_delta"), {"epochs": 20, "early_stopping": {**NEVER, "min_delta": 0}},
     {"epochs": 20, "early_stopping": NEVER}, epochs, (20, 3)),
    (covers("EarlyStopping.monitor"), {**OVERFIT, "early_stopping": {"monitor": "val_loss", "patience": 40}},
     {**OVERFIT, "early_stopping": {"monitor": "loss", "patience": 40}}, stopped, ("early_stopping", "epochs")),
    (covers("EarlyStopping.restore_best"), {**OVERFIT, "early_stopping": {"patience": 40, "restore_best": True}},
     {**OVERFIT, "early_stopping": {"patience": 40, "restore_best": False}}, weights, None),
    (covers("TrainRequest.gradient_clip_norm"), {"optimizer": "sgd"}, {"optimizer": "sgd", "gradient_clip_norm": 1e-3},
     weights, None),
    (covers("TrainRequest.gradient_clip_value"), {"optimizer": "sgd"}, {"optimizer": "sgd", "gradient_clip_value": 1e-3},
     weights, None),
    (covers("TrainRequest.accumulate"), {"accumulate": 1}, {"accumulate": 2}, weights, None),
    (covers("TrainRequest.noise"), {"noise": 0}, {"noise": 0.5}, weights, None),
    (covers("Noise.input"), {"noise": {"input": 0.1}}, {"noise": {"input": 0.5}}, weights, None),
    (covers("Noise.gradient"), {"noise": {"input": 0.1}}, {"noise": {"input": 0.1, "gradient": 0.5}}, weights, None),
    (covers("TrainRequest.ema_decay"), {}, {"ema_decay": 0.99}, weights, None),
    (covers("TrainRequest.sample_weight_column"), {}, {"sample_weight_column": "a"}, weights, None),
    (covers("TrainRequest.checkpoint_every_seconds"), {}, {"checkpoint_every_seconds": 0.5},
     shown("config", "checkpoint_every_seconds"), (30, 0.5)),
    (covers("TrainRequest.note"), {}, {"note": "first try"}, shown("note"), ("", "first try")),
]


def merged(base, change):
    """base with a change; a value of ... takes the field away."""
    return {k: v for k, v in {**base, **change}.items() if v is not ...}


@pytest.mark.parametrize("row", TRAIN, ids=lambda row: row[0].fields[0])
def test_a_field_of_train(c, tables, fresh, row):
    _, first, second, look, known = row
    found = []
    for number, change in enumerate((first, second)):
        body = merged(PLAIN, change)
        names = [f"x{i}" for i in range(10)] if body.get("dataset") == "noise" else ["a", "b"]
        inputs = [{"name": name, "type": "number"} for name in names]
        model = f"{fresh}-{number}"
        c.put(f"/v1/models/{model}", {"inputs": inputs, "outputs": [{"name": "y", "type": "number"}],
                                      "layers": [16 if len(names) == 10 else 4], "seed": 1})
        found.append(look(c, model, c.train(model, body)))
    assert found[0] != found[1]
    if known:
        assert tuple(found) == known


@covers("TrainRequest.loss")
def test_the_loss_of_a_training(c, fresh):
    found = []
    for loss in ("mse", "binary_cross_entropy"):
        model = f"{fresh}-{loss}"
        c.put(f"/v1/models/{model}", {"inputs": 2, "outputs": 1, "layers": [3], "output_activation": "sigmoid"})
        job = c.train(model, {"data": XOR, "epochs": 5, "seed": 1, "loss": loss, "validation": None})
        assert loss in str(job["config"]["loss"])
        found.append(weights(c, model, job))
    assert found[0] != found[1]


@covers("TrainRequest.class_weights")
def test_the_weights_of_classes(c, fresh):
    """Four in five rows are low, whatever x is: the share that a constant predicts is that of the weights."""
    c.csv(fresh, table(["x", "kind"], [(i % 7, "high" if i % 5 == 0 else "low") for i in range(700)]))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "kind", "layers": []})
    def share(weights):
        job = c.train(fresh, {"dataset": fresh, "epochs": 60, "batch_size": 50, "seed": 1, "validation": None,
                              "class_weights": weights, "optimizer": {"name": "adam", "learning_rate": 0.02}})
        assert job["config"]["class_weights"] == weights
        answer = c.post(f"/v1/models/{fresh}/versions/{job['version']}:predict", {"instances": [[3]]})
        return answer["predictions"][0][0]
    assert share(None) == pytest.approx(0.2, abs=0.04)
    assert share("balanced") == pytest.approx(0.5, abs=0.06)
    assert share({"high": 12, "low": 1}) == pytest.approx(0.75, abs=0.06)
    for wrong in ({"medium": 2}, {"high": -1}, "fair", {"high": "much"}):
        c.post(f"/v1/models/{fresh}:train", {"dataset": fresh, "class_weights": wrong}, status=422)


def test_the_weights_of_rows(c, fresh):
    """Half of the rows say 0 and count 3, the others say 10 and count 1: the weighted mean is 2.5."""
    rows = [(i % 3, 10 * (i % 2), 1 if i % 2 else 3, "" if i == 5 else 1, -i, "a") for i in range(60)]
    c.csv(fresh, table(["x", "y", "count", "holes", "below", "word"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y", "features": ["x"], "layers": []})
    body = {"dataset": fresh, "epochs": 300, "batch_size": "full", "validation": None,
            "optimizer": {"name": "adam", "learning_rate": 0.05}}
    for column, mean in ((None, 5), ("count", 2.5)):
        c.train(fresh, {**body, "sample_weight_column": column})
        assert c.predict(fresh, [[1]])["predictions"][0][0] == pytest.approx(mean, abs=0.1)
    for wrong in ("nobody", "holes", "below", "word"):
        refused = c.post(f"/v1/models/{fresh}:train", {**body, "sample_weight_column": wrong}, status=422)
        assert refused.pointers() == ["/sample_weight_column"]


def test_targets_that_some_rows_miss(c, fresh):
    """Every third row has both targets, the others one or the other: both are learnt, and no row is lost."""
    rows = [(x, "" if x % 3 == 1 else 2 * x, "" if x % 3 == 2 else ("high" if x > 15 else "low")) for x in range(30)]
    c.csv(fresh, table(["x", "size", "kind"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": ["size", "kind"], "layers": [8], "seed": 1})
    job = c.train(fresh, {"dataset": fresh, "epochs": 1500, "batch_size": "full", "validation": None,
                          "optimizer": {"name": "adam", "learning_rate": 0.02}})
    assert job["metrics"]["accuracy"] == 1 and job["metrics"]["mae"] < 1
    answer = c.predict(fresh, [[1], [28]]).json
    assert [row["size"][0] for row in answer["predictions"]] == pytest.approx([2, 56], abs=3)
    assert [row["kind"] for row in answer["labels"]] == ["low", "high"]


@covers("TrainRequest.from")
def test_where_training_goes_on_from(c, tables, fresh):
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [4], "seed": 1})
    first = c.train(fresh, {**PLAIN, "epochs": 200})
    again = c.train(fresh, {**PLAIN, "from": "scratch"})
    latest = c.train(fresh, {**PLAIN, "from": "latest"})
    named = c.train(fresh, {**PLAIN, "from": first["version"]})
    loss = {j["id"]: c.get(f"/v1/jobs/{j['id']}/curve")["loss"][0] for j in (first, again, latest, named)}
    assert loss[again["id"]] == loss[first["id"]], "from scratch is the same start"
    assert loss[named["id"]] < loss[again["id"]], "from a version trained longer the loss starts lower"
    assert loss[latest["id"]] < loss[again["id"]], "the latest was trained for 3 epochs already"
    assert weights(c, fresh, named) != weights(c, fresh, latest)


FULL_BATCH = ("rprop", "lbfgs", "conjugate_gradient")


def test_every_parameter_of_every_optimizer(c, tables):
    other = {"learning_rate": 0.0031, "momentum": 0.5, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.01,
             "weight_decay": 0.1}
    c.put("/v1/models/optimized", {"dataset": "plane", "target": "y", "layers": [4], "seed": 1})
    for optimizer in c.get("/v1/catalog")["optimizers"]:
        name = optimizer["name"]
        assert optimizer["parameters"][0]["name"] == "learning_rate"
        if name in FULL_BATCH:  # test_optimizers.py tries their parameters
            continue
        base = {"name": name, "learning_rate": 0.1}  # so long a step that lion's signs change
        plain = weights(c, "optimized", c.train("optimized", {**PLAIN, "optimizer": base}))
        for parameter in optimizer["parameters"]:
            value = other.get(parameter["name"], parameter["default"] / 2)
            job = c.train("optimized", {**PLAIN, "optimizer": {**base, parameter["name"]: value}})
            assert job["config"]["optimizer"][parameter["name"]] == value
            assert weights(c, "optimized", job) != plain, f"{name}: {parameter['name']} changes nothing"


@pytest.mark.parametrize("name", FULL_BATCH)
def test_what_does_not_go_with_all_rows_at_once(c, tables, fresh, name):
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [4], "seed": 1})
    job = c.train(fresh, {**PLAIN, "batch_size": "full", "optimizer": name})
    assert job["config"]["batch_size"] == "full" == c.train(fresh, merged(PLAIN, {
        "batch_size": ..., "optimizer": name}))["config"]["batch_size"]
    for field, value in (("batch_size", 16), ("accumulate", 2), ("gradient_clip_norm", 1), ("gradient_clip_value", 1)):
        body = {**PLAIN, "batch_size": "full", "optimizer": name, field: value}
        refused = c.post(f"/v1/models/{fresh}:train", body, status=422)
        assert refused.pointers() == [f"/{field}"] and name in refused["detail"]


def test_threads_and_shuffle_are_reproducible(c, tables, fresh):
    """One seed gives the same bits at any number of threads; without shuffling and dropping the seed is idle."""
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [32, 32], "seed": 5})
    def run(**change):
        return weights(c, fresh, c.train(fresh, {**PLAIN, **change}))
    assert run(threads=1) == run(threads=2) == run(threads=1)
    assert run(shuffle=False, seed=1) == run(shuffle=False, seed=2) != run(shuffle=True, seed=1)


# ---- the definition ----

SHAPE = {"dataset": "plane", "target": "y", "layers": [4], "seed": 1}

MODEL = [  # fields, two changes to SHAPE, what must differ after training, the two values where known
    (covers("ModelDefinition.dataset"), {}, {"dataset": "bowl"}, described("dataset"), ("plane", "bowl")),
    (covers("ModelDefinition.target"), {"target": "y"}, {"target": "b"}, described("outputs", 0, "name"), ("y", "b")),
    (covers("ModelDefinition.features"), {"features": ["a"]}, {"features": ["b"]}, described("inputs", 0, "name"),
     ("a", "b")),
    (covers("ModelDefinition.layers"), {"layers": [4]}, {"layers": [4, 4]}, described("parameters"), (17, 37)),
    (covers("LayerDefinition.units"), {"layers": [{"units": 4}]}, {"layers": [{"units": 5}]}, described("parameters"),
     (17, 21)),
    (covers("LayerDefinition.activation"), {"layers": [{"units": 4, "activation": "tanh"}]},
     {"layers": [{"units": 4, "activation": "sigmoid"}]}, weights, None),
    (covers("LayerDefinition.bias"), {"layers": [{"units": 4, "bias": True}]},
     {"layers": [{"units": 4, "bias": False}]},
     described("parameters"), (17, 13)),
    (covers("LayerDefinition.dropout"), {"layers": [{"units": 4}]}, {"layers": [{"units": 4, "dropout": 0.5}]}, weights,
     None),
    (covers("LayerDefinition.l1"), {"layers": [{"units": 4}]}, {"layers": [{"units": 4, "l1": 0.1}]}, weights, None),
    (covers("LayerDefinition.l2"), {"layers": [{"units": 4}]}, {"layers": [{"units": 4, "l2": 0.1}]}, weights, None),
    (covers("LayerDefinition.init"), {"layers": [{"units": 4, "init": "glorot_uniform"}]},
     {"layers": [{"units": 4, "init": "he_uniform"}]}, weights, None),
    (covers("LayerDefinition.max_norm"), {"layers": [4]}, {"layers": [{"units": 4, "max_norm": 0.1}]}, weights, None),
    (covers("LayerDefinition.batch_norm"), {"layers": [4]}, {"layers": [{"units": 4, "batch_norm": True}]},
     described("parameters"), (17, 25)),
    (covers("LayerDefinition.layer_norm"), {"layers": [{"units": 4, "batch_norm": True}]},
     {"layers": [{"units": 4, "layer_norm": True}]}, weights, None),
    (covers("LayerDefinition.density"), {"layers": [{"units": 4, "density": 1}]},
     {"layers": [{"units": 4, "density": 0.5}]}, weights, None),
    (covers("LayerDefinition.mask"), {"layers": [{"units": 2, "mask": [[1, 0], [0, 1]]}]},
     {"layers": [{"units": 2, "mask": [[0, 1], [1, 1]]}]}, weights, None),
    (covers("LayerDefinition.from"), {"layers": [4, 4]}, {"layers": [4, {"units": 4, "from": ["inputs", 0]}]},
     described("parameters"), (37, 45)),
    (covers("ModelDefinition.input_dropout"), {}, {"input_dropout": 0.5}, weights, None),
    (covers("ModelDefinition.output_from"), {}, {"output_from": ["inputs", 0]}, described("parameters"), (17, 19)),
    (covers("TargetDefinition.name"), {"target": {"name": "y"}}, {"target": {"name": "b"}},
     described("outputs", 0, "name"), ("y", "b")),
    (covers("TargetDefinition.activation"), {"target": {"name": "y"}}, {"target": {"name": "y", "activation": "tanh"}},
     described("layers", 1, "activation"), ("linear", "tanh")),
    (covers("TargetDefinition.loss"), {"target": {"name": "y", "loss": "mse"}},
     {"target": {"name": "y", "loss": "mae"}}, described("loss"), ("mse", "mae")),
    (covers("TargetDefinition.weight"), {"target": ["y", "b"]}, {"target": [{"name": "y", "weight": 9}, "b"]}, weights,
     None),
    (covers("ModelDefinition.output_activation"), {}, {"output_activation": "tanh"},
     described("layers", 1, "activation"),
     ("linear", "tanh")),
    (covers("ModelDefinition.seed"), {}, {"seed": 2}, weights, None),
    (covers("ModelDefinition.description"), {}, {"description": "a plane"}, described("description"), ("", "a plane")),
    (covers("ModelDefinition.metadata"), {}, {"metadata": {"owner": "me"}}, described("metadata"),
     ({}, {"owner": "me"})),
]


@pytest.mark.parametrize("row", MODEL, ids=lambda row: row[0].fields[0])
def test_a_field_of_a_definition(c, tables, fresh, row):
    _, first, second, look, known = row
    found = []
    for number, change in enumerate((first, second)):
        definition = merged(SHAPE, change)
        model = f"{fresh}-{number}"
        c.put(f"/v1/models/{model}", definition)
        found.append(look(c, model, c.train(model, {**PLAIN, "dataset": definition["dataset"]})))
    assert found[0] != found[1]
    if known:
        assert tuple(found) == known


@covers("ModelDefinition.normalize")
def test_normalize(c, tables, fresh):
    """Three ways to scale, three networks; all of them answer in the users' units."""
    found = []
    for way in ("standard", "minmax", "none"):
        c.put(f"/v1/models/{fresh}-{way}", {**SHAPE, "normalize": way})
        job = c.train(f"{fresh}-{way}", PLAIN)
        assert c.get(f"/v1/models/{fresh}-{way}")["normalize"] == way
        found.append((weights(c, f"{fresh}-{way}", job), c.predict(f"{fresh}-{way}", [[3, 4]])["predictions"]))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert found[i][0] != found[j][0]
        assert found[i][1] != found[j][1]


@covers("ModelDefinition.missing")
def test_missing(c, tables, fresh):
    """mean fills what is missing, error refuses it: in training and in prediction."""
    c.put(f"/v1/models/{fresh}-mean", {**SHAPE, "missing": "mean"})
    c.put(f"/v1/models/{fresh}-error", {**SHAPE, "missing": "error"})
    assert c.train(f"{fresh}-mean", {**PLAIN, "dataset": "holes"})["version"] == "1"
    refused = c.post(f"/v1/models/{fresh}-error:train", {**PLAIN, "dataset": "holes"}, status=(202, 422))
    if refused.status == 202:
        assert c.ended(refused["id"], "failed")["stop_reason"] == "error"
    c.train(f"{fresh}-error", PLAIN)
    assert c.predict(f"{fresh}-mean", [[None, 2]]).json["predictions"]
    answer = c.predict(f"{fresh}-error", [[None, 2]], status=400)
    assert answer.pointers() == ["/instances/0/0"]


@covers("ModelDefinition.loss")
def test_the_loss_of_a_definition(c, fresh):
    for loss in ("mse", "binary_cross_entropy"):
        c.put(f"/v1/models/{fresh}-{loss}", {"inputs": 2, "outputs": 1, "layers": [3], "output_activation": "sigmoid",
                                             "loss": loss})
        assert loss in str(c.get(f"/v1/models/{fresh}-{loss}")["loss"])
    jobs = [c.train(f"{fresh}-{loss}", {"data": XOR, "epochs": 5, "seed": 1, "validation": None})
            for loss in ("mse", "binary_cross_entropy")]
    assert jobs[0]["metrics"]["loss"] != jobs[1]["metrics"]["loss"]


@covers("LayerDefinition.activation_parameters")
def test_every_parameter_of_every_activation(c, fresh):
    """A parameter that is said is used: the slope of leaky_relu shows where the weighted input is negative."""
    with_parameters = [a for a in c.get("/v1/catalog")["activations"] if a["parameters"] and a["name"] != "maxout"]
    assert "leaky_relu" in [a["name"] for a in with_parameters]
    for activation in with_parameters:
        for parameter in activation["parameters"]:
            found = []
            for number, value in enumerate((parameter["default"], parameter["default"] / 2 + 0.01)):
                model = f"{fresh}-{activation['name']}-{number}"
                c.put(f"/v1/models/{model}", {"inputs": 1, "outputs": 1, "layers": [
                    {"units": 1, "activation": activation["name"],
                     "activation_parameters": {parameter["name"]: value}}]})
                c.post(f"/v1/models/{model}/versions", by_hand([[[1]], [[1]]], [[0], [0]]), status=201)
                found.append(c.predict(model, [[-4]])["predictions"][0][0])
            assert found[0] != found[1], f"{activation['name']}: {parameter['name']}"


def test_the_pieces_of_maxout(c, fresh):
    """A neuron is the largest of its pieces: |x| of two, and of three something else where the third one leads."""
    for pieces, weights in ((2, [[1], [-1]]), (3, [[1], [-1], [-3]])):
        model = f"{fresh}-{pieces}"
        c.put(f"/v1/models/{model}", {"inputs": 1, "outputs": 1, "layers": [
            {"units": 1, "activation": "maxout", "activation_parameters": {"pieces": pieces}}]})
        c.post(f"/v1/models/{model}/versions", by_hand([weights, [[1]]], [[0] * pieces, [0]]), status=201)
        found = [row[0] for row in c.predict(model, [[-2], [2]])["predictions"]]
        assert found == ([2, 2] if pieces == 2 else [6, 2])
        neuron = c.get(f"/v1/models/{model}/versions/1/layers/0/neurons/0").json
        assert [piece["synapses"][0]["weight"] for piece in neuron["pieces"]] == [row[0] for row in weights]
    refused = c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": [
        {"units": 1, "activation": "maxout", "activation_parameters": {"pieces": 2.5}}]}, status=422)
    assert "whole number" in refused["detail"]


@covers("HandMadeVersion.layers.scale", "HandMadeVersion.layers.shift", "HandMadeVersion.layers.mean",
        "HandMadeVersion.layers.variance", "HandMadeVersion.layers.slopes")
def test_vectors_of_a_version_by_hand(c, fresh):
    """Batch normalization and prelu by hand: z = (w x - mean) scale / sqrt(variance + 1e-5) + shift."""
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": [
        {"units": 1, "activation": "prelu", "batch_norm": True}]})
    given = {"scale": [3], "shift": [1], "mean": [2], "variance": [4], "slopes": [0.5]}
    plain = {"weights": [[1]], "biases": [0]}
    def predicted(**vectors):
        made = c.post(f"/v1/models/{fresh}/versions", {"layers": [{**plain, **vectors}, plain]}, status=201)
        answer = c.post(f"/v1/models/{fresh}/versions/{made['version']}:predict", {"instances": [[8], [-8]]})
        return [row[0] for row in answer["predictions"]], made["version"]
    found, version = predicted(**given)
    assert found == pytest.approx([10, -7], rel=1e-5)  # (8 - 2)/2 * 3 + 1; ((-8 - 2)/2 * 3 + 1) / 2
    shown = c.get(f"/v1/models/{fresh}/versions/{version}/layers/0")
    assert {name: shown[name] for name in given} == given
    for name in given:
        assert predicted(**{**given, name: [0.25]})[0] != found, name
    c.post(f"/v1/models/{fresh}/versions", {"layers": [{**plain, **given, "variance": [-1]}, plain]}, status=422)
    c.post(f"/v1/models/{fresh}/versions", {"layers": [plain, {**plain, "slopes": [1]}]}, status=422)


@covers("OutputColumn.name", "OutputColumn.type", "OutputColumn.values", "OutputColumn.activation",
        "OutputColumn.loss", "OutputColumn.weight", "ModelDefinition.outputs")
def test_several_outputs(c, fresh):
    """A number and a category from one network: each has a layer, a loss and a weight of its own."""
    rows = [(x, 2 * x + 1, "high" if x > 4 else "low") for x in range(9)]
    c.csv(fresh, table(["x", "size", "kind"], rows))
    size, kind = {"name": "size", "type": "number"}, {"name": "kind", "type": "category", "values": ["high", "low"]}
    def trained(name, *outputs):
        model = c.put(f"/v1/models/{fresh}-{name}", {"inputs": [{"name": "x", "type": "number"}],
                                                     "outputs": list(outputs), "layers": [8], "seed": 2}).json
        job = c.train(f"{fresh}-{name}", {"dataset": fresh, "epochs": 400, "seed": 1, "validation": None})
        return model, job
    model, job = trained("plain", size, kind)
    assert [layer["activation"] for layer in model["layers"]] == ["relu", "linear", "softmax"]
    assert [output["loss"]["name"] for output in model["outputs"]] == ["mse", "cross_entropy"]
    assert job["metrics"]["accuracy"] > 0.9 and job["metrics"]["mae"] < 1
    curve = c.get(f"/v1/jobs/{job['id']}/curve")
    assert curve["accuracy"][-1] == job["metrics"]["accuracy"] and curve["mae"][-1] == job["metrics"]["mae"]
    answer = c.predict(f"{fresh}-plain", [[1], [7]]).json
    assert [row["kind"] for row in answer["labels"]] == ["low", "high"]
    assert [row["size"][0] for row in answer["predictions"]] == pytest.approx([3, 15], abs=1.5)
    for verb in ("classify", "regress"):
        refused = c.post(f"/v1/models/{fresh}-plain:{verb}", {"examples": [[1]]}, status=400)
        assert ":predict" in refused["detail"]
    changes = [({**size, "loss": "huber"}, kind), ({**size, "weight": 20}, kind), ({**size, "activation": "relu"}, kind)]
    for number, outputs in enumerate(changes):
        other, again = trained(str(number), *outputs)
        assert again["metrics"]["loss"] != job["metrics"]["loss"], outputs
    c.put(f"/v1/models/{fresh}-target", {"dataset": fresh, "target": ["size", "kind"], "layers": [8]})
    assert c.get(f"/v1/models/{fresh}-target")["target"] == ["size", "kind"]
    refused = c.post(f"/v1/models/{fresh}-target:train", {"dataset": fresh, "loss": "mae"}, status=422)
    assert refused.pointers() == ["/loss"]


@covers("ModelDefinition.inputs", "ModelDefinition.outputs", "ModelColumn.name", "ModelColumn.type",
        "ModelColumn.values")
def test_columns_of_an_explicit_definition(c, fresh):
    height = {"name": "height", "type": "number"}
    hair = {"name": "hair", "type": "category", "values": ["black", "brown"]}
    definitions = [  # inputs, outputs, parameters of one layer: a category of k values is k + 2 inputs, k outputs
        (2, 1, 3), (3, 1, 4), (2, 2, 6), ([height], 1, 2), ([hair], 1, 5), ([height, hair], 1, 6),
        ([{**hair, "values": ["black", "brown", "red"]}], 1, 6), ([height], [hair], 4)]
    for number, (inputs, outputs, parameters) in enumerate(definitions):
        model = c.put(f"/v1/models/{fresh}-{number}", {"inputs": inputs, "outputs": outputs, "layers": []}).json
        assert model["parameters"] == parameters
        for said, shows in ((inputs, model["inputs"]), (outputs, model["outputs"])):
            letter = "x" if shows is model["inputs"] else "y"
            if isinstance(said, int):
                said = [{"name": f"{letter}{i}", "type": "number"} for i in range(said)]
            assert shows == said


@covers("ModelDefinition.task")
def test_task(c, fresh):
    """An integer target with few values is a number, with a warning that names the line to write; or a category."""
    c.csv(fresh, table(["x", "grade"], [(i, i % 3) for i in range(30)]))
    number = c.put(f"/v1/models/{fresh}-number", {"dataset": fresh, "target": "grade"}).json
    category = c.put(f"/v1/models/{fresh}-category",
                     {"dataset": fresh, "target": "grade", "task": "classification"}).json
    assert number["outputs"] == [{"name": "grade", "type": "number"}]
    assert any('"task":"classification"' in w.replace('": "', '":"') for w in number["warnings"])
    assert category["outputs"] == [{"name": "grade", "type": "category", "values": ["0", "1", "2"]}]
    assert category["warnings"] == []
