"""sse.py - reads event streams: Server-Sent Events as WHATWG HTML, section 9.2.6, has them, and lines of JSON.

Stream is one GET on a connection of its own; next() waits for the next event, however the bytes are cut.
"""
import http.client
import json
import socket

from harness import CONTRACT

SECONDS = 40


class Event:
    def __init__(self, name, text, id):
        self.name, self.text, self.id = name, text, id

    @property
    def data(self):
        return json.loads(self.text)

    def __eq__(self, other):
        return (self.name, self.data, self.id) == (other.name, other.data, other.id)

    def __repr__(self):
        return f"{self.name} {self.id} {self.text[:80]}"


class Parser:
    """Lines in, events out. A comment is kept in comments; a block that never ends is no event."""

    def __init__(self):
        self.rest, self.comments = b"", []
        self.last_id = ""
        self.reset()

    def reset(self):
        self.name, self.data, self.id = "", [], None

    def feed(self, piece):
        found = []
        self.rest += piece
        *lines, self.rest = self.rest.split(b"\n")
        for line in lines:
            assert not line.endswith(b"\r"), "lines end with LF"
            event = self.line(line.decode("utf-8"))
            if event:
                found.append(event)
        return found

    def line(self, line):
        if not line:
            event = Event(self.name or "message", "\n".join(self.data), self.last_id) if self.data else None
            self.reset()
            return event
        field, colon, value = line.partition(":")
        if not field:
            self.comments.append(value)
            return None
        value = value.removeprefix(" ")
        if field == "event":
            self.name = value
        elif field == "data":
            self.data.append(value)
        elif field == "id" and "\0" not in value:
            self.last_id = value
        else:
            raise AssertionError(f"a field that no reader knows: {line}")
        return None


class Lines:
    """The same of lines of JSON."""

    def __init__(self):
        self.rest, self.comments = b"", []
        self.last_id = ""

    def feed(self, piece):
        found = []
        self.rest += piece
        *lines, self.rest = self.rest.split(b"\n")
        for line in map(json.loads, lines):
            if line["event"] == "beat":
                self.comments.append("beat")
                continue
            self.last_id = line.get("id", self.last_id)
            found.append(Event(line["event"], json.dumps(line["data"]),
                               self.last_id))
        return found


class Stream:
    def __init__(self, port, path, last_id=None, lines=False, status=200, timeout=SECONDS, headers=(), tls=None):
        self.connection = (http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=tls) if tls else
                           http.client.HTTPConnection("127.0.0.1", port, timeout=timeout))
        headers = {**dict(headers), **({"Accept": "application/x-ndjson"} if lines else {})}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == status, (self.response.status, self.response.read()[:500])
        self.media = self.response.headers["Content-Type"]
        self.parser = Lines() if lines else Parser()
        self.ready, self.over = [], False
        self.seen = []
        if status == 200:
            assert self.media == ("application/x-ndjson" if lines else "text/event-stream")
            assert self.response.headers["Cache-Control"] == "no-store"

    @property
    def last_id(self):
        return self.parser.last_id

    def read(self):
        """Some more bytes; false at the end."""
        try:
            piece = self.response.read1(65536)
        except (ConnectionError, http.client.IncompleteRead):
            piece = b""
        self.over = self.over or not piece
        self.ready += self.parser.feed(piece)
        return bool(piece)

    def next(self):
        """The next event; None at the end of the stream."""
        while not self.ready and not self.over:
            self.read()
        if not self.ready:
            return None
        self.seen.append(self.ready.pop(0))
        return self.seen[-1]

    def rest(self):
        """All events to the end of the stream."""
        while self.next():
            pass
        return self.seen

    def until(self, condition):
        """Reads on to the first event for which condition(event) is true, and returns it."""
        while (event := self.next()) and not condition(event):
            pass
        assert event, f"the stream ended: {self.seen[-3:]}"
        return event

    def leave(self):
        """As a browser does whose page is closed."""
        try:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass
        self.response.close()
        self.connection.close()


def check(event, schema="JobEvent"):
    """Holds an event against the contract."""
    whole = {"event": event.name, "data": event.data, **({"id": event.id} if event.id else {})}
    fault = CONTRACT.faults(CONTRACT.document["components"]["schemas"][schema], whole)
    assert not fault, f"{fault}: {event}"


def points(events):
    """The (id, epoch, loss) that events tell of; those that a rewind took back are gone."""
    found = []
    for event in events:
        data = event.data
        if event.name == "epoch":
            found.append((int(event.id), data["epoch"], data["loss"]))
        elif event.name == "epochs":
            assert data["to"] == event.id
            ids = range(int(data["from"]), int(data["to"]) + 1)
            found += zip(ids, data["epoch"], data["loss"], strict=True)
        elif event.name == "rewind":
            found = [point for point in found if point[1] <= data["epoch"]]
    return found
