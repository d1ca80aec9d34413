"""test_backup.py - a copy of the database while it is in use, and back: what was acknowledged before a backup began is in it,
and it is one state; a restore that is killed anywhere leaves the old database or the new one, each with its log."""
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from data import trained
from harness import BINARY, PATIENCE, clean_environment, traced_environment, wait_for

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, None]]
NOISE = "a,b,c\n" + "".join(f"{(i + 1) / 7919},{(i + 1) / 3},{(i + 1) / 11}\n" for i in range(250_000))  # 6 MB in the database


def command(*arguments, status=0, **more):
    """What a command of descentd says: on stdout, or for a status that is not 0 one sentence on stderr."""
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, env=clean_environment(), **more)
    assert (done.returncode != 0) == (status != 0), (arguments, done.stdout, done.stderr)
    said = done.stderr if status else done.stdout
    if status:
        assert said.startswith("descentd: ") and said.count("\n") == 1 and not done.stdout, said
    return said


def look(path):
    """The names of the models in a database, which SQLite finds in order."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        found = [name for name, in db.execute("SELECT name FROM model ORDER BY created_ms, rowid")]
    db.close()
    return found


def model(c, name):
    c.put(f"/v1/models/{name}", {"inputs": 1, "outputs": 1, "layers": []})


@pytest.fixture
def made(start, tmp_path):
    """A daemon on one.db with a network that was trained."""
    daemon = start(database=tmp_path / "one.db")
    trained(daemon.client(), "iris")
    return daemon


def test_a_backup_over_http(start, made, tmp_path):
    c = made.client()
    before = c.predict("iris", ROWS).json
    answer = c.request("POST", "/v1/backup", status=200)
    assert answer.headers["Content-Type"] == "application/vnd.sqlite3" and "no-store" in answer.headers["Cache-Control"]
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    copy = tmp_path / "copy.db"
    copy.write_bytes(answer.body)
    assert look(copy) == ["iris"]
    again = start(database=copy)
    assert again.client().predict("iris", ROWS).json == before, "to the last bit"
    again.stop()
    assert not list(tmp_path.glob("*-unfinished-*")) and not list(tmp_path.glob("copy.db-*"))


def test_a_backup_beside_a_daemon_and_without_one(start, made, tmp_path):
    beside, alone = tmp_path / "beside.db", tmp_path / "alone.db"
    assert str(beside) in command("backup", beside, "--db", made.database)
    made.stop()
    command("backup", alone, "--db", made.database)
    assert beside.read_bytes()[100:] == alone.read_bytes()[100:]
    assert (alone.stat().st_mode & 0o777) == 0o600, "it holds what the database holds"
    kept = alone.read_bytes()
    assert "there already" in command("backup", alone, "--db", made.database, status=1)
    assert alone.read_bytes() == kept
    (tmp_path / "link.db").symlink_to(tmp_path / "nowhere.db")
    assert "there already" in command("backup", tmp_path / "link.db", "--db", made.database, status=1)
    assert "nothing.db" in command("backup", tmp_path / "x.db", "--db", tmp_path / "nothing.db", status=1)
    assert "no/x.db" in command("backup", tmp_path / "no" / "x.db", "--db", made.database, status=1)
    command("backup", status=2)
    assert not list(tmp_path.glob("*-unfinished-*"))


def test_after_a_kill_a_backup_has_what_only_the_log_has(start, made, tmp_path):
    model(made.client(), "last")
    made.kill()
    before = made.database.read_bytes()
    command("backup", tmp_path / "b.db", "--db", made.database)
    assert look(tmp_path / "b.db") == ["iris", "last"]
    assert made.database.read_bytes() == before, "who backs up does not write"
    again = start(database=made.database)
    assert [m["name"] for m in again.client().get("/v1/models")["models"]] == ["iris", "last"]
    again.stop()


@pytest.mark.parametrize("how", ["http", "command"])
def test_a_backup_is_one_state(start, tmp_path, how):
    """Models are made one after another while it is copied slowly: those that were there when it began, and of the later ones
    the first so many. The daemon writes and answers meanwhile."""
    daemon = start("--backup-rate", "4M", database=tmp_path / "d.db")
    c, other = daemon.client(timeout=120), daemon.client()
    c.csv("noise", NOISE)
    done, names = threading.Event(), []

    def change():
        while not done.is_set():
            model(other, f"m{len(names):05}")
            names.append(f"m{len(names):05}")
    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    wait_for("some models", lambda: len(names) > 5)
    first, copy = len(names), tmp_path / "copy.db"
    if how == "http":
        copy.write_bytes(c.request("POST", "/v1/backup", status=200).body)
    else:
        command("backup", copy, "--db", daemon.database, "--backup-rate", "4M")
    last = len(names)
    done.set()
    thread.join(30)
    found = look(copy)
    assert found == names[:len(found)] and first <= len(found) <= last + 1
    assert last - first > 5, "the daemon writes while it is copied"
    assert copy.stat().st_size > 4 << 20
    daemon.stop()


def test_one_at_a_time_and_no_longer_than_wanted(start, tmp_path):
    daemon = start("--backup-rate", "1M", database=tmp_path / "d.db")
    c = daemon.client(timeout=120)
    c.csv("noise", NOISE)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(daemon.client(timeout=120).request("POST", "/v1/backup", status=200)), daemon=True)
    thread.start()
    wait_for("it to begin", lambda: list(tmp_path.glob("*-unfinished-*")))
    assert "another backup" in c.request("POST", "/v1/backup", status=409).sentence()
    thread.join(60)
    assert len(answers) == 1 and len(answers[0].body) > 4 << 20
    c.request("POST", "/v1/backup", headers={"Request-Timeout": "0.2"}, status=504)
    c.request("POST", "/v1/backup", body=b"{}", status=413)
    assert not list(tmp_path.glob("*-unfinished-*"))
    thread = threading.Thread(target=lambda: answers.append(daemon.client(timeout=120).request("POST", "/v1/backup", status=503)), daemon=True)
    thread.start()
    wait_for("it to begin", lambda: list(tmp_path.glob("*-unfinished-*")))
    daemon.stop()
    thread.join(30)
    assert not list(tmp_path.glob("*-unfinished-*"))


def test_what_a_killed_backup_left(start, tmp_path):
    """The daemon's goes at its next start; a command ends on SIGTERM, and takes its own away."""
    daemon = start("--backup-rate", "1M", database=tmp_path / "d.db")
    daemon.client().csv("noise", NOISE)
    threading.Thread(target=lambda: pytest.raises(OSError, daemon.client().request, "POST", "/v1/backup"), daemon=True).start()
    wait_for("it to begin", lambda: list(tmp_path.glob("*-unfinished-*")))
    daemon.kill()
    assert list(tmp_path.glob("*-unfinished-*"))
    daemon.run()
    assert not list(tmp_path.glob("*-unfinished-*"))
    copying = subprocess.Popen([BINARY, "backup", tmp_path / "b.db", "--db", daemon.database, "--backup-rate", "1M"],
                               stderr=subprocess.PIPE, text=True)
    wait_for("it to begin", lambda: list(tmp_path.glob("*-unfinished-*")))
    copying.send_signal(signal.SIGTERM)
    assert "stopped" in copying.communicate(timeout=30)[1] and copying.returncode == 1
    assert not list(tmp_path.glob("*-unfinished-*")) and not (tmp_path / "b.db").exists()
    daemon.stop()


def test_a_client_that_leaves_a_download(start, tmp_path):
    """Its file is given back, and the next one may have one."""
    daemon = start("--backup-rate", "1G", database=tmp_path / "d.db")
    daemon.client().csv("noise", NOISE)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", daemon.port)) as s:
            s.sendall(f"POST /v1/backup HTTP/1.1\r\nHost: localhost:{daemon.port}\r\nContent-Length: 0\r\n\r\n".encode())
            s.settimeout(30)
            assert s.recv(100).startswith(b"HTTP/1.1 200")
    gone = lambda: not [what for what in daemon.descriptors().values() if "unfinished" in what]
    wait_for("the files to be closed", gone)
    assert len(daemon.client(timeout=60).request("POST", "/v1/backup", status=200).body) > 4 << 20
    daemon.stop()


def test_a_reader_that_stays_does_not_stop_the_writer(start, tmp_path):
    """Past 64 MiB of log the writer waited five seconds for it at every commit."""
    daemon = start(database=tmp_path / "d.db")
    c = daemon.client(timeout=120)
    c.csv("first", "a\n1\n")
    reader = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM dataset").fetchone()
    log = tmp_path / "d.db-wal"
    for i in range(40):
        c.csv(f"noise{i}", NOISE)
        if log.stat().st_size > 70 << 20:
            break
    begun = time.monotonic()
    for i in range(20):
        model(c, f"m{i}")
    assert time.monotonic() - begun < 60
    reader.execute("COMMIT")
    reader.close()
    for i in range(20):
        model(c, f"n{i}")
    daemon.stop()
    assert not log.exists() and len(look(daemon.database)) == 40


# ---- restore ----

@pytest.fixture
def two(start, tmp_path):
    """A database old.db with the model old, killed so that it lives in its log, and a backup new.db with the model new."""
    for name in ("new", "old"):
        daemon = start(database=tmp_path / f"{name}.db")
        daemon.client().csv("d", "a\n1\n")
        model(daemon.client(), name)
        if name == "new":
            command("backup", tmp_path / "backup", "--db", daemon.database)
            daemon.stop()
            daemon.database.unlink()
    daemon.kill()
    return tmp_path / "old.db", tmp_path / "backup"


def models(start, database):
    daemon = start(database=database)
    found = [m["name"] for m in daemon.client().get("/v1/models")["models"]]
    daemon.stop()
    return found


def test_restore(start, two, tmp_path):
    old, backup = two
    fresh = tmp_path / "fresh.db"
    assert str(fresh) in command("restore", backup, "--db", fresh)
    assert models(start, fresh) == ["new"]
    assert "--force" in command("restore", backup, "--db", old, status=1)
    assert models(start, shutil.copy(old, tmp_path / "seen.db")) == [], "the log is needed"
    said = command("restore", backup, "--db", old, "--force")
    kept = tmp_path / "old.db.before-restore-1"
    assert str(kept) in said
    assert not (tmp_path / "old.db-wal").exists(), "it would be replayed into the new one"
    assert models(start, old) == ["new"]
    assert models(start, kept) == ["old"], "with its log"
    command("restore", backup, "--db", old, "--force")
    assert (tmp_path / "old.db.before-restore-2").exists() and models(start, old) == ["new"]


def test_restore_refuses(start, two, tmp_path):
    old, backup = two
    before = old.read_bytes()
    daemon = start(database=old)
    assert "another daemon" in command("restore", backup, "--db", old, "--force", status=1)
    daemon.kill()
    for name, content in (("text", b"hello\n" * 1000), ("empty", b""), ("cut", backup.read_bytes()[:100_000]),
                          ("newer", backup.read_bytes()[:60] + b"\0\0\x7f\0" + backup.read_bytes()[64:]),
                          ("foreign", backup.read_bytes()[:68] + b"\0\0\0\7" + backup.read_bytes()[72:])):
        (tmp_path / name).write_bytes(content)
        assert name in command("restore", tmp_path / name, "--db", old, "--force", status=1)
    damaged = bytearray(backup.read_bytes())
    for page in range(2, len(damaged) // 8192):
        damaged[page * 8192:page * 8192 + 8] = b"\x55" * 8
    (tmp_path / "damaged").write_bytes(damaged)
    assert "damaged" in command("restore", tmp_path / "damaged", "--db", old, "--force", status=1)
    assert "gone" in command("restore", tmp_path / "gone", "--db", old, "--force", status=1)
    assert models(start, old) == ["old"]
    assert not list(tmp_path.glob("*before-restore*")) and not list(tmp_path.glob("*-unfinished-*"))


def test_a_log_without_its_database_is_not_replayed(start, two, tmp_path):
    old, backup = two
    command("restore", backup, "--db", old, "--force")
    (tmp_path / "old.db.before-restore-1-wal").rename(tmp_path / "old.db-wal")
    old.unlink()
    kept = (tmp_path / "old.db-wal").read_bytes()
    assert "old.db-wal" in command("restore", backup, "--db", old, status=1)
    command("restore", backup, "--db", old, "--force")
    assert models(start, old) == ["new"]
    assert (tmp_path / "old.db.before-restore-2-wal").read_bytes() == kept


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not here")
@pytest.mark.parametrize("finish", ["daemon", "restore"])
def test_a_restore_killed_at_each_step(start, two, tmp_path, finish):
    """SIGKILL at every call that changes the file system: there is the old database with its log, or the new one."""
    calls = "rename,renameat2,unlink,fsync,fdatasync,fchmod,fchown,openat,pwrite64"
    old, backup = two
    source = tmp_path / "source"
    source.mkdir()
    for path in (old, tmp_path / "old.db-wal", tmp_path / "old.db-shm"):
        shutil.move(path, source)
    traced = subprocess.run(["strace", "-f", "-o", tmp_path / "trace", "-e", f"trace={calls}", BINARY, "restore", backup, "--db",
                             tmp_path / "count.db"], capture_output=True, timeout=60 * PATIENCE, env=traced_environment())
    assert traced.returncode == 0, traced.stderr
    seen = []
    names = [name for name in calls.split(",") if name not in ("openat", "pwrite64")] if finish == "daemon" else calls.split(",")[:4]
    for call in names:
        for when in range(1, 40):
            work = tmp_path / f"{call}{when}"
            work.mkdir()
            for path in source.iterdir():
                shutil.copy(path, work)
            done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={when}", BINARY,
                                   "restore", backup, "--db", work / "old.db", "--force"], capture_output=True, timeout=60 * PATIENCE,
                                  env=traced_environment())
            if done.returncode == 0:
                break
            if finish == "restore":
                command("restore", backup, "--db", work / "old.db", "--force")
                assert models(start, work / "old.db") == ["new"]
            else:
                found = models(start, work / "old.db")
                seen.append(found[0])
                assert found in (["old"], ["new"]), (call, when)
            kept = [p for p in work.glob("old.db.before-restore-?")]
            if finish == "restore" or found == ["new"]:
                assert "old" in [m for p in kept for m in models(start, p)], (call, when)
            shutil.rmtree(work)
        assert when < 39
    assert finish == "restore" or {"old", "new"} == set(seen), "there were kills before and after the moment that counts"
