"""The figures about data and answers about them. Each is one function; all run, or those that are named.

usage: bench/data.py [NAME…]     (make sets DESCENTD)
"""
import math
import os
import random
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import uploads
from daemon import Daemon


def upload():
    """A CSV of 1 GB, 30 numbers and 5 categories: 150 MB/s, 200 MB resident, a third of pandas.read_csv's time.
    Turn about, the best round of each: whoever else is on the machine only makes it slower."""
    with uploads.temporary(uploads.make_mixed) as file:
        ours, theirs = [], []
        for _ in range(3):
            ours.append(uploads.upload(file.name, "mixed", 150))
            theirs.append(uploads.pandas_seconds(file.name))
    if all(theirs):
        seconds, cpu = min(theirs)
        print(f"mixed: pandas.read_csv takes {seconds:.2f} s ({cpu:.1f} s of CPU), {seconds / min(ours):.2f} times as long"
              f"{uploads.judge(seconds / min(ours), 3)}")


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


def joint_frequencies(train, test, classes):
    """Log loss of the table of hair and sex against eyes, with one added to every cell."""
    cells = {}
    for hair, sex, eye in train:
        cells.setdefault((hair, sex), dict.fromkeys(classes, 1))[eye] += 1
    shares = [cells.get((hair, sex), dict.fromkeys(classes, 1)) for hair, sex, _ in test]
    return -statistics.fmean(math.log(cell[eye] / sum(cell.values())) for cell, (_, _, eye) in zip(shares, test))


def hair_eye(splits=20):
    """hair_eye.csv, hair and sex to the colour of eyes: held-out log loss at or below that of the joint frequencies."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "data", "hair_eye.csv")
    header, *rows = (tuple(line.split(",")) for line in open(path).read().split())
    daemon = Daemon(os.environ.get("DESCENTD"))
    found = []
    try:
        for seed in range(splits):
            shuffled = random.Random(seed).sample(rows, len(rows))
            train, test = shuffled[len(rows) * 3 // 10:], shuffled[:len(rows) * 3 // 10]
            text = "\n".join(",".join(row) for row in [header, *train])
            daemon.ask("PUT", "/v1/datasets/hair?replace=true", text.encode(), "text/csv")
            model = daemon.ask("PUT", "/v1/models/eyes", {"dataset": "hair", "target": "eye_color", "seed": seed})
            daemon.train("eyes", {"dataset": "hair", "seed": seed})
            classes = model["outputs"][0]["values"]
            answer = daemon.ask("POST", "/v1/models/eyes:predict", {"instances": [row[:2] for row in test]})
            ours = -statistics.fmean(math.log(scores[classes.index(row[2])])
                                     for scores, row in zip(answer["predictions"], test))
            found.append((ours, joint_frequencies(train, test, classes)))
            daemon.ask("DELETE", "/v1/models/eyes")
    finally:
        daemon.stop()
    ours, theirs = (statistics.fmean(column) for column in zip(*found))
    better = sum(a <= b for a, b in found)
    print(f"hair_eye: held-out log loss {ours:.4f}, joint frequencies {theirs:.4f} (mean of {splits} splits); at or below in "
          f"{better} of them: {'ok' if ours <= theirs else 'ABOVE'}")


def timed(daemon, path, document):
    begun = time.perf_counter()
    daemon.ask("POST", path, document)
    return (time.perf_counter() - begun) * 1e3


STREAMED_BYTES = 1_000_000_000
ROUNDS, EPOCHS = 3, 2


def streaming():
    """10 million rows of 20 columns from a scratch file and in memory, turn about: 1 GB resident, and half the speed."""
    with uploads.temporary(uploads.make_long) as file, tempfile.TemporaryDirectory() as folder:
        first = os.path.join(folder, "long.db")
        daemon = Daemon(os.environ.get("DESCENTD"), first)
        uploads.send(daemon, file.name, "long")
        daemon.ask("PUT", "/v1/models/m", {"dataset": "long", "target": "y", "layers": [32], "seed": 1})
        daemon.stop()
        shutil.copy(first, os.path.join(folder, "same.db"))
        both = [Daemon(os.environ.get("DESCENTD"), os.path.join(folder, name), ("--memory-budget", budget))
                for name, budget in (("same.db", "4G"), ("long.db", "256M"))]
        try:
            compare(both)
        finally:
            for daemon in both:
                daemon.stop()


def compare(both):
    body = {"dataset": "long", "epochs": EPOCHS, "seed": 1, "validation": {"split": 0.1}, "early_stopping": None}
    said = [daemon.ask("POST", "/v1/models/m:estimate", body) for daemon in both]
    assert [answer["streamed"] for answer in said] == [False, True], said
    speeds, seconds = ([], []), ([], [])
    for turn in range(ROUNDS):
        for which in (0, 1) if turn % 2 else (1, 0):
            begun = time.monotonic()
            job = both[which].train("m", body)
            assert job["state"] == "succeeded", job
            speeds[which].append(job["samples_per_second"])
            seconds[which].append(time.monotonic() - begun - job["config"]["epochs"] * 9e6 / job["samples_per_second"])
    peaks = [daemon.status("VmHWM") for daemon in both]
    for which, name in enumerate(("in memory", "streamed")):
        print(f"10 million rows x 20 columns {name}: {statistics.median(speeds[which]) / 1e6:.2f} M rows/s "
              f"({min(speeds[which]) / 1e6:.2f} to {max(speeds[which]) / 1e6:.2f}), loading and validation "
              f"{statistics.median(seconds[which]):.1f} s, resident {peaks[which] / 1e6:.0f} MB"
              f"{uploads.judge(STREAMED_BYTES, peaks[which]) if which else ''}")
    ratio = statistics.median(b / a for a, b in zip(*speeds))
    print(f"streamed over in memory: {ratio:.2f}{uploads.judge(ratio, 0.5)}")


FIGURES = [upload, wide, explain, hair_eye, streaming]

if __name__ == "__main__":
    for figure in FIGURES:
        if len(sys.argv) == 1 or figure.__name__ in sys.argv[1:]:
            figure()
