"""The Open Inference Protocol, as its specification and Triton's extensions write it down: a client of it, made here, and what
:predict says of the same rows."""
import http.client
import json
import struct

import pytest

from data import by_hand, example, records, trained
from fields import covers

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]
FORMATS = {"BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h", "INT32": "i",
           "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d"}
PERSON = {"height": 183, "hair_color": "brown", "sex": "male", "born": "1990-05-17", "smoker": False, "sport_hours": 1}
PERSON_TYPES = {"height": "FP32", "hair_color": "BYTES", "sex": "BYTES", "born": "BYTES", "smoker": "BOOL", "sport_hours": "INT16"}


@pytest.fixture(scope="module", autouse=True)
def models(daemon):
    c = daemon.client()
    trained(c, "iris")
    trained(c, "people")
    c.train("iris", {"dataset": "iris", "epochs": 30, "seed": 1})
    c.put("/v1/models/both", {"dataset": "people", "target": ["weight", "sex"], "features": ["height", "sport_hours"], "layers": [8], "seed": 1})
    c.put("/v1/models/untrained", {"inputs": 1, "outputs": 1})
    c.train("both", {"dataset": "people", "epochs": 30, "seed": 1})


def pack(datatype, values):
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(v.encode())) + v.encode() for v in values)
    return struct.pack(f"<{len(values)}{FORMATS[datatype]}", *values)


def unpack(datatype, data):
    if datatype != "BYTES":
        return list(struct.unpack(f"<{len(data) // struct.calcsize(FORMATS[datatype])}{FORMATS[datatype]}", data))
    found, at = [], 0
    while at < len(data):
        size, = struct.unpack_from("<I", data, at)
        found.append(data[at + 4:at + 4 + size].decode())
        at += 4 + size
    return found


def tensor(name, shape, datatype, data, binary=False):
    """(its JSON, its bytes)."""
    head = {"name": name, "shape": shape, "datatype": datatype}
    if not binary:
        return {**head, "data": data}, b""
    raw = pack(datatype, data)
    return {**head, "parameters": {"binary_data_size": len(raw)}}, raw


def flat(rows):
    return [cell for row in rows for cell in row]


def singles(rows):
    """The cells of rows as the float32 that their decimals stand for."""
    return unpack("FP32", pack("FP32", flat(rows)))


def infer(c, model, tensors, status=200, version="", **more):
    """The answer with "outputs" as {name: values}, whichever way they came."""
    document = {"inputs": [head for head, _ in tensors], **more}
    raw = b"".join(data for _, data in tensors)
    body = json.dumps(document).encode()
    headers = {"Inference-Header-Content-Length": str(len(body))} if raw else {}
    answer = c.request("POST", f"/v2/models/{model}{version}/infer", body=body + raw, status=status, headers=headers)
    if status != 200:
        return answer
    length = answer.headers["Inference-Header-Content-Length"]
    found = json.loads(answer.body[:int(length)]) if length else answer.json
    rest = answer.body[int(length):] if length else b""
    assert answer.headers["Content-Type"] == ("application/octet-stream" if length else "application/json")
    for output in found["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            assert "data" not in output
            output["data"], rest = unpack(output["datatype"], rest[:size]), rest[size:]
        elif output["datatype"] == "FP32":
            output["data"] = singles([output["data"]])
        assert len(output["data"]) == output["shape"][0] * (output["shape"][1] if len(output["shape"]) > 1 else 1)
    assert rest == b""
    return {**found, "outputs": {output["name"]: output["data"] for output in found["outputs"]}}


def infer_plain(c, model, tensors, **more):
    """The JSON of the answer as it is."""
    answer = c.request("POST", f"/v2/models/{model}/infer", body=json.dumps({"inputs": [head for head, _ in tensors], **more}), status=200)
    length = answer.headers["Inference-Header-Content-Length"]
    return json.loads(answer.body[:int(length)] if length else answer.body)


def iris(c, rows=ROWS, datatype="FP64", binary=False, nested=False, **more):
    return infer(c, "iris", [tensor("inputs", [len(rows), 4], datatype, rows if nested else flat(rows), binary)], **more)


# ---- what is here ----

def test_the_server(c):
    for path in ("/v2", "/v2/"):
        found = c.get(path)
        assert found["name"] == "descentd" and {"binary_tensor_data", "statistics", "model_repository"} <= set(found["extensions"])
        assert found["version"] == c.get("/v1/system")["version"]
    assert c.get("/v2/health/live").json == {"live": True} and c.get("/v2/health/ready").json == {"ready": True}


def test_metadata_names_the_tensors(c):
    found = c.get("/v2/models/iris")
    assert found["versions"] == ["2", "1"] and c.get("/v2/models/iris/versions/1")["versions"] == ["1"]
    assert found["inputs"] == [{"name": "inputs", "datatype": "FP32", "shape": [-1, 4]}]
    assert found["outputs"] == [{"name": "outputs", "datatype": "FP32", "shape": [-1, 3]}, {"name": "label", "datatype": "BYTES", "shape": [-1]}]
    people = c.get("/v2/models/people")
    assert {t["name"]: t["datatype"] for t in people["inputs"]} == {
        name: "FP32" if name in ("height", "sport_hours") else "BYTES" for name in PERSON}
    assert all(t["shape"] == [-1, 1] for t in people["inputs"]) and [t["name"] for t in people["outputs"]] == ["outputs"]
    assert [t["name"] for t in c.get("/v2/models/both")["outputs"]] == ["weight", "sex", "sex.label"]


def test_ready(c):
    assert c.get("/v2/models/iris/ready").json == {"name": "iris", "ready": True}
    c.get("/v2/models/iris/versions/1/ready")
    for path in ("/v2/models/iris/versions/9", "/v2/models/nowhere", "/v2/models/untrained"):
        for more in ("", "/ready"):
            assert list(c.get(path + more, status=404).json) == ["error"]


@covers("OipIndexRequest.ready")
def test_the_repository(c):
    found = [(it["name"], it["version"], it["state"]) for it in c.request("POST", "/v2/repository/index", status=200).json]
    assert found == [("both", "1", "READY"), ("iris", "2", "READY"), ("iris", "1", "READY"), ("people", "1", "READY"),
                     ("untrained", "", "UNAVAILABLE")]
    assert len(c.post("/v2/repository/index", {"ready": True}).json) == 4
    assert len(c.post("/v2/repository/index", {"ready": False}).json) == 5


# ---- inference ----

@covers("OipInput.name", "OipInput.shape", "OipInput.datatype", "OipInput.data", "OipInferRequest.inputs", "OipInput.parameters",
        "OipInputParameters.binary_data_size")
@pytest.mark.parametrize("datatype,binary,nested", [("FP64", False, False), ("FP32", False, True), ("FP64", True, False)])
def test_what_predict_says_of_the_same_rows(c, datatype, binary, nested):
    said = c.predict("iris", ROWS).json
    found = iris(c, ROWS, datatype, binary, nested)
    assert found["model_name"] == "iris" and found["model_version"] == said["model_version"] == "2"
    assert found["outputs"] == {"outputs": singles(said["predictions"]), "label": said["labels"]}
    assert iris(c, ROWS[:1], datatype, binary, nested)["outputs"]["label"] == said["labels"][:1]
    old = infer(c, "iris", [tensor("inputs", [3, 4], "FP64", flat(ROWS))], version="/versions/1")
    assert old["model_version"] == "1"


def test_one_row_as_a_vector(c):
    assert infer(c, "iris", [tensor("inputs", [4], "FP64", ROWS[0])])["outputs"]["label"] == ["setosa"]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("datatype", [t for t in FORMATS])
def test_every_datatype(c, datatype, binary):
    rows = [[0, 1, 1, 0], [1, 1, 0, 0]] if datatype == "BOOL" else [[5, 3, 1, 0], [7, 3, 5, 2]]
    values = [bool(v) for v in flat(rows)] if datatype == "BOOL" else flat(rows)
    found = infer(c, "iris", [tensor("inputs", [2, 4], datatype, values, binary)])
    assert found["outputs"]["outputs"] == singles(c.predict("iris", rows)["predictions"])


def test_halves_and_extremes(c):
    """Every bit pattern of binary16 that is a number is that number; the largest integers do not wrap."""
    halves = [0.1, 65504.0, 6e-8, -0.0]
    exact = [struct.unpack("<e", struct.pack("<e", v))[0] for v in halves]
    assert infer(c, "iris", [tensor("inputs", [1, 4], "FP16", halves, True)])["outputs"]["outputs"] == \
        singles(c.predict("iris", [exact])["predictions"])
    for datatype, value in (("UINT64", 2**64 - 1), ("INT64", -2**63), ("UINT8", 255), ("INT8", -128), ("UINT32", 2**32 - 1)):
        assert infer(c, "iris", [tensor("inputs", [1, 4], datatype, [value, 3, 1, 0], True)])[
            "outputs"]["outputs"] == singles(c.predict("iris", [[float(value), 3, 1, 0]])["predictions"])


@pytest.mark.parametrize("binary", [False, True])
def test_a_tensor_for_each_input(c, binary):
    said = c.predict("people", [PERSON, {**PERSON, "hair_color": "red"}])["predictions"]
    tensors = [tensor(name, [2, 1], PERSON_TYPES[name], [value, "red" if name == "hair_color" else value], binary)
               for name, value in PERSON.items()]
    assert infer(c, "people", tensors)["outputs"] == {"outputs": singles(said)}
    assert infer(c, "people", tensors[::-1])["outputs"] == {"outputs": singles(said)}
    mixed = [tensor(name, [2], PERSON_TYPES[name], [value, "red" if name == "hair_color" else value], i % 2 == 0)
             for i, (name, value) in enumerate(PERSON.items())]
    assert infer(c, "people", mixed)["outputs"] == {"outputs": singles(said)}


def test_several_outputs(c):
    said = c.predict("both", [{"height": 183, "sport_hours": 1}]).json
    found = infer(c, "both", [tensor("inputs", [1, 2], "FP64", [183, 1])])["outputs"]
    assert found == {"weight": singles([said["predictions"][0]["weight"]]), "sex": singles([said["predictions"][0]["sex"]]),
                     "sex.label": [said["labels"][0]["sex"]]}


@covers("OipInferRequest.id", "OipInferRequest.parameters", "OipParameters.binary_data_output", "OipInferRequest.outputs",
        "OipWish.name", "OipWish.parameters", "OipWishParameters.binary_data", "OipWishParameters.classification")
def test_what_is_wished(c):
    plain = iris(c)["outputs"]
    assert iris(c, id="x\u00e9\"1")["id"] == "x\u00e9\"1" and "id" not in iris(c)
    assert iris(c, outputs=[{"name": "label"}])["outputs"] == {"label": plain["label"]}
    assert list(iris(c, outputs=[{"name": "label"}, {"name": "outputs"}])["outputs"]) == ["label", "outputs"]
    for outputs in (None, [], [{"name": "outputs"}, {"name": "label"}],
                    [{"name": "outputs", "parameters": {"binary_data": False}}, {"name": "label", "parameters": {"binary_data": True}}]):
        for binary in (True, False):
            more = {"outputs": outputs} if outputs is not None else {}
            assert iris(c, parameters={"binary_data_output": binary}, **more)["outputs"] == plain, "the bits are the same"
    raw = c.request("POST", "/v2/models/iris/infer", status=200, body=json.dumps(
        {"inputs": [tensor("inputs", [1, 4], "FP64", ROWS[0])[0]], "parameters": {"binary_data_output": True}}))
    assert raw.body[int(raw.headers["Inference-Header-Content-Length"]):] == pack("FP32", plain["outputs"][:3]) + pack("BYTES", plain["label"][:1])
    classes = iris(c, outputs=[{"name": "outputs", "parameters": {"classification": 2}}])["outputs"]["outputs"]
    assert len(classes) == 6 and classes[0] == f"{plain['outputs'][0]:.6f}:0:setosa" and classes[2].endswith(":2:virginica")
    assert len(iris(c, outputs=[{"name": "outputs", "parameters": {"classification": 9}}])["outputs"]["outputs"]) == 9


def test_what_clients_send_beside(c):
    """Members that are not known stay without effect, at the top and in parameters, whatever the Content-Type."""
    body = json.dumps({"model_name": "other", "priority": 3, "inputs": [tensor("inputs", [1, 4], "FP64", ROWS[0])[0]],
                       "parameters": {"sequence_id": 7}})
    for media in (None, "application/json", "application/octet-stream", "application/vnd.something", "text/plain"):
        headers = {"Content-Type": media} if media else {}
        assert c.request("POST", "/v2/models/iris/infer", body=body, status=200, headers=headers)["outputs"][1]["data"] == ["setosa"]


def test_many_rows(c):
    rows = [[float(row[name]) for name in list(row)[:4]] for row in records(example("iris"))] * 40
    said = c.predict("iris", rows).json
    assert iris(c, rows, "FP64", True)["outputs"]["label"] == said["labels"]
    assert iris(c, rows, "FP32")["outputs"]["outputs"] == singles(said["predictions"])
    assert iris(c, [], "FP32", True)["outputs"] == {"outputs": [], "label": []}


def test_not_a_number_is_missing_and_infinity_is_refused(c):
    said = c.predict("iris", [[None, 3.5, 1.4, 0.2]])["predictions"]
    assert infer(c, "iris", [tensor("inputs", [1, 4], "FP64", [float("nan"), 3.5, 1.4, 0.2], True)])["outputs"]["outputs"] == singles(said)
    assert "infinite" in infer(c, "iris", [tensor("inputs", [1, 4], "FP64", [float("inf"), 3.5, 1.4, 0.2], True)], status=400)["error"]


def test_statistics_count_what_was_asked(c):
    def stats(path="/v2/models/iris/versions/2/stats"):
        return c.get(path)["model_stats"][0]
    infer(c, "iris", [tensor("inputs", [1, 4], "FP32", ROWS[0])], version="/versions/1")
    iris(c)
    before = stats()
    iris(c)
    c.predict("iris", ROWS[:2])
    iris(c, status=400, datatype="FP33")
    after = stats()
    assert after["inference_count"] - before["inference_count"] == 5 and after["execution_count"] - before["execution_count"] == 2
    for what, count in (("success", 2), ("fail", 1)):
        one, two = before["inference_stats"][what], after["inference_stats"][what]
        assert two["count"] - one["count"] == count and two["ns"] > one["ns"]
    assert after["last_inference"] >= before["last_inference"] > 0
    assert {(s["name"], s["version"]) for s in c.get("/v2/models/stats")["model_stats"]} >= {("iris", "1"), ("iris", "2")}
    assert [s["version"] for s in c.get("/v2/models/iris/stats")["model_stats"]].count("2") == 1
    c.get("/v2/models/nowhere/stats", status=404)


def test_what_is_not_finite_is_named(c):
    """As texts: the protocol has no arrays among parameters. Binary numbers are what they are."""
    c.put("/v1/models/grow", {"inputs": 1, "outputs": 2, "layers": []})
    c.post("/v1/models/grow/versions", by_hand([[[1e38], [-1e38]]], [[0, 0]]), status=201)
    body = json.dumps({"inputs": [tensor("inputs", [4, 1], "FP32", [1, 10, 2, -10])[0]]})
    outputs = c.request("POST", "/v2/models/grow/infer", body=body, status=200)["outputs"]
    assert [(o["data"][1], o["parameters"]) for o in outputs] == [
        (None, {"nonfinite": "row 1: inf, row 3: -inf"}), (None, {"nonfinite": "row 1: -inf, row 3: inf"})]
    many = [tensor("inputs", [50, 1], "FP32", [10] * 50)]
    assert len(infer_plain(c, "grow", many)["outputs"][0]["parameters"]["nonfinite"].split(", ")) == 20
    assert infer(c, "grow", many, parameters={"binary_data_output": True})["outputs"]["y0"] == [float("inf")] * 50
    c.put("/v1/models/nobody", {"inputs": 1, "outputs": [{"name": "kind", "type": "category", "values": ["cat", "dog"]}], "layers": []})
    c.post("/v1/models/nobody/versions", by_hand([[[1e38], [1e38]]], [[0, 0]]), status=201)
    rows = [tensor("inputs", [2, 1], "FP32", [1, 10])]
    found = infer_plain(c, "nobody", rows)["outputs"]
    assert [o["parameters"]["nonfinite"] for o in found] == ["row 1: nan"] * 2 and found[1]["data"] == ["cat", ""]
    found = infer_plain(c, "nobody", rows, outputs=[{"name": "label", "parameters": {"binary_data": True}}])["outputs"]
    assert found == [{"name": "label", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 11, "nonfinite": "row 1: nan"}}]
    assert all("parameters" not in output for output in infer_plain(c, "iris", [tensor("inputs", [1, 4], "FP64", ROWS[0])])["outputs"])


@pytest.mark.parametrize("binary", [False, True])
def test_what_was_never_seen_is_named(c, binary):
    colours = [f"x{i}" for i in range(30)] if binary else ['gr"een', "black", "blue"]
    tensors = [tensor(name, [len(colours), 1], PERSON_TYPES[name], colours if name == "hair_color" else [value] * len(colours), binary)
               for name, value in PERSON.items()]
    said = c.predict("people", [{**PERSON, "hair_color": colour} for colour in colours])["warnings"]
    assert infer(c, "people", tensors)["parameters"] == {"warnings": "\n".join(said)} and len(said) == (20 if binary else 2)
    assert infer(c, "people", tensors, parameters={"binary_data_output": True})["parameters"] == {"warnings": "\n".join(said)}
    known = [tensor(name, [1, 1], PERSON_TYPES[name], [value], binary) for name, value in PERSON.items()]
    assert "parameters" not in infer(c, "people", known)


# ---- what is refused ----

GOOD = {"name": "inputs", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}


@pytest.mark.parametrize("change,says", [
    ({"name": 3}, "name"), ({"name": "input"}, "no input"), ({"shape": [4, 1]}, "shape"), ({"shape": [-1, 4]}, "below 0"),
    ({"shape": [1.5, 4]}, "whole"), ({"shape": []}, "size"), ({"shape": 4}, "array"), ({"shape": [2, 4]}, "shape says 2"),
    ({"shape": [1, 3]}, "shape"), ({"shape": [4294967296, 4294967296, 4]}, "counted"), ({"shape": [1] * 9}, "at most 8"),
    ({"shape": [2**53, 2**52]}, "counted"), ({"datatype": "FP33"}, "datatype"), ({"datatype": "BYTES"}, "BYTES"),
    ({"datatype": 32}, "datatype"), ({"data": [1, 2, 3]}, "3 values"), ({"data": [1, 2, 3, 4, 5]}, "1 value"), ({"data": [1, 2, 3, 4] * 2}, "shape says 1"),
    ({"data": [1, 2, 3, "4"]}, "no number"), ({"data": ["1", 2, 3, 4]}, "no number"), ({"data": {"a": 1}}, "array"),
    ({"data": [[1, 2], [3, 4]]}, "2 rows"), ({"data": [{"x": 1}, 2, 3, 4]}, "no number"), ({"data": [[[1, 2, 3, 4]]]}, "not an array"),
    ({"data": None}, "array"), ({"parameters": {"binary_data_size": 16}}, "one of them"), ({"parameters": []}, "object"),
    ({"extra": 1}, "extra"), ({"data": [1e400, 2, 3, 4]}, "large"),
])
def test_bad_tensors(c, change, says):
    body = json.dumps({"inputs": [{**GOOD, **change}]}).replace("Infinity", "1e999")
    answer = c.request("POST", "/v2/models/iris/infer", body=body, status=400)
    assert says in answer["error"], answer["error"]
    assert iris(c)["outputs"]["label"][0] == "setosa", "and the next request on the connection works"


@pytest.mark.parametrize("body,says", [
    ("", "JSON"), ("[]", "inputs"), ("{}", "inputs"), ('{"inputs":[]}', "no tensor"), ('{"inputs":{}}', "array"),
    ('{"inputs":[1]}', "object"), ('{"inputs":[{}]}', "name"), ('{"inputs":', "JSON"), ('{"inputs":[],"inputs":[]}', "twice"),
    (json.dumps({"inputs": [GOOD, GOOD]}), "inputs"), (json.dumps({"inputs": [GOOD], "id": 3}), "string"),
    (json.dumps({"inputs": [GOOD], "outputs": {}}), "array"), (json.dumps({"inputs": [GOOD], "outputs": [{"name": "x"}]}), "no output"),
    (json.dumps({"inputs": [GOOD], "outputs": [{"name": "label", "parameters": {"classification": 2}}]}), "classification"),
    (json.dumps({"inputs": [GOOD], "outputs": [{"name": "label"}] * 3}), "more than"),
    (json.dumps({"inputs": [GOOD], "parameters": {"binary_data_output": 1}}), "true or false"),
    (json.dumps({"inputs": [{**GOOD, "data": ["NaN"] * 4}]}).replace('"NaN"', "NaN"), "JSON"),
    ('{"inputs":' + "[" * 70 + "]" * 70 + "}", "deep"),
])
def test_bad_requests(c, body, says):
    answer = c.request("POST", "/v2/models/iris/infer", body=body, status=400)
    assert says in answer["error"], answer["error"]


def test_binary_lengths_that_lie(c, daemon):
    raw = pack("FP32", flat(ROWS))
    def send(size, data, length=None, shape=(3, 4), datatype="FP32"):
        body = json.dumps({"inputs": [{"name": "inputs", "shape": list(shape), "datatype": datatype,
                                       "parameters": {"binary_data_size": size}}]}).encode()
        headers = {"Inference-Header-Content-Length": str(len(body) if length is None else length)}
        return c.request("POST", "/v2/models/iris/infer", body=body + data, headers=headers)
    assert send(len(raw), raw).status == 200
    for size, data, length, shape in ((len(raw) + 1, raw, None, (3, 4)), (len(raw) - 4, raw, None, (3, 4)), (len(raw), raw[:-1], None, (3, 4)),
                                      (len(raw), raw + b"x", None, (3, 4)), (2**53, raw, None, (3, 4)), (-1, raw, None, (3, 4)),
                                      (len(raw), raw, 10**6, (3, 4)), (len(raw), raw, "x", (3, 4)), (len(raw), raw, -1, (3, 4)),
                                      (len(raw), raw, 3, (3, 4)), (len(raw), raw, None, (2**62, 4)), (len(raw), raw, "9" * 30, (3, 4))):
        answer = send(size, data, length, shape)
        assert answer.status == 400 and answer["error"], (size, length)
    assert iris(c)["outputs"]["label"][0] == "setosa"


def test_texts_that_lie(c):
    def send(raw, rows=1):
        tensors = [tensor(name, [rows, 1], PERSON_TYPES[name], [value] * rows) for name, value in PERSON.items() if name != "hair_color"]
        tensors.append(({"name": "hair_color", "shape": [rows, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}, raw))
        return infer(c, "people", tensors, status=(200, 400))
    for raw, rows in ((struct.pack("<I", 6) + b"brown", 1), (struct.pack("<I", 4) + b"brown", 1), (b"\x05\0\0", 1), (b"", 1),
                      (struct.pack("<I", 2**32 - 1) + b"brown", 1), (pack("BYTES", ["brown"]), 2), (pack("BYTES", ["brown"] * 2), 1),
                      (struct.pack("<I", 2) + b"\xff\xfe", 1)):
        answer = send(raw, rows)
        assert answer.status == 400 and answer["error"], raw
    assert send(pack("BYTES", ["never seen"])).status == 200


def test_columns_that_do_not_fit(c):
    tensors = [tensor(name, [1, 1], PERSON_TYPES[name], [value]) for name, value in PERSON.items()]
    for changed, says in ((tensors[:-1], "not among"), (tensors[:-1] + [tensor("sport_hours", [2, 1], "FP32", [1, 2])], "rows"),
                          (tensors[:-1] + [tensor("sport_hours", [1, 2], "FP32", [1, 2])], "shape"),
                          (tensors[:-1] + [tensor("sport_hours", [1, 1], "BYTES", ["1"])], "numbers"),
                          (tensors[:-1] + [tensors[0]], "twice"), (tensors + [tensors[0]], "more tensors")):
        answer = infer(c, "people", changed, status=400)
        assert says in answer["error"], answer["error"]


@pytest.mark.parametrize("name", PERSON)
@pytest.mark.parametrize("cells", [0, 1, 3])
def test_text_of_another_length_beside_binary_tensors(c, name, cells):
    """A fuzzer's find: the length of a binary column was looked for as if it were text, without an end."""
    tensors = [tensor(other, [2, 1], PERSON_TYPES[other], [value] * (cells if other == name else 2), binary=other != name)
               for other, value in PERSON.items()]
    answer = infer(c, "people", tensors, status=400)
    assert "2" in answer["error"] and str(cells) in answer["error"]
    whole = [tensor(other, [2, 1], PERSON_TYPES[other], [value] * 2, binary=other != name) for other, value in PERSON.items()]
    assert len(infer(c, "people", whole)["outputs"]["outputs"]) == 2


def test_a_shape_that_the_data_do_not_have(c):
    for rows in (4, 10**6, 2**40, 2**60):
        answer = infer(c, "iris", [({"name": "inputs", "shape": [rows, 4], "datatype": "FP32", "data": flat(ROWS)}, b"")], status=400)
        assert "shape" in answer["error"] or "data" in answer["error"]


def test_models_that_cannot_answer(c):
    for model, version in (("untrained", ""), ("nowhere", ""), ("iris", "/versions/9"), ("iris", "/versions/x")):
        assert infer(c, model, [tensor("inputs", [1, 4], "FP32", [1, 2, 3, 4])], status=404, version=version)["error"]
    c.request("GET", "/v2/models/iris/infer", status=405)


# ---- TensorFlow Serving's metadata ----

def test_metadata_as_tensorflow_serving_has_it(c):
    found = c.get("/v1/models/iris/metadata").json
    assert found["model_spec"] == {"name": "iris", "signature_name": "", "version": "2"}
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["inputs"] == {"dtype": "DT_FLOAT", "name": "inputs", "tensor_shape": {
        "dim": [{"size": "-1", "name": ""}, {"size": "4", "name": ""}], "unknown_rank": False}}
    assert signature["outputs"]["label"]["dtype"] == "DT_STRING"
    assert c.get("/v1/models/iris/versions/1/metadata")["model_spec"]["version"] == "1"
    people = c.get("/v1/models/people/metadata")["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert set(people["inputs"]) == set(PERSON)
    c.put("/v1/models/iris/labels/old", {"version": "1"}, status=(200, 201))
    assert c.get("/v1/models/iris/labels/old/metadata")["model_spec"]["version"] == "1"
    c.get("/v1/models/untrained/metadata", status=404)


@pytest.mark.parametrize("strange", [{}, {70: "nan"}, {0: "nan", 299: "nan"}, {130: "inf"}, {5: 3e38, 200: "nan"}])
def test_rows_that_are_read_at_once(c, strange):
    """float32 of whole rows is encoded without looking at each cell, but for rows with one that is missing or too large; the same
    numbers as float64 go the other way. Both give the same bits, the same counts of drift and the same faults."""
    rows = [[4 + (i * 7 % 40) / 10, 2 + i % 25 / 10, 1 + i % 60 / 10, i % 25 / 10] for i in range(300)]
    for row, cell in strange.items():
        rows[row][row % 4] = float(cell)
    rows = [list(struct.unpack("<4f", struct.pack("<4f", *row))) for row in rows]
    found = []
    for datatype in ("FP32", "FP64"):
        c.train("iris", {"dataset": "iris", "epochs": 2, "seed": 5})  # counts begin anew with a version
        head, raw = tensor("inputs", [300, 4], datatype, flat(rows), binary=True)
        answer = infer_binary(c, head, raw)
        drift = c.get("/v1/models/iris/drift")
        found.append((answer, [one["psi"] for one in drift["inputs"]], drift["rows"]))
    assert found[0] == found[1]
    assert (found[0][0][0] == 400) == any(cell in ("inf", 3e38) for cell in strange.values())


def infer_binary(c, head, raw):
    """(status, outputs or the fault's sentence)."""
    text = json.dumps({"inputs": [head], "outputs": [{"name": "outputs"}]}).encode()
    answer = c.request("POST", "/v2/models/iris/infer", text + raw, (200, 400), {"Inference-Header-Content-Length": str(len(text))})
    return answer.status, answer.json.get("error") or answer["outputs"][0]["data"]


def test_an_error_that_quotes_bytes_which_are_no_text(daemon):
    """The sentence was no UTF-8, so there was no document, and the answer was 503. Found by the fuzzer of raw HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    connection.putrequest("GET", "/v2/c", skip_accept_encoding=True)
    connection._buffer[0] = b"GET /v2/c\x9btalog HTTP/1.1"
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 404 and "v2/c" in json.loads(answer.read())["error"]
    connection.close()
