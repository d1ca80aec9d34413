"""Versions in memory: when they come there, and when they leave."""
import re

from data import example, iris_model

ROW = [5.1, 3.5, 1.4, 0.2]
MODELS = [f"m{i}" for i in range(7)]


def registry(c):
    text = c.get("/metrics").text
    return {name: float(re.search(rf"^descentd_registry_{name} (\S+)$", text, re.M)[1]) for name in ("versions", "bytes", "loads_total", "evictions_total")}


def filled(start):
    """A stopped daemon whose database has models, the last two without a version."""
    daemon = start()
    c = daemon.client()
    c.csv("iris", example("iris"))
    for name in MODELS:
        c.put(f"/v1/models/{name}", iris_model(layers=[100, 100], seed=1))
    for name in MODELS[:5]:
        c.train(name, {"dataset": "iris", "epochs": 2, "seed": 1})
    daemon.stop()
    return daemon


def again(daemon, *flags):
    daemon.arguments = [*daemon.arguments, *flags]
    return daemon.run().client()


def test_on_first_use(start):
    c = again(filled(start))
    assert registry(c)["loads_total"] == 0
    c.predict("m1", [ROW])
    c.predict("m1", [ROW])
    assert registry(c)["loads_total"] == 1


def test_before_serving(start):
    daemon = filled(start)
    c = daemon.run().client()
    for i in range(120):  # they come first, and are more than are looked at together
        c.put(f"/v1/models/a{i}", {"inputs": 1, "outputs": 1})
    daemon.stop()
    c = again(daemon, "--preload")
    before = registry(c)
    assert before["loads_total"] == before["versions"] == 5
    daemon.says('"5 models are in memory"')
    for name in MODELS[:5]:
        c.predict(name, [ROW])
    assert registry(c)["loads_total"] == 5


def test_no_more_than_there_is_room_for(start):
    daemon = filled(start)
    one = registry(again(daemon, "--preload"))["bytes"] / 5
    daemon.stop()
    assert (1 << 20) > 2 * one, "the network is too large for this test"
    c = daemon.run().client()
    c.put("/v1/models/large", iris_model(layers=[500, 500], seed=1))
    c.train("large", {"dataset": "iris", "epochs": 1})
    daemon.stop()
    c = again(daemon, "--model-memory", "1M")
    found = registry(c)
    assert found["evictions_total"] == 1 and daemon.says("as many as --model-memory holds")
    for name in (*MODELS[:5], "large", *MODELS[:5]):
        c.predict(name, [ROW])
        assert registry(c)["bytes"] <= (1 << 20) or registry(c)["versions"] == 1
    assert registry(c)["evictions_total"] > found["evictions_total"]
