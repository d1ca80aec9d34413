"""What serving costs, beside what else one would serve with. Each part is one function; all run, or those that are named.

usage: bench/serve.py [ROUNDS] [NAME…]     (make sets DESCENTD and BENCH_BUILD; Debian: wrk nghttp2-client nginx python3-torch
                                            python3-fastapi python3-uvicorn python3-uvloop python3-httptools)

The servers of a part run at once and are asked turn about, ROUNDS times (7), a loader of one thread beside them. A figure is the
median of the rounds, (lowest to highest) beside it, and a ratio is taken within each round. CPU time is what the kernel
counted for all processes of a server while it was loaded. At the end comes a table of what was asked and what was found.
"""
import http.client
import json
import os
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import load
import peers
from connection import connect, post, read_answer
from daemon import DATA, Daemon
from process import allow_files

BUILD = os.environ.get("BENCH_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "release", "bench"))
ROUNDS = 7
SECONDS = 2  # of one load
FLOWER = '{"instances":[[5.1,3.5,1.4,0.2]]}'
IMAGE = "784-128-10"
MANY = 1000  # rows of one request; as ROWS_MANY of forward.c

table = []  # the rows of the end: what, figure, asked


# ---- what is said ----

def number(value):
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def note(what, values, unit, least=None, most=None, beside=""):
    """One line of the table, from the values of the rounds."""
    value = statistics.median(values)
    among = f" ({number(min(values))} to {number(max(values))})" if len(values) > 1 else ""
    figure = f"{number(value)} {unit}{among}{beside}"
    asked = f"≥ {least:g}" if least is not None else f"≤ {most:g}"
    fine = value >= least if least is not None else value <= most
    table.append((what, figure, asked if fine else asked + ", missed"))
    print(f"{what}: {figure}, asked {asked}{'' if fine else ' MISSED'}", flush=True)


def say(reason):
    """Whether there is one to leave something out."""
    if reason:
        print(f"  left out: {reason}")
    return bool(reason)


def ratios(over, under, field):
    return [getattr(a, field) / getattr(b, field) for a, b in zip(over, under)]


def middle(loads, field):
    return statistics.median(getattr(one, field) for one in loads)


def show(found):
    for name, loads in found.items():
        errors = sum(one.errors for one in loads)
        tail = ""
        if loads[0].p99:
            tail = f", median {middle(loads, 'median') * 1e6:,.0f} µs, 99 % below {middle(loads, 'p99') * 1e6:,.0f} µs"
        print(f"  {name:17s} {number(middle(loads, 'rate')):>9s} requests/s, {number(middle(loads, 'cpu') * 1e6):>9s} µs of CPU each, "
              f"{middle(loads, 'cores'):.1f} cores{tail}{f', {errors} ERRORS' if errors else ''}", flush=True)


def turn_about(rounds, actions):
    """{name: the loads of the rounds}."""
    found = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            found[name].append(action())
    return found


# ---- models and rows ----

def start(stack, flags=(), **more):
    return stack.enter_context(Daemon(os.environ.get("DESCENTD"), flags=flags, **more))


def iris(daemon):
    """4-16-3, trained, as model iris; the path that predicts."""
    with open(os.path.join(DATA, "iris.csv"), "rb") as file:
        daemon.ask("PUT", "/v1/datasets/iris", file.read(), "text/csv")
    daemon.ask("PUT", "/v1/models/iris", {"dataset": "iris", "target": "species", "layers": [16], "seed": 1})
    daemon.train("iris", {"dataset": "iris", "epochs": 50, "seed": 1})
    return "/v1/models/iris:predict"


def by_hand(daemon, name, layers, seed=1):
    """A classifier with random weights, the same ones for the same seed; the path that predicts."""
    sizes, numbers = [int(size) for size in layers.split("-")], random.Random(seed)
    made = [{"weights": [[round(numbers.uniform(-1, 1) * before ** -0.5, 5) for _ in range(before)] for _ in range(after)],
             "biases": [round(numbers.uniform(-1, 1), 5) for _ in range(after)]} for before, after in zip(sizes, sizes[1:])]
    classes = {"name": "class", "type": "category", "values": [str(i) for i in range(sizes[-1])]}
    daemon.ask("PUT", f"/v1/models/{name}", {"inputs": sizes[0], "outputs": [classes],
                                             "layers": [{"units": units, "activation": "relu"} for units in sizes[1:-1]]})
    daemon.ask("POST", f"/v1/models/{name}/versions", {"layers": made})
    return f"/v1/models/{name}:predict"


def rows_of(count, inputs=784, seed=1):
    numbers = random.Random(seed)
    return [[round(numbers.random(), 4) for _ in range(inputs)] for _ in range(count)]


def fastapi(stack, layers):
    """The peer, or None."""
    return None if say(peers.FastApi.missing()) else stack.enter_context(peers.FastApi(layers))


# ---- the parts ----

def one_row(rounds):
    """4-16-3, one row, 16 connections, access log on: beside servers that compute nothing, and FastAPI."""
    script = load.post_script(FLOWER)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        log, body, lines = os.path.join(folder, "log"), os.path.join(folder, "body"), []
        with open(body, "w") as file:
            file.write(FLOWER)
        bare, daemon = stack.enter_context(peers.Bare()), start(stack, log=log)
        predict = iris(daemon)
        servers = {"bare": (bare, bare.path), "descentd": (daemon, predict)}
        if not say(peers.Nginx.missing()):
            servers["nginx"] = (stack.enter_context(peers.Nginx()), "/")
        if peer := fastapi(stack, "4-16-3"):
            servers["FastAPI"] = (peer, peer.path)

        def logged():
            os.truncate(log, 0)
            found = load.wrk(daemon, predict, script, seconds=SECONDS)
            time.sleep(0.2)  # the log is written behind the answers
            with open(log, "rb") as file:
                lines.append(100 * min(1, sum(1 for _ in file) / found.requests))
            os.truncate(log, 0)
            return found

        actions = {name: lambda server=server: load.wrk(*server, script, seconds=SECONDS) for name, server in servers.items()}
        actions["descentd"] = logged
        if not say(load.missing("h2load")):
            actions |= {name + ", h2load": lambda server=server, count=2_000 if name == "FastAPI" else 50_000:
                        load.h2load(*server, body, count) for name, server in servers.items()}
        found = turn_about(rounds, actions)
    show(found)
    print(f"  lines of the log: {number(statistics.median(lines))} % of the requests")
    for peer, field in (("bare", "cpu"), ("FastAPI", "rate")):
        if (name := f"{peer}, h2load") in found:
            times = statistics.median(ratios(found["descentd, h2load"], found[name], field))
            print(f"  by h2load: {number(times)} times the {field} of {peer}")
    ours, what = found["descentd"], "one row, 4-16-3, 16 connections, access log on"
    beside = f"; {number(middle(ours, 'cpu') * 1e6)} µs"
    if "nginx" in found:
        beside += f"; nginx's `return 200` {number(statistics.median(ratios(found['nginx'], found['bare'], 'cpu')))} times"
    note(f"{what}: CPU time a request", ratios(ours, found["bare"], "cpu"), "times bare libmicrohttpd's", most=1.35, beside=beside)
    if "FastAPI" in found:
        note(f"{what}: rate", ratios(ours, found["FastAPI"], "rate"), "times FastAPI's", least=20,
             beside=f"; {number(middle(ours, 'rate'))} a second; bare libmicrohttpd "  # which the loader bounds
             f"{number(statistics.median(ratios(found['bare'], found['FastAPI'], 'rate')))} times")
    note(f"{what}: 99th percentile", ratios(ours, found["bare"], "p99"), "times bare libmicrohttpd's", most=1.5,
         beside=f"; {number(middle(ours, 'p99') * 1e6)} µs")


def image(rounds):
    """784-128-10, one row as JSON, 16 connections."""
    script = load.post_script(json.dumps({"instances": rows_of(1)}))
    with ExitStack() as stack:
        if not (peer := fastapi(stack, IMAGE)):
            return
        daemon = start(stack)
        predict = by_hand(daemon, "m", IMAGE)
        found = turn_about(rounds, {"descentd": lambda: load.wrk(daemon, predict, script, seconds=SECONDS),
                                    "FastAPI": lambda: load.wrk(peer, peer.path, script, seconds=SECONDS)})
    show(found)
    note(f"one row, {IMAGE}, JSON, 16 connections: rate", ratios(found["descentd"], found["FastAPI"], "rate"), "times FastAPI's",
         least=10, beside=f"; {number(middle(found['descentd'], 'rate'))} a second")


def floats(rows):
    return struct.pack(f"<{len(rows) * len(rows[0])}f", *(cell for row in rows for cell in row))


def binary_request(rows):
    """(head, tensor) of the Open Inference Protocol."""
    tensor = floats(rows)
    head = json.dumps({"inputs": [{"name": "inputs", "shape": [len(rows), len(rows[0])], "datatype": "FP32",
                                   "parameters": {"binary_data_size": len(tensor)}}], "parameters": {"binary_data_output": True}})
    return head.encode(), tensor


def same_numbers(daemon, predict, infer, text, binary, headers):
    """Whether both routes answer the same floats."""
    connection = http.client.HTTPConnection(daemon.url.removeprefix("http://"))
    connection.request("POST", predict, text, {"Content-Type": "application/json"})
    predictions = json.loads(connection.getresponse().read())["predictions"]
    connection.request("POST", infer, binary, headers)
    answer = connection.getresponse()
    tensors = answer.read()[int(answer.headers["Inference-Header-Content-Length"]):]  # the numbers, then the labels
    connection.close()
    return tensors.startswith(floats(predictions))


def forward_speed():
    """Rows a CPU second of the engine alone, by bench/forward.c: its last table."""
    out = subprocess.run([os.path.join(BUILD, "forward")], capture_output=True, text=True, check=True).stdout
    return float(next(line.split()[1] for line in reversed(out.splitlines()) if line.startswith(IMAGE)))


def bulk(rounds):
    """784-128-10, 1,000 rows a request, as JSON and as binary tensors. Four connections, so that nobody waits for the loader."""
    if say(load.missing("h2load")):
        return
    rows, connections = rows_of(MANY), 4
    head, tensor = binary_request(rows)
    text, infer = json.dumps({"instances": rows}).encode(), "/v2/models/m/infer"
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        files = {"JSON": text, "binary": head + tensor}
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        daemon = start(stack)
        predict = by_hand(daemon, "m", IMAGE)
        fields = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
        if not same_numbers(daemon, predict, infer, text, head + tensor, fields):
            print("  JSON and binary tensors DIFFER in their numbers")
        kinds = {"JSON": (daemon, predict, "JSON", ["Content-Type: application/json"]),
                 "binary": (daemon, infer, "binary", [f"{name}: {value}" for name, value in fields.items()])}
        if peer := fastapi(stack, IMAGE):
            kinds["FastAPI"] = (peer, peer.path, "JSON", ["Content-Type: application/json"])

        def ask(kind, requests):
            server, path, file, headers = kinds[kind]
            return load.h2load(server, path, os.path.join(folder, file), requests, connections, headers)

        counts = {kind: max(connections, round(SECONDS * ask(kind, connections).rate)) for kind in kinds}
        engine = []
        found = turn_about(rounds, {**{kind: lambda kind=kind: ask(kind, counts[kind]) for kind in kinds},
                                    "engine": lambda: engine.append(forward_speed())})
    del found["engine"]
    show(found)
    print(f"  engine            {number(statistics.median(engine))} rows a CPU second, one thread")
    for kind, least in (("JSON", 8), ("binary", 40)):
        if peer:
            note(f"1,000 rows, {IMAGE}, {kind}: rate", ratios(found[kind], found["FastAPI"], "rate"), "times FastAPI's with JSON",
                 least=least, beside=f"; {number(MANY * middle(found[kind], 'rate'))} rows/s on {middle(found[kind], 'cores'):.1f} cores, "
                 f"FastAPI on {middle(found['FastAPI'], 'cores'):.1f}")
    shares = [MANY / one.cpu / speed for one, speed in zip(found["binary"], engine)]
    note(f"1,000 rows, {IMAGE}, binary: rows a CPU second", shares,
         "times the engine's own", least=0.5, beside=f"; {number(MANY / middle(found['binary'], 'cpu'))}")


def answers(daemon, requests):
    """(status, body) of each of requests that are all under way at once."""
    sockets = connect(daemon, len(requests))
    for one, request in zip(sockets, requests):
        one.sendall(request)
    found = [read_answer(one) for one in sockets]
    for one in sockets:
        one.close()
    return found


def batching(rounds):
    """784-1024-1024-10, one row, 64 connections: with batching and without, and whether the bits are the same."""
    usage = subprocess.run([os.environ.get("DESCENTD") or "./descentd", "--help"], capture_output=True, text=True, check=True).stdout
    if say(None if "--no-batching" in usage else "this descentd has no --no-batching"):
        return
    script, rows, repeats = load.post_script(json.dumps({"instances": rows_of(1)})), rows_of(64, seed=2), 20
    with ExitStack() as stack:
        daemons = {how: start(stack, flags) for how, flags in (("on", ()), ("off", ("--no-batching",)))}
        for daemon in daemons.values():
            predict = by_hand(daemon, "m", "784-1024-1024-10")
        requests = [post(predict, {"instances": [row]}) for row in rows]
        expected = answers(daemons["off"], requests)
        assert {status for status, _ in expected} == {200}
        other = sum(a != b for _ in range(repeats) for a, b in zip(answers(daemons["on"], requests), expected))
        found = turn_about(rounds, {how: lambda daemon=daemon: load.wrk(daemon, predict, script, 64, SECONDS)
                                    for how, daemon in daemons.items()})
    show(found)
    note("one row, 784-1024-1024-10, 64 connections: rate", ratios(found["on"], found["off"], "rate"), "times that with --no-batching", least=3,
         beside=f"; {number(middle(found['on'], 'rate'))} a second, {other} of {repeats * len(rows):,} answers with other bits")


def connections(rounds):
    """256 connections beside 16: 4-16-3, one row."""
    script = load.post_script(FLOWER)
    with ExitStack() as stack:
        daemon = start(stack)
        predict = iris(daemon)
        found = turn_about(rounds, {count: lambda count=count: load.wrk(daemon, predict, script, int(count), SECONDS)
                                    for count in ("16", "256")})
    show(found)
    note("one row, 4-16-3, 256 connections: rate", [100 * ratio for ratio in ratios(found["256"], found["16"], "rate")],
         "% of that of 16", least=80, beside=f"; {sum(one.errors for one in found['256'])} errors")


# Requests are made once: between them the loader only counts, the same for one model as for many.
ROUND_ROBIN = """local requests, at = {}, 0
wrk.headers["Content-Type"] = "application/json"
function init()
   for i = 0, 999 do
      requests[i + 1] = wrk.format("POST", string.format("/v1/models/m%%d:predict", i %% %d), nil, '%s')
   end
end
function request()
   at = at %% #requests + 1
   return requests[at]
end
"""


def models(rounds):
    """1,000 models of 4-16-3 in turn, beside one of them."""
    with ExitStack() as stack:
        daemon = start(stack)
        for i in range(1000):
            by_hand(daemon, f"m{i}", "4-16-3", seed=i)
        found = turn_about(rounds, {name: lambda count=count: load.wrk(daemon, "/", ROUND_ROBIN % (count, FLOWER), seconds=SECONDS)
                                    for name, count in (("one model", 1), ("1,000 models", 1000))})
    show(found)
    one, many = found.values()
    note("one row, 1,000 models of 4-16-3 in turn, 16 connections: rate", [100 * ratio for ratio in ratios(many, one, "rate")],
         "% of that of one", least=90, beside=f"; {number(statistics.median(ratios(many, one, 'cpu')))} times its CPU time a request")


def memory(_):
    """An idle daemon with 10 models that were asked, and with 10,000 idle connections."""
    count, mib = 10_000, 2**20
    allowed = allow_files(count + 100) - 100
    if allowed < count:
        print(f"  {allowed:,} connections, as this process may have no more files (ulimit -Hn)")
        count = allowed
    with ExitStack() as stack:
        daemon = start(stack)
        for i in range(10):
            daemon.ask("POST", by_hand(daemon, f"m{i}", "4-16-3", seed=i), json.loads(FLOWER))
        time.sleep(1)
        idle = daemon.status("VmRSS") / mib
        note("idle, 10 models: resident memory", [idle], "MiB", most=25)
        sockets = connect(daemon, count)
        for one in sockets:
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        good = sum(read_answer(one)[0] == 200 for one in sockets)
        time.sleep(1)
        note(f"{good:,} idle connections: resident memory", [daemon.status("VmRSS") / mib - idle], "MiB more", most=100)
        for one in sockets:
            one.close()


PARTS = {f.__name__: f for f in (one_row, image, bulk, batching, connections, models, memory)}
BY_WRK = one_row, image, batching, connections, models  # nothing is left of them without


def main():
    words = sys.argv[1:]
    rounds = int(words.pop(0)) if words and words[0].isdigit() else ROUNDS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end with us
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    print(f"{model}, {len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}; "
          f"{rounds} rounds")
    for name in words or PARTS:
        print(f"{name}", flush=True)
        if PARTS[name] not in BY_WRK or not say(load.missing("wrk")):
            PARTS[name](rounds)
    if table:
        print("\n| what | figure | asked |\n| --- | --- | --- |")
    for row in table:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
