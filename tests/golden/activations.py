"""Writes activations.h beside itself: values and derivatives of the activations, by PyTorch in double precision.

The step and the exponential's overflow are written down as what they are; softmax, which is of whole rows, has tests of
its own. Run it by hand (python3-torch) after a change; the tests need what it wrote and not PyTorch.
"""
import math
import pathlib

import torch
import torch.nn.functional as F

INPUTS = [0.0, 1e-3, 0.1, 0.5, 1.0, 1.7, 2.9, 3.5, 8.0, 20.0, 50.0, 88.5, 120.0, 1e3, 1e4]
FUNCTIONS = {
    "linear": lambda z: z * 1,
    "relu": F.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
    "prelu": lambda z: F.prelu(z, torch.tensor([0.25], dtype=torch.float64)),
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": lambda z: torch.logaddexp(z, torch.zeros_like(z)),
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda z: torch.clamp(z / 6 + 0.5, 0, 1),  # the derivative of F.hardsigmoid is rounded to float
    "tanh": torch.tanh,
    "softsign": F.softsign,
    "exponential": torch.exp,
    "step": lambda z: torch.heaviside(z.detach(), torch.ones_like(z)) + 0 * z,
}


def number(x):
    if math.isinf(x):
        return "HUGE_VAL" if x > 0 else "-HUGE_VAL"
    return repr(x)


def main():
    inputs = [-z for z in reversed(INPUTS) if z] + INPUTS
    out = ["/* activations.h - written by activations.py: name, z, f(z), f'(z). */", "/* clang-format off */"]
    for name, function in FUNCTIONS.items():
        z = torch.tensor(inputs, dtype=torch.float64, requires_grad=True)
        a = function(z)
        derivative, = torch.autograd.grad(a.sum(), z)
        for row in zip(inputs, a.tolist(), derivative.tolist()):
            out.append(f'{{ "{name}", {", ".join(number(x) for x in row)} }},')
    pathlib.Path(__file__).with_suffix(".h").write_text("\n".join(out) + "\n")


main()
