"""The schedule of a training: its rates in the curve, its parameters, and that a run stays what its seed makes it."""
import math

import pytest

from fields import covers

RATE = 0.01
ROWS = [[i / 20, (i % 5) / 5] for i in range(20)]
EPOCHS = 20
TRAIN = {"data": {"inputs": ROWS, "targets": [[a - b] for a, b in ROWS]}, "epochs": EPOCHS, "batch_size": 4, "seed": 1,
         "optimizer": {"name": "sgd", "learning_rate": RATE}, "validation": None, "early_stopping": None}
STEP = 1 / 5  # of an epoch

SHAPES = [  # schedule, the factor at an epoch
    ({"name": "step", "step_size": 6, "gamma": 0.5}, lambda e: 0.5 ** (e // 6)),
    ({"name": "multistep", "milestones": [2, 15], "gamma": 0.1}, lambda e: 0.1 ** ((e >= 2) + (e >= 15))),
    ({"name": "exponential", "gamma": 0.9}, lambda e: 0.9 ** e),
    ({"name": "cosine", "min_factor": 0.1}, lambda e: 0.1 + 0.9 * (1 + math.cos(math.pi * e / EPOCHS)) / 2),
    ({"name": "cosine", "period": 4}, lambda e: (1 + math.cos(math.pi * (e % 4) / 4)) / 2),
    ({"name": "inverse_time", "decay": 1}, lambda e: 1 / (1 + e)),
    ({"name": "polynomial", "power": 2}, lambda e: (1 - e / EPOCHS) ** 2),
    ({"name": "polynomial", "warmup": 5}, lambda e: (e + STEP) / 5 if e < 5 else 1 - (e - 5) / 15),
]


@pytest.fixture
def plane(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [4], "seed": 1})
    return fresh


def curve(c, job, column="learning_rate"):
    return c.get(f"/v1/jobs/{job['id']}/curve")[column]


@covers("TrainRequest.schedule")
def test_the_curve_shows_the_rates(c, plane):
    assert curve(c, c.train(plane, TRAIN)) == [RATE] * EPOCHS
    for schedule, factor in SHAPES:
        job = c.train(plane, {**TRAIN, "schedule": schedule})
        assert job["config"]["schedule"].items() >= schedule.items()
        rates = curve(c, job)
        # a point has the rate of its epoch's last step
        assert rates == pytest.approx([RATE * factor(e + 1 - STEP) for e in range(EPOCHS)], rel=1e-9), schedule


def test_what_is_no_schedule(c, plane):
    plain = c.train(plane, TRAIN)
    assert plain["config"]["schedule"] is None
    for schedule in (None, "constant", {"name": "constant"}):
        job = c.train(plane, {**TRAIN, "schedule": schedule})
        assert job["config"]["schedule"] is None
        assert c.layers(plane, job["version"]) == c.layers(plane, plain["version"])


def test_a_plateau_is_left(c, plane):
    schedule = {"name": "reduce_on_plateau", "patience": 2, "min_delta": 1000, "factor": 0.5}
    job = c.train(plane, {**TRAIN, "schedule": schedule})
    rates = curve(c, job)
    # the first epoch is the best, the three after it are too many, and so on
    assert rates == pytest.approx([RATE * 0.5 ** max(0, (e - 1) // 3) for e in range(EPOCHS)])


def test_every_parameter_of_every_schedule(c, plane):
    found = {}
    base = {"multistep": {"milestones": [3, 9]}, "cosine": {"period": 3, "period_factor": 2},
            "reduce_on_plateau": {"patience": 1, "min_delta": 1, "cooldown": 2}}
    other = {"warmup": 3, "step_size": 5, "milestones": [4, 9], "min_factor": 0.2, "start_factor": 0.3,
             "end_factor": 0.4, "patience": 3, "min_delta": 0, "cooldown": 5, "period": 7, "period_factor": 1.5,
             "power": 3}
    for schedule in c.get("/v1/catalog")["schedules"]:
        plain = {"name": schedule["name"], **base.get(schedule["name"], {})}
        found[schedule["name"]] = rates = curve(c, c.train(plane, {**TRAIN, "schedule": plain}))
        assert all(rate >= 0 for rate in rates)
        for p in schedule["parameters"]:
            value = other.get(p["name"], p["default"] if isinstance(p["default"], list) else p["default"] / 2)
            job = c.train(plane, {**TRAIN, "schedule": {**plain, p["name"]: value}})
            assert job["config"]["schedule"][p["name"]] == value
            assert curve(c, job) != rates, f"{schedule['name']}: {p['name']} changes nothing"
    assert len(set(map(tuple, found.values()))) == len(found), "each has its own shape"


def test_one_seed_one_result_at_any_number_of_threads(c, plane):
    for schedule in ("one_cycle", {"name": "cosine", "warmup": 2, "period": 3}):
        one, two = (c.train(plane, {**TRAIN, "threads": threads, "schedule": schedule}) for threads in (1, 2))
        assert c.layers(plane, one["version"]) == c.layers(plane, two["version"])


def test_faults(c, plane):
    for schedule, pointer in (("cosin", "/schedule"), ({"warmup": 1}, "/schedule"), (5, "/schedule"),
                              ({"name": "cosine", "gamma": 1}, "/schedule/gamma"),
                              ({"name": "step", "gamma": 0}, "/schedule/gamma"),
                              ({"name": "multistep", "milestones": 5}, "/schedule/milestones"),
                              ({"name": "multistep", "milestones": [5, "x"]}, "/schedule/milestones/1"),
                              ({"name": "multistep", "milestones": list(range(20))}, "/schedule/milestones")):
        answer = c.post(f"/v1/models/{plane}:train", {**TRAIN, "schedule": schedule}, status=422)
        assert answer.pointers() == [pointer], schedule
    assert "cosine" in c.post(f"/v1/models/{plane}:train", {**TRAIN, "schedule": "cosin"}, status=422).json["detail"]
