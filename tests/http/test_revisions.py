"""Revisions of data sets: rows that are appended, columns that get another type, rows that are read."""
import hashlib
import math
import random
import socket
import sqlite3
import threading
from collections import Counter

import pytest

from data import ENDLESS, example, iris_model, table
from fields import covers
from harness import wait_for


def column(document, name):
    return next(col for col in document["columns"] if col["name"] == name)


def append(c, name, text, status=200, **more):
    return c.request("PATCH", f"/v1/datasets/{name}", body=text, status=status,
                     headers={"Content-Type": "text/csv", **more})


def same_columns(found, wanted):
    """Equal descriptions, but for the last bits of sums that were taken in other pieces."""
    assert [col["name"] for col in found] == [col["name"] for col in wanted]
    for mine, other in zip(found, wanted):
        assert mine.keys() == other.keys()
        for key, value in other.items():
            if isinstance(value, float):
                assert math.isclose(mine[key], value, rel_tol=1e-9, abs_tol=1e-12), (mine["name"], key)
            else:
                assert mine[key] == value, (mine["name"], key)


def some_rows(count, seed=5):
    """Numbers of both widths, a category, gaps."""
    r = random.Random(seed)
    return [(i, round(r.gauss(0, 3), 2) if r.random() < .9 else "", r.random(), r.choice(["red", "green", "blue", "?"]))
            for i in range(count)]


HEADER = ["i", "short", "long", "colour"]


# ---- appending ----

@pytest.mark.parametrize("sizes", [(1, 1), (3, 5, 2), (100, 1, 1, 1), (70_000, 10), (200_000, 90_000, 60_000, 5)],
                         ids=lambda sizes: "-".join(map(str, sizes)))
def test_appended_pieces_are_the_whole(c, fresh, sizes):
    """Whatever the pieces: the columns are described as those of a data set that was sent in one."""
    rows = some_rows(sum(sizes))
    at, sent, digest = 0, 0, None
    for n, size in enumerate(sizes):
        text = table(HEADER, rows[at:at + size])
        found = (append(c, fresh, text) if n else c.csv(fresh, text, status=201)).json
        at, sent = at + size, sent + len(text)
        piece = hashlib.sha256(text.encode()).hexdigest()
        digest = hashlib.sha256((digest + piece).encode()).hexdigest() if digest else piece
        assert (found["revision"], found["rows"], found["size_bytes"]) == (str(n + 1), at, sent)
        assert found["sha256"] == digest
    whole = c.csv(f"{fresh}-1", table(HEADER, rows), status=201).json
    same_columns(found["columns"], whole["columns"])
    assert c.get(f"/v1/datasets/{fresh}").json == found


def test_new_values_and_columns_in_another_order(c, fresh):
    c.csv(fresh, "n,word\n1,x\n2,y\n", status=201)
    found = append(c, fresh, "word;n\nz;3\n;4\nx;\n").json
    assert [col["name"] for col in found["columns"]] == ["n", "word"]
    assert column(found, "word")["values"] == [{"value": "x", "count": 2}, {"value": "y", "count": 1},
                                               {"value": "z", "count": 1}]
    number = column(found, "n")
    assert (number["missing"], number["min"], number["max"], number["mean"]) == (1, 1, 4, 2.5)
    assert column(found, "word")["missing"] == 1 and found["rows"] == 5


def test_types_stay(c, fresh):
    """What was declared is kept; what was a category because of one word takes numbers in their shortest form."""
    c.csv(fresh, "zip,word,day,yes\n007,1.50,2024-02-29,t\n08,x,,f\n", status=201,
          query="?types=zip:category,day:date,yes:boolean")
    found = append(c, fresh, "zip,word,day,yes\n1.50,1.50,2024-03-01T06:00:00Z,no\n").json
    assert [col["type"] for col in found["columns"]] == ["category", "category", "date", "boolean"]
    assert [v["value"] for v in column(found, "zip")["values"]] == ["007", "08", "1.50"], "as they were sent"
    assert column(found, "word")["values"][0] == {"value": "1.5", "count": 2}
    assert column(found, "day")["max"] == "2024-03-01T06:00:00Z"
    assert column(found, "yes")["values"] == [{"value": "false", "count": 2}, {"value": "true", "count": 1}]


def test_ignored_columns_are_named_too(c, fresh):
    """They are columns of the data set, whose cells are dropped."""
    c.csv(fresh, "a,id\n1,x\n", status=201, query="?types=id:ignore")
    assert "id" in append(c, fresh, "a\n2\n", status=422).sentence()
    found = append(c, fresh, "id,a\nanything,2\n").json
    assert found["rows"] == 2 and column(found, "id") == {"name": "id", "type": "ignore"}
    assert c.get(f"/v1/datasets/{fresh}/rows")["rows"] == [[1, None], [2, None]]


def test_many_columns(c, fresh):
    """A row of 785 columns, in another order."""
    names = [f"p{i}" for i in range(785)]
    rows = [[(i * j) % 256 for j in range(785)] for i in range(40)]
    c.csv(fresh, table(names, rows[:30]), status=201)
    append(c, fresh, table(names[::-1], [row[::-1] for row in rows[30:]]))
    assert c.get(f"/v1/datasets/{fresh}/rows")["rows"] == rows


def test_many_small_appends(c, daemon, fresh):
    """They leave one revision and one row group."""
    c.csv(fresh, "a,b\n0,x\n", status=201)
    for i in range(1, 60):
        append(c, fresh, f"a,b\n{i},{'xyz'[i % 3]}\n")
    found = c.get(f"/v1/datasets/{fresh}").json
    assert (found["revision"], found["rows"]) == ("60", 60)
    assert column(found, "a")["mean"] == 29.5
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as store:
        def segments():
            return store.execute("SELECT count(*) FROM segment WHERE revision IN (SELECT revision FROM dataset"
                                 " WHERE name = ?)", (fresh,)).fetchone()[0]
        assert segments() == 2, "one group of two columns"
        wait_for("the old revisions to be swept",
                 lambda: not store.execute("SELECT count(*) FROM garbage").fetchone()[0])
        assert not store.execute("SELECT count(*) FROM revision WHERE dataset = ? AND number < 60", (fresh,)).fetchone()[0]


def test_an_append_copies_no_full_group(c, daemon, fresh):
    """Row groups that are full belong to the first revision still."""
    c.csv(fresh, table(HEADER, some_rows(300_000)), status=201)
    append(c, fresh, table(HEADER, some_rows(10, 7)))
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as store:
        now, groups = store.execute("SELECT r.id, r.group_count FROM dataset d JOIN revision r ON r.id = d.revision"
                                    " WHERE d.name = ?", (fresh,)).fetchone()
        own = store.execute("SELECT count(DISTINCT row_group) FROM segment WHERE revision = ?", (now,)).fetchone()[0]
        assert groups >= 3 and own == 1


def train_rows(c, model, job):
    version = c.ended(job["id"])["version"]
    return c.get(f"/v1/models/{model}/versions/{version}")["dataset"]


def test_a_job_keeps_the_rows_it_was_accepted_with(c, fresh):
    """Two jobs hold the workers; the third waits while rows come, and trains on the ones it was accepted with."""
    c.csv(fresh, example("iris"), status=201)
    c.csv("iris", example("iris"))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "species", "layers": [4]})
    c.put(f"/v1/models/{fresh}-busy", iris_model())
    busy = [c.start(f"{fresh}-busy", ENDLESS) for _ in range(2)]
    for job in busy:
        c.running(job["id"])
    old = c.start(fresh, {"dataset": fresh, "epochs": 2})
    assert c.job(old["id"])["state"] == "queued"
    before = c.get(f"/v1/datasets/{fresh}").json
    after = append(c, fresh, "species,sepal_length,sepal_width,petal_length,petal_width\nvirginica,6,3,5,2\n").json
    new = c.start(fresh, {"dataset": fresh, "epochs": 2})
    c.delete(f"/v1/datasets/{fresh}", status=409)
    for job in busy:
        c.cancel(job["id"])
    for job, revision, rows in ((old, before, 150), (new, after, 151)):
        said = train_rows(c, fresh, job)
        assert said == {"name": fresh, "revision": revision["revision"], "sha256": revision["sha256"], "rows": rows}


def test_training_does_not_see_the_pieces(c, fresh):
    """Row groups of any sizes: the same rows, the same job."""
    r = random.Random(3)
    rows = [(a, b, r.choice("xyz"), round(2 * a - b, 3)) for a, b in ((r.random(), r.random()) for _ in range(260_000))]
    header = ["a", "b", "word", "y"]
    c.csv(fresh, table(header, rows), status=201)
    c.csv(f"{fresh}-p", table(header, rows[:100_000]), status=201)
    append(c, f"{fresh}-p", table(header, rows[100_000:255_000]))
    append(c, f"{fresh}-p", table(header, rows[255_000:]))
    losses = []
    for name in (fresh, f"{fresh}-p"):
        c.put(f"/v1/models/{name}", {"dataset": name, "target": "y", "layers": [4], "seed": 1})
        job = c.train(name, {"dataset": name, "epochs": 2, "seed": 1, "batch_size": 512, "validation": {"split": 0.2}})
        losses.append((job["metrics"]["loss"], job["metrics"]["val_loss"]))
    for one, other in zip(*losses):
        assert math.isclose(one, other, rel_tol=1e-3), losses


def test_if_match_guards_an_append(c, fresh):
    c.csv(fresh, "a\n1\n", status=201)
    tag = c.get(f"/v1/datasets/{fresh}").etag
    append(c, fresh, "a\n2\n", **{"If-Match": tag})
    append(c, fresh, "a\n3\n", status=412, **{"If-Match": tag})
    assert c.get(f"/v1/datasets/{fresh}")["rows"] == 2


def slow_append(port, name, first):
    """A connection that has sent the head and the first bytes of an append of 1000 bytes."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    raw.sendall(f"PATCH /v1/datasets/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
                "Connection: close\r\nContent-Length: 1000\r\n\r\n".encode() + first)
    return raw


def finish(raw, sent):
    raw.sendall(b"7\n" * ((1000 - sent) // 2))
    answer = b""
    while piece := raw.recv(65536):
        answer += piece
    raw.close()
    return int(answer.split()[1]), answer


def uploads_under_way(daemon):
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as store:
        return store.execute("SELECT count(*) FROM revision WHERE state = 0").fetchone()[0]


@pytest.mark.parametrize("meanwhile,rows", [("append", 2), ("replace", 1)])
def test_what_changes_during_an_append_refuses_it(c, daemon, fresh, meanwhile, rows):
    c.csv(fresh, "a\n1\n", status=201)
    first = b"a\n" + b"5\n" * 100
    raw = slow_append(daemon.port, fresh, first)
    wait_for("the append to begin", lambda: uploads_under_way(daemon))
    if meanwhile == "append":
        append(c, fresh, "a\n2\n")
    else:
        c.csv(fresh, "b\n2\n", query="?replace=true")
    found = c.get(f"/v1/datasets/{fresh}").json
    status, answer = finish(raw, len(first))
    assert status == 409 and b"send" in answer
    assert found["rows"] == rows and c.get(f"/v1/datasets/{fresh}").json == found


def test_deleted_during_an_append(c, daemon, fresh):
    c.csv(fresh, "a\n1\n", status=201)
    raw = slow_append(daemon.port, fresh, b"a\n")
    wait_for("the append to begin", lambda: uploads_under_way(daemon))
    c.delete(f"/v1/datasets/{fresh}")
    assert finish(raw, 2)[0] == 404
    c.get(f"/v1/datasets/{fresh}", status=404)


def test_deleted_as_an_append_begins(c, daemon, fresh):
    """It was told that the data were changed, and to send again what could only be refused."""
    other, seen = daemon.client(), []
    for _ in range(20):
        c.csv(fresh, "a\n1\n", status=201)
        sender = threading.Thread(target=lambda: seen.append(append(other, fresh, "a\n" + "2\n" * 500, status=(200, 404)).status))
        sender.start()
        c.delete(f"/v1/datasets/{fresh}")
        sender.join()
    assert len(seen) == 20 and 404 in seen


def test_appends_side_by_side(c, daemon, fresh):
    """Each lands whole or gets 409; every row that was said to be there is there once."""
    c.csv(fresh, "a,who\n-1,none\n", status=201)
    landed, lock = [], threading.Lock()

    def send(who):
        client = daemon.client()
        for i in range(12):
            answer = append(client, fresh, f"a,who\n{i},w{who}\n{i},w{who}\n", status=(200, 409))
            with lock:
                landed.append((who, answer.status))

    threads = [threading.Thread(target=send, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [who for who, status in landed if status == 200]
    found = c.get(f"/v1/datasets/{fresh}").json
    assert len(landed) == 36 and good
    assert (found["rows"], found["revision"]) == (1 + 2 * len(good), str(1 + len(good)))
    counts = {v["value"]: v["count"] for v in column(found, "who")["values"]}
    assert counts == {"none": 1, **{f"w{who}": 2 * good.count(who) for who in set(good)}}


# ---- appends that cannot be ----

@pytest.mark.parametrize("text,says", [
    ("a,word,extra\n1,x,2\n", ["extra", "not a column"]),
    ("a\n1\n", ["word", "not there"]),
    ("a,wrod\n1,x\n", ["did you mean", "word"]),
    ("a,word\nmany,x\n", ["many", "a number"]),
    ("a,word\n", ["no rows"]),
    ("", []),
])
def test_appends_that_are_refused(c, fresh, text, says):
    first = c.csv(fresh, "a,word\n1,x\n", status=201).json
    answer = append(c, fresh, text, status=(400, 422))
    for part in says:
        assert part in answer.sentence()
    assert c.get(f"/v1/datasets/{fresh}").json == first


def test_a_word_among_numbers_has_its_place(c, fresh):
    c.csv(fresh, "a,b\n1,2\n", status=201)
    answer = append(c, fresh, "b,a\n1,2\n3,four\nfive,6\n", status=422)
    assert [(e["line"], "four" in e["detail"] or "five" in e["detail"]) for e in answer["errors"]] == [(3, True), (4, True)]


def test_append_to_nothing(c, fresh):
    assert "upload" in append(c, fresh, "a\n1\n", status=404).sentence()


def test_an_append_that_is_cut_off_leaves_nothing(c, daemon, fresh):
    first = c.csv(fresh, table(HEADER, some_rows(150_000)), status=201).json
    body = table(HEADER, some_rows(400_000)).encode()
    raw = socket.create_connection(("127.0.0.1", daemon.port), timeout=20)
    raw.sendall(f"PATCH /v1/datasets/{fresh} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
                f"Content-Length: {len(body) + 1000}\r\n\r\n".encode() + body)
    wait_for("the append to begin", lambda: uploads_under_way(daemon))
    raw.close()
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as store:
        def swept():
            return not store.execute("SELECT (SELECT count(*) FROM garbage)"
                                     " + (SELECT count(*) FROM revision WHERE state = 0)").fetchone()[0]
        wait_for("what was cut off to be swept", swept)
        left = store.execute("SELECT count(*) FROM segment WHERE revision NOT IN (SELECT id FROM revision)"
                             " AND revision NOT IN (SELECT source FROM part)").fetchone()[0]
        assert left == 0
    assert c.get(f"/v1/datasets/{fresh}").json == first


def test_killed_during_appends(start, tmp_path):
    """The rows that were said to be there are there after kill -9, and nothing half."""
    daemon = start(folder=tmp_path)
    client = daemon.client()
    client.csv("d", "a,b\n0,x\n", status=201)
    acknowledged = [1]

    def send():
        mine = daemon.client()
        try:
            while True:
                acknowledged.append(append(mine, "d", "a,b\n1,y\n2,z\n")["rows"])
        except (OSError, Exception):  # noqa: BLE001 - the daemon is gone
            pass

    thread = threading.Thread(target=send)
    thread.start()
    wait_for("some appends", lambda: len(acknowledged) > 10)
    daemon.kill()
    thread.join()
    daemon = start(folder=tmp_path)
    found = daemon.client().get("/v1/datasets/d").json
    assert found["rows"] in (acknowledged[-1], acknowledged[-1] + 2) and found["rows"] % 2 == 1
    assert column(found, "b")["values"][-1] == {"value": "x", "count": 1}
    assert append(daemon.client(), "d", "a,b\n1,y\n")["rows"] == found["rows"] + 1


# ---- rows ----

def all_rows(c, name, limit=10_000):
    rows, path = [], f"/v1/datasets/{name}/rows?limit={limit}"
    while path:
        answer = c.get(path)
        assert answer["offset"] == len(rows)
        rows += answer["rows"]
        link = answer.headers["Link"]
        assert (link is None) == (answer["next"] is None)
        path = link.split(">")[0].lstrip("<") if link else None
    assert len(rows) == answer["total"]
    return rows


def test_rows_come_as_they_went_in(c, fresh):
    c.csv(fresh, 'n,word,day,yes,gone\n0.1,"a ""b"", c",2024-02-29,yes,1\n,,,,2\n1e300,?,2024-02-29T12:30:00+01:00,0,3\n',
          status=201, query="?types=day:date,yes:boolean,gone:ignore")
    answer = c.get(f"/v1/datasets/{fresh}/rows").json
    assert answer == {"columns": ["n", "word", "day", "yes", "gone"], "offset": 0, "total": 3, "next": None, "revision": "1",
                      "rows": [[0.1, 'a "b", c', "2024-02-29", True, None], [None] * 5,
                               [1e300, None, "2024-02-29T11:30:00Z", False, None]]}
    text = c.get(f"/v1/datasets/{fresh}/rows", headers={"Accept": "text/csv"})
    assert text.headers["Content-Type"].startswith("text/csv")
    assert text.text == ('n,word,day,yes,gone\n0.1,"a ""b"", c",2024-02-29,true,\n,,,,\n'
                         '1e300,,2024-02-29T11:30:00Z,false,\n')


@covers("dataset_rows?offset", "dataset_rows?limit")
def test_pages_of_rows(c, fresh):
    rows = some_rows(350_000)
    c.csv(fresh, table(HEADER, rows[:300_000]), status=201)
    append(c, fresh, table(HEADER, rows[300_000:]))
    wanted = [[i, short if short != "" else None, long, None if colour == "?" else colour]
              for i, short, long, colour in rows]
    for offset in (0, 1, 131_070, 131_071, 131_072, 299_999, 300_000, 349_990):
        answer = c.get(f"/v1/datasets/{fresh}/rows?offset={offset}&limit=7").json
        assert answer["rows"] == wanted[offset:offset + 7], offset
        assert answer["next"] == (offset + 7 if offset + 7 < 350_000 else None)
    assert len(c.get(f"/v1/datasets/{fresh}/rows")["rows"]) == 100
    assert c.get(f"/v1/datasets/{fresh}/rows?offset=350000").json["rows"] == []
    assert c.get(f"/v1/datasets/{fresh}/rows?offset=349999&limit=10000")["rows"] == wanted[349_999:]
    assert all_rows(c, fresh) == wanted
    text = c.get(f"/v1/datasets/{fresh}/rows?offset=5&limit=2", headers={"Accept": "text/csv"}).text
    assert text == table(HEADER, [["" if v is None else v for v in row] for row in wanted[5:7]])


def test_a_page_of_long_rows_ends_early(c, fresh):
    rows = [[f"{i}-" + "x" * 100_000, i] for i in range(200)]
    c.csv(fresh, table(["long", "i"], rows), status=201)
    first = c.get(f"/v1/datasets/{fresh}/rows?limit=200").json
    assert 80 <= len(first["rows"]) < 100 and first["next"] == len(first["rows"])
    assert all_rows(c, fresh, 200) == rows


def test_what_csv_says_uploads_again(c, fresh):
    """The rows as CSV are a body that gives the same rows: quotes, line ends, and a lone column with gaps."""
    for n, text in enumerate(('w,x\n"a,b",1\n"two\nlines",2\n"say ""hi""",3\n"semi;colon",4\n', 'only\n1\n""\n3\n')):
        c.csv(f"{fresh}-{n}", text, status=201)
        said = c.get(f"/v1/datasets/{fresh}-{n}/rows", headers={"Accept": "text/csv"}).text
        c.csv(f"{fresh}-{n}b", said, status=201)
        assert all_rows(c, f"{fresh}-{n}b") == all_rows(c, f"{fresh}-{n}")


def test_rows_have_a_tag(c, fresh):
    c.csv(fresh, "a\n1\n", status=201)
    tag = c.get(f"/v1/datasets/{fresh}/rows").etag
    assert c.get(f"/v1/datasets/{fresh}/rows", status=304, headers={"If-None-Match": tag}).body == b""
    append(c, fresh, "a\n2\n")
    assert c.get(f"/v1/datasets/{fresh}/rows", headers={"If-None-Match": tag}).etag != tag


@pytest.mark.parametrize("query,pointer", [("limit=0", "?limit"), ("limit=10001", "?limit"), ("offset=-1", "?offset"),
                                           ("offset=two", "?offset"), ("form=1", "?form")])
def test_queries_of_rows_are_checked(c, iris, query, pointer):
    assert c.get(f"/v1/datasets/iris/rows?{query}", status=422).pointers() == [pointer]


def test_rows_of_nothing(c, fresh):
    c.get(f"/v1/datasets/{fresh}/rows?limit=0", status=404)


# ---- columns that get another type ----

def retype(c, name, column, type_, status=200, **more):
    return c.request("PUT", f"/v1/datasets/{name}/columns/{column}", document={"type": type_}, status=status, **more)


def cells(c, name, column):
    answer = c.get(f"/v1/datasets/{name}/rows?limit=10000").json
    at = answer["columns"].index(column)
    return [row[at] for row in answer["rows"]]


@covers("ColumnType.type")
def test_a_number_becomes_a_category_and_a_number_again(c, fresh):
    first = c.csv(fresh, "zip,n\n1.50,1\n,2\n1e3,3\n1.5,4\n", status=201).json
    second = retype(c, fresh, "zip", "category").json
    assert (second["revision"], second["rows"], second["sha256"]) == ("2", 4, first["sha256"])
    assert column(second, "zip") == {"name": "zip", "type": "category", "missing": 1, "distinct": 2,
                                     "values": [{"value": "1.5", "count": 2}, {"value": "1000", "count": 1}]}
    assert column(second, "n") == column(first, "n")
    assert cells(c, fresh, "zip") == ["1.5", None, "1000", "1.5"] and cells(c, fresh, "n") == [1, 2, 3, 4]
    assert retype(c, fresh, "zip", "category").json == second == c.get(f"/v1/datasets/{fresh}").json
    third = retype(c, fresh, "zip", "number").json
    assert third["revision"] == "3" and third["columns"] == first["columns"]
    assert cells(c, fresh, "zip") == [1.5, None, 1000, 1.5]


@pytest.mark.parametrize("sent,type_,read", [
    (["2024-02-29", "", "2024-03-01 12:00"], "date", ["2024-02-29", None, "2024-03-01T12:00:00Z"]),
    (["yes", "no", "T"], "boolean", [True, False, True]), (["1", "0", ""], "boolean", [True, False, None]),
    (["x", "1", "2.50"], "category", ["x", "1", "2.5"]), (["20240229", "20250101", "x"], "category", None),
])
def test_what_cells_become(c, fresh, sent, type_, read):
    c.csv(fresh, table(["a", "b"], [(a, "-") for a in sent]), status=201)
    found = retype(c, fresh, "a", type_).json
    assert column(found, "a")["type"] == type_
    assert cells(c, fresh, "a") == (read or sent)


def test_booleans_and_dates_become_numbers_and_words(c, fresh):
    c.csv(fresh, "yes,day\nyes,1970-01-02\nno,1970-01-01T00:00:01Z\n,\n", status=201, query="?types=yes:boolean,day:date")
    for type_, yes, day in (("number", [1, 0, None], [86400, 1, None]), ):
        retype(c, fresh, "yes", type_), retype(c, fresh, "day", type_)
        assert cells(c, fresh, "yes") == yes and cells(c, fresh, "day") == day
    assert retype(c, fresh, "yes", "boolean") and cells(c, fresh, "yes") == [True, False, None]
    c.csv(fresh, "yes,day\nyes,1970-01-02\nno,1970-01-01T00:00:01Z\n,\n", query="?types=yes:boolean,day:date&replace=true")
    retype(c, fresh, "yes", "category"), retype(c, fresh, "day", "category")
    assert cells(c, fresh, "yes") == ["true", "false", None]
    assert cells(c, fresh, "day") == ["1970-01-02", "1970-01-01T00:00:01Z", None]


def test_a_retyped_column_of_many_groups(c, daemon, fresh):
    """Only its segments are written anew; appended rows and a second change find their places."""
    rows = some_rows(300_000)
    c.csv(fresh, table(HEADER, rows), status=201)
    append(c, fresh, table(HEADER, rows[:9]))
    whole = c.csv(f"{fresh}-1", table(HEADER, rows + rows[:9]), status=201).json
    found = retype(c, fresh, "short", "category").json
    wanted = Counter(f"{short + 0:g}" for _, short, _, _ in rows + rows[:9] if short != "")
    short = column(found, "short")
    assert short["distinct"] == len(wanted) and short["missing"] == 300_009 - wanted.total()
    assert {v["value"]: v["count"] for v in short["values"]}.items() <= wanted.items()
    same_columns([col for col in found["columns"] if col["name"] != "short"],
                 [col for col in whole["columns"] if col["name"] != "short"])
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as store:
        own = store.execute("SELECT count(DISTINCT column_index), count(*) FROM segment WHERE revision ="
                            " (SELECT revision FROM dataset WHERE name = ?)", (fresh,)).fetchone()
        assert own[0] == 1 and own[1] >= 3
    found = append(c, fresh, table(HEADER, [(1, "1.50", 2, "red")])).json
    assert found["rows"] == 300_010 and not [v for v in column(found, "short")["values"] if v["value"] == "1.50"]
    retype(c, fresh, "colour", "ignore")
    retype(c, fresh, "short", "number")
    wanted = [[i, short if short != "" else None, long, None if colour == "?" else colour]
              for i, short, long, colour in rows + rows[:9] + [(1, 1.5, 2, "red")]]
    for offset in (0, 131_068, 262_140, 299_995, 300_005):
        assert c.get(f"/v1/datasets/{fresh}/rows?offset={offset}&limit=8")["rows"] == wanted[offset:offset + 8]


def test_ignoring_loses_nothing(c, fresh):
    first = c.csv(fresh, "a,b,word\n1,2,x\n3,4,y\n", status=201).json
    found = retype(c, fresh, "word", "ignore").json
    assert column(found, "word") == {"name": "word", "type": "ignore"} and found["revision"] == "2"
    assert retype(c, fresh, "word", "ignore").json == found
    answer = c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "b", "features": ["word"]}, status=422)
    assert "ignored" in answer.sentence()
    model = c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "b", "task": "regression"}, status=201)
    assert [i["name"] for i in model["inputs"]] == ["a"]
    found = append(c, fresh, "word,b,a\nz,6,5\n").json
    assert column(found, "word") == {"name": "word", "type": "ignore"}
    back = retype(c, fresh, "word", "category").json
    assert (back["rows"], back["revision"]) == (3, "4") and column(back, "word")["distinct"] == 3
    assert cells(c, fresh, "word") == ["x", "y", "z"]
    assert column(back, "a")["max"] == 5 and column(first, "a")["max"] == 3
    retype(c, fresh, "a", "ignore")
    assert column(retype(c, fresh, "a", "category").json, "a")["values"][0] == {"value": "1", "count": 1}


def test_a_job_keeps_the_types_it_was_accepted_with(c, iris, fresh):
    c.csv(fresh, example("iris"), status=201)
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "species", "layers": [4]})
    c.put(f"/v1/models/{fresh}-busy", iris_model())
    busy = [c.start(f"{fresh}-busy", ENDLESS) for _ in range(2)]
    for job in busy:
        c.running(job["id"])
    job = c.start(fresh, {"dataset": fresh, "epochs": 2})
    retype(c, fresh, "petal_width", "category")
    for other in busy:
        c.cancel(other["id"])
    assert train_rows(c, fresh, job)["revision"] == "1"
    assert "petal_width" in c.post(f"/v1/models/{fresh}:train", {"dataset": fresh}, status=422).sentence()


def test_if_match_guards_a_change_of_type(c, fresh):
    c.csv(fresh, "a\n1\n", status=201)
    tag = c.get(f"/v1/datasets/{fresh}").etag
    retype(c, fresh, "a", "category", headers={"If-Match": tag})
    assert retype(c, fresh, "a", "number", status=412, headers={"If-Match": tag}).code == "precondition-failed"
    assert column(c.get(f"/v1/datasets/{fresh}").json, "a")["type"] == "category"


def test_cells_that_do_not_read_so_are_named(c, fresh):
    rows = [(f"{i}", i) for i in range(50)]
    rows[3] = rows[7] = ("three", 0)
    first = c.csv(fresh, table(["a", "b"], rows + [("x", 1)] * 30), status=201).json
    answer = retype(c, fresh, "a", "number", status=422)
    assert len(answer["errors"]) == 20
    assert [e["detail"].split(" has ")[0] for e in answer["errors"]][:3] == ["row 4", "row 8", "row 51"]
    assert "three" in answer["errors"][0]["detail"] and answer.pointers() == ["/type"] * 20
    for type_, row in (("date", "row 1 "), ("boolean", "row 3 ")):
        assert row in retype(c, fresh, "a", type_, status=422).sentence()
    assert c.get(f"/v1/datasets/{fresh}").json == first


def test_columns_and_types_that_are_not_there(c, fresh):
    c.csv(fresh, "word,n,gone\nx,1,2\n", status=201, query="?types=gone:ignore")
    assert 'did you mean "word"' in retype(c, fresh, "wrod", "category", status=404).sentence()
    assert 'its columns are "word", "n", "gone"' in retype(c, fresh, "colour", "category", status=404).sentence()
    retype(c, f"{fresh}-no", "word", "category", status=404)
    answer = retype(c, fresh, "word", "catgory", status=422)
    assert 'did you mean "category"' in answer.sentence() and answer.pointers() == ["/type"]
    assert "number, category, boolean, date or ignore" in retype(c, fresh, "word", "text", status=422).sentence()
    assert "?types=gone:number" in retype(c, fresh, "gone", "number", status=422).sentence()
    path = f"/v1/datasets/{fresh}/columns/word"
    assert c.put(path, {}, status=422).code == "missing-field"
    assert c.put(path, {"type": "number", "typ": 1}, status=422).code == "unknown-field"
    assert c.put(path, {"type": 3}, status=422).pointers() == ["/type"]
    assert c.get(f"/v1/datasets/{fresh}")["revision"] == "1"
