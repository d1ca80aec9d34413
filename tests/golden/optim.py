"""Writes optim.h beside it: where each optimizer takes six weights in 100 steps or a few iterations, in double.

    /usr/bin/python3 tests/golden/optim.py

The gradient is that of a quadratic with waves, f(w) = sum_i a_i (w_i - c_i)^2 / 2 + cos(w_i w_i+1) / 2, the index
taken round. The weights come from PyTorch where it has the algorithm. lion is written from its paper, and so is
nadam: up to 1.13 PyTorch multiplies the momentum of a step into the next product twice. The full-batch optimizers are
written from their papers and from Nocedal and Wright's book: PyTorch's Rprop takes no step back, and its search along a
line is another one. Each optimizer has a row with its defaults and one with other parameters; the full-batch ones also
start on Rosenbrock's function, and their rows say how often they looked at it.
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
    def run(gradient=gradient, start=START, **parameters):
        w = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
        said = {{"learning_rate": "lr", "epsilon": "eps"}.get(k, k): v for k, v in parameters.items()}
        if "beta_1" in said:
            said["betas"] = said.pop("beta_1"), said.pop("beta_2")
        optimizer = kind([w], **said, **fixed)
        for _ in range(STEPS):
            w.grad = torch.from_numpy(gradient(w.detach().numpy()))
            optimizer.step()
        return w.detach().numpy()
    return run


def lion(learning_rate, beta_1, beta_2, weight_decay, gradient=gradient, start=START):
    """Algorithm 2 of Chen et al. 2023."""
    w, m = numpy.array(start), numpy.zeros(len(start))
    for _ in range(STEPS):
        g = gradient(w)
        update = numpy.sign(beta_1 * m + (1 - beta_1) * g)
        w = w - learning_rate * (update + weight_decay * w)
        m = beta_2 * m + (1 - beta_2) * g
    return w


def nadam(learning_rate, beta_1, beta_2, epsilon, momentum_decay, gradient=gradient, start=START):
    """Dozat 2016, algorithm 2 with the schedule of its section 4."""
    w, m, v = numpy.array(start), numpy.zeros(len(start)), numpy.zeros(len(start))
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


def wavy(w):
    """What gradient() is the gradient of."""
    return float(numpy.sum(numpy.array(CURVATURE) * (w - numpy.array(CENTRE)) ** 2) / 2
                 + numpy.sum(numpy.cos(w * numpy.roll(w, -1))) / 2)


def rosenbrock(w):
    return float(numpy.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2))


def rosenbrock_gradient(w):
    g = numpy.zeros(len(w))
    g[:-1] += -400 * w[:-1] * (w[1:] - w[:-1] ** 2) - 2 * (1 - w[:-1])
    g[1:] += 200 * (w[1:] - w[:-1] ** 2)
    return g


class Counted:
    """A function with its gradient, and how often it was looked at."""

    def __init__(self, f, g):
        self.f, self.g, self.looks = f, g, 0

    def __call__(self, w):
        self.looks += 1
        return self.f(w), self.g(w)


def iterations_of_rprop(look, steps, learning_rate, eta_plus, eta_minus, step_max, step_min):
    """iRprop+ of Igel and Huesken 2003: table 1, weight by weight."""
    w = numpy.array(START)
    size, last, moved, risen_from = [learning_rate] * len(w), [0.0] * len(w), [0.0] * len(w), math.inf
    for _ in range(steps):
        loss, g = look(w)
        for i in range(len(w)):
            slope = g[i]
            if slope * last[i] > 0:
                size[i] = min(size[i] * eta_plus, step_max)
            if slope * last[i] < 0:
                size[i] = max(size[i] * eta_minus, step_min)
                if loss > risen_from:
                    w[i] -= moved[i]
                slope = 0.0
            else:
                moved[i] = -numpy.sign(slope) * size[i]
                w[i] += moved[i]
            last[i] = slope
        risen_from = loss
    return w


def cubic(a, fa, da, b, fb, db):
    """Nocedal, Wright, equation 3.59; none where the cubic has no minimum."""
    d1 = da + db - 3 * (fa - fb) / (a - b)
    square = d1 * d1 - da * db
    if square < 0:
        return None
    d2 = math.sqrt(square) * (1 if b > a else -1)
    return b - (b - a) * (db + d2 - d1) / (db - da + 2 * d2)


def wolfe(look, w, f, g, d, trial, c1, c2):
    """Nocedal, Wright, algorithms 3.5 and 3.6; for functions on which they need neither their bounds nor luck."""
    slope = g @ d

    def phi(a):
        value, gradient_there = look(w + a * d)
        return a, value, gradient_there @ d, gradient_there

    def zoom(low, high):
        while True:
            share = (cubic(*low[:3], *high[:3]) - low[0]) / (high[0] - low[0])
            now = phi(low[0] + min(max(share, 0.1), 0.9) * (high[0] - low[0]))
            if now[1] > f + c1 * now[0] * slope or now[1] >= low[1]:
                high = now
            elif abs(now[2]) <= -c2 * slope:
                return now
            else:
                if now[2] * (high[0] - low[0]) >= 0:
                    high = low
                low = now

    before, now = (0.0, f, slope, g), phi(trial)
    while True:
        if now[1] > f + c1 * now[0] * slope or (before[0] > 0 and now[1] >= before[1]):
            return zoom(before, now)
        if abs(now[2]) <= -c2 * slope:
            return now
        if now[2] >= 0:
            return zoom(now, before)
        minimum = cubic(*before[:3], *now[:3])
        if minimum is None or minimum <= now[0]:
            minimum = 10 * now[0]
        before, now = now, phi(min(max(minimum, 1.1 * now[0]), 10 * now[0]))


def iterations_of_lbfgs(look, steps, learning_rate, history, c_1, c_2, max_evaluations):
    """Nocedal, Wright, algorithms 7.4 and 7.5: the inverse Hessian of equation 7.19, recursively."""
    def times_inverse(v, pairs):
        if not pairs:
            return v * gamma
        s, y = pairs[-1]
        rho = 1 / (y @ s)
        inner = times_inverse(v - rho * (s @ v) * y, pairs[:-1])
        return inner - rho * (y @ inner) * s + rho * (s @ v) * s

    w, pairs = numpy.array(START), []
    f, g = look(w)
    for _ in range(steps):
        trial, gamma = learning_rate / math.sqrt(g @ g), 1.0
        if pairs:
            trial, gamma = learning_rate, (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
        d = -times_inverse(g, pairs)
        length, f, _, there = wolfe(look, w, f, g, d, trial, c_1, c_2)
        pairs = (pairs + [(length * d, there - g)])[-history:]
        w, g = w + length * d, there
    return w


def iterations_of_cg(look, steps, learning_rate, c_1, c_2, max_evaluations):
    """Nocedal, Wright, algorithm 5.4 with equations 5.45 and 5.52."""
    w = numpy.array(START)
    f, g = look(w)
    d, trial = -g, learning_rate / math.sqrt(g @ g)
    for _ in range(steps):
        slope = g @ d
        length, f, _, there = wolfe(look, w, f, g, d, trial, c_1, c_2)
        beta = max(0, there @ (there - g) / (g @ g))
        if abs(there @ g) >= 0.1 * (there @ there):
            beta = 0
        w, g, d = w + length * d, there, beta * d - there
        trial = length * min(slope / (g @ d), 10)
        assert g @ d < 0
    return w


RPROP = dict(learning_rate=0.0125, eta_plus=1.2, eta_minus=0.5, step_max=50, step_min=1e-6)
LBFGS = dict(learning_rate=1, history=10, c_1=1e-4, c_2=0.9, max_evaluations=25)
CG = dict(learning_rate=1, c_1=1e-4, c_2=0.1, max_evaluations=25)
SEARCHES = [  # name, what runs it, iterations, the defaults and other parameters in the order of the catalogue
    ("rprop", iterations_of_rprop, 100, RPROP,
     dict(learning_rate=0.5, eta_plus=1.1, eta_minus=0.7, step_max=0.6, step_min=1e-3)),
    ("lbfgs", iterations_of_lbfgs, 8, LBFGS,
     dict(learning_rate=0.25, history=3, c_1=1e-2, c_2=0.2, max_evaluations=100)),
    ("conjugate_gradient", iterations_of_cg, 12, CG,
     dict(learning_rate=0.1, c_1=1e-2, c_2=0.4, max_evaluations=100)),
]


def searches():
    for name, run, steps, *sets in SEARCHES:
        for function, look in (("wavy", (wavy, gradient)), ("rosenbrock", (rosenbrock, rosenbrock_gradient))):
            for standard, parameters in zip(("true", "false"), sets):
                counted = Counted(*look)
                w = run(counted, steps, **parameters)
                yield (f'\t{{ "{name}", "{function}", {standard}, {steps}, {counted.looks}, '
                       f"{numbers(parameters.values())},")
                yield f"\t\t{numbers(w)} }},"


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
    yield "};\n\nstatic const struct golden_search {\n\tconst char *name, *function;\n\tbool standard;"
    yield "\tunsigned iterations, looks;\n\tdouble params[PARAMS_MAX], weights[GOLDEN_WEIGHTS];"
    yield "} golden_searches[] = {"
    yield from searches()
    yield "};\n/* clang-format on */\n\n#endif"


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "optim.h"), "w", encoding="utf-8") as out:
        out.write("\n".join(written()) + "\n")
