"""test_estimate.py - :estimate says what :train would take, and refuses what it would refuse."""
from data import GRID, PLANE, XOR


def test_it_says_what_training_would_take(c, fresh):
    c.csv("plane", PLANE)
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [32]})
    small = c.post(f"/v1/models/{fresh}:estimate", {"dataset": "plane", "epochs": 10, "validation": None})
    assert small["parameters"] == 2 * 32 + 32 + 32 + 1 and small["size_bytes"] == 4 * small["parameters"]
    assert small["rows"] == len(GRID)
    assert small["config"]["epochs"] == 10
    assert small["expected_seconds"] == 10 * small["epoch_seconds"] > 0
    assert small["training_bytes"] > 3 * small["size_bytes"]
    many = c.post(f"/v1/models/{fresh}:estimate", {"dataset": "plane", "validation": None, "optimizer": "lbfgs"})
    assert many["training_bytes"] > small["training_bytes"] + 15 * small["size_bytes"], "it keeps a history"
    half = c.post(f"/v1/models/{fresh}:estimate", {"dataset": "plane", "validation": {"split": 0.5}})
    assert half["rows"] == len(GRID) // 2
    assert c.get(f"/v1/jobs?model={fresh}")["jobs"] == [], "nothing was started"


def test_more_work_takes_longer(c, fresh):
    """Two networks of which one has ten thousand times the work, the shortest of three estimates of each."""
    c.csv("plane", PLANE)
    found = {}
    for units in (1, 600):
        c.put(f"/v1/models/{fresh}-{units}", {"dataset": "plane", "target": "y", "layers": [units, units]})
        found[units] = min(c.post(f"/v1/models/{fresh}-{units}:estimate", {
            "dataset": "plane", "threads": 1, "validation": None})["epoch_seconds"] for _ in range(3))
    assert found[600] > found[1]


def test_inline_data_are_not_kept(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [4]})
    answer = c.post(f"/v1/models/{fresh}:estimate", {"data": XOR, "epochs": 7})
    assert answer["rows"] == 4 and answer["config"]["epochs"] == 7


def test_it_refuses_what_train_refuses(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [4]})
    for body in ({"data": XOR, "batch_size": 100}, {"data": XOR, "epoch": 1}, {}):
        refused = [c.post(f"/v1/models/{fresh}:{verb}", body, status=422) for verb in ("train", "estimate")]
        assert refused[0].pointers() == refused[1].pointers()
    c.post("/v1/models/nobody:estimate", {"data": XOR}, status=404)
