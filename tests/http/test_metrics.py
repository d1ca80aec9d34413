"""/metrics: the text format, read here again; that what happened is counted; and that no client can make it grow."""
import re
import shutil
import subprocess

import pytest

from data import XOR, by_hand, example, iris_model
from harness import wait_for

LINE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\\]|\\\\.)*)"')


def read(c):
    """({(name, labels): value}, {name: type}), everything held against the format."""
    answer = c.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8" and answer.text.endswith("\n")
    found, types, helped = {}, {}, set()
    for line in answer.text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ")[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram")
            types[name] = kind
        else:
            name, labels, value = LINE.fullmatch(line).groups()
            key = name, tuple(LABEL.findall(labels or ""))
            assert key not in found
            found[key] = float(value)
            base = next(b for b in (name, re.sub("_(bucket|sum|count)$", "", name)) if b in types)
            assert (types[base] == "histogram") == (base != name) and base in helped
            assert types[base] != "counter" or name.endswith("_total")
    return found, types


def value(found, name, **labels):
    return sum(v for (n, ls), v in found.items() if n == name and labels.items() <= dict(ls).items())


def test_what_happens_is_counted(start):
    daemon = start("--workers", 1)
    c = daemon.client()
    before, types = read(c)
    assert value(before, "descentd_build_info", version=c.get("/v1/system")["version"]) == 1
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    c.train("m", {"dataset": "iris", "epochs": 7, "validation": None})
    for _ in range(5):
        c.predict("m", [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])
    c.predict("m", [[1]], status=400)
    c.get("/nowhere", status=404)
    after, _ = wait_for("the last request to be counted", lambda: (r := read(c)) and value(r[0], "descentd_http_requests_total", code="404") and r)
    predict = "/v1/models/{model}:predict"
    assert value(after, "descentd_http_requests_total", route=predict, method="POST", code="200") == 5
    assert value(after, "descentd_http_requests_total", route=predict, code="400") == 1
    assert value(after, "descentd_http_requests_total", route="", code="404") == 1
    assert value(after, "descentd_predictions_total", model="m") == 5 and value(after, "descentd_prediction_rows_total", model="m") == 10
    assert value(after, "descentd_prediction_failures_total", model="m") == 1 and value(after, "descentd_prediction_seconds_total") > 0
    assert value(after, "descentd_trained_samples_total") == 7 * 150 and value(after, "descentd_jobs", state="succeeded") == 1
    assert value(after, "descentd_models") == value(after, "descentd_versions") == value(after, "descentd_datasets") == 1
    assert value(after, "descentd_store_commits_total") > value(before, "descentd_store_commits_total")
    assert value(after, "descentd_store_size_bytes") == c.get("/v1/system")["store"]["file_bytes"] > 0
    assert value(after, "descentd_registry_hits_total") - value(before, "descentd_registry_hits_total") >= 5
    assert value(after, "descentd_registry_loads_total") == 1 == value(after, "descentd_workers")
    assert 1e6 < value(after, "process_resident_memory_bytes") < 1e9 and value(after, "process_start_time_seconds") > 1.6e9
    for key, old in before.items():
        if types.get(key[0]) == "counter":
            assert after[key] >= old, f"{key} went back"


def test_durations_are_a_histogram(c):
    for _ in range(3):
        c.get("/livez")
    found, _ = wait_for("three", lambda: (r := read(c)) and value(r[0], "descentd_http_request_duration_seconds_count", route="/livez") >= 3 and r)
    name = "descentd_http_request_duration_seconds"
    buckets = [(dict(labels)["le"], v) for (n, labels), v in found.items() if n == name + "_bucket" and dict(labels)["route"] == "/livez"]
    counts = [v for _, v in buckets]
    assert counts == sorted(counts) and buckets[-1][0] == "+Inf" and [float(le) for le, _ in buckets] == sorted(float(le) for le, _ in buckets)
    assert counts[-1] == value(found, name + "_count", route="/livez") >= 3
    assert 0 < value(found, name + "_sum", route="/livez") < 3


def test_nothing_grows_with_what_clients_ask(start):
    """Paths, codes and names that they make up; models beyond the busiest are one."""
    daemon = start("--metrics-models", 2)
    c = daemon.client()
    for i in range(4):
        c.put(f"/v1/models/m{i}", {"inputs": 1, "outputs": 1, "layers": []})
        c.post(f"/v1/models/m{i}/versions", by_hand([[[1]]], [[0]]), status=201)
        for _ in range(4 - i):
            c.predict(f"m{i}", [[1]])
    size = len(read(c)[0])
    for i in range(50):
        c.get(f"/nowhere/{i}", status=404)
        c.get(f"/v1/models/nobody{i}", status=404)
        c.predict(f"nobody{i}", [[1]], status=404)
    found, _ = read(c)
    assert len(found) < size + 60
    models = {dict(labels)["model"]: v for (name, labels), v in found.items() if name == "descentd_predictions_total"}
    assert models == {"m0": 4, "m1": 3, "(other)": 3}


@pytest.mark.parametrize("models", [0, 1])
def test_so_many_models_by_name(start, models):
    c = start("--metrics-models", models).client()
    c.put("/v1/models/xor", {"inputs": 2, "outputs": 1, "layers": [2], "seed": 1})
    c.train("xor", {"data": XOR, "epochs": 1})
    c.predict("xor", [[0, 1]])
    assert value(read(c)[0], "descentd_predictions_total", model="xor" if models else "(other)") == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not here")
def test_what_prometheus_says(c):
    checked = subprocess.run(["promtool", "check", "metrics"], input=c.get("/metrics").text, capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0 and checked.stderr == "", checked.stderr
