"""Data sets: uploads, what is said about their columns, revisions, lists, and that nothing half is ever visible."""
import hashlib
import math
import socket
import statistics

import pytest

from data import ENDLESS, example, iris_model, records, table
from fields import covers


def column(document, name):
    return next(col for col in document["columns"] if col["name"] == name)


def test_upload_describes_every_column(c, fresh):
    text = example("iris")
    answer = c.csv(fresh, text, status=201)
    assert answer.headers["Location"] == f"/v1/datasets/{fresh}"
    found = answer.json
    assert (found["name"], found["revision"], found["rows"]) == (fresh, "1", 150)
    assert found["size_bytes"] == len(text)
    assert found["sha256"] == hashlib.sha256(text).hexdigest()
    rows = records(text)
    assert [col["name"] for col in found["columns"]] == list(rows[0])
    for name in list(rows[0])[:-1]:
        numbers = [float(row[name]) for row in rows]
        col = column(found, name)
        assert (col["type"], col["missing"], col["integers"]) == ("number", 0, False)
        assert (col["min"], col["max"]) == (min(numbers), max(numbers))
        assert math.isclose(col["mean"], statistics.mean(numbers), rel_tol=1e-9)
        assert math.isclose(col["std"], statistics.stdev(numbers), rel_tol=1e-9)
        assert col["distinct"] == len(set(numbers))
    species = column(found, "species")
    assert (species["type"], species["missing"], species["distinct"]) == ("category", 0, 3)
    assert species["values"] == [{"value": v, "count": 50} for v in ("setosa", "versicolor", "virginica")]
    assert c.get(f"/v1/datasets/{fresh}").json == found


@covers("dataset_put?replace")
def test_revisions(c, fresh):
    first = c.csv(fresh, "a,b\n1,2\n", status=201).json
    again = c.csv(fresh, "a,b\n1,2\n", status=200).json
    assert again == first, "the same bytes change nothing"
    assert "replace" in c.csv(fresh, "a,b\n1,3\n", status=409).sentence(), "says how to go on"
    assert c.csv(fresh, "a,b\n1,3\n", status=409, query="?replace=false").code == "conflict"
    assert c.get(f"/v1/datasets/{fresh}").json == first
    second = c.csv(fresh, "a,b\n1,3\n", status=200, query="?replace=true").json
    assert second["revision"] != first["revision"]
    assert c.get(f"/v1/datasets/{fresh}").json == second
    assert c.csv(fresh, "a,b\n1,2\n", status=200, query="?replace=true")["sha256"] == first["sha256"]
    assert c.csv(fresh + "-new", "a\n1\n", status=201, query="?replace=true")["revision"] == "1"


@pytest.mark.parametrize("text", [
    "a;b\n1;x\n2;y\n", "a\tb\n1\tx\n2\ty\n", "a,b\r\n1,x\r\n2,y\r\n", "\ufeffa,b\n1,x\n2,y\n", "a,b\n1,x\n2,y",
    '"a","b"\n"1","x"\n2,y\n', "a,b\n\n1,x\n\n2,y\n\n",
], ids=["semicolon", "tab", "crlf", "bom", "no-last-newline", "quotes", "blank-lines"])
def test_spellings_of_one_table(c, fresh, text):
    found = c.csv(fresh, text, status=201).json
    assert found["rows"] == 2
    assert [(col["name"], col["type"]) for col in found["columns"]] == [("a", "number"), ("b", "category")]
    assert [v["value"] for v in column(found, "b")["values"]] == ["x", "y"]


def test_quoted_cells(c, fresh):
    text = 'word,n\n"a, b",1\n"say ""hi""",2\n"two\nlines",3\n'
    found = c.csv(fresh, text, status=201).json
    assert found["rows"] == 3
    assert {v["value"] for v in column(found, "word")["values"]} == {"a, b", 'say "hi"', "two\nlines"}


def test_missing_cells(c, fresh):
    spelled = ["", "NA", "N/A", "NaN", "nan", "-nan", "null", "?"]
    text = table(["number", "word"], [(m, "x") for m in spelled] + [(5, m) for m in spelled] + [(7, "y")])
    found = c.csv(fresh, text, status=201).json
    number, word = column(found, "number"), column(found, "word")
    assert (number["type"], number["missing"], number["min"], number["max"]) == ("number", 8, 5, 7)
    assert math.isclose(number["mean"], (8 * 5 + 7) / 9)
    assert (word["type"], word["missing"], word["distinct"]) == ("category", 8, 2)
    assert word["values"] == [{"value": "x", "count": 8}, {"value": "y", "count": 1}]


def test_what_is_a_number(c, fresh):
    numbers = ["1", "-2", "+3", "4.5", ".5", "6.", "1e3", "-1E-3"]
    words = ["007", "0x10", "1,5", "1e", "inf", "--1", "1 2", "one"]
    text = table([f"n{i}" for i in range(len(numbers))] + [f"w{i}" for i in range(len(words))], [numbers + words] * 2)
    types = {col["name"]: col["type"] for col in c.csv(fresh, text, status=201)["columns"]}
    assert {n: t for n, t in types.items() if n[0] == "w"} == {f"w{i}": "category" for i in range(len(words))}
    assert types["n0"] == types["n1"] == types["n3"] == types["n6"] == types["n7"] == "number"


@pytest.mark.parametrize("infinity", ["inf", "-inf", "+Infinity", "INF"])
@pytest.mark.parametrize("row", [0, 1, 30_000])
def test_an_infinity_among_numbers(c, fresh, infinity, row):
    """As pandas and numpy.savetxt write it. The column became a category of tens of thousands of values, unasked."""
    rows = [[i * 0.5, "x"] for i in range(40_000)]
    rows[row][0] = infinity
    answer = c.csv(fresh, table(["n", "word"], rows), status=422)
    assert answer["errors"] == [{"detail": answer["errors"][0]["detail"], "line": row + 2, "column": 1}] and f'"{infinity}"' in answer["detail"]
    c.get(f"/v1/datasets/{fresh}", status=404)
    said = c.csv(fresh, table(["n", "word"], rows), query="?types=n:category", status=201).json
    assert column(said, "n")["type"] == "category"
    rows[7][0] = "seven"
    assert column(c.csv(f"{fresh}-words", table(["n", "word"], rows), status=201).json, "n")["type"] == "category"


def test_a_column_that_meets_its_first_word_late(c, fresh):
    """The groups before it are written again: what was read as a number is a category like the word."""
    rows = [(i % 5, i) for i in range(300_000)] + [("five", 300_000)]
    found = c.csv(fresh, table(["code", "n"], rows), status=201).json
    code = column(found, "code")
    assert (code["type"], code["distinct"]) == ("category", 6)
    assert {v["value"]: v["count"] for v in code["values"]} == {**{str(i): 60_000 for i in range(5)}, "five": 1}
    assert column(found, "n")["type"] == "number"


@covers("dataset_put?types")
def test_types_that_are_said(c, fresh):
    text = "zip,age\n1010,30\n2020,40\n"
    plain = c.csv(fresh, text, status=201).json
    assert [col["type"] for col in plain["columns"]] == ["number", "number"]
    said = c.csv(f"{fresh}-said", text, status=201, query="?types=zip:category,age:number").json
    assert [col["type"] for col in said["columns"]] == ["category", "number"]
    assert [v["value"] for v in column(said, "zip")["values"]] == ["1010", "2020"]
    unchanged = c.csv(fresh, text, status=200, query="?types=zip:category").json  # a 200 that hid that zip stayed a number
    assert "replace=true" in unchanged.pop("warnings")[0] and unchanged == plain == c.get(f"/v1/datasets/{fresh}").json
    assert c.csv(fresh, text, status=200, query="?types=zip:number").json == plain
    again = c.csv(fresh, text, status=200, query="?types=zip:category&replace=true").json
    assert [col["type"] for col in again["columns"]] == ["category", "number"], "the same bytes, read otherwise"
    for types, names in (("nothere:number", "nothere"), ("zip:letters", "letters"), ("zip", "zip")):
        answer = c.csv(f"{fresh}-bad", text, status=422, query=f"?types={types}")
        assert names in answer.sentence()
    c.get(f"/v1/datasets/{fresh}-bad", status=404)


@covers("dataset_put?types")
def test_booleans_dates_and_what_is_ignored(c, fresh):
    text = "id,day,smokes,n\nx1,2024-02-29,yes,1\nx2,2024-03-02T12:00:00Z,No,2\nx3,,,3\n"
    plain = c.csv(fresh, text, status=201).json
    assert [col["type"] for col in plain["columns"]] == ["category", "category", "category", "number"]
    assert "?types=day:date" in column(plain, "day")["hint"]
    said = c.csv(f"{fresh}-said", text, status=201, query="?types=id:ignore,day:date,smokes:boolean").json
    assert column(said, "id") == {"name": "id", "type": "ignore"}
    assert column(said, "smokes")["values"] == [{"value": "false", "count": 1}, {"value": "true", "count": 1}]
    day = column(said, "day")
    assert (day["min"], day["max"], day["mean"], day["missing"], day["distinct"]) == (
        "2024-02-29", "2024-03-02T12:00:00Z", "2024-03-01T06:00:00Z", 1, 2)
    assert abs(day["std"] - 2.5 * 86400 / 2 ** .5) < 1e-6


def test_a_profile_of_every_column(c, fresh):
    """Against numpy's definitions, by hand: 0..999 and its squares, and a date for each day of 2023."""
    rows = [f"{i},{i * i},{'abc'[i % 3]},2023-{1 + i % 365 // 31:02}-{1 + i % 365 % 28:02}" for i in range(1000)]
    found = c.csv(fresh, "\n".join(["n,square,word,day", *rows]), status=201, query="?types=day:date").json
    n, square, word, day = found["columns"]
    assert n["quartiles"] == [249.75, 499.5, 749.25] and n["distinct"] == 1000
    assert square["quartiles"] == [(249 ** 2 * 1 + 250 ** 2 * 3) / 4, (499 ** 2 + 500 ** 2) / 2, (749 ** 2 * 3 + 750 ** 2) / 4]
    assert n["values"] == [{"value": str(i), "count": 1} for i in range(10)]
    assert word["values"] == [{"value": "a", "count": 334}, {"value": "b", "count": 333}, {"value": "c", "count": 333}]
    for col, power in ((n, 1), (square, 2)):
        edges, counts = col["histogram"]["edges"], col["histogram"]["counts"]
        assert len(edges) == 21 and len(counts) == 20 and edges[0] <= col["min"] and edges[-1] >= col["max"]
        assert counts == [sum(low <= i ** power < high for i in range(1000)) for low, high in zip(edges, edges[1:])]
    assert all(text.startswith("20") for text in day["quartiles"] + day["histogram"]["edges"])
    assert sum(day["histogram"]["counts"]) == 1000 and day["values"][0]["value"].startswith("2023-")
    assert day["quartiles"] == sorted(day["quartiles"]) and day["min"] <= day["quartiles"][0]
    c.csv(f"{fresh}-same", "a,b\n5,\n5,\n", status=201)
    same, none = c.get(f"/v1/datasets/{fresh}-same", status=200).json["columns"]
    assert same["histogram"] == {"edges": [5, 5], "counts": [2]} and same["quartiles"] == [5, 5, 5]
    assert "histogram" not in none and "quartiles" not in none and "values" not in none


def test_cells_that_their_type_does_not_take(c, fresh):
    text = "day,smokes\n2024-02-29,yes\n29.2.2024,maybe\n2024-02-30,\n"
    answer = c.csv(fresh, text, status=422, query="?types=day:date,smokes:boolean")
    assert [(e["line"], e["column"]) for e in answer["errors"]] == [(3, 1), (3, 2), (4, 1)]
    assert "2024-02-29T13:05:00Z" in answer["errors"][0]["detail"] and "true or false" in answer["errors"][1]["detail"]
    c.get(f"/v1/datasets/{fresh}", status=404)
    for types, mend in (("day:dat", 'did you mean \"date\"'), ("dax:date", 'did you mean \"day\"'), ("day:text", "boolean")):
        assert mend.replace("\\", "") in c.csv(fresh, text, status=422, query=f"?types={types}").sentence()


def test_a_word_in_a_column_said_to_be_numbers(c, fresh):
    answer = c.csv(fresh, "age,x\n30,1\nold,2\n", status=422, query="?types=age:number")
    assert [(e["line"], e["column"]) for e in answer["errors"]] == [(3, 1)]


def test_content_types(c, fresh):
    """None is CSV, as curl -T sends it; forms and plain text are refused with the flag to use."""
    c.request("PUT", f"/v1/datasets/{fresh}", body="a\n1\n", status=201)
    c.csv(fresh, "a\n1\n", status=200, headers={"Content-Type": "text/csv; charset=utf-8"})
    for media in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        answer = c.csv(f"{fresh}-no", "a\n1\n", status=415, headers={"Content-Type": media})
        assert "text/csv" in answer.sentence()
    c.get(f"/v1/datasets/{fresh}-no", status=404)


def test_delete(c, fresh):
    c.csv(fresh, "a\n1\n", status=201)
    c.delete(f"/v1/datasets/{fresh}")
    c.get(f"/v1/datasets/{fresh}", status=404)
    c.delete(f"/v1/datasets/{fresh}", status=404)
    c.csv(fresh, "a\n2\n", status=201)


def test_a_data_set_that_a_job_needs_stays(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    job = c.start(fresh, ENDLESS)
    answer = c.delete("/v1/datasets/iris", status=409)
    assert job["id"] in answer["detail"], "names the job"
    c.cancel(job["id"])
    c.ended(job["id"], "cancelled")


@covers("dataset_list?limit", "dataset_list?cursor")
def test_lists_come_in_pages(c):
    for i in range(5):
        c.csv(f"page-{i}", f"a\n{i}\n")
    whole = [d["name"] for d in c.get("/v1/datasets?limit=1000")["datasets"]]
    assert whole == sorted(whole) and {f"page-{i}" for i in range(5)} <= set(whole)
    paged, path = [], "/v1/datasets?limit=2"
    for _ in range(len(whole)):
        answer = c.get(path)
        assert len(answer["datasets"]) <= 2
        paged += [d["name"] for d in answer["datasets"]]
        if not answer["next"]:
            break
        linked = answer.headers["Link"].split(">")[0].lstrip("<")
        assert "limit=2" in linked and answer["next"] in linked
        path = linked if len(paged) < 4 else f"/v1/datasets?limit=2&cursor={answer['next']}"
    assert paged == whole


@pytest.mark.parametrize("query,pointer", [("limit=0", "?limit"), ("limit=1001", "?limit"), ("limit=two", "?limit"),
                                           ("colour=red", "?colour")])
def test_queries_of_lists_are_checked(c, query, pointer):
    answer = c.get(f"/v1/datasets?{query}", status=422)
    assert answer.pointers() == [pointer]


def test_query_of_an_upload_is_checked(c, fresh):
    assert c.csv(fresh, "a\n1\n", status=422, query="?replace=maybe").pointers() == ["?replace"]
    assert c.csv(fresh, "a\n1\n", status=422, query="?tpyes=a:number").code == "unknown-field"
    c.get(f"/v1/datasets/{fresh}", status=404)


def test_a_broken_upload_leaves_what_was_there(c, daemon, fresh):
    first = c.csv(fresh, "a,b\n1,2\n", status=201).json
    c.csv(fresh, "a,b\n1,2\n3\n", status=400, query="?replace=true")
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as raw:
        raw.sendall(f"PUT /v1/datasets/{fresh}?replace=true HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
                    "Content-Length: 1000000\r\n\r\na,b\n5,6\n7,8\n".encode())
    assert c.get(f"/v1/datasets/{fresh}").json == first
    assert c.csv(fresh, "a,b\n1,9\n", query="?replace=true", status=200)["rows"] == 1


def test_chunked_upload(c, fresh):
    def pieces():
        yield b"a,b\n1,"
        yield b"2\n3"
        yield b",4\n"
    c.connection.request("PUT", f"/v1/datasets/{fresh}", pieces(), {"Content-Type": "text/csv"}, encode_chunked=True)
    response = c.connection.getresponse()
    assert response.status == 201, response.read()
    response.read()
    assert c.get(f"/v1/datasets/{fresh}")["rows"] == 2


def test_more_rows_than_one_group(c, fresh):
    rows = 300_000
    text = "i,half,side\n" + "".join(f"{i},{i / 2},{'left' if i % 3 else 'right'}\n" for i in range(rows))
    found = c.csv(fresh, text, status=201).json
    assert found["rows"] == rows
    assert (column(found, "i")["min"], column(found, "i")["max"]) == (0, rows - 1)
    assert math.isclose(column(found, "half")["mean"], (rows - 1) / 4, rel_tol=1e-9)
    assert "distinct" not in column(found, "i"), "more than are counted"
    assert {v["value"]: v["count"] for v in column(found, "side")["values"]} == {"left": 200_000, "right": 100_000}
