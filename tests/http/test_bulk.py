""":predict of whole tables, as CSV and as NumPy arrays: the same bits as row by row, and one clear answer to what is wrong."""
import csv
import io
import struct

import pytest

from data import by_hand, example, records, table, trained

TYPES = {"<f4": "f", "<f8": "d", "<f2": "e", "|i1": "b", "|u1": "B", "<i2": "h", "<u4": "I", "<i8": "q", "|b1": "?"}


@pytest.fixture(scope="module", autouse=True)
def models(daemon):
    c = daemon.client()
    trained(c, "iris")
    trained(c, "people")
    whole = [(row["height"], row["hair_color"], row["weight"]) for row in records(example("people")) if all(row.values())]
    c.csv("whole", table(["height", "hair_color", "weight"], whole))
    c.put("/v1/models/strict", {"dataset": "whole", "target": "weight", "layers": [8], "seed": 1, "missing": "error"})
    c.train("strict", {"dataset": "whole", "epochs": 3, "seed": 1})


def npy(rows, descr="<f4", fortran=False, shape=None, head=None):
    """What numpy.save writes, as its format is described."""
    shape = shape or (len(rows), len(rows[0]))
    text = head or f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    text += " " * (-(10 + len(text) + 1) % 64) + "\n"
    cells = [cell for row in (zip(*rows) if fortran else rows) for cell in row]
    order = ">" if descr[0] == ">" else "<"
    kind = TYPES[descr.replace(">", "<")]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + struct.pack(f"{order}{len(cells)}{kind}", *cells)


def read_npy(data):
    assert data[:8] == b"\x93NUMPY\x01\x00"
    length, = struct.unpack("<H", data[8:10])
    head = eval(data[10:10 + length], {}, {})  # a literal, of our own daemon
    assert (10 + length) % 64 == 0 and head["descr"] == "<f4" and head["fortran_order"] is False
    rows, columns = head["shape"]
    cells = struct.unpack(f"<{rows * columns}f", data[10 + length:])
    return [list(cells[i * columns:(i + 1) * columns]) for i in range(rows)]


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def ask(c, model, body, media="application/x-npy", status=200, where=""):
    answer = c.request("POST", f"/v1/models/{model}{where}:predict", body=body, status=status, headers={"Content-Type": media})
    if status == 200:
        assert answer.headers["Content-Type"] == media and answer.headers["Model-Version"] == "1"
    return answer


def numbers():
    return [[float(row[name]) for name in list(row)[:4]] for row in records(example("iris"))]


# ---- NumPy ----

@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("descr", list(TYPES))
def test_arrays_of_every_type_and_order(c, descr, fortran):
    rows = [[round(v) % 2 == 1 for v in row] for row in numbers()] if descr == "|b1" else \
        [[round(v) for v in row] for row in numbers()] if descr[1] in "iu" else numbers()
    found = read_npy(ask(c, "iris", npy(rows, descr, fortran)).body)
    exact = [[struct.unpack("<" + TYPES[descr], struct.pack("<" + TYPES[descr], v))[0] for v in row] for row in rows]
    said = c.predict("iris", [[float(v) for v in row] for row in exact])["predictions"]
    assert found == [[single(v) for v in row] for row in said]


def test_by_version_and_with_gaps(c):
    rows = numbers()[:3]
    assert ask(c, "iris", npy(rows), where="/versions/1").body == ask(c, "iris", npy(rows)).body
    holes = [[float("nan"), 3.5, 1.4, 0.2]]
    said = c.predict("iris", [[None, 3.5, 1.4, 0.2]])["predictions"]
    assert read_npy(ask(c, "iris", npy(holes, "<f8")).body) == [[single(v) for v in row] for row in said]


@pytest.mark.parametrize("body,says", ids=range(11), argvalues=[
    (b"", "NPY"), (b"x" * 200, "NPY"), (npy([[1, 2, 3]]), "3 columns"), (npy([[1, 2, 3, 4]])[:-1], "number of bytes"),
    (npy([[1, 2, 3, 4]]) + b"x", "number of bytes"), (npy([[1, 2, 3, 4]], ">f4"), "big-endian"),
    (npy([[1, 2, 3, 4]], shape="(4,)"), ""), (npy([[1, 2, 3, 4]], shape=(2**40, 2**40)), ""), (npy([[1, 2, 3, 4]], head="{'descr': '<c8'}"), ""),
    (npy([[float("inf"), 2, 3, 4]]), "infinite"), (npy([[1, 2, 3, 4]])[:40], ""),
])
def test_arrays_that_cannot_be(c, body, says):
    answer = ask(c, "iris", body, status=(400, 413))
    assert says in answer["detail"], answer["detail"]
    assert read_npy(ask(c, "iris", npy([[1, 2, 3, 4]])).body)


def test_an_array_for_a_model_with_words(c):
    assert "CSV or JSON" in ask(c, "people", npy([[1, 2, 3, 4]]), status=400)["detail"]


# ---- CSV ----

def test_the_table_that_it_was_trained_on(c):
    """Targets are left alone; the likeliest class, then each one's score."""
    answer = ask(c, "iris", example("iris"), "text/csv")
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert lines[0] == ["species", "species=setosa", "species=versicolor", "species=virginica"] and len(lines) == 151
    said = c.predict("iris", numbers()).json
    assert [line[0] for line in lines[1:]] == said["labels"]
    assert [[float(v) for v in line[1:]] for line in lines[1:]] == said["predictions"]


def test_words_dates_gaps_and_columns_in_any_order(c):
    people = records(example("people"))
    names = ["weight", "smoker", "born", "sport_hours", "hair_color", "height"]  # no sex: it is missing
    text = table(names, [[row[name] for name in names] for row in people])
    found = [line.split(",")[0] for line in ask(c, "people", text.encode(), "text/csv").text.splitlines()[1:]]
    rows = [{name: row[name] or None for name in names[1:]} for row in people]
    said = c.predict("people", rows)["predictions"]
    assert [float(v) for v in found] == [v for v, in said]
    semicolons = ask(c, "people", text.replace(",", ";").encode(), "text/csv; charset=utf-8".partition(";")[0]).text
    assert [line.split(",")[0] for line in semicolons.splitlines()[1:]] == found


def test_what_was_never_seen_is_counted(c):
    text = "hair_color\nblack\ngreen\nblue\ngreen\n"
    assert ask(c, "people", text.encode(), "text/csv").headers["Model-Warnings"] == "2"
    many = "hair_color\n" + "".join(f"x{i}\n" for i in range(300))
    assert ask(c, "people", many.encode(), "text/csv").headers["Model-Warnings"] == "20"
    for name in ("Model-Warnings", "Model-Nonfinite"):
        assert ask(c, "people", b"hair_color\nblack\n\"\"\n", "text/csv").headers[name] is None
        assert ask(c, "iris", npy(numbers())).headers[name] is None


def test_what_is_not_finite_is_counted(c):
    """As CSV an empty cell, in quotes where it is alone; as an array what it is."""
    for name, outputs in (("single", 1), ("double", 2)):
        c.put(f"/v1/models/{name}", {"inputs": 1, "outputs": outputs, "layers": []}, status=(200, 201))
        c.post(f"/v1/models/{name}/versions", by_hand([[[1e38]] * outputs], [[0] * outputs]), status=201)
    answer = ask(c, "single", b"x0\n1\n10\n-10\n", "text/csv")
    assert answer.text == 'y0\n1e38\n""\n""\n' and answer.headers["Model-Nonfinite"] == "2"
    answer = ask(c, "double", b"x0\n1\n10\n", "text/csv")
    assert answer.text == "y0,y1\n1e38,1e38\n,\n" and answer.headers["Model-Nonfinite"] == "2"
    answer = ask(c, "single", npy([[10.0], [-10.0]]))
    assert read_npy(answer.body) == [[float("inf")], [float("-inf")]] and answer.headers["Model-Nonfinite"] == "2"


def test_no_rows(c):
    assert ask(c, "iris", b"sepal_length,sepal_width\n", "text/csv").text.count("\n") == 1


@pytest.mark.parametrize("body,line,says", ids=range(9), argvalues=[
    (b"", None, ""), (b"height,hair\n1,red\n", 1, "hair"), (b"height,hair_color\n180,red\nx,red\n", 3, '"x"'),
    (b"height,hair_color\n180,red\n181\n", 3, ""), (b"height,hair_color\n180,red\n,red\n", 3, "no value"), (b"height,height\n1,2\n", 1, ""),
    (b'height,hair_color\n180,"red\n', None, ""), (b"height,hair_color\n1e999,red\n", 2, ""), (b"height,hair_color\n180,\xff\n", 2, ""),
])
def test_tables_that_cannot_be(c, body, line, says):
    answer = ask(c, "strict", body, "text/csv", status=400)
    assert says in answer.sentence(), answer.json
    if line:
        assert {e.get("line") for e in answer["errors"]} == {line}
    assert ask(c, "strict", b"height,hair_color\n180,red\n", "text/csv").text.startswith("weight\n")


def test_models_that_are_not_there(c):
    ask(c, "nowhere", npy([[1, 2, 3, 4]]), status=404)
    ask(c, "nowhere", b"a\n1\n", "text/csv", status=404)
