"""Framing of replies that are known before the body, and of those that have none. Each was wrong once."""
import pytest

from test_raw_http import HOST, Raw, statuses


def test_options_of_everything_passes_the_gate(daemon):
    """OPTIONS * was answered before anything looked at its headers: a request in its body was read as the next one."""
    with Raw(daemon.port) as raw:
        raw.send(f"OPTIONS * HTTP/1.1\r\n{HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                 f"GET /livez HTTP/1.1\r\n{HOST}\r\n")
        assert statuses(raw.all()) == [400]
    with Raw(daemon.port) as raw:
        raw.send(f"OPTIONS * HTTP/1.1\r\n{HOST}\r\n" * 2)
        assert statuses(raw.all()) == [204, 204]


@pytest.mark.parametrize("target", ["*", "/livez"])
def test_options_does_not_wait_for_a_large_body(daemon, target):
    """A body of any length was read to its end."""
    with Raw(daemon.port) as raw:
        answer = raw.send(f"OPTIONS {target} HTTP/1.1\r\n{HOST}Content-Length: 1000000000\r\n\r\nx").all()
    assert statuses(answer) == [204] and b"Connection: close" in answer


def test_a_refusal_does_not_ask_for_the_body(daemon):
    """100 (Continue) was sent for a body that was refused already."""
    with Raw(daemon.port) as raw:
        answer = raw.send(f"PUT /v1/nothing HTTP/1.1\r\n{HOST}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n").all()
    assert statuses(answer) == [404]


def test_not_modified_does_not_say_that_the_body_is_empty(daemon, c):
    """Content-Length of a 304 is that of the 200 (RFC 9110, section 8.6), and the next answer follows at once."""
    found = c.get("/v1/catalog")
    with Raw(daemon.port) as raw:
        head = f"GET /v1/catalog HTTP/1.1\r\n{HOST}If-None-Match: {found.etag}\r\n\r\n"
        answer = raw.send(head + f"HEAD /livez HTTP/1.1\r\n{HOST}\r\n").all()
    assert statuses(answer) == [304, 200]
    assert f"Content-Length: {len(found.body)}\r\n".encode() in answer.split(b"\r\n\r\n")[0] + b"\r\n"


def test_a_weak_tag_guards_nothing(c):
    """If-Match compares strongly (RFC 9110, section 13.1.1)."""
    c.put("/v1/models/weakly", {"inputs": 1, "outputs": 1, "layers": []}, status=201)
    tag = c.get("/v1/models/weakly").etag
    c.delete("/v1/models/weakly", headers={"If-Match": f"W/{tag}"}, status=412)
    c.delete("/v1/models/weakly", headers={"If-Match": tag}, status=204)


@pytest.mark.parametrize("path", ["/v1/models/%ff%fe", "/v1/models?limit=%ff", "/v1/models?%ff=1",
                                  "/v1/models/" + "%E5%90%8D" * 30], ids=["name", "value", "parameter", "cut"])
def test_a_sentence_survives_what_it_quotes(c, path):
    """A quotation that was no UTF-8, or was cut within a character, took detail and error out of the document."""
    refused = c.request("GET", path, status=(404, 422))
    assert refused["detail"] == refused["error"]
    assert "there is no" in refused["detail"] or "limit" in refused["detail"]


@pytest.mark.parametrize("target, status", [("/livez", 200), ("/nothing", 404), ("", 404)])
def test_an_absolute_target_is_its_path(daemon, target, status):
    """What a client sends that takes us for a proxy (RFC 9112, section 3.2.2) was not found."""
    with Raw(daemon.port) as raw:
        host = f"127.0.0.1:{daemon.port}"
        answer = raw.send(f"GET http://{host}{target} HTTP/1.1\r\nHost: {host}\r\n\r\n").all()
    assert statuses(answer) == [status]


@pytest.mark.parametrize("expectation, wanted", [("tea", [417]), ("100-continue", [200])])
def test_an_expectation_that_nobody_meets(daemon, expectation, wanted):
    """It was served as if nothing had been expected."""
    with Raw(daemon.port) as raw:
        answer = raw.send(f"GET /livez HTTP/1.1\r\n{HOST}Expect: {expectation}\r\n\r\n").all()
    assert [status for status in statuses(answer) if status != 100] == wanted


@pytest.mark.parametrize("head", [f"POST /v1/models/none:predict HTTP/1.1\r\n{HOST}", f"GET /livez HTTP/1.1\r\n{HOST}",
                                  f"PUT /v1/datasets/none HTTP/1.1\r\n{HOST}Content-Type: text/csv\r\n"])
def test_leave_for_a_body_that_there_is_not(daemon, head):
    """The next request was taken for a part of this, and the connection closed without an answer to either."""
    with Raw(daemon.port) as raw:
        answer = raw.send(f"{head}Expect: 100-continue\r\n\r\nGET /livez HTTP/1.1\r\n{HOST}\r\n").all()
    found = statuses(answer)
    assert found and 100 not in found and len(found) <= 2 and all(status < 500 for status in found)
