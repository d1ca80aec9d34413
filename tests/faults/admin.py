"""admin.py - what who looks after a daemon does while calls fail: backups, tokens, TLS, and the commands, beside a daemon or alone.

A command ends with 0 and has done all of it, or says why not and has left what was there. A fault meets it or the daemon.
"""
import http.client
import re
import signal
import sqlite3
import ssl
import subprocess
import time
from contextlib import closing

from harness import BINARY, clean_environment
from steps import CUT, SMALL, Violation, upload
from tokens import comes_from

REPORTS = ("AddressSanitizer", "runtime error:", "LeakSanitizer", "Assertion", "Fatal error in GNU libmicrohttpd")
REFUSED = 500  # what counts as the answer of a command that did not do it
ROLES = ["read", "predict"]
SIGHUP = re.compile("options were read again|SIGHUP changed nothing")
HEARD_SECONDS = 3


def certificate(folder):
    """(cert, key) of localhost, new."""
    cert, key = folder / "cert.pem", folder / "cert.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    key.chmod(0o600)
    return cert, key


# ---- commands ----

def command(w, *arguments, faults=True, codes=(0, 1, 2)):
    """What a command said on stdout, None: it did not do it."""
    environment = w.daemon.environment if faults else clean_environment()
    try:
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, env=environment, errors="replace")
    except subprocess.TimeoutExpired:
        raise Violation(f"descentd {arguments} did not end") from None
    said = f"descentd {arguments}: exit code {done.returncode}: {done.stderr[-3000:]}{done.stdout[-3000:]}"
    if done.returncode not in codes or any(report in said for report in REPORTS):
        raise Violation(said)
    if done.returncode and not done.stdout and not any(line.startswith("descentd: ") for line in done.stderr.splitlines()):
        raise Violation(said)
    w.asked.append(REFUSED if done.returncode else 200)
    return None if done.returncode else done.stdout


def models(path):
    """How many a database has, which is whole; None: there is none."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        found = db.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            raise Violation(f"{path}: {found}")
        return db.execute("SELECT count(*) FROM model").fetchone()[0]


def one_of(found, wished, what):
    if found not in wished:
        raise Violation(f"{what}: {found}, not one of {wished}")


def remove(folder, *patterns):
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()


def prepare(w):
    """A backup with models, and a database without any that has a token."""
    if command(w, "backup", w.daemon.folder / "full", "--db", w.daemon.database, faults=False) is None or \
            command(w, "token", "create", "old", "--db", w.daemon.folder / "bare", faults=False) is None:
        raise Violation("no backup")


def backup(w):
    """Beside the daemon. It is there whole, or not."""
    to = w.daemon.folder / "to.db"
    remove(to.parent, "to.db*", "*-unfinished-*")
    done = command(w, "backup", to, "--db", w.daemon.database) is not None
    found = models(to)
    if done and not found or not done and found == 0:
        raise Violation(f"a backup with {found} models")


def download(w):
    """The same over HTTP."""
    remove(w.daemon.folder, "*-unfinished-*")
    answer = w.ask("POST", "/v1/backup")
    if answer is None or answer.status != 200:
        return
    to = w.daemon.folder / "to.db"
    to.write_bytes(answer.body)
    if not models(to):
        raise Violation("a backup without models")


def restore(w):
    """Alone, in the place of a database, which is kept, as is one that was kept before."""
    folder = w.daemon.folder
    at, kept, before = folder / "restored", folder / "restored.before-restore-2", folder / "restored.before-restore-1"
    remove(folder, "restored*", "*-unfinished-*")
    at.write_bytes((folder / "bare").read_bytes())
    before.write_bytes(b"precious")
    done = command(w, "restore", folder / "full", "--db", at, "--force") is not None
    if not done and (folder / "restored-restoring").exists():  # it was decided; the next start finishes it
        command(w, "token", "create", "probe", "--db", at, faults=False)
        w.asked.pop()
        one_of(bool(models(at)), (True,), "a restore that was finished")
    found = models(at)
    if found is None or done and not found:
        raise Violation(f"{found} models after a restore")
    if before.read_bytes() != b"precious" or found and models(kept) != 0:
        raise Violation("what was there before the restore is lost")


def check(w):
    """Beside the daemon. What it cannot look at is no damage; a file that cannot be read is some."""
    command(w, "check", "--db", w.daemon.database, codes=(0, 2) if w.memory else (0, 1, 2))


def repair(w):
    """Alone, of a database that is whole."""
    to = w.daemon.folder / "repaired"
    remove(to.parent, "repaired*", "*-unfinished-*")
    done = command(w, "repair", to, "--db", w.daemon.folder / "full", codes=(0, 2) if w.memory else (0, 1, 2)) is not None
    if done and not models(to):
        raise Violation(f"{models(to)} models in what was repaired")


# ---- tokens ----

def names(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return dict(db.execute("SELECT name, id FROM token"))


def tokens_alone(w):
    """A database without a daemon."""
    at = w.daemon.folder / "alone"
    remove(at.parent, "alone*")
    if command(w, "token", "create", "first", "--db", at) is not None:
        one_of("first" in names(at), (True,), "a token that was shown")
        if command(w, "token", "list", "--db", at) is not None and command(w, "token", "revoke", names(at)["first"], "--db", at) is not None:
            one_of(list(names(at)), ([],), "tokens after the only one was revoked")


def tokens_beside(w):
    """Through the daemon, by the socket beside the database."""
    name, database = w.new(), w.daemon.database
    made = command(w, "token", "create", name, "--db", database)
    found = names(database).get(name) if made is not None else None
    if made is None:
        return
    if found is None:
        raise Violation(f"token {name} was shown and is not there")
    listed = command(w, "token", "list", "--db", database)
    if listed is not None and name not in listed.split():
        raise Violation(f"token {name} is not listed: {listed}")
    path = f"/v1/tokens/{found}"
    w.promised[path] = {"name": name, "roles": ROLES}
    if command(w, "token", "revoke", found, "--db", database) is not None:
        w.promised[path] = None
    else:
        w.doubts.append((path, w.promised[path], None))


def tokens(w):
    """Over HTTP: made, used, revoked."""
    answer = w.ask("POST", "/v1/tokens", document={"name": w.new(), "roles": ROLES, "models": ["*"], "rate": 1000})
    if answer is None or answer.status >= 300:
        return
    path = f"/v1/tokens/{answer['id']}"
    bearer = {"Authorization": f"Bearer {answer['token']}"}
    w.promised[path] = {"name": w.new(), "roles": ROLES}
    w.read("/v1/models/base", name="by a token", headers=bearer, same=lambda j: j["name"])
    w.read(path, same=lambda j: j["roles"])
    w.read("/v1/tokens", same=lambda j: sorted(j))
    if w.change("DELETE", path, None):
        guesser = comes_from(w.daemon.client(timeout=20), f"127.0.0.{2 + w.count % 250}")  # who guesses often has to wait
        try:
            found = guesser.request("GET", "/v1/models/base", headers=bearer, status=(200, 401, 500, 503)).status
            one_of(found, (401, 500, 503), "what a token that was revoked gets")
        except (OSError, http.client.HTTPException):
            w.asked.append(CUT)


# ---- TLS ----

def handshake(w):
    """A new connection of each version."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        w.tls.maximum_version = version
        w.connect()
        w.read("/livez")
        w.c.connection.close()


def secure(w):
    """A change and an answer that is no small one."""
    w.connect()
    upload(w, body=SMALL)
    w.read("/openapi.json")


def renew(w):
    """The certificate is read again; a reading that fails changes nothing."""
    said, until = len(w.daemon.log()), time.monotonic() + HEARD_SECONDS
    w.daemon.process.send_signal(signal.SIGHUP)
    while not (heard := SIGHUP.search(w.daemon.log(), said)) and w.daemon.process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    w.asked.append(200 if heard and heard[0].startswith("options") else REFUSED)  # a line of the log may be lost too
    w.connect()
    w.read("/livez")


STEPS = {f.__name__: f for f in (backup, download, restore, check, repair, tokens, tokens_beside, tokens_alone)}
SECURE = {f.__name__: f for f in (handshake, secure, renew)}
