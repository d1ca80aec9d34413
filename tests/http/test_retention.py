"""--keep-jobs and --keep-versions: what goes, what stays, and a file that becomes smaller."""
import os

import pytest

from data import by_hand, example, iris_model
from harness import wait_for

TINY = {"dataset": "iris", "epochs": 2, "seed": 1}


def settled(what, look, wanted):
    found = []

    def reached():
        found[:] = [look()]
        return found[0] == wanted
    wait_for(f"{what} to be {wanted}, not {found}", reached)


def trained(c, count, model="m"):
    c.csv("iris", example("iris"))
    c.put(f"/v1/models/{model}", iris_model(seed=1), status=(200, 201))
    return [c.train(model, TINY)["id"] for _ in range(count)]


def job_ids(c):
    return sorted((job["id"] for job in c.get("/v1/jobs?limit=1000")["jobs"]), key=int)


def versions(c, model="m"):
    return sorted((v["version"] for v in c.get(f"/v1/models/{model}/versions")["versions"]), key=int)


@pytest.mark.parametrize("keep", [1, 3])
def test_jobs_beyond_the_newest_go(start, keep):
    daemon = start("--workers", 1, "--keep-jobs", keep)
    c = daemon.client()
    ids = trained(c, 5)
    settled("the jobs", lambda: job_ids(c), ids[-keep:])
    c.get(f"/v1/jobs/{ids[0]}", status=404)
    c.get(f"/v1/jobs/{ids[0]}/curve", status=404)
    assert len(versions(c)) == 5, "their versions stay"
    assert c.get("/v1/system")["keep"] == {"jobs": keep, "versions": None}


def test_unfinished_jobs_are_not_counted(start):
    """A job that waits or runs is no ended one, however old it is."""
    daemon = start("--workers", 1, "--keep-jobs", 1)
    c = daemon.client()
    trained(c, 1)
    old = c.start("m", {**TINY, "epochs": 10_000_000, "batch_size": 8, "early_stopping": None})["id"]
    waiting = c.start("m", TINY)["id"]
    gone, newest = (c.start("m", TINY)["id"] for _ in range(2))
    c.running(old)
    for job in (gone, newest):
        c.cancel(job)
    settled("the jobs", lambda: job_ids(c), [old, waiting, newest])
    by_state = c.get("/v1/system")["jobs"]
    assert (by_state["running"], by_state["queued"], by_state["cancelled"]) == (1, 1, 1)
    c.cancel(old)


@pytest.mark.parametrize("keep, left", [(1, ["2", "6"]), (3, ["2", "4", "5", "6"])])
def test_versions_beyond_the_newest_go_but_not_labelled_ones(start, keep, left):
    """The label keeps its version; one that went answers 404, also where it was in memory."""
    folder = start("--workers", 1)
    c = folder.client()
    trained(c, 6)
    c.request("PUT", "/v1/models/m/labels/stable", document={"version": "2"}, status=(200, 201))
    rows = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
    for version in range(1, 7):
        c.post(f"/v1/models/m/versions/{version}:predict", rows)
    folder.stop()
    folder.arguments += ["--keep-versions", str(keep)]
    c = folder.run().client()
    settled("the versions", lambda: versions(c), left)
    c.post("/v1/models/m/versions/1:predict", rows, status=404)
    assert c.post("/v1/models/m:predict", rows)["model_version"] == "2"
    assert c.train("m", TINY)["version"] == "7"
    settled("the versions", lambda: versions(c), [*left, "7"][:1] + [*left, "7"][-keep:])


def test_a_version_in_memory_is_forgotten(start):
    daemon = start("--workers", 1, "--keep-versions", 1)
    c = daemon.client()
    trained(c, 1)
    rows = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
    c.post("/v1/models/m/versions/1:predict", rows)
    trained(c, 1)
    settled("the answer", lambda: c.post("/v1/models/m/versions/1:predict", rows, status=(200, 404)).status, 404)


def test_each_model_has_its_own(start):
    daemon = start("--workers", 1, "--keep-versions", 1)
    c = daemon.client()
    for model in ("a", "b"):
        trained(c, 2, model)
    settled("the versions", lambda: (versions(c, "a"), versions(c, "b")), (["2"], ["2"]))


def test_the_file_becomes_smaller(start):
    """Versions of a MiB each go, and with them the pages of the file, on the disk too."""
    daemon = start()
    c = daemon.client()
    c.put("/v1/models/wide", {"inputs": 512, "outputs": 512, "layers": []})
    weights = by_hand([[[0.125] * 512] * 512], [[0] * 512])
    for _ in range(12):
        c.post("/v1/models/wide/versions", weights, status=201)
    before = c.get("/v1/system")["store"]
    assert before["version_bytes"] > 12 << 20
    daemon.stop()
    whole = os.path.getsize(daemon.database)
    daemon.arguments += ["--keep-versions", "2"]
    c = daemon.run().client()
    settled("the versions", lambda: len(versions(c, "wide")), 2)
    wait_for("the file to shrink", lambda: c.get("/v1/system")["store"]["file_bytes"] < before["file_bytes"] / 3)
    after = c.get("/v1/system")["store"]
    assert after["version_bytes"] * 5 < before["version_bytes"]
    daemon.stop()
    assert os.path.getsize(daemon.database) < whole / 3


@pytest.mark.parametrize("option", ["--keep-jobs", "--keep-versions"])
@pytest.mark.parametrize("value", ["0", "-1", "all", "1.5"])
def test_numbers_that_cannot_be(start, option, value):
    daemon = start(option, value, run=False)
    code, said = daemon.refused()
    assert code == 2 and option in said and "whole number" in said
