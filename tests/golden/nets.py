#!/usr/bin/python3
"""Writes nets.h beside it: where PyTorch and scikit-learn take small networks in 100 steps, in double.

    /usr/bin/python3 tests/golden/nets.py

tests/unit/f64_nets.c trains the same from the same numbers. Neither side stores what it starts with: both draw it from
one sequence, s <- 1664525 s + 1013904223 mod 2^32 from s = 1 (Press et al.: Numerical recipes in C, 1992, section 7.1),
of which a number is s / 2^31 - 1, in [-1, 1). In this order:

1. the trained numbers of each layer: weights (inputs, columns), biases, scale, shift, slopes. A weight is a number, a
   bias and a shift half of one, a scale 1 + half of one, a slope 1/4 + an eighth of one. Then weight (i, c) of a masked
   layer is 0 where i + 2 c is a multiple of 3;
2. x, ROWS rows of INPUTS numbers;
3. y, row by row and head by head, as TARGETS says;
4. the weights of cells, where a network has them, row by row: number + 1, and 0 for numbers below -1/2.

Step t, from 0, sees the BATCH rows from BATCH * (t mod (ROWS / BATCH)) on.

PyTorch's part is its own functions and autograd where it has the function, else the formula. hard_sigmoid is written
out, as the derivative of F.hardsigmoid is rounded to float, and so is max-norm, as torch.renorm adds 1e-7 to a norm.
The optimizers are those of optim.py, of which lion and nadam come from their papers. scikit-learn minimizes half the
squared error and sums a loss over outputs, which is a weight of the objective here, and divides its penalty by the rows
of a batch. Its adam adds epsilon before the second correction, so that only a tiny one is the same in both.
"""
import pathlib
import warnings

import numpy
import sklearn
import torch
import torch.nn.functional as F
from sklearn.neural_network import MLPClassifier, MLPRegressor

import optim

INPUTS, BATCH, ROWS = 3, 8, 32
MOVED = 1e-3  # the least that some number of a network moves
SHIFT, GROWTH = 1e-12, 1e3  # a start moved by SHIFT ends within SHIFT * GROWTH: else rounding would decide
torch.set_default_dtype(torch.float64)
warnings.simplefilter("ignore")  # scikit-learn's about a single pass over one batch


class Sequence:
    def __init__(self):
        self.state = 1

    def __call__(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return self.state / 2**31 - 1


def shares(draw, units):
    parts = [draw() + 1.25 for _ in range(units)]
    return [part / sum(parts) for part in parts]


def one_hot(draw, units):
    chosen = int((draw() + 1) / 2 * units)
    return [float(u == chosen) for u in range(units)]


TARGETS = {  # one row of one head
    "NUMBERS": lambda draw, units: [2 * draw() for _ in range(units)],
    "COUNTS": lambda draw, units: [float(int(2 * (draw() + 1))) for _ in range(units)],
    "BITS": lambda draw, units: [float(draw() > 0) for _ in range(units)],
    "CLASSES": one_hot,
    "SHARES": shares,
}

ACTIVATIONS = {  # of z and the parameter, 0 for its default; prelu's is trained: see outputs()
    "linear": lambda z, p: z,
    "relu": lambda z, p: F.relu(z),
    "leaky_relu": lambda z, p: F.leaky_relu(z, p or 0.01),
    "elu": lambda z, p: F.elu(z, p or 1.0),
    "selu": lambda z, p: F.selu(z),
    "gelu": lambda z, p: F.gelu(z),
    "silu": lambda z, p: F.silu(z),
    "softplus": lambda z, p: F.softplus(z),
    "sigmoid": lambda z, p: torch.sigmoid(z),
    "hard_sigmoid": lambda z, p: torch.clamp(z / 6 + 0.5, 0, 1),
    "tanh": lambda z, p: torch.tanh(z),
    "softsign": lambda z, p: F.softsign(z),
    "softmax": lambda z, p: torch.softmax(z, 1),
    "maxout": lambda z, p: z.view(len(z), p or 2, -1).max(1).values,
    "exponential": lambda z, p: torch.exp(z),
}


def log_cosh(a, y):
    return torch.log(torch.cosh(a - y))


def pinball(a, y, q):
    return torch.maximum(q * (y - a), (q - 1) * (y - a))


def margin(a, y):
    return torch.clamp(1 - (2 * y - 1) * a, min=0)


LOSSES = {  # targets, whether it takes z, the loss of each cell, of a (or z), y and the parameter
    "mse": ("NUMBERS", False, lambda a, y, p: F.mse_loss(a, y, reduction="none")),
    "mae": ("NUMBERS", False, lambda a, y, p: F.l1_loss(a, y, reduction="none")),
    "huber": ("NUMBERS", False, lambda a, y, p: F.huber_loss(a, y, reduction="none", delta=p or 1.0)),
    "log_cosh": ("NUMBERS", False, lambda a, y, p: log_cosh(a, y)),
    "quantile": ("NUMBERS", False, lambda a, y, p: pinball(a, y, p or 0.5)),
    "poisson": ("COUNTS", False, lambda a, y, p: F.poisson_nll_loss(a, y, log_input=False, reduction="none")),
    "cross_entropy": ("CLASSES", True, lambda z, y, p: F.cross_entropy(z, y, reduction="none", label_smoothing=p)),
    "binary_cross_entropy": ("BITS", True, lambda z, y, p: F.binary_cross_entropy_with_logits(z, y, reduction="none")),
    "kl_divergence": ("SHARES", True, lambda z, y, p: F.kl_div(F.log_softmax(z, 1), y, reduction="none").sum(1)),
    "hinge": ("BITS", False, lambda a, y, p: margin(a, y)),
    "squared_hinge": ("BITS", False, lambda a, y, p: margin(a, y) ** 2),
}
OF_A_ROW = "cross_entropy", "kl_divergence"  # losses of which a row has one cell


class Layer:
    def __init__(self, units, activation, param=0, bias=True, normalization=None, l1=0, l2=0, max_norm=0, masked=False,
                 reads=(), head=False):
        self.units, self.activation, self.param, self.bias = units, activation, param, bias
        self.normalization, self.l1, self.l2, self.max_norm = normalization, l1, l2, max_norm
        self.masked, self.reads, self.head = masked, reads, head
        self.columns = units * ((param or 2) if activation == "maxout" else 1)


class Objective:
    def __init__(self, loss, param=0, weight=1):
        self.loss, self.param, self.weight = loss, param, weight
        self.targets, self.of_z, self.cells = LOSSES[loss]


class Net:
    """A network, what trains it, and the block of its trained numbers as core/net.h has it."""

    def __init__(self, name, layers, objectives, optimizer="sgd", weighted=False, **parameters):
        self.name, self.layers, self.objectives, self.weighted = name, layers, objectives, weighted
        self.optimizer, self.parameters = optimizer, parameters or {"learning_rate": 0.1}
        assert list(self.parameters) == next(list(row[2]) for row in optim.ROWS if row[0] == optimizer), name
        layers[-1].head = True
        for i, layer in enumerate(layers):
            before = [j for j in range(i) if not layers[j].head]
            layer.sources = layer.reads or (before[-1] if before else -1,)
            layer.inputs = sum(INPUTS if s < 0 else layers[s].units for s in layer.sources)
        self.heads = [layer for layer in layers if layer.head]
        self.draw()

    def pieces(self, layer):
        """name, shape, scale and middle of what is drawn"""
        yield "weights", (layer.inputs, layer.columns), 1, 0
        if layer.bias:
            yield "biases", (layer.columns,), 0.5, 0
        if layer.normalization:
            yield "scale", (layer.columns,), 0.5, 1
            yield "shift", (layer.columns,), 0.5, 0
        if layer.activation == "prelu":
            yield "slopes", (layer.units,), 0.125, 0.25

    def draw(self):
        draw, blocks = Sequence(), []
        for layer in self.layers:
            for name, shape, scale, middle in self.pieces(layer):
                block = middle + scale * numpy.array([draw() for _ in range(numpy.prod(shape))]).reshape(shape)
                if name == "weights" and layer.masked:
                    block *= mask(layer)
                blocks.append(block.ravel())
        self.start = numpy.concatenate(blocks)
        self.x = torch.tensor([[draw() for _ in range(INPUTS)] for _ in range(ROWS)])
        self.y = torch.tensor([sum((TARGETS[objective.targets](draw, head.units)
                                    for head, objective in zip(self.heads, self.objectives)), [])
                               for _ in range(ROWS)])
        cells = sum(1 if objective.loss in OF_A_ROW else head.units
                    for head, objective in zip(self.heads, self.objectives))
        self.weights = None
        if self.weighted:
            numbers = [[draw() for _ in range(cells)] for _ in range(ROWS)]
            self.weights = torch.tensor([[0.0 if v < -0.5 else v + 1 for v in row] for row in numbers])

    def split(self, block):
        """The pieces of each layer, as views of a flat tensor or array."""
        at = 0
        for layer in self.layers:
            pieces = {}
            for name, shape, _, _ in self.pieces(layer):
                size = int(numpy.prod(shape))
                pieces[name] = block[at:at + size].reshape(shape)
                at += size
            yield pieces


def batch_rows(step):
    first = BATCH * (step % (ROWS // BATCH))
    return slice(first, first + BATCH)


def mask(layer):
    return numpy.array([[float((i + 2 * c) % 3 != 0) for c in range(layer.columns)] for i in range(layer.inputs)])


# ---- PyTorch ----


class Trained:
    """A network that PyTorch differentiates: gradient(w) is that of the next batch."""

    def __init__(self, net):
        self.net, self.steps = net, 0
        self.running = {i: [torch.zeros(layer.columns), torch.ones(layer.columns)]
                        for i, layer in enumerate(net.layers) if layer.normalization == "batch"}

    def normalized(self, i, z, pieces):
        kind = self.net.layers[i].normalization
        if kind == "batch":
            return F.batch_norm(z, *self.running[i], pieces["scale"], pieces["shift"], training=True, momentum=0.1,
                                eps=1e-5)
        return F.layer_norm(z, z.shape[1:], pieces["scale"], pieces["shift"], 1e-5) if kind else z

    def outputs(self, w, x):
        """z and a of each head, and the penalties"""
        seen, heads, penalty = {-1: x}, [], 0
        for i, (layer, pieces) in enumerate(zip(self.net.layers, self.net.split(w))):
            weights = pieces["weights"] * torch.from_numpy(mask(layer)) if layer.masked else pieces["weights"]
            z = F.linear(torch.cat([seen[s] for s in layer.sources], 1), weights.t(), pieces.get("biases"))
            z = self.normalized(i, z, pieces)
            if layer.activation == "prelu":
                seen[i] = F.prelu(z, pieces["slopes"])
            else:
                seen[i] = ACTIVATIONS[layer.activation](z, layer.param)
            penalty = penalty + layer.l1 * weights.abs().sum() + layer.l2 / 2 * (weights ** 2).sum()
            if layer.head:
                heads.append((z, seen[i]))
        return heads, penalty

    def loss(self, w, rows):
        heads, total = self.outputs(w, self.net.x[rows])
        first = cell = 0
        for objective, (z, a) in zip(self.net.objectives, heads):
            y = self.net.y[rows, first:first + a.shape[1]]
            cells = objective.cells(z if objective.of_z else a, y, objective.param)
            cells = cells.unsqueeze(1) if cells.dim() == 1 else cells
            if self.net.weighted:
                cells = cells * self.net.weights[rows, cell:cell + cells.shape[1]]
            total = total + objective.weight * cells.mean()
            first, cell = first + a.shape[1], cell + cells.shape[1]
        return total

    def gradient(self, w):
        """Columns of weights that the last step made too long are shortened first, in place."""
        if self.steps:
            self.constrain(w)
        leaf = torch.tensor(w, requires_grad=True)
        loss = self.loss(leaf, batch_rows(self.steps))
        self.steps += 1
        return torch.autograd.grad(loss, leaf)[0].numpy()

    def constrain(self, w):
        for layer, pieces in zip(self.net.layers, self.net.split(w)):
            if layer.max_norm:
                length = numpy.linalg.norm(pieces["weights"], axis=0)
                pieces["weights"] *= numpy.where(length > layer.max_norm, layer.max_norm / length, 1)


def trained_from(net, start):
    trained = Trained(net)
    run = next(row[1] for row in optim.ROWS if row[0] == net.optimizer)
    w = run(gradient=trained.gradient, start=start, **net.parameters)
    trained.constrain(w)
    return w, trained


def by_torch(net):
    w, trained = trained_from(net, net.start)
    moved, _ = trained_from(net, net.start + SHIFT)
    assert numpy.abs(w - moved).max() < SHIFT * GROWTH, f"{net.name}: {numpy.abs(w - moved).max() / SHIFT}"
    return w, torch.cat([t for pair in trained.running.values() for t in pair] or [torch.zeros(0)]).numpy()


# ---- scikit-learn ----


def by_sklearn(net, model):
    """One pass over one batch for each step; the first call only makes the arrays, whose numbers are replaced."""
    more, targets = {}, net.y.numpy()
    if isinstance(model, MLPClassifier):
        targets = targets.argmax(1) if net.objectives[0].targets == "CLASSES" else targets
        more["classes"] = range(net.heads[0].units) if targets.ndim == 1 else (0, 1)
        targets = targets.astype(int)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets.ravel()
    for step in range(-1, optim.STEPS):
        rows = batch_rows(max(step, 0))
        model.partial_fit(net.x[rows].numpy(), targets[rows], **more)
        if step < 0:
            del model._optimizer
            for weights, biases, pieces in zip(model.coefs_, model.intercepts_, net.split(net.start)):
                weights[...], biases[...] = pieces["weights"], pieces["biases"]
    return numpy.concatenate([part.ravel() for pair in zip(model.coefs_, model.intercepts_) for part in pair]), ()


# ---- the networks ----


def chain(name, hidden="tanh", loss="mse", output="linear", param=0, loss_param=0, units=2, weight=1, layer=None,
          last=None, **more):
    """3 inputs, hidden layers of 4 and 3 units, an output layer."""
    pieces = dict(param=param, **(layer or {}))
    return Net(name, [Layer(4, hidden, **pieces), Layer(3, hidden, **pieces), Layer(units, output, **(last or {}))],
               [Objective(loss, loss_param, weight)], **more)


def activations():
    for name in ACTIVATIONS:
        yield chain("hidden " + name, name, learning_rate=0.05)
    yield chain("hidden leaky_relu, another slope", "leaky_relu", param=0.2)
    yield chain("hidden elu, another alpha", "elu", param=0.7)
    yield chain("hidden maxout of 3", "maxout", param=3)
    yield chain("hidden prelu, slopes trained", "prelu")
    yield chain("hidden prelu, adam", "prelu", optimizer="adam", **optim.adaptive(0.01))


def losses():
    for name, param in (("mae", 0), ("huber", 0), ("huber", 0.4), ("log_cosh", 0), ("quantile", 0), ("quantile", 0.9),
                        ("hinge", 0), ("squared_hinge", 0)):
        yield chain(f"{name} {param or ''}".strip(), "tanh", name, loss_param=param)
    yield chain("hinge of tanh", "tanh", "hinge", "tanh")
    for output in "softplus", "exponential":
        yield chain("poisson of " + output, "tanh", "poisson", output, learning_rate=0.02)
    for name, param in (("cross_entropy", 0), ("cross_entropy", 0.1), ("kl_divergence", 0)):
        yield chain(f"{name} {param or ''}".strip(), "relu", name, "softmax", loss_param=param, units=3)
    yield chain("binary_cross_entropy", "gelu", "binary_cross_entropy", "sigmoid", units=3)


def normalizations():
    adam, slow = dict(optimizer="adam", **optim.adaptive(0.01)), dict(learning_rate=0.02)
    for kind in "batch", "layer":
        yield chain(kind + " normalization", layer=dict(normalization=kind), **slow)
        yield chain(kind + " normalization, no bias, relu, adam", "relu", "cross_entropy", "softmax", units=3,
                    layer=dict(normalization=kind, bias=False), **adam)
        yield chain(kind + " normalization of prelu, weighted", "prelu", layer=dict(normalization=kind), weighted=True,
                    **slow)
        yield chain(kind + " normalization into maxout", "maxout", layer=dict(normalization=kind, bias=False), **slow)
        yield chain(kind + " normalization of the output layer", units=3,
                    last=dict(normalization=kind, bias=False), **slow)


def shortcuts():
    """Each layer reads the inputs and all before it; then with normalization, masks and two optimizers."""
    for name, more, how in (("shortcuts", {}, {}), ("shortcuts, normalized", dict(normalization="batch"), {}),
                            ("shortcuts, masked, l2, adam", dict(masked=True, l2=0.01),
                             dict(optimizer="adam", **optim.adaptive(0.01)))):
        yield Net(name, [Layer(3, "tanh"), Layer(4, "softplus", reads=(-1, 0), **more),
                         Layer(2, "linear", reads=(1, -1, 0))], [Objective("mse")], **how)


def heads():
    for weighted in False, True:
        for optimizer, how in (("sgd", {}), ("adam", optim.adaptive(0.01))):
            yield Net(f"three heads, {optimizer}{', weighted' if weighted else ''}",
                      [Layer(5, "tanh"), Layer(3, "softmax", head=True), Layer(2, "linear", head=True),
                       Layer(3, "silu"), Layer(1, "softplus")],
                      [Objective("cross_entropy", 0.05, 0.5), Objective("huber"), Objective("poisson", weight=2)],
                      optimizer, weighted, **how)


def regularized():
    yield chain("masks", layer=dict(masked=True))
    yield chain("masks, relu, momentum", "relu", layer=dict(masked=True), optimizer="momentum", learning_rate=0.03,
                momentum=0.8)
    yield chain("l1", layer=dict(l1=0.01))
    yield chain("l2", layer=dict(l2=0.03))
    yield chain("l1 and l2 and a mask, adam", layer=dict(l1=0.002, l2=0.01, masked=True), last=dict(l2=0.1),
                optimizer="adam", **optim.adaptive(0.01))
    yield chain("max_norm", layer=dict(max_norm=0.9), last=dict(max_norm=0.5))
    yield chain("max_norm, adam", "relu", layer=dict(max_norm=0.9), optimizer="adam", **optim.adaptive(0.01))


def weighted():
    for loss, output in (("mse", "linear"), ("mae", "linear"), ("poisson", "exponential"), ("cross_entropy", "softmax"),
                         ("binary_cross_entropy", "sigmoid"), ("kl_divergence", "softmax"), ("hinge", "linear")):
        yield chain("weighted " + loss, loss=loss, output=output, weighted=True, learning_rate=0.05)


SLOWER = {"adadelta": dict(learning_rate=0.5)}  # than optim.py's other rate, at which its steps here feed themselves


def optimizers():
    for name, _, standard, others in optim.ROWS:
        yield chain(f"{name}, its defaults", optimizer=name, **standard)
        yield chain(f"{name}, other parameters", "silu", optimizer=name, **{**others, **SLOWER.get(name, {})})


def of_sklearn():
    """Networks with what scikit-learn trains the same with."""
    constant = dict(hidden_layer_sizes=(4, 3), batch_size=BATCH, shuffle=False, learning_rate_init=0.05, alpha=0)
    sgd, half = dict(solver="sgd", momentum=0, **constant), dict(learning_rate=0.05)
    ridge = dict(l2=0.4 / BATCH)
    adam = optim.adaptive(0.01, epsilon=1e-20)
    yield (chain("MLPRegressor, one number", "relu", units=1, weight=0.5, **half),
           MLPRegressor(activation="relu", **sgd))
    yield chain("MLPRegressor, two numbers", weight=1, **half), MLPRegressor(activation="tanh", **sgd)
    yield (chain("MLPRegressor, alpha", "sigmoid", layer=ridge, last=ridge, **half),
           MLPRegressor(activation="logistic", **{**sgd, "alpha": 0.4}))
    yield (chain("MLPRegressor, momentum", optimizer="momentum", **half, momentum=0.8),
           MLPRegressor(activation="tanh", **{**sgd, "momentum": 0.8}, nesterovs_momentum=False))
    yield (chain("MLPRegressor, nesterov", optimizer="nesterov", **half, momentum=0.8),
           MLPRegressor(activation="tanh", **{**sgd, "momentum": 0.8}, nesterovs_momentum=True))
    yield (chain("MLPClassifier, three classes, nesterov", "tanh", "cross_entropy", "softmax", units=3,
                 optimizer="nesterov", **half, momentum=0.8),
           MLPClassifier(activation="tanh", **{**sgd, "momentum": 0.8}))
    yield (chain("MLPClassifier, two classes", "relu", "binary_cross_entropy", "sigmoid", units=1, **half),
           MLPClassifier(activation="relu", **sgd))
    yield (chain("MLPClassifier, two labels", "tanh", "binary_cross_entropy", "sigmoid", weight=2, **half),
           MLPClassifier(activation="tanh", **sgd))
    yield (chain("MLPClassifier, three classes, adam", "tanh", "cross_entropy", "softmax", units=3, optimizer="adam",
                 **adam),
           MLPClassifier(activation="tanh", **{**constant, "learning_rate_init": 0.01}, solver="adam", epsilon=1e-20))


# ---- nets.h ----

HEAD = f"""/* nets.h - written by tests/golden/nets.py with PyTorch {torch.__version__} and scikit-learn {sklearn.__version__}:
 * networks, and their numbers after GOLDEN_STEPS steps. nets.py says what they start with. */
#ifndef TESTS_GOLDEN_NETS_H
#define TESTS_GOLDEN_NETS_H

#include "core/net.h"

/* clang-format off */
#define GOLDEN_STEPS  {optim.STEPS}
#define GOLDEN_INPUTS {INPUTS}
#define GOLDEN_BATCH  {BATCH}
#define GOLDEN_ROWS   {ROWS}
#define GOLDEN_LAYERS 5
#define GOLDEN_READS  3
#define GOLDEN_HEADS  3

enum golden_targets {{ {", ".join(TARGETS)} }};

struct golden_layer {{
	size_t units; /* 0: no more layers */
	const char *activation;
	double param; /* its first; 0: the default */
	bool no_bias, masked, head;
	enum normalization normalization;
	double l1, l2, max_norm;
	int from[GOLDEN_READS];
	size_t from_count;
}};

struct golden_objective {{
	const char *loss; /* NULL: no more heads */
	double param, weight; /* param 0: the default */
	bool category;
	enum golden_targets targets;
}};

static const struct golden_net {{
	const char *name;
	struct golden_layer layers[GOLDEN_LAYERS];
	struct golden_objective objectives[GOLDEN_HEADS];
	bool weighted; /* cells have weights */
	const char *optimizer;
	double params[PARAMS_MAX];
	size_t parameters, statistics;
	const double *trained, *running; /* (parameters), (statistics) afterwards, laid out as in core/net.h */
}} golden_nets[] = {{"""


def listed(values):
    return "{ " + ", ".join(repr(float(v)) for v in values) + " }"


def written_layer(layer):
    parts = [f'.units = {layer.units}, .activation = "{layer.activation}"']
    parts += [f".{name} = {getattr(layer, name)!r}" for name in ("param", "l1", "l2", "max_norm")
              if getattr(layer, name)]
    parts += [f".{name} = true" for name, so in (("no_bias", not layer.bias), ("masked", layer.masked),
                                                 ("head", layer.head)) if so]
    if layer.normalization:
        parts.append(f".normalization = NORMALIZATION_{layer.normalization.upper()}")
    if layer.reads:
        parts.append(f".from = {{ {', '.join(str(s) for s in layer.reads)} }}, .from_count = {len(layer.reads)}")
    return "{ " + ", ".join(parts) + " }"


def written_objective(o):
    category = ", .category = true" if o.loss in OF_A_ROW else ""
    param = f", .param = {o.param!r}" if o.param else ""
    return f'{{ .loss = "{o.loss}"{param}, .weight = {o.weight!r}{category}, .targets = {o.targets} }}'


def written(net, trained, running):
    assert numpy.isfinite(trained).all() and numpy.abs(trained - net.start).max() > MOVED, net.name
    yield f'\t{{ .name = "{net.name}",'
    yield "\t\t.layers = { " + ",\n\t\t\t".join(written_layer(layer) for layer in net.layers) + " },"
    yield "\t\t.objectives = { " + ",\n\t\t\t".join(written_objective(o) for o in net.objectives) + " },"
    if net.weighted:
        yield "\t\t.weighted = true,"
    yield f'\t\t.optimizer = "{net.optimizer}", .params = {listed(net.parameters.values())},'
    yield f"\t\t.parameters = {len(trained)}, .trained = (const double[]){listed(trained)},"
    if len(running):
        yield f"\t\t.statistics = {len(running)}, .running = (const double[]){listed(running)},"
    yield "\t},"


def main():
    lines = [HEAD]
    for group in activations, losses, normalizations, shortcuts, heads, regularized, weighted, optimizers:
        for net in group():
            lines += written(net, *by_torch(net))
    for net, model in of_sklearn():
        lines += written(net, *by_sklearn(net, model))
    lines += ["};\n/* clang-format on */\n\n#endif"]
    pathlib.Path(__file__).with_suffix(".h").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
