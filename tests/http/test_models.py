"""Models: definitions in both forms, versions, labels, layers and neurons."""
import pytest

from data import ENDLESS, PLANE, by_hand, example, iris_model, table
from fields import covers


def test_a_model_of_a_data_set(c, iris, fresh):
    """The example of the contract: 131 parameters, 524 bytes."""
    answer = c.put(f"/v1/models/{fresh}", {"dataset": "iris", "target": "species", "layers": [16]})
    assert answer.headers["Location"] == f"/v1/models/{fresh}"
    model = answer.json
    assert (model["name"], model["loss"]) == (fresh, "cross_entropy")
    assert (model["parameters"], model["size_bytes"]) == (131, 524)
    assert (model["dataset"], model["target"]) == ("iris", "species")
    assert model["inputs"] == [{"name": n, "type": "number"}
                               for n in ("sepal_length", "sepal_width", "petal_length", "petal_width")]
    assert model["outputs"] == [{"name": "species", "type": "category",
                                 "values": ["setosa", "versicolor", "virginica"]}]
    layers = [(i["index"], i["units"], i["activation"], i["bias"], i["parameters"]) for i in model["layers"]]
    assert layers == [(0, 16, "relu", True, 80), (1, 3, "softmax", True, 51)]
    assert (model["normalize"], model["missing"]) == ("standard", "mean")
    assert (model["latest_version"], model["labels"], model["model_version_status"]) == (None, {}, [])
    assert (model["description"], model["metadata"], model["warnings"]) == ("", {}, [])
    assert c.get(f"/v1/models/{fresh}").json == model


def test_layers_left_out_are_chosen_and_shown(c, iris, fresh):
    model = c.put(f"/v1/models/{fresh}", {"dataset": "iris", "target": "species"}).json
    assert [i["index"] for i in model["layers"]] == list(range(len(model["layers"])))
    assert model["layers"][-1]["units"] == 3
    assert c.train(fresh, {"dataset": "iris", "epochs": 2})["version"] == "1"


def test_a_regression_of_a_data_set(c, fresh):
    c.csv("plane", PLANE)
    model = c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": []}).json
    assert model["loss"] == "mse"
    assert [(i["units"], i["activation"]) for i in model["layers"]] == [(1, "linear")]


def test_categories_among_the_inputs(c, fresh):
    """hair_color has 4 values and sex 2: 6 and 4 inputs, each with a slot for other and one for missing."""
    c.csv("hair_eye", example("hair_eye"))
    model = c.put(f"/v1/models/{fresh}", {"dataset": "hair_eye", "target": "eye_color", "layers": [5]}).json
    assert [(i["name"], len(i["values"])) for i in model["inputs"]] == [("hair_color", 4), ("sex", 2)]
    assert model["layers"][0]["parameters"] == (6 + 4) * 5 + 5
    strict = c.put(f"/v1/models/{fresh}-strict",
                   {"dataset": "hair_eye", "target": "eye_color", "layers": [5], "missing": "error"}).json
    assert strict["layers"][0]["parameters"] == (5 + 3) * 5 + 5, "nothing can be missing: no slot for it"


def test_the_same_definition_again(c, iris, fresh):
    """200 for what was sent before, as it was sent; 409 for anything else, also for what it resolved to."""
    sent = {"dataset": "iris", "target": "species", "layers": [16]}
    first = c.put(f"/v1/models/{fresh}", sent).json
    assert c.put(f"/v1/models/{fresh}", dict(reversed(sent.items())), status=200).json == first
    for other in ({**sent, "layers": [{"units": 16}]}, {**sent, "layers": [17]}, {**sent, "loss": "cross_entropy"}):
        assert c.put(f"/v1/models/{fresh}", other, status=409).code == "conflict"
    assert c.get(f"/v1/models/{fresh}").json == first


@covers("ModelPatch.description", "ModelPatch.metadata")
def test_patch(c, iris, fresh):
    sent = iris_model(description="before", metadata={"a": "1"})
    before = c.put(f"/v1/models/{fresh}", sent).json
    after = c.patch(f"/v1/models/{fresh}", {"description": "after"}).json
    assert after == {**before, "description": "after"}
    after = c.patch(f"/v1/models/{fresh}", {"metadata": {"b": "2", "c": ""}}).json
    assert after == {**before, "description": "after", "metadata": {"b": "2", "c": ""}}
    assert c.get(f"/v1/models/{fresh}").json == after
    for bad, pointer in (({"description": 5}, "/description"), ({"metadata": {"b": 2}}, "/metadata/b"),
                         ({"metadata": []}, "/metadata"), ({"layers": [1]}, "/layers")):
        assert c.patch(f"/v1/models/{fresh}", bad, status=422).pointers() == [pointer]
    assert c.get(f"/v1/models/{fresh}").json == after
    assert c.put(f"/v1/models/{fresh}", sent, status=200).json == after, "the definition is what it was"


def test_options_of_layers_are_shown(c, fresh):
    layer = {"units": 3, "activation": "leaky_relu", "bias": False, "dropout": 0.25, "l1": 0.5, "l2": 0.125,
             "init": "he_uniform"}
    shown = c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [layer]})["layers"][0]
    assert {k: shown[k] for k in layer} == layer


@covers("model_list?limit", "model_list?cursor")
def test_lists_come_in_pages(c):
    for i in range(5):
        c.put(f"/v1/models/page-{i}", {"inputs": 1, "outputs": 1}, status=(200, 201))
    whole = [m["name"] for m in c.get("/v1/models?limit=1000")["models"]]
    assert whole == sorted(whole) and {f"page-{i}" for i in range(5)} <= set(whole)
    paged, query = [], "?limit=2"
    for _ in whole:
        answer = c.get(f"/v1/models{query}")
        paged += [m["name"] for m in answer["models"]]
        if not answer["next"]:
            break
        query = f"?limit=2&cursor={answer['next']}"
    assert paged == whole


@covers("version_list?limit", "version_list?cursor")
def test_versions(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model(seed=4))
    assert c.get(f"/v1/models/{fresh}/versions").json == {"versions": [], "next": None}
    job = c.train(fresh, {"dataset": "iris", "epochs": 3, "validation": {"split": 0.2}})
    for seed in (2, 3):
        c.train(fresh, {"dataset": "iris", "epochs": 1, "seed": seed})
    first = c.get(f"/v1/models/{fresh}/versions/1").json
    assert (first["version"], first["job"]) == ("1", job["id"])
    assert first["training"] == job["config"]
    data = c.get("/v1/datasets/iris").json
    assert first["dataset"] == {k: data[k] for k in ("name", "revision", "sha256", "rows")}
    assert first["metrics"].items() >= job["metrics"].items()
    assert first["size_bytes"] >= 4 * (4 * 8 + 8 + 8 * 3 + 3)
    status = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert first["model_version_status"] == [status]
    assert [v["version"] for v in c.get(f"/v1/models/{fresh}/versions")["versions"]] == ["3", "2", "1"]
    page = c.get(f"/v1/models/{fresh}/versions?limit=2")
    assert [v["version"] for v in page["versions"]] == ["3", "2"]
    rest = c.get(f"/v1/models/{fresh}/versions?limit=2&cursor={page['next']}")
    first.pop("encoders")  # lists leave them out
    assert rest.json == {"versions": [first], "next": None}
    model = c.get(f"/v1/models/{fresh}").json
    assert model["latest_version"] == "3"
    assert model["model_version_status"][0] == {**status, "version": "3"}


def test_version_numbers_are_never_used_twice(c, fresh):
    """Not after the version was deleted, not even after the model was."""
    definition = {"inputs": 1, "outputs": 1, "layers": []}
    def hand():
        return c.post(f"/v1/models/{fresh}/versions", by_hand([[[2]]], [[1]]), status=201)["version"]
    c.put(f"/v1/models/{fresh}", definition)
    assert [hand(), hand()] == ["1", "2"]
    c.delete(f"/v1/models/{fresh}/versions/2")
    c.get(f"/v1/models/{fresh}/versions/2", status=404)
    assert c.get(f"/v1/models/{fresh}")["latest_version"] == "1"
    assert hand() == "3"
    c.delete(f"/v1/models/{fresh}")
    c.get(f"/v1/models/{fresh}", status=404)
    c.put(f"/v1/models/{fresh}", definition)
    assert c.get(f"/v1/models/{fresh}")["latest_version"] is None
    assert hand() == "4"


@covers("label_put.version")
def test_labels(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": []})
    for weight in (2, 3):
        c.post(f"/v1/models/{fresh}/versions", by_hand([[[weight]]], [[0]]), status=201)
    base = f"/v1/models/{fresh}/labels"
    assert c.put(f"{base}/best", {"version": "1"}, status=(200, 201)).json == {"label": "best", "version": "1"}
    assert c.get(f"/v1/models/{fresh}")["labels"] == {"best": "1"}
    assert c.predict(fresh, [[1]], "/labels/best")["predictions"] == [[2]]
    c.put(f"{base}/best", {"version": "2"}, status=200)
    assert c.predict(fresh, [[1]], "/labels/best")["predictions"] == [[3]]
    assert "best" in c.delete(f"/v1/models/{fresh}/versions/2", status=409)["detail"], "names the label"
    c.put(f"{base}/best", {"version": "9"}, status=404)
    for bad in ({"version": 2}, {"version": "two"}, {}, {"version": "1", "weight": 1}):
        c.put(f"{base}/best", bad, status=422)
    c.put(f"{base}/.hidden", {"version": "1"}, status=422)
    c.delete(f"{base}/best")
    c.delete(f"{base}/best", status=404)
    assert c.get(f"/v1/models/{fresh}")["labels"] == {}
    c.predict(fresh, [[1]], "/labels/best", status=404)
    c.delete(f"/v1/models/{fresh}/versions/2")


@covers("HandMadeVersion.layers", "HandMadeVersion.layers.weights", "HandMadeVersion.layers.biases")
def test_a_version_made_by_hand(c, fresh):
    """y = relu(1 a + 2 b - 1) * 3 - relu(-a) + 0.5, worked out by hand; nothing is scaled."""
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [2]})
    sent = by_hand([[[1, 2], [-1, 0]], [[3, -1]]], [[-1, 0], [0.5]])
    answer = c.post(f"/v1/models/{fresh}/versions", sent, status=201)
    assert answer.headers["Location"] == f"/v1/models/{fresh}/versions/1"
    assert (answer["version"], answer["job"], answer["training"], answer["dataset"]) == ("1", None, None, None)
    assert c.get(f"/v1/models/{fresh}/versions/1").json == answer.json
    assert c.predict(fresh, [[1, 2], [-2, 0], [0, 0]])["predictions"] == [[12.5], [-1.5], [0.5]]
    assert c.layers(fresh, "1") == [([[1, 2], [-1, 0]], [-1, 0]), ([[3, -1]], [0.5])]
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1, 2], [-1, 0]], [[3, -1]]], [[0, 0], [0]]), status=201)
    assert c.predict(fresh, [[1, 2]])["predictions"] == [[15]], "the latest"


@pytest.mark.parametrize("layers,pointer", [
    ([], "/layers"),
    ([{"weights": [[1, 2], [3, 4]], "biases": [0, 0]}], "/layers"),
    ([{"weights": [[1, 2]], "biases": [0, 0]}, {"weights": [[1, 1]], "biases": [0]}], "/layers/0/weights"),
    ([{"weights": [[1, 2], [3]], "biases": [0, 0]}, {"weights": [[1, 1]], "biases": [0]}], "/layers/0/weights/1"),
    ([{"weights": [[1, 2], [3, "4"]], "biases": [0, 0]}, {"weights": [[1, 1]], "biases": [0]}],
     "/layers/0/weights/1/1"),
    ([{"weights": [[1, 2], [3, 4]], "biases": [0]}, {"weights": [[1, 1]], "biases": [0]}], "/layers/0/biases"),
    ([{"weights": [[1, 2], [3, 1e300]], "biases": [0, 0]}, {"weights": [[1, 1]], "biases": [0]}],
     "/layers/0/weights/1/1"),
], ids=["none", "too-few", "too-few-units", "ragged", "no-number", "too-few-biases", "no-float"])
def test_weights_that_do_not_fit(c, layers, pointer):
    c.put("/v1/models/byhand", {"inputs": 2, "outputs": 1, "layers": [2]}, status=(200, 201))
    answer = c.post("/v1/models/byhand/versions", {"layers": layers}, status=422)
    assert answer.pointers()[0] == pointer
    assert c.get("/v1/models/byhand")["latest_version"] is None


def test_a_layer_without_bias(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1, "layers": [{"units": 1, "bias": False}]})
    sent = {"layers": [{"weights": [[2]]}, {"weights": [[3]], "biases": [1]}]}
    c.post(f"/v1/models/{fresh}/versions", sent, status=201)
    base = f"/v1/models/{fresh}/versions/1/layers"
    assert c.get(f"{base}/0")["biases"] is None
    assert c.get(f"{base}/0/neurons/0")["bias"] is None
    assert c.get(f"{base}/1")["biases"] == [1]
    assert c.predict(fresh, [[1]])["predictions"] == [[7]]


def test_layers_and_neurons(c, fresh):
    hair = {"name": "hair", "type": "category", "values": ["black", "brown"]}
    c.put(f"/v1/models/{fresh}", {"inputs": [{"name": "height", "type": "number"}, hair], "outputs": 1, "layers": [2]})
    weights = [[[1, 2, 3, 4, 5], [-1, -2, -3, -4, -5]], [[0.25, 0.5]]]
    c.post(f"/v1/models/{fresh}/versions", by_hand(weights, [[10, 20], [30]]), status=201)
    base = f"/v1/models/{fresh}/versions/1/layers"
    listed = c.get(base)["layers"]
    assert [(i["index"], i["units"], i["activation"], i["parameters"]) for i in listed] == [(0, 2, "relu", 12),
                                                                                          (1, 1, "linear", 3)]
    layer = c.get(f"{base}/0").json
    assert (layer["index"], layer["units"], layer["activation"]) == (0, 2, "relu")
    assert (layer["weights"], layer["biases"]) == (weights[0], [10, 20])
    neuron = c.get(f"{base}/0/neurons/1").json
    assert (neuron["bias"], neuron["activation"]) == (20, "relu")
    assert [s["weight"] for s in neuron["synapses"]] == weights[0][1]
    names = [s["from"] for s in neuron["synapses"]]
    assert names[0] == "height" and names[1] == "hair=black" and names[2] == "hair=brown"
    assert len(set(names)) == 5
    output = c.get(f"{base}/1/neurons/0").json
    assert [s["weight"] for s in output["synapses"]] == [0.25, 0.5]
    assert len({s["from"] for s in output["synapses"]}) == 2
    for path in (f"{base}/2", f"{base}/0/neurons/2", f"{base}/1/neurons/1", f"/v1/models/{fresh}/versions/2/layers",
                 "/v1/models/nobody/versions/1/layers", f"{base}/99999999999999999999", f"{base}/0/neurons/4294967296"):
        c.get(path, status=404)


@covers("model_delete?force")
def test_delete_while_training(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    job = c.start(fresh, ENDLESS)
    c.running(job["id"])
    assert job["id"] in c.delete(f"/v1/models/{fresh}", status=409)["detail"], "names the job"
    c.delete(f"/v1/models/{fresh}?force=false", status=409)
    c.delete(f"/v1/models/{fresh}?force=perhaps", status=422)
    c.get(f"/v1/models/{fresh}")
    c.delete(f"/v1/models/{fresh}?force=true")
    c.get(f"/v1/models/{fresh}", status=404)
    assert c.ended(job["id"], "cancelled")["stop_reason"] == "cancelled"
    c.put(f"/v1/models/{fresh}", iris_model(layers=[3]))


def test_what_is_not_there(c, fresh):
    c.put(f"/v1/models/{fresh}", {"inputs": 1, "outputs": 1})
    for method, path in (("GET", "/v1/models/nobody"), ("DELETE", "/v1/models/nobody"),
                         ("GET", "/v1/models/nobody/versions"), ("GET", f"/v1/models/{fresh}/versions/1"),
                         ("DELETE", f"/v1/models/{fresh}/versions/1"), ("DELETE", f"/v1/models/{fresh}/labels/stable")):
        assert c.request(method, path, status=404).code == "not-found"
    c.patch("/v1/models/nobody", {"description": "x"}, status=404)
    c.post("/v1/models/nobody/versions", by_hand([[[1]]], [[0]]), status=404)
    c.post("/v1/models/nobody:train", {"dataset": "iris"}, status=404)
    c.put(f"/v1/models/{fresh}-2", {"dataset": "nothing", "target": "y"}, status=404)


def test_an_integer_target_with_many_values_warns_of_nothing(c, fresh):
    c.csv(fresh, table(["x", "y"], [(i, i) for i in range(40)]))
    assert c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": "y"})["warnings"] == []


def test_a_regression_that_is_said(c, fresh):
    """It was accepted and then ignored: a word target made a classification, a number one the warning all the same."""
    c.csv(fresh, table(["x", "grade", "word"], [(i, i % 3, "ab"[i % 2]) for i in range(40)]))
    body = {"dataset": fresh, "target": "grade", "features": ["x"]}
    assert c.put(f"/v1/models/{fresh}-open", body)["warnings"]
    said = c.put(f"/v1/models/{fresh}-said", {**body, "task": "regression"})
    assert said["warnings"] == [] and said["outputs"] == [{"name": "grade", "type": "number"}]
    refused = c.put(f"/v1/models/{fresh}-word", {**body, "target": "word", "task": "regression"}, status=422)
    assert refused.pointers() == ["/task"]


def test_a_warning_names_a_long_column(c, fresh):
    """A name cut within a character made a sentence that no JSON may hold, and the warning was gone."""
    name = "a" + "é" * 40
    c.csv(fresh, table(["x", name], [(i, i % 3) for i in range(40)]))
    warnings = c.put(f"/v1/models/{fresh}", {"dataset": fresh, "target": name})["warnings"]
    assert len(warnings) == 1 and "aéé" in warnings[0]
