"""Who watches: streams of events, reconnects, clients that vanish, long polling."""
import resource
import signal
import threading
import time

import pytest

from data import ENDLESS, PLANE, example, iris_model
from fields import covers
from harness import PATIENCE, scaled, wait_for
from sse import Parser, Stream, check, points

SHORT = {"dataset": "iris", "epochs": 30, "batch_size": 32, "seed": 1, "early_stopping": None}
LONG = {"dataset": "iris", "epochs": 4000, "batch_size": 150, "seed": 1, "early_stopping": None, "validation": None}
WATCHERS = 1000
SECONDS_OF_A_JOB = 90


@pytest.fixture
def model(c, iris, fresh):
    c.put(f"/v1/models/{fresh}", iris_model())
    return fresh


@pytest.fixture
def ended(c, model):
    return c.train(model, SHORT)["id"]


@pytest.fixture
def queue(start):
    """A daemon with one worker, which an endless job keeps busy, and a job that waits behind it."""
    daemon = start("--workers", 1, "--threads", 1)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model())
    endless = c.start("m", ENDLESS)["id"]
    c.running(endless)
    return daemon, endless, c.start("m", SHORT)["id"]


def watch(c, job, **more):
    return Stream(c.port, f"/v1/jobs/{job}/events", **more)


def test_the_parser_reads_what_the_standard_shows():
    """The examples of WHATWG HTML, section 9.2.6."""
    parser = Parser()
    assert [e.text for e in parser.feed(b"data: YHOO\ndata: +2\ndata: 10\n\n")] == ["YHOO\n+2\n10"]
    events = parser.feed(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n")
    assert [(e.text, e.id) for e in events] == [("first event", "1"), ("second event", ""), (" third event", "")]
    assert parser.comments == [" test stream"]
    assert parser.feed(b"event: add\ndata: 1") == []


# ---- a job from its first event to its last ----

def test_the_whole_story(c, model):
    job = c.start(model, SHORT)["id"]
    seen = watch(c, job).rest()
    for event in seen:
        check(event)
    ids = [int(event.id) for event in seen]
    assert ids == sorted(set(ids)), "ascending, none twice"
    assert [e.data["state"] for e in seen if e.name == "state"] == ["queued", "running", "succeeded"]
    assert seen[-1].name == "end" and [e.name for e in seen].count("end") == 1
    assert seen[-1].data == c.job(job)
    curve = c.get(f"/v1/jobs/{job}/curve").json
    for name in ("epoch", "step", "loss", "accuracy", "learning_rate"):
        assert [e.data[name] for e in seen if e.name == "epoch"] == curve[name], name
    assert watch(c, job).rest() == seen, "again, after its end"
    assert watch(c, job, lines=True).rest() == seen, "as lines of JSON"


def test_what_has_validation_shows_it(c, model):
    job = c.train(model, {**SHORT, "validation": {"split": 0.2}})["id"]
    curve = c.get(f"/v1/jobs/{job}/curve").json
    shown = [e.data["val_loss"] for e in watch(c, job).rest() if e.name == "epoch"]
    assert shown == curve["val_loss"] and len(shown) == 30


def test_reconnects_anywhere(c, ended):
    seen = watch(c, ended).rest()
    for i in range(len(seen) - 1):
        assert watch(c, ended, last_id=seen[i].id).rest() == seen[i + 1:]
    watch(c, ended, last_id=seen[-1].id, status=204)
    c.patch(f"/v1/jobs/{ended}", {"note": "seen"})
    watch(c, ended, last_id=seen[-1].id, status=204)
    assert [e.name for e in watch(c, ended).rest()][-1] == "end", "also after a change"


def test_ids_that_never_were(c, model, ended, queue):
    daemon, _, waits = queue
    future = 10**17
    watch(c, ended, last_id=future, status=204)
    stream = watch(daemon.client(), waits, last_id=future)
    daemon.client().patch(f"/v1/jobs/{waits}", {"note": "new"})
    assert stream.next().name == "updated", "what is new from then on"
    for bad in ("x", "-1", "1.5", "99999999999999999999"):
        c.get(f"/v1/jobs/{ended}/events", status=400, headers={"Last-Event-ID": bad})
        c.get("/v1/events", status=400, headers={"Last-Event-ID": bad})
    c.get("/v1/jobs/9999/events", status=404)
    c.get(f"/v1/jobs/{ended}/events?x=1", status=422)
    c.get(f"/v1/jobs/{ended}/events", status=406, headers={"Accept": "application/json"})


def test_a_head_without_a_body(c, ended):
    assert c.request("HEAD", f"/v1/jobs/{ended}/events", status=200).body == b""


def test_many_points_come_as_columns(c, model):
    job = c.train(model, LONG)["id"]
    seen = watch(c, job).rest()
    assert [e.name for e in seen] == ["state", "state", "epochs", "state", "end"]
    for event in seen:
        check(event)
    columns, curve = seen[2].data, c.get(f"/v1/jobs/{job}/curve").json
    assert columns["epoch"] == curve["epoch"] == list(range(1, 4001))
    assert columns["loss"] == curve["loss"]
    first = int(columns["from"])
    assert int(columns["to"]) == first + 3999
    rest = watch(c, job, last_id=first + 3500).rest()
    assert [e.data["epoch"] for e in rest if e.name == "epoch"] == list(range(3502, 4001))
    half = watch(c, job, last_id=first + 1500).rest()
    assert half[0].data["epoch"] == list(range(1502, 4001)), "from the middle of them"


def test_a_loss_that_is_no_number(c, fresh):
    c.csv("plane", PLANE)
    c.put(f"/v1/models/{fresh}", {"dataset": "plane", "target": "y", "layers": [], "normalize": "none"})
    job = c.train(fresh, {**SHORT, "dataset": "plane", "epochs": 800, "optimizer": {"name": "sgd", "learning_rate": 10}},
                  state="failed")["id"]
    seen = watch(c, job).rest()
    for event in seen:
        check(event)
    assert seen[-1].data["stop_reason"] == "diverged"
    bad = [e.data for e in seen if e.name == "epoch" and e.data["loss"] is None]
    assert bad
    for data in bad:
        assert data["nonfinite"][0]["metric"] == "loss" and data["nonfinite"][0]["epoch"] == data["epoch"]


def test_watchers_that_come_at_any_time_see_the_same(c, model):
    job = c.start(model, {**LONG, "epochs": scaled(20_000), "batch_size": 8})["id"]
    streams = []
    for _ in range(8):
        streams.append(watch(c, job))
        time.sleep(0.05)
    stories = [None] * len(streams)
    def read(i):
        stories[i] = streams[i].rest()
    threads = [threading.Thread(target=read, args=(i,)) for i in range(len(streams))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS_OF_A_JOB * PATIENCE)
    assert all(stories), "all came to their end"
    curve = c.get(f"/v1/jobs/{job}/curve").json
    for story in stories:
        ids = [int(e.id) for e in story]
        assert ids == sorted(set(ids))
        assert [p[1:] for p in points(story)] == list(zip(curve["epoch"], curve["loss"]))
        assert points(story) == points(stories[0])


def test_no_gap_and_no_double_through_kills(start):
    daemon = start("--workers", 1, "--threads", 1)
    c = daemon.client()
    c.csv("iris", example("iris"))
    c.put("/v1/models/m", iris_model())
    job = c.start("m", {**LONG, "epochs": scaled(60_000), "batch_size": 16})["id"]
    seen, last = [], None
    for kills in range(2):
        stream = Stream(daemon.port, f"/v1/jobs/{job}/events", last_id=last)
        stream.until(lambda event: event.name in ("epoch", "epochs"))  # perhaps one from before the last kill
        wait_for("it to go on", lambda: daemon.client().job(job)["resumed"] == kills)
        daemon.process.send_signal(signal.SIGKILL)
        seen += stream.rest()
        last = stream.last_id
        daemon.kill()
        daemon.run()
    stream = Stream(daemon.port, f"/v1/jobs/{job}/events", last_id=last)
    seen += stream.rest()
    ids = [int(event.id) for event in seen]
    assert ids == sorted(set(ids)), "no id twice, whatever was killed"
    assert seen[-1].name == "end" and [e.name for e in seen].count("end") == 1
    curve = daemon.client().get(f"/v1/jobs/{job}/curve").json
    assert [p[1:] for p in points(seen)] == list(zip(curve["epoch"], curve["loss"]))
    assert seen[-1].data["resumed"] == 2


# ---- everything ----

@covers("all_events?topics")
def test_everything_from_now_on(c, model, fresh):
    every = Stream(c.port, "/v1/events")
    models = Stream(c.port, "/v1/events?topics=models", lines=True)
    both = Stream(c.port, "/v1/events?topics=datasets,jobs")
    job = c.train(model, SHORT)["id"]
    c.csv(f"{fresh}-d", "a,b\n1,2\n")
    c.delete(f"/v1/datasets/{fresh}-d")
    c.delete(f"/v1/jobs/{job}")
    c.patch(f"/v1/models/{model}", {"description": "x"})
    def story(stream):
        last = "deleted" if stream is both else "updated"
        topic = "jobs" if stream is both else "models"
        stream.until(lambda e: e.name == topic and e.data["change"] == last)
        for event in stream.seen:
            check(event, "LogEvent")
        return [(e.name, e.data["change"]) for e in stream.seen]
    of_models = [("models", "published"), ("models", "updated")]
    assert story(models) == of_models
    # What the job logged may be gone with it before it was read.
    rest = [("datasets", "created"), ("datasets", "deleted"), ("jobs", "deleted")]
    found = story(both)
    assert found[-3:] == rest and set(found[:-3]) <= {("jobs", "created"), ("jobs", "state")}
    assert [e for e in story(every) if e[0] != "jobs"] == [of_models[0], *rest[:2], of_models[1]]
    again = Stream(c.port, "/v1/events?topics=models", last_id=int(models.seen[0].id) - 1)
    assert [again.next(), again.next()] == models.seen
    assert c.get("/v1/events?topics=models,cats", status=422).pointers() == ["?topics"]
    assert c.get("/v1/events?topics=", status=422).pointers() == ["?topics"]
    for stream in (every, models, both, again):
        stream.leave()


# ---- those who only listen, and those who have gone ----

def test_beats_and_clients_that_vanish(queue):
    """Nothing happens to a job that waits: it is the beats that find out who has gone."""
    daemon, endless, waits = queue
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * WATCHERS), hard))
    before = daemon.sockets()
    try:
        streams = [Stream(daemon.port, f"/v1/jobs/{waits if i % 2 else endless}/events") for i in range(WATCHERS)]
        assert daemon.sockets() >= WATCHERS
        quiet, lines = streams[1], Stream(daemon.port, f"/v1/jobs/{waits}/events", lines=True)
        assert quiet.next().data["state"] == "queued"
        while not quiet.parser.comments:
            assert quiet.read()
        while not lines.parser.comments:
            assert lines.read()
        full = daemon.resident()
        for stream in (*streams, lines):
            stream.leave()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for("the sockets to go", lambda: daemon.sockets() <= before + 2, 90)
    daemon.client().cancel(waits)
    assert full < 250 << 20, f"{full >> 20} MiB with {WATCHERS} watchers"
    daemon.stop()


def test_waves_of_watchers(queue):
    """They come, see something and vanish in the middle of it, again and again."""
    daemon, endless, waits = queue
    before = daemon.sockets()
    grown = []
    for _ in range(4):
        streams = [Stream(daemon.port, f"/v1/jobs/{endless}/events", lines=bool(i % 2)) for i in range(200)]
        for stream in streams:
            assert stream.next()
        for stream in streams:
            stream.leave()
        wait_for("the sockets to go", lambda: daemon.sockets() <= before + 2, 90)
        grown.append(daemon.resident())
    assert grown[-1] - grown[0] < 64 << 20, grown
    daemon.client().cancel(endless)
    daemon.stop()


def test_a_reader_that_sleeps_costs_nothing(c, model, daemon):
    """It reads nothing while thousands of points come, and then all of them."""
    job = c.start(model, {**LONG, "epochs": scaled(30_000), "batch_size": 16})["id"]
    sleeper = watch(c, job)
    c.ended(job, seconds=SECONDS_OF_A_JOB)
    curve = c.get(f"/v1/jobs/{job}/curve").json
    assert [p[1:] for p in points(sleeper.rest())] == list(zip(curve["epoch"], curve["loss"]))


def test_a_stop_ends_streams_and_waits(queue):
    daemon, endless, waits = queue
    c = daemon.client()
    streams = [Stream(daemon.port, path) for path in (f"/v1/jobs/{waits}/events", f"/v1/jobs/{endless}/events",
                                                      "/v1/events")]
    etag = c.get(f"/v1/jobs/{waits}").etag
    statuses = []
    def wait_long():
        statuses.append(daemon.client().get(f"/v1/jobs/{waits}", status=(200, 304),
                                            headers={"If-None-Match": etag, "Prefer": "wait=60"}).status)
    thread = threading.Thread(target=wait_long)
    thread.start()
    streams[0].until(lambda e: e.name == "state")
    time.sleep(0.2)
    daemon.stop()
    thread.join(30)
    assert len(statuses) == 1
    for stream in streams:
        assert all(e.name != "end" for e in stream.rest())


# ---- long polling ----

def ask(c, path, etag, wait):
    return c.get(path, status=(200, 304), headers={"If-None-Match": etag, "Prefer": wait})


def test_a_long_poll_waits_for_a_change(c, ended):
    path = f"/v1/jobs/{ended}"
    etag = c.get(path).etag
    other = c.get("/v1/jobs?limit=1").etag
    for where, tag in ((path, etag), ("/v1/jobs?limit=1", other)):
        began = time.monotonic()
        answer = ask(c, where, tag, "wait=1")
        assert answer.status == 304 and answer.headers["Preference-Applied"] == "wait=1"
        assert time.monotonic() - began >= 0.9, "it waited"
    answers = []
    def wait_long(where, tag):
        mine = type(c)(c.port)
        answers.append(ask(mine, where, tag, "respond-async, wait=60"))
    threads = [threading.Thread(target=wait_long, args=pair)
               for pair in ((path, etag), ("/v1/jobs?limit=1", other))]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert not answers
    c.patch(path, {"note": "changed"})
    for thread in threads:
        thread.join(30)
    assert [a.status for a in answers] == [200, 200]
    assert {a.headers["Preference-Applied"] for a in answers} == {"wait=60"}
    assert "changed" in answers[0].text and "changed" in answers[1].text


def test_a_long_poll_that_need_not_wait(c, ended):
    path = f"/v1/jobs/{ended}"
    etag = c.get(path).etag
    assert "Preference-Applied" not in c.get(path, headers={"Prefer": "wait=60"}).headers, "there is nothing to compare"
    assert ask(c, path, '"another"', "wait=60").status == 200
    for prefer in ("wait=0", "wait=x", "wait", "waiting=60", ""):
        answer = ask(c, path, etag, prefer)
        assert answer.status == 304 and "Preference-Applied" not in answer.headers
    assert ask(c, path, '"x"', "handling=strict; a=b, Wait = 9000").headers["Preference-Applied"] == "wait=60"


def test_a_change_with_the_headers_of_a_long_poll(c, ended):
    """Whoever asked what is there before a change was taken for one who waits, and woken after it was gone."""
    path = f"/v1/jobs/{ended}"
    for i in range(3):
        etag = c.get(path).etag
        headers = {"If-Match": etag, "If-None-Match": '"x"', "Prefer": "wait=60"}
        c.patch(path, {"note": f"{i}"}, headers=headers)
    assert c.job(ended)["note"] == "2"


def test_long_polls_hold_no_thread(queue):
    """More of them than the pool has threads, and others are answered still."""
    daemon, _, waits = queue
    c = daemon.client()
    etag = c.get(f"/v1/jobs/{waits}").etag
    statuses = []
    def wait_long():
        statuses.append(ask(daemon.client(), f"/v1/jobs/{waits}", etag, "wait=60").status)
    threads = [threading.Thread(target=wait_long) for _ in range(100)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        c.get("/v1/models")
    assert not statuses
    c.cancel(waits)
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 100
