"""What a prediction costs: CPU time a request of one-row :predict, against libmicrohttpd with a constant answer.

usage: bench/predict.py [ROUNDS]     (Debian: wrk; make sets DESCENTD and BENCH_BUILD)

Both servers run at once; wrk asks them turn about with 16 connections for a second or two. CPU time is what
the kernel counted for the server's process over a round, divided by the requests answered.
"""
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import load
from daemon import DATA, Daemon
from peers import Bare

SCRIPT = load.post_script('{"instances":[[5.1,3.5,1.4,0.2]]}')


def measure(server, path):
    found = load.wrk(server, path, SCRIPT)
    if found.errors:
        sys.exit(f"{found.errors} requests failed")
    return found


def main():
    if reason := load.missing("wrk"):
        print(reason)
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with Bare() as bare, Daemon(os.environ.get("DESCENTD")) as daemon:
        daemon.ask("PUT", "/v1/datasets/iris", open(os.path.join(DATA, "iris.csv"), "rb").read(), "text/csv")
        daemon.ask("PUT", "/v1/models/iris", {"dataset": "iris", "target": "species"})
        daemon.train("iris", {"dataset": "iris"})
        found = {"bare": [], "descentd": []}
        for _ in range(rounds):
            found["bare"].append(measure(bare, bare.path))
            found["descentd"].append(measure(daemon, "/v1/models/iris:predict"))
    for name, loads in found.items():
        rate, cpu, median = (statistics.median(getattr(one, field) for one in loads) for field in ("rate", "cpu", "median"))
        print(f"{name:9s} {rate:9,.0f} requests/s  {cpu * 1e6:6.2f} us of CPU a request  median latency {median * 1e6:.0f} us")
    ratios = [b.cpu / a.cpu for a, b in zip(found["bare"], found["descentd"])]
    print(f"CPU time a request: {statistics.median(ratios):.2f} times the bare server's "
          f"(rounds from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
