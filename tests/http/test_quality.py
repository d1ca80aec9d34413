"""What comes out is right: against closed forms, and on problems with known answers."""
import pytest

from data import PLANE, XOR, example, records

DIABETES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]


def least_squares(rows, targets):
    """Coefficients, the constant last, by the normal equations and Gauss elimination; rows are standardized."""
    rows = [[*row, 1.0] for row in rows]
    n = len(rows[0])
    system = [[sum(r[i] * r[j] for r in rows) for j in range(n)] + [sum(r[i] * t for r, t in zip(rows, targets))]
              for i in range(n)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(system[k][i]))
        system[i], system[pivot] = system[pivot], system[i]
        for k in range(n):
            if k != i:
                factor = system[k][i] / system[i][i]
                system[k] = [a - factor * b for a, b in zip(system[k], system[i])]
    return [system[i][n] / system[i][i] for i in range(n)]


def standardized(columns):
    out = []
    for column in columns:
        mean = sum(column) / len(column)
        deviation = (sum((x - mean) ** 2 for x in column) / len(column)) ** 0.5
        out.append([(x - mean) / deviation for x in column])
    return [list(row) for row in zip(*out)]


@pytest.mark.parametrize("optimizer,epochs", [({"name": "sgd", "learning_rate": 0.1}, 4000),
                                              ({"name": "momentum", "learning_rate": 0.05}, 2000),
                                              ({"name": "adam", "learning_rate": 0.05}, 3000)])
def test_one_linear_neuron_is_linear_regression(c, fresh, optimizer, epochs):
    """The error on diabetes.csv is the closed form's, to a thousandth."""
    table = records(example("diabetes"))
    truth = [float(r["progression"]) for r in table]
    rows = standardized([[float(r[name]) for r in table] for name in DIABETES])
    w = least_squares(rows, truth)
    fitted = [sum(a * b for a, b in zip(w, [*row, 1.0])) for row in rows]
    best = sum((f - t) ** 2 for f, t in zip(fitted, truth)) / len(truth)
    c.csv("diabetes", example("diabetes"))
    c.put(f"/v1/models/{fresh}", {"dataset": "diabetes", "target": "progression", "layers": []})
    c.train(fresh, {"dataset": "diabetes", "epochs": epochs, "batch_size": "full", "optimizer": optimizer,
                    "validation": None, "early_stopping": None})
    found = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": "diabetes"})["metrics"]["mse"]
    assert best * 0.99999 <= found <= best * 1.001


def test_a_plane_is_found_exactly(c, fresh):
    """y = 3 a - 2 b + 1, unscaled: the weights themselves are 3, -2 and 1."""
    c.csv("plane", PLANE)
    c.put(f"/v1/models/{fresh}", {"inputs": [{"name": "a", "type": "number"}, {"name": "b", "type": "number"}],
                                  "outputs": [{"name": "y", "type": "number"}], "layers": [], "normalize": "none"})
    c.train(fresh,
            {"dataset": "plane", "epochs": 4000, "batch_size": "full", "validation": None, "early_stopping": None,
                    "optimizer": {"name": "momentum", "learning_rate": 0.005}})
    (weights, biases), = c.layers(fresh, "1")
    assert weights[0] == pytest.approx([3, -2], abs=1e-3) and biases == pytest.approx([1], abs=1e-3)
    assert c.predict(fresh, [[100, 50]])["predictions"][0] == pytest.approx([201], abs=0.1)


def test_xor(c, fresh):
    """2-4-1 with tanh learns it, whatever it starts from."""
    learnt = 0
    for seed in range(10):
        model = f"{fresh}-{seed}"
        c.put(f"/v1/models/{model}",
              {"inputs": 2, "outputs": 1, "layers": [{"units": 4, "activation": "tanh"}], "seed": seed})
        job = c.train(model, {"data": XOR, "epochs": 5000, "batch_size": "full", "target_loss": 0.0099, "seed": seed,
                              "validation": None, "early_stopping": None,
                              "optimizer": {"name": "adam", "learning_rate": 0.05}})
        learnt += job["metrics"]["loss"] < 0.01
        if job["metrics"]["loss"] < 0.01:
            found = [p[0] > 0.5 for p in c.predict(model, XOR["inputs"])["predictions"]]
            assert found == [False, True, True, False]
    assert learnt >= 9


@pytest.mark.parametrize("name,target,floor", [("iris", "species", 0.9), ("wine", "cultivar", 0.93),
                                               ("breast_cancer", "diagnosis", 0.93), ("digits", "digit", 0.93)])
def test_defaults_are_sound(c, name, target, floor):
    """No layers and no hyperparameters named: what is held out is classified well."""
    c.csv(name, example(name))
    c.put(f"/v1/models/{name}", {"dataset": name, "target": target})
    job = c.train(name, {"dataset": name, "validation": {"split": 0.3}, "seed": 1})
    assert job["metrics"]["val_accuracy"] >= floor
