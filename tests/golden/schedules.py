#!/usr/bin/python3
"""Writes schedules.h beside it: the rates of PyTorch's schedulers, in double, over a base rate of 1.

    /usr/bin/python3 tests/golden/schedules.py

A row has the parameters in the catalogue's order, all epochs, and the factor at epoch 0, by_epoch, 2 by_epoch, …
PyTorch's OneCycleLR counts steps and ends one before total_steps, so that its T steps are our T - 1 epochs and its
peak at pct_start T - 1 is our share of them. A warm-up is LinearLR in a SequentialLR, which counts the schedule's
epochs from the warm-up's end as we do; it starts at 1 / warmup, where one step an epoch has its first one.
reduce_on_plateau has a row a run: the monitored losses, and the factor after each.
"""
import math
import os
import warnings

import torch
from torch.optim import lr_scheduler as lr

warnings.filterwarnings("ignore")
EPOCHS = 40
PARAMS_MAX = 16


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=1.0)


def stepped(make, count=EPOCHS + 1):
    """Factors at whole epochs."""
    o = optimizer()
    scheduler, rates = make(o), []
    for _ in range(count):
        rates.append(o.param_groups[0]["lr"])
        o.step()
        scheduler.step()
    return rates


def restarts(first, growth, least, by=0.25):
    o = optimizer()
    scheduler, rates = lr.CosineAnnealingWarmRestarts(o, first, growth, least), []
    for i in range(int(EPOCHS / by)):
        scheduler.step(i * by)
        rates.append(o.param_groups[0]["lr"])
    return rates


def one_cycle(share, start, end, total):
    """end: of the highest rate."""
    return stepped(lambda o: lr.OneCycleLR(o, 1.0, total_steps=total, pct_start=share, div_factor=1 / start,
                                           final_div_factor=start / end, cycle_momentum=False), total - 1)


def warmed(warmup, make):
    return stepped(lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 1 / warmup, 1, warmup - 1), make(o)], [warmup]))


def plateau(losses, factor, patience, min_delta, cooldown, min_factor):
    o = optimizer()
    scheduler = lr.ReduceLROnPlateau(o, factor=factor, patience=patience, threshold=min_delta, threshold_mode="abs",
                                     cooldown=cooldown, min_lr=min_factor, eps=0)
    rates = []
    for loss in losses:
        scheduler.step(loss)
        rates.append(o.param_groups[0]["lr"])
    return rates


def peak(share, total):
    return (share * total - 1) / (total - 1)


ROWS = [  # name, parameters, epochs, by_epoch, factors
    ("step", [0, 7, 0.3], EPOCHS, 1, stepped(lambda o: lr.StepLR(o, 7, 0.3))),
    ("multistep", [0, 0.5, 3, 10, 11, 29], EPOCHS, 1, stepped(lambda o: lr.MultiStepLR(o, [3, 10, 11, 29], 0.5))),
    ("multistep", [0, 0.5, 29, 3, 3], EPOCHS, 1, stepped(lambda o: lr.MultiStepLR(o, [29, 3, 3], 0.5))),
    ("exponential", [0, 0.9], EPOCHS, 1, stepped(lambda o: lr.ExponentialLR(o, 0.9))),
    ("cosine", [0, 7, 1, 0], EPOCHS, 0.25, restarts(7, 1, 0)),
    ("cosine", [0, 3, 2, 0.1], EPOCHS, 0.25, restarts(3, 2, 0.1)),
    ("cosine", [0, 1, 3, 0.01], EPOCHS, 0.25, restarts(1, 3, 0.01)),
    ("cosine", [0, 0, 1, 0.05], EPOCHS, 1, stepped(lambda o: lr.CosineAnnealingLR(o, EPOCHS, 0.05))),
    ("one_cycle", [0, peak(0.3, 50), 0.04, 4e-6], 49, 1, one_cycle(0.3, 0.04, 4e-6, 50)),
    ("one_cycle", [0, peak(0.5, 31), 0.2, 0.01], 30, 1, one_cycle(0.5, 0.2, 0.01, 31)),
    ("polynomial", [0, 0.9, 0], EPOCHS, 1, stepped(lambda o: lr.PolynomialLR(o, EPOCHS, 0.9))),
    ("polynomial", [0, 2, 0], EPOCHS, 1, stepped(lambda o: lr.PolynomialLR(o, EPOCHS, 2))),
    ("step", [5, 7, 0.3], EPOCHS, 1, warmed(5, lambda o: lr.StepLR(o, 7, 0.3))),
    ("exponential", [8, 0.9], EPOCHS, 1, warmed(8, lambda o: lr.ExponentialLR(o, 0.9))),
    ("cosine", [5, 0, 1, 0.05], EPOCHS, 1, warmed(5, lambda o: lr.CosineAnnealingLR(o, EPOCHS - 5, 0.05))),
]
WAVES = [1 / (1 + i) + 0.2 * math.sin(i) for i in range(60)]
FLAT = [1.0, 0.9, 0.9, 0.95, 0.9, 0.8] + [0.8] * 30
PLATEAUS = [  # parameters, losses
    ([0, 0.5, 3, 1e-4, 0, 0], WAVES),
    ([0, 0.1, 2, 0.05, 4, 1e-3], WAVES),
    ([0, 0.7, 0, 0, 1, 0.2], FLAT),
    ([0, 0.2, 5, 0, 2, 0], FLAT),
]


def numbers(values, fill=None):
    values = [repr(float(v)) for v in values]
    if fill is not None:
        values += [fill] * (PARAMS_MAX - len(values))
    return "{ " + ", ".join(values) + " }"


def written():
    yield f"/* schedules.h - written by schedules.py with PyTorch {torch.__version__}, which says what it is. */"
    yield "#ifndef TESTS_GOLDEN_SCHEDULES_H\n#define TESTS_GOLDEN_SCHEDULES_H\n"
    yield '#include <math.h>\n\n#include "core/param.h"\n\n/* clang-format off */'
    most = max(len(row[-1]) for row in ROWS)
    yield "static const struct golden {\n\tconst char *name;\n\tdouble params[PARAMS_MAX];\n\tdouble epochs, by_epoch;"
    yield f"\tsize_t count;\n\tdouble factors[{most}];\n}} goldens[] = {{"
    for name, params, epochs, by, factors in ROWS:
        yield f'\t{{ "{name}", {numbers(params, "NAN" if name == "multistep" else "0")}, {epochs}, {by}, {len(factors)},'
        yield f"\t\t{numbers(factors)} }},"
    yield "};\n"
    most = max(len(losses) for _, losses in PLATEAUS)
    yield "static const struct plateau {\n\tdouble params[PARAMS_MAX];\n\tsize_t count;"
    yield f"\tdouble losses[{most}], factors[{most}];\n}} plateaus[] = {{"
    for params, losses in PLATEAUS:
        yield f'\t{{ {numbers(params, "0")}, {len(losses)},'
        yield f"\t\t{numbers(losses)},\n\t\t{numbers(plateau(losses, *params[1:]))} }},"
    yield "};\n/* clang-format on */\n\n#endif"


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schedules.h"), "w", encoding="utf-8") as out:
        out.write("\n".join(written()) + "\n")
