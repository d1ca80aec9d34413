"""The catalogue: what is there, what is said about it, and curves to plot."""
import math
import re

import pytest

from fields import covers

FUNCTIONS = {  # value, derivative
    "linear": (lambda x: x, lambda x: 1),
    "relu": (lambda x: max(0, x), lambda x: float(x > 0)),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2),
    "tanh": (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    "elu": (lambda x: x if x > 0 else math.expm1(x), lambda x: 1 if x > 0 else math.exp(x)),
    "gelu": (lambda x: x * math.erfc(-x / 2 ** .5) / 2,
             lambda x: math.erfc(-x / 2 ** .5) / 2 + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
    "softplus": (lambda x: math.log1p(math.exp(x)), lambda x: 1 / (1 + math.exp(-x))),
    "exponential": (math.exp, math.exp),
    "step": (lambda x: float(x >= 0), lambda x: 0),
}


@pytest.fixture
def catalog(c):
    return c.get("/v1/catalog").json


def names(entries):
    return {e["name"] for e in entries}


def test_what_is_there(catalog):
    assert names(catalog["activations"]) >= {
        "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "sigmoid", "hard_sigmoid", "tanh",
        "softsign", "softmax", "exponential", "step"}
    assert names(catalog["losses"]) >= {"mse", "cross_entropy", "binary_cross_entropy"}
    assert names(catalog["optimizers"]) >= {"sgd", "momentum", "adam"}
    assert names(catalog["schedules"]) == {
        "constant", "step", "multistep", "exponential", "cosine", "one_cycle", "inverse_time", "polynomial",
        "reduce_on_plateau"}
    assert names(catalog["initializers"]) == {
        "zeros", "constant", "uniform", "normal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
        "lecun_uniform", "lecun_normal", "orthogonal"}
    assert names(catalog["metrics"]) >= {"accuracy", "mae"}


def test_every_entry_alone(c, catalog):
    for kind, entries in catalog.items():
        assert len(names(entries)) == len(entries)
        for entry in entries:
            assert entry["kind"] == kind
            assert c.get(f"/v1/catalog/{kind}/{entry['name']}").json == entry


def test_what_is_said(catalog):
    for activation in catalog["activations"]:
        assert {"derivative", "range", "nonlinear", "differentiable"} <= set(activation)
    by_name = {a["name"]: a for a in catalog["activations"]}
    assert by_name["linear"]["nonlinear"] is False and by_name["tanh"]["nonlinear"] is True
    assert by_name["relu"]["differentiable"] is False and by_name["tanh"]["differentiable"] is True
    assert by_name["step"]["differentiable"] is False and by_name["gelu"]["differentiable"] is True
    assert by_name["sigmoid"]["range"] == "(0, 1)" and by_name["tanh"]["range"] == "(-1, 1)"
    for loss in catalog["losses"]:
        assert {"derivative", "range", "differentiable"} <= set(loss)
    for schedule in catalog["schedules"]:
        assert {"derivative", "range", "nonlinear", "differentiable"} <= set(schedule)
        assert schedule["parameters"][0]["name"] == "warmup"
    for entries in catalog.values():
        for parameter in (p for e in entries for p in e["parameters"]):
            assert re.fullmatch(r"[\[(]\S+, \S+[\])]", parameter["range"]), parameter


def within(text, value):
    """Whether a number lies in an interval as the catalogue writes it."""
    low, high = (float(end) for end in text[1:-1].split(", "))
    return (low < value or (value == low and text[0] == "[")) and (value < high or (value == high and text[-1] == "]"))


def test_every_row_is_whole(catalog):
    """A form can be drawn from it, and what it starts with is allowed."""
    for kind, entries in catalog.items():
        for entry in entries:
            where = f"{kind}/{entry['name']}"
            assert re.fullmatch("[a-z][a-z0-9_]*", entry["name"]) and len(entry["source"]) > 5 and entry["formula"], where
            parameters = entry["parameters"]
            assert len(names(parameters)) == len(parameters), where
            for p in parameters:
                assert re.fullmatch("[a-z][a-z0-9_]*", p["name"]) and p["name"] != "name", where
                assert len(p["meaning"]) > 5, f"{where} {p['name']}"
                low, high = (float(end) for end in p["range"][1:-1].split(", "))
                assert low < high, f"{where} {p['name']}"
                assert p["type"] == ("numbers" if isinstance(p["default"], list) else "number"), where
                for value in p["default"] if p["type"] == "numbers" else [p["default"]]:
                    assert within(p["range"], value), f"{where} {p['name']}"


def test_parameters_of_initializers_and_schedules(c):
    def parameters(path):
        return {p["name"]: p for p in c.get(f"/v1/catalog/{path}").json["parameters"]}
    assert parameters("initializers/normal")["deviation"]["default"] == 0.05
    assert set(parameters("initializers/orthogonal")) == {"gain"} and not parameters("initializers/he_normal")
    assert set(parameters("schedules/cosine")) == {"warmup", "period", "period_factor", "min_factor"}
    milestones = parameters("schedules/multistep")["milestones"]
    assert milestones["type"] == "numbers" and milestones["default"] == []


def test_everything_named_can_be_used(c, catalog):
    for activation in names(catalog["activations"]):
        for init in names(catalog["initializers"]):
            c.put(f"/v1/models/{activation}-{init}", {"inputs": 2, "outputs": 1, "layers": [
                {"units": 2, "activation": activation, "init": init}]})
    c.put("/v1/models/any", {"inputs": 2, "outputs": 1})
    for optimizer in names(catalog["optimizers"]):
        c.train("any",
                {"data": {"inputs": [[1, 2], [3, 4]], "targets": [[1], [2]]}, "optimizer": optimizer, "epochs": 1,
                        "validation": None, "batch_size": "full"})


SCHEDULES = {  # factor over the share of all epochs that is done, 60 of them
    "constant": lambda p: 1,
    "step": lambda p: 0.1 ** math.floor(p * 3 + 1e-12),
    "multistep": lambda p: 0.1 ** ((p >= 0.5) + (p >= 0.75)),
    "exponential": lambda p: 0.97 ** (60 * p),
    "cosine": lambda p: (1 + math.cos(math.pi * p)) / 2,
    "inverse_time": lambda p: 1 / (1 + 6 * p),
    "polynomial": lambda p: 1 - p,
    "reduce_on_plateau": lambda p: 0.1 ** max(0, (math.floor(60 * p + 1e-9) - 1) // 11),
}


@covers("catalog_curve?epochs")
def test_curves_of_schedules(c, catalog):
    for name, factor in SCHEDULES.items():
        curve = c.get(f"/v1/catalog/schedules/{name}/curve?epochs=60&points=61").json
        assert curve["x"] == list(range(61)) and curve["kind"] == "schedules"
        for x, y in zip(curve["x"], curve["value"]):
            assert y == pytest.approx(factor(x / 60), abs=1e-12), f"{name} at {x}"
        assert max(map(abs, curve["derivative"])) < 0.2, "a cut has no slope"
    for entry in catalog["schedules"]:
        curve = c.get(f"/v1/catalog/schedules/{entry['name']}/curve?from=9.5&to=10.5&epochs=40&points=1001").json
        slope = (curve["value"][501] - curve["value"][499]) / (curve["x"][501] - curve["x"][499])
        assert curve["derivative"][500] == pytest.approx(slope, abs=1e-5), entry["name"]
    one_cycle = c.get("/v1/catalog/schedules/one_cycle/curve").json
    assert one_cycle["x"][-1] == 100 and one_cycle["value"].index(1) == 60 and one_cycle["value"][0] == 0.04
    assert one_cycle["derivative"][30] > 0 > one_cycle["derivative"][90]
    ends = [c.get(f"/v1/catalog/schedules/polynomial/curve?epochs={n}").json for n in (10, 20)]
    assert [curve["x"][-1] for curve in ends] == [10, 20]
    assert [curve["derivative"][-1] for curve in ends] == pytest.approx([-0.1, -0.05])
    for query, pointer in (("epochs=0", "?epochs"), ("epochs=1.5", "?epochs"), ("from=-1", "?from")):
        assert pointer in c.get(f"/v1/catalog/schedules/cosine/curve?{query}", status=422).pointers()
    assert "?epochs" in c.get("/v1/catalog/losses/mse/curve?epochs=5", status=422).pointers()


@covers("catalog_curve?from", "catalog_curve?to", "catalog_curve?points")
def test_curves_of_activations(c):
    for name, (value, derivative) in FUNCTIONS.items():
        curve = c.get(f"/v1/catalog/activations/{name}/curve?from=-3&to=2&points=12").json
        assert (curve["kind"], curve["name"]) == ("activations", name)
        assert len(curve["x"]) == len(curve["value"]) == len(curve["derivative"]) == 12
        assert (curve["x"][0], curve["x"][-1]) == (-3, 2)
        for x, y, slope in zip(curve["x"], curve["value"], curve["derivative"]):
            assert y == pytest.approx(value(x), abs=1e-5) and slope == pytest.approx(derivative(x), abs=1e-5)
    plain = c.get("/v1/catalog/activations/tanh/curve").json
    assert len(plain["x"]) > 10 and plain["x"][0] < 0 < plain["x"][-1]


def test_curves_of_all_there_are(c, catalog):
    for kind in ("activations", "losses", "schedules"):
        for entry in catalog[kind]:
            curve = c.get(f"/v1/catalog/{kind}/{entry['name']}/curve?points=101").json
            assert any(v is not None for v in curve["value"]) and any(v is not None for v in curve["derivative"])
    for kind in ("optimizers", "initializers", "metrics"):
        c.get(f"/v1/catalog/{kind}/{catalog[kind][0]['name']}/curve", status=404)


def test_what_is_not_there(c):
    for path in ("/v1/catalog/activations/gelly", "/v1/catalog/colours/red", "/v1/catalog/losses/tanh",
                 "/v1/catalog/activations/gelly/curve"):
        c.get(path, status=404)
    for query, pointer in (("points=1", "?points"), ("points=100000", "?points"), ("from=left", "?from"),
                           ("to=nan", "?to"), ("from=1e999", "?from"), ("alpha=1", "?alpha")):
        answer = c.get(f"/v1/catalog/activations/tanh/curve?{query}", status=422)
        assert pointer in answer.pointers()
    c.get("/v1/catalog/activations/tanh/curve?from=2&to=1", status=422)
