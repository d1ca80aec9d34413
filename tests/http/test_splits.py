"""Which rows are validated on: a share, the last ones, a data set of its own, one value of a column; and that nothing of
them is learnt from.

A model whose only input is the number of the row as a word tells which rows a job held out: those are the words that no
training row had.
"""
import random

import pytest

from data import PLANE, example, iris_model, records, table
from fields import covers

PLAIN = {"epochs": 2, "batch_size": 16, "early_stopping": None, "seed": 1}
ROWS = 120


def flowers(seed=1):
    """Rows of an id, numbers, a word, a day, a fold, a weight and two targets; classes are not all as frequent."""
    noise = random.Random(seed)
    rows = []
    for i in range(ROWS):
        a, b = round(noise.gauss(0, 1), 4), round(noise.gauss(5, 3), 4)
        rows.append({"id": f"r{i}", "a": a, "b": b, "color": noise.choice(["red", "green", "blue"]),
                     "day": f"2024-{1 + i * 7 % 12:02d}-{1 + i % 28:02d}", "fold": i % 5, "name": f"f{i % 4}",
                     "w": 1 + i % 3, "kind": "yes" if i % 6 == 0 else "no", "size": round(100 * a - b, 3)})
    return rows


def text(rows):
    return table(list(rows[0]), [list(row.values()) for row in rows])


def put(c, name, rows):
    c.csv(name, text(rows), query="?types=id:category,day:date,name:category&replace=true")


@pytest.fixture
def data(c, fresh):
    """A data set, and models of it: by its id alone, and by what it knows."""
    rows = flowers()
    put(c, fresh, rows)
    for target in ("kind", "size"):
        c.put(f"/v1/models/{fresh}-id-{target}",
              {"dataset": fresh, "target": target, "features": ["id"], "layers": [2], "seed": 1})
    return rows


def held_out(c, fresh, validation, target="size", dataset=None, **more):
    """The numbers of the rows that a job held out."""
    model = f"{fresh}-id-{target}"
    job = c.train(model, {**PLAIN, "dataset": dataset or fresh, "validation": validation, **more})
    encoders = c.get(f"/v1/models/{model}/versions/{job['version']}")["encoders"]
    return {int(slot["value"][1:]) for slot in encoders["inputs"][0]["slots"] if "value" in slot and not slot["count"]}


# ---- a share ----

def test_a_seed_is_a_split(c, fresh, data):
    splits = [held_out(c, fresh, {"split": 0.25}, seed=seed) for seed in (1, 2, 1)]
    assert splits[0] == splits[2] != splits[1]
    assert [len(split) for split in splits] == [30] * 3


@covers("Validation.stratify")
def test_classes_in_proportion_unless_not_wanted(c, fresh, data):
    """20 of 120 are yes: of 30 held out, 5; drawn without looking at it, now and then another number."""
    def yes(**more):
        return [sum(data[i]["kind"] == "yes" for i in held_out(c, fresh, {"split": 0.25, **more}, "kind", seed=seed))
                for seed in range(6)]
    assert yes() == yes(stratify=True) == [5] * 6
    assert set(yes(stratify=False)) != {5}


def test_what_was_chosen_is_shown(c, fresh, data):
    def shown(target, validation):
        return c.start(f"{fresh}-id-{target}", {**PLAIN, "dataset": fresh, "validation": validation})["config"]["validation"]
    assert shown("kind", {"split": 0.25}) == {"split": 0.25, "stratify": True}
    assert shown("size", {"split": 0.25}) == {"split": 0.25, "stratify": False}
    assert shown("kind", {"split": 0.25, "order_by": "day"}) == {"split": 0.25, "stratify": False, "order_by": "day"}
    assert shown("size", {"column": "fold", "value": 3}) == {"column": "fold", "value": 3}
    assert shown("size", None) is None


@pytest.mark.parametrize("column", ["a", "day"])
@pytest.mark.parametrize("target", ["kind", "size"])
def test_the_last_rows_by_a_column(c, fresh, data, column, target):
    """Of equal days the later rows."""
    order = sorted(range(ROWS), key=lambda i: (data[i][column], i))
    assert held_out(c, fresh, {"split": 0.25, "order_by": column}, target) == set(order[-30:])
    assert held_out(c, fresh, {"split": 0.25, "order_by": column}, target, seed=9) == set(order[-30:])


# ---- one value of a column ----

@pytest.mark.parametrize("column,value,which", [
    ("fold", 3, lambda row: row["fold"] == 3),
    ("name", "f2", lambda row: row["name"] == "f2"),
    ("day", "2024-01-01", lambda row: row["day"] == "2024-01-01"),
    ("kind", "yes", lambda row: row["kind"] == "yes"),
])
def test_the_rows_with_one_value(c, fresh, data, column, value, which):
    assert held_out(c, fresh, {"column": column, "value": value}) == {i for i in range(ROWS) if which(data[i])}


def test_values_that_are_numbers_or_booleans_in_a_category(c, fresh, data):
    rows = [{**row, "fold": f"{row['fold']}", "flag": "yes" if i % 3 else "no"} for i, row in enumerate(data)]
    c.csv(f"{fresh}-words", text(rows), query="?types=id:category,fold:category,flag:boolean")
    for value in (3, "3"):
        assert held_out(c, fresh, {"column": "fold", "value": value}, dataset=f"{fresh}-words") == set(range(3, ROWS, 5))
    for value in (False, "no", "false"):
        assert held_out(c, fresh, {"column": "flag", "value": value}, dataset=f"{fresh}-words") == set(range(0, ROWS, 3))


def test_rows_without_a_value_are_trained_on(c, fresh, data):
    rows = [{**row, "fold": "" if i % 5 == 1 else row["fold"]} for i, row in enumerate(data)]
    put(c, f"{fresh}-gaps", rows)
    assert held_out(c, fresh, {"column": "fold", "value": 3}, dataset=f"{fresh}-gaps") == set(range(3, ROWS, 5))


# ---- a data set of its own ----

def test_another_data_set(c, fresh, data):
    """All of the one is trained on, and the loss is that of the other: as :evaluate finds it."""
    put(c, f"{fresh}-later", flowers(2)[:50])
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "size", "features": ["a", "b", "color"], "layers": [4]})
    job = c.train(fresh, {**PLAIN, "dataset": fresh, "validation": {"dataset": f"{fresh}-later"}})
    assert job["config"]["validation"] == {"dataset": f"{fresh}-later"}
    version = c.get(f"/v1/models/{fresh}/versions/1").json
    assert version["dataset"]["rows"] == ROWS and version["dataset"]["validation"]["rows"] == 50
    assert version["dataset"]["validation"]["name"] == f"{fresh}-later"
    found = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": f"{fresh}-later"})["metrics"]
    assert job["metrics"]["val_mae"] == pytest.approx(found["mae"], rel=1e-4)
    assert held_out(c, fresh, {"dataset": f"{fresh}-later"}) == set()


def test_the_other_data_set_stays_while_a_job_needs_it(c, fresh, data):
    put(c, f"{fresh}-later", flowers(2)[:50])
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "size", "features": ["a", "b"], "layers": [4]})
    job = c.start(fresh, {**PLAIN, "dataset": fresh, "epochs": 10_000_000, "validation": {"dataset": f"{fresh}-later"}})
    assert c.delete(f"/v1/datasets/{fresh}-later", status=409).sentence()
    put(c, f"{fresh}-later", flowers(3)[:40])  # a new revision; the job has the old one
    c.running(job["id"])
    c.cancel(job["id"])
    c.ended(job["id"], "cancelled")
    c.delete(f"/v1/datasets/{fresh}-later")


def test_words_that_only_the_other_data_set_has(c, fresh, data):
    rows = [{**row, "color": "violet"} for row in flowers(2)[:50]]
    put(c, f"{fresh}-later", rows)
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "kind", "features": ["a", "color"], "layers": [4]})
    assert c.train(fresh, {**PLAIN, "dataset": fresh, "validation": {"dataset": f"{fresh}-later"}})["version"] == "1"
    put(c, f"{fresh}-maybe", [{**row, "kind": "maybe"} for row in rows])
    answer = c.post(f"/v1/models/{fresh}:train", {"dataset": fresh, "validation": {"dataset": f"{fresh}-maybe"}}, status=422)
    assert answer.pointers() == ["/validation/dataset"] and "maybe" in answer.sentence()


# ---- bad input ----

@pytest.mark.parametrize("validation,pointer,word", [
    ({"split": 0.2, "order_by": "when"}, "/validation/order_by", "when"),
    ({"split": 0.2, "order_by": "color"}, "/validation/order_by", "category"),
    ({"split": 0.2, "order_by": "gaps"}, "/validation/order_by", "missing"),
    ({"split": 0.2, "stratify": True}, "/validation/stratify", "category"),
    ({"split": 0.2, "column": "fold", "value": 3}, "/validation", "one of"),
    ({"column": "fold"}, "/validation", "value"),
    ({"column": "nowhere", "value": 1}, "/validation/column", "nowhere"),
    ({"column": "fold", "value": 7}, "/validation/value", "no row"),
    ({"column": "fold", "value": 2.5}, "/validation/value", "no row"),
    ({"column": "fold", "value": "3"}, "/validation/value", "number"),
    ({"column": "color", "value": "violet"}, "/validation/value", "no row"),
    ({"column": "day", "value": "the first"}, "/validation/value", "date"),
    ({"column": "same", "value": 1}, "/validation/value", "all rows"),
    ({"column": "fold", "value": None}, "/validation/value", "number"),
    ({"value": 3}, "/validation", "column"),
    ({"fold": 3}, "/validation", "how many"),
])
def test_what_cannot_be_held_out(c, fresh, data, validation, pointer, word):
    rows = [{**row, "same": 1, "gaps": "" if i == 5 else i} for i, row in enumerate(data)]
    put(c, fresh, rows)
    answer = c.post(f"/v1/models/{fresh}-id-size:train", {**PLAIN, "dataset": fresh, "validation": validation}, status=422)
    assert pointer in answer.pointers() and word in answer.sentence()


def test_data_sets_that_cannot_be_validated_on(c, fresh, data):
    def refused(name, status):
        return c.post(f"/v1/models/{fresh}-id-size:train",
                      {**PLAIN, "dataset": fresh, "validation": {"dataset": name}}, status=status)
    c.csv("plane", PLANE)
    answer = refused("plane", 422)
    assert set(answer.pointers()) == {"/validation/dataset"} and "id" in answer.sentence()
    assert refused(f"{fresh}-nobody", 404).code == "not-found"
    assert refused(fresh, 422).pointers() == ["/validation/dataset"]


def test_a_value_that_no_row_with_a_target_has(c, fresh, data):
    """Or that all of them have: only the worker can see it, the job fails and says so."""
    rows = [{**row, "size": "" if row["fold"] == 3 else row["size"], "told": row["fold"] != 3} for row in data]
    put(c, f"{fresh}-untold", rows)
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "size", "features": ["a"], "layers": [2]})
    for column, value, word in (("fold", 3, "nothing to validate on"), ("told", "True", "nothing left to train on")):
        job = c.train(fresh, {**PLAIN, "dataset": f"{fresh}-untold", "validation": {"column": column, "value": value}}, "failed")
        assert word in job["error"]["detail"] and column in job["error"]["detail"]


def test_data_of_the_request_by_a_data_set(c, fresh, data):
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "size", "features": ["a", "b"], "layers": [2]})
    sent = {"inputs": [[row["a"], row["b"]] for row in data[:40]], "targets": [[row["size"]] for row in data[:40]]}
    job = c.train(fresh, {**PLAIN, "data": sent, "validation": {"dataset": fresh}})
    found = c.post(f"/v1/models/{fresh}:evaluate", {"dataset": fresh})["metrics"]
    assert job["metrics"]["val_mae"] == pytest.approx(found["mae"], rel=1e-4)


# ---- what is said, and not refused ----

def test_columns_that_are_inputs_as_well_are_said(c, fresh, data):
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "size", "features": ["a", "fold", "w"], "layers": [2]})
    job = c.train(fresh, {**PLAIN, "dataset": fresh, "validation": {"column": "fold", "value": 3},
                          "sample_weight_column": "w"})
    assert len(job["warnings"]) == 2
    assert "fold" in job["warnings"][0] and '"w"' in job["warnings"][1]
    assert "warnings" not in job["config"] and "warnings" not in c.get(f"/v1/models/{fresh}/versions/1")["training"]
    assert c.train(f"{fresh}-id-size", {**PLAIN, "dataset": fresh, "validation": {"column": "fold", "value": 3},
                                        "sample_weight_column": "w"})["warnings"] == []


# ---- nothing of the validation rows is learnt ----

LEARNT = {"epochs": 4, "batch_size": 16, "early_stopping": None, "seed": 3, "sample_weight_column": "w"}


def spoilt(row, target):
    """Other values in every column that the model or the job reads; its class stays where classes make the split."""
    return {**row, "a": 1000 + row["b"], "b": -5e6, "color": "teal", "w": 40 + row["w"], "size": 1e7 + row["a"],
            "kind": row["kind"] if target == "kind" else "no"}


def learnt(c, model, body):
    """What a job learnt, as it shows: encoders, profiles, weights and the losses of its epochs; and how validation went."""
    job = c.train(model, body)
    version = c.get(f"/v1/models/{model}/versions/{job['version']}")
    curve = c.get(f"/v1/jobs/{job['id']}/curve").json
    kept = {key: curve[key] for key in ("epoch", "loss", "accuracy", "mae", "learning_rate") if key in curve}
    profile = c.get(f"/v1/models/{model}/drift")
    return (version["encoders"], profile["inputs"], c.layers(model, job["version"]), kept), curve["val_loss"]


@pytest.mark.parametrize("target", ["kind", "size"])
@pytest.mark.parametrize("form", ["split", "order_by", "column", "dataset"])
@pytest.mark.parametrize("more", [{}, {"from": "1"}], ids=["scratch", "going-on"])
def test_nothing_leaks(c, fresh, data, form, target, more):
    validation = {"split": {"split": 0.25}, "order_by": {"split": 0.25, "order_by": "day"},
                  "column": {"column": "fold", "value": 3}, "dataset": {"dataset": f"{fresh}-later"}}[form]
    later = [{**row, "color": "mauve"} for row in flowers(2)[:40]]
    put(c, f"{fresh}-later", later)
    out = held_out(c, fresh, validation, target, seed=LEARNT["seed"])
    assert len(out) == {"split": 30, "order_by": 30, "column": 24, "dataset": 0}[form]
    rows = [{**row, "color": "mauve"} if i in out else row for i, row in enumerate(data)]
    put(c, fresh, rows)
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": target, "features": ["a", "b", "color"], "layers": [6],
                                  "seed": 1})
    body = {**LEARNT, "dataset": fresh, "validation": validation}
    if target == "kind":
        body["class_weights"] = "balanced"
    before, how = learnt(c, fresh, body)
    if more:
        before, how = learnt(c, fresh, {**body, **more})
    put(c, fresh, [spoilt(row, target) if i in out else row for i, row in enumerate(rows)])
    put(c, f"{fresh}-later", [spoilt(row, target) for row in later])
    after, otherwise = learnt(c, fresh, {**body, **more})
    assert after == before
    assert otherwise != how, "the validation rows are others"


# ---- weights, with every form ----

@pytest.mark.parametrize("form", ["none", "split", "order_by", "column", "dataset"])
def test_rows_that_weigh_nothing_are_as_if_they_were_not_there(c, fresh, form):
    """Three copies of each row, two of which weigh nothing and are nonsense: training and validation lose the same."""
    def tripled(rows):
        return [{**row, "w": 0, "size": -9999} if copy else row for row in rows for copy in range(3)]
    rows = [{**row, "w": 1 + i % 2} for i, row in enumerate(flowers())]
    later = flowers(2)[:40]
    validation = {"none": None, "split": {"split": 0.25, "order_by": "a"}, "order_by": {"split": 0.5, "order_by": "day"},
                  "column": {"column": "fold", "value": 3}, "dataset": {"dataset": f"{fresh}-later"}}[form]
    if form in ("split", "order_by"):  # copies must fall on one side together
        column = validation["order_by"]
        rows = [{**row, column: row[column] if column == "a" else f"2024-01-{1 + i % 4 * 9:02d}"} for i, row in enumerate(rows)]
        validation["split"] = 0.25
    c.put(f"/v1/models/{fresh}", {"inputs": [{"name": "a", "type": "number"}, {"name": "b", "type": "number"}],
                                  "outputs": [{"name": "size", "type": "number"}], "layers": [4], "seed": 1,
                                  "normalize": "none"})
    found = []
    for change in (lambda plain: plain, tripled):
        put(c, fresh, change(rows))
        put(c, f"{fresh}-later", change(later))
        if found:  # the encoders are those of the first: means of the nonsense would be others
            body["from"] = "1"
        body = {"dataset": fresh, "epochs": 1, "batch_size": "full", "early_stopping": None, "seed": 3,
                "optimizer": {"name": "sgd", "learning_rate": 1e-30}, "sample_weight_column": "w",
                "validation": validation, **({"from": "1"} if found else {})}
        found.append(c.train(fresh, body)["metrics"])
    assert found[0]["loss"] == pytest.approx(found[1]["loss"], rel=1e-4)
    assert ("val_loss" in found[0]) == (form != "none")
    if form != "none":
        assert found[0]["val_loss"] == pytest.approx(found[1]["val_loss"], rel=1e-4)


def test_weights_are_needed_where_one_validates_and_not_where_one_predicts(c, fresh, data):
    put(c, f"{fresh}-later", [{k: v for k, v in row.items() if k != "w"} for row in flowers(2)[:40]])
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "size", "features": ["a", "b"], "layers": [4]})
    body = {**LEARNT, "dataset": fresh}
    answer = c.post(f"/v1/models/{fresh}:train", {**body, "validation": {"dataset": f"{fresh}-later"}}, status=422)
    assert answer.pointers() == ["/sample_weight_column"] and f"{fresh}-later" in answer.sentence()
    c.train(fresh, {**body, "validation": {"split": 0.2}})
    assert len(c.predict(fresh, [{"a": 1, "b": 2}])["predictions"]) == 1


# ---- several targets ----

def test_targets_of_very_different_scale_come_back_in_their_own_units(c, fresh):
    """A sum of millions, a difference of thousandths and a word, from two numbers."""
    noise = random.Random(5)
    rows = []
    for _ in range(400):
        a, b = noise.uniform(-1, 1), noise.uniform(-1, 1)
        rows.append((a, b, 5e6 + 1e6 * (3 * a - 2 * b), 1e-3 * (a + b) - 7e-3, "above" if a > b else "below"))
    c.csv(fresh, table(["a", "b", "large", "small", "side"], rows))
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": ["large", "small", "side"], "layers": [32], "seed": 1})
    job = c.train(fresh, {"dataset": fresh, "epochs": 150, "batch_size": 16, "seed": 1, "validation": {"split": 0.2},
                          "early_stopping": None, "optimizer": {"name": "adam", "learning_rate": 0.005}})
    assert job["metrics"]["val_accuracy"] > 0.9
    for a, b in ((0.5, -0.5), (-0.7, 0.1), (0.0, -0.9)):
        answer = c.predict(fresh, [[a, b]]).json
        found = answer["predictions"][0]
        assert found["large"][0] == pytest.approx(5e6 + 1e6 * (3 * a - 2 * b), abs=2e5)
        assert found["small"][0] == pytest.approx(1e-3 * (a + b) - 7e-3, abs=1e-4)
        assert answer["labels"][0]["side"] == ("above" if a > b else "below")


# ---- more data than memory holds ----

MANY = 1_450_000  # rows of three numbers: 36 MB as they are trained on, and 32 is what a budget of 64 gives


@pytest.mark.parametrize("body", [
    {"validation": {"split": 0.1}, "sample_weight_column": "w"},
])
def test_the_same_from_a_scratch_file(start, body):
    noise = random.Random(7)
    numbers = [round(noise.gauss(0, 1), 2) for _ in range(1000)]
    lines = (f"{numbers[i * 7 % 1000]},{numbers[i * 13 % 997]},{numbers[i * 7 % 1000] - numbers[i * 13 % 997]:.2f},{1 + i % 3}"
             for i in range(MANY))
    many = "a,b,y,w\n" + "\n".join(lines) + "\n"
    body = {"dataset": "many", "epochs": 2, "batch_size": 1000, "early_stopping": None, "seed": 1, **body}
    found = []
    for budget in ("1G", "64M"):
        daemon = start("--memory-budget", budget, "--threads", 2, "--workers", 1)
        c = daemon.client(timeout=120)
        c.csv("many", many)
        c.put("/v1/models/m", {"dataset": "many", "target": "y", "features": ["a", "b"], "layers": [4], "seed": 1})
        said = c.post("/v1/models/m:estimate", body)
        assert said["streamed"] is (budget == "64M")
        assert (said["scratch_bytes"] >= MANY * 4 * 4) is (budget == "64M") and said["training_bytes"] > 0
        files = set(daemon.folder.iterdir())
        job = c.train("m", body, seconds=120)
        assert set(daemon.folder.iterdir()) == files
        assert daemon.says("scratch file") if budget == "64M" else "scratch file" not in daemon.log()
        found.append((c.layers("m", 1), job["metrics"], c.get("/v1/models/m/versions/1")["encoders"]))
        refused = c.post("/v1/models/m:train", {**body, "batch_size": "full"}, status=(202, 422))
        assert (refused.status == 422) is (budget == "64M"), "all rows at once are in memory at once"
        daemon.kill()
    assert found[0] == found[1]
