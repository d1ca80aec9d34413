#!/usr/bin/python3
"""Writes metrics.h, which tests/unit/core_metrics_golden.c includes: what scikit-learn makes of scores and of numbers.

    /usr/bin/python3 tests/golden/metrics.py

Scores are float32, as a network's are, and go to scikit-learn as doubles of the same value. Two rules are ours and are
stated here in NumPy: of equal scores the first class counts, and mape leaves out targets of 0. A golden of NaN is one
that is not defined.
"""
import math
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn import metrics as sk

warnings.simplefilter("ignore")
RNG = np.random.default_rng(11)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def drawn(rows, classes, sharpness=2.0, shares=None):
    """True classes, and weighted inputs that tell something about them."""
    truth = RNG.choice(classes, rows, p=shares)
    return truth, RNG.normal(size=(rows, classes)) + sharpness * np.eye(classes)[truth] * RNG.uniform(size=(rows, 1))


def classifications():
    """name, scores, truth, k, whether the scores are probabilities"""
    truth, z = drawn(40, 2)
    yield "two classes", softmax(z), truth, 1, True
    yield "two classes, many ties", np.round(softmax(z) * 8) / 8, truth, 2, True
    truth, z = drawn(60, 3)
    yield "three classes", softmax(z), truth, 2, True
    yield "three classes, ties", np.round(softmax(z) * 4) / 4, truth, 2, True
    yield "sigmoids, which do not sum to 1", 1 / (1 + np.exp(-z)), truth, 2, True
    yield "margins", z, truth, 2, False
    yield "margins cut to whole numbers", np.round(z), truth, 1, False
    truth, z = drawn(70, 6, shares=[0.4, 0.3, 0.2, 0.1, 0, 0])
    z[:, 3] -= 10
    z[:, 5] -= 10
    yield "six classes, of which two have no row and two are never predicted", softmax(z), truth, 3, True
    truth, z = drawn(12, 3, 40)
    yield "sure of it, and wrong once", softmax(np.vstack([z, [[200, 0, 0]]])), np.append(truth, 2), 2, True
    truth, z = drawn(9, 2, shares=[1, 0])
    yield "one class alone", softmax(z), truth, 1, True


def or_nan(defined, value):
    return float(value()) if defined else math.nan


def top_k(scores, truth, k):
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    share = (order == truth[:, None]).any(1).mean()
    if scores.shape[1] > 2 and all(len(set(row)) == len(row) for row in scores):
        assert share == sk.top_k_accuracy_score(truth, scores, k=k, labels=range(scores.shape[1]))
    return share


def one_class(scores, truth, said, k):
    own, predicted = truth == k, said == k
    both = own.any() and not own.all()
    return [or_nan(predicted.any(), lambda: sk.precision_score(own, predicted)),
            or_nan(own.any(), lambda: sk.recall_score(own, predicted)),
            or_nan(own.any() or predicted.any(), lambda: sk.f1_score(own, predicted)),
            or_nan(both, lambda: sk.roc_auc_score(own, scores[:, k])),
            or_nan(both, lambda: sk.average_precision_score(own, scores[:, k]))]


def mean(values):
    values = [v for v in values if not math.isnan(v)]
    return sum(values) / len(values) if values else math.nan


def classification(scores, truth, k, probabilities):
    scores = scores.astype(np.float32).astype(np.float64)
    classes, said = scores.shape[1], scores.argmax(1)
    of_classes = [one_class(scores, truth, said, c) for c in range(classes)]
    overall = [sk.accuracy_score(truth, said), top_k(scores, truth, k)]
    for average in ("macro", "micro"):
        overall += [f(truth, said, average=average) for f in (sk.precision_score, sk.recall_score, sk.f1_score)]
    roc, pr = (mean([c[i] for c in of_classes]) for i in (3, 4))
    if all(not math.isnan(c[3]) for c in of_classes):
        hot = np.eye(classes)[truth]
        assert math.isclose(roc, sk.roc_auc_score(hot, scores, average="macro"), rel_tol=1e-14)
        assert math.isclose(pr, sk.average_precision_score(hot, scores, average="macro"), rel_tol=1e-14)
        if classes > 2 and np.allclose(scores.sum(1), 1, atol=1e-8):
            assert math.isclose(roc, sk.roc_auc_score(truth, scores, multi_class="ovr"), rel_tol=1e-14)
    loss = or_nan(probabilities, lambda: sk.log_loss(truth, scores, labels=range(classes)))
    matthews = or_nan(len(set(truth)) > 1 and len(set(said)) > 1, lambda: sk.matthews_corrcoef(truth, said))
    return overall + [roc, pr, loss, matthews], of_classes, sk.confusion_matrix(truth, said, labels=range(classes))


def regressions():
    """name, predictions (rows, outputs), targets (rows, outputs)"""
    y = RNG.normal(size=(30, 1)) * 3 + 7
    yield "one number", y + RNG.normal(size=y.shape), y
    y = RNG.normal(size=(25, 3)) * [1, 100, 0.01] + [1e4, 0, -5]
    yield "three numbers of different size", y + RNG.normal(size=y.shape) * [1, 30, 0.02] + [0.5, 0, 0], y
    y = np.round(RNG.normal(size=(20, 1)))
    yield "targets of 0", y + RNG.normal(size=y.shape) + 2, y
    yield "a bias far above the spread", y + 1e6 + RNG.normal(size=y.shape) * 1e-3, y
    yield "a constant target", RNG.normal(size=(10, 1)), np.full((10, 1), 4.0)


def one_number(a, y):
    there = y != 0
    varies = len(set(y)) > 1
    mse = sk.mean_squared_error(y, a)
    return [mse, math.sqrt(mse), sk.mean_absolute_error(y, a),
            or_nan(there.any(), lambda: sk.mean_absolute_percentage_error(y[there], a[there])),
            or_nan(varies, lambda: sk.r2_score(y, a)), or_nan(varies, lambda: sk.explained_variance_score(y, a))]


def regression(a, y):
    each = np.array([one_number(a[:, j], y[:, j]) for j in range(y.shape[1])])
    together = each.mean(0)
    assert math.isclose(together[0], sk.mean_squared_error(y, a)) and math.isclose(together[2],
                                                                                  sk.mean_absolute_error(y, a))
    together[1] = math.sqrt(together[0])
    return together


def listed(values, suffix=""):
    return "{ " + ", ".join("NAN" if math.isnan(v) else f"{v!r}{suffix}" for v in values) + " }"


def reals(array):
    return listed((float(str(v)) for v in array.astype(np.float32).flatten()), "f")


def doubles(array):
    return listed(float(v) for v in np.asarray(array).flatten())


def whole(array):
    return "{ " + ", ".join(str(int(v)) for v in np.asarray(array).flatten()) + " }"


OVERALL = ["accuracy", "top_k", "precision macro", "recall macro", "f1 macro", "precision micro", "recall micro",
           "f1 micro", "roc_auc", "pr_auc", "log_loss", "matthews"]


def written():
    yield f"/* metrics.h - written by tests/golden/metrics.py with scikit-learn {sklearn.__version__}. */"
    yield "#ifndef TESTS_GOLDEN_METRICS_H\n#define TESTS_GOLDEN_METRICS_H\n"
    yield "#include <math.h>\n#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n/* clang-format off */"
    yield f"#define GOLDEN_OVERALL {len(OVERALL)} /* {', '.join(OVERALL)} */"
    yield "#define GOLDEN_OF_CLASS 5 /* precision, recall, f1, roc_auc, pr_auc */"
    yield "#define GOLDEN_OF_NUMBERS 6 /* mse, rmse, mae, mape, r2, explained_variance */\n"
    rows = []
    for i, (name, scores, truth, k, probabilities) in enumerate(classifications()):
        overall, of_classes, counts = classification(scores, truth, k, probabilities)
        yield f"static const float scores_{i}[] = {reals(scores)};"
        yield f"static const uint32_t truth_{i}[] = {whole(truth)};"
        yield f"static const double of_classes_{i}[] = {doubles(of_classes)};"
        yield f"static const uint64_t counts_{i}[] = {whole(counts)};"
        rows.append(f'\t{{ "{name}", {len(truth)}, {scores.shape[1]}, {k}, {str(probabilities).lower()}, scores_{i}, '
                    f"truth_{i},\n\t\t{listed(map(float, overall))}, of_classes_{i}, counts_{i} }},")
    yield "\nstatic const struct golden_classes {\n\tconst char *name;\n\tsize_t rows, classes, k;\n\tbool probabilities;"
    yield "\tconst float *scores; /* (rows, classes) */\n\tconst uint32_t *truth;\n\tdouble overall[GOLDEN_OVERALL];"
    yield "\tconst double *of_classes; /* (classes, GOLDEN_OF_CLASS) */\n\tconst uint64_t *counts; /* (classes, classes) */"
    yield "} golden_classes[] = {\n" + "\n".join(rows) + "\n};\n"
    rows = []
    for i, (name, a, y) in enumerate(regressions()):
        yield f"static const double predictions_{i}[] = {doubles(a)};"
        yield f"static const double targets_{i}[] = {doubles(y)};"
        rows.append(f'\t{{ "{name}", {len(y)}, {y.shape[1]}, predictions_{i}, targets_{i},\n'
                    f"\t\t{doubles(regression(a, y))} }},")
    yield "\nstatic const struct golden_numbers {\n\tconst char *name;\n\tsize_t rows, outputs;"
    yield "\tconst double *predictions, *targets; /* (rows, outputs) */\n\tdouble together[GOLDEN_OF_NUMBERS];"
    yield "} golden_numbers[] = {\n" + "\n".join(rows) + "\n};\n/* clang-format on */\n\n#endif"


if __name__ == "__main__":
    (pathlib.Path(__file__).parent / "metrics.h").write_text("\n".join(written()) + "\n")
