"""The figures about data and answers about them. Each is one function; all run, or those that are named.

usage: bench/data.py [NAME…]     (make sets DESCENTD)
"""
import os
import random
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import uploads
from daemon import Daemon


def upload():
    """A CSV of 1 GB, 30 numbers and 5 categories: 150 MB/s, 200 MB resident, a third of pandas.read_csv's time."""
    with uploads.temporary(uploads.make_mixed) as file:
        seconds = uploads.upload(file.name, "mixed", 150)
        other = uploads.pandas_seconds(file.name)
    if other:
        print(f"mixed: pandas.read_csv takes {other:.2f} s, {other / seconds:.2f} times as long{uploads.judge(other / seconds, 3)}")


def wide():
    """785 columns, as MNIST has them, in the same memory."""
    with uploads.temporary(uploads.make_wide) as file:
        uploads.upload(file.name, "wide", None)


def explain():
    """:explain of one row on 30-64-64-3, a request at a time: asked below 5 ms."""
    noise = random.Random(1)
    rows = [[round(noise.gauss(0, 1), 3) for _ in range(30)] for _ in range(600)]
    lines = [",".join([*map(str, row), "abc"[(row[0] * row[1] > 0) + (row[2] > 1)]]) for row in rows]
    header = ",".join([f"x{i}" for i in range(30)] + ["kind"])
    daemon = Daemon(os.environ.get("DESCENTD"))
    try:
        daemon.ask("PUT", "/v1/datasets/wide", "\n".join([header, *lines]).encode(), "text/csv")
        for activation in ("relu", "tanh"):
            layers = [{"units": 64, "activation": activation}] * 2
            daemon.ask("PUT", f"/v1/models/{activation}", {"dataset": "wide", "target": "kind", "layers": layers})
            daemon.train(activation, {"dataset": "wide"})
            for trace in (False, True):
                taken = sorted(timed(daemon, f"/v1/models/{activation}:explain",
                                     {"instances": [row], "trace": trace}) for row in rows[:300])
                print(f":explain of a row, 30-64-64-3 {activation}{', with trace' if trace else ''}: median "
                      f"{statistics.median(taken):.2f} ms, 99 % below {taken[len(taken) * 99 // 100]:.2f} ms")
    finally:
        daemon.stop()


def timed(daemon, path, document):
    begun = time.perf_counter()
    daemon.ask("POST", path, document)
    return (time.perf_counter() - begun) * 1e3


FIGURES = [upload, wide, explain]

if __name__ == "__main__":
    for figure in FIGURES:
        if len(sys.argv) == 1 or figure.__name__ in sys.argv[1:]:
            figure()
