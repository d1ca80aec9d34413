"""A CSV of 1 GB into the daemon: how fast, and how much memory it takes at the most.

usage: bench/upload.py [MEGABYTES]     (make sets DESCENTD)

The rows are made while they are sent, so that only the daemon's memory counts: VmHWM of /proc/PID/status.
"""
import http.client
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from daemon import Daemon

LIMIT_BYTES = 200_000_000


def rows(megabytes):
    """One header, then blocks of rows: eight numbers and two words."""
    draw = random.Random(1)
    yield b"a,b,c,d,e,f,g,h,city,kind\n"
    block = "".join(",".join(f"{draw.uniform(-100, 100):.4f}" for _ in range(8))
                    + f",city{draw.randrange(5000)},kind{draw.randrange(7)}\n" for _ in range(12000)).encode()
    for _ in range(max(1, megabytes * 1_000_000 // len(block))):
        yield block


def main():
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    daemon = Daemon(os.environ.get("DESCENTD"))
    try:
        before = daemon.status("VmHWM")
        connection = http.client.HTTPConnection(daemon.url.removeprefix("http://"))
        started = time.monotonic()
        connection.request("PUT", "/v1/datasets/large", rows(megabytes), {"Content-Type": "text/csv"},
                           encode_chunked=True)
        answer = connection.getresponse()
        body = answer.read(300)
        seconds = time.monotonic() - started
        peak = daemon.status("VmHWM")
        print(f"{answer.status} {body[:80].decode()}…")
        print(f"{megabytes} MB in {seconds:.1f} s ({megabytes / seconds:.0f} MB/s); resident memory {before / 1e6:.0f} MB "
              f"before, {peak / 1e6:.0f} MB at most: {'ok' if peak < LIMIT_BYTES else 'ABOVE 200 MB'}")
        connection.close()
    finally:
        daemon.stop()


if __name__ == "__main__":
    main()
