"""Losses: a model learns with each, parameters count, and targets that a loss cannot take are refused."""
import pytest

from data import iris_model, table

COUNTS = table(["x", "count"], [(i / 20, i % 4 + i // 10) for i in range(60)])
NUMBERS = ("mse", "mae", "huber", "log_cosh", "quantile", "poisson")
CATEGORIES = ("mse", "mae", "huber", "log_cosh", "cross_entropy", "binary_cross_entropy", "kl_divergence", "hinge",
              "squared_hinge")
TRAIN = {"epochs": 50, "seed": 1, "validation": None, "early_stopping": None}


def first_and_last(c, model, dataset):
    job = c.train(model, {**TRAIN, "dataset": dataset})
    losses = c.get(f"/v1/jobs/{job['id']}/curve")["loss"]
    return losses[0], losses[-1]


@pytest.fixture
def counts(c):
    c.csv("counts", COUNTS)


@pytest.mark.parametrize("loss", NUMBERS)
def test_numbers(c, counts, fresh, loss):
    c.put(f"/v1/models/{fresh}", {"dataset": "counts", "target": "count", "loss": loss, "layers": [8]})
    first, last = first_and_last(c, fresh, "counts")
    assert last < first
    assert c.post(f"/v1/models/{fresh}:evaluate", {"dataset": "counts"})["metrics"]["loss"] < first


@pytest.mark.parametrize("loss", CATEGORIES)
def test_categories(c, iris, fresh, loss):
    """The output activation is one that the loss goes with when none is said."""
    c.put(f"/v1/models/{fresh}", iris_model(loss=loss))
    first, last = first_and_last(c, fresh, "iris")
    assert last < first
    assert c.post(f"/v1/models/{fresh}:evaluate", {"dataset": "iris"})["metrics"]["accuracy"] > 0.5


def test_every_loss_is_tried_here(c):
    assert {e["name"] for e in c.get("/v1/catalog")["losses"]} == set(NUMBERS + CATEGORIES)


@pytest.mark.parametrize("loss, values", [("huber", {"delta": (1, 0.01)}), ("quantile", {"quantile": (0.1, 0.9)}),
                                          ("cross_entropy", {"label_smoothing": (0, 0.2)})])
def test_parameters_count(c, counts, iris, fresh, loss, values):
    (name, both), = values.items()
    dataset, target = ("iris", "species") if loss == "cross_entropy" else ("counts", "count")
    found = []
    for i, value in enumerate(both):
        c.put(f"/v1/models/{fresh}-{i}", {"dataset": dataset, "target": target, "layers": [4], "seed": 1,
                                          "loss": {"name": loss, name: value}})
        found.append(first_and_last(c, f"{fresh}-{i}", dataset))
    assert found[0] != found[1]
    for wrong in (-1, "much"):
        c.put(f"/v1/models/{fresh}-no", {"dataset": dataset, "target": target, "loss": {"name": loss, name: wrong}},
              status=422)


def test_targets_that_a_loss_cannot_take(c, fresh):
    c.csv("below", table(["x", "count"], [(1, 2), (2, -3), (3, 4)]))
    for loss, activation in (("poisson", "exponential"), ("binary_cross_entropy", "sigmoid")):
        model = f"{fresh}-{loss}"
        c.put(f"/v1/models/{model}", {"dataset": "below", "target": "count", "loss": loss})
        assert c.get(f"/v1/models/{model}")["layers"][-1]["activation"] == activation
        answer = c.post(f"/v1/models/{model}:train", {"dataset": "below"}, status=422)
        assert answer.pointers() == ["/dataset"] and "-3" in answer.sentence() and loss in answer.sentence()
        answer = c.post(f"/v1/models/{model}:train", {"data": {"inputs": [[1], [2]], "targets": [[1], [-3]]}}, status=422)
        assert answer.pointers() == ["/data"]


def test_outputs_that_a_loss_cannot_take(c, fresh):
    answer = c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "loss": "poisson", "output_activation": "linear"},
                   status=422)
    assert answer.pointers() == ["/loss"] and "exponential or softplus" in answer.sentence()
