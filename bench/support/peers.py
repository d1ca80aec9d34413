"""The servers that descentd is held against: each is a process on a free port of loopback that ends with stop().

A peer has .url and .path, where a POST is answered, and cpu_seconds() as a Daemon has. missing() says what is not installed.
"""
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from process import cpu_seconds, end, with_children

HERE = os.path.dirname(os.path.abspath(__file__))
BARE = os.path.join(os.environ.get("BENCH_BUILD", os.path.join(HERE, "..", "..", "build", "release", "bench")), "support", "bare_http")
START_SECONDS = 60  # PyTorch is large
ANSWER = '{"predictions":[[0.98,0.02,0.0]],"labels":["setosa"],"model_version":"1"}'
NGINX = """daemon off;
pid {folder}/pid;
worker_processes {workers};
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{answer}'; }}
    }}
}}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Peer:
    path = "/"

    def __init__(self, command, port=None, **more):
        """Without a port the first line that the command prints is its port."""
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **more)
        try:
            port = port or int(self.process.stdout.readline())
            self.url = f"http://127.0.0.1:{port}"
            self.wait(port)
        except BaseException:
            self.stop()
            raise

    def wait(self, port):
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"{self.process.args[0]} did not start")
                time.sleep(0.01)

    def cpu_seconds(self):
        return sum(map(cpu_seconds, with_children(self.process.pid)))

    def stop(self):
        end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Bare(Peer):
    """libmicrohttpd with a constant answer (bare_http.c)."""

    def __init__(self):
        super().__init__([BARE])


class Nginx(Peer):
    """`return 200` with the same answer, and no log."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        port, config = free_port(), os.path.join(self.folder.name, "nginx.conf")
        with open(config, "w") as file:
            file.write(NGINX.format(folder=self.folder.name, port=port, workers=len(os.sched_getaffinity(0)), answer=ANSWER))
        super().__init__([self.program, "-p", self.folder.name, "-c", config, "-e", os.path.join(self.folder.name, "error")],
                         port)

    @staticmethod
    def missing():
        return None if Nginx.program else "nginx is not installed: apt-get install nginx"

    def stop(self):
        super().stop()
        self.folder.cleanup()


class FastApi(Peer):
    """serve_fastapi.py with one worker of uvicorn, which takes uvloop and httptools where they are."""
    path = "/predict"

    def __init__(self, layers):
        port = free_port()
        super().__init__([sys.executable, "-m", "uvicorn", "serve_fastapi:app", "--app-dir", HERE, "--host", "127.0.0.1", "--port",
                          str(port), "--no-access-log", "--log-level", "error"], port,
                         env={**os.environ, "LAYERS": layers, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})

    @staticmethod
    def missing():
        absent = [name for name in ("torch", "fastapi", "uvicorn") if not importlib.util.find_spec(name)]
        return f"{', '.join(absent)} not installed: apt-get install {' '.join('python3-' + name for name in absent)}" if absent else None
