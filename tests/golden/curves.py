#!/usr/bin/python3
"""Writes curves.h, which tests/unit/core_metrics_curve.c includes: ROC and precision-recall curves and reliability bins of
scikit-learn, quantiles of NumPy.

    /usr/bin/python3 tests/golden/curves.py

Scores are float32 and go to both as doubles of the same value. scikit-learn's curves have every threshold; the point
(1, 0) that it adds to the end of precision and recall is left out, and the order is ours: thresholds go down.
"""
import pathlib

import numpy as np
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

RNG = np.random.default_rng(23)
BINS = 15
SHARES = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]


def single(array):
    return np.asarray(array).astype(np.float32).astype(np.float64)


def rankings():
    """name, scores, truth (0 or 1)"""
    truth = RNG.integers(0, 2, 60)
    yield "no ties", single(RNG.normal(size=60) + truth), truth
    yield "many ties", single(np.round(RNG.normal(size=90) * 3 + np.tile(truth, 2)[:90])), np.tile(truth, 2)[:90]
    truth = (RNG.uniform(size=150) < 0.07).astype(int)
    yield "few of the class, probabilities", single(1 / (1 + np.exp(-RNG.normal(size=150) - 2 * truth + 3))), truth
    yield "all wrong", single([0.1, 0.2, 0.7, 0.9]), np.array([1, 1, 0, 0])


def curves(scores, truth):
    fpr, tpr, roc_at = roc_curve(truth, scores, drop_intermediate=False)
    precision, recall, pr_at = precision_recall_curve(truth, scores)
    keep = len(pr_at)  # of some releases: those with a recall of 1 and less precision are cut off at the front
    pr = list(zip(pr_at, recall[:keep], precision[:keep]))[::-1]
    own = truth.sum()
    below = [t for t in sorted(set(scores), reverse=True) if t < pr[-1][0]]
    pr += [(t, (truth[scores >= t].sum()) / own, truth[scores >= t].mean()) for t in below]
    return list(zip(roc_at[1:], fpr[1:], tpr[1:])), pr


def calibrations():
    """name, confidences, whether each was right"""
    sure = single(RNG.uniform(0.34, 1, 200))
    yield "well calibrated", sure, RNG.uniform(size=200) < sure
    yield "too sure", sure, RNG.uniform(size=200) < 0.4
    yield "on the borders of bins", single(np.repeat([1 / 15, 0.2, 0.4, 1.0, 0.0], 6)), RNG.uniform(size=30) < 0.5


def calibration(confidence, right):
    """Expected calibration error by its definition; the bins are scikit-learn's."""
    accuracy, mean = calibration_curve(right, confidence, n_bins=BINS, strategy="uniform")
    place = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    count = np.bincount(place, minlength=BINS)
    assert len(accuracy) == (count > 0).sum()
    full = np.zeros((BINS, 3))
    full[count > 0] = np.column_stack([count[count > 0], accuracy, mean])
    return (full[:, 0] / len(right) * abs(full[:, 1] - full[:, 2])).sum(), full


def numbers():
    yield "one", [3.5]
    yield "two", [3.5, -1]
    yield "many", RNG.normal(size=101) * 7 + 2
    yield "ties", np.round(RNG.normal(size=240))
    yield "no round place", RNG.uniform(size=37)


def doubles(values):
    return "{ " + ", ".join(repr(float(v)) for v in np.asarray(values).flatten()) + " }"


def reals(values):
    return "{ " + ", ".join(f"{float(str(np.float32(v)))!r}f" for v in values) + " }"


def whole(values):
    return "{ " + ", ".join(str(int(v)) for v in values) + " }"


def written():
    yield f"/* curves.h - written by tests/golden/curves.py with scikit-learn {sklearn.__version__} and NumPy {np.__version__}. */"
    yield "#ifndef TESTS_GOLDEN_CURVES_H\n#define TESTS_GOLDEN_CURVES_H\n"
    yield "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n/* clang-format off */"
    rows = []
    for i, (name, scores, truth) in enumerate(rankings()):
        roc, pr = curves(scores, truth)
        yield f"static const float curve_scores_{i}[] = {reals(scores)};"
        yield f"static const uint32_t curve_truth_{i}[] = {whole(truth)};"
        yield f"static const double curve_roc_{i}[] = {doubles(roc)};\nstatic const double curve_pr_{i}[] = {doubles(pr)};"
        rows.append(f'\t{{ "{name}", {len(truth)}, {len(roc)}, {len(pr)}, curve_scores_{i}, curve_truth_{i}, curve_roc_{i}, curve_pr_{i} }},')
    yield "\nstatic const struct golden_curves {\n\tconst char *name;\n\tsize_t rows, roc_points, pr_points;\n\tconst float *scores; /* of the class */"
    yield "\tconst uint32_t *truth;\n\tconst double *roc, *pr; /* (points, 3): threshold, x, y */"
    yield "} golden_curves[] = {\n" + "\n".join(rows) + "\n};\n"
    rows = []
    for i, (name, confidence, right) in enumerate(calibrations()):
        error, bins = calibration(confidence, right)
        yield f"static const float confidence_{i}[] = {reals(confidence)};\nstatic const bool right_{i}[] = {whole(right)};"
        yield f"static const double bins_{i}[] = {doubles(bins)};"
        rows.append(f'\t{{ "{name}", {len(right)}, confidence_{i}, right_{i}, {float(error)!r}, bins_{i} }},')
    yield "\nstatic const struct golden_calibration {\n\tconst char *name;\n\tsize_t rows;\n\tconst float *confidence;\n\tconst bool *right;"
    yield f"\tdouble error;\n\tconst double *bins; /* ({BINS}, 3): rows, share of right ones, mean confidence */"
    yield "} golden_calibration[] = {\n" + "\n".join(rows) + "\n};\n"
    yield f"static const double golden_shares[] = {doubles(SHARES)};"
    rows = []
    for i, (name, values) in enumerate(numbers()):
        values = single(values)
        yield f"static const float numbers_{i}[] = {reals(values)};\nstatic const double quantiles_{i}[] = {doubles(np.quantile(values, SHARES))};"
        rows.append(f'\t{{ "{name}", {len(values)}, numbers_{i}, quantiles_{i} }},')
    yield "\nstatic const struct golden_quantiles {\n\tconst char *name;\n\tsize_t count;\n\tconst float *numbers;\n\tconst double *quantiles;"
    yield "} golden_quantiles[] = {\n" + "\n".join(rows) + "\n};\n/* clang-format on */\n\n#endif"


if __name__ == "__main__":
    (pathlib.Path(__file__).parent / "curves.h").write_text("\n".join(written()) + "\n")
