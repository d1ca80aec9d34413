"""tokens.py - daemons that ask for a token, and clients that have one with a right for this and none for that."""
import itertools
import subprocess

from harness import BINARY, Client, Daemon, clean_environment

ROOT = "the-token-that-the-tests-start-with-0123456789"  # may do everything
ROLES = ("read", "predict", "train", "admin")
NUMBERS = itertools.count(1)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def guarded(folder, *arguments, **more):
    """A daemon, not yet started, whose token is ROOT."""
    (folder / "token").write_text(ROOT + "\n")
    (folder / "token").chmod(0o600)
    return Daemon(folder, "--token-file", folder / "token", *arguments, **more)


def comes_from(client, address):
    """The same client, from another address of this machine."""
    client.connection.source_address = (address, 0)
    return client


class Holder(Client):
    """A client with a token of its own: what the daemon said of it is in `made`."""

    def __init__(self, port, made, **more):
        super().__init__(port, headers=bearer(made["token"]), **more)
        self.made, self.id = made, made["id"]


def root(daemon):
    return daemon.client(headers=bearer(ROOT))


def holder(daemon, *roles, by=None, source=None, **more):
    """Makes a token over HTTP, and a client that has it; source: the address that it comes from."""
    made = (by or root(daemon)).post("/v1/tokens", {"name": f"t{next(NUMBERS)}", "roles": list(roles or ROLES), **more}, status=201)
    client = Holder(daemon.port, made.json)
    return comes_from(client, source) if source else client


def command(database, *arguments, environment=None):
    """descentd token ..., to its end."""
    return subprocess.run([BINARY, "token", *map(str, arguments), *(("--db", str(database)) if database else ())],
                          env=clean_environment(**(environment or {})), capture_output=True, text=True, timeout=30)


def created(database, name, *arguments):
    """The token that the command printed."""
    found = command(database, "create", name, *arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()
