"""The figures about jobs. Each is one function; all run, or those that are named.

usage: bench/jobs.py [NAME…]     (make sets DESCENTD)
"""
import datetime
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from daemon import Daemon

IRIS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "data", "iris.csv")


def small_network(daemon):
    """4-16-3 on iris, as model m."""
    daemon.ask("PUT", "/v1/datasets/iris", open(IRIS, "rb").read(), "text/csv")
    daemon.ask("PUT", "/v1/models/m", {"dataset": "iris", "target": "species", "layers": [16], "seed": 1})


def seconds_of(job):
    """From its claim to its end."""
    ends = [datetime.datetime.fromisoformat(job[key].replace("Z", "+00:00")) for key in ("started_at", "finished_at")]
    return (ends[1] - ends[0]).total_seconds()


def judge(value, bound):
    return f" (asked: below {bound}){'' if value < bound else ' MISSED'}"


def record(epochs=100_000, rounds=5):
    """What recording costs a run of tens of thousands of epochs a second, turn about: a few percent at most."""
    daemon = Daemon(os.environ.get("DESCENTD"), flags=("--workers", "1", "--threads", "1"))
    body = {"dataset": "iris", "epochs": epochs, "seed": 1, "batch_size": 32, "validation": None, "early_stopping": None}
    taken = {"auto": [], "epoch": [], "step": []}
    try:
        small_network(daemon)
        for _ in range(rounds):
            for how, seconds in taken.items():
                before = os.path.getsize(daemon.db) + os.path.getsize(daemon.db + "-wal")
                job = daemon.train("m", {**body, "record": how})
                seconds.append(seconds_of(job))
                grown = os.path.getsize(daemon.db) + os.path.getsize(daemon.db + "-wal") - before
        base = statistics.median(taken["auto"])
        for how, seconds in taken.items():
            median = statistics.median(seconds)
            print(f"record {how}: {epochs / median:,.0f} epochs a second, {100 * (median / base - 1):+.1f} % of auto's time")
        print(f"record step: {grown / (5 * epochs):.1f} bytes a point in the file, at most")
    finally:
        daemon.stop()


def curve(steps=1_000_000, asks=40):
    """points=2000 of a run of 10^6 recorded points: below 50 ms."""
    daemon = Daemon(os.environ.get("DESCENTD"), flags=("--workers", "1", "--threads", "1"))
    try:
        small_network(daemon)
        job = daemon.train("m", {"dataset": "iris", "epochs": steps // 4, "seed": 1, "batch_size": 32, "record": "step",
                                 "validation": {"split": 0.2}, "early_stopping": None})
        for query in ("points=2000", "points=200", "points=20000", f"points=2000&from=1001&to={steps // 4 - 7}",
                      "points=2000&from=100000&to=100999"):
            taken, spent = [], daemon.cpu_seconds()
            for _ in range(asks):
                begun = time.monotonic()
                answer = daemon.ask("GET", f"/v1/jobs/{job['id']}/curve?{query}")
                taken.append(1000 * (time.monotonic() - begun))
            print(f"curve?{query}: {answer['returned']} of {answer['total']} points, median {statistics.median(taken):.1f} ms, "
                  f"longest {max(taken):.1f} ms, {1000 * (daemon.cpu_seconds() - spent) / asks:.1f} ms of the daemon's"
                  + (judge(statistics.median(taken), 50) if query == "points=2000" else ""))
    finally:
        daemon.stop()


FIGURES = {f.__name__: f for f in (record, curve)}

if __name__ == "__main__":
    for name in sys.argv[1:] or FIGURES:
        FIGURES[name]()
