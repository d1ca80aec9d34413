"""What a service manager is told over $NOTIFY_SOCKET, and that the watchdog is silent once something hangs.

To hang means here that one thread of the daemon is stopped (ptrace), and no other.
"""
import ctypes
import os
import secrets
import signal
import socket
import time

import pytest

from harness import wait_for

WATCHDOG_SECONDS = 0.4
SILENCE_SECONDS = 5 * WATCHDOG_SECONDS  # in which a daemon that is well says it ten times
PATIENCE_SECONDS = 30
PTRACE_ATTACH, PTRACE_DETACH, WALL = 16, 17, 0x40000000


class Manager:
    """The socket of a service manager."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(PATIENCE_SECONDS)

    def next(self):
        return self.socket.recv(4096).decode()

    def next_but(self, dull="WATCHDOG=1"):
        while (said := self.next()) == dull:
            pass
        return said

    def waiting(self):
        """What was said and not read yet."""
        self.socket.setblocking(False)
        said = []
        try:
            while True:
                said.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return said
        finally:
            self.socket.settimeout(PATIENCE_SECONDS)


@pytest.fixture
def manager(tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


def environment(tmp_path, **more):
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), **more}


def watched(tmp_path):
    return environment(tmp_path, WATCHDOG_USEC=str(int(WATCHDOG_SECONDS * 1e6)))


def test_the_life_of_a_daemon_in_order(start, manager, tmp_path):
    daemon = start(environment=environment(tmp_path), run=False)
    daemon.launch()
    assert manager.next() == "READY=1"
    assert daemon.listening(), "it is ready before it can be reached"
    daemon.client().get("/readyz")
    before = time.monotonic_ns() // 1000
    daemon.process.send_signal(signal.SIGHUP)
    reloading, at = manager.next().split("\nMONOTONIC_USEC=")
    assert reloading == "RELOADING=1" and before <= int(at) <= time.monotonic_ns() // 1000
    assert manager.next() == "READY=1"
    daemon.stop()
    assert manager.waiting() == ["STOPPING=1"], "and without WATCHDOG_USEC no sign of life"


def test_an_abstract_name(start):
    name = "descentd-test-" + secrets.token_hex(8)
    manager = Manager("\0" + name)
    daemon = start(environment={"NOTIFY_SOCKET": "@" + name})
    assert manager.next() == "READY=1"
    daemon.stop()
    assert manager.next() == "STOPPING=1"
    manager.socket.close()


@pytest.mark.parametrize("name", ["relative/path", "@", "/" + 200 * "x", "/nowhere/at/all"])
def test_a_manager_that_cannot_be_told_is_done_without(start, name):
    daemon = start(environment={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000"})
    daemon.client().get("/readyz")
    assert daemon.says("NOTIFY_SOCKET") if name != "/nowhere/at/all" else "NOTIFY_SOCKET" not in daemon.log()
    daemon.stop()


def test_a_start_that_fails_is_never_ready(start, manager, tmp_path):
    (tmp_path / "x.db").write_bytes(b"not a database" * 100)
    code, _ = start(environment=environment(tmp_path), database=tmp_path / "x.db", run=False).refused()
    assert code != 0 and manager.waiting() == ["STOPPING=1"]


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0", "unix:"])
def test_a_sign_of_life_twice_in_the_interval(start, manager, tmp_path, listen):
    if listen.startswith("["):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                pytest.skip("no IPv6 here")
    listen = listen + str(tmp_path / "socket") if listen == "unix:" else listen
    daemon = start(environment=watched(tmp_path), listen=listen)
    assert manager.next_but() == "READY=1"
    began = time.monotonic()
    for _ in range(10):
        assert manager.next() == "WATCHDOG=1"
    assert time.monotonic() - began >= 9 * WATCHDOG_SECONDS / 2 - WATCHDOG_SECONDS, "not more often than needed"
    assert not [line for line in daemon.log_lines() if line.get("event") == "request"], "the daemon's own look is no request"
    daemon.stop()
    assert manager.next_but() == "STOPPING=1"
    assert manager.waiting() in ([], ["WATCHDOG=1"]), "at most of a look that was under way"


def test_who_is_asked_as_somebody_else_is_silent(start, manager, tmp_path):
    daemon = start(environment={**watched(tmp_path), "WATCHDOG_PID": str(os.getpid())})
    assert manager.next() == "READY=1"
    time.sleep(SILENCE_SECONDS)
    daemon.stop()
    assert manager.waiting() == ["STOPPING=1"]


# ---- threads that hang ----

def ptrace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return libc.ptrace(request, thread, None, None) == 0


def threads(daemon):
    return [int(name) for name in os.listdir(f"/proc/{daemon.process.pid}/task")]


def of_thread(daemon, thread, file):
    with open(f"/proc/{daemon.process.pid}/task/{thread}/{file}", encoding="utf-8") as opened:
        return opened.read()


def written(daemon, thread):
    return int(of_thread(daemon, thread, "io").split("wchar: ")[1].split()[0])


def writer(daemon):
    """The thread that wrote the most, but for the first one, which made the database."""
    daemon.client().csv("big", "a,b\n" + "".join(f"{i},{i * 7919 % 1000003}\n" for i in range(100000)))
    others = [thread for thread in threads(daemon) if thread != daemon.process.pid]
    return [max(others, key=lambda thread: written(daemon, thread))]


def loops(daemon):
    """libmicrohttpd gives its threads a name."""
    return [thread for thread in threads(daemon) if of_thread(daemon, thread, "comm").startswith("MHD")]


@pytest.mark.parametrize("which", [writer, loops])
def test_silence_while_a_thread_hangs(start, manager, tmp_path, which):
    daemon = start("--loops", 2, environment=watched(tmp_path))
    assert manager.next_but() == "READY=1"
    found = which(daemon)
    assert found, "the thread to stop was not found"
    stopped = []
    try:
        for thread in found:
            if not ptrace(PTRACE_ATTACH, thread):
                pytest.skip("no ptrace here")
            os.waitpid(thread, WALL)
            stopped.append(thread)
        time.sleep(WATCHDOG_SECONDS)  # what was under way
        manager.waiting()
        time.sleep(SILENCE_SECONDS)
        assert manager.waiting() == []
    finally:
        for thread in stopped:
            ptrace(PTRACE_DETACH, thread)
    assert manager.next() == "WATCHDOG=1", "and it is well again"
    daemon.stop()


def test_a_locked_database_is_no_reason_to_be_ended(start, manager, tmp_path):
    """Neither is a full disk: a restart would mend nothing, and predictions are still answered."""
    import sqlite3
    daemon = start(environment=watched(tmp_path))
    other = sqlite3.connect(daemon.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    wait_for("readyz to say so", lambda: daemon.client().get("/readyz", status=(200, 503)).status == 503)
    manager.waiting()
    assert manager.next() == "WATCHDOG=1" and manager.next() == "WATCHDOG=1"
    other.execute("ROLLBACK")
    other.close()
    daemon.stop()


def test_connections_that_fill_the_house_are_no_reason_either(start, manager, tmp_path):
    daemon = start("--max-connections", 256, environment=watched(tmp_path))
    held = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(256)]
    time.sleep(WATCHDOG_SECONDS)
    manager.waiting()
    assert manager.next() == "WATCHDOG=1" and manager.next() == "WATCHDOG=1"
    for connection in held:
        connection.close()
    daemon.stop()
