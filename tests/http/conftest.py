"""Fixtures of the black-box suite: a daemon with a database of its own for each module, more on demand."""
import os
import zlib

import pytest

from data import example
from harness import BINARY, Daemon


def pytest_sessionstart(session):
    if not os.access(BINARY, os.X_OK) and not session.config.option.collectonly:
        pytest.exit(f"{BINARY} is not there: run make first", returncode=2)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """The module's daemon, which must end well."""
    daemon = Daemon(tmp_path_factory.mktemp("daemon"), "--workers", 2, "--threads", 2).run()
    try:
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@pytest.fixture
def c(daemon):
    """A client of the module's daemon; jobs that a test leaves behind end with it."""
    client = daemon.client()
    yield client
    left = daemon.client()
    for state in ("queued", "running"):
        for job in left.get(f"/v1/jobs?state={state}")["jobs"]:
            left.cancel(job["id"], status=(200, 409))


@pytest.fixture
def iris(c):
    """The data set iris is there."""
    c.csv("iris", example("iris"))
    return "iris"


@pytest.fixture
def start(tmp_path_factory):
    """start(arguments, …) runs one more daemon; all are gone after the test."""
    daemons = []

    def new(*arguments, folder=None, run=True, **more):
        daemon = Daemon(folder or tmp_path_factory.mktemp("daemon"), *arguments, **more)
        daemons.append(daemon)
        return daemon.run() if run else daemon

    yield new
    for daemon in daemons:
        daemon.end()


@pytest.fixture
def fresh(request):
    """A name for this test alone, short enough to have something added."""
    kept = "".join(ch if ch.isascii() and ch.isalnum() else "-" for ch in request.node.name.removeprefix("test_"))
    return f"{kept[:24].strip('-')}-{zlib.crc32(request.node.name.encode()):08x}"
