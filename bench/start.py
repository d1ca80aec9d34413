"""From the start of the process to the first ready answer, with an existing database of 100 MB.

usage: bench/start.py [STARTS]     (make sets DESCENTD)
"""
import os
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from daemon import Daemon

TARGET_BYTES = 100_000_000


def fill(path, program):
    """A model, jobs and data sets until the file has its size."""
    daemon = Daemon(program, db=path)
    rows = b"a,b,c\n" + b"".join(b"%d.25,%d.5,%d\n" % (i, i * 7 % 1000, i % 3) for i in range(200_000))
    count = 0
    while os.path.getsize(path) < TARGET_BYTES:
        daemon.ask("PUT", f"/v1/datasets/d{count}", rows + b"%d,1,2\n" % count, "text/csv")
        count += 1
        daemon.ask("GET", "/v1/system")
    daemon.stop()


def main():
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    program = os.environ.get("DESCENTD")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hundred.db")
        fill(path, program)
        times = []
        for _ in range(starts):
            daemon = Daemon(program, db=path)
            times.append(daemon.ready_seconds)
            daemon.stop()
        print(f"database of {os.path.getsize(path) / 1e6:.0f} MB: ready after {statistics.median(times) * 1000:.0f} ms "
              f"(median of {starts}, {min(times) * 1000:.0f} to {max(times) * 1000:.0f}): "
              f"{'ok' if statistics.median(times) < .2 else 'ABOVE 200 ms'}")


if __name__ == "__main__":
    main()
