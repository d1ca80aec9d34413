"""The engine against what people would use instead, and against its own matrix products.

usage: bench/engine.py [ROUNDS [TASK...]]     (`make bench-engine`; peers: python3-torch python3-sklearn libfann-dev)

Everything runs turn about, ROUNDS times (5); a figure is the median of the rounds, (lowest .. highest) beside it. A ratio is
taken within each round. One thread, float32, Adam (FANN has its own algorithms), and CPU time, which a busy machine changes
less than the clock's; two threads are timed by the clock. The peers' OpenBLAS does not know every
CPU, so each peer is tried with the settings of CORES on each task, and the faster one is kept.

The products of a step are those of bench/support/products.c, each at the speed of the fastest library for its shape. The
bound is how often a step of nothing but those products would fit into one of PyTorch's: no engine can beat it by more.
"""
import importlib.metadata
import os
import statistics
import subprocess
import sys
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BENCH_BUILD", os.path.join(HERE, "..", "build", "release", "bench"))
CPU = open("/proc/cpuinfo", encoding="utf-8").read()
CORES = ("", "SkylakeX") if "avx512f" in CPU else ("",)  # OPENBLAS_CORETYPE; "": OpenBLAS's own choice
ROUNDS = 5
FANN_WORK = 2e8  # FANN, a row at a time, is given so many weights times rows and no more
NOISE = 0.03  # how much slower "never slower" may look

# rows and epochs are the peers'; ratio: the least over PyTorch; multiple: the most over the products; speedup: the least of
# two threads over one
Task = namedtuple("Task", "sizes batch rows epochs ratio multiple speedup")
TASKS = (Task("4-16-3", 32, 150, 40, 100, None, 1 - NOISE), Task("784-128-10", 64, 12800, 1, 5, 1.3, 1 - NOISE),
         Task("64-256-256-10", 128, 12800, 1, 4, 1.25, 1 - NOISE), Task("512-1024-1024-512", 256, 2560, 1, 1.4, 1.2, 1.8))
FORWARD_NS, READ_PERCENT = 150, 60  # a row through 4-16-3; 784-128-10 of the measured read bandwidth


def say(*command, core=""):
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **({"OPENBLAS_CORETYPE": core} if core else {})}
    return subprocess.run(command, env={**os.environ, **one}, capture_output=True, text=True, check=True).stdout


class Peer:
    def __init__(self, name, version, command, cores, work=float("inf")):
        self.name, self.version, self.command, self.cores, self.work = name, version, command, cores, work

    def speed(self, task, core):
        sizes = [int(size) for size in task.sizes.split("-")]
        rows = int(min(task.rows, self.work // sum(a * b for a, b in zip(sizes, sizes[1:]))))
        return float(say(*self.command, task.sizes, str(task.batch), str(rows), str(task.epochs), core=core))

    def best_core(self, task):
        return max(self.cores, key=lambda core: self.speed(task, core)) if len(self.cores) > 1 else self.cores[0]


def peers():
    """Those that are installed."""
    found = []
    for name, package, script in (("PyTorch", "torch", "train_pytorch.py"), ("scikit-learn", "scikit-learn", "train_sklearn.py")):
        try:
            version = importlib.metadata.version(package)
            found.append(Peer(name, version, (sys.executable, os.path.join(HERE, "support", script)), CORES))
        except importlib.metadata.PackageNotFoundError:
            print(f"{name} is not installed")
    fann = os.path.join(BUILD, "support", "train_fann")
    if os.path.exists(fann):
        found.append(Peer("FANN", say("pkg-config", "--modversion", "fann").strip(), (fann,), ("",), FANN_WORK))
    else:
        print("FANN is not installed")
    return found


def ours(task, *threads):
    """Samples a second, and microseconds a step."""
    words = say(os.path.join(BUILD, "train"), task.sizes, *threads).split()
    return float(words[1]), float(words[3])


def products(task):
    """Microseconds of a step's products, each by its fastest library."""
    best = {}
    for core in CORES:
        for line in say(os.path.join(BUILD, "support", "products"), task.sizes, str(task.batch), core=core).splitlines():
            product, times = tuple(line.split()[:4]), [word.split("=") for word in line.split()[4:]]
            if not times:
                return None
            best[product] = min(best.get(product, float("inf")), *(float(time) for _, time in times), float("inf"))
    return sum(best.values())


def middle(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} .. {max(values):.2f})"


def verdict(value, least=None, most=None):
    if least is None and most is None:
        return ""
    wanted = f">= {least:g}" if least is not None else f"<= {most:g}"
    fine = value >= least if least is not None else value <= most
    return f"{wanted:9s} {'ok' if fine else 'MISSED'}"


def compare(task, others, rounds):
    """One task: us, the peers, the products, turn about."""
    cores = {peer.name: peer.best_core(task) for peer in others}
    our_speed, our_step, theirs, alone = [], [], {peer.name: [] for peer in others}, []
    for _ in range(rounds):
        speed, step = ours(task)
        our_speed.append(speed)
        our_step.append(step)
        alone.append(products(task))
        for peer in others:
            theirs[peer.name].append(peer.speed(task, cores[peer.name]))
    print(f"\n{task.sizes}, batch {task.batch}: {statistics.median(our_speed):,.0f} samples/s, "
          f"{statistics.median(our_step):.2f} us a step")
    for name, speeds in theirs.items():
        ratios = [a / b for a, b in zip(our_speed, speeds)]
        core = f", OPENBLAS_CORETYPE={cores[name]}" if cores[name] else ""
        target = task.ratio if name == "PyTorch" else None
        print(f"  over {name:14s} {middle(ratios):32s} {verdict(statistics.median(ratios), least=target):18s} "
              f"{statistics.median(speeds):12,.0f} samples/s{core}")
    if None in alone:
        print("  no library of matrix products is installed")
        return
    multiples = [a / b for a, b in zip(our_step, alone)]
    print(f"  step / products     {middle(multiples):32s} {verdict(statistics.median(multiples), most=task.multiple):18s} "
          f"{statistics.median(alone):12,.2f} us of products")
    if "PyTorch" in theirs:
        bounds = [task.batch / speed * 1e6 / us for speed, us in zip(theirs["PyTorch"], alone)]
        print(f"  bound over PyTorch  {middle(bounds)}")


def forward(rounds):
    """One row through two nets, by bench/forward.c."""
    runs = [say(os.path.join(BUILD, "forward")).splitlines()[2:] for _ in range(rounds)]
    small, large = ([run[i].split() for run in runs] for i in (0, 1))
    ns, share = [float(row[1]) for row in small], [float(row[4]) for row in large]
    rate = statistics.median(float(row[2]) for row in large)
    print(f"\none row forward\n  4-16-3, ns          {middle(ns):32s} {verdict(statistics.median(ns), most=FORWARD_NS)}")
    print(f"  784-128-10, % read  {middle(share):32s} {verdict(statistics.median(share), least=READ_PERCENT):18s} "
          f"{rate:12,.1f} GB/s of weights")


def threads(tasks, rounds):
    if len(os.sched_getaffinity(0)) < 2:
        print("\none processor: two threads are not measured")
        return
    print("\ntwo threads over one")
    for task in tasks:
        ratios = [ours(task, "2")[0] / ours(task, "1")[0] for _ in range(rounds)]
        print(f"  {task.sizes:19s} {middle(ratios):32s} {verdict(statistics.median(ratios), least=task.speedup)}")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    tasks = [task for task in TASKS if len(sys.argv) < 3 or task.sizes in sys.argv[2:]]
    model = next(line.split(":")[1].strip() for line in CPU.splitlines() if line.startswith("model name"))
    print(f"{model}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")
    print(say(os.path.join(BUILD, "forward")).splitlines()[0])
    others = peers()
    print(", ".join(f"{peer.name} {peer.version}" for peer in others) + f"; {rounds} rounds")
    for task in tasks:
        compare(task, others, rounds)
        sys.stdout.flush()
    forward(rounds)
    threads(tasks, rounds)


if __name__ == "__main__":
    main()
