"""Traffic: versions that answer a part of the requests, and one that is asked in secret."""
import json
import struct
import zlib

import pytest

from data import by_hand
from fields import covers
from harness import wait_for
from test_metrics import read, value

ROWS = [[1.0], [2.0], [-3.0]]
TRAFFIC = "/v1/models/m/traffic"


def make(c, factors):
    """Version n multiplies by the n-th of them."""
    c.put("/v1/models/m", {"inputs": 1, "outputs": 1, "layers": [], "normalize": "none"})
    for factor in factors:
        c.post("/v1/models/m/versions", by_hand([[[factor]]], [[0]]), status=201)
    return c


@pytest.fixture
def m(start):
    return make(start().client(), (1, 2, 3, 4, 2.01))


def set_traffic(c, traffic, **more):
    return c.put(TRAFFIC, traffic, status=200, **more).json


def send_table(c, media, body):
    return c.request("POST", "/v1/models/m:predict", body, 200, {"Content-Type": media})


def asks(c, key=None, rows=ROWS, path="/v1/models/m:predict"):
    return c.post(path, {"instances": rows}, headers={"Routing-Key": key} if key else {})


def test_a_canary_gets_its_part(m):
    assert m.get(TRAFFIC).json == {} == m.get("/v1/models/m")["traffic"]
    assert set_traffic(m, {"2": 0.75, "3": 0.25}) == {"2": 0.75, "3": 0.25} == m.get("/v1/models/m")["traffic"]
    seen = {"2": 0, "3": 0}
    for i in range(400):
        answer = asks(m, f"user-{i}")
        assert answer["predictions"] == [[row[0] * int(answer["model_version"])] for row in ROWS]
        seen[answer["model_version"]] += 1
    assert 300 - 4 * 8.7 < seen["2"] < 300 + 4 * 8.7  # four standard deviations
    found, _ = read(m)
    for version, count in seen.items():
        assert value(found, "descentd_traffic_requests_total", model="m", version=version) == count
    assert asks(m, path="/v1/models/m/versions/1:predict")["model_version"] == "1"  # who names one gets it
    assert value(read(m)[0], "descentd_traffic_requests_total") == 400


def test_a_key_stays_where_it_is(m):
    set_traffic(m, {"2": 9, "3": 1})
    before = {key: asks(m, key)["model_version"] for key in map(str, range(100))}
    assert before == {key: asks(m, key)["model_version"] for key in before}
    set_traffic(m, {"2": 5, "3": 5})
    after = {key: asks(m, key)["model_version"] for key in before}
    assert before != after and all(after[key] == "3" for key in before if before[key] != after[key])
    by_chance = {asks(m)["model_version"] for _ in range(60)}
    assert by_chance == {"2", "3"}


def test_every_dialect_goes_by_it(m):
    set_traffic(m, {"2": 1})
    m.put("/v1/models/m/labels/stable", {"version": "3"}, status=200)
    assert asks(m)["model_version"] == "2"
    assert m.post("/v1/models/m:regress", {"examples": [{"x0": 1}]})["results"] == [2]
    infer = {"inputs": [{"name": "inputs", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}
    assert m.post("/v2/models/m/infer", infer)["model_version"] == "2"
    table = send_table(m, "text/csv", b"x0\n1\n")
    assert table.headers["Model-Version"] == "2" and table.text.splitlines()[1] == "2"
    assert asks(m, path="/v1/models/m/labels/stable:predict")["model_version"] == "3"
    m.delete(TRAFFIC)
    assert asks(m)["model_version"] == "3"  # stable again
    assert m.get(TRAFFIC).json == {}


def test_it_outlives_a_restart(start, tmp_path):
    daemon = start(database=tmp_path / "d.db")
    c = make(daemon.client(), (1, 2))
    set_traffic(c, {"1": 1, "shadow": "2"})
    daemon.stop()
    c = start(database=tmp_path / "d.db").client()
    assert c.get(TRAFFIC).json == {"1": 1, "shadow": "2"} and asks(c)["model_version"] == "1"


def shadowed(c, requests):
    """The counts, once so many requests were looked at."""
    def look():
        found, _ = read(c)
        counts = {name: value(found, f"descentd_shadow_{name}_total", model="m")
                  for name in ("requests", "rows", "differing_rows", "failures", "skipped")}
        return counts if counts["requests"] + counts["skipped"] >= requests else None
    return wait_for("the shadow", look)


@covers("Traffic.shadow")
def test_a_shadow_is_asked_and_not_heard(m):
    set_traffic(m, {"2": 1, "shadow": "3"})
    for _ in range(5):
        assert asks(m)["predictions"] == [[2], [4], [-6]]
    assert shadowed(m, 5) == {"requests": 5, "rows": 15, "differing_rows": 15, "failures": 0, "skipped": 0}
    set_traffic(m, {"shadow": "2"})  # beside the latest
    assert asks(m)["model_version"] == "5"
    found = shadowed(m, 6)
    assert found["rows"] == 18 and found["differing_rows"] == 15  # 2 and 2.01 are half a percent apart
    assert asks(m, rows=[[0.0]])["predictions"] == [[0]]
    assert shadowed(m, 7)["differing_rows"] == 15
    assert asks(m, path="/v1/models/m/versions/3:predict")["model_version"] == "3"  # named: nobody else is asked
    assert asks(m)["model_version"] == "5" and shadowed(m, 8)["requests"] == 8


@pytest.mark.parametrize("send", ["csv", "npy", "json tensor", "binary tensor", "gzip", "regress"])
def test_a_shadow_reads_what_was_read(m, send):
    set_traffic(m, {"2": 1, "shadow": "4"})
    numbers = struct.pack("<3f", 1, 2, 3)
    if send == "csv":
        send_table(m, "text/csv", b"x0\n1\n2\n3\n")
    elif send == "npy":
        head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }"
        head += b" " * (117 - len(head)) + b"\n"
        send_table(m, "application/x-npy", b"\x93NUMPY\x01\0" + struct.pack("<H", 118) + head + numbers)
    elif send == "json tensor":
        m.post("/v2/models/m/infer", {"inputs": [{"name": "inputs", "shape": [3, 1], "datatype": "FP32", "data": [1, 2, 3]}]})
    elif send == "binary tensor":
        text = json.dumps({"inputs": [{"name": "inputs", "shape": [3, 1], "datatype": "FP32", "parameters": {"binary_data_size": 12}}]})
        m.request("POST", "/v2/models/m/infer", text.encode() + numbers, 200, {"Inference-Header-Content-Length": str(len(text))})
    elif send == "gzip":
        packed = zlib.compressobj(wbits=31)
        body = packed.compress(b'{"instances":[[1],[2],[3]]}') + packed.flush()
        m.request("POST", "/v1/models/m:predict", body, 200, {"Content-Encoding": "gzip"})
    else:
        m.post("/v1/models/m:regress", {"examples": [{"x0": 1}, {"x0": 2}, {"x0": 3}]})
    assert shadowed(m, 1) == {"requests": 1, "rows": 3, "differing_rows": 3, "failures": 0, "skipped": 0}


def test_a_class_is_compared_by_its_likeliest(start):
    c = start().client()
    c.put("/v1/models/m", {"inputs": 1, "outputs": [{"name": "k", "type": "category", "values": ["a", "b"]}], "layers": [],
                           "normalize": "none"})
    c.post("/v1/models/m/versions", by_hand([[[1], [-1]]], [[0, 0]]), status=201)
    c.post("/v1/models/m/versions", by_hand([[[9], [-7]]], [[0, 4]]), status=201)
    set_traffic(c, {"1": 1, "shadow": "2"})
    assert asks(c, rows=[[2.0], [0.1], [-1.0]])["labels"] == ["a", "a", "b"]  # the shadow: a, b, b
    assert shadowed(c, 1)["differing_rows"] == 1


def test_versions_with_a_part_are_kept(m):
    set_traffic(m, {"2": 1, "shadow": "4"})
    for version in "24":
        answer = m.delete(f"/v1/models/m/versions/{version}", status=409)
        assert "traffic" in answer["detail"]
    m.delete("/v1/models/m/versions/3")
    m.delete(TRAFFIC)
    m.delete("/v1/models/m/versions/2")
    set_traffic(m, {"1": 1})
    m.delete("/v1/models/m")


@pytest.mark.parametrize("body, pointer", [
    ([], ""), ("x", ""), ({"2": -1}, "/2"), ({"2": "1"}, "/2"), ({"2": None}, "/2"), ({"two": 1}, "/two"), ({"02": 1}, "/02"),
    ({"0": 1}, "/0"), ({"2": 0}, ""), ({"2": 0, "3": 0}, ""), ({"shadow": 2}, "/shadow"), ({"shadow": "x"}, "/shadow"),
    ({"shadow": "02"}, "/shadow"), ({"2": 1, "shadow": "2"}, "/shadow"), ({str(n): 1 for n in range(1, 18)}, ""),
    ({"2": 1e308, "3": 1e308, "4": 1e308}, "")])
def test_bad_traffic_changes_nothing(m, body, pointer):
    set_traffic(m, {"2": 1})
    answer = m.put(TRAFFIC, body, status=(400, 422))
    assert pointer in [fault["pointer"] for fault in answer.json["errors"]]
    assert m.get(TRAFFIC).json == {"2": 1}


def test_who_is_not_there(m):
    assert "version 9" in m.put(TRAFFIC, {"9": 1}, status=404)["detail"]
    assert "version 9" in m.put(TRAFFIC, {"1": 1, "shadow": "9"}, status=404)["detail"]
    for method in (m.get, m.delete):
        method("/v1/models/nobody/traffic", status=404)
    m.put("/v1/models/nobody/traffic", {"x": 1}, status=404)
    set_traffic(m, {"2": 0.5, "3": 0.5, "shadow": None})
    tag = m.get(TRAFFIC).headers["ETag"]
    m.put(TRAFFIC, {"2": 1}, headers={"If-Match": '"other"'}, status=412)
    set_traffic(m, {"2": 1}, headers={"If-Match": tag})
