"""Columns as people have them: dates, booleans, categories of thousands of values, gaps; what a version learnt about
them, and that it applies it at prediction exactly as at training (encoding.py works it through in Python)."""
import datetime
import random

import pytest

from data import table
from encoding import encode, forward, softmax
from fields import covers

PEOPLE = 600
FIRST_DAY = datetime.date(2021, 3, 1)


def people(rows=PEOPLE, seed=1):
    """Height, hair, a city of 400, a date of birth, smoker or not: with gaps; weight follows from some of them."""
    draw = random.Random(seed)
    out = []
    for i in range(rows):
        height = round(draw.gauss(170, 10), 1)
        hair = draw.choice(["black", "brown", "red", "blond"])
        city = f"city {draw.randrange(400)}"
        day = FIRST_DAY + datetime.timedelta(days=draw.randrange(900))
        smoker = draw.choice(["yes", "no", "1", "F"])
        weight = 0.9 * height - 80 + (5 if hair == "red" else 0) + (3 if smoker in ("yes", "1") else 0) + draw.gauss(0, 1)
        row = [height, hair, city, day.isoformat(), smoker, i, round(weight, 2)]
        row[i % 5] = row[i % 5] if i % 11 else ""
        out.append(row)
    return out


HEADER = ["height", "hair", "city", "day", "smoker", "id", "weight"]
TYPES = "?types=day:date,smoker:boolean,id:ignore"


@pytest.fixture
def crowd(c):
    c.csv("crowd", table(HEADER, people()), query=TYPES)
    return "crowd"


@pytest.fixture
def trained(c, crowd, fresh):
    c.put(f"/v1/models/{fresh}", {"dataset": crowd, "target": "weight", "layers": [{"units": 6, "activation": "tanh"}],
                                  "buckets": 64, "seed": 3})
    c.train(fresh, {"dataset": crowd, "epochs": 20, "validation": {"split": 0.2}, "seed": 1})
    return fresh


def version(c, model, number=1):
    return c.get(f"/v1/models/{model}/versions/{number}").json


def test_the_types_of_a_data_set_become_those_of_a_model(c, trained):
    model = c.get(f"/v1/models/{trained}").json
    inputs = {column["name"]: column for column in model["inputs"]}
    assert "id" not in inputs, "an ignored column is no input"
    assert inputs["day"] == {"name": "day", "type": "date"}
    assert inputs["smoker"] == {"name": "smoker", "type": "category", "values": ["false", "true"]}
    assert inputs["city"] == {"name": "city", "type": "category", "buckets": 64}
    assert any("city" in w and "64" in w for w in model["warnings"])


def test_a_prediction_is_what_encoders_and_layers_make_of_a_record(c, trained):
    encoders = version(c, trained)["encoders"]
    layers = c.layers(trained, 1)
    target = encoders["outputs"][0]
    records = [dict(zip(HEADER, row)) for row in people(40, seed=2)]
    spelled = {"yes": "true", "1": "true", "no": "false", "F": "false"}
    asked = [{k: v for k, v in r.items() if v != "" and k not in ("id", "weight")} for r in records]
    asked.append({"height": 180, "day": "2022-02-28T18:30:15+02:00", "smoker": True})
    asked.append({})
    answer = c.predict(trained, asked)
    assert len(answer["predictions"]) == len(asked)
    for record, prediction in zip(asked, answer["predictions"]):
        known = {**record}
        if "smoker" in known:
            known["smoker"] = spelled.get(known["smoker"], str(known["smoker"]).lower())
        z = forward(layers, encode(encoders, known))[0]
        assert prediction[0] == pytest.approx(z * target["scale"] + target["shift"], rel=2e-5, abs=2e-4)


def test_encoders_are_those_of_the_training_rows(c, trained):
    encoders = version(c, trained)["encoders"]
    columns = {column["name"]: column for column in encoders["inputs"]}
    rows = c.get(f"/v1/datasets/crowd")["rows"]
    training = rows - round(rows * 0.2)
    for column in columns.values():
        if column["type"] == "category":
            assert sum(slot["count"] for slot in column["slots"]) == training
            assert column["slots"][-1] == {"missing": True, "count": column["missing"]}
            assert column["slots"][-2] == {"other": True, "count": 0}
            assert len(column["slots"]) == column["width"]
    assert [s.get("value") for s in columns["hair"]["slots"][:4]] == ["black", "blond", "brown", "red"]
    assert columns["city"]["buckets"] == 64 and columns["city"]["slots"][17]["bucket"] == 17
    assert columns["day"]["width"] == 8
    assert "2021-03-01" <= columns["day"]["min"][:10] < columns["day"]["mean"][:10] < columns["day"]["max"][:10]
    assert columns["height"]["mean"] == pytest.approx(170, abs=3)
    assert encoders["outputs"][0]["name"] == "weight"
    assert "encoders" not in c.get(f"/v1/models/{trained}/versions")["versions"][0]


def test_the_first_layer_names_its_synapses(c, trained):
    neuron = c.get(f"/v1/models/{trained}/versions/1/layers/0/neurons/0").json
    names = [synapse["from"] for synapse in neuron["synapses"]]
    assert {"height", "hair=brown", "hair=(other)", "hair=(missing)", "city=#17", "day.month.sin", "day.days",
            "smoker=true"} <= set(names)
    layer = c.get(f"/v1/models/{trained}/versions/1/layers/0").json
    assert layer["from"] == names and layer["weights"][0] == [s["weight"] for s in neuron["synapses"]]
    assert c.get(f"/v1/models/{trained}/versions/1/layers/1")["from"][2] == "layer 0, neuron 2"


def test_values_never_seen_are_reported(c, trained):
    seen = {f"city {i}" for i in range(400)}
    counts = next(column for column in version(c, trained)["encoders"]["inputs"] if column["name"] == "city")["slots"]
    assert any(slot["count"] for slot in counts)
    answer = c.predict(trained, [{"hair": "green", "city": "city 3", "smoker": "perhaps"}])
    assert [w.split(" ")[0] for w in answer["warnings"]] == ["hair", "smoker"]
    assert "city 3" in seen and "warnings" not in c.predict(trained, [{"hair": "red", "smoker": "on"}]).json


@covers("ModelDefinition.buckets", "ModelColumn.buckets")
def test_buckets(c, crowd, fresh):
    widths = []
    for buckets in (16, 300):
        c.put(f"/v1/models/{fresh}-{buckets}", {"dataset": crowd, "target": "weight", "buckets": buckets, "layers": []})
        c.put(f"/v1/models/{fresh}-x{buckets}", {"inputs": [{"name": "city", "type": "category", "buckets": buckets}],
                                                 "outputs": 1, "layers": []})
        widths.append((c.get(f"/v1/models/{fresh}-{buckets}")["parameters"],
                       c.get(f"/v1/models/{fresh}-x{buckets}")["parameters"]))
    assert widths[1][0] - widths[0][0] == widths[1][1] - widths[0][1] == 300 - 16
    assert widths[0][1] == 16 + 2 + 1


@covers("ModelColumn.type", "OutputColumn.type")
def test_dates_and_booleans_in_an_explicit_definition(c, fresh):
    definition = {"inputs": [{"name": "when", "type": "date"}, {"name": "open", "type": "boolean"}],
                  "outputs": [{"name": "busy", "type": "boolean"}], "layers": [], "seed": 1}
    c.put(f"/v1/models/{fresh}", definition)
    model = c.get(f"/v1/models/{fresh}").json
    assert model["layers"][0]["parameters"] == (8 + 4) * 2 + 2
    rows = [[f"2024-05-{1 + i % 28:02d}T{i % 24:02d}:00", i % 3 > 0] for i in range(200)]
    busy = [[bool(i % 3 and 8 <= i % 24 < 18)] for i in range(200)]
    c.train(fresh, {"data": {"inputs": rows, "targets": busy}, "epochs": 200, "validation": None})
    encoders, layers = version(c, fresh)["encoders"], c.layers(fresh, 1)
    answer = c.predict(fresh, [["2024-05-03T13:00", True], ["2024-05-03T01:00", True], ["2024-05-03T13:00", "no"]])
    assert [label for label in answer["labels"]] == ["true", "false", "false"]
    scores = softmax(forward(layers, encode(encoders, {"when": "2024-05-03T13:00", "open": "true"})))
    assert answer["predictions"][0] == pytest.approx(scores, abs=1e-4)


def test_the_hour_is_learnt(c, fresh):
    """A sine of the hour is what a linear neuron on a date can answer exactly."""
    from math import pi, sin
    rows = [(f"2023-01-{1 + i // 24:02d} {i % 24:02d}:00:00", round(10 + 4 * sin(2 * pi * (i % 24) / 24), 6))
            for i in range(24 * 28)]
    c.csv(fresh, table(["at", "load"], rows), query="?types=at:date")
    c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "load", "layers": [], "seed": 1})
    c.train(fresh, {"dataset": fresh, "optimizer": "lbfgs", "validation": None})
    for hour in (0, 6, 15):
        assert c.predict(fresh, [{"at": f"2023-01-11T{hour:02d}:00Z"}])["predictions"][0][0] == pytest.approx(
            10 + 4 * sin(2 * pi * hour / 24), abs=0.02)


@pytest.mark.parametrize("cell", ["yesterday", "2024-02-30", 17, True, [1, 2]])
def test_dates_that_are_none(c, trained, cell):
    refused = c.predict(trained, [{"day": "2024-02-29"}, {"day": cell}], status=400)
    assert refused.pointers() == ["/instances/1/day"]
    assert "2024-02-29" in refused.sentence()


def test_what_cannot_be_an_input_or_a_target(c, crowd, fresh):
    wrong = [
        ({"dataset": crowd, "target": "weight", "features": ["height", "id"]}, "/features/1", "ignored"),
        ({"dataset": crowd, "target": "day"}, "/target", "dates"),
        ({"dataset": crowd, "target": "id"}, "/target", "ignored"),
        ({"dataset": crowd, "target": "weight", "buckets": 1}, "/buckets", "2"),
        ({"inputs": [{"name": "a", "type": "time"}], "outputs": 1}, "/inputs/0/type", "date"),
        ({"inputs": 1, "outputs": [{"name": "a", "type": "date"}]}, "/outputs/0/type", "boolean"),
        ({"inputs": [{"name": "a", "type": "number", "buckets": 5}], "outputs": 1}, "/inputs/0/buckets", "category"),
        ({"inputs": [{"name": "a", "type": "category", "buckets": 5, "values": ["x"]}], "outputs": 1},
         "/inputs/0/buckets", "values"),
        ({"inputs": 1, "outputs": [{"name": "a", "type": "category", "buckets": 5}]}, "/outputs/0/buckets", "input"),
        ({"inputs": [{"name": "a", "type": "boolean", "values": ["x"]}], "outputs": 1}, "/inputs/0/values", "boolean"),
    ]
    for body, pointer, word in wrong:
        refused = c.put(f"/v1/models/{fresh}", body, status=422)
        assert refused.pointers() == [pointer] and word in refused.sentence(), (body, refused.json)


def test_the_words_for_what_is_missing_are_those_of_the_table(c, crowd, trained, fresh):
    """A row that had been trained on as it stands in the CSV, with NA for the hair, was asked about another color of hair."""
    for word in ("NA", "N/A", "NaN", "null", "?", ""):
        for name in ("hair", "day", "smoker"):
            asked = c.post(f"/v1/models/{trained}:predict", {"instances": [{name: word}, {name: None}]}).json
            assert asked["predictions"][0] == asked["predictions"][1] and "warnings" not in asked, (name, word)
    regions = [{"name": "region", "type": "category", "values": ["NA", "EU"]}]
    c.put(f"/v1/models/{fresh}-regions", {"inputs": regions, "outputs": 1, "layers": []})
    c.post(f"/v1/models/{fresh}-regions/versions", {"layers": [{"weights": [[1, 2, 3, 4]], "biases": [0]}]}, status=201)
    assert c.predict(f"{fresh}-regions", [["NA"], ["EU"], ["N/A"]])["predictions"] == [[1], [2], [4]], "a value that is known is one"


def test_a_model_takes_no_data_of_other_types(c, crowd, trained, fresh):
    c.csv(fresh, table(HEADER, people()), query="?types=smoker:boolean")
    refused = c.post(f"/v1/models/{trained}:train", {"dataset": fresh}, status=422)
    assert "day" in refused["detail"] and "dates" in refused["detail"]
    assert 'PUT {"type":"date"} at its columns/day' in refused["detail"], "what to do about it was not said"
    c.put(f"/v1/datasets/{fresh}/columns/day", {"type": "date"}, status=200)
    c.post(f"/v1/models/{trained}:evaluate", {"dataset": fresh})
    c.csv(f"{fresh}-2", table(HEADER, people()), query="?types=day:date,hair:ignore")
    refused = c.post(f"/v1/models/{trained}:evaluate", {"dataset": f"{fresh}-2"}, status=400)
    assert "hair" in refused["detail"] and "ignored" in refused["detail"]
