"""The step: a model of it predicts with weights made by hand, and is refused for training, as its derivative is 0."""
import pytest

from data import XOR, by_hand

STEP = {"units": 2, "activation": "step"}


def test_a_perceptron_by_hand(c, fresh):
    """xor = (a or b) and not (a and b): three units that fire when their weighted input reaches 0."""
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": [STEP], "output_activation": "step"})
    c.post(f"/v1/models/{fresh}/versions", by_hand([[[1, 1], [1, 1]], [[1, -1]]], [[-1, -2], [-1]]), status=201)
    assert c.predict(fresh, [[0, 0], [0, 1], [1, 0], [1, 1]])["predictions"] == [[0], [1], [1], [0]]


@pytest.mark.parametrize("layers,output,pointers", [
    ([STEP], "linear", ["/layers/0/activation"]),
    ([3, STEP], "linear", ["/layers/1/activation"]),
    ([3], "step", ["/output_activation"]),
    ([STEP, STEP], "step", ["/layers/0/activation", "/layers/1/activation", "/output_activation"]),
], ids=["first", "second", "output", "all"])
def test_a_step_cannot_be_trained(c, fresh, layers, output, pointers):
    c.put(f"/v1/models/{fresh}", {"inputs": 2, "outputs": 1, "layers": layers, "output_activation": output})
    answer = c.post(f"/v1/models/{fresh}:train", {"data": XOR}, status=422)
    assert answer.pointers() == pointers
    assert all('"step"' in e["detail"] and "derivative is 0" in e["detail"] for e in answer["errors"])
    assert c.get(f"/v1/models/{fresh}")["latest_version"] is None
