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
    assert names(catalog["initializers"]) >= {"glorot_uniform", "glorot_normal", "he_uniform", "he_normal"}
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
    for entries in catalog.values():
        for parameter in (p for e in entries for p in e["parameters"]):
            assert re.fullmatch(r"[\[(]\S+, \S+[\])]", parameter["range"]), parameter


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
    for kind in ("activations", "losses"):
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
