"""Memory that requests may take: a JSON tree is many times its text, so large documents are refused before they are one."""
import pytest

from data import table
from harness import not_sanitized


def test_a_document_too_large_for_the_budget(start):
    daemon = start("--memory-budget", "64M")
    c = daemon.client()
    small = {"inputs": 2, "outputs": 1, "layers": [2], "description": "x" * 1000}
    large = {**small, "metadata": {f"k{i}": "" for i in range(60_000)}}
    for _ in range(3):  # what is refused or has ended takes nothing
        refused = c.put("/v1/models/large", large, status=413)
        assert "--memory-budget" in refused.sentence()
        c.put("/v1/models/small", small, status=(200, 201))
    c.put("/v1/models/long", {**small, "description": "x" * 1_000_000}, status=201)  # is a tree of that size only
    assert start().client().put("/v1/models/large", large, status=201)


def test_inline_data_are_no_document(start):
    """They are read without a tree and are not charged for one."""
    daemon = start("--memory-budget", "64M")
    c = daemon.client()
    c.put("/v1/models/m", {"inputs": 2, "outputs": 1, "layers": [2]})
    rows = [[i, i + 1] for i in range(40_000)]
    body = {"data": {"inputs": rows, "targets": [i[0] for i in rows]}, "epochs": 1}
    c.ended(c.post("/v1/models/m:train", body, status=202)["id"])


def test_a_network_and_a_training_too_large_for_the_budget(start):
    daemon = start("--memory-budget", "64M")
    c = daemon.client()
    refused = c.put("/v1/models/m", {"inputs": 1, "outputs": 1, "layers": [3000, 3000]}, status=422)
    assert refused.pointers() == ["/layers"] and "--memory-budget" in refused.sentence()
    c.put("/v1/models/m", {"inputs": 1, "outputs": 1, "layers": [2000, 2000]})
    data = {"data": {"inputs": [[1], [2]], "targets": [1, 2]}, "epochs": 1}
    refused = c.post("/v1/models/m:train", data, status=422)
    assert refused.code == "out-of-range" and "--memory-budget" in refused.sentence()
    c.put("/v1/models/n", {"inputs": 1, "outputs": 1, "layers": [500, 500]})
    c.ended(c.post("/v1/models/n:train", data, status=202)["id"])


def test_an_evaluation_keeps_to_the_budget(start):
    """With little memory the areas under curves come from bins, and the answer says how far off they may be."""
    rows = [(i % 1000 + (i % 7) * 40 + i / 80_001, "high" if i % 1000 > 500 else "low") for i in range(80_000)]
    exact, near = (evaluated(start(*budget).client(), rows) for budget in ((), ("--memory-budget", "64M")))
    assert "warnings" not in exact and any("roc_auc" in w for w in near["warnings"])
    for name in ("roc_auc", "pr_auc"):
        assert near["metrics"][name] != exact["metrics"][name] == pytest.approx(near["metrics"][name], abs=1e-4)
    for name in ("accuracy", "log_loss", "matthews"):
        assert near["metrics"][name] == exact["metrics"][name]


def evaluated(c, rows):
    c.csv("levels", table(["x", "level"], rows))
    c.put("/v1/models/m", {"dataset": "levels", "target": "level", "layers": [4], "seed": 1})
    c.train("m", {"dataset": "levels", "epochs": 1, "seed": 1, "batch_size": 1000, "threads": 1})
    return c.post("/v1/models/m:evaluate", {"dataset": "levels"}).json


@not_sanitized("it keeps what was freed")
def test_jobs_that_ended_hold_no_memory(start):
    """Each job's thread left what it had freed in an arena of its own: ten jobs on the same rows took ten times the memory."""
    daemon = start("--memory-budget", "256M", "--workers", "1", "--threads", "2")
    c = daemon.client()
    c.csv("long", "x,y\n" + "1,2\n3,4\n" * 500_000)
    c.put("/v1/models/long", {"dataset": "long", "target": "y", "layers": []})
    jobs = {"dataset": "long", "epochs": 1, "batch_size": 4096, "validation": {"split": 0.1}}
    resident = [c.train("long", jobs) and daemon.resident() for _ in range(8)]
    assert resident[-1] < resident[1] + (16 << 20), resident
