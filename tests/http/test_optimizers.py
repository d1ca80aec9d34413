"""Every optimizer of the catalogue trains: with its defaults the loss falls, with a fitting rate iris is learnt."""
import pytest

EPOCHS = 30
TRAIN = {"dataset": "iris", "epochs": EPOCHS, "batch_size": 8, "seed": 1, "validation": None, "early_stopping": None}
RATES = {"sgd": 0.1, "adadelta": 3, "adagrad": 0.1, "lion": 0.003}  # 0.02 fits the others
FULL_BATCH = {"rprop", "lbfgs", "conjugate_gradient"}  # they work on all rows at once


@pytest.fixture
def catalogued(c):
    return {o["name"]: o for o in c.get("/v1/catalog")["optimizers"]}


@pytest.fixture
def optimizers(catalogued):
    """Those that step after each mini-batch."""
    return [name for name in catalogued if name not in FULL_BATCH]


@pytest.fixture
def flower(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", {"dataset": iris, "target": "species", "layers": [8], "seed": 1})
    return fresh


def test_the_catalogue_has_them(catalogued):
    assert set(catalogued) >= FULL_BATCH | {"sgd", "momentum", "nesterov", "lion", "adagrad", "adadelta", "rmsprop",
                                            "adam", "adamw", "amsgrad", "adamax", "nadam", "radam"}
    assert {p["name"] for p in catalogued["lbfgs"]["parameters"]} == {"learning_rate", "history", "c_1", "c_2",
                                                                      "max_evaluations"}


def losses(c, job):
    return c.get(f"/v1/jobs/{job['id']}/curve")["loss"]


def test_the_loss_falls_with_the_defaults(c, flower, optimizers):
    seen = set()
    for name in optimizers:
        loss = losses(c, c.train(flower, {**TRAIN, "optimizer": {"name": name}}))
        assert loss[-1] < loss[len(loss) // 2] < loss[0], name
        seen.add(tuple(loss))
    assert len(seen) == len(optimizers), "each goes its own way"


def test_iris_is_learnt(c, flower, optimizers):
    for name in optimizers:
        job = c.train(flower, {**TRAIN, "optimizer": {"name": name, "learning_rate": RATES.get(name, 0.02)}})
        loss = losses(c, job)
        assert loss[-1] < 0.25 and loss[-1] < loss[0] / 2, f"{name}: {loss[0]} to {loss[-1]}"


def test_one_seed_one_result_at_any_number_of_threads(c, flower, optimizers):
    for name in optimizers:
        one, two = (c.train(flower, {**TRAIN, "epochs": 3, "threads": threads, "optimizer": name})
                    for threads in (1, 2))
        assert c.layers(flower, one["version"]) == c.layers(flower, two["version"]), name


FULL = {**TRAIN, "batch_size": "full"}


@pytest.mark.parametrize("name", sorted(FULL_BATCH))
def test_optimizers_of_a_full_batch(c, flower, name):
    """Every iteration of a search is no higher than the last; all learn iris, at any number of threads."""
    one, two = (c.train(flower, {**FULL, "optimizer": name, "threads": threads}) for threads in (1, 2))
    loss = losses(c, one)
    assert loss[-1] < 0.25 and loss[-1] < loss[0] / 2, f"{name}: {loss[0]} to {loss[-1]}"
    if name != "rprop":
        assert loss == sorted(loss, reverse=True)
    assert c.layers(flower, one["version"]) == c.layers(flower, two["version"])


def test_their_parameters_are_used(c, flower):
    for name, parameter, values in (("rprop", "eta_plus", (1.1, 1.3)), ("lbfgs", "history", (1, 12)),
                                    ("lbfgs", "max_evaluations", (2, 25)), ("conjugate_gradient", "c_2", (0.06, 0.4))):
        runs = [losses(c, c.train(flower, {**FULL, "optimizer": {"name": name, parameter: value}})) for value in values]
        assert runs[0] != runs[1], parameter


def test_they_converge(c, fresh):
    """A straight line through three points: a few passes, and no more epochs than that."""
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": [], "loss": "mse"})
    body = {k: v for k, v in FULL.items() if k != "dataset"}
    for name in ("lbfgs", "conjugate_gradient"):
        job = c.train(fresh, {**body, "data": {"inputs": [[0], [1], [2]], "targets": [[1], [3], [5]]}, "epochs": 200,
                              "optimizer": name})
        assert losses(c, job)[-1] < 1e-10 and len(losses(c, job)) < 60, name
        assert job["stop_reason"] == "converged", name
