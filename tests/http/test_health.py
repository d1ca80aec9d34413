"""test_health.py - how the layers of a network fare while it learns: GET /v1/jobs/{id}/curve?health=true."""
import pytest

from data import PLANE
from fields import covers
from harness import scaled

TRAIN = {"dataset": "plane", "epochs": 20, "batch_size": 16, "seed": 1, "validation": None, "early_stopping": None}


def health(c, model, definition, **change):
    c.csv("plane", PLANE)
    c.put(f"/v1/models/{model}", {"dataset": "plane", "target": "y", **definition})
    job = c.train(model, {**TRAIN, **change})
    return c.get(f"/v1/jobs/{job['id']}/curve?health=true")["health"], job


@covers("job_curve?health")
def test_every_epoch_and_layer(c, fresh):
    """Health goes by the clock, at most ten times a second; of the first epoch and the last there is always some."""
    found, job = health(c, fresh, {"layers": [4, {"units": 3, "activation": "tanh"}]})
    epochs = found["epoch"]
    assert epochs == sorted(set(epochs)) and epochs[0] == 1 and epochs[-1] == 20
    assert [layer["index"] for layer in found["layers"]] == [0, 1, 2]
    for layer in found["layers"]:
        for name in ("gradient_norm", "weight_norm", "update_ratio"):
            assert len(layer[name]) == len(epochs) and all(value > 0 for value in layer[name]), name
    relu, tanh, linear = found["layers"]
    assert all(0 <= share <= 1 for share in relu["dead"] + tanh["saturated"])
    assert set(relu["saturated"] + tanh["dead"] + linear["dead"] + linear["saturated"]) == {None}
    plain = c.get(f"/v1/jobs/{job['id']}/curve").json
    assert "health" not in plain
    c.get(f"/v1/jobs/{job['id']}/curve?health=yes", status=422)


def test_the_norm_of_weights_is_that_of_the_version(c, fresh):
    found, job = health(c, fresh, {"layers": [4]})
    for i, layer in enumerate(found["layers"]):
        shown = c.get(f"/v1/models/{fresh}/versions/{job['version']}/layers/{i}")
        numbers = [w for row in shown["weights"] for w in row] + shown["biases"]
        assert layer["weight_norm"][-1] == pytest.approx(sum(w * w for w in numbers) ** 0.5, rel=1e-4)


def test_dead_and_saturated_units_are_seen(c, fresh):
    """A learning rate far too large kills relus, and drives tanh to its bounds."""
    wild = {"optimizer": {"name": "sgd", "learning_rate": 3}, "gradient_clip_norm": 1}
    dead, _ = health(c, f"{fresh}-relu", {"layers": [8]}, **wild)
    saturated, _ = health(c, f"{fresh}-tanh", {"layers": [{"units": 8, "activation": "tanh"}]}, **wild)
    assert max(dead["layers"][0]["dead"]) > 0
    calm, _ = health(c, f"{fresh}-calm", {"layers": [{"units": 8, "activation": "tanh"}]})
    assert calm["layers"][0]["saturated"][-1] < max(saturated["layers"][0]["saturated"])


def test_it_is_thinned_with_the_curve(c, fresh):
    """A run of about a second: some ten measurements, fewer on a machine that is very quick, two at the least."""
    last = scaled(1500)
    found, job = health(c, fresh, {"layers": [256, 256]}, epochs=last)
    epochs = found["epoch"]
    thinned = c.get(f"/v1/jobs/{job['id']}/curve?health=true&points=2")["health"]
    assert len(thinned["epoch"]) == 2 <= len(epochs) and thinned["epoch"][-1] == epochs[-1] == last
    assert all(len(layer["weight_norm"]) == 2 for layer in thinned["layers"])
    some = c.get(f"/v1/jobs/{job['id']}/curve?health=true&from=2&to={last}")["health"]
    assert some["epoch"] == epochs[1:]


def test_where_it_diverged(c, fresh):
    """The error names the layer, the epoch and the step in which a number left the finite ones."""
    c.csv("plane", PLANE)
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [4], "normalize": "none"})
    job = c.post(f"/v1/models/{fresh}:train", {**TRAIN, "optimizer": {"name": "sgd", "learning_rate": 1000}},
                 status=202)
    ended = c.ended(job["id"], "failed")
    assert ended["stop_reason"] == "diverged"
    for word in ("layer", "epoch", "step"):
        assert word in ended["error"]["detail"], ended["error"]["detail"]
