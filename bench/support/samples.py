"""Data for bench/quality.py: the files of examples/data, and synthetic sets of many shapes, made by scikit-learn's
generators and a few lines of NumPy. The defaults were worked out on sets like these; the files were the check.

A maker takes a seed and gives a Table.
"""
import csv
import io
import os

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from daemon import DATA

FILES = {"iris": "species", "wine": "cultivar", "breast_cancer": "diagnosis", "digits": "digit", "hair_eye": "eye_color",
         "diabetes": "progression"}
HELD_OUT = 0.3


class Table:
    """Columns of numbers or words by name, and the target apart."""

    def __init__(self, columns, target):
        self.columns, self.target = columns, np.asarray(target)

    def classifies(self):
        return self.target.dtype.kind == "U"

    def rows(self, which):
        return Table({name: column[which] for name, column in self.columns.items()}, self.target[which])

    def csv(self):
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([*self.columns, "target"])
        writer.writerows(zip(*[c.tolist() for c in self.columns.values()], self.target.tolist()))
        return out.getvalue().encode()

    def instances(self):
        return [list(row) for row in zip(*[c.tolist() for c in self.columns.values()])]

    def one_hot(self, whole):
        """(rows, inputs) for scikit-learn; the words are those of the whole table."""
        out = []
        for name, column in self.columns.items():
            words = np.unique(whole.columns[name]) if column.dtype.kind == "U" else None
            out += [column] if words is None else [(column == word).astype(float) for word in words]
        return np.array(out, float).T

    def split(self, seed):
        train, test = train_test_split(np.arange(len(self.target)), test_size=HELD_OUT, random_state=seed,
                                       stratify=self.target if self.classifies() else None)
        return self.rows(train), self.rows(test)


def file(name):
    with open(os.path.join(DATA, name + ".csv"), newline="") as lines:
        header, *rows = csv.reader(lines)
    columns = {}
    for title, cells in zip(header, zip(*rows)):
        try:
            columns[title] = np.array(cells, float)
        except ValueError:
            columns[title] = np.array(cells)
    return Table(columns, columns.pop(FILES[name]))


def table(x, y, words=None):
    """y of whole numbers are classes. words: more columns, of whole numbers that become words."""
    columns = {f"x{i}": column for i, column in enumerate(np.round(np.transpose(x), 6))}
    for i, column in enumerate([] if words is None else words):
        columns[f"word{i}"] = np.array([f"w{value}" for value in column])
    return Table(columns, y if y.dtype.kind == "f" else np.array([f"c{value}" for value in y.astype(int)]))


def classes(rows, inputs, informative, **more):
    return lambda seed: table(*datasets.make_classification(rows, inputs, n_informative=informative, n_redundant=0,
                                                            random_state=seed, **more))


def coin(seed, chance):
    return (np.random.RandomState(seed + 1000).rand(len(chance)) < chance).astype(int)


def moons(seed):
    return table(*datasets.make_moons(300, noise=0.25, random_state=seed))


def circles(seed):
    return table(*datasets.make_circles(400, noise=0.15, factor=0.5, random_state=seed))


def noisy_xor(seed):
    """Two inputs of six matter; one label in twenty is wrong."""
    x = np.random.RandomState(seed).randn(400, 6)
    return table(x, (x[:, 0] * x[:, 1] > 0) ^ coin(seed, np.full(400, 0.05)).astype(bool))


def gaussian_rings(seed):
    return table(*datasets.make_gaussian_quantiles(n_samples=600, n_features=4, n_classes=3, random_state=seed))


def hastie(seed):
    x, y = datasets.make_hastie_10_2(2000, random_state=seed)
    return table(x, y > 0)


def blobs(seed):
    return table(*datasets.make_blobs(200, 5, centers=6, cluster_std=3.0, random_state=seed))


def apart(seed):
    """Three classes well apart in 13 inputs that 5 hidden ones are behind."""
    noise = np.random.RandomState(seed)
    y = noise.randint(0, 3, 180)
    hidden = noise.randn(180, 5) + 1.7 * noise.randn(3, 5)[y]
    return table(hidden @ noise.randn(5, 13) + 0.7 * noise.randn(180, 13), y)


def pictures(seed):
    """Ten classes of three prototypes each, 64 grey values."""
    noise = np.random.RandomState(seed)
    prototypes = noise.rand(30, 64) * (noise.rand(30, 64) < 0.5)
    which = noise.randint(0, 30, 1500)
    x = prototypes[which] * noise.uniform(0.6, 1.2, (1500, 1)) + 0.28 * noise.randn(1500, 64)
    return table(np.round(16 * np.clip(x, 0, 1)), which % 10)


def many_words(seed):
    """Three columns of twenty words, each word with an effect of its own."""
    noise = np.random.RandomState(seed)
    words, effects, x = noise.randint(0, 20, (3, 900)), noise.randn(3, 20), noise.randn(900, 2)
    sums = sum(effect[word] for effect, word in zip(effects, words))
    return table(x, sums + x[:, 0] + 0.5 * noise.randn(900) > 0, words)


def contingency(seed):
    """Four classes from two columns of words and nothing else."""
    noise = np.random.RandomState(seed)
    words = np.array([noise.randint(0, 5, 500), noise.randint(0, 2, 500)])
    chances = noise.dirichlet(np.full(4, 1.5), (5, 2))
    return table(np.zeros((500, 0)), np.array([noise.choice(4, p=chances[a, b]) for a, b in words.T]), words)


def few_rows(seed):
    x = np.random.RandomState(seed).randn(40, 4)
    return table(x, x[:, 0] + x[:, 1] + 0.7 * np.random.RandomState(seed + 1).randn(40) > 0)


def chances(seed):
    """A logistic model is the truth."""
    noise = np.random.RandomState(seed)
    x, w = noise.randn(400, 15), 0.5 * noise.randn(15)
    return table(x, coin(seed, 1 / (1 + np.exp(-x @ w))))


def redundant(seed):
    """40 inputs of which 4 hidden ones are the source; much of the answer is chance."""
    noise = np.random.RandomState(seed)
    hidden = noise.randn(250, 4)
    return table(hidden @ noise.randn(4, 40) + 0.3 * noise.randn(250, 40),
                 coin(seed, 1 / (1 + np.exp(-2 * hidden[:, 0] + hidden[:, 1]))))


def only_noise(seed):
    noise = np.random.RandomState(seed)
    return table(noise.randn(250, 10), noise.randint(0, 3, 250))


def friedman(number, rows, noise):
    make = getattr(datasets, f"make_friedman{number}")
    return lambda seed: table(*make(n_samples=rows, noise=noise, random_state=seed))


def sine(seed):
    noise = np.random.RandomState(seed)
    x = noise.uniform(-3, 3, (150, 1))
    return table(x, np.sin(2 * x[:, 0]) + 0.2 * noise.randn(150))


def outliers(seed):
    """A plane with Student's t, 1.5 degrees of freedom, on top."""
    noise = np.random.RandomState(seed)
    x, y = datasets.make_regression(300, 8, n_informative=5, random_state=seed)
    return table(x, y / y.std() + 0.3 * noise.standard_t(1.5, 300))


def wide_plane(seed):
    return table(*datasets.make_regression(120, 200, n_informative=15, noise=20, random_state=seed))


def few_numbers(seed):
    noise = np.random.RandomState(seed)
    x = noise.randn(40, 3)
    return table(x, 2 * x[:, 0] - x[:, 1] + 0.5 * noise.randn(40))


def counts(seed):
    noise = np.random.RandomState(seed)
    x = noise.randn(600, 5)
    rate = np.exp(0.8 + 0.5 * x[:, 0] - 0.4 * x[:, 1] + 0.3 * x[:, 2] * x[:, 3])
    return table(x, noise.poisson(rate).astype(float))


def pairs(seed):
    x = np.random.RandomState(seed).randn(1500, 12)
    y = x[:, 0] * x[:, 1] + np.abs(x[:, 2]) + 0.5 * x[:, 3]
    return table(x, y + 0.5 * np.random.RandomState(seed + 1).randn(1500))


SYNTHETIC = {
    "moons": moons, "circles": circles, "noisy xor": noisy_xor, "gaussian rings": gaussian_rings, "hastie": hastie,
    "blobs": blobs, "apart": apart, "pictures": pictures,
    "20 inputs": classes(500, 20, 6, flip_y=0.03), "300 inputs": classes(1200, 300, 20, class_sep=1.5),
    "90 rows of 500": classes(90, 500, 10, flip_y=0, class_sep=2.0), "one in 20": classes(1000, 10, 5, weights=[0.95]),
    "20 classes": classes(1500, 20, 15, n_classes=20, n_clusters_per_class=1, class_sep=2.0),
    "12,000 rows": classes(12000, 15, 8, n_classes=3, n_clusters_per_class=4, flip_y=0.02),
    "many words": many_words, "contingency": contingency, "40 rows": few_rows, "chances": chances,
    "redundant": redundant, "only noise": only_noise,
    "friedman 1": friedman(1, 700, 1.0), "friedman 1, 200": friedman(1, 200, 1.0), "friedman 2": friedman(2, 400, 100.0),
    "friedman 3": friedman(3, 400, 0.1), "sine": sine, "outliers": outliers, "wide plane": wide_plane,
    "40 rows, number": few_numbers, "counts": counts, "pairs": pairs,
}
