"""A curve of mini-batches, few of many of its points: the same after kills as if there had been none."""
from data import example, iris_model
from harness import wait_for

KILLS = 3
BODY = {"dataset": "iris", "epochs": 20_000, "batch_size": 40, "seed": 3, "record": "step", "evaluate_every": 7, "threads": 1,
        "validation": {"split": 0.2}, "early_stopping": None, "checkpoint_every_seconds": 0.05,
        "optimizer": {"name": "momentum", "learning_rate": 0.001}}


def curve(c, job, query=""):
    """Without the clock's readings."""
    return {k: v for k, v in c.get(f"/v1/jobs/{job}/curve{query}").json.items() if k not in ("job", "seconds")}


def check_thinned(thinned, whole, points):
    """Where buckets begin goes by when blocks were written; what is in the answer does not."""
    at = dict(zip(whole["step"], range(len(whole["step"]))))
    assert points / 5 <= thinned["returned"] <= points and thinned["step"] == sorted(set(thinned["step"]))
    for column in ("epoch", "loss", "val_loss", "accuracy"):
        assert thinned[column] == [whole[column][at[s]] for s in thinned["step"]]


def test_mini_batches_go_on_where_they_were(start):
    daemon = start("--workers", 1)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    calm = c.train("m", BODY)
    expected = curve(c, calm["id"])
    assert expected["total"] == 60_000 and expected["step"] == list(range(1, 60_001))
    job = c.start("m", BODY)["id"]
    for kill in range(KILLS):
        wait_for("some way", lambda: c.job(job)["epoch"] > 2000 + 4500 * kill or c.job(job)["state"] == "succeeded", 60)
        daemon.kill()
        daemon.run()
        c = daemon.client()
    end = c.ended(job, seconds=120)
    assert end["resumed"] >= 1
    assert curve(c, job) == expected
    for points in (40, 500, 5000):
        thinned = curve(c, job, f"?points={points}")
        assert thinned["total"] == 60_000 and (thinned["step"][0], thinned["step"][-1]) == (1, 60_000)
        assert max(thinned["loss"]) == max(expected["loss"]) and min(thinned["loss"]) == min(expected["loss"])
        check_thinned(thinned, expected, points)
    part = curve(c, job, "?from=5001&to=15000&points=300")
    assert part["total"] == 30_000 and (part["step"][0], part["step"][-1]) == (15_001, 45_000)
    check_thinned(part, expected, 300)
    assert c.layers("m", end["version"]) == c.layers("m", calm["version"])
