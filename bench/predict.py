"""What a prediction costs: CPU time a request of one-row :predict, against libmicrohttpd with a constant answer.

usage: bench/predict.py [ROUNDS]     (Debian: wrk; make sets DESCENTD and BENCH_BUILD)

Both servers run at once; wrk asks them turn about with 16 connections for a second or two. CPU time is what
the kernel counted for the server's process over a round, divided by the requests answered.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from daemon import DATA, Daemon

BARE = os.path.join(os.environ.get("BENCH_BUILD", "build/release/bench"), "support", "bare_http")
SECONDS = 2
SCRIPT = """wrk.method = "POST"
wrk.body = '{"instances":[[5.1,3.5,1.4,0.2]]}'
wrk.headers["Content-Type"] = "application/json"
"""


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(url, script, pid):
    before = cpu_seconds(pid)
    out = subprocess.run(["wrk", "-t1", "-c16", f"-d{SECONDS}s", "--latency", "-s", script, url],
                         capture_output=True, text=True, check=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    if "Non-2xx" in out:
        sys.exit("refused:\n" + out)
    median = re.search(r"50%\s+(\S+)", out).group(1)
    return requests / SECONDS, (cpu_seconds(pid) - before) / requests * 1e6, median


def main():
    if not shutil.which("wrk"):
        print("wrk is not installed: apt-get install wrk")
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    bare = subprocess.Popen([BARE], stdout=subprocess.PIPE, text=True)
    daemon = Daemon(os.environ.get("DESCENTD"))
    try:
        daemon.ask("PUT", "/v1/datasets/iris", open(os.path.join(DATA, "iris.csv"), "rb").read(), "text/csv")
        daemon.ask("PUT", "/v1/models/iris", {"dataset": "iris", "target": "species"})
        daemon.train("iris", {"dataset": "iris"})
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(SCRIPT)
            script.flush()
            targets = {"bare": (f"http://127.0.0.1:{bare.stdout.readline().strip()}/", bare.pid),
                       "descentd": (daemon.url + "/v1/models/iris:predict", daemon.process.pid)}
            found = {name: [] for name in targets}
            for _ in range(rounds):
                for name, (url, pid) in targets.items():
                    found[name].append(load(url, script.name, pid))
        for name, figures in found.items():
            rate, cpu = (statistics.median(f[i] for f in figures) for i in (0, 1))
            print(f"{name:9s} {rate:9,.0f} requests/s  {cpu:6.2f} us of CPU a request  median latency {figures[-1][2]}")
        ratios = [b[1] / a[1] for a, b in zip(found["bare"], found["descentd"])]
        print(f"CPU time a request: {statistics.median(ratios):.2f} times the bare server's "
              f"(rounds from {min(ratios):.2f} to {max(ratios):.2f})")
    finally:
        bare.kill()
        daemon.stop()


if __name__ == "__main__":
    main()
