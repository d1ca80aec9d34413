"""A campaign of faults: each system call, or each allocation, that the daemon reaches is made to fail in turn.

usage: tests/faults/faults.py system|memory [PART [SEED [STEP ...]]]     (make faults, make faults-smoke; DESCENTD names the binary)

A step is one thing that a client (steps.py) or an administrator (admin.py) wants, a start, or a stop. It is done again and
again while faults are armed (fault.c): each time one call site fails that did not fail before, until a whole step meets none.
After each fault, without any:

  - the daemon is there, or has ended where that is promised: at a start and a stop, and when a sync failed;
  - what was answered with 2xx is there, what was answered otherwise is there whole or not at all, and what was promised
    before is as it was; so it is after each restart, where PRAGMA integrity_check is asked too;
  - the same step works at once;
  - the log has no report of a sanitizer.

The rounds over all steps end with one that meets no fault. Fewer than 95 % of the sites that were reached made to fail is a
failure too. PART: only one site in so many, chosen by SEED; the share is then shown only.
"""
import itertools
import random
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "http"))
import admin
import steps
from admin import REPORTS
from control import ALLOCATIONS, SYNCS, Faults
from harness import BINARY, Daemon, START_SECONDS, wait_for
from steps import Violation, World
from tokens import guarded

MOST_TIMES = 3000  # that a step is done in a round
MOST_ROUNDS = 6    # of a sample a third of them
SECOND_ROUNDS = 3  # likewise
MOST_MISSED = 60   # that are shown
ENOUGH = 0.95
STARTS = ("start_again", "start_after_kill", "start_new", "start_secure", "first_use", "stop_once")
SLOW_SECONDS = 10  # a fault that takes longer than that to get over is shown
MAY_GO_ON = ("download",)  # steps in which a sync that fails need not end the daemon: it is that of a copy


class Campaign:
    """Two daemons, of which one runs at a time: one that does everything, and one with TLS."""

    def __init__(self, folder, what, part, seed, names):
        """names: of the steps and starts, none for all."""
        self.what = what
        self.faults = Faults(folder, BINARY, part, seed)
        self.environment, memory = self.faults.environment(), what == "memory"
        flags = "--workers", 1, "--threads", 1, "--loops", 1
        plain, tls = Path(folder) / "plain", Path(folder) / "tls"
        plain.mkdir()
        tls.mkdir()
        cert, key = admin.certificate(tls)
        self.world = World(guarded(plain, *flags, "--keep-versions", 5, environment=self.environment), memory)
        self.secure = World(guarded(tls, *flags, "--tls-cert", cert, "--tls-key", key, environment=self.environment), memory,
                            ssl.create_default_context(cafile=cert))
        for option in ("--token-file", str(tls / "token")):  # systemd hands it over
            self.secure.daemon.arguments.remove(option)
        self.secure.daemon.environment["CREDENTIALS_DIRECTORY"] = str(tls)
        self.steps = {**{name: (self.world, step) for name, step in {**steps.STEPS, **admin.STEPS}.items()},
                      **{name: (self.secure, step) for name, step in admin.SECURE.items()}}
        self.names = names or (*self.steps, *STARTS)
        self.outcomes, self.violations, self.rounds, self.begun = Counter(), [], 0, time.monotonic()
        self.first = 0    # the fault that is to be met before others
        self.places = {}  # number of a fault: the step in which it was met

    def kinds(self):
        known = self.faults.kinds()
        return [k for k in known if (k in ALLOCATIONS) == (self.what == "memory")]

    # ---- the daemons ----

    def start(self, world):
        """Without a fault: what was promised is there."""
        self.faults.disarm()
        world.daemon.run()
        world.connect()
        world.look_all()
        world.clear()

    def end(self, code, daemon):
        """What a daemon that has ended leaves."""
        log = daemon.log()
        daemon.process = None
        daemon.log_path.write_text("")
        if code < 0:
            raise Violation(f"ended by signal {-code}: {log[-3000:]}")
        for report in REPORTS:
            if report in log:
                raise Violation(f"{report}: {log[max(0, log.index(report) - 500):][:6000]}")
        with sqlite3.connect(daemon.database) as db:
            found = db.execute("PRAGMA integrity_check").fetchone()
        db.close()
        if found != ("ok",):
            raise Violation(f"integrity_check: {found}")
        return log

    def wait_end(self, daemon, seconds=20):
        try:
            return daemon.process.wait(seconds)
        except subprocess.TimeoutExpired:
            daemon.kill()
            raise Violation(f"did not end: {daemon.log()[-2000:]}") from None

    def stop(self, daemon):
        """Without a fault."""
        self.faults.disarm()
        if daemon.process is None:
            return
        daemon.process.terminate()
        code = self.wait_end(daemon)
        log = self.end(code, daemon)
        if code:
            raise Violation(f"stop: exit code {code}: {log[-2000:]}")

    def stop_all(self):
        for world in (self.world, self.secure):
            self.stop(world.daemon)

    def run_only(self, world):
        for other in {self.world, self.secure} - {world}:
            self.stop(other.daemon)
        if world.daemon.process is None:
            self.start(world)

    # ---- one step ----

    def report(self, step, met, violation, world=None):
        """The daemon is down afterwards."""
        met = met or self.faults.disarm()
        self.violations.append((step, violation))
        daemon = (world or self.world).daemon
        print(f"VIOLATION in {step}\n  fault: {met[0]}" + (f"\n  after: {met[1]}" if met[1] else "") +
              f"\n  {str(violation)[:6000]}\n  log: {self.what_happened(daemon)}", flush=True)
        daemon.kill()
        daemon.log_path.write_text("")
        if world:
            world.forget_doubts()
        return met[0]

    @staticmethod
    def what_happened(daemon):
        lines = [line for line in daemon.log().splitlines() if '"event":"request"' not in line]
        return "\n       ".join(lines[-12:])

    def once(self, name):
        """The step under one fault, which is returned; None: none was met."""
        world, step = self.steps[name]
        begun, met = time.monotonic(), None
        world.begin()
        self.faults.arm(self.kinds(), self.first)
        try:
            step(world)
            met = self.faults.disarm()
            if not any(met):
                world.settle(faulted=False)
                return None
            ended = self.ends_by(met, world.daemon, name)
            if ended:
                self.start(world)
            self.outcomes["the daemon ended" if ended else world.outcome()] += bool(met[0])
            world.settle(faulted=True)
            world.begin()
            step(world)
            world.settle(faulted=False)
            if time.monotonic() - begun > SLOW_SECONDS:
                print(f"  slow ({time.monotonic() - begun:.1f} s) in {name}: {met[0] or met[1]}", flush=True)
            return met[0]
        except (Violation, AssertionError, OSError, sqlite3.Error) as violation:
            fault = self.report(name, met, violation, world)
            self.start(world)
            return fault

    def ends_by(self, met, daemon, name=None):
        """Whether one of the faults ends the daemon, as it may."""
        by_sync = any(fault and fault.kind in SYNCS and fault.pid == daemon.process.pid for fault in met)
        if daemon.process.poll() is None and (not by_sync or name in MAY_GO_ON and self.is_ready(daemon)):
            return False
        code = self.wait_end(daemon)
        log = self.end(code, daemon)
        if not by_sync:
            raise Violation(f"the daemon ended, {code}: {log[-3000:]}")
        if code != 1 or "did not confirm" not in log:
            raise Violation(f"a failed sync: exit code {code}: {log[-2000:]}")
        return True

    @staticmethod
    def is_ready(daemon):
        try:
            return daemon.client(timeout=20).get("/readyz", status=(200, 503)).status == 200
        except OSError:
            return False

    def start_once(self, daemon, world=None):
        """A start under a fault, which is returned: it is refused, or as good as any."""
        met = None
        self.faults.arm(self.kinds(), self.first)
        try:
            daemon.launch()
            listens = wait_for("a start or its refusal", lambda: self.listens(daemon), START_SECONDS)
            if listens == "no":
                met = self.faults.disarm()
                code = daemon.process.wait()
                log = self.end(code, daemon)
                if code not in (1, 2) or "descentd" not in log and '"error"' not in log or not any(met):
                    raise Violation(f"start: exit code {code}: {log[-2000:]}")
                self.outcomes["start refused"] += bool(met[0])
                return met[0]
            if not self.faults.control.fired:
                time.sleep(0.1)  # what it does on its own comes to a fault later
            met = self.faults.disarm()
            if any(met) and not self.ends_by(met, daemon):
                self.outcomes["start got over it"] += bool(met[0])
                if world:
                    world.connect()
                    world.look_all()
                    world.c.get("/readyz")
                    daemon.client(tls=world.tls).get("/v1/models", status=401)
            self.stop(daemon)
        except (Violation, AssertionError, OSError, sqlite3.Error) as violation:
            fault = self.report("start", met, violation, world)
            daemon.kill()
            return fault
        return met[0]

    @staticmethod
    def listens(daemon):
        if daemon.process.poll() is not None:
            return "no"
        return "yes" if daemon.port_file.exists() and daemon.listening() else None

    def start_new(self):
        """Of a database that is not there yet."""
        folder = self.world.daemon.folder
        for path in folder.glob("new.db*"):
            path.unlink()
        return self.start_once(Daemon(folder, "--workers", 1, database=folder / "new.db", environment=self.environment))

    def start_again(self):
        return self.start_once(self.world.daemon, self.world)

    def start_secure(self):
        return self.start_once(self.secure.daemon, self.secure)

    def first_use(self):
        """What is made once, by whoever asks first."""
        self.start(self.world)
        return self.once("answers")

    def start_after_kill(self):
        """It finds a log beside the file, an upload cut off, and a job that ran."""
        self.start(self.world)
        self.world.work()
        self.world.daemon.kill()
        self.world.daemon.log_path.write_text("")
        return self.start_once(self.world.daemon, self.world)

    def stop_once(self):
        """A daemon that has worked is stopped under a fault."""
        self.start(self.world)
        daemon, met = self.world.daemon, None
        try:
            self.world.work()
            self.faults.arm(self.kinds(), self.first)
            daemon.process.terminate()
            code = self.wait_end(daemon)
            met = self.faults.disarm()
            self.outcomes["stop"] += bool(met[0])
            self.end(code, daemon)
        except (Violation, AssertionError, OSError, sqlite3.Error) as violation:
            return self.report("stop", met, violation, self.world)
        return met[0]

    # ---- all ----

    def turn(self, name):
        """A step, or a start or a stop, under one fault."""
        if name in self.steps:
            self.run_only(self.steps[name][0])
            return self.once(name)
        self.stop_all()
        return getattr(self, name)()

    def repeat(self, name):
        begun, count = time.monotonic(), 0
        while count < MOST_TIMES and (fault := self.turn(name)):
            count += 1
            self.places[fault.number] = name
        if count:
            print(f"round {self.rounds}: {name}: {count} faults in {time.monotonic() - begun:.1f} s", flush=True)
        return count

    def round(self):
        """Requests first: they are quicker than starts, and much of what a start does is done by them too."""
        self.rounds += 1
        return sum(self.repeat(name) for name in self.names)

    def second_round(self):
        """What is reached only on the way out of a fault fails there."""
        self.rounds += 1
        behind = self.faults.behind(self.kinds())
        begun, met = time.monotonic(), 0
        for number in sorted(set(behind) & set(self.places), key=lambda number: self.places[number]):
            name = self.places[number]
            self.first = number
            for _ in range(2 * behind[number]):
                if not (fault := self.turn(name)):
                    break
                self.places.setdefault(fault.number, name)
                met += 1
        self.first = 0
        print(f"round {self.rounds}: faults on the way out of faults: {met} in {time.monotonic() - begun:.1f} s", flush=True)
        return met

    def run(self):
        self.start(self.world)  # so that the kinds are known, and the data is there
        self.world.prepare()
        self.world.begin()
        admin.prepare(self.world)
        sample = self.faults.control.part > 1
        while self.round() and self.rounds < (MOST_ROUNDS // 3 if sample else MOST_ROUNDS):
            pass
        for _ in range(1 if sample else SECOND_ROUNDS):
            if not self.second_round():
                break
        self.stop_all()
        self.start(self.world)
        self.stop_all()

    def tell(self):
        reached, failed, ways, done, kinds = self.faults.tally(self.kinds())
        for missed in itertools.islice(self.faults.missed(self.kinds()), MOST_MISSED):
            print(f"  not made to fail: {missed}")
        for kind, (of_all, made) in sorted(kinds.items()):
            print(f"  {kind:15} {made:5} of {of_all:5}")
        print(f"faults ({self.what}): {reached} call sites reached, {failed} made to fail ({failed / max(reached, 1):.1%}), "
              f"in {done} of {ways} ways; {self.rounds} rounds, {time.monotonic() - self.begun:.0f} s")
        print("outcomes: " + ", ".join(f"{n} {what}" for what, n in sorted(self.outcomes.items())))
        print(f"{len(self.violations)} violations")
        enough = failed >= ENOUGH * reached or self.faults.control.part > 1  # of a few sites one is much
        return reached and enough and not self.violations


def main():
    what = sys.argv[1]
    assert what in ("system", "memory"), __doc__
    part = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().getrandbits(32)
    print(f"faults ({what}): one site in {part}, seed {seed}, {BINARY}", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        campaign = Campaign(folder, what, part, seed, sys.argv[4:])
        try:
            campaign.run()
        finally:
            campaign.world.daemon.kill()
            campaign.secure.daemon.kill()
        sys.exit(0 if campaign.tell() else 1)


if __name__ == "__main__":
    main()
