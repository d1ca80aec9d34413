"""The formats of data sets: one table in each of them, packed and plain; what each says about a table that is wrong.

NPY bytes are made by the format's specification (numpy.lib.format), gzip and JSON by Python's own modules.
"""
import gzip
import hashlib
import http.client
import json
import random
import socket
import struct
import threading
import zlib

import pytest

from data import example, records, table
from fields import covers
from harness import wait_for

JSON = "application/json"
LINES = "application/x-ndjson"
NPY = "application/x-npy"
MIB = 1 << 20


def put(c, name, media, body, status=201, query="", **headers):
    return c.request("PUT", f"/v1/datasets/{name}{query}", body=body, status=status,
                     headers={"Content-Type": media, **headers})


def columns(document):
    """What is said of the columns."""
    return document["columns"]


def npy(rows, descr="<f8", fortran=False, version=1, shape=None):
    """An NPY file of rows of numbers."""
    kind = descr.lstrip("<>|=")
    code = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I",
            "u8": "Q", "b1": "?"}[kind]
    header = str({"descr": descr, "fortran_order": fortran, "shape": (len(rows), len(rows[0])) if shape is None else shape})
    header += " " * (-(len(header) + 11 + 2 * (version > 1)) % 64) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    order = zip(*rows) if fortran else rows
    cells = [cell for line in order for cell in line]
    mark = ">" if descr[0] == ">" else "<"
    return (b"\x93NUMPY" + bytes([version, 0]) + length + header.encode()
            + struct.pack(f"{mark}{len(cells)}{code}", *cells))


# ---- one table in every format ----

def cell(text):
    """A CSV cell as JSON has it."""
    if text == "":
        return None
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def spelled(name, media):
    """examples/data/NAME.csv in another format."""
    rows = records(example(name))
    if media == "text/csv":
        return example(name)
    parsed = [{key: cell(value) for key, value in row.items()} for row in rows]
    if media == JSON:
        return json.dumps(parsed).encode()
    if media == "rows":
        return json.dumps({"columns": list(rows[0]), "rows": [list(row.values()) for row in parsed]}, indent=1).encode()
    if media == "lines of arrays":
        return "\n".join(json.dumps(line) for line in [list(rows[0])] + [list(row.values()) for row in parsed]).encode()
    return "".join(json.dumps(row) + "\n" for row in parsed).encode()


@pytest.mark.parametrize("name", ["iris", "hair_eye", "diabetes"])
def test_one_table_in_every_format(c, fresh, name):
    wanted = put(c, f"{fresh}-csv", "text/csv", example(name)).json
    for media in (JSON, LINES, "rows", "lines of arrays"):
        body = spelled(name, media)
        sent = {"rows": JSON, "lines of arrays": LINES}.get(media, media)
        label = f"{fresh}-{media.replace(' ', '').split('/')[-1]}"
        found = put(c, label, sent, body).json
        assert columns(found) == columns(wanted), media
        assert (found["rows"], found["size_bytes"], found["sha256"]) == (
            wanted["rows"], len(body), hashlib.sha256(body).hexdigest())
        again = put(c, label, sent, gzip.compress(body), 200, **{"Content-Encoding": "gzip"}).json
        assert again == found, "packed, it is the same data set"
        other = put(c, label, sent, gzip.compress(body + b" \n"), 409, **{"Content-Encoding": "gzip"})
        assert other.code == "conflict"


def test_one_table_as_an_array_of_numpy(c, fresh):
    draw = random.Random(4)
    rows = [[round(draw.gauss(0, 3), 3), draw.randrange(100), draw.choice([0.5, 1.5])] for _ in range(200)]
    wanted = put(c, f"{fresh}-csv", "text/csv", table(["c0", "c1", "c2"], rows)).json
    for at, (descr, fortran, version) in enumerate([("<f8", False, 1), (">f8", False, 2), ("<f8", True, 3), (">f8", True, 1)]):
        body = npy(rows, descr, fortran, version)
        found = put(c, f"{fresh}-{at}", NPY, body).json
        assert columns(found) == columns(wanted)
        assert found["sha256"] == hashlib.sha256(body).hexdigest()
        assert put(c, f"{fresh}-{at}", NPY, gzip.compress(body), 200, **{"Content-Encoding": "gzip"}).json == found


@pytest.mark.parametrize("descr", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_every_type_of_array(c, fresh, descr):
    rows = [[1, 2], [3, 100], [0, 7]]
    wanted = columns(put(c, fresh, "text/csv", "c0,c1\n1,2\n3,100\n0,7\n").json)
    for at, (mark, fortran) in enumerate([("<", False), (">", False), ("<", True), (">", True)]):
        assert columns(put(c, f"{fresh}-{at}", NPY, npy(rows, mark + descr, fortran)).json) == wanted


def test_booleans_of_json_and_numpy(c, fresh):
    found = put(c, f"{fresh}-json", JSON, '[{"a":true,"b":false},{"a":false,"b":null}]').json
    array = put(c, f"{fresh}-npy", NPY, npy([[True, False], [False, False]], "|b1")).json
    assert [col["type"] for col in found["columns"] + array["columns"]] == ["boolean"] * 4
    assert array["columns"][0]["values"] == [{"value": "false", "count": 1}, {"value": "true", "count": 1}]
    numbers = put(c, f"{fresh}-numbers", NPY, npy([[True, False], [False, False]], "|b1"), query="?types=c0:number").json
    assert (numbers["columns"][0]["type"], numbers["columns"][0]["max"]) == ("number", 1)


@covers("Records.columns", "Records.rows")
def test_columns_and_rows(c, fresh):
    first = c.put(f"/v1/datasets/{fresh}-1", {"columns": ["a", "b"], "rows": [[1, "x"], [2, None]]}).json
    assert [(col["name"], col["type"], col["missing"]) for col in first["columns"]] == [
        ("a", "number", 0), ("b", "category", 1)]
    second = c.put(f"/v1/datasets/{fresh}-2", {"columns": ["a", "c"], "rows": [[1, "x"], [2, None]]}).json
    third = c.put(f"/v1/datasets/{fresh}-3", {"columns": ["a", "b"], "rows": [[1, "x"], [3, None]]}).json
    assert [col["name"] for col in second["columns"]] == ["a", "c"]
    assert third["columns"][0]["max"] == 3


def test_types_are_said_in_every_format(c, fresh):
    for at, (media, body, name) in enumerate([
            ("text/csv", "c0,c1\n1,2\n", "c0"), (JSON, '[{"c0":1,"c1":2}]', "c0"), (LINES, '{"c0":1,"c1":2}\n', "c0"),
            (NPY, npy([[1, 2]]), "c0")]):
        found = put(c, f"{fresh}-{at}", media, body, query=f"?types={name}:category,c1:ignore").json
        assert [col["type"] for col in found["columns"]] == ["category", "ignore"]
        assert found["columns"][0]["values"] == [{"value": "1", "count": 1}]
        assert put(c, f"{fresh}-bad", media, body, 422, query="?types=nothere:number").pointers() == ["?types"]


def test_strings_stay_words(c, fresh):
    found = put(c, fresh, JSON, '[{"zip":"007","n":"1","m":2},{"zip":"12","n":"","m":"NA"}]').json
    assert [(col["type"], col["missing"]) for col in found["columns"]] == [("category", 0), ("category", 1), ("number", 1)]
    assert [v["value"] for v in found["columns"][0]["values"]] == ["007", "12"]
    said = put(c, f"{fresh}-said", JSON, '[{"zip":"007","n":"1"},{"zip":"12","n":""}]', query="?types=n:number").json
    assert (said["columns"][1]["type"], said["columns"][1]["max"]) == ("number", 1)


def test_training_on_what_came_as_json(c, fresh):
    """Not only the description: the cells are the same, so the weights are."""
    weights = []
    for media in ("text/csv", JSON):
        name = f"{fresh}-{media[-4:].strip('/')}"
        put(c, name, media, spelled("iris", media))
        c.put(f"/v1/models/{name}", {"dataset": name, "target": "species", "layers": [4], "seed": 1})
        job = c.train(name, {"dataset": name, "epochs": 3, "seed": 1})
        weights.append(c.layers(name, job["version"]))
    assert weights[0] == weights[1]


@covers("dataset_patch?decimal")
def test_appending_in_any_format(c, fresh):
    """A data set that came as CSV goes on in the others, packed or not; what is said of it is what one file would say."""
    def patch(media, body, status=200, query="", **headers):
        return c.request("PATCH", f"/v1/datasets/{fresh}{query}", body=body, status=status,
                         headers={"Content-Type": media, **headers})
    put(c, fresh, "text/csv", "c0,c1\n1,2\n")
    patch(JSON, '[{"c1":4,"c0":3},{"c0":5}]')
    patch(JSON, '{"columns":["c0","c1"],"rows":[[7,8]]}')
    patch(LINES, gzip.compress(b'{"c0":9,"c1":10}\n'), **{"Content-Encoding": "gzip"})
    patch(NPY, npy([[11, 12.5]], fortran=True))
    found = patch("text/csv", "c0;c1\n0,5;1,25\n", query="?decimal=,").json
    whole = put(c, f"{fresh}-whole", "text/csv", "c0,c1\n1,2\n3,4\n5,\n7,8\n9,10\n11,12.5\n0.5,1.25\n").json
    assert (found["rows"], columns(found)) == (7, columns(whole))
    rows = c.get(f"/v1/datasets/{fresh}/rows")["rows"]
    assert rows == [[1, 2], [3, 4], [5, None], [7, 8], [9, 10], [11, 12.5], [0.5, 1.25]]
    answer = patch("text/csv", "c0;c1\n0,5;1,25\n", 422, query="?decimal=.")
    assert faults(answer) == [(2, 1), (2, 2)]
    for media, body in ((JSON, '[{"c0":1,"c2":2}]'), (NPY, npy([[1]])), (NPY, npy([[1, 2, 3]])), (LINES, '{"c0":"x","c1":1}')):
        patch(media, body, (400, 422))
    assert c.get(f"/v1/datasets/{fresh}").json == found, "nothing was appended"


# ---- what is wrong with them ----

def faults(answer):
    return [(e.get("line"), e.get("column")) for e in answer["errors"]]


def test_faults_of_records_come_at_once(c, fresh):
    body = '[{"a":1,"b":[2]},\n{"a":{},"b":2},\n{"a":1,"a":2},\n5,\n{"b":1e999}]'
    answer = put(c, fresh, JSON, body, 422)
    assert faults(answer) == [(1, 2), (2, 1), (3, 1), (4, None), (5, 2)]
    assert [f"record {i + 1}" in e["detail"] for i, e in enumerate(answer["errors"])] == [True] * 5
    c.get(f"/v1/datasets/{fresh}", status=404)
    many = put(c, fresh, LINES, '{"a":[]}\n' * 30, 422)
    assert len(many["errors"]) == 20 and "29 more" in many["detail"]


def test_a_late_key_names_its_record(c, fresh):
    pad = "x" * 100
    body = "".join(f'{{"a":{i},"pad":"{pad}"}}\n' for i in range(12_000)) + '{"a":1,"late":2}\n'
    answer = put(c, fresh, LINES, body, 422)
    assert answer.code == "unknown-field"
    assert faults(answer) == [(12_001, None)]
    assert "record 12001" in answer["detail"] and '"late"' in answer["detail"] and "columns" in answer["detail"]
    early = put(c, fresh, LINES, '{"a":1,"late":2}\n' + body).json
    assert [col["missing"] for col in early["columns"]] == [0, 12_000, 2]


@pytest.mark.parametrize("media,body,line,byte", [
    (JSON, '[{"a":1},\n{"a":}]', 2, 15), (JSON, '[{"a":1}\n', 2, 9), (JSON, '[{"a":1}] []', 1, 10),
    (JSON, b'[{"a":1},\n{"a":"\xff"}]', 2, 16), (LINES, b'{"a":1}\n{"a":"\xe4"}\n', 2, 14), (LINES, '{"a":1}\n{"a":\n', 2, 13),
    (JSON, "hello", 1, 0), (JSON, "", 1, 0),
], ids=["value", "cut", "two", "no-utf8", "no-utf8-line", "cut-line", "text", "empty"])
def test_broken_json_names_line_and_byte(c, fresh, media, body, line, byte):
    answer = put(c, fresh, media, body, 400)
    assert answer.code == "malformed-json"
    assert answer["errors"][0]["line"] == line
    assert f"byte {byte} " in answer["detail"]
    c.get(f"/v1/datasets/{fresh}", status=404)


@pytest.mark.parametrize("media,body", [
    (JSON, "[]"), (JSON, '{"columns":["a"],"rows":[]}'), (LINES, ""), (LINES, "\n\n"), (JSON, "[{}]"), (NPY, npy([], shape=(0, 2))),
    ("text/csv", "a,b\n"),
], ids=["array", "rows", "lines", "blank", "no-keys", "npy", "csv"])
def test_no_rows(c, fresh, media, body):
    answer = put(c, fresh, media, body, 422)
    assert "rows" in answer["detail"] or "no columns" in answer["detail"]
    c.get(f"/v1/datasets/{fresh}", status=404)


@pytest.mark.parametrize("body", [
    '[{"":1}]', '{"columns":["a","a"],"rows":[]}', '{"columns":["a",""],"rows":[]}', '{"columns":[1],"rows":[]}',
    '{"columns":["a"],"rows":[],"more":1}', '{"rows":[],"columns":["a"]}', '{"columns":["a"]}', "[[1]]",
    '{"columns":["a"],"rows":[[1,2]]}', json.dumps([{"n" * 1025: 1}]),
])
def test_shapes_and_names_that_are_wrong(c, fresh, body):
    put(c, fresh, JSON, body, 422)
    c.get(f"/v1/datasets/{fresh}", status=404)


def test_an_infinity_and_a_hole_in_an_array(c, fresh):
    nan, inf = float("nan"), float("inf")
    found = put(c, fresh, NPY, npy([[1, nan], [nan, 2], [3, 4]])).json
    assert [col["missing"] for col in found["columns"]] == [1, 1]
    for fortran in (False, True):
        answer = put(c, f"{fresh}-inf", NPY, npy([[1, 2], [3, inf], [-inf, 4]], fortran=fortran), 422)
        assert faults(answer) == [(2, 2), (3, 1)]
        assert "row 2" in answer["detail"]
    c.get(f"/v1/datasets/{fresh}-inf", status=404)


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("shape,status", [
    ((3, 3), 400), ((1, 3), 400), ((2, 2), 400), ((2 ** 40, 3), 413), ((2 ** 62, 4), 400), ((6,), 422), ((), 422), ((1, 2, 3), 422),
    ((0, 3), 422), ((3, 0), 422), ((1, 100_001), 413),
])
def test_headers_of_numpy_that_lie(c, fresh, shape, status, fortran):
    put(c, fresh, NPY, npy([[1, 2, 3], [4, 5, 6]], shape=shape, fortran=fortran), status)
    c.get(f"/v1/datasets/{fresh}", status=404)


@pytest.mark.parametrize("descr", ["'|O'", "'<c8'", "'<U3'", "[('a','<f8')]", "'<f9'", "8"])
def test_arrays_of_other_things(c, fresh, descr):
    body = npy([[1, 2]]).replace(b"'<f8'", descr.encode().ljust(5))
    answer = put(c, fresh, NPY, body, (400, 422))
    assert len(answer["detail"]) > 20
    c.get(f"/v1/datasets/{fresh}", status=404)


# ---- gzip ----

PACKED = {"Content-Encoding": "gzip"}


def test_gzip_in_several_members(c, fresh):
    text = example("iris")
    body = gzip.compress(text[:1000]) + gzip.compress(b"") + gzip.compress(text[1000:], 1)
    found = put(c, fresh, "text/csv", body, **PACKED).json
    assert (found["rows"], found["size_bytes"], found["sha256"]) == (150, len(text), hashlib.sha256(text).hexdigest())
    assert put(c, fresh, "text/csv", text, 200).json == found
    assert put(c, fresh, "text/csv", gzip.compress(text), 200, **{"Content-Encoding": "x-gzip"}).json == found


def test_gzip_that_is_damaged(c, fresh):
    whole = gzip.compress(example("iris"))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x10
    sums = whole[:-8] + bytes(4) + whole[-4:]
    for body in (whole[:-1], whole[:100], whole[:5], b"", bytes(flipped), sums, example("iris"), whole + b"more"):
        answer = put(c, fresh, "text/csv", body, 400, **PACKED)
        assert answer.code == "malformed-body" and "gzip" in answer["detail"]
        c.get(f"/v1/datasets/{fresh}", status=404)
    put(c, fresh, "text/csv", whole, **PACKED)
    put(c, fresh, "text/csv", whole[:-1], 400, query="?replace=true", **PACKED)
    put(c, fresh, "text/csv", whole[:-1], 400, **PACKED)
    assert c.get(f"/v1/datasets/{fresh}")["rows"] == 150


def test_faults_within_gzip_keep_their_places(c, fresh):
    answer = put(c, fresh, "text/csv", gzip.compress(b"a,b\n1,2\n3\n"), 400, **PACKED)
    assert faults(answer) == [(3, 2)]


@pytest.mark.parametrize("body, mend", [
    (gzip.compress(b"a,b\n1,2\n"), "Content-Encoding: gzip"), (b"PK\x03\x04\x14\0\6\0", "CSV"),
    (b"PAR1\x15\4", "CSV"), ("a\tb\n1\t2\n".encode("utf-16"), "UTF-8")],
    ids=["gzip", "zip", "parquet", "utf-16"])
def test_files_that_are_sent_as_they_are(c, fresh, body, mend):
    """A table.csv.gz without its header was asked whether it is UTF-16, at its fourth byte."""
    for media in ("text/csv", JSON, NPY):
        assert mend in put(c, fresh, media, body, 400)["detail"]
    assert mend in put(c, fresh, "text/csv", gzip.compress(body), 400, **PACKED)["detail"]
    c.get(f"/v1/datasets/{fresh}", status=404)


def test_codings_that_are_not_read(c, fresh):
    answer = put(c, fresh, "text/csv", b"a\n1\n", 415, **{"Content-Encoding": "br"})
    assert "gzip" in answer["detail"]
    put(c, fresh, "text/csv", b"a\n1\n", **{"Content-Encoding": "identity"})
    answer = c.request("PUT", f"/v1/models/{fresh}", body=gzip.compress(b"{}"), status=415,
                       headers={"Content-Type": JSON, **PACKED})
    assert "as they are" in answer["detail"]


def bomb(text, size):
    """Gzip data of size bytes, text over and over, without the memory for it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    block = text * (MIB // len(text))
    return b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()


def test_a_bomb_by_its_ratio(start):
    """Refused once it is seen to be one; it takes no memory and leaves nothing."""
    daemon = start()
    body = bomb(b"0,1\n", 400 * MIB)
    assert len(body) < MIB
    c = daemon.client()
    answer = put(c, "bomb", "text/csv", body, 413, **PACKED)
    assert "times" in answer["detail"]
    assert c.get("/v1/datasets")["datasets"] == []
    assert daemon.peak() < 100 << 20


def test_a_bomb_by_its_size(start):
    """--max-upload counts what comes out of the packed bytes."""
    c = start("--max-upload", "4M").client()
    lines = ("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(20_000))).encode()
    assert put(c, "fits", "text/csv", bomb(lines, 3 * MIB), **PACKED)["size_bytes"] < 4 * MIB
    body = bomb(lines, 6 * MIB)
    assert len(body) < 4 * MIB
    answer = put(c, "bomb", "text/csv", body, 413, **PACKED)
    assert "4194304 bytes" in answer["detail"]
    c.get("/v1/datasets/bomb", status=404)
