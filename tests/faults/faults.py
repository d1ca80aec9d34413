"""A campaign of faults: each system call, or each allocation, that the daemon reaches is made to fail in turn.

usage: tests/faults/faults.py system|memory [PART [SEED]]     (make faults, make faults-smoke; DESCENTD names the binary)

A step is one thing that a client wants (steps.py), a start, or a stop. It is done again and again while faults are armed
(fault.c): each time one call site fails that did not fail before, until a whole step meets none. After each fault, without
any:

  - the daemon is there, or has ended where that is promised: at a start and a stop, and when a sync failed;
  - what was answered with 2xx is there, what was answered otherwise is there whole or not at all, and what was promised
    before is as it was; so it is after each restart, where PRAGMA integrity_check is asked too;
  - the same step works at once;
  - the log has no report of a sanitizer.

The rounds over all steps end with one that meets no fault. Fewer than 95 % of the sites that were reached made to fail is a
failure too. PART: only one site in so many, chosen by SEED; the share is then shown only.
"""
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "http"))
from control import ALLOCATIONS, SYNCS, Faults
from harness import BINARY, Daemon, START_SECONDS, wait_for
from steps import STEPS, Violation, World

MOST_TIMES = 3000  # that a step is done in a round
MOST_ROUNDS = 6
SECOND_ROUNDS = 3
ENOUGH = 0.95
SLOW_SECONDS = 10  # a fault that takes longer than that to get over is shown
REPORTS = ("AddressSanitizer", "runtime error:", "LeakSanitizer", "Assertion", "Fatal error in GNU libmicrohttpd")


class Campaign:
    def __init__(self, folder, what, part, seed):
        self.what = what
        self.faults = Faults(folder, BINARY, part, seed)
        self.daemon = Daemon(folder, "--workers", 1, "--threads", 1, "--loops", 1, "--keep-versions", 5,
                             environment=self.faults.environment())
        self.world = World(self.daemon)
        self.outcomes, self.violations, self.rounds = Counter(), [], 0
        self.first = 0    # the site that is to fail before others may
        self.places = {}  # site: the step in which it failed

    def kinds(self):
        known = self.faults.kinds()
        return [k for k in known if (k in ALLOCATIONS) == (self.what == "memory")]

    # ---- the daemon ----

    def start(self):
        """Without a fault: what was promised is there."""
        self.faults.disarm()
        self.daemon.run()
        self.world.connect()
        self.world.look_all()
        self.world.clear()

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
        if found != ("ok",):
            raise Violation(f"integrity_check: {found}")
        return log

    def wait_end(self, daemon, seconds=20):
        try:
            return daemon.process.wait(seconds)
        except subprocess.TimeoutExpired:
            daemon.kill()
            raise Violation(f"did not end: {daemon.log()[-2000:]}") from None

    def stop(self, daemon=None):
        """Without a fault."""
        daemon = daemon or self.daemon
        self.faults.disarm()
        if daemon.process is None:
            return
        daemon.process.terminate()
        code = self.wait_end(daemon)
        log = self.end(code, daemon)
        if code:
            raise Violation(f"stop: exit code {code}: {log[-2000:]}")

    # ---- one step ----

    def report(self, step, fault, violation):
        self.violations.append((step, fault, violation))
        print(f"VIOLATION in {step}\n  fault: {fault}\n  {str(violation)[:6000]}\n  log: {self.what_happened()}", flush=True)
        self.faults.disarm()
        self.daemon.kill()
        self.daemon.log_path.write_text("")
        self.world.forget_doubts()
        self.start()

    def what_happened(self):
        lines = [line for line in self.daemon.log().splitlines() if '"event":"request"' not in line]
        return "\n       ".join(lines[-12:])

    def once(self, name, step):
        """The step under one fault; False: none was met."""
        self.world.begin()
        begun = time.monotonic()
        self.faults.arm(self.kinds(), self.first)
        fault = None
        try:
            step(self.world)
            led = self.first and not self.faults.control.first
            fault = self.faults.disarm()
            if not fault:
                self.world.settle(faulted=led)
                return False
            ended = self.ends_by(fault, self.daemon)
            if ended:
                self.start()
            self.outcomes["ended" if ended else self.world.outcome()] += 1
            self.world.settle(faulted=True)
            self.world.begin()
            step(self.world)
            self.world.settle(faulted=False)
            if time.monotonic() - begun > SLOW_SECONDS:
                print(f"  slow ({time.monotonic() - begun:.1f} s) in {name}: {fault}", flush=True)
        except (Violation, AssertionError, OSError) as violation:
            self.report(name, fault or self.faults.disarm(), violation)
            return fault is not None
        return True

    def ends_by(self, fault, daemon):
        """Whether the fault ends the daemon, as it may."""
        by_sync = fault.split()[0] in SYNCS
        if not by_sync and daemon.process.poll() is None:
            return False
        code = self.wait_end(daemon)
        log = self.end(code, daemon)
        if not by_sync:
            raise Violation(f"the daemon ended, {code}: {log[-3000:]}")
        if code != 1 or "did not confirm" not in log:
            raise Violation(f"a failed sync: exit code {code}: {log[-2000:]}")
        return True

    def start_once(self, daemon):
        """A start under a fault: it is refused, or as good as any."""
        fault = None
        self.faults.arm(self.kinds(), self.first)
        try:
            daemon.launch()
            listens = wait_for("a start or its refusal", lambda: self.listens(daemon), START_SECONDS)
            if listens == "no":
                fault = self.faults.disarm()
                self.outcomes["start refused"] += 1
                code = daemon.process.wait()
                log = self.end(code, daemon)
                if code not in (1, 2) or "descentd" not in log and '"error"' not in log:
                    raise Violation(f"start: exit code {code}: {log[-2000:]}")
                return fault is not None
            if not self.faults.control.fired:
                time.sleep(0.1)  # what it does on its own comes to a fault later
            fault = self.faults.disarm()
            if fault and not self.ends_by(fault, daemon):
                self.outcomes["start got over it"] += 1
                if daemon is self.daemon:
                    self.world.connect()
                    self.world.look_all()
                daemon.client().get("/readyz")
            self.stop(daemon)
        except (Violation, AssertionError, OSError) as violation:
            self.report("start", fault or self.faults.disarm(), violation)
            daemon.kill()
            self.stop()
        return fault is not None

    @staticmethod
    def listens(daemon):
        if daemon.process.poll() is not None:
            return "no"
        return "yes" if daemon.port_file.exists() and daemon.listening() else None

    def start_new(self):
        """Of a database that is not there yet."""
        for path in self.daemon.folder.glob("new.db*"):
            path.unlink()
        return self.start_once(Daemon(self.daemon.folder, "--workers", 1, database=self.daemon.folder / "new.db",
                                      environment=self.faults.environment()))

    def start_again(self):
        return self.start_once(self.daemon)

    def start_after_kill(self):
        """It finds a log beside the file, an upload cut off, and a job that ran."""
        self.start()
        self.world.work()
        self.daemon.kill()
        self.daemon.log_path.write_text("")
        return self.start_once(self.daemon)

    def stop_once(self):
        """A daemon that has worked is stopped under a fault."""
        self.start()
        fault = None
        try:
            self.world.work()
            self.faults.arm(self.kinds(), self.first)
            self.daemon.process.terminate()
            code = self.wait_end(self.daemon)
            fault = self.faults.disarm()
            self.outcomes["stop"] += 1
            self.end(code, self.daemon)
        except (Violation, AssertionError, OSError) as violation:
            self.report("stop", fault or self.faults.disarm(), violation)
            self.stop()
        return fault is not None

    # ---- all ----

    def repeat(self, name, once):
        begun, count = time.monotonic(), 0
        while count < MOST_TIMES and once():
            count += 1
            self.places[self.faults.control.fired] = name
        if count:
            print(f"round {self.rounds}: {name}: {count} faults in {time.monotonic() - begun:.1f} s", flush=True)
        return count

    def round(self):
        """Requests first: they are quicker than starts, and much of what a start does is done by them too."""
        self.rounds += 1
        self.start()
        met = sum(self.repeat(name, lambda step=step, name=name: self.once(name, step)) for name, step in STEPS.items())
        self.stop()
        return met + sum(self.repeat(f.__name__, f) for f in (self.start_again, self.start_after_kill, self.start_new, self.stop_once))

    def second_round(self):
        """What is reached only on the way out of a fault fails there."""
        self.rounds += 1
        behind = self.faults.behind(self.kinds())
        begun, met = time.monotonic(), 0
        ends = {i + 1 for i, s in enumerate(self.faults.control.sites) if s.id and self.faults.kind_of(s) in SYNCS}
        for site in sorted((set(behind) & set(self.places)) - ends, key=lambda site: self.places[site]):
            name = self.places[site]
            self.first = site
            if name in STEPS and self.daemon.process is None:
                self.start()
            if name not in STEPS:
                self.stop()
            for _ in range(2 * behind[site]):
                if not (self.once(name, STEPS[name]) if name in STEPS else getattr(self, name)()):
                    break
                met += 1
        self.first = 0
        self.stop()
        print(f"round {self.rounds}: faults on the way out of faults: {met} in {time.monotonic() - begun:.1f} s", flush=True)
        return met

    def run(self):
        self.start()  # so that the kinds are known, and the data is there
        self.world.prepare()
        self.stop()
        while self.round() and self.rounds < MOST_ROUNDS:
            pass
        for _ in range(SECOND_ROUNDS):
            if not self.second_round():
                break
        self.start()
        self.stop()

    def tell(self):
        reached, failed, ways, done, kinds = self.faults.tally(self.kinds())
        for missed in self.faults.missed(self.kinds())[:40]:
            print(f"  not made to fail: {missed}")
        for kind, (of_all, made) in sorted(kinds.items()):
            print(f"  {kind:15} {made:5} of {of_all:5}")
        print(f"faults ({self.what}): {reached} call sites reached, {failed} made to fail ({failed / max(reached, 1):.1%}), "
              f"in {done} of {ways} ways; {self.rounds} rounds")
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
        campaign = Campaign(folder, what, part, seed)
        try:
            campaign.run()
        finally:
            campaign.daemon.kill()
        sys.exit(0 if campaign.tell() else 1)


if __name__ == "__main__":
    main()
