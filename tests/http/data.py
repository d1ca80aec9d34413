"""data.py - the tables and networks that the tests train on."""
import csv
import io

from harness import REPOSITORY


def example(name):
    """A file of examples/data, as bytes."""
    return (REPOSITORY / "examples" / "data" / f"{name}.csv").read_bytes()


def records(text):
    """The rows of a CSV text as dictionaries of strings."""
    return list(csv.DictReader(io.StringIO(text if isinstance(text, str) else text.decode())))


def table(header, rows):
    """CSV text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


XOR = {"inputs": [[0, 0], [0, 1], [1, 0], [1, 1]], "targets": [[0], [1], [1], [0]]}

# y = 3 a - 2 b + 1 on a grid: what one linear neuron can learn exactly.
GRID = [(a, b, 3 * a - 2 * b + 1) for a in range(8) for b in range(8)]
PLANE = table(["a", "b", "y"], GRID)

# More epochs than a test has time for: for what is cancelled, killed or stopped by another bound.
ENDLESS = {"dataset": "iris", "epochs": 10_000_000, "batch_size": 8, "validation": None, "early_stopping": None}


def iris_model(**more):
    return {"dataset": "iris", "target": "species", "layers": [8], **more}


EXAMPLES = {"iris": ("species", ""), "people": ("weight", "?types=born:date,smoker:boolean")}  # target, query of the upload


def trained(c, name):
    """An example as a data set, and a model that a short training made of it: both under the example's name."""
    target, query = EXAMPLES[name]
    c.csv(name, example(name), query=query)
    c.put(f"/v1/models/{name}", {"dataset": name, "target": target, "layers": [8], "seed": 1})
    c.train(name, {"dataset": name, "epochs": 30, "seed": 1})


def by_hand(weights, biases):
    """The body of POST versions for layers given as matrices and vectors."""
    return {"layers": [{"weights": w, "biases": b} for w, b in zip(weights, biases)]}
