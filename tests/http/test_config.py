"""Configuration: flags, environment, file, defaults, in this order; and sentences for what is wrong."""
import socket
import subprocess

import pytest

from harness import BINARY, clean_environment, wait_for


def run(*arguments, environment=None, folder=None):
    return subprocess.run([BINARY, *map(str, arguments)], env=clean_environment(**(environment or {})), cwd=folder,
                          capture_output=True, text=True, timeout=20)


def refused(tmp_path, *arguments, environment=None):
    """A start that must fail; what it said, one sentence."""
    found = run("serve", "--db", tmp_path / "never.db", *arguments, environment=environment, folder=tmp_path)
    assert found.returncode > 0, found.stderr
    lines = [line for line in found.stderr.splitlines() if line.strip()]
    assert 1 <= len(lines) <= 2, found.stderr
    assert not (tmp_path / "never.db").exists(), "nothing was made"
    return found.stderr


def workers(daemon):
    found = daemon.client().get("/v1/system")["threads"]["workers"]
    daemon.stop()
    return found


def test_which_setting_counts(start, tmp_path):
    """Flags, then DESCENTD_*, then the file, then the default."""
    (tmp_path / "conf").write_text("# a comment\n\nworkers = 3\n  threads=2\n")
    file, variable, flag = ("--config", tmp_path / "conf"), {"DESCENTD_WORKERS": "4"}, ("--workers", 5)
    assert workers(start(*file)) == 3
    assert workers(start(*file, environment=variable)) == 4
    assert workers(start(*file, *flag, environment=variable)) == 5
    assert workers(start(environment=variable)) == 4
    assert workers(start("--workers=6")) == 6


def test_every_source_reaches_every_option(start, tmp_path):
    """An address from the environment, a limit from the file."""
    (tmp_path / "conf").write_text("max-body = 1K\nlog-level = error\n")
    daemon = start("--config", tmp_path / "conf", listen=None, environment={"DESCENTD_LISTEN": "127.0.0.1:0"})
    c = daemon.client()
    c.request("PUT", "/v1/models/m", body=" " * 2000, headers={"Content-Type": "application/json"}, status=413)
    daemon.stop()
    assert not [line for line in daemon.log_lines() if line.get("event") == "request"], "log-level error"


def test_serve_is_the_default(tmp_path):
    """descentd alone serves: with a wrong value it says so rather than print help."""
    found = run("--db", tmp_path / "x.db", "--listen", "nonsense", folder=tmp_path)
    assert found.returncode > 0 and "listen" in found.stderr


def test_help_and_version(tmp_path):
    found = run("--help", folder=tmp_path)
    assert found.returncode == 0 and not found.stderr
    for option in ("db", "listen", "workers", "threads", "token-file", "allow-host", "config", "port-file",
                   "log-format",
                   "log-level", "memory-budget", "max-body"):
        assert f"--{option}" in found.stdout, option
    found = run("--version", folder=tmp_path)
    assert found.returncode == 0 and found.stdout.startswith("descentd ") and found.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments,names", [
    (("--wrokers", "2"), ("--wrokers", "--workers")), (("--workers",), ("--workers",)),
    (("--workers", "0"), ("--workers", "0")),
    (("--workers", "-1"), ("--workers", "-1")), (("--workers", "two"), ("--workers", "two")),
    (("--workers", "99999999999999999999"), ("--workers",)), (("--workers", "1.5"), ("--workers",)),
    (("--threads", "0"), ("--threads",)),
    (("--log-format", "xml"), ("--log-format", "xml")), (("--log-level", "loud"), ("--log-level", "loud")),
    (("--memory-budget", "lots"), ("--memory-budget", "lots")), (("--memory-budget", "1X"), ("--memory-budget",)),
    (("--max-body", "-5"), ("--max-body",)), (("--max-body", "99999999999G"), ("--max-body",)),
    (("--listen", "nonsense"), ("listen", "nonsense")), (("--listen", "127.0.0.1:99999"), ("listen", "99999")),
    (("--listen", "256.0.0.1:0"), ("listen",)), (("--config", "/not/there"), ("/not/there",)),
    (("--token-file", "/not/there"), ("/not/there",)), (("extra",), ("extra",)), (("-x",), ("-x",)),
])
def test_flags_that_make_no_sense(tmp_path, arguments, names):
    said = refused(tmp_path, *arguments)
    for name in names:
        assert name in said, said


def test_an_unknown_command(tmp_path):
    found = run("sevre", "--db", tmp_path / "x.db", folder=tmp_path)
    assert found.returncode > 0 and "sevre" in found.stderr


@pytest.mark.parametrize("text,names", [
    ("wrokers = 2\n", ("conf", "1", "wrokers", "workers")), ("workers = 2\nworkers = 3\n", ("conf", "2", "workers")),
    ("\n\nworkers = two\n", ("conf", "3", "workers", "two")), ("workers\n", ("conf", "1")), ("= 5\n", ("conf", "1")),
    ("--workers = 2\n", ("conf", "1")), ("listen = nonsense\n", ("nonsense",)),
])
def test_files_that_make_no_sense(tmp_path, text, names):
    (tmp_path / "conf").write_text(text)
    said = refused(tmp_path, "--config", tmp_path / "conf")
    for name in names:
        assert name in said, said


@pytest.mark.parametrize("name,value",
                         [("DESCENTD_WROKERS", "2"), ("DESCENTD_WORKERS", "two"), ("DESCENTD_LOG_FORMAT", "xml")])
def test_variables_that_make_no_sense(tmp_path, name, value):
    assert name in refused(tmp_path, environment={name: value})


def test_a_public_address_needs_a_token(start, tmp_path):
    said = refused(tmp_path, "--listen", "0.0.0.0:0", "--no-tls")
    assert "token" in said
    (tmp_path / "token").write_text("0123456789abcdef0123456789abcdef\n")
    (tmp_path / "token").chmod(0o600)
    daemon = start("--token-file", tmp_path / "token", "--no-tls", listen="0.0.0.0:0")
    c = daemon.client()
    c.get("/readyz")
    c.get("/v1/models", status=401)
    c.get("/v1/models", headers={"Authorization": "Bearer 0123456789abcdef0123456789abcdef"})
    daemon.stop()


def test_the_token_from_the_environment(start):
    daemon = start(environment={"DESCENTD_TOKEN": "fedcba9876543210fedcba9876543210"})
    c = daemon.client()
    c.get("/v1/models", status=401)
    c.get("/v1/models", headers={"Authorization": "Bearer fedcba9876543210fedcba9876543210"})
    daemon.stop()
    assert "fedcba" not in daemon.log(), "it is not logged"


@pytest.mark.parametrize("text", ["", "\n", "short\n"])
def test_tokens_that_are_none(tmp_path, text):
    (tmp_path / "token").write_text(text)
    (tmp_path / "token").chmod(0o600)
    refused(tmp_path, "--listen", "127.0.0.1:0", "--token-file", tmp_path / "token")


def test_allowed_hosts(start):
    daemon = start("--allow-host", "nets.example")
    c = daemon.client()
    c.get("/v1/models", headers={"Host": "nets.example"})
    c.get("/v1/models", headers={"Host": "other.example"}, status=421)
    daemon.stop()


def test_an_address_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = run("serve", "--db", tmp_path / "x.db", "--listen", f"127.0.0.1:{port}", folder=tmp_path)
    assert found.returncode > 0 and str(port) in found.stderr


def test_ipv6(start):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    daemon = start(listen="[::1]:0")
    assert daemon.client(host="::1").get("/v1/models").status == 200
    daemon.stop()


def test_the_address_is_told(start):
    """On stderr, for people; in --port-file, for scripts."""
    daemon = start(log_format="text")
    assert daemon.port_file.read_text() == f"{daemon.port}\n"
    wait_for("the address in the log", lambda: f"127.0.0.1:{daemon.port}" in daemon.log(), 5)
    daemon.stop()


def test_no_secret_in_the_environment_of_help():
    found = run("--help", environment={"DESCENTD_TOKEN": "fedcba9876543210fedcba9876543210"})
    assert found.returncode == 0 and "fedcba" not in found.stdout
