"""`descentd demo`: what it shows, that its curl lines are what was done, and that nothing stays behind."""
import fcntl
import os
import re
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import termios

import pytest

from harness import BINARY, PATIENCE, REPOSITORY, STOP_SECONDS, Client, clean_environment, wait_for

SECONDS = 180 * PATIENCE  # for a whole demo on a machine that is busy
CURL = re.compile(r"^curl (?:[^'\n\\]|'[^']*'|\\\n)*$", re.MULTILINE)
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
FLOWER = re.compile(r"^  (\w+) +([0-9.]+) % .* in truth (\w+)$", re.MULTILINE)
FIGURES = re.compile(r"epoch +(\d+)/50000  loss ([0-9.]+)  val_loss ([0-9.]+)")


@pytest.fixture
def environment(tmp_path):
    """Its temporary folder lies in one of its own, so that what stays behind is seen."""
    place = tmp_path / "temporary place"  # the blank must not break a line to be pasted
    place.mkdir()
    return clean_environment(TMPDIR=str(place), LC_ALL="C.UTF-8", TERM="xterm")


def left_behind(environment):
    return os.listdir(environment["TMPDIR"])


def run(environment, cwd=REPOSITORY, **more):
    return subprocess.run([BINARY, "demo"], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=SECONDS, **more)


def curl_lines(text):
    return [line.rstrip() for line in CURL.findall(text)]


def parse(line):
    """(method, path, headers, body, file) as curl reads the line."""
    words = shlex.split(line.replace("\\\n", " "))
    method, url, headers, body, file = None, None, {}, None, None
    i = 1
    while i < len(words):
        option = words[i] if words[i] in ("-X", "-H", "-d", "-T") else None
        value = words[i + 1] if option else words[i]
        i += 2 if option else 1
        if option == "-X":
            method = value
        elif option == "-H":
            headers.update([value.split(": ", 1)])
        elif option == "-d":
            body = value
        elif option == "-T":
            file = value
        else:
            assert url is None, line
            url = value
    method = method or ("PUT" if file else "POST" if body else "GET")
    return method, re.sub(r"^http://127\.0\.0\.1:\d+", "", url), headers, body, file


def check_story(text):
    """The facts of the whole story, however they were drawn."""
    flowers = FLOWER.findall(text)
    assert [known for _, _, known in flowers] == ["setosa", "versicolor", "virginica"], text
    assert all(said == known and float(share) > 50 for said, share, known in flowers), flowers
    points = [(int(epoch), float(loss), float(val_loss)) for epoch, loss, val_loss in FIGURES.findall(text)]
    assert points[-1][0] == 50000 and [p[0] for p in points] == sorted(p[0] for p in points)
    assert points[-1][1] < 0.1 and points[-1][2] < 0.3, "the network learned"
    asked = [parse(line)[:2] for line in curl_lines(text)]
    assert asked[:6] == [("PUT", "/v1/datasets/iris"), ("PUT", "/v1/models/iris"), ("POST", "/v1/models/iris:train"),
                         ("GET", "/v1/jobs/1"), ("GET", "/v1/jobs/1/curve?points=400"),
                         ("POST", "/v1/models/iris:classify")]


def curve_rows(text, border):
    return [line.split(border, 1)[1] for line in text.splitlines() if re.match(f"^[ 0-9.e-]{{7}}{re.escape(border)}", line)]


def test_not_on_a_terminal(environment):
    """It ends by itself, and what it printed is plain text, line by line."""
    end = run(environment)
    assert (end.returncode, end.stderr) == (0, ""), end
    assert "\r" not in end.stdout and "\x1b" not in end.stdout
    check_story(end.stdout)
    figures = FIGURES.findall(end.stdout)
    assert 1 <= len(figures) <= 10 * PATIENCE and len(set(figures)) == len(figures)
    assert parse(curl_lines(end.stdout)[0])[4] == "examples/data/iris.csv"
    rows = curve_rows(end.stdout, "│")
    assert len(rows) == 10
    firsts = [len(row) - len(row.lstrip()) for row in rows]
    assert firsts == sorted(firsts) and firsts[0] == 0 < firsts[-1], "the curve falls from left to right"
    assert left_behind(environment) == []


def test_outside_the_checkout_in_ascii(environment, tmp_path):
    """Without examples/data the table comes out of the binary; without UTF-8 all is drawn in ASCII."""
    (tmp_path / "examples" / "data").mkdir(parents=True)
    (tmp_path / "examples" / "data" / "iris.csv").write_text("another,file\n1,2\n")
    end = run({**environment, "LC_ALL": "C"}, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, ""), end
    assert end.stdout.isascii()
    check_story(end.stdout)
    assert "*" in "".join(curve_rows(end.stdout, "|"))
    assert parse(curl_lines(end.stdout)[0])[4].startswith(environment["TMPDIR"])
    assert left_behind(environment) == []


class Terminal:
    """A demo on a terminal of its own, as its controlling one: Ctrl-C is a key there."""

    def __init__(self, environment, columns=80):
        self.text = ""
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen([BINARY, "demo"], cwd=REPOSITORY, env=environment, stdin=slave, stdout=slave,
                                        stderr=slave, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # nobody has the other end any more
                data = b""
            if not data:
                break
            self.text += data.decode(errors="replace")
            seconds = 0
        return self.text

    def shows(self, pattern):
        return wait_for(f"{pattern!r} to be seen", lambda: re.search(pattern, self.read()), SECONDS)

    def port(self):
        return int(self.shows(r"http://127\.0\.0\.1:(\d+)")[1])

    def ends(self):
        """The exit code, and what it showed at last."""
        wait_for("the demo to end", lambda: (self.read(), self.process.poll() is not None)[1], STOP_SECONDS)
        return self.process.wait(), self.read()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()  # the demo ends its daemon then
            self.process.wait(SECONDS)
        os.close(self.master)


@pytest.fixture
def terminal(environment):
    shown = []

    def new(**more):
        shown.append(Terminal({**environment, **more}))
        return shown[-1]

    yield new
    for one in shown:
        one.close()


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def check_lines_are_real(lines, port):
    """Each line, sent as it stands, does again what it did."""
    client = Client(port)
    for line, status in zip(lines, (200, 200, 202, 200, 200, 200, 200), strict=True):
        method, path, headers, body, file = parse(line)
        if file:
            body = (REPOSITORY / file).read_bytes()
        assert f"http://127.0.0.1:{port}/" in line
        client.request(method, path, body, status, headers)


def check_lines_by_curl(lines):
    """Pasted into a shell they work, too."""
    for line in lines:
        done = subprocess.run(["sh", "-c", line.replace("curl ", "curl -sS --fail-with-body ", 1)], cwd=REPOSITORY,
                              capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0 and done.stdout.startswith("{"), (line, done)


def test_on_a_terminal(environment, terminal):
    """A bar that moves, a daemon that stays up for the lines to be pasted, an end by Ctrl-C."""
    demo = terminal()
    demo.shows("Ctrl-C")
    demo.shows(r"/v1/models/iris\x1b\[0m\s+$")
    port = demo.port()
    assert len(re.findall(r"\r[^\r\n]*epoch", demo.text)) >= 2, "the bar is drawn anew"
    assert "\x1b[0;36mcurl" in demo.text, "a curl line has a colour"
    text = ESCAPES.sub("", demo.text.replace("\r\n", "\n")).replace("\r", "\n")
    check_story(text)
    assert all(len(line) < 80 for line in text.splitlines() if "█" in line or "│" in line)
    lines = curl_lines(text)
    check_lines_are_real(lines, port)
    if shutil.which("curl"):
        check_lines_by_curl(lines)
    assert demo.process.poll() is None, "it stays up"
    os.write(demo.master, b"\x03")
    code, last = demo.ends()
    assert code == 0 and last.rstrip().endswith("Stopping."), last
    assert left_behind(environment) == [] and not listens(port)


def test_ctrl_c_in_mid_training(environment, terminal):
    demo = terminal(NO_COLOR="1")
    demo.shows(r"epoch +[1-9]\d*/50000")
    os.write(demo.master, b"\x03")
    code, text = demo.ends()
    assert code == 0 and text.rstrip().endswith("Stopping."), text
    assert "\x1b[0;" not in text, "NO_COLOR is heard"
    assert left_behind(environment) == []


def test_a_killed_demo_takes_its_daemon_along(terminal):
    demo = terminal()
    port = demo.port()
    wait_for("the daemon", lambda: listens(port))
    demo.process.send_signal(signal.SIGKILL)
    demo.process.wait(STOP_SECONDS)
    wait_for("the daemon to end", lambda: not listens(port), STOP_SECONDS)


def test_a_daemon_that_dies_is_told(environment, terminal):
    demo = terminal()
    demo.shows("Ctrl-C")
    (daemon,) = children(demo.process.pid)
    os.kill(daemon, signal.SIGKILL)
    code, text = demo.ends()
    assert code == 1 and "descentd: the demo's daemon ended by itself" in text
    assert left_behind(environment) == []


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def one_sentence(end, word):
    assert end.returncode == 1 and end.stderr.count("\n") == 1, end
    assert end.stderr.startswith("descentd: ") and word in end.stderr, end


def test_a_daemon_that_dies_in_mid_training_is_told(environment, terminal):
    """Its connections close before it is gone: the sentence was about an answer that was cut."""
    demo = terminal()
    demo.shows(r"epoch +[1-9]\d*/50000")
    (daemon,) = children(demo.process.pid)
    os.kill(daemon, signal.SIGKILL)
    code, text = demo.ends()
    assert code == 1 and "descentd: the demo's daemon ended by itself" in text, text
    assert left_behind(environment) == []


def test_without_a_place_for_the_folder(environment):
    one_sentence(run({**environment, "TMPDIR": environment["TMPDIR"] + "/gone"}), "TMPDIR")


def test_nobody_reads(environment):
    """A reader that leaves, as `descentd demo | head` has one, and a full disk: the demo ends and cleans up."""
    for path in ("/dev/full", None):
        reader, writer = os.pipe()
        os.close(reader)
        out = os.open(path, os.O_WRONLY) if path else os.dup(writer)
        os.close(writer)
        try:
            end = subprocess.run([BINARY, "demo"], cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=subprocess.PIPE, text=True, timeout=SECONDS)
        finally:
            os.close(out)
        one_sentence(end, "stdout")
        assert left_behind(environment) == []


def test_a_token_of_the_environment_is_not_asked_for(environment):
    """The demo's daemon is its own: settings of the real one don't reach it."""
    settings = {"DESCENTD_TOKEN": "0123456789abcdef0123", "DESCENTD_DB": "/nowhere/x.db",
                "DESCENTD_LISTEN": "127.0.0.1:1", "DESCENTD_PORT_FILE": "/nowhere/port"}
    end = run({**environment, **settings})
    assert (end.returncode, end.stderr) == (0, ""), end
    check_story(end.stdout)
