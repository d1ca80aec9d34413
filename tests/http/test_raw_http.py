"""HTTP as it should not be: what two readers could read in two ways is refused, and the next request works."""
import re
import socket
import time

import pytest

from data import by_hand
from harness import wait_for

HOST = "Host: localhost\r\n"
JSON = "Content-Type: application/json\r\n"


class Raw:
    """A bare connection."""

    def __init__(self, port, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
        return self

    def all(self, quiet=0.4):
        """Everything that comes until the end, or until nothing came for a while after something did."""
        found = b""
        try:
            while True:
                piece = self.socket.recv(65536)
                if not piece:
                    break
                found += piece
                self.socket.settimeout(quiet)
        except (TimeoutError, ConnectionResetError):
            pass
        return found


def statuses(answer):
    """The status codes in what came back. libmicrohttpd sends the head of refusals of its own twice: that is one."""
    heads = re.findall(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n", answer)
    if b"<html>" in answer:
        heads = [head for i, head in enumerate(heads) if head not in heads[:i]]
    return [int(status) for status, _ in heads]


@pytest.fixture
def victim(c):
    """A model that a smuggled request would delete."""
    if c.put("/v1/models/victim", {"inputs": 1, "outputs": 1, "layers": []}, status=(200, 201)).status == 201:
        c.post("/v1/models/victim/versions", by_hand([[[1]]], [[0]]), status=201)
    yield
    c.get("/v1/models/victim")
    assert c.predict("victim", [[2]])["predictions"] == [[2]]


SMUGGLED = "DELETE /v1/models/victim HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = "POST /v1/models/victim:predict HTTP/1.1\r\n" + HOST + JSON
AMBIGUOUS = {
    "length-and-chunked": POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked-and-length": POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two-lengths": POST + f"Content-Length: 2\r\nContent-Length: {2 + len(SMUGGLED)}\r\n\r\n" + "{}" + SMUGGLED,
    "one-length-twice": POST + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
    "list-of-lengths": POST + "Content-Length: 2, 2\r\n\r\n{}" + SMUGGLED,
    "coding-gzip": POST + "Transfer-Encoding: gzip\r\n\r\n" + SMUGGLED,
    "coding-gzip-chunked": POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "coding-chunked-twice": POST + "Transfer-Encoding: chunked\r\n" * 2 + "\r\n0\r\n\r\n" + SMUGGLED,
    "coding-xchunked": POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "space-before-colon": POST + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "space-in-length": POST + f"Content-Length : {2}\r\n\r\n" + "{}" + SMUGGLED,
    "negative-length": POST + "Content-Length: -1\r\n\r\n" + SMUGGLED,
    "signed-length": POST + "Content-Length: +2\r\n\r\n{}" + SMUGGLED,
    "hex-length": POST + "Content-Length: 0x2\r\n\r\n{}" + SMUGGLED,
    "length-of-words": POST + "Content-Length: two\r\n\r\n{}" + SMUGGLED,
    "space-behind-coding": POST + "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n" + SMUGGLED,
    "endless-length": POST + "Content-Length: 99999999999999999999999\r\n\r\n{}" + SMUGGLED,
    "empty-length": POST + "Content-Length:\r\n\r\n" + SMUGGLED,
    "broken-chunk": POST + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "huge-chunk": POST + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "two-hosts": "GET /v1/models HTTP/1.1\r\n" + HOST + "Host: evil.example\r\n\r\n" + SMUGGLED,
    "one-host-twice": "GET /v1/models HTTP/1.1\r\n" + HOST + HOST + "\r\n" + SMUGGLED,
    "no-host": "GET /v1/models HTTP/1.1\r\n\r\n" + SMUGGLED,
    "chunks-of-1.0": POST.replace("HTTP/1.1", "HTTP/1.0") + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "host-of-the-target": "GET http://evil.example/v1/models HTTP/1.1\r\n" + HOST + "\r\n" + SMUGGLED,
    "name-without-colon": "GET /v1/models HTTP/1.1\r\n" + HOST + "Nonsense\r\n\r\n" + SMUGGLED,
    # A lone CR or LF ended a line, where others read on; a fold was joined without a space.
    "cr-within-a-value": POST + "X: a\rContent-Length: 2\r\n\r\n{}" + SMUGGLED,
    "cr-before-the-end": "GET /v1/models HTTP/1.1\r\n" + HOST + "X: a\r\r\n" + SMUGGLED,
    "cr-behind-the-version": "GET /v1/models HTTP/1.1\r" + HOST + "\r\n" + SMUGGLED,
    "lf-between-headers": "GET /v1/models HTTP/1.1\r\n" + HOST + "X: a\nY: b\r\n\r\n" + SMUGGLED,
    "folded-coding": POST + "Transfer-Encoding: chun\r\n ked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "folded-value": "GET /v1/models HTTP/1.1\r\n" + HOST + "X: a\r\n b\r\n\r\n" + SMUGGLED,
    "nul-behind-a-value": "GET /v1/models HTTP/1.1\r\n" + HOST + "X: a\0b\r\n\r\n" + SMUGGLED,
    "two-nuls-behind-a-host": "GET /v1/models HTTP/1.1\r\nHost: evil\0\0.example\r\n\r\n" + SMUGGLED,
    "nul-behind-the-method": "OPTIONS\0 /livez HTTP/1.1\r\n" + HOST + "\r\n" + SMUGGLED,
    "no-version": "GET /v1/models\r\n\r\n" + SMUGGLED,
    "version-nonsense": "GET /v1/models HTTP/one\r\n" + HOST + "\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_requests_that_can_be_read_in_two_ways(daemon, victim, kind):
    """One refusal, then the connection ends: what follows is never taken for a request."""
    with Raw(daemon.port) as raw:
        found = statuses(raw.send(AMBIGUOUS[kind]).all())
    assert len(found) <= 1, "what followed was answered"
    for status in found:
        assert 400 <= status < 500 or status in (501, 505), status
    assert found or kind in ("no-version", "version-nonsense"), "no answer at all"


def behind_a_chunk(size=200):
    """A chunk whose line ends at the LF for one reader, and after what follows it for another: that takes the second request for
    a part of the chunk."""
    hidden = "\r\n0\r\n\r\n" + SMUGGLED
    body = f"{size:x};\n" + "j" * (len(hidden) - 2) + "\r\n" + "b" * (size - len(hidden)) + hidden
    assert body.split("\r\n", 1)[1][size - len(hidden):] == hidden
    return body + "\r\n0\r\n\r\n"


@pytest.mark.parametrize("chunks", [behind_a_chunk(), "2\n{}\n0\n\n" + SMUGGLED, "2;\rx\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
                                    "2\r\n{}\r\n0\r\nA: b\n\n" + SMUGGLED, "2\r\n{}\r\n0\r\n\r\n" + SMUGGLED],
                         ids=["lf-in-an-extension", "lf", "cr-in-an-extension", "lf-behind-a-trailer", "as-it-should-be"])
def test_nothing_behind_chunks_is_a_request(daemon, victim, chunks):
    """The first of these deleted the model. (Its fixture looks whether it is there.)"""
    with Raw(daemon.port) as raw:
        answer = raw.send(f"{POST}Transfer-Encoding: chunked\r\n\r\n{chunks}").all()
    assert len(statuses(answer)) == 1 and 400 <= statuses(answer)[0] < 500 and b"Connection: close" in answer


@pytest.mark.parametrize("text", [
    "GET /livez HTTP/1.1\nHost: localhost\n\n", "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "GET /livez HTTP/1.1\r\n Host: localhost\r\n\r\n", "\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET  /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET\t/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
], ids=["bare-lf", "obs-fold", "fold-at-once", "blank-lines", "two-spaces", "tab"])
def test_sloppy_spellings_get_one_answer(daemon, victim, text):
    """They are read as the one request they look like, or refused; never as two."""
    with Raw(daemon.port) as raw:
        found = statuses(raw.send(text).all())
    assert len(found) <= 1 and all(status < 500 for status in found)


@pytest.mark.parametrize("path,status", [
    ("/v1/models/victim%00x", 400), ("/v1/models/victim%00", 400), ("/v1/models/%76ictim%00y", 400),
    ("/v1/models/x%2Fvictim", 400),
    ("/v1/models/%2e%2e%2fvictim", 400), ("/v1/models/%2e%2e%2fmodels%2fvictim", 400),
    ("/v1/models/x/..%2fvictim", 404), ("/v1/models/x/../victim", 404), ("/v1/models/%2e%2e/models/victim", 404),
    ("/v1/models/victim?%00", 400), ("/v1/models/victim%0d%0aX%20y", 400), ("/v1/models/victim%", 400),
    ("/v1/models/victim#x", (400, 404, 422)),
    ("/v1/models//victim", 404), ("/v1/models/./victim", 404), ("v1/models/victim", (400, 404)), ("*", (400, 404, 405)),
])
def test_paths_that_hide_another(daemon, victim, path, status):
    with Raw(daemon.port) as raw:
        found = statuses(raw.send(f"DELETE {path} HTTP/1.1\r\n{HOST}\r\n").all())
    assert len(found) == 1 and found[0] in (status if isinstance(status, tuple) else (status,))


def test_a_raw_nul_in_the_request(daemon, victim):
    for text in ("DELETE /v1/models/victim\0x HTTP/1.1\r\n" + HOST + "\r\n",
                 "DELETE /v1/models/vic\0tim HTTP/1.1\r\n" + HOST + "\r\n",
                 "GET /livez HTTP/1.1\r\n" + HOST + "X: a\0b\r\n\r\n"):
        with Raw(daemon.port) as raw:
            found = statuses(raw.send(text).all())
        assert len(found) <= 1 and all(status < 500 for status in found)


def test_an_escaped_name_is_the_name(daemon, c, victim):
    assert c.get("/v1/models/%76ictim")["name"] == "victim"


def test_pipelining(daemon, victim):
    text = "".join(f"GET {path} HTTP/1.1\r\n{HOST}\r\n" for path in ("/livez", "/nowhere", "/v1/models/victim",
                                                                     "/livez"))
    with Raw(daemon.port) as raw:
        answer = raw.send(text).all()
    assert statuses(answer) == [200, 404, 200, 200], "answers in the order of the questions"


def test_pipelining_with_bodies(daemon, victim):
    body = '{"instances":[[%d]]}'
    text = "".join(f"{POST}Content-Length: {len(body % i)}\r\n\r\n{body % i}" for i in range(5))
    with Raw(daemon.port) as raw:
        answer = raw.send(text).all()
    assert statuses(answer) == [200] * 5
    places = [answer.index(b"[[%d" % i) for i in range(5)]
    assert places == sorted(places)


def test_a_request_byte_by_byte(daemon, victim):
    body = '{"instances":[[7]]}'
    with Raw(daemon.port) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in f"{POST}Content-Length: {len(body)}\r\n\r\n{body}":
            raw.send(byte)
            time.sleep(0.002)
        assert statuses(raw.all()) == [200]


def test_chunks_of_one_byte(daemon, victim):
    body = '{"instances":[[7]]}'
    chunks = "".join(f"1;ext=1\r\n{ch}\r\n" for ch in body) + "0\r\nTrailer: x\r\n\r\n"
    with Raw(daemon.port) as raw:
        assert statuses(raw.send(f"{POST}Transfer-Encoding: chunked\r\n\r\n{chunks}").all()) == [200]


@pytest.mark.parametrize("head", [POST + "Content-Length: 1000\r\n\r\n", POST + "Transfer-Encoding: chunked\r\n\r\n",
                                  f"PUT /v1/datasets/never HTTP/1.1\r\n{HOST}Content-Type: text/csv\r\n"
                                  "Content-Length: 1000\r\n\r\n",
                                  f"PUT /v1/models/never HTTP/1.1\r\n{HOST}{JSON}Content-Length: 1000\r\n\r\n"],
                         ids=["predict", "chunked", "csv", "model"])
@pytest.mark.parametrize("piece", ["", "1\r\n{\r\n", "a,b\n1,2\n", '{"inputs":1,"outputs":1}'],
                         ids=["nothing", "chunk", "rows", "json"])
def test_a_client_that_leaves_in_mid_body(daemon, c, victim, head, piece):
    for _ in range(3):
        with Raw(daemon.port) as raw:
            raw.send(head + piece)
    c.get("/v1/datasets/never", status=404)
    c.get("/v1/models/never", status=404)


def test_a_client_that_leaves_in_mid_request(daemon, c, victim):
    for text in ("", "G", "GET /v1/mod", "GET /v1/models HTTP/1.1\r\n", "GET /v1/models HTTP/1.1\r\nHost: loc"):
        with Raw(daemon.port) as raw:
            raw.send(text)
    c.get("/livez")


@pytest.mark.parametrize("kind, media", [("PUT /v1/datasets/left", "text/csv"), ("POST /v1/models/xor:predict", "application/json")])
def test_clients_that_leave_right_behind_their_last_bytes(daemon, victim, kind, media):
    """The bytes and the end arrive together, for one edge of the poller: none may wait for the idle limit."""
    before = daemon.sockets()
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            raw.sendall(f"{kind} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\n"
                        "Content-Length: 100000\r\n\r\na,b\n1,2\n".encode())
    wait_for("the sockets to go", lambda: daemon.sockets() <= before + 2)


def test_a_client_that_does_not_wait_for_its_answer(daemon, c, victim):
    for _ in range(20):
        with Raw(daemon.port) as raw:
            raw.send(f"GET /openapi.json HTTP/1.1\r\n{HOST}\r\n" * 5)
    c.get("/livez")


def test_waiting_for_leave_to_send(daemon, victim):
    """curl asks so before a large upload."""
    body = '{"instances":[[7]]}'
    with Raw(daemon.port) as raw:
        raw.send(f"{POST}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n")
        assert raw.socket.recv(1000).startswith(b"HTTP/1.1 100")
        assert statuses(raw.send(body).all()) == [200]


def test_refused_before_the_body_is_sent(daemon, victim):
    """A client that asks for leave to send hears the refusal, at once or after its body."""
    with Raw(daemon.port) as raw:
        raw.send(f"PUT /v1/models/x HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\nContent-Length: 100000\r\n"
                 "Expect: 100-continue\r\n\r\n")
        answer = raw.socket.recv(1000)
        if answer.startswith(b"HTTP/1.1 100"):
            answer = raw.send("x" * 100_000).all()
        assert statuses(answer) == [415]


@pytest.mark.parametrize("text,wanted", [
    (f"GET /{'a' * 100_000} HTTP/1.1\r\n{HOST}\r\n", (414, 431)),
    (f"GET /livez HTTP/1.1\r\n{HOST}X: {'a' * 100_000}\r\n\r\n", (431,)),
    ("GET /livez HTTP/1.1\r\n" + HOST + "".join(f"X-{i}: {i}\r\n" for i in range(5000)) + "\r\n", (431,)),
], ids=["url", "header", "headers"])
def test_heads_that_are_too_large(daemon, victim, text, wanted):
    with Raw(daemon.port) as raw:
        try:
            raw.send(text)
        except (BrokenPipeError, ConnectionResetError):
            pass
        found = statuses(raw.all())
    assert len(found) <= 1 and set(found) <= set(wanted)


HEADS = {
    "header": lambda n: ("", "X: " + "a" * n + "\r\n"), "headers": lambda n: ("", "a:b\r\n" * (n // 64)),
    "url": lambda n: ("/" + "a" * n, ""), "arguments": lambda n: ("?" + "a&" * (n // 66), ""),
    "cookie": lambda n: ("", "Cookie: a=" + "b" * (n // 2) + "\r\n"), "cookies": lambda n: ("", "Cookie: " + "a=b; " * (n // 74) + "\r\n"),
}


@pytest.mark.parametrize("kind", HEADS)
def test_heads_that_leave_no_room_for_an_answer(daemon, kind):
    """Between what fits and what libmicrohttpd refuses by itself it found no memory for the answer, and closed without one, though a
    change had been made."""
    found = []
    for n in range(5600, 8080, 40):
        more, headers = HEADS[kind](n)
        with Raw(daemon.port) as raw:
            found += statuses(raw.send(f"GET /livez{more} HTTP/1.1\r\n{HOST}{headers}Connection: close\r\n\r\n").all(5))
        assert len(found) == (n - 5600) // 40 + 1, f"no answer at {n}"
    assert 431 in found and found[0] in (200, 404, 422) and set(found[1:]) <= {found[0], 414, 431}


@pytest.mark.parametrize("method",
                         ["TRACE", "CONNECT", "BREW", "get", "G\x01T", "GETGETGETGETGETGETGETGETGETGETGETGETGET"])
def test_other_methods(daemon, victim, method):
    with Raw(daemon.port) as raw:
        found = statuses(raw.send(f"{method} /v1/models/victim HTTP/1.1\r\n{HOST}\r\n").all())
    assert len(found) <= 1 and set(found) <= {400, 405, 501}


def test_http_1_0(daemon, victim):
    with Raw(daemon.port) as raw:
        answer = raw.send(f"GET /livez HTTP/1.0\r\n{HOST}\r\n").all()
    assert answer.split(b" ")[1] == b"200"


def test_noise(daemon, c, victim):
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 4, b"\0" * 1000,
                  b"\xff" * 5000, b"\r\n" * 500,
                  b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with Raw(daemon.port, timeout=1) as raw:
            try:
                found = statuses(raw.send(noise).all())
            except (BrokenPipeError, ConnectionResetError):
                found = []
        assert all(400 <= status < 600 for status in found)
        c.get("/livez")


def test_many_idle_connections(daemon, c, victim):
    held = [socket.create_connection(("127.0.0.1", daemon.port), timeout=5) for _ in range(200)]
    try:
        c.connection.close()
        assert c.get("/livez").status == 200
    finally:
        for connection in held:
            connection.close()
