"""Training speed against PyTorch, one thread each, turn about; the figure is the median of the rounds' ratios.

usage: bench/train_vs_pytorch.py [ROUNDS]     (Debian: python3-torch; make sets BENCH_BUILD)
"""
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.path.join(os.environ.get("BENCH_BUILD", os.path.join(HERE, "..", "build", "release", "bench")), "train")
PEER = os.path.join(HERE, "support", "train_pytorch.py")
# Debian's OpenBLAS does not know newer Intel cores by itself and would be five times slower.
CORE = {"OPENBLAS_CORETYPE": "SkylakeX"} if "avx512f" in open("/proc/cpuinfo").read() else {}
ENVIRONMENT = {**os.environ, **CORE, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TASKS = (("4-16-3", "32", "150", "40"), ("784-128-10", "64", "12800", "1"), ("64-256-256-10", "128", "12800", "1"),
         ("512-1024-1024-512", "256", "5120", "1"))


def ours(task):
    out = subprocess.run([OURS, task], capture_output=True, text=True, check=True).stdout
    return float(out.split()[1])


def theirs(task):
    out = subprocess.run([sys.executable, PEER, *task], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return float(out.stdout)


def main():
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: apt-get install python3-torch")
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{'samples a second':18s} {'descentd':>12s} {'PyTorch ' + torch.__version__:>16s}   ratio")
    for task in TASKS:
        pairs = [(ours(task[0]), theirs(task)) for _ in range(rounds)]
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{task[0]:18s} {statistics.median(a for a, _ in pairs):12,.0f} "
              f"{statistics.median(b for _, b in pairs):16,.0f}   {ratio:.1f}", flush=True)


if __name__ == "__main__":
    main()
