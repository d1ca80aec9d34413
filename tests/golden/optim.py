"""Writes optim.h beside it: where each optimizer takes six weights in 100 steps, in double.

    /usr/bin/python3 tests/golden/optim.py

The gradient is that of a quadratic with waves, f(w) = sum_i a_i (w_i - c_i)^2 / 2 + cos(w_i w_i+1) / 2, the index
taken round. The weights come from PyTorch where it has the algorithm. lion is written from its paper, and so is
nadam: up to 1.13 PyTorch multiplies the momentum of a step into the next product twice. Each optimizer has a row with
its defaults and one with other parameters.
"""
import math
import os

import numpy
import torch

STEPS = 100
CURVATURE = [0.5, 1.0, 2.0, 0.1, 3.0, 1.5]
CENTRE = [1.0, -2.0, 0.5, 3.0, -0.25, 0.0]
START = [0.3, -0.7, 1.1, -1.3, 0.9, 2.0]


def gradient(w):
    """Of f, shape (6,)."""
    after, before = numpy.roll(w, -1), numpy.roll(w, 1)
    return (numpy.array(CURVATURE) * (w - numpy.array(CENTRE))
            - 0.5 * numpy.sin(w * after) * after - 0.5 * numpy.sin(before * w) * before)


def by_torch(kind, **fixed):
    def run(**parameters):
        w = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
        said = {{"learning_rate": "lr", "epsilon": "eps"}.get(k, k): v for k, v in parameters.items()}
        if "beta_1" in said:
            said["betas"] = said.pop("beta_1"), said.pop("beta_2")
        optimizer = kind([w], **said, **fixed)
        for _ in range(STEPS):
            w.grad = torch.from_numpy(gradient(w.detach().numpy()))
            optimizer.step()
        return w.detach().numpy()
    return run


def lion(learning_rate, beta_1, beta_2, weight_decay):
    """Algorithm 2 of Chen et al. 2023."""
    w, m = numpy.array(START), numpy.zeros(len(START))
    for _ in range(STEPS):
        g = gradient(w)
        update = numpy.sign(beta_1 * m + (1 - beta_1) * g)
        w = w - learning_rate * (update + weight_decay * w)
        m = beta_2 * m + (1 - beta_2) * g
    return w


def nadam(learning_rate, beta_1, beta_2, epsilon, momentum_decay):
    """Dozat 2016, algorithm 2 with the schedule of its section 4."""
    w, m, v = numpy.array(START), numpy.zeros(len(START)), numpy.zeros(len(START))
    mu = [beta_1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in range(STEPS + 2)]
    for t in range(1, STEPS + 1):
        g = gradient(w)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        m_bar = (mu[t + 1] * m / (1 - math.prod(mu[1:t + 2])) + (1 - mu[t]) * g / (1 - math.prod(mu[1:t + 1])))
        w = w - learning_rate * m_bar / (numpy.sqrt(v / (1 - beta_2 ** t)) + epsilon)
    return w


def adaptive(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8, **more):
    return dict(learning_rate=rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **more)


OTHERS = adaptive(0.02, 0.7, 0.98, 1e-2)  # larger rates double the last bit at every step near the minimum
ROWS = [  # name, what runs it, the defaults and other parameters in the order of the catalogue
    ("sgd", by_torch(torch.optim.SGD), dict(learning_rate=0.01), dict(learning_rate=0.1)),
    ("momentum", by_torch(torch.optim.SGD), dict(learning_rate=0.01, momentum=0.9),
     dict(learning_rate=0.05, momentum=0.5)),
    ("nesterov", by_torch(torch.optim.SGD, nesterov=True), dict(learning_rate=0.01, momentum=0.9),
     dict(learning_rate=0.05, momentum=0.5)),
    ("lion", lion, dict(learning_rate=1e-4, beta_1=0.9, beta_2=0.99, weight_decay=0),
     dict(learning_rate=0.03, beta_1=0.7, beta_2=0.95, weight_decay=0.1)),
    ("adagrad", by_torch(torch.optim.Adagrad), dict(learning_rate=0.01, epsilon=1e-10),
     dict(learning_rate=0.3, epsilon=1e-2)),
    ("adadelta", by_torch(torch.optim.Adadelta), dict(learning_rate=1, rho=0.9, epsilon=1e-6),
     dict(learning_rate=2.5, rho=0.6, epsilon=1e-3)),
    ("rmsprop", by_torch(torch.optim.RMSprop), dict(learning_rate=0.01, alpha=0.99, epsilon=1e-8),
     dict(learning_rate=0.03, alpha=0.8, epsilon=1e-2)),
    ("adam", by_torch(torch.optim.Adam), adaptive(0.001), OTHERS),
    ("adamw", by_torch(torch.optim.AdamW), adaptive(0.001, weight_decay=0.01), {**OTHERS, "weight_decay": 0.3}),
    ("amsgrad", by_torch(torch.optim.Adam, amsgrad=True), adaptive(0.001), OTHERS),
    ("adamax", by_torch(torch.optim.Adamax), adaptive(0.002), OTHERS),
    ("nadam", nadam, adaptive(0.002, momentum_decay=0.004), {**OTHERS, "momentum_decay": 0.5}),
    ("radam", by_torch(torch.optim.RAdam), adaptive(0.001), OTHERS),
]


def numbers(values):
    return "{ " + ", ".join(repr(float(v)) for v in values) + " }"


def written():
    yield "/* optim.h - written by tests/golden/optim.py, which says what it is. */"
    yield "#ifndef TESTS_GOLDEN_OPTIM_H\n#define TESTS_GOLDEN_OPTIM_H\n"
    yield f'#include "core/param.h"\n\n#define GOLDEN_STEPS   {STEPS}\n#define GOLDEN_WEIGHTS {len(START)}\n'
    yield "/* clang-format off */"
    for name, values in (("curvature", CURVATURE), ("centre", CENTRE), ("start", START)):
        yield f"static const double golden_{name}[GOLDEN_WEIGHTS] = {numbers(values)};"
    yield "\nstatic const struct golden {\n\tconst char *name;\n\tbool standard; /* the parameters are the defaults */"
    yield "\tdouble params[PARAMS_MAX], weights[GOLDEN_WEIGHTS];\n} goldens[] = {"
    for name, run, *sets in ROWS:
        for standard, parameters in zip(("true", "false"), sets):
            yield f'\t{{ "{name}", {standard}, {numbers(parameters.values())},'
            yield f"\t\t{numbers(run(**parameters))} }},"
    yield "};\n/* clang-format on */\n\n#endif"


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "optim.h"), "w", encoding="utf-8") as out:
        out.write("\n".join(written()) + "\n")
