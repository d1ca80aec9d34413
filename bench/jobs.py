"""The figures about jobs. Each is one function; all run, or those that are named.

usage: bench/jobs.py [NAME…]     (make sets DESCENTD)
"""
import datetime
import os
import random
import resource
import selectors
import sqlite3
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from connection import Connection, connect, post
from daemon import Daemon

SCHED_IDLE = 5
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


# ---- who looks on ----

def threads_seconds(pid):
    """CPU seconds of a process's threads: (those at idle priority, which train; the others)."""
    idle = others = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if int(fields[38]) == SCHED_IDLE:
            idle += seconds
        else:
            others += seconds
    return idle, others


def resident_mib(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def read_for(sockets, seconds):
    """Reads whatever comes; how many bytes that was."""
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        until, read = time.monotonic() + seconds, 0
        while (left := until - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                read += len(key.fileobj.recv(1 << 20))
    return read


def watchers(count=1000, seconds=8, rounds=3):
    """1,000 watchers of a job with about four epochs a second: what they cost the trainer and the daemon."""
    rows = 40_000
    daemon = Daemon(os.environ.get("DESCENTD"), flags=("--workers", "1", "--threads", "1"))
    numbers = random.Random(1)
    try:
        lines = "\n".join(",".join(f"{numbers.random():.3f}" for _ in range(9)) for _ in range(rows))
        daemon.ask("PUT", "/v1/datasets/d", ("a,b,c,d,e,f,g,h,y\n" + lines).encode(), "text/csv")
        daemon.ask("PUT", "/v1/models/m", {"dataset": "d", "target": "y", "layers": [128, 128], "seed": 1})
        job = daemon.ask("POST", "/v1/models/m:train", {"dataset": "d", "epochs": 1_000_000, "batch_size": 64,
                                                        "validation": None, "early_stopping": None})["id"]
        costs = {0: [], count: []}
        others = {0: [], count: []}
        mib = {}
        time.sleep(3)
        for _ in range(rounds):
            for many in costs:
                sockets = connect(daemon, many)
                for one in sockets:
                    one.sendall(f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                read_for(sockets, 2)
                before = daemon.ask("GET", f"/v1/jobs/{job}"), *threads_seconds(daemon.process.pid), time.monotonic()
                read = read_for(sockets, seconds)
                after = daemon.ask("GET", f"/v1/jobs/{job}"), *threads_seconds(daemon.process.pid), time.monotonic()
                mib[many] = resident_mib(daemon.process.pid)
                for one in sockets:
                    one.close()
                epochs, took = after[0]["epoch"] - before[0]["epoch"], after[3] - before[3]
                costs[many].append((after[1] - before[1]) / max(epochs, 1))
                others[many].append((after[2] - before[2]) / took)
                print(f"  {many} watchers: {epochs / took:.1f} epochs a second, {read / took / 1000:.0f} kB/s read, "
                      f"trainer {1000 * costs[many][-1]:.1f} ms of CPU an epoch, all else {100 * others[many][-1]:.1f} % of a core")
        slower = 100 * (statistics.median(costs[count]) / statistics.median(costs[0]) - 1)
        print(f"watchers: {count} cost the trainer {slower:+.1f} % of CPU an epoch{judge(slower, 5)}, the daemon "
              f"{100 * statistics.median(others[count]):.1f} % of a core and {mib[count] - mib[0]:.0f} MiB"
              f"{judge(mib[count], 100)}, resident in all {mib[count]:.0f}")
    finally:
        daemon.stop()


def poll(sockets, request, until_asked):
    """Asks in turn over the sockets, one under way on each; the status of the last answer."""
    asked, head = 0, b""
    while asked < until_asked:
        for one in sockets:
            one.sendall(request)
        for one in sockets:
            head = one.recv(1 << 16)
            while b"\r\n\r\n" not in head or (b" 200 " in head[:20] and not head.endswith(b"}")):
                head += one.recv(1 << 16)
        asked += len(sockets)
    return int(head[9:12]), asked


def polling(asks=20_000):
    """1,000 dashboards that poll each second: the daemon's CPU for a thousand requests is its share of a core."""
    daemon = Daemon(os.environ.get("DESCENTD"), flags=("--workers", "1", "--threads", "1"))
    try:
        small_network(daemon)
        job = daemon.train("m", {"dataset": "iris", "epochs": 100, "seed": 1})["id"]
        sockets = connect(daemon, 50)
        for what, path in (("a job", f"/v1/jobs/{job}"), ("the list of jobs", "/v1/jobs?limit=10")):
            one = sockets[0]
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            etag = one.recv(1 << 16).partition(b"ETag: ")[2].partition(b"\r\n")[0].decode()
            for how, header in (("304", f"If-None-Match: {etag}\r\n"), ("200", "")):
                request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n".encode()
                poll(sockets, request, 1000)
                spent = daemon.cpu_seconds()
                status, asked = poll(sockets, request, asks)
                share = 100 * (daemon.cpu_seconds() - spent) / asked * 1000
                print(f"polling: {what}, {status}: 1,000 a second take {share:.1f} % of a core{judge(share, 10) if how == '304' else ''}")
    finally:
        daemon.stop()


def unfinished(daemon):
    return any(daemon.ask("GET", f"/v1/jobs?state={state}&limit=1")["jobs"] for state in ("queued", "running"))


def queue(jobs=1000, rounds=5):
    """1,000 jobs of 4-16-3 on iris, 50 epochs: how long they take to submit over one connection, and all in all on 2 workers."""
    submitted, drained = [], []
    for _ in range(rounds):
        daemon = Daemon(os.environ.get("DESCENTD"), flags=("--workers", "2"))
        try:
            small_network(daemon)
            connection = Connection(daemon)
            request = post("/v1/models/m:train", {"dataset": "iris", "epochs": 50, "seed": 1})
            begun = time.monotonic()
            assert {connection.ask(request) for _ in range(jobs)} == {202}
            submitted.append(time.monotonic() - begun)
            last = daemon.ask("GET", "/v1/jobs?limit=1")["jobs"][0]["id"]
            while unfinished(daemon):
                time.sleep(0.01)
            drained.append(time.monotonic() - begun)
            assert daemon.ask("GET", f"/v1/jobs/{last}")["state"] == "succeeded"
        finally:
            daemon.stop()
    for what, taken, bound in (("submitted", submitted, 1), ("submitted and trained", drained, 4)):
        print(f"queue: {jobs} jobs {what} in {statistics.median(taken):.2f} s (median of {rounds}, {min(taken):.2f} to {max(taken):.2f})"
              + judge(statistics.median(taken), bound))


def percentile(taken, share):
    return sorted(taken)[int(len(taken) * share)]


def latency(asks=4000, rounds=7):
    """The 99th percentile of a one-row prediction while every worker trains, beside that of an idle daemon, turn about."""
    daemon = Daemon(os.environ.get("DESCENTD"))
    idle, busy = [], []
    try:
        small_network(daemon)
        daemon.train("m", {"dataset": "iris", "epochs": 50, "seed": 1})
        daemon.ask("PUT", "/v1/models/large", {"dataset": "iris", "target": "species", "layers": [256, 256], "seed": 1})
        connection = Connection(daemon)
        request = post("/v1/models/m:predict", {"instances": [[5.1, 3.5, 1.4, 0.2]]})

        def ask(taken):
            for _ in range(asks):
                begun = time.perf_counter()
                connection.ask(request)
                taken.append(1e6 * (time.perf_counter() - begun))

        for _ in range(rounds):
            ask(idle)
            jobs = [daemon.ask("POST", "/v1/models/large:train", {"dataset": "iris", "epochs": 10_000_000, "batch_size": "full",
                                                                 "early_stopping": None})["id"] for _ in range(os.cpu_count())]
            while not all(daemon.ask("GET", f"/v1/jobs/{job}")["epoch"] for job in jobs):
                time.sleep(0.01)
            ask(busy)
            for job in jobs:
                daemon.ask("POST", f"/v1/jobs/{job}:cancel")
            while unfinished(daemon):
                time.sleep(0.01)
    finally:
        daemon.stop()
    figures = [[percentile(taken, share) for share in (0.5, 0.99)] for taken in (idle, busy)]
    ratio = figures[1][1] / figures[0][1]
    print(f"latency: a prediction takes {figures[0][0]:.0f} µs (99 % below {figures[0][1]:.0f}) of an idle daemon, "
          f"{figures[1][0]:.0f} µs (99 % below {figures[1][1]:.0f}) while all {os.cpu_count()} workers train: {ratio:.2f} times"
          + judge(ratio, 3))


def startup(jobs=10_000, points=1000, rounds=7):
    """Start to ready with 10,000 finished jobs and 10^7 points of their curves."""
    folder = tempfile.TemporaryDirectory()
    db = os.path.join(folder.name, "many.db")
    daemon = Daemon(os.environ.get("DESCENTD"), db=db)
    small_network(daemon)
    connection = Connection(daemon)
    request = post("/v1/models/m:train", {"dataset": "iris", "epochs": points, "seed": 1, "batch_size": "full",
                                          "record": "epoch"})
    assert {connection.ask(request) for _ in range(jobs)} == {202}
    while unfinished(daemon):
        time.sleep(0.1)
    daemon.stop()
    taken = []
    for _ in range(rounds):
        daemon = Daemon(os.environ.get("DESCENTD"), db=db)
        taken.append(1000 * daemon.ready_seconds)
        assert daemon.ask("GET", "/v1/system")["store"]["jobs"] == jobs
        assert daemon.ask("GET", f"/v1/jobs/{jobs}/curve?points=10")["total"] == points
        daemon.stop()
    print(f"startup: {jobs:,} jobs with {jobs * points:,} points, {os.path.getsize(db) >> 20} MiB: {statistics.median(taken):.0f} ms "
          f"(median of {rounds}, {min(taken):.0f} to {max(taken):.0f})" + judge(statistics.median(taken), 300))


def lost(every=1.0, rounds=9):
    """How much work a kill costs a job that is to lose at most so many seconds of it."""
    folder = tempfile.TemporaryDirectory()
    db, taken, numbers = os.path.join(folder.name, "lost.db"), [], random.Random(1)
    daemon = Daemon(os.environ.get("DESCENTD"), db=db, flags=("--workers", "1", "--threads", "1"))
    small_network(daemon)
    job = daemon.ask("POST", "/v1/models/m:train", {"dataset": "iris", "epochs": 10_000_000, "early_stopping": None,
                                                    "checkpoint_every_seconds": every})["id"]
    for _ in range(rounds):
        time.sleep(every + numbers.uniform(0, 2 * every))
        before, at = daemon.ask("GET", f"/v1/jobs/{job}"), time.monotonic()
        while (now := daemon.ask("GET", f"/v1/jobs/{job}"))["epoch"] == before["epoch"] or time.monotonic() < at + 0.2:
            time.sleep(0.01)
        rate = (now["epoch"] - before["epoch"]) / (time.monotonic() - at)
        daemon.process.kill()
        daemon.process.wait()
        with sqlite3.connect(db) as file:
            kept = file.execute("SELECT max(epoch) FROM checkpoint WHERE job = ?", (job,)).fetchone()[0]
        taken.append((now["epoch"] - kept) / rate)
        daemon = Daemon(os.environ.get("DESCENTD"), db=db, flags=("--workers", "1", "--threads", "1"))
    daemon.stop()
    print(f"lost: checkpoints every {every} s, a kill costs {statistics.median(taken):.2f} s of work (median of {rounds}, at most "
          f"{max(taken):.2f})" + judge(max(taken), every + 0.2))


FIGURES = {f.__name__: f for f in (record, curve, watchers, polling, queue, latency, startup, lost)}

if __name__ == "__main__":
    for name in sys.argv[1:] or FIGURES:
        FIGURES[name]()
