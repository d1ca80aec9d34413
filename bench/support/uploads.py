"""Large CSV files for the benchmarks, and their way into the daemon.

A file is made in a temporary folder that goes with it. It is sent by sendfile through one socket, so that the client takes little
of the machine. Where pandas is installed (Debian: python3-pandas) its read_csv reads the same file; nothing else needs it.
"""
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

from daemon import Daemon

MEMORY_BYTES = 200_000_000
BLOCKS = 40


# ---- files ----

def block_of(size, row):
    rows, bytes_ = [], 0
    while bytes_ < size:
        rows.append(row())
        bytes_ += len(rows[-1]) + 1
    return rows


def write_blocks(out, header, rows):
    """The rows again and again, each time in another order."""
    out.write(header.encode() + b"\n")
    draw = random.Random(2)
    for _ in range(BLOCKS):
        draw.shuffle(rows)
        out.write(("\n".join(rows) + "\n").encode())


def temporary(make):
    """A file that make writes, gone when it is closed."""
    file = tempfile.NamedTemporaryFile(prefix="descentd-bench-", suffix=".csv")
    make(file)
    file.flush()
    return file


def make_mixed(out, megabytes=1000):
    """30 numbers (10 whole, 15 of two to six decimals, 5 doubles in full) and 5 categories of 2 to 20,000 values."""
    draw = random.Random(1)
    kinds = (2, 12, 50, 1000, 20_000)

    def row():
        whole = [str(draw.randrange(10 ** (1 + i % 6))) for i in range(10)]
        decimals = [f"{draw.gauss(50, 20):.{2 + i % 5}f}" for i in range(15)]
        doubles = [repr(draw.random()) for _ in range(5)]
        words = [f"{'value' if i else 'yes'} {draw.randrange(n)}" for i, n in enumerate(kinds)]
        return ",".join(whole + decimals + doubles + words)

    header = ",".join([f"n{i}" for i in range(30)] + [f"c{i}" for i in range(5)])
    write_blocks(out, header, block_of(megabytes * 1_000_000 // BLOCKS, row))


def make_wide(out, megabytes=400):
    """784 pixels, four of five of them black, and a digit: as MNIST is."""
    draw = random.Random(3)
    inked = ["0"] * 4 + [""]

    def row():
        cells = draw.choices(inked, k=784)
        return ",".join([cell or str(draw.randrange(256)) for cell in cells] + [str(draw.randrange(10))])

    header = ",".join([f"pixel{i}" for i in range(784)] + ["label"])
    write_blocks(out, header, block_of(megabytes * 1_000_000 // BLOCKS, row))


def make_long(out, rows=10_000_000):
    """19 numbers and what a few of them make."""
    draw = random.Random(4)

    def row():
        x = [round(draw.gauss(0, 1), 3) for _ in range(19)]
        return ",".join([*map(str, x), f"{x[0] * x[1] + x[2] - abs(x[3]) + draw.gauss(0, 0.1):.3f}"])

    write_blocks(out, ",".join([*(f"x{i}" for i in range(19)), "y"]), [row() for _ in range(rows // BLOCKS)])


# ---- an upload ----

def send(daemon, path, name, query=""):
    """PUTs a file through one socket, by sendfile: seconds, and the last of the answer."""
    host, port = daemon.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as to, open(path, "rb") as body:
        started = time.monotonic()
        to.sendall(f"PUT /v1/datasets/{name}{query} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/csv\r\nConnection: close\r\n"
                   f"Content-Length: {os.path.getsize(path)}\r\n\r\n".encode())
        to.sendfile(body)
        answer = b""
        while piece := to.recv(1 << 20):
            answer += piece
        seconds = time.monotonic() - started
    if not answer.startswith(b"HTTP/1.1 201"):
        raise SystemExit(f"the upload was answered {answer[:300]!r}")
    return seconds, answer


def upload(path, name, megabytes_a_second):
    """Uploads into a daemon of its own and prints how it went; the seconds."""
    size = os.path.getsize(path)
    daemon = Daemon(os.environ.get("DESCENTD"))
    try:
        before = daemon.status("VmHWM")
        seconds, _ = send(daemon, path, name)
        peak = daemon.status("VmHWM")
        cpu = sum(os.times()[2:4])  # not the daemon's: it still runs
    finally:
        daemon.stop()
    cpu = sum(os.times()[2:4]) - cpu
    rate = size / seconds / 1e6
    print(f"{name}: {size / 1e6:.0f} MB in {seconds:.2f} s, {rate:.0f} MB/s{judge(rate, megabytes_a_second)}; {cpu:.1f} s of CPU; resident "
          f"{before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most{judge(MEMORY_BYTES / 1e6, peak / 1e6)}", flush=True)
    return seconds


def judge(figure, least):
    return "" if least is None else " (ok)" if figure >= least else " (MISSED)"


def pandas_seconds(path):
    """By the clock and of CPU; None: pandas is not there."""
    program = ("import sys, time, pandas; t, c = time.monotonic(), time.process_time(); pandas.read_csv(sys.argv[1]); "
               "print(time.monotonic() - t, time.process_time() - c)")
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()] if not done.returncode else None
