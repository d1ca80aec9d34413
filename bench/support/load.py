"""Loading a server over HTTP: wrk for as long as it is told, h2load with so many requests. What it answered and used comes back."""
import re
import shutil
import subprocess
import tempfile
import time
from collections import namedtuple

SPARE_SECONDS = 120  # after which a loader hangs
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}

# requests: answered; rate: requests a second; cpu: the server's CPU seconds a request; cores: that it kept busy; median, p99: seconds;
# errors: requests that failed, whichever way
Load = namedtuple("Load", "requests rate cpu cores median p99 errors")
TOOLS = {"wrk": "wrk", "h2load": "nghttp2-client"}


def missing(tool):
    return None if shutil.which(tool) else f"{tool} is not installed: apt-get install {TOOLS[tool]}"


def run(server, command):
    """(what the command printed, CPU seconds of the server, seconds)."""
    cpu, begun = server.cpu_seconds(), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=SPARE_SECONDS)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr}")
    return done.stdout, server.cpu_seconds() - cpu, time.monotonic() - begun


def duration(word):
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", word).groups()
    return float(number) * UNITS[unit]


def post_script(body, content_type="application/json"):
    """For wrk: one and the same POST for ever."""
    return f'wrk.method = "POST"\nwrk.body = [==[{body}]==]\nwrk.headers["Content-Type"] = "{content_type}"\n'


def wrk(server, path, script, connections=16, seconds=2):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        out, cpu, took = run(server, ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", file.name, server.url + path])
    requests, spent = re.search(r"(\d+) requests in ([\d.a-z]+)", out).groups()
    failed = [int(count) for counts in re.findall(r"Socket errors: (.*)|Non-2xx or 3xx responses: (\d+)", out)
              for count in re.findall(r"\d+", " ".join(counts))]
    median, p99 = (duration(re.search(rf"^ +{share}% +(\S+)", out, re.MULTILINE).group(1)) for share in (50, 99))
    return Load(int(requests), int(requests) / duration(spent), cpu / max(int(requests), 1), cpu / took, median, p99, sum(failed))


def h2load(server, path, body, requests, connections=16, headers=()):
    """body: the name of a file. Percentiles are not known."""
    named = [word for header in headers for word in ("-H", header)]
    out, cpu, took = run(server, ["h2load", "--h1", f"-n{requests}", f"-c{connections}", "-d", body, *named, server.url + path])
    rate = float(re.search(r"([\d.]+) req/s", out).group(1))
    good = int(re.search(r"(\d+) 2xx", out).group(1))
    return Load(requests, rate, cpu / requests, cpu / took, None, None, requests - good)
