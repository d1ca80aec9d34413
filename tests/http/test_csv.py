"""CSV: decimal commas, every fault with its place, limits, and uploads that end too early or meet each other."""
import json
import http.client
import random
import socket
import sqlite3
import threading

import pytest

from data import records, table
from fields import covers
from harness import wait_for

MIB = 1 << 20


def column(document, name):
    return next(col for col in document["columns"] if col["name"] == name)


def faults(answer):
    return [(e.get("line"), e.get("column")) for e in answer["errors"]]


# ---- decimal commas ----

@covers("dataset_put?decimal")
def test_decimal_commas(c, fresh):
    text = "name;price\nbread;3,50\nmilk;1,2\nsalt;-,5\n"
    words = c.csv(f"{fresh}-point", text, status=201, query="?decimal=.").json
    assert [col["type"] for col in words["columns"]] == ["category", "category"]
    numbers = c.csv(f"{fresh}-comma", text, status=201, query="?decimal=,").json
    assert [col["type"] for col in numbers["columns"]] == ["category", "number"]
    price = column(numbers, "price")
    assert (price["min"], price["max"]) == (-0.5, 3.5)
    points = text.replace(",", ".")
    same = c.csv(f"{fresh}-same", points, status=201).json
    assert same["columns"] == numbers["columns"]
    unchanged = c.csv(f"{fresh}-point", text, status=200, query="?decimal=,").json
    assert unchanged.pop("warnings") and unchanged == words, "the same bytes are there"
    assert c.csv(f"{fresh}-point", text, status=200, query="?decimal=,&replace=true")["columns"] == numbers["columns"]


def test_the_delimiter_beside_decimal_commas(c, fresh):
    """A header line with more commas than semicolons is still one of semicolons."""
    found = c.csv(fresh, '"size, in m, at noon";note\n1,5;x\n', status=201, query="?decimal=,").json
    assert [col["name"] for col in found["columns"]] == ["size, in m, at noon", "note"]
    found = c.csv(f"{fresh}-names", "a,b;c\n1,5;2\n", status=201, query="?decimal=,").json
    assert [(col["name"], col["type"]) for col in found["columns"]] == [("a,b", "number"), ("c", "number")]
    found = c.csv(f"{fresh}-tab", "a\tb\n1,5\t2,25\n", status=201, query="?decimal=,").json
    assert [(col["name"], col["max"]) for col in found["columns"]] == [("a", 1.5), ("b", 2.25)]
    found = c.csv(f"{fresh}-one", "a\n1,5\n", status=201, query="?decimal=,").json
    assert [(col["name"], col["max"]) for col in found["columns"]] == [("a", 1.5)]


def test_what_is_a_number_with_a_decimal_comma(c, fresh):
    cells = ["1,5", "2", "1.5", "1.000,5", "1,000,5", "1e2", ""]
    header = ";".join(f"c{i}" for i in range(len(cells)))
    found = c.csv(fresh, header + "\n" + ";".join(cells) + "\n", status=201, query="?decimal=,").json
    types = [col["type"] for col in found["columns"]]
    assert types == ["number", "number", "category", "category", "category", "number", "number"]
    answer = c.csv(f"{fresh}-said", "a\n1,5\n1.5\n", status=422, query="?decimal=,&types=a:number")
    assert faults(answer) == [(3, 1)]
    kept = c.csv(f"{fresh}-kept", "a\n1,50\n", status=201, query="?decimal=,&types=a:category").json
    assert column(kept, "a")["values"] == [{"value": "1,50", "count": 1}]


def test_other_decimal_marks(c, fresh):
    for query in ("?decimal=;", "?decimal=", "?decimal=comma"):
        assert c.csv(fresh, "a\n1\n", status=422, query=query).pointers() == ["?decimal"]
    answer = c.request("PUT", f"/v1/datasets/{fresh}?decimal=,", body='[{"a":1}]', status=422,
                       headers={"Content-Type": "application/json"})
    assert answer.pointers() == ["?decimal"]
    c.get(f"/v1/datasets/{fresh}", status=404)


# ---- faults and their places ----

def test_the_first_twenty_faults_at_once(c, fresh):
    lines = ["a,b"] + ["1,2", "1", "1,2,3", "x,2"] * 10
    answer = c.csv(fresh, "\n".join(lines) + "\n", status=(400, 422), query="?types=a:number")
    wanted = []
    for at, line in enumerate(lines[1:], 2):
        if line != "1,2":
            wanted.append((at, {"1": 2, "1,2,3": 3, "x,2": 1}[line]))
    assert faults(answer) == wanted[:20]
    assert f"{len(wanted) - 1} more" in answer["detail"]
    c.get(f"/v1/datasets/{fresh}", status=404)


def test_lines_within_quotes_are_counted(c, fresh):
    answer = c.csv(fresh, 'a,b\n"x\ny\nz",1\n2\n', status=400)
    assert faults(answer) == [(5, 2)]


@pytest.mark.parametrize("text,place", [
    ("a,b,a\n1,2,3\n", (1, 3)), ("a,,c\n1,2,3\n", (1, 2)), ("a," + "b" * 1025 + "\n1,2\n", (1, 2)), ('a,b\n1,"2" \n', (2, 2)),
    ('a,b\n1,x"y\n', (2, 2)), ('a,b\n1,"x\n3,4\n', (2, 2)), ("a,b\n1\r2,3\n", (2, 1)), ("a,b\n1,\0\n", (2, 2)),
], ids=["twice", "empty", "long", "after-quote", "quote-within", "open-quote", "cr", "nul"])
def test_where_a_fault_is(c, fresh, text, place):
    answer = c.csv(fresh, text, status=400)
    assert faults(answer)[0] == place
    assert answer.code == "malformed-csv"


def test_bytes_that_are_not_utf8(c, fresh):
    text = "name,n\nMüller,1\nJosé,2\n"
    answer = c.csv(fresh, text.encode("latin-1"), status=400)
    assert faults(answer) == [(2, 1)]
    assert "byte 8 " in answer["detail"] and "UTF-8" in answer["detail"]
    assert text.encode("latin-1")[8] == 0xFC
    assert {v["value"] for v in column(c.csv(fresh, text, status=201).json, "name")["values"]} == {"Müller", "José"}


# ---- limits ----

def test_a_hundred_thousand_columns(start):
    """The limit works, within memory; one more is refused with the limit said. JSON has the same."""
    daemon = start()
    c = daemon.client(timeout=120)

    def put(name, body, kind):  # such an answer is not held against the contract: that takes longer than all the rest
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=120)
        connection.request("PUT", f"/v1/datasets/{name}", body, {"Content-Type": kind})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        return answer.status, found

    names = [f"c{i}" for i in range(100_000)]
    text = ",".join(names) + "\n" + "\n".join(",".join(str(i % 7 + row) for i in range(100_000)) for row in range(3)) + "\n"
    status, found = put("wide", text, "text/csv")
    assert (status, len(found["columns"]), found["rows"]) == (201, 100_000, 3)
    assert (found["columns"][99_999]["name"], found["columns"][99_999]["max"]) == ("c99999", 99_999 % 7 + 2)
    status, answer = put("wider", text.replace("c0,", "c0,more,", 1), "text/csv")
    assert status == 413 and "100000" in answer["detail"]
    rows = '{"columns":' + str(names).replace("'", '"') + ',"rows":[' + str([1] * 100_000) + "]}"
    status, found = put("wide-json", rows, "application/json")
    assert (status, len(found["columns"])) == (201, 100_000)
    keys = "[{" + ",".join(f'"{name}":1' for name in names) + ',"more":1}]'
    status, answer = put("wider-json", keys, "application/json")
    assert status == 413 and "100000" in answer["detail"]
    c.get("/v1/datasets/wider", status=404)
    assert daemon.peak() < 500 << 20


def test_a_category_of_a_million_values(start):
    """Short ones are kept, long ones are refused with what to do; memory is bounded either way."""
    daemon = start()
    c = daemon.client(timeout=120)
    text = "id,n\n" + "".join(f"id-{i},{i}\n" for i in range(1_000_000))
    found = c.csv("ids", text, status=201).json
    ids = column(found, "id")
    assert (ids["type"], ids["distinct"], found["rows"]) == ("category", 1_000_000, 1_000_000)
    assert len(ids["values"]) <= 1000
    pad = "x" * 80
    text = "id,n\n" + "".join(f"{pad}{i},{i}\n" for i in range(1_000_000))
    answer = c.csv("long", text, status=413)
    assert '"id"' in answer["detail"] and "ignore" in answer["detail"] and "64 MiB" in answer["detail"]
    c.get("/v1/datasets/long", status=404)
    assert daemon.peak() < 300 << 20
    assert c.csv("long", text, status=201, query="?types=id:ignore")["rows"] == 1_000_000


# ---- uploads that do not end well ----

def head(name, size, query=""):
    return (f"PUT /v1/datasets/{name}{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
            f"Content-Length: {size}\r\n\r\n").encode()


def pieces_left(daemon):
    """Rows of the store that belong to no data set."""
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True, timeout=10) as db:
        segments, = db.execute("SELECT count(*) FROM segment").fetchone()
        revisions, = db.execute("SELECT count(*) FROM revision").fetchone()
    return segments + revisions


def test_an_upload_cut_off_in_the_middle(start):
    """Several row groups lie in the store already; then nothing of them is seen, and all of them go."""
    daemon = start()
    c = daemon.client()
    draw = random.Random(2)
    text = ("a,b\n" + "".join(f"{draw.random()},{draw.random()}\n" for _ in range(400_000))).encode()
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as raw:
        raw.sendall(head("cut", 2 * len(text)) + text)
        wait_for("row groups in the store", lambda: pieces_left(daemon) > 2)
        assert c.get("/v1/datasets")["datasets"] == []
    wait_for("what was stored to go", lambda: pieces_left(daemon) == 0)
    c.get("/v1/datasets/cut", status=404)
    size = daemon.database.stat().st_size
    for _ in range(3): # again, and the file need not grow
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as raw:
            raw.sendall(head("cut", 2 * len(text)) + text)
            wait_for("row groups in the store", lambda: pieces_left(daemon) > 2)
        wait_for("what was stored to go", lambda: pieces_left(daemon) == 0)
    assert daemon.database.stat().st_size <= 2 * max(size, len(text))
    assert c.csv("cut", text, status=201)["rows"] == 400_000


def test_a_fault_late_in_an_upload_leaves_nothing(start):
    daemon = start()
    c = daemon.client()
    text = "a,b\n" + "".join(f"{i},{i / 3}\n" for i in range(400_000)) + "1\n"
    assert faults(c.csv("late", text, status=400)) == [(400_002, 2)]
    c.get("/v1/datasets/late", status=404)
    wait_for("what was stored to go", lambda: pieces_left(daemon) == 0)


def test_two_uploads_of_one_name_at_once(c, daemon, fresh):
    """Both are on their way when the first one ends: one wins whole, the other is told."""
    texts = ["a,b\n" + "".join(f"{i},{which}\n" for i in range(200_000)) for which in ("left", "right")]
    bodies = [text.encode() for text in texts]
    half, answers = threading.Barrier(2, timeout=30), [None, None]

    def send(which):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as raw:
            body = bodies[which]
            raw.sendall(head(fresh, len(body)) + body[:len(body) // 2])
            half.wait()
            raw.sendall(body[len(body) // 2:])
            answers[which] = int(raw.recv(65536).split()[1])

    threads = [threading.Thread(target=send, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [201, 409]
    won = answers.index(201)
    found = c.get(f"/v1/datasets/{fresh}").json
    assert (found["rows"], found["size_bytes"]) == (200_000, len(bodies[won]))
    assert column(found, "b")["values"] == [{"value": ("left", "right")[won], "count": 200_000}]
    assert c.csv(fresh, bodies[won], status=200).json == found


def test_quoted_cells_of_every_kind(c, fresh):
    """Python's csv module quotes what must be, and we read the same back."""
    words = ["a,b", 'say "hi"', "two\nlines", "cr\r\nlf", " space ", "tab\t", "plain", "ünïcode", ";", '""', "'"]
    text = table(["word", "n"], [(word, i) for i, word in enumerate(words)])
    found = c.csv(fresh, text, status=201).json
    assert {v["value"] for v in column(found, "word")["values"]} == set(words) == {row["word"] for row in records(text)}
