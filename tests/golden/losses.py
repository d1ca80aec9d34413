#!/usr/bin/python3
"""Writes losses.txt, which tests/unit/f64_losses.c includes: each loss's value (the mean over rows) and gradient as
PyTorch's float64 has them, by its own function where it has one, else by the formula and autograd."""
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(3)
ROWS, UNITS = 4, 3
LOG_2 = torch.log(torch.tensor(2.0, dtype=torch.float64))
FREE = torch.randn(ROWS, UNITS, dtype=torch.float64) * 2
FREE[0, 0], FREE[3, 2] = 400, -1e-6  # a far and a near one
NUMBERS = torch.randn(ROWS, UNITS, dtype=torch.float64)
NUMBERS[3, 2] = 0
COUNTS = torch.tensor([[0, 1, 2], [3, 0, 7], [1, 1, 20], [5, 4, 0]], dtype=torch.float64)
ONE_HOT = F.one_hot(torch.tensor([0, 2, 1, 1]), UNITS).double()
SHARES = torch.softmax(torch.randn(ROWS, UNITS, dtype=torch.float64), 1)
LOGITS = torch.randn(ROWS, UNITS, dtype=torch.float64) * 3


def margin(a, y):
    return torch.clamp(1 - (2 * y - 1) * a, min=0)


def pinball(a, y, q):
    return torch.maximum(q * (y - a), (q - 1) * (y - a)).mean()


def log_cosh(a, y):
    e = a - y
    exact = torch.log(torch.cosh(e.clamp(-1, 1)))
    return torch.where(e.abs() < 1, exact, e.abs() + F.softplus(-2 * e.abs()) - LOG_2).mean()


# name, parameter, what goes in (a; z where the form is joint), targets, joint, the reference
CASES = [
    ("mse", 0, FREE, NUMBERS, 0, F.mse_loss),
    ("mae", 0, FREE, NUMBERS, 0, F.l1_loss),
    ("huber", 1, FREE, NUMBERS, 0, lambda a, y: F.huber_loss(a, y, delta=1.0)),
    ("huber", 2.5, FREE, NUMBERS, 0, lambda a, y: F.huber_loss(a, y, delta=2.5)),
    ("log_cosh", 0, FREE, NUMBERS, 0, log_cosh),
    ("quantile", 0.5, FREE, NUMBERS, 0, lambda a, y: pinball(a, y, 0.5)),
    ("quantile", 0.9, FREE, NUMBERS, 0, lambda a, y: pinball(a, y, 0.9)),
    ("poisson", 0, FREE.abs(), COUNTS, 0, lambda a, y: F.poisson_nll_loss(a, y, log_input=False)),
    ("cross_entropy", 0, LOGITS, ONE_HOT, 1, F.cross_entropy),
    ("cross_entropy", 0.1, LOGITS, ONE_HOT, 1, lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1)),
    ("binary_cross_entropy", 0, LOGITS, ONE_HOT, 1, F.binary_cross_entropy_with_logits),
    ("kl_divergence", 0, LOGITS, ONE_HOT, 1, lambda z, y: F.kl_div(F.log_softmax(z, 1), y, reduction="batchmean")),
    ("kl_divergence", 0, LOGITS, SHARES, 1, lambda z, y: F.kl_div(F.log_softmax(z, 1), y, reduction="batchmean")),
    ("hinge", 0, FREE, ONE_HOT, 0, lambda a, y: margin(a, y).mean()),
    ("squared_hinge", 0, FREE, ONE_HOT, 0, lambda a, y: (margin(a, y) ** 2).mean()),
]


def listed(t):
    return "{ " + ", ".join(repr(v) for v in t.detach().flatten().tolist()) + " }"


def main():
    lines = ["/* Written by losses.py with PyTorch " + torch.__version__ + ". */"]
    for name, param, x, y, joint, reference in CASES:
        x = x.clone().requires_grad_()
        loss = reference(x, y)
        loss.backward()
        lines.append('{ "%s", %r, %d, %s,\n  %s,\n  %r, %s },' %
                     (name, param, joint, listed(x), listed(y), loss.item(), listed(x.grad)))
    (pathlib.Path(__file__).parent / "losses.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
