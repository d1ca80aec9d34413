"""First weights as a definition names them, seen after a training whose steps are too small to change them."""
import math

import pytest

from fields import covers

INPUTS, UNITS = 30, 20


@pytest.fixture
def first_weights(c, fresh):
    """[units][inputs] of the hidden layer that has this init."""
    def look(init, seed=1, activation="relu", units=UNITS):
        model = f"{fresh}-{look.count}"
        look.count += 1
        layer = {"units": units, "activation": activation, **({"init": init} if init else {})}
        c.put(f"/v1/models/{model}", {"inputs": INPUTS, "outputs": 1, "layers": [layer], "seed": seed})
        job = c.train(model, {"data": {"inputs": [[0] * INPUTS, [1] * INPUTS], "targets": [[0], [1]]}, "epochs": 1,
                              "optimizer": {"name": "sgd", "learning_rate": 1e-30}, "validation": None})
        return c.layers(model, job["version"])[0][0]
    look.count = 0
    return look


def flat(weights):
    return [w for row in weights for w in row]


def deviation(weights):
    return math.sqrt(sum(w * w for w in flat(weights)) / len(flat(weights)))


def test_a_name_or_an_object(first_weights):
    assert first_weights("he_normal") == first_weights({"name": "he_normal"}) == first_weights(None)
    assert first_weights("he_normal") != first_weights("he_normal", seed=2)
    assert first_weights(None, activation="selu") == first_weights("lecun_normal", activation="selu")
    assert first_weights(None, activation="tanh") == first_weights("glorot_uniform", activation="tanh")
    assert first_weights("normal") == first_weights({"name": "normal", "deviation": 0.05})


@covers("LayerDefinition.init")
def test_parameters_of_initializers(first_weights):
    assert set(flat(first_weights("zeros"))) == {0}
    assert set(flat(first_weights({"name": "constant", "value": -0.25}))) == {-0.25}
    assert set(flat(first_weights({"name": "constant", "value": 0.5}))) == {0.5}
    for size in (0.02, 0.5):
        assert deviation(first_weights({"name": "normal", "deviation": size})) == pytest.approx(size, rel=0.1)
        even = first_weights({"name": "uniform", "limit": size})
        assert size * 0.95 < max(map(abs, flat(even))) < size
        assert deviation(even) == pytest.approx(size / math.sqrt(3), rel=0.1)
    for name, variance in (("he", 2 / INPUTS), ("lecun", 1 / INPUTS), ("glorot", 2 / (INPUTS + UNITS))):
        for kind in ("uniform", "normal"):
            assert deviation(first_weights(f"{name}_{kind}")) == pytest.approx(math.sqrt(variance), rel=0.1)


@pytest.mark.parametrize("units", (UNITS, INPUTS, 50))
def test_orthogonal_layers_are(first_weights, units):
    for gain in (1, 1.5):
        rows = first_weights({"name": "orthogonal", "gain": gain}, units=units)
        if units > INPUTS:
            rows = list(zip(*rows))
        for i, a in enumerate(rows):
            for j, b in enumerate(rows[:i + 1]):
                dot = sum(x * y for x, y in zip(a, b))
                assert dot == pytest.approx(gain * gain if i == j else 0, abs=1e-5)


def test_what_is_shown(c, fresh):
    shown = c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [
        {"units": 2, "init": {"name": "normal", "deviation": 0.5}}, {"units": 2, "init": "zeros"}, 2]}).json["layers"]
    assert [layer["init"] for layer in shown[:3]] == ["normal", "zeros", "he_normal"]
    assert shown[0]["init_parameters"] == {"deviation": 0.5} and "init_parameters" not in shown[1]


def test_faults(c, fresh):
    for init, pointer in (("xavier", "/layers/0/init"), ({"deviation": 1}, "/layers/0/init"), (3, "/layers/0/init"),
                          ({"name": "normal", "deviation": 0}, "/layers/0/init/deviation"),
                          ({"name": "normal", "limit": 1}, "/layers/0/init/limit"),
                          ({"name": "zeros", "value": 1}, "/layers/0/init/value")):
        answer = c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [{"units": 2, "init": init}]},
                       status=422)
        assert answer.pointers() == [pointer], init
