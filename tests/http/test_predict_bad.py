"""Questions that cannot be answered, on a connection that is kept: each gets one sentence that helps, and the good question behind
it is answered to the last bit. The networks are made by hand: what goes in comes out, so that a number that was misread shows.
"""
import contextlib
import gzip
import json
import random
import socket
import struct
import zlib
from fractions import Fraction

import pytest

from data import by_hand
from harness import Client, wait_for

MIB = 1 << 20
IDENTITY = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
ROW = [0.1, -3e-40, 16777217]  # a rounded number, a denormal, a tie between two float32


@pytest.fixture(scope="module", autouse=True)
def models(daemon):
    """same and one: what goes in comes out, and what is missing is 0. strict: the same, and needs every value. kind: a cat where size is
    large, a dog where it is small. untrained: without a version."""
    c = daemon.client()
    for name, more in (("same", {}), ("strict", {"missing": "error"})):
        c.put(f"/v1/models/{name}", {"inputs": 3, "outputs": 3, "layers": [], **more})
        c.post(f"/v1/models/{name}/versions", by_hand([IDENTITY], [[0, 0, 0]]), status=201)
    c.put("/v1/models/one", {"inputs": 1, "outputs": 1, "layers": []})
    c.post("/v1/models/one/versions", by_hand([[[1]]], [[0]]), status=201)
    c.put("/v1/models/kind", {"inputs": [{"name": "size", "type": "number"}, {"name": "hair", "type": "category", "values": ["black", "brown"]}],
                              "outputs": [{"name": "kind", "type": "category", "values": ["cat", "dog"]}], "layers": []})
    c.post("/v1/models/kind/versions", by_hand([[[1, 0, 0, 0, 0], [-1, 0, 0, 0, 0]]], [[0, 0]]), status=201)
    c.put("/v1/models/untrained", {"inputs": 3, "outputs": 3, "layers": []})


class Kept(Client):
    """One connection, opened again only when the daemon said that it would close it."""

    def __init__(self, port):
        super().__init__(port)
        self.connection.auto_open = 0
        self.connection.connect()

    def request(self, *args, **more):
        answer = super().request(*args, **more)
        closed = self.connection.sock is None
        assert closed == (answer.headers["Connection"] == "close"), answer.headers
        if closed:
            self.connection.connect()
        return answer


@pytest.fixture
def kept(daemon):
    client = Kept(daemon.port)
    yield client
    client.connection.close()


# ---- ways to ask, and what must be answered ----

def bits(numbers):
    """As float32; what stands for a float32 in decimals is that one."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


def rows_of(found):
    """The rows of an answer of the model same."""
    rows = found.get("predictions", found.get("outputs"))
    return [[row[name][0] for name in ("y0", "y1", "y2")] for row in rows]


def from_infer(found):
    return [list(row) for row in zip(*(output["data"] for output in found["outputs"]))]


def tensor(data, **more):
    return {"name": "inputs", "shape": [1, 3], "datatype": "FP32", "data": data, **more}


def infer_text(data, shape="[1,3]"):
    return f'{{"inputs":[{{"name":"inputs","shape":{shape},"datatype":"FP32","data":{data}}}]}}'


SAME, INFER = "/v1/models/same:predict", "/v2/models/same/infer"
# Where a cell may stand: path, body around it, the row in the answer (None: its scores say nothing of the cell's bits).
WAYS = {
    "rows": (SAME, '{"instances":[[%s,2,3]]}', lambda found: rows_of(found)[0]),
    "records": (SAME, '{"instances":[{"x2":3,"x0":%s,"x1":2}]}', lambda found: rows_of(found)[0]),
    "inputs": (SAME, '{"inputs":[[%s,2,3]]}', lambda found: rows_of(found)[0]),
    "columns": (SAME, '{"inputs":{"x0":[%s],"x1":[2],"x2":[3]}}', lambda found: rows_of(found)[0]),
    "regress": ("/v1/models/one:regress", '{"examples":[{"x0":%s}]}', lambda found: found["results"]),
    "regress-rows": ("/v1/models/one:regress", '{"examples":[[%s]]}', lambda found: found["results"]),
    "classify": ("/v1/models/kind:classify", '{"examples":[{"size":%s,"hair":"black"}]}', None),
    "infer": (INFER, infer_text("[%s,2,3]"), lambda found: from_infer(found)[0]),
}
NUMERIC = [way for way in WAYS if WAYS[way][2]]


def right(kept):
    """The good question, asked in every way on the connection that is kept."""
    wanted = bits(ROW)
    assert bits(rows_of(kept.post(SAME, {"instances": [[1, 2, 3], ROW]}).json)[1]) == wanted
    assert bits(rows_of(kept.post(SAME, {"inputs": {f"x{i}": [ROW[i]] for i in range(3)}}).json)[0]) == wanted
    assert bits(from_infer(kept.request("POST", INFER, body=json.dumps({"inputs": [tensor(ROW)]}), status=200).json)[0]) == wanted
    assert bits(kept.post("/v1/models/one:regress", {"examples": [{"x0": cell} for cell in ROW]})["results"]) == wanted
    results = kept.post("/v1/models/kind:classify", {"examples": [{"size": 200}, {"size": -200}, {"size": 0}]})["results"]
    assert results[:2] == [[["cat", 1], ["dog", 0]], [["dog", 1], ["cat", 0]]] and dict(results[2]) == {"cat": 0.5, "dog": 0.5}


def refused(kept, path, body, says, status=400, **headers):
    """Asks what is refused by a sentence with this in it, then what is right."""
    answer = kept.request("POST", path, body=body, status=status, headers=headers)
    assert says.lower() in answer["error"].lower(), answer["error"]
    assert 10 < len(answer["error"]) < 400
    right(kept)
    return answer


# ---- cells ----

@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell,says", [
    ('"x"', "number"), ('"1,5"', "number"), ("{}", ""), ('{"a":1}', ""), ("[[1]]", ""), ("[" * 40 + "]" * 40, ""), ("[1,2]", ""), ("[]", ""),
    ("[" * 100 + "1" + "]" * 100, "deep"), ("1e999", "too large"), ("-1e999", "too large"), ("1e39", "too large"), ("-3.5e38", "too large"),
    ("9" * 400, "too large"), ("1e99999999999999999999", "too large"), ("NaN", "NaN"), ("Infinity", "Infinity"),
    ("+1", "value"), (".5", "value"), ("1.", "digits"), ("01", "zero"), ("0x10", "needed"), ("1e", "digits"), ("nul", "value"), ("'1'", "value"),
    ('"\\ud800"', "surrogate"), ('"\x00"', ""), ("", "value"),
], ids=lambda value: value[:20] if isinstance(value, str) else None)
def test_cells_that_are_no_numbers(kept, way, cell, says):
    path, body, _ = WAYS[way]
    if way == "infer" and cell.startswith("[") and not says:
        says = "data"  # an array among flat cells is no row
    answer = refused(kept, path, body % cell, says)
    if path != INFER and answer.code in ("invalid-value", "out-of-range"):
        assert any(pointer.startswith(("/instances/0", "/inputs/", "/examples/0")) for pointer in answer.pointers())


@pytest.mark.parametrize("way", WAYS)
def test_minus_infinity_is_called_by_its_name(kept, way):
    path, body, _ = WAYS[way]
    refused(kept, path, body % "-Infinity", "Infinity")


def nearest(text):
    """The float32 that is nearest to a decimal of any length, ties to even; by fractions."""
    exact = abs(Fraction(text)) if len(text.partition("e")[2]) < 9 else Fraction(0)  # an exponent that no fraction holds
    guess, = struct.unpack("<I", struct.pack("<f", min(float(exact), 3.4028234663852886e38)))
    near = [code for code in (guess - 1, guess, guess + 1) if 0 <= code < 0x7f800000]
    far = {code: abs(Fraction(struct.unpack("<f", struct.pack("<I", code))[0]) - exact) for code in near}
    code = min(near, key=lambda code: (far[code], code % 2))
    return struct.unpack("<f", struct.pack("<I", code))[0] * (-1 if text.startswith("-") else 1)


DRAW = random.Random(7)
DIGITS = "".join(DRAW.choice("123456789") for _ in range(400))
READ = ["-0", "-0.0", "0e999999999999", "-0e-9", "1e-45", "-1e-45", "1.4e-45", "7.1e-46", "6.9e-46", "1e-46", "-1e-400", "1e-99999999999999999999",
        "1.17549421e-38", "1.17549435e-38", "5.877e-39", "3.4028234663852886e38", "-3.4028235e38", "3.40282356e38", "16777217", "16777219",
        "0.1", "33554434.9999999999", "1" + "0" * 38, "0." + DIGITS, "0." + "0" * 40 + DIGITS, DIGITS + "e-400", "-" + DIGITS + "e-362",
        DIGITS + "e-440", DIGITS + "." + DIGITS + "e-399", "1." + "0" * 400 + "1", "1" * 39 + "." + "1" * 361 + "e-1", "1.5E+2", "1e-0"]


@pytest.mark.parametrize("way", NUMERIC)
def test_numbers_are_the_nearest_float32(kept, way):
    path, body, row = WAYS[way]
    for text in READ + [repr(DRAW.uniform(-1, 1) * 10.0 ** DRAW.randrange(-44, 38)) for _ in range(50)]:
        found = row(kept.request("POST", path, body=body % text, status=200).json)
        assert bits([found[0] + 0.0]) == bits([nearest(text) + 0.0]), (text, found[0])  # + 0.0: the sum of a neuron begins at +0
        assert found[1:] in ([], [2, 3])
    right(kept)


BESIDE = ["1.000000059604644775390625" + "0" * 370 + "1", "7.006492321624086e-46", "3.4028235677973365e38"]


@pytest.mark.parametrize("way", NUMERIC)
@pytest.mark.parametrize("text", BESIDE)
def test_numbers_beside_the_middle_of_two_float32(kept, way, text):
    path, body, row = WAYS[way]
    found = row(kept.request("POST", path, body=body % text, status=200).json)
    assert bits([found[0]]) == bits([nearest(text)]), found


def test_numbers_of_csv_are_the_nearest_float32(kept):
    numbers = READ + BESIDE + ["+" + BESIDE[0], ".000" + "0" * 42 + "7006492321624086", "5."]
    answer = kept.request("POST", "/v1/models/one:predict", body="\n".join(["x0", *numbers]), headers={"Content-Type": "text/csv"}, status=200)
    for text, found in zip(numbers, answer.text.splitlines()[1:], strict=True):
        assert bits([float(found) + 0.0]) == bits([nearest(text) + 0.0]), (text, found)


@pytest.mark.parametrize("way", NUMERIC)
def test_what_is_missing_is_filled(kept, way):
    path, body, row = WAYS[way]
    for cell in ("null", '""', '"NaN"', '"?"') if way != "infer" else ("null",):
        assert row(kept.request("POST", path, body=body % cell, status=200).json) in ([0, 2, 3], [0])


def test_what_is_missing_is_refused_where_the_model_needs_it(kept):
    path = "/v1/models/strict:predict"
    for body, pointer in (('{"instances":[[1,2,3],[1,null,3]]}', "/instances/1/1"), ('{"instances":[{"x0":1,"x2":3}]}', "/instances/0/x1"),
                          ('{"instances":[{"x0":1,"x1":null,"x2":3}]}', "/instances/0/x1"), ('{"instances":[[1,"",3]]}', "/instances/0/1"),
                          ('{"instances":[[1,"NA",3]]}', "/instances/0/1"), ('{"inputs":{"x0":[1],"x1":[null],"x2":[3]}}', "/inputs/x1/0"),
                          ('{"inputs":{"x0":[1],"x2":[3]}}', "/inputs/x1")):
        assert refused(kept, path, body, "value").pointers() == [pointer]
    refused(kept, "/v2/models/strict/infer", infer_text("[1,null,3]"), "no value")
    refused_binary(kept, "no value", [tensor_of(bits([1, float("nan"), 3]))], model="strict")


# ---- rows ----

@pytest.mark.parametrize("model,verb,key,value,says", [
    ("same", "predict", "instances", "[[1,2,3],[1,2]]", "2 values"), ("same", "predict", "instances", "[[1,2,3],[1,2,3,4]]", "4 values"),
    ("same", "predict", "instances", "[[1,2,3],[]]", "0 values"), ("same", "predict", "instances", "[[]]", "0 values"),
    ("same", "predict", "instances", "[[1,2,3],%s]" % json.dumps([0] * 5000), "5000 values"), ("same", "predict", "instances", "[[[1,2,3]]]", "array"),
    ("same", "predict", "instances", "[1,2,3]", "array of 3 values"), ("same", "predict", "instances", "[null]", "null"),
    ("same", "predict", "instances", "[[1,2,3],{\"x0\":1,\"x9\":1}]", "x9"), ("same", "predict", "instances", "[{\"x0\":1,\"x0\":1}]", "twice"),
    ("same", "predict", "instances", "null", "array of rows"), ("same", "predict", "instances", "3", "array of rows"),
    ("same", "predict", "inputs", "[[1,2,3],[1,2]]", "2 values"), ("same", "predict", "inputs", "[[1,2,3,4]]", "4 values"),
    ("same", "predict", "inputs", "[[]]", "0 values"), ("same", "predict", "inputs", "{}", "columns"),
    ("same", "predict", "inputs", '{"x0":[1],"x1":[1,2],"x2":[1]}', "one length"), ("same", "predict", "inputs", '{"x0":[1,2],"x1":[],"x2":[1]}', "one length"),
    ("same", "predict", "inputs", '{"x0":[1],"x0":[2]}', "twice"), ("same", "predict", "inputs", '{"x0":[1],"x9":[2]}', "x9"),
    ("same", "predict", "inputs", '{"x0":1}', "array of values"), ("same", "predict", "inputs", '{"x0":null}', "array of values"),
    ("same", "predict", "inputs", '{"x0":[[1,2]]}', "array"), ("same", "predict", "instances", "[[1,2,3]],\"inputs\":[[1,2,3]]", "inputs"),
    ("kind", "classify", "examples", "[[1]]", "1 value"), ("kind", "classify", "examples", '[[1,"black",2]]', "3 values"),
    ("kind", "classify", "examples", "[[]]", "0 values"), ("kind", "classify", "examples", '[{"size":1},{"sise":1}]', "sise"),
    ("kind", "classify", "examples", '[{"size":1,"size":1}]', "twice"), ("kind", "classify", "examples", "[3]", "object"),
    ("kind", "classify", "examples", "{}", "examples"), ("kind", "regress", "examples", "[{}]", "classify"),
    ("one", "regress", "examples", "[[1],[1,2]]", "2 values"), ("one", "regress", "examples", "[[]]", "0 values"),
    ("one", "regress", "examples", '[{"x1":1}]', "x1"), ("one", "regress", "examples", '[{"x0":[1,2]}]', "number"),
    ("one", "regress", "examples", '"x"', "array of rows"), ("one", "classify", "examples", "[{}]", "regress"),
    ("one", "regress", "instances", "[[1]]", "instances"), ("same", "regress", "examples", "[{}]", "predict"),
])
def test_rows_that_do_not_fit(kept, model, verb, key, value, says):
    refused(kept, f"/v1/models/{model}:{verb}", f'{{"{key}":{value}}}', says)


@pytest.mark.parametrize("data,shape,says", [
    ("[[1,2,3],[1,2]]", "[2,3]", "2 values"), ("[[1,2,3],[1,2,3,4]]", "[2,3]", "4 values"), ("[[1,2,3],[]]", "[2,3]", "0 values"),
    ("[]", "[1,3]", "0 rows"), ("[[]]", "[1,3]", ""), ("[1,2,3]", "[0,3]", "shape"), ("[1,2,3]", "[1,0]", "shape"), ("[]", "[0]", "shape"),
    ("[1,2,3]", "[1,1,3]", "[rows, 3]"), ("[1,2]", "[1,2]", "[rows, 3]"), ("[[[1,2,3]]]", "[1,3]", ""), ("[" * 70 + "]" * 70, "[1,3]", "deep"),
    ("[1,2,3]", "[-1,3]", "below 0"), ("[1,2,3]", "[1,-3]", "below 0"), ("[1,2,3]", "[-1,-3]", "below 0"), ("[1,2,3]", "[1,3.5]", "whole"),
    ("[1,2,3]", '["1",3]', "whole"), ("[1,2,3]", "[4294967296,4294967296]", "counted"), ("[1,2,3]", "[4294967297,3]", "shape"),
    ("[1,2,3]", "[4611686018427387905,4]", "counted"), ("[1,2,3]", "[6148914691236517206,3]", "shape"), ("[1,2,3]", "[18446744073709551617,3]", "shape"),
    ("[1,2,3]", f"[{'9' * 400},3]", "shape"), ("[1,2,3]", "[1e999,3]", "shape"), ("[1,2,3]", "null", "array"),
])
def test_tensors_that_do_not_fit(kept, data, shape, says):
    refused(kept, INFER, infer_text(data, shape), says)


@pytest.mark.parametrize("datatype,cell,says", [
    ("INT8", "300", "element 1 is 300, and INT8 is of whole numbers from -128 to 127"), ("INT8", "-129", "INT8"), ("UINT8", "-1", "UINT8"),
    ("UINT16", "65536", "UINT16"), ("INT32", "1.5", "1.5"), ("INT32", "2147483648", "INT32"), ("UINT64", "1e20", "UINT64"), ("INT64", "-1e19", "INT64"),
    ("INT64", "1e999", "INT64"), ("BOOL", "3", "BOOL"), ("BOOL", "0.5", "BOOL"), ("FP16", "70000", "FP16 is of numbers from -65504 to 65504"),
])
@pytest.mark.parametrize("data", ["[0,%s,0]", "[[0, %s ,0]]"])
def test_numbers_that_their_datatype_does_not_have(kept, datatype, cell, says, data):
    refused(kept, INFER, infer_text(data % cell).replace("FP32", datatype), says)


@pytest.mark.parametrize("datatype,cell,value", [
    ("INT8", "-128", -128), ("INT8", "1.0", 1), ("UINT8", "25.5e1", 255), ("INT16", "null", 0), ("INT16", "true", 1), ("BOOL", "false", 0), ("BOOL", "1", 1),
    ("UINT32", "4294967295", 4294967296.0), ("UINT64", "18446744073709551615", 2.0**64), ("INT64", "-9223372036854775808", -2.0**63), ("FP16", "-65504", -65504),
])
def test_numbers_that_their_datatype_has(kept, datatype, cell, value):
    found = kept.request("POST", INFER, body=infer_text(f"[0,{cell},0]").replace("FP32", datatype), status=200).json
    assert bits(from_infer(found)[0]) == bits([0, value, 0])


@pytest.mark.parametrize("verb,media,says", [
    *((verb, media, f"{media} is not read here; send JSON; :predict takes tables") for verb in ("classify", "explain", "evaluate")
      for media in ("text/csv", "application/x-npy", "application/octet-stream")),
    *(("predict", media, f"{media} is not read here; send JSON, text/csv or application/x-npy")
      for media in ("application/octet-stream", "text/tab-separated-values")),
    ("predict", "application/json", "line 1, column 1: a value"), ("predict", "application/x-www-form-urlencoded", "line 1, column 1: a value"),
])
def test_tables_where_none_is_read(kept, verb, media, says):
    refused(kept, f"/v1/models/kind:{verb}", "size,hair\n1,black\n", says, **{"Content-Type": media})


def test_the_member_that_is_meant(kept):
    for verb in ("kind:classify", "one:regress"):
        refused(kept, f"/v1/models/{verb}", '{"instances":[[1]]}', "instances: there is no such field; there are: examples, signature_name")
    answer = refused(kept, SAME, '{"inputs":{"y":[1]}}', "no input of that name")
    assert len(answer["errors"]) == 1


def test_nothing_asked_is_nothing_answered(kept):
    for path, body, key in ((SAME, '{"instances":[]}', "predictions"), (SAME, '{"inputs":[]}', "outputs"),
                            (SAME, '{"inputs":{"x0":[],"x1":[],"x2":[]}}', "outputs"), ("/v1/models/kind:classify", '{"examples":[]}', "results"),
                            ("/v1/models/one:regress", '{"examples":[]}', "results")):
        assert kept.request("POST", path, body=body, status=200)[key] == []
    for body, headers in ((infer_text("[]", "[0,3]"), {}), binary([tensor_of(b"", shape=[0, 3])])):
        found = kept.request("POST", INFER, body=body, status=200, headers=headers)
        assert [output["data"] for output in found["outputs"]] == [[], [], []]
    right(kept)


# ---- binary tensors ----

def tensor_of(raw, size=None, name="inputs", shape=(1, 3), datatype="FP32", **more):
    """(its JSON, its bytes); size: another than the true one."""
    return {"name": name, "shape": list(shape), "datatype": datatype,
            "parameters": {"binary_data_size": len(raw) if size is None else size}, **more}, raw


def binary(tensors, length=None, behind=b""):
    """(body, headers); length: another than the true one, behind: bytes of nobody."""
    head = json.dumps({"inputs": [head for head, _ in tensors]}).replace("Infinity", "1e999").encode()
    return (head + b"".join(raw for _, raw in tensors) + behind,
            {"Inference-Header-Content-Length": str(len(head) if length is None else length)})


def refused_binary(kept, says, tensors, model="same", **more):
    body, headers = binary(tensors, **more)
    return refused(kept, f"/v2/models/{model}/infer", body, says, **headers)


RAW = bits([1, 2, 3])


def test_the_binary_tensor_as_it_should_be(kept):
    found = kept.request("POST", INFER, **dict(zip(("body", "headers"), binary([tensor_of(bits(ROW))]))), status=200)
    assert bits(from_infer(found)[0]) == bits(ROW)


@pytest.mark.parametrize("size,says", [
    (13, "13 bytes"), (2**32 + 12, "announced"), (2**53 - 1, "announced"), (8, "8 bytes are not the FP32 of its shape, which have 12"), (0, "0 bytes"), (11, "11 bytes"), (-1, "number of bytes"),
    (-12, "number of bytes"), (2**63, "number of bytes"), (2**63 + 12, "number of bytes"), (2**64, "number of bytes"), (2**64 + 12, "number of bytes"),
    (10**30, "number of bytes"), (float("inf"), "number of bytes"), (12.5, "number of bytes"), ("12", "number of bytes"), (True, "number of bytes"),
    ([12], "number of bytes"), ({}, "number of bytes")], ids=str)
def test_sizes_that_lie(kept, size, says):
    refused_binary(kept, says, [tensor_of(RAW, size)])


@pytest.mark.parametrize("length", [-1, 10**6, 2**63, 2**64, 2**64 + 100, "9" * 400, "", "x", "1x", "+109", "0x6d", "109.0", "109, 109", "1 2"],
                         ids=lambda value: str(value)[:24])
def test_lengths_of_the_json_that_lie(kept, length):
    refused_binary(kept, "Inference-Header-Content-Length", [tensor_of(RAW)], length=length)


def test_lengths_of_the_json_that_are_within_the_body(kept):
    whole = len(binary([tensor_of(RAW)])[0]) - len(RAW)
    for length, says in ((0, "JSON"), (1, "JSON"), (whole - 1, "JSON"), (whole + 1, ""), (whole + len(RAW), "")):
        refused_binary(kept, says, [tensor_of(RAW)], length=length)
    refused_binary(kept, "none of the body is JSON", [tensor_of(RAW)], length=0)
    body = binary([tensor_of(RAW)])[0]
    refused(kept, INFER, body, f"Inference-Header-Content-Length: {whole}")  # without the header
    refused(kept, INFER, body[:whole - 1] + b",}" + RAW, "column")


@pytest.mark.parametrize("more,says", [
    ({"behind": b"x"}, "no tensor"), ({"behind": RAW}, "no tensor"), ({"raw": RAW[:-1], "size": 12}, "11 are there"), ({"raw": b"", "size": 12}, "0 are there"),
    ({"datatype": "FP64"}, "FP64"), ({"datatype": "FP16"}, "FP16"), ({"datatype": "INT8"}, "INT8"), ({"datatype": "BYTES"}, "texts"),
    ({"datatype": "FP33"}, "datatype"), ({"datatype": "fp32"}, "datatype"), ({"datatype": ""}, "datatype"), ({"datatype": None}, "datatype"),
    ({"shape": [-1, 3]}, "below 0"), ({"shape": [2, 3]}, "shape"), ({"shape": [3, 1]}, "shape"), ({"shape": [1, 1, 3]}, "shape"), ({"shape": []}, "shape"),
    ({"shape": [2**62 + 1, 4]}, "shape"), ({"shape": [2**30 + 1, 2**32]}, "shape"), ({"shape": [6148914691236517206, 3]}, "shape"),
    ({"shape": [2**51, 2]}, "shape"), ({"data": [1, 2, 3]}, "one of them"), ({"raw": bits([1, float("inf"), 3])}, "infinite"),
    ({"raw": bits([1, 2, float("-inf")])}, "infinite"), ({"raw": struct.pack("<3d", 1e39, 2, 3), "datatype": "FP64"}, "too large"),
    ({"raw": struct.pack("<3e", 1, float("inf"), 3), "datatype": "FP16"}, "infinite"),
    ({"name": "x0"}, "x0"), ({"name": 3}, "name"), ({"name": None}, "name"),
], ids=str)
def test_binary_tensors_that_do_not_fit(kept, more, says):
    behind = more.get("behind", b"")
    refused_binary(kept, says, [tensor_of(more.get("raw", RAW), **{k: v for k, v in more.items() if k not in ("raw", "behind")})], behind=behind)


HAIR = struct.pack("<I", 5) + b"black"


def kind(size=None, hair=None, raw=bits([200]), texts=HAIR):
    return [tensor_of(raw, size, "size", [1, 1]), tensor_of(texts, hair, "hair", [1, 1], "BYTES")]


def test_tensors_that_overlap(kept):
    """Each is right by itself or takes bytes of the other; together they are not what is there."""
    whole = len(HAIR) + 4
    for size, hair, says in ((whole, None, ""), (4, whole, "announced"), (whole, 0, ""), (0, whole, ""), (4, 4, ""), (4, len(HAIR) + 1, "announced"),
                             (4, len(HAIR) - 1, ""), (8, len(HAIR) - 4, ""), (4, 2**64 - 4, "number of bytes"), (2**64 - len(HAIR), len(HAIR), "number of bytes")):
        refused_binary(kept, says, kind(size, hair), model="kind")
    for texts in (struct.pack("<I", 2**32 - 1) + b"black", struct.pack("<I", 6) + b"black", b"\5\0\0", HAIR + HAIR, struct.pack("<I", 5) + b"bl\xffck"):
        refused_binary(kept, "", kind(texts=texts), model="kind")
    body, headers = binary(kind())
    assert kept.request("POST", "/v2/models/kind/infer", body=body, headers=headers, status=200)["outputs"][1]["data"] == ["cat"]


def test_one_tensor_twice_of_several(kept):
    size, hair = kind()
    for tensors in ([size, size], [size, hair, hair], [hair, size, size]):
        refused_binary(kept, "", tensors, model="kind")
    refused_binary(kept, "twice", [size, size], model="kind")


def test_the_tensor_twice(kept):
    refused(kept, INFER, json.dumps({"inputs": [tensor(ROW), tensor(ROW)]}), "inputs")
    refused_binary(kept, "inputs", [tensor_of(RAW), tensor_of(RAW)])
    refused_binary(kept, "inputs", [tensor_of(RAW), (tensor_of(RAW)[0], b"")])


def test_the_tensor_twice_is_called_that(kept):
    refused(kept, INFER, json.dumps({"inputs": [tensor(ROW), tensor(ROW)]}), "inputs.inputs: is there twice")
    refused(kept, "/v2/models/one/infer", json.dumps({"inputs": [tensor([1], shape=[1, 1])] * 2}), "more tensors than this model takes, at most 1")


@pytest.mark.parametrize("model,names,says", [
    ("same", ["inputs", "x1"], 'inputs.x1: goes without "inputs", which has all inputs'), ("same", ["x9", "inputs"], 'one tensor, "inputs"'),
    ("same", ["input"], 'inputs.input: the model has no input of that name; all of them are one tensor, "inputs"'),
    ("same", ["x0", "x9"], "inputs.x9: the model has no input of that name; did you mean"),
    ("kind", ["inputs"], "inputs.inputs: the model has a tensor for each input, as not all are numbers: size, hair"),
    ("kind", ["size", "inputs"], "for each input"), ("kind", ["sise"], 'did you mean "size"'),
])
def test_tensors_of_other_names(kept, model, names, says):
    width = [1, 3] if names[0].startswith("in") else [1, 1]
    body = json.dumps({"inputs": [{"name": name, "shape": width, "datatype": "FP32", "data": [1] * width[1]} for name in names]})
    refused(kept, f"/v2/models/{model}/infer", body, says)


def test_a_query_before_a_tensor_of_another_name(kept):
    """The refusal looked for its pointer in the query of the request before, whose memory had been given back. It shows under ASan."""
    for _ in range(3):
        kept.get("/v1/models?limit=1&cursor=a")
        refused(kept, INFER, json.dumps({"inputs": [tensor([1, 2, 3], name="another")]}), "no input of that name")
        assert kept.get("/v1/models?limits=1", status=422).pointers() == ["?limits"]


# ---- as metadata call it ----

def test_the_tensor_of_the_metadata(kept):
    """A client of TensorFlow Serving that builds its question from GET …/metadata, by rows and by columns."""
    signature = kept.get("/v1/models/same/metadata")["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
    (name, shape), = ((name, tensor["tensor_shape"]["dim"]) for name, tensor in signature.items())
    assert (name, [dim["size"] for dim in shape]) == ("inputs", ["-1", "3"])
    for body in ({"instances": [{name: [1, 2, 3]}, {name: ROW}]}, {"inputs": {name: [[1, 2, 3], ROW]}}, {"instances": [[1, 2, 3], {name: ROW}]}):
        found = rows_of(kept.post(SAME, body).json)
        assert [bits(row) for row in found] == [bits([1, 2, 3]), bits(ROW)]
    assert kept.post(SAME, {"inputs": {name: []}})["outputs"] == []
    assert kept.post("/v1/models/one:predict", {"inputs": {name: [[7], [8]]}})["outputs"] == [[7], [8]]
    assert kept.post("/v1/models/one:regress", {"examples": [{name: [7]}]})["results"] == [7]


@pytest.mark.parametrize("body,pointer", [
    ('{"inputs":{"inputs":[[1,2,3],[1,2]]}}', "/inputs/inputs/1"), ('{"inputs":{"inputs":[[1,2,3],[1,{},3]]}}', "/inputs/inputs/1/1"),
    ('{"instances":[[1,2,3],{"inputs":[1,2]}]}', "/instances/1/inputs"), ('{"instances":[{"inputs":[1,2,1e39]}]}', "/instances/0/inputs/2"),
    ('{"instances":[{"inputs":[1,2,3],"x0":1}]}', "/instances/0/x0"), ('{"instances":[{"inputs":[1,2,3],"inputs":[1,2,3]}]}', "/instances/0/inputs"),
    ('{"instances":[{"x0":1,"inputs":[1,2,3]}]}', "/instances/0/inputs"), ('{"instances":[{"inputs":5}]}', "/instances/0/inputs"),
    ('{"inputs":{"inputs":5}}', "/inputs/inputs"), ('{"inputs":{"inputs":[[1,2,3]],"x0":[1]}}', "/inputs/inputs"), ('{"inputs":{"y":[1]}}', "/inputs/y"),
])
def test_the_tensor_of_the_metadata_that_does_not_fit(kept, body, pointer):
    assert refused(kept, SAME, body, "").pointers() == [pointer]


def test_a_column_that_is_called_inputs(kept):
    """It is that column, and no tensor of all."""
    kept.put("/v1/models/called", {"inputs": [{"name": "inputs", "type": "number"}, {"name": "b", "type": "number"}], "outputs": 1, "layers": []})
    kept.post("/v1/models/called/versions", by_hand([[[1, 10]]], [[0]]), status=201)
    for body in ({"instances": [{"inputs": 1, "b": 2}, {"b": 2, "inputs": [1]}]}, {"inputs": {"inputs": [1, [1]], "b": [2, 2]}}):
        found = kept.post("/v1/models/called:predict", body)
        assert (found["predictions"] if "instances" in body else found["outputs"]) == [[21], [21]]
    refused(kept, "/v1/models/called:predict", '{"instances":[{"inputs":[1,2]}]}', "number")
    assert refused(kept, "/v1/models/kind:predict", '{"instances":[{"inputs":[1,2]}]}', "no input").pointers() == ["/instances/0/inputs"]


# ---- who is asked ----

ASKED = {"predict": ("same", '{"instances":[[1,2,3]]}', {}), "classify": ("kind", '{"examples":[{"size":1}]}', {}),
         "regress": ("one", '{"examples":[{"x0":1}]}', {}), "infer": ("same", infer_text("[1,2,3]"), {}),
         "csv": ("same", "x0,x1,x2\n1,2,3\n", {"Content-Type": "text/csv"})}
VERBS = {"csv": "predict"}


def path_of(way, model, where=""):
    return f"/v2/models/{model}{where}/infer" if way == "infer" else f"/v1/models/{model}{where}:{VERBS.get(way, way)}"


@pytest.mark.parametrize("way", ASKED)
def test_versions_and_labels_that_are_not_there(kept, way):
    model, body, headers = ASKED[way]
    for name in ("0", "2", "-1", "+1", "1.0", "x", "latest", 2**31, 2**32 + 1, 2**63, 2**63 + 1, 2**64, 2**64 + 1, "1" + "0" * 100 + "1"):
        answer = refused(kept, path_of(way, model, f"/versions/{name}"), body, str(name)[:60], 404, **headers)
        assert ("it is a number" in answer["error"]) == (not str(name).isdigit())
    if way != "infer":
        for name in ("stable", "nowhere", "1", "x" * 64):
            refused(kept, path_of(way, model, f"/labels/{name}"), body, f'no label "{name}"', 404, **headers)
    refused(kept, path_of(way, "nowhere"), body, 'no model "nowhere"', 404, **headers)


@pytest.mark.parametrize("way", ASKED)
def test_a_model_without_versions_says_what_to_do(kept, way):
    _, body, headers = ASKED[way]
    answer = refused(kept, path_of(way, "untrained"), body, "train it first: POST /v1/models/untrained:train", 404, **headers)
    assert way == "infer" or answer.code == "no-version"
    refused(kept, path_of(way, "untrained", "/versions/1"), body, "no version 1", 404, **headers)


# ---- packed ----

def bomb(start, between, end, count):
    """A gzip stream of one member that unpacks to about as many MiB; its checksum is a lie that nobody lives to see."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(between * (MIB // len(between))) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return head + block * count + packer.compress(end) + packer.flush() + b"\0" * 8


LOOSE = b" " * (MIB - 12_000) + bytes(random.Random(1).choices(b" \t\r\n", k=12_000))  # packs 200 times smaller, which a real table may do
BOMBS = {
    "loose": (path_of("predict", "same"), gzip.compress(LOOSE) * 1024, {}),
    "spaces": (path_of("predict", "same"), bomb(b'{"instances":[', b" ", b"]}", 1024), {}),
    "rows": (path_of("predict", "same"), bomb(b'{"instances":[', b"[1,2,3],", b"[1,2,3]]}", 1024), {}),
    "members": (path_of("predict", "same"), gzip.compress(b" " * MIB) * 1024, {}),
    "examples": (path_of("classify", "kind"), bomb(b'{"examples":[', b"{},", b"{}]}", 1024), {}),
    "infer": (INFER, bomb(b'{"inputs":[{"name":"inputs","shape":[1,3],"datatype":"FP32","data":[', b"0,", b"0]}]}", 1024), {}),
    "csv": (path_of("predict", "same"), bomb(b"x0,x1,x2\n", b"1,2,3\n", b"", 1024), {"Content-Type": "text/csv"}),
    "npy": (path_of("predict", "same"), bomb(b"\x93NUMPY", b"\0", b"", 1024), {"Content-Type": "application/x-npy"}),
}


@pytest.mark.parametrize("kind_of", BOMBS)
def test_a_gigabyte_in_a_small_body(daemon, kept, kind_of):
    path, body, headers = BOMBS[kind_of]
    assert len(body) < 8 * MIB
    before = daemon.peak()
    for _ in range(3):
        refused(kept, path, body, "67108864 bytes" if kind_of == "loose" else "500 times", 413, **{"Content-Encoding": "gzip", **headers})
    assert daemon.peak() < before + 256 * MIB


GOOD = ASKED["predict"][1].encode()
DAMAGED = {"cut-head": gzip.compress(GOOD)[:5], "cut": gzip.compress(GOOD)[:-9], "no-length": gzip.compress(GOOD)[:-4], "nothing": b"", "plain": GOOD,
           "flags": gzip.compress(GOOD)[:3] + b"\xff" + gzip.compress(GOOD)[4:], "method": gzip.compress(GOOD)[:2] + b"\x07" + gzip.compress(GOOD)[3:],
           "checksum": gzip.compress(GOOD)[:-8] + b"\0\0\0\0" + gzip.compress(GOOD)[-4:], "length": gzip.compress(GOOD)[:-1] + b"\x01",
           "block": gzip.compress(GOOD)[:10] + b"\x07" + gzip.compress(GOOD)[11:], "second-member": gzip.compress(GOOD) + gzip.compress(b" ")[:-3],
           "behind": gzip.compress(GOOD) + b"x", "twice": gzip.compress(gzip.compress(GOOD))}


@pytest.mark.parametrize("way", ASKED)
@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_gzip(kept, way, damage):
    model, _, headers = ASKED[way]
    refused(kept, path_of(way, model), DAMAGED[damage], "", **{"Content-Encoding": "gzip", **headers})


def test_every_bit_of_a_packed_body(kept):
    """Turned over one by one: refused, or (in the head's time and system) of no effect."""
    packed = gzip.compress(GOOD, mtime=0)
    for at in range(len(packed) * 8):
        body = bytearray(packed)
        body[at // 8] ^= 1 << at % 8
        answer = kept.request("POST", SAME, body=bytes(body), headers={"Content-Encoding": "gzip"}, status=(200, 400))
        assert answer["error"] if answer.status == 400 else rows_of(answer.json) == [[1, 2, 3]]
    right(kept)


@pytest.mark.parametrize("space", [" ", "\t", " \t "], ids=repr)
@pytest.mark.parametrize("name", ["Content-Encoding", "Inference-Header-Content-Length"])
def test_white_space_behind_a_header(kept, name, space):
    path, body, headers = (SAME, gzip.compress(GOOD), {name: "gzip"}) if name == "Content-Encoding" else (INFER, *binary([tensor_of(RAW)]))
    kept.request("POST", path, body=body, headers={name: headers[name] + space}, status=200)


# ---- tables ----

@pytest.mark.parametrize("model,text,line,column", [("same", "x0,x1,x2\n1,2,3\n1,x,3\n", 3, 2), ("same", "x0,x1,x2\n1,2,1e39\n", 2, 3),
                                                    ("same", "x0,x1,x2\n1e999,2,3\n", 2, 1), ("strict", "x0,x1,x2\n1,,3\n", 2, 2), ("same", "y0,x2,x1\n0,1,2\n\n0,1,x\n", 4, 3),
                                                    ("same", "x1,x9\n1,x\n", 1, 2), ("strict", "x0,x2\n1,3\nx,3\n", 1, None)])
def test_a_fault_of_csv_says_where_it_is(kept, model, text, line, column):
    errors = refused(kept, path_of("predict", model), text, "", **{"Content-Type": "text/csv"})["errors"]
    assert [(error.get("line"), error.get("column")) for error in errors] == [(line, column)]


def test_every_row_of_csv_has_its_line(kept):
    kept.put("/v1/models/large", {"inputs": 1, "outputs": 1, "layers": []})
    kept.post("/v1/models/large/versions", by_hand([[[1e38]]], [[0]]), status=201)
    answer = kept.request("POST", "/v1/models/large:predict", body="x0\n1\n10\n2\n", headers={"Content-Type": "text/csv"}, status=200)
    assert len([line for line in answer.text.splitlines() if line]) == 4


def test_more_unknown_columns_than_faults_are_kept(kept):
    """The first one too many ended the daemon."""
    header = ",".join(f"z{i}" for i in range(30))
    answer = refused(kept, path_of("predict", "same"), f"{header}\n", "29 more faults", **{"Content-Type": "text/csv"})
    assert len(answer["errors"]) == 20 and answer["errors"][3]["column"] == 4
    refused(kept, path_of("predict", "strict"), f"{header}\n{header}\n1\n", "33 more faults", **{"Content-Type": "text/csv"})


# ---- in one stream ----

def test_bad_and_good_in_one_stream(daemon):
    """All sent before anything is read: as many answers as questions, in their order."""
    bad = [(path, body % cell, {}) for path, body, _ in WAYS.values() for cell in ('"x"', "NaN", "1e999", "[[[1]]]")]
    bad += [(INFER, *binary([tensor_of(RAW, size)])) for size in (13, -1, 2**64)]
    bad += [(SAME, body, {"Content-Encoding": "gzip"}) for body in DAMAGED.values()]
    sent = b""
    for path, body, headers in bad:
        for path, body, headers in ((path, body, headers), (SAME, json.dumps({"instances": [ROW]}), {})):
            body = body if isinstance(body, bytes) else body.encode()
            lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
            sent += "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as raw, raw.makefile("rb") as stream:
        raw.sendall(sent)
        for path, body, _ in bad:
            status, found = read_answer(stream)
            assert status == 400 and found["error"], (path, body)
            status, found = read_answer(stream)
            assert status == 200 and bits(rows_of(found)[0]) == bits(ROW), (path, body)


def read_answer(stream):
    """(status, JSON) of the next answer."""
    status, length = int(stream.readline().split()[1]), 0
    while (line := stream.readline().strip().lower()):
        assert line != b"connection: close"
        length = int(line[15:]) if line.startswith(b"content-length:") else length
    return status, json.loads(stream.read(length))


# ---- clients that leave ----

OF_THE_DATABASE = 20  # descriptors at most: two of each of eight readers and of the writer, the lock, and the log's index


def held(daemon):
    """How many descriptors it has without those of its database: a reader opens its own when it is first needed, and keeps them."""
    found = daemon.descriptors().values()
    own = sum(what.startswith(str(daemon.database)) for what in found)
    assert 0 < own <= OF_THE_DATABASE
    return len(found) - own


def leave(raw, abruptly):
    """Ends a connection: orderly, or by a reset."""
    if abruptly:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


HALVES = {"predict": b'{"instances":[[1,2,3],[1,', "classify": b'{"examples":[{"size":1},{"si', "regress": b'{"examples":[{"x0":1},{"x',
          "infer": b'{"inputs":[{"name":"inputs","shape":[1,3],"datatype":"FP32","data":[1,', "csv": b"x0,x1,x2\n1,2,3\n1,"}


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked", "Content-Encoding: gzip\r\nContent-Length: 1000000"],
                         ids=["length", "chunked", "gzip"])
@pytest.mark.parametrize("way", HALVES)
def test_clients_that_leave_within_the_body(daemon, kept, way, framing):
    right(kept)
    before = held(daemon)
    model, _, headers = ASKED[way]
    piece = HALVES[way] + b" " * 100_000
    piece = gzip.compress(piece)[:60] if "gzip" in framing else b"%x\r\n%b\r\n" % (len(piece), piece) if "chunked" in framing else piece
    head = "\r\n".join([f"POST {path_of(way, model)} HTTP/1.1", "Host: localhost", framing, *(f"{k}: {v}" for k, v in headers.items())])
    for i in range(40):
        raw = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
        raw.sendall(head.encode() + b"\r\n\r\n" + piece)
        leave(raw, i % 2)
        if i % 10 == 0:
            right(kept)
    wait_for("the descriptors to be what they were", lambda: held(daemon) <= before)
    right(kept)


def test_bodies_of_clients_that_left_take_no_memory(start):
    """The budget for bodies is given back: a hundred halves of 4 MiB, and the next whole one of 8 MiB is read."""
    daemon = start("--memory-budget", "64M")
    c = daemon.client()
    c.put("/v1/models/one", {"inputs": 1, "outputs": 1, "layers": []})
    c.post("/v1/models/one/versions", by_hand([[[1]]], [[0]]), status=201)
    before = held(daemon)
    for i in range(100):
        raw = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
        with contextlib.suppress(OSError):  # it may refuse while the others are not gone
            raw.sendall(b"POST /v1/models/one:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8388608\r\n\r\n" + b" " * (4 * MIB))
        leave(raw, i % 2)
    wait_for("the descriptors to be what they were", lambda: held(daemon) <= before)
    body = b" " * (8 * MIB - 19) + b'{"instances":[[7]]}'
    assert c.request("POST", "/v1/models/one:predict", body=body, status=200)["predictions"] == [[7]]
    daemon.stop()


LARGE = {
    "predict": (SAME, '{"instances":[' + "[0.123456789,0.123456789,0.123456789]," * 99_999 + "[1,2,3]]}", {}),
    "packed": (SAME, '{"instances":[' + ",".join("[%.9f,%.9f,%.9f]" % tuple(DRAW.random() for _ in "xyz") for _ in range(150_000)) + "]}",
               {"Accept-Encoding": "gzip"}),
    "infer": (INFER, json.dumps({"inputs": [tensor([0.123456789] * 300_000, shape=[100_000, 3])]}), {}),
    "csv": (SAME, "x0,x1,x2\n" + "0.123456789,0.123456789,0.123456789\n" * 100_000, {"Content-Type": "text/csv"}),
}


def ask_and_read_a_little(daemon, path, body, headers):
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(60)
    raw.connect(("127.0.0.1", daemon.port))
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    raw.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode())
    assert raw.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
    return raw


@pytest.mark.parametrize("kind_of", LARGE)
def test_clients_that_leave_within_the_answer(daemon, kept, kind_of):
    """More of them than the daemon has loops and threads stop reading; the others are answered meanwhile, and nothing stays."""
    right(kept)
    before = held(daemon)
    stuck = [ask_and_read_a_little(daemon, *LARGE[kind_of]) for _ in range(6)]
    assert held(daemon) >= before + len(stuck)
    right(kept)
    for i, raw in enumerate(stuck):
        leave(raw, i % 2)
    wait_for("the descriptors to be what they were", lambda: held(daemon) <= before)
    right(kept)


def test_the_end_of_the_daemon_waits_for_no_one_who_left(start):
    """Halves of bodies and of answers hold up nothing: it ends as ever (harness.Daemon.stop)."""
    daemon = start("--workers", 1, "--threads", 1)
    c = daemon.client()
    c.put("/v1/models/same", {"inputs": 3, "outputs": 3, "layers": []})
    c.post("/v1/models/same/versions", by_hand([IDENTITY], [[0, 0, 0]]), status=201)
    for kind_of in LARGE:
        leave(ask_and_read_a_little(daemon, *LARGE[kind_of]), False)
    for half in HALVES.values():
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as raw:
            raw.sendall(b"POST /v1/models/same:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + half)
    assert bits(rows_of(c.predict("same", [ROW]).json)[0]) == bits(ROW)
    daemon.stop()
