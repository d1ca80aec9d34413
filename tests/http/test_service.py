"""docker/descentd.service: how little is left open, that the daemon says what its Type waits for, and that it gets by with
the system calls that it is left."""
import os
import re
import shutil
import subprocess

import pytest

from data import example, iris_model
from harness import INSTRUMENTED, PATIENCE, REPOSITORY, STOP_SECONDS, wait_for

UNIT = REPOSITORY / "docker/descentd.service"
EXPOSURE_MAX = 1.5
needs_analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout


def settings(name):
    return [line.split("=", 1)[1] for line in UNIT.read_text().splitlines() if line.startswith(name + "=")]


@needs_analyze
def test_little_is_left_open():
    said = analyze("security", "--offline=true", "--no-pager", str(UNIT))
    level = float(re.search(r"Overall exposure level for descentd.service: ([0-9.]+)", said)[1])
    assert level <= EXPOSURE_MAX, said


def test_it_says_what_the_unit_waits_for():
    """test_notify.py holds the daemon to it."""
    assert settings("Type") == ["notify"] and int(settings("WatchdogSec")[0]) >= 30
    assert settings("MemoryDenyWriteExecute") == ["yes"]
    assert int(settings("TimeoutStopSec")[0]) > STOP_SECONDS / PATIENCE


def members(name):
    """The calls of a set, with those of the sets in it."""
    found = set()
    for line in analyze("syscall-filter", "--no-pager", name).splitlines()[1:]:
        word = line.split("#")[0].strip()
        found |= members(word) if word.startswith("@") else {word} - {""}
    return found


def allowed():
    """As systemd.exec(5) has it: the first list says what is allowed, the later ones take away and add."""
    found = set()
    for line in settings("SystemCallFilter"):
        change = set().union(*({word} if word[0] != "@" else members(word) for word in line.removeprefix("~").split()))
        found = found - change if line.startswith("~") else found | change
    return found | members("@default")


def life(daemon):
    """Something of everything: an upload, a training with threads and a file of scratch, a prediction, a watcher, an end."""
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model(seed=1))
    c.train("m", {"dataset": "iris", "epochs": 20})
    c.predict("m", [[5.1, 3.5, 1.4, 0.2]])
    c.get("/v1/system")
    c.get("/metrics")
    c.delete("/v1/models/m")


@needs_analyze
@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
@pytest.mark.skipif(INSTRUMENTED != "", reason="calls of its own")
def test_it_gets_by_with_the_calls_it_is_left(start, tmp_path):
    daemon = start("--workers", 2, "--threads", 2, run=False)
    log = tmp_path / "calls"
    inner = daemon.arguments
    daemon.arguments = ["strace", "-f", "-qq", "-o", str(log), "-e", "signal=none", *inner]
    daemon.run()
    life(daemon)
    strace = daemon.process
    children = f"/proc/{strace.pid}/task/{strace.pid}/children"
    with open(children, encoding="utf-8") as file:
        subprocess.run(["kill", "-TERM", file.read().split()[0]], check=True)
    wait_for("the daemon to end", lambda: strace.poll() is not None, 4 * STOP_SECONDS)
    called = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[( ]", log.read_text(), re.MULTILINE)) - {"execve"}
    if os.geteuid() == 0:
        called.discard("fchown")  # SQLite gives its files to the database's owner, when it may
    assert {"sched_setscheduler", "setpriority", "fdatasync", "epoll_wait"} <= called, called
    assert called <= allowed(), f"the unit forbids {sorted(called - allowed())}"
