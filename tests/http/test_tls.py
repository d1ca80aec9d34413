"""TLS and addresses that other machines can reach: who gets a connection, which certificate they see, and that nothing of what
holds over plain HTTP is lost."""
import contextlib
import json
import os
import random
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

from data import ENDLESS, by_hand, example, iris_model, trained
from harness import BINARY, REPOSITORY, Daemon, clean_environment, wait_for
from sse import Stream
from test_config import refused
from test_csv import head, pieces_left

TOKEN = "0123456789abcdef0123456789abcdef"
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def openssl(*arguments):
    found = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    assert found.returncode == 0, found.stderr
    return found.stdout


class Pair:
    """A new key and its certificate, signed by itself or by another pair."""

    def __init__(self, folder, name, by=None, use="serverAuth", kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", *kind, "-nodes", "-keyout", self.key, "-out", self.cert, "-days", 30,
                "-subj", f"/CN={name}", "-addext", NAMES, *(("-addext", f"extendedKeyUsage={use}") if use else ()),
                *(("-CA", by.cert, "-CAkey", by.key) if by else ()))
        self.key.chmod(0o600)

    def flags(self):
        return "--tls-cert", self.cert, "--tls-key", self.key

    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.cert.read_text())

    def trust(self, client=None, low=None):
        """For a client that trusts this pair's certificate alone, and shows another pair's if that is given."""
        context = ssl.create_default_context(cafile=self.cert)
        if client:
            context.load_cert_chain(client.cert, client.key)
        if low:
            context.maximum_version = low
        return context


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def pair(files):
    return Pair(files, "localhost")


@pytest.fixture(scope="module")
def other(files):
    return Pair(files, "other", kind=("rsa:2048",))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, pair):
    daemon = Daemon(tmp_path_factory.mktemp("daemon"), "--workers", 2, "--threads", 2, *pair.flags()).run()
    try:
        trained(daemon.client(tls=pair.trust()), "iris")
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@pytest.fixture
def c(daemon, pair):
    return daemon.client(tls=pair.trust())


def connect(daemon, context, timeout=30):
    """A TLS connection, its handshake done."""
    raw = socket.create_connection(("127.0.0.1", daemon.port), timeout=timeout)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def shown(daemon, context):
    """The certificate that a new connection sees, as DER."""
    with connect(daemon, context) as tls:
        return tls.getpeercert(binary_form=True)


def is_refused(daemon, context):
    """Nothing is answered to who connects so. Under TLS 1.3 a client is done before the server has looked at its certificate."""
    try:
        with connect(daemon, context) as tls:
            tls.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return tls.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def anyone():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


# ---- who is served ----

def test_the_log_says_https_and_whose_certificate(daemon):
    daemon.says("listening on")
    said = [line.get("message", "") for line in daemon.log_lines()]
    assert f"listening on https://127.0.0.1:{daemon.port}" in said
    assert any("the certificate is of localhost and ends on 20" in line for line in said)


@pytest.mark.parametrize("version, answered", [("tls1", False), ("tls1_1", False), ("tls1_2", True), ("tls1_3", True)])
def test_versions(daemon, pair, version, answered):
    """By openssl, which still speaks the old ones when it is told to."""
    found = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}", f"-{version}", "-CAfile", pair.cert,
                            "-cipher", "ALL:@SECLEVEL=0", "-verify_return_error", "-ign_eof"], capture_output=True, timeout=60,
                           input=b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (b"HTTP/1.1 200" in found.stdout) == answered, found.stdout + found.stderr
    if not answered:
        assert b"Cipher is (NONE)" in found.stdout, found.stdout


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-CCM"])
def test_ciphers_that_are_weak_or_odd(daemon, cipher):
    context = anyone()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher + ":@SECLEVEL=0")
    assert is_refused(daemon, context)


def test_curl(daemon, pair):
    url = f"https://localhost:{daemon.port}/v1/models/iris:predict"
    ask = ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "--json", '{"instances":[[5.1,3.5,1.4,0.2]]}', url]
    found = subprocess.run([*ask, "--cacert", pair.cert], capture_output=True, timeout=90)
    assert found.returncode == 0 and json.loads(found.stdout)["predictions"], found
    assert subprocess.run(ask, capture_output=True, timeout=90).returncode == 60, "it is not trusted by itself"


def test_a_plain_client_is_closed_without_harm(daemon, c):
    for said in (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\0" * 2000, b"\x16\x03\x01\xff\xff" + b"x" * 70_000):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as raw:
            with contextlib.suppress(ConnectionError):
                raw.sendall(said)
                assert b"HTTP" not in raw.recv(100)
    c.get("/livez")
    daemon.says("handshake")
    told = [line for line in daemon.log_lines() if "handshake" in line.get("message", "")]
    assert 1 <= len(told) <= 3, "told, but not once for each"


def test_half_open_handshakes_stop_nobody(daemon, c, pair):
    hello = ssl.MemoryBIO()
    begun = pair.trust().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        begun.do_handshake()
    said = hello.read()
    with contextlib.ExitStack() as stack:
        for i in range(200):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), timeout=30))
            raw.sendall(said[:i % 3 * len(said) // 2]) # nothing, half of the hello, all of it and no more
        for _ in range(20):
            daemon.client(tls=pair.trust(), timeout=20).get("/livez")
            assert c.predict("iris", [[5.1, 3.5, 1.4, 0.2]])["predictions"]
    before = daemon.sockets()
    wait_for("them to be gone", lambda: daemon.sockets() <= before)


# ---- what is served ----

def test_predictions_have_the_same_bits(daemon, c, start):
    """As over plain HTTP: one at a time, many, packed ones."""
    plain = start(database=copy_of(daemon)).client()
    rows = [[5 + i % 7 / 10, 3.1, 1 + i % 5, 0.2 + i % 3] for i in range(3000)]
    for count in (1, 64, 3000):
        assert c.predict("iris", rows[:count])["predictions"] == plain.predict("iris", rows[:count])["predictions"]
    packed = c.post("/v1/models/iris:predict", {"instances": rows}, headers={"Accept-Encoding": "gzip"})
    assert len(packed.sent) < len(packed.body)
    assert packed["predictions"] == plain.predict("iris", rows)["predictions"]


def copy_of(daemon):
    path = daemon.folder / "copy.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(daemon.database) as db:
        db.execute("VACUUM INTO ?", (str(path),))
    return path


@pytest.mark.parametrize("low", [None, ssl.TLSVersion.TLSv1_2])
def test_an_upload_of_some_megabytes_arrives_whole(daemon, pair, fresh, low):
    """In pieces of all sizes, so that records of TLS, the server's buffer and the pieces end in different places."""
    draw = random.Random(3)
    text = ("number,half,word\n" + "".join(f"{i},{i % 7}.5,w{i % 11}\n" for i in range(400_000))).encode()
    c = daemon.client(tls=pair.trust(low=low), timeout=120)
    for chunked in (False, True):
        if chunked:
            pieces, at = [], 0
            while at < len(text):
                size = draw.choice((1, 7, 100, 5000, 16384, 40000, 700000))
                pieces.append(text[at:at + size])
                at += size
            c.connection.request("PUT", f"/v1/datasets/{fresh}-c", iter(pieces), {"Content-Type": "text/csv"}, encode_chunked=True)
            answer = c.connection.getresponse()
            document = json.loads(answer.read())
            assert answer.status == 201, document
        else:
            document = c.csv(fresh, text, status=201).json
        assert document["rows"] == 400_000 and document["size_bytes"] == len(text)
        assert document["columns"][0]["max"] == 399_999 and document["columns"][0]["mean"] == 199_999.5


def test_a_large_answer(c):
    """More than a socket takes at once, to a client that reads late. (Not held against the contract, which takes a minute.)"""
    weights = [[(i * 7 + j) % 13 - 6 for j in range(40)] for i in range(600)]
    c.put("/v1/models/wide", {"inputs": 40, "outputs": 600, "layers": [], "normalize": "none"}, status=(200, 201))
    c.post("/v1/models/wide/versions", by_hand([weights], [[0] * 600]), status=201)
    c.connection.request("POST", "/v1/models/wide:predict", json.dumps({"instances": [[1] * 40] * 1000}))
    response = c.connection.getresponse()
    time.sleep(0.5)
    body = response.read()
    sums = {f"y{i}": [sum(line)] for i, line in enumerate(weights)}
    assert response.status == 200 and len(body) > 6_000_000
    assert all(found == sums for found in json.loads(body)["predictions"])


def test_an_event_stream_and_its_beat(daemon, c, pair, fresh):
    c.put(f"/v1/models/{fresh}", iris_model(seed=1))
    job = c.start(fresh, ENDLESS)["id"]
    with contextlib.closing(Stream(daemon.port, f"/v1/jobs/{job}/events", tls=pair.trust()).connection):
        pass # one that is left at once
    stream = Stream(daemon.port, f"/v1/jobs/{job}/events", tls=pair.trust())
    stream.until(lambda event: event.name in ("epoch", "epochs"))
    c.cancel(job)
    events = stream.rest()
    assert events[-1].name == "end" and events[-1].data["state"] == "cancelled", events[-1]
    stream.leave()


def test_watchers_that_vanish(daemon, c, pair, fresh):
    """Suspended connections whose client is gone: found by the beat over plain HTTP, and here too."""
    c.put(f"/v1/models/{fresh}", iris_model(seed=1))
    job = c.start(fresh, {**ENDLESS, "batch_size": 150})["id"]
    c.running(job)
    before = daemon.sockets()
    streams = [Stream(daemon.port, f"/v1/jobs/{job}/events", tls=pair.trust()) for _ in range(20)]
    assert daemon.sockets() >= before + 20
    for stream in streams:
        stream.leave()
    wait_for("their sockets to go", lambda: daemon.sockets() <= before + 1, 60)
    c.cancel(job)
    c.ended(job, "cancelled")


def test_pipelined_requests(daemon, pair):
    """In one record, so that most of them lie in the buffers of TLS when the first is answered: nothing more comes from the socket."""
    one = (b"GET /v1/models/iris HTTP/1.1\r\nHost: localhost\r\n\r\n"     # by the pool, with the connection suspended
           b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")             # by the loop
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connect(daemon, pair.trust()) as tls:
        tls.sendall(one * 100 + last)
        got = b"".join(iter(lambda: tls.recv(65536), b""))
    assert got.count(b"HTTP/1.1 200 OK\r\n") == 201
    assert got.count(b'"name":"iris"') == 100


@pytest.mark.parametrize("how", ["close", "notify", "shutdown", "reset"])
def test_an_upload_cut_off_half_way(daemon, c, pair, how):
    """However the client goes, what it sent is swept long before the connection has idled for too long. The last piece is a
    small one, which libmicrohttpd takes for all there was."""
    text = ("a,b\n" + "".join(f"{i},{i / 7}\n" for i in range(300_000))).encode()
    before = pieces_left(daemon)
    tls = connect(daemon, pair.trust())
    tls.sendall(head("cut", 2 * len(text)) + text)
    wait_for("row groups in the store", lambda: pieces_left(daemon) > before)
    tls.sendall(b"1,2\n")
    if how == "notify":
        with contextlib.suppress(ssl.SSLError, OSError):
            tls.settimeout(1)
            tls.unwrap()
    raw = socket.socket(fileno=tls.detach())
    if how == "reset":
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    if how == "shutdown":
        raw.shutdown(socket.SHUT_WR)
        wait_for("what was stored to go", lambda: pieces_left(daemon) == before)
    raw.close()
    wait_for("what was stored to go", lambda: pieces_left(daemon) == before)
    c.get("/v1/datasets/cut", status=404)


def test_absolute_targets_and_pages_of_its_own(daemon, c):
    """A proxy's form of a target, and the Origin that a page under the daemon's own address has."""
    host = f"localhost:{daemon.port}"
    for scheme in ("https", "HTTPS", "http"):
        c.connection.request("GET", f"{scheme}://{host}/v1/models/iris", headers={"Host": host})
        answer = c.connection.getresponse()
        assert answer.status == 200 and json.loads(answer.read())["name"] == "iris"
    for origin, status in ((f"https://{host}", 200), (f"https://localhost:{daemon.port + 1}", 403), ("https://evil.example", 403)):
        c.get("/v1/models/iris", status=status, headers={"Origin": origin, "Host": host})
    c.get("/v1/models/iris", headers={"Origin": "https://localhost", "Host": "localhost"}) # port 443 behind both
    c.get("/v1/models/iris", headers={"Origin": "https://localhost", "Host": "localhost:443"})


def test_a_stop_under_load(start, pair):
    """Requests, handshakes half done, and a stream: it ends in time, and well."""
    daemon = start(*pair.flags())
    c = daemon.client(tls=pair.trust())
    trained(c, "iris")
    job = c.start("iris", ENDLESS)["id"]
    c.running(job)
    stream = Stream(daemon.port, f"/v1/jobs/{job}/events", tls=pair.trust())
    silent = [socket.create_connection(("127.0.0.1", daemon.port), timeout=30) for _ in range(20)]
    over = threading.Event()

    def ask():
        with contextlib.suppress(OSError, AssertionError, ssl.SSLError):
            mine = daemon.client(tls=pair.trust())
            while not over.is_set():
                mine.predict("iris", [[5.1, 3.5, 1.4, 0.2]])
    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    time.sleep(0.3)
    daemon.stop()
    over.set()
    for asker in askers:
        asker.join(30)
    stream.rest()
    for raw in silent:
        raw.close()


# ---- certificates read again ----

@pytest.fixture
def shop(start, files, tmp_path, pair, other):
    """A daemon whose files can be exchanged."""
    class Shop:
        cert, key = tmp_path / "cert.pem", tmp_path / "cert.key"

        def put(self, cert, key):
            self.cert.write_bytes(cert.cert.read_bytes())
            self.key.write_bytes(key.key.read_bytes())
            self.key.chmod(0o600)

        def hang_up(self, said):
            before = len(self.daemon.log())
            self.daemon.process.send_signal(signal.SIGHUP)
            wait_for(f"the log to say {said!r}", lambda: said in self.daemon.log()[before:])
            wait_for("an end of line", lambda: self.daemon.log().endswith("\n"))
            return self.daemon.log()[before:]
    shop = Shop()
    shop.put(pair, pair)
    shop.daemon = start("--tls-cert", shop.cert, "--tls-key", shop.key)
    return shop


def test_a_new_certificate(shop, pair, other):
    """Who is connected stays so; who comes sees the new one. The same files again change nothing."""
    kept = shop.daemon.client(tls=pair.trust())
    kept.get("/livez")
    socket_before = kept.connection.sock
    shop.put(other, other)
    assert "the certificate is of localhost" in shop.hang_up("options were read again")
    assert shown(shop.daemon, other.trust()) == other.der()
    assert is_refused(shop.daemon, pair.trust())
    kept.get("/livez")
    assert kept.connection.sock is socket_before, "on the same connection"
    assert kept.connection.sock.getpeercert(binary_form=True) == pair.der()
    assert "other files" not in shop.hang_up("options were read again")
    shop.put(pair, pair)
    shop.hang_up("other files of TLS")
    assert shown(shop.daemon, pair.trust()) == pair.der()
    kept.get("/livez")
    shop.daemon.stop()


def break_pair(shop, pair, other, how):
    if how == "mismatched":
        shop.put(pair, other)
    elif how == "no certificate":
        shop.cert.write_text("hello")
    elif how == "no key":
        shop.key.write_bytes(pair.cert.read_bytes())
    elif how == "cut":
        shop.cert.write_bytes(pair.cert.read_bytes()[:-40])
    elif how == "locked":
        shop.key.write_bytes(openssl("pkey", "-in", pair.key, "-aes128", "-passout", "pass:secret"))
    elif how == "gone":
        shop.key.unlink()
    elif how == "empty":
        shop.cert.write_text("")
    elif how == "folder":
        shop.cert.unlink()
        shop.cert.mkdir()


WRONG = {"mismatched": ("cert.key", "is not that of the certificate", "cert.pem"), "no certificate": ("cert.pem", "no certificate"),
         "no key": ("cert.key", "no key"), "cut": ("cert.pem", "no certificate"), "locked": ("cert.key", "password"),
         "gone": ("cert.key", "No such file"), "empty": ("cert.pem",), "folder": ("cert.pem", "cannot be read")}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_pair_at_reload_changes_nothing(shop, pair, other, how):
    break_pair(shop, pair, other, how)
    said = shop.hang_up("SIGHUP changed nothing")
    line, = (json.loads(text)["message"] for text in said.splitlines() if "changed nothing" in text)
    assert all(part in line for part in WRONG[how]), line
    assert shown(shop.daemon, pair.trust()) == pair.der()
    shop.daemon.client(tls=pair.trust()).get("/livez")


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_pair_at_start(shop, pair, other, tmp_path, how):
    break_pair(shop, pair, other, how)
    said = refused(tmp_path, "--listen", "127.0.0.1:0", "--tls-cert", shop.cert, "--tls-key", shop.key)
    assert all(part in said for part in WRONG[how]), said


def test_reloads_under_load(start, tmp_path, pair, other):
    """Certificates change while handshakes and requests go on: each connection is of one of them, and none is broken."""
    cert, key = tmp_path / "cert.pem", tmp_path / "cert.key"
    both = tmp_path / "both.pem"
    both.write_bytes(pair.cert.read_bytes() + other.cert.read_bytes())

    def put(one):
        for path, text in ((key, one.key), (cert, one.cert)): # each appears whole; a pair in between is refused
            path.with_suffix(".new").write_bytes(text.read_bytes())
            path.with_suffix(".new").chmod(0o600)
            os.replace(path.with_suffix(".new"), path)
    put(pair)
    daemon = start("--tls-cert", cert, "--tls-key", key)
    trust = ssl.create_default_context(cafile=both)
    seen, broken, over = set(), [], threading.Event()

    def knock():
        while not over.is_set():
            try:
                c = daemon.client(tls=trust)
                c.get("/livez")
                seen.add(c.connection.sock.getpeercert(binary_form=True))
                c.get("/livez")
                c.connection.close()
            except (OSError, AssertionError) as fault:
                broken.append(fault)
    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(40):
        put((other, pair)[i % 2])
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    over.set()
    for thread in threads:
        thread.join(60)
    assert not broken, broken[:3]
    assert seen == {pair.der(), other.der()}
    daemon.stop()


def test_tls_begins_and_ends_with_a_restart(start, tmp_path, pair):
    conf = tmp_path / "conf"
    for first, then in (("", f"tls-cert={pair.cert}\ntls-key={pair.key}\n"), (f"tls-cert={pair.cert}\ntls-key={pair.key}\n", "")):
        conf.write_text(first)
        daemon = start("--config", conf)
        c = daemon.client(tls=pair.trust() if first else None)
        c.get("/livez")
        conf.write_text(then)
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the log to say so", lambda: "begins and ends with a restart" in daemon.log())
        c.get("/livez")
        daemon.stop()


def test_a_chain_is_shown_whole(start, files, tmp_path):
    root = Pair(files, "root", use=None)
    middle, leaf = Pair(files, "middle", by=root, use=None), Pair(files, "leaf")
    openssl("req", "-x509", "-key", leaf.key, "-out", leaf.cert, "-days", 30, "-subj", "/CN=leaf", "-addext", NAMES,
            "-addext", "basicConstraints=critical,CA:false", "-CA", middle.cert, "-CAkey", middle.key)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(leaf.cert.read_bytes() + middle.cert.read_bytes())
    daemon = start("--tls-cert", chain, "--tls-key", leaf.key)
    daemon.client(tls=root.trust()).get("/livez")
    daemon.stop()


def test_a_key_that_others_can_read(start, tmp_path, pair):
    key = tmp_path / "open.key"
    key.write_bytes(pair.key.read_bytes())
    key.chmod(0o644)
    daemon = start("--tls-cert", pair.cert, "--tls-key", key)
    daemon.says("chmod 600")
    assert any(line["level"] == "error" and "chmod 600" in line["message"] and str(key) in line["message"]
               for line in daemon.log_lines())
    daemon.stop()


def test_an_expired_certificate_is_told_of(start, tmp_path, pair):
    """Clients refuse it; the daemon goes on, and says why they do."""
    cert = tmp_path / "old.pem"
    openssl("x509", "-in", pair.cert, "-signkey", pair.key, "-days", "-1", "-out", cert)
    daemon = start("--tls-cert", cert, "--tls-key", pair.key)
    daemon.says("clients refuse it")
    daemon.stop()


# ---- certificates of clients ----

@pytest.fixture(scope="module")
def clients(files):
    class Clients:
        ca = Pair(files, "ca", use=None)
        right, wrong_use = Pair(files, "right", by=ca, use="clientAuth"), Pair(files, "wrong-use", by=ca, use="serverAuth")
        plain = Pair(files, "plain", by=ca, use=None) # for any use
        stranger = Pair(files, "stranger", use="clientAuth")
        other_ca = Pair(files, "other-ca", use=None)
        of_other = Pair(files, "of-other", by=other_ca, use="clientAuth")
    return Clients


@pytest.mark.parametrize("low", [None, ssl.TLSVersion.TLSv1_2])
def test_client_ca(start, pair, clients, low):
    daemon = start(*pair.flags(), "--client-ca", clients.ca.cert)
    for client in (clients.right, clients.plain):
        daemon.client(tls=pair.trust(client, low)).get("/v1/models")
    for client in (None, clients.stranger, clients.of_other, clients.wrong_use):
        assert is_refused(daemon, pair.trust(client, low)), client
    daemon.client(tls=pair.trust(clients.right, low)).get("/livez")
    daemon.stop()


def test_a_new_client_ca(start, tmp_path, pair, clients):
    """It counts for who connects from now on."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(clients.ca.cert.read_bytes())
    daemon = start(*pair.flags(), "--client-ca", ca)
    kept = daemon.client(tls=pair.trust(clients.right))
    kept.get("/livez")
    assert is_refused(daemon, pair.trust(clients.of_other))
    ca.write_bytes(clients.other_ca.cert.read_bytes())
    daemon.process.send_signal(signal.SIGHUP)
    wait_for("the new one to count", lambda: "other files of TLS" in daemon.log())
    assert is_refused(daemon, pair.trust(clients.right))
    daemon.client(tls=pair.trust(clients.of_other)).get("/livez")
    kept.get("/livez")
    ca.write_text("nothing")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for("it to be refused", lambda: "changed nothing" in daemon.log())
    assert str(ca) in daemon.log_lines()[-1]["message"]
    daemon.client(tls=pair.trust(clients.of_other)).get("/livez")
    daemon.stop()


# ---- addresses that others can reach ----

@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
@pytest.mark.parametrize("has_token, how", [(False, None), (False, "tls"), (False, "no"), (True, None), (True, "tls"), (True, "no")])
def test_a_public_address_needs_both(start, tmp_path, pair, token, address, has_token, how):
    flags = [*(("--token-file", token) if has_token else ()), *{None: (), "tls": pair.flags(), "no": ("--no-tls",)}[how]]
    if has_token and how:
        daemon = start(*flags, listen=address)
        daemon.client(tls=pair.trust() if how == "tls" else None, host="localhost",
                      headers={"Authorization": f"Bearer {TOKEN}"}).get("/v1/models")
        daemon.stop()
        return
    said = refused(tmp_path, "--listen", address, *flags)
    assert ("--token-file" in said) == (not has_token), said
    assert ("--tls-cert" in said and "--no-tls" in said) == (how is None), said
    assert address in said and len(said.strip().splitlines()) == 1 and not (tmp_path / "x.db").exists()


def test_loopback_and_sockets_need_neither(start, tmp_path, pair):
    start(listen="127.0.0.1:0").client().get("/v1/models")
    start("--listen", f"unix:{tmp_path}/s", listen=None).stop()
    daemon = start("--listen", f"unix:{tmp_path}/t", *pair.flags(), listen=None)
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(30)
    raw.connect(f"{tmp_path}/t")
    with pair.trust().wrap_socket(raw, server_hostname="localhost") as tls:
        tls.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert tls.recv(100).startswith(b"HTTP/1.1 200")
    daemon.stop()


@pytest.mark.parametrize("flags, says", [
    (("--tls-cert", "CERT"), "--tls-key"), (("--tls-key", "KEY"), "--tls-cert"), (("--client-ca", "CERT"), "--tls-cert"),
    (("--tls-cert", "CERT", "--tls-key", "KEY", "--no-tls"), "exclude each other"),
])
def test_options_that_do_not_go_together(tmp_path, pair, flags, says):
    assert says in refused(tmp_path, *({"CERT": pair.cert, "KEY": pair.key}.get(flag, flag) for flag in flags))


def test_the_watchdogs_own_look_is_no_failed_handshake(start, tmp_path, pair):
    """It connects, and ends before a handshake (server/http/knock.c)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        daemon = start(*pair.flags(), environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"})
        while manager.recv(100) != b"READY=1":
            pass
        for _ in range(5):
            assert manager.recv(100) == b"WATCHDOG=1"
        daemon.stop()
    assert "handshake" not in daemon.log()


def test_the_commands_of_the_guide(tmp_path):
    """They work as they stand, but for the port."""
    block, = (b for b in re.findall(r"```sh\n(.*?)```", (REPOSITORY / "docs/operations.md").read_text(), re.DOTALL) if "openssl req" in b)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = block.replace("descentd --tls", f"{BINARY} --listen 127.0.0.1:{port} --tls").replace("localhost:8420", f"localhost:{port}")
    script = script.replace("curl ", "curl -sS --noproxy '*' --max-time 60 ")
    done = subprocess.run(["sh", "-ec", f"trap 'kill $!' EXIT\n{script}"], cwd=tmp_path, env=clean_environment(), capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.count('"status":"ok"') == 2, (done.stdout, done.stderr)
