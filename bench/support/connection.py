"""Connections to the daemon that are kept and cost as little as may be on this side."""
import json
import socket

from process import allow_files


def connect(daemon, count):
    """Sockets to the daemon."""
    allow_files(count + 100)
    port = int(daemon.url.rpartition(":")[2])
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


def post(path, document):
    """A request that can be sent again and again."""
    body = json.dumps(document).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "\r\n").encode() + body


def more_of(one):
    data = one.recv(1 << 16)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def read_answer(one):
    """(status, body) of the one answer that is under way on a socket."""
    answer = more_of(one)
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += more_of(one)
    at = answer.index(b"Content-Length: ") + 16
    size = int(answer[at:answer.index(b"\r", at)])
    while len(answer) < end + 4 + size:
        answer += more_of(one)
    return int(answer[9:12]), answer[end + 4:]


class Connection:
    def __init__(self, daemon):
        self.socket, = connect(daemon, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """The status of its answer, which was read to its end."""
        self.socket.sendall(request)
        return read_answer(self.socket)[0]
