"""descentd token: with a daemon and without, and the socket beside the database; what the first token closes, and what opens it."""
import os
import re
import socket
import stat
import subprocess
import time

import pytest

from harness import BINARY, Daemon, clean_environment, wait_for
from test_unix import Local
from tokens import ROLES, ROOT, bearer, command, created, guarded, root

TEXT = re.compile(r"dtk_[0-9a-f]{64}\n")


@pytest.fixture
def database(start, tmp_path):
    """A database that no daemon has at the moment."""
    daemon = start(folder=tmp_path)
    daemon.stop()
    return daemon.database


def failed(found, *words):
    assert found.returncode == 1 and not found.stdout, (found.returncode, found.stdout)
    assert len(found.stderr.strip().splitlines()) == 1, found.stderr
    for word in words:
        assert word in found.stderr, found.stderr


def shown(database):
    """{name: the line of descentd token list}"""
    found = command(database, "list")
    assert found.returncode == 0 and not found.stderr
    return {line.split()[1]: line for line in found.stdout.splitlines()[1:]}


@pytest.mark.parametrize("running", [False, True])
def test_it_works_with_a_daemon_and_without(start, tmp_path, running):
    daemon = start(folder=tmp_path)
    if not running:
        daemon.stop()
    made = command(daemon.database, "create", "ci", "--roles", "predict, read", "--models", "iris*, wine", "--expires", "90d", "--rate", "2.5",
                   "--max-models", "1", "--max-datasets", "2", "--max-bytes", "3M", "--max-jobs", "0")
    assert made.returncode == 0 and TEXT.fullmatch(made.stdout), "standard output is the token alone"
    assert "dtk_" not in made.stderr
    plain = command(daemon.database, "create", "plain")
    lines = shown(daemon.database)
    assert list(lines) == ["ci", "plain"]
    assert all(word in lines["ci"] for word in ("read,predict", "iris*,wine")) and "never" in lines["plain"] and "dtk_" not in str(lines)
    failed(command(daemon.database, "create", "ci"), "ci")
    if not running:
        daemon.run()
    c = daemon.client(headers=bearer(made.stdout.strip()))
    assert c.get("/v1/models").headers["RateLimit-Limit"] == "3"
    admin = daemon.client(headers=bearer(created(daemon.database, "admin", "--roles", ",".join(ROLES))))
    found = {token["name"]: token for token in admin.get("/v1/tokens")["tokens"]}
    assert found["ci"]["roles"] == ["read", "predict"] == found["plain"]["roles"]
    assert found["ci"]["models"] == ["iris*", "wine"] and found["ci"]["rate"] == 2.5
    assert found["ci"]["limits"] == {"models": 1, "datasets": 2, "bytes": 3 << 20, "jobs": 0}
    assert found["plain"]["limits"] == dict.fromkeys(("models", "datasets", "bytes", "jobs"))
    if not running:
        daemon.stop()
    gone = command(daemon.database, "revoke", found["plain"]["id"])
    assert gone.returncode == 0 and not gone.stdout
    failed(command(daemon.database, "revoke", found["plain"]["id"]), found["plain"]["id"])
    assert list(shown(daemon.database)) == ["ci", "admin"]
    if not running:
        daemon.run()
    daemon.client().get("/v1/models", headers=bearer(plain.stdout.strip()), status=401)
    daemon.stop()


@pytest.mark.parametrize("arguments, words", [
    (("create",), ("NAME",)), (("create", "a", "b"), ("b",)), (("create", "with space"), ("name",)), (("create", ""), ("name",)),
    (("create", "x" * 65), ("name",)), (("create", "a", "--roles", "reed"), ("--roles", "reed")), (("create", "a", "--roles", ""), ("--roles",)),
    (("create", "a", "--models", "a b"), ("--models",)), (("create", "a", "--models", ""), ("--models",)),
    (("create", "a", "--expires", "soon"), ("--expires", "soon")), (("create", "a", "--expires", "0"), ("--expires",)),
    (("create", "a", "--expires", "5w"), ("--expires",)), (("create", "a", "--rate", "0"), ("--rate",)), (("create", "a", "--rate", "fast"), ("--rate",)),
    (("create", "a", "--rate", "-1"), ("--rate",)), (("create", "a", "--rate", "nan"), ("--rate",)), (("create", "a", "--rate", "2000000"), ("--rate",)),
    (("create", "a", "--max-models", "-1"), ("--max-models",)), (("create", "a", "--max-bytes", "lots"), ("--max-bytes",)),
    (("create", "a", "--role", "read"), ("--role", "--roles")), (("list", "x"), ("x",)), (("revoke",), ("ID",)), (("revoke", "x"), ("x",)),
    (("revoke", "99"), ("99",)), (("revoke", "-1"), ("-1",)), (("revoke", "1" * 30), ("number",)), (("make", "a"), ("create", "list", "revoke")), ((), ("token",)),
    (("list", "--roles", "read"), ("--roles",)), (("revoke", "1", "--expires", "1d"), ("--expires",)),
])
@pytest.mark.parametrize("running", [False, True])
def test_what_makes_no_sense(database, start, tmp_path, arguments, words, running):
    if running:
        start(folder=tmp_path)
    found = command(database, *arguments)
    assert found.returncode > 0 and not found.stdout, found.stdout
    for word in words:
        assert word.lower() in found.stderr.lower(), found.stderr
    assert shown(database) == {}


def test_a_database_that_is_none(tmp_path):
    for arguments in (("list",), ("revoke", "1")):
        failed(command(tmp_path / "none.db", *arguments), "none.db", "--db")
    assert not list(tmp_path.iterdir()), "nothing was made"
    failed(command(tmp_path / "no folder" / "none.db", "create", "a"), "folder")


def test_a_token_before_the_first_start(start, tmp_path):
    """The database is made for it, which is said: so a daemon may begin on a public address."""
    found = command(tmp_path / "new.db", "create", "a")
    assert found.returncode == 0 and "new.db was not there" in found.stderr
    daemon = start("--no-tls", database=tmp_path / "new.db", folder=tmp_path, listen="0.0.0.0:0")
    daemon.client().get("/v1/models", status=401)
    daemon.client(headers=bearer(found.stdout.strip())).get("/v1/models")


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "text").write_text("this is no database " * 100)
    failed(command(tmp_path / "text", "create", "a"), "text")


@pytest.mark.parametrize("arguments", [("create", "lost"), ("list",)])
def test_what_cannot_be_shown(database, arguments):
    """A token that nobody has seen was made without a word of it."""
    with open("/dev/full", "w") as full:
        found = subprocess.run([BINARY, "token", *arguments, "--db", database], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
                               env=clean_environment())
    assert found.returncode == 1 and "descentd: " in found.stderr and "No space left" in found.stderr, found
    assert ("revoked" in found.stderr) == (arguments[0] == "create")


# ---- the first token ----

@pytest.mark.parametrize("over_http", [False, True])
def test_the_first_token_closes_an_open_daemon(start, tmp_path, over_http):
    daemon = start(folder=tmp_path)
    c = daemon.client()
    c.put("/v1/models/m", {"inputs": 1, "outputs": 1})
    assert sorted(c.get("/v1/session")["roles"]) == sorted(ROLES)
    if over_http:
        token = c.post("/v1/tokens", {"name": "first", "roles": list(ROLES)}, status=201)["token"]
    else:
        token = created(daemon.database, "first", "--roles", ",".join(ROLES))
    assert "token" in c.get("/v1/models", status=401)["detail"]
    c.delete("/v1/models/m", status=401)
    c.get("/livez")
    inside = daemon.client(headers=bearer(token))
    inside.get("/v1/models/m")
    inside.delete(f"/v1/tokens/{inside.get('/v1/session')['token']}")
    for again in (False, True):  # all are revoked: it stays closed
        if again:
            daemon.stop()
            daemon.run()
        daemon.client().get("/v1/models", status=401)
        daemon.client().get("/v1/models", headers=bearer(token), status=401)
    token = created(daemon.database, "second")  # its owner still may
    daemon.client().get("/v1/models", headers=bearer(token))
    daemon.stop()


def test_a_public_address_needs_one_that_is_good(start, tmp_path, database):
    def public():
        return Daemon(tmp_path, "--no-tls", listen="0.0.0.0:0")
    code, said = public().refused()
    assert code == 1 and "token" in said
    created(database, "short", "--expires", "1s")
    time.sleep(1.1)
    (tmp_path / "log").unlink()
    code, said = public().refused()
    assert code == 1 and "token" in said
    token = created(database, "long", "--expires", "1d")
    daemon = start("--no-tls", folder=tmp_path, listen="0.0.0.0:0")
    daemon.client().get("/v1/models", status=401)
    daemon.client().get("/v1/models", headers=bearer(token))
    daemon.stop()


def test_a_credential_of_systemd(start, tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "token").write_text(ROOT + "\n")
    (folder / "token").chmod(0o400)
    daemon = start("--no-tls", environment={"CREDENTIALS_DIRECTORY": str(folder)}, listen="0.0.0.0:0")
    daemon.client().get("/v1/models", status=401)
    root(daemon).get("/v1/tokens")
    daemon.stop()
    other = tmp_path / "other"
    other.write_text("another-token-0123456789\n")
    daemon = start("--token-file", other, environment={"CREDENTIALS_DIRECTORY": str(folder)})
    root(daemon).get("/v1/models", status=401)  # what is said goes before
    daemon.client().get("/v1/models", headers=bearer("another-token-0123456789"))
    daemon.stop()
    (folder / "token").unlink()
    start(environment={"CREDENTIALS_DIRECTORY": str(folder)}).client().get("/v1/models")


# ---- the socket beside the database ----

def control(daemon):
    return daemon.database.with_name(daemon.database.name + "-control")


def test_the_control_socket_and_the_database_are_the_owners(start, tmp_path):
    before = os.umask(0)  # which has no say
    try:
        daemon = start("--audit-log", tmp_path / "audit.log", folder=tmp_path)
    finally:
        os.umask(before)
    path = control(daemon)
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == os.getuid()
    for file in (daemon.database, daemon.database.with_name("x.db-wal"), daemon.database.with_name("x.db-shm"), tmp_path / "audit.log"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, "the database is its owner's"
    assert "can read" not in daemon.log()
    daemon.stop()
    assert not path.exists()
    daemon.database.chmod(0o644)  # as one of before
    audit = tmp_path / "audit.log"
    audit.chmod(0o644)
    daemon.run()
    for what in (daemon.database, audit):
        daemon.says(f"{what}: `chmod o= {what}*`")
    daemon.kill()
    assert path.exists(), "what a kill leaves"
    created(daemon.database, "between")  # nobody listens, and the database is free
    daemon.run()
    created(daemon.database, "after")
    assert list(shown(daemon.database)) == ["between", "after"]
    daemon.stop()
    assert not path.exists()


def test_its_owner_needs_no_token_there(tmp_path):
    daemon = guarded(tmp_path).run()
    try:
        c = Local(control(daemon))
        assert sorted(c.ask("GET", "/v1/session")["roles"]) == sorted(ROLES)
        c.ask("GET", "/v1/tokens")
        c.ask("GET", "/v1/tokens", headers={"Host": "evil.example"}, status=421)
        c.ask("GET", "/v1/tokens", headers={"Origin": "http://evil.example"}, status=403)
        daemon.client().get("/v1/tokens", status=401)
        daemon.stop()
    finally:
        daemon.kill()


def test_with_a_daemon_on_a_socket(start, tmp_path):
    daemon = start("--listen", f"unix:{tmp_path}/s", folder=tmp_path, listen=None)
    c = Local(tmp_path / "s")
    c.ask("GET", "/v1/models")
    token = created(daemon.database, "one")
    c.ask("GET", "/v1/models", status=401)
    c.ask("GET", "/v1/models", headers=bearer(token))
    for number in range(13):  # whoever tries tokens there waits too
        c = Local(tmp_path / "s")
        c.request("GET", "/v1/models", headers=bearer(f"wrong-{number}"))
        status = c.getresponse().status
    assert status == 429
    Local(tmp_path / "s").ask("GET", "/v1/models", headers=bearer(token))
    daemon.stop()


def test_a_path_that_is_too_long_for_a_socket(start, tmp_path):
    """The daemon serves; its log says what does not work, and so does the command."""
    daemon = start(database=tmp_path / ("x" * 120 + ".db"))
    daemon.client().get("/v1/models")
    wait_for("the log to say it", lambda: "descentd token" in daemon.log() or "control" in daemon.log(), 5)
    found = command(daemon.database, "create", "a")
    assert found.returncode == 1 and found.stderr.strip()
    daemon.stop()
    created(daemon.database, "a")


def test_what_is_in_its_place_is_left_alone(start, tmp_path):
    """A file of somebody else, and a socket that somebody listens on."""
    (tmp_path / "x.db-control").write_text("mine")
    daemon = start(folder=tmp_path)
    daemon.client().get("/v1/models")
    assert (tmp_path / "x.db-control").read_text() == "mine"
    wait_for("the log to say it", lambda: "x.db-control" in daemon.log(), 5)
    daemon.stop()
    assert (tmp_path / "x.db-control").read_text() == "mine"
    (tmp_path / "x.db-control").unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "x.db-control"))
        other.listen()
        daemon.run()
        daemon.client().get("/v1/models")
        daemon.stop()
        assert (tmp_path / "x.db-control").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="to listen as another user needs root")
def test_another_user_listens_there(start, tmp_path):
    """Its answers were believed: a token "is revoked" that was not."""
    path = tmp_path / "x.db-control"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        os.seteuid(65534)
        try:
            other.listen()
        finally:
            os.seteuid(0)
        daemon = start(folder=tmp_path)
        daemon.client().post("/v1/tokens", {"name": "a", "roles": ["admin"]}, status=201)
        for arguments in (("create", "b"), ("list",), ("revoke", "1")):
            failed(command(daemon.database, *arguments), "65534", str(path))
        other.setblocking(False)
        while (found := heard(other)) is not None:
            assert found == b"", "nothing was asked of it"
        daemon.stop()


def heard(listening):
    """What the next one said who connected; None: nobody did."""
    try:
        connection, _ = listening.accept()
    except BlockingIOError:
        return None
    with connection:
        return connection.recv(1000)


def test_a_relative_path(start, tmp_path):
    """The command and the daemon may call the database by different names."""
    (tmp_path / "in").mkdir()
    daemon = start(folder=tmp_path, database="in/x.db")
    daemon.database = tmp_path / "in" / "x.db"
    assert control(daemon).exists()
    created(daemon.database, "a")
    os.symlink(tmp_path / "in", tmp_path / "link")
    assert list(shown(tmp_path / "link" / "x.db")) == ["a"]
    daemon.stop()
