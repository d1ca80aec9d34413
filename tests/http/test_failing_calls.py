"""One system call that fails at the wrong moment (strace injects it): what `make faults` found, each with its story."""
import itertools
import os
import shutil
import subprocess

import pytest

from harness import BINARY, Daemon, clean_environment
from test_backup import look, model, models, two # noqa: F401 (a fixture)
from tokens import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not here")
MOST = 60 # calls of a kind


def failing(call, error, when):
    """A command in front of the program; who is traced cannot be looked at for leaks (LeakSanitizer says so and fails)."""
    leaks = f"ASAN_OPTIONS={os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0"
    return ["strace", "-E", leaks, "-D", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}"]


def test_a_restore_that_cannot_tell_what_is_there(start, two, tmp_path): # noqa: F811
    """It took what it could not look for as not there: it overwrote the database, without --force, or one it had kept before."""
    old, backup = two
    folder = tmp_path / "work"
    refused = set()
    for when, force in itertools.product(range(1, 10), (False, True)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in (old, tmp_path / "old.db-wal"):
            shutil.copy(path, folder)
        (folder / "old.db.before-restore-1").write_bytes(b"precious")
        done = subprocess.run([*failing("faccessat2", "EIO", when), BINARY, "restore", backup, "--db", folder / "old.db",
                               *(("--force",) if force else ())], capture_output=True, text=True, timeout=60, env=clean_environment())
        assert done.returncode in (0, 1) and (force or done.returncode), (when, force, done.stderr)
        assert (folder / "old.db.before-restore-1").read_bytes() == b"precious", (when, force)
        now = models(start, folder / "old.db") # the start finishes what was decided
        assert now == ["old"] or force and now == ["new"] and models(start, folder / "old.db.before-restore-2") == ["old"], (when, force)
        refused.add((force, "cannot tell whether" in done.stderr))
    assert refused == set(itertools.product((False, True), repeat=2))


@pytest.mark.parametrize("command", ["backup", "repair"])
def test_a_file_that_is_there_and_cannot_be_looked_for(start, tmp_path, command):
    """repair took it for its own, and wrote into it."""
    daemon = start(database=tmp_path / "d.db")
    model(daemon.client(), "kept")
    daemon.stop()
    to = tmp_path / "to.db"
    shutil.copy(daemon.database, to)
    before = to.read_bytes()
    for call, when in itertools.product(("access", "faccessat2"), range(1, 6)): # each of its own count
        done = subprocess.run([*failing(call, "EIO", when), BINARY, command, to, "--db", daemon.database], capture_output=True, text=True,
                              timeout=60, env=clean_environment())
        assert done.returncode in (1, 2) and done.stderr.startswith("descentd: "), (call, when, done)
        assert to.read_bytes() == before, (call, when)
    assert look(daemon.database) == ["kept"]


def test_a_credential_that_cannot_be_looked_for(tmp_path):
    """The daemon took it as not given, and let everybody in."""
    (tmp_path / "token").write_text(ROOT + "\n")
    (tmp_path / "token").chmod(0o600)
    refused = 0
    for when in range(1, 8):
        daemon = Daemon(tmp_path, "--workers", 1, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
        daemon.arguments = [*failing("access", "EIO", when), *daemon.arguments]
        try:
            daemon.run()
        except AssertionError:
            assert daemon.process.poll() == 1, daemon.log()
            refused += 1
            continue
        try:
            daemon.client().get("/v1/models", status=401)
            daemon.stop()
        finally:
            daemon.kill()
    assert refused < 7


@pytest.mark.parametrize("call", ["eventfd2", "epoll_create1", "socket"])
def test_a_start_without_descriptors(tmp_path, call):
    """When the loop of the socket for commands could not be made, the others were stopped twice: the process ended by an abort."""
    for when in range(1, MOST):
        daemon = Daemon(tmp_path, "--workers", 1)
        daemon.arguments = [*failing(call, "EMFILE", when), *daemon.arguments]
        try:
            daemon.run()
        except AssertionError:
            assert daemon.process.poll() in (1, 2), (when, daemon.log())
            daemon.log_path.unlink()
            continue
        daemon.stop()
        break
    assert 1 < when < MOST - 1
