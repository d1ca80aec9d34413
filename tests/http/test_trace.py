"""W3C Trace Context: a request that belongs to a trace is a span of it, in the log and in the answer."""
from harness import wait_for

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def requests(daemon):
    return [line for line in daemon.log_lines() if line.get("event") == "request"]


def test_spans(start):
    daemon = start("--log-format", "json")
    c = daemon.client()
    c.get("/livez")
    spans = set()
    for path, status in (("/livez", 200), ("/v1/models", 200), ("/nowhere", 404)):
        answer = c.get(path, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}, status=status)
        version, trace, span, flags = answer.headers["traceresponse"].split("-")
        assert (version, trace, flags) == ("00", TRACE, "01") and span != PARENT
        spans.add(span)
    assert len(spans) == 3
    for broken in ("", "00", f"00-{TRACE}-{PARENT}", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", "x" * 200):
        assert "traceresponse" not in c.get("/livez", headers={"traceparent": broken}).headers
    wait_for("all lines", lambda: len(requests(daemon)) == 10)
    logged = requests(daemon)
    assert {line["span_id"] for line in logged if "span_id" in line} == spans
    assert [(line["trace_id"], line["parent_id"]) for line in logged if "trace_id" in line] == [(TRACE, PARENT)] * 3
    assert all("trace_id" not in line for line in (logged[0], *logged[4:]))


def test_spans_as_text(start):
    daemon = start("--log-format", "text")
    span = daemon.client().get("/livez", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"}).headers["traceresponse"].split("-")[2]
    wait_for("the line", lambda: f"trace {TRACE} span {span} of {PARENT}" in daemon.log())
