"""control.py - the library of fault.c, built, and the file through which it is told what is to fail next."""
import ctypes
import errno
import mmap
import os
import subprocess
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / "tests" / "faults" / name for name in ("fault.c", "calls.c")]
FRAMES, SITES, KINDS_MAX, WAYS_MAX, NAME_BYTES = 4, 65536, 64, 4, 16
MODULES = ("", "libsqlite3", "libmicrohttpd", "libjansson", "libz", "libnettle", "libgnutls")
SHORT, WAY_SHIFT = 1000, 32
MASK = (1 << 64) - 1

ALLOCATIONS = ("malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "strdup", "strndup")
SYNCS = ("fdatasync", "fsync")


class Site(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64), ("kind", ctypes.c_uint64), ("done", ctypes.c_uint64),
                ("after", ctypes.c_uint64), ("frames", ctypes.c_uint64 * FRAMES)]


class Control(ctypes.Structure):
    """struct control of fault.c."""
    _fields_ = [("armed", ctypes.c_uint64), ("fired", ctypes.c_uint64), ("first", ctypes.c_uint64), ("led", ctypes.c_uint64),
                ("pid", ctypes.c_uint64 * 2), ("sites_lost", ctypes.c_uint64), ("kinds_count", ctypes.c_uint64), ("part", ctypes.c_uint64),
                ("seed", ctypes.c_uint64),
                ("names", ctypes.c_char * NAME_BYTES * KINDS_MAX), ("ways", ctypes.c_uint64 * KINDS_MAX),
                ("errors", ctypes.c_int32 * WAYS_MAX * KINDS_MAX),
                ("sites", Site * SITES)]


def build(folder):
    """Compiles them into the folder."""
    out = Path(folder) / "fault.so"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-fPIC", "-shared", "-fno-builtin",
                    "-fno-omit-frame-pointer", "-I", ROOT, "-o", out, *SOURCES, "-ldl"], check=True)
    return out


def mix(value, with_):
    value = (value ^ with_) * 0x9E3779B97F4A7C15 & MASK
    return value ^ value >> 29


class Fault:
    """A site (its index) and the way in which it fails; number: as fault.c has it, pid: of whom it met."""

    def __init__(self, faults, number, pid=None):
        self.faults, self.number, self.pid = faults, number, pid
        self.site, self.way = faults.control.sites[(number & (1 << WAY_SHIFT) - 1) - 1], number >> WAY_SHIFT
        self.kind = faults.kind_of(self.site)

    def __str__(self):
        error = self.faults.control.errors[self.site.kind][self.way]
        how = "short" if error == SHORT else errno.errorcode.get(error, str(error))
        return f"{self.kind} {how} in " + " < ".join(self.faults.frames(self.site))


class Faults:
    """What a daemon that runs with environment() makes fail."""

    def __init__(self, folder, binary, part=1, seed=0):
        self.binary = str(binary)
        self.library = build(folder)
        self.path = Path(folder) / "faults"
        with open(self.path, "wb") as file:
            file.truncate(ctypes.sizeof(Control))
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.control = Control.from_buffer(self.map)
        self.control.part, self.control.seed = part, seed

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "FAULT_CONTROL": str(self.path),
                "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0:allocator_may_return_null=1",
                "UBSAN_OPTIONS": "print_stacktrace=1"}

    def kinds(self):
        """Their names; known once a daemon has run."""
        return [name.value.decode() for name in self.control.names[:self.control.kinds_count]]

    def arm(self, kinds, first=0):
        """The next call of these kinds, at a site that has not failed in every way, fails; first: after that fault (a number)."""
        self.control.fired, self.control.led, self.control.first = 0, 0, first
        names = self.kinds()
        self.control.armed = sum(1 << names.index(kind) for kind in kinds)

    def disarm(self):
        """(the fault that was met, the one before it); None: there was none."""
        c = self.control
        c.armed = c.first = 0
        met = tuple(Fault(self, number, pid) if number else None for number, pid in zip((c.fired, c.led), c.pid))
        c.fired = c.led = 0
        return met

    def kind_of(self, site):
        return self.kinds()[site.kind]

    def frames(self, site):
        """Names of the program's functions, offsets in libraries."""
        for frame in site.frames:
            module, offset = frame >> 48, frame & (1 << 48) - 1
            if module:
                yield f"{MODULES[module]}+{offset:#x}"
            elif offset:
                found = subprocess.run(["addr2line", "-f", "-s", "-e", self.binary, hex(offset - 1)], capture_output=True, text=True)
                yield " ".join(found.stdout.split()) or hex(offset)

    def chosen(self, kinds):
        """The sites of these kinds that were reached and are among those to fail."""
        names, part, seed = self.kinds(), self.control.part, self.control.seed
        wanted = {names.index(kind) for kind in kinds}
        return [s for s in self.control.sites if s.id and s.kind in wanted and (part <= 1 or mix(s.id, seed) % part == 0)]

    def tally(self, kinds):
        """(sites reached, sites made to fail, ways of these, ways in which they failed, {kind: (reached, failed)})"""
        assert not self.control.sites_lost, "more sites than the file holds"
        sites = self.chosen(kinds)
        ways = sum(self.control.ways[s.kind] for s in sites)
        done = sum(bin(s.done).count("1") for s in sites)
        reached = Counter(self.kind_of(s) for s in sites)
        failed = Counter(self.kind_of(s) for s in sites if s.done)
        return len(sites), sum(failed.values()), ways, done, {k: (reached[k], failed[k]) for k in reached}

    def behind(self, kinds):
        """{number of a fault: how many sites have not failed that were first reached after it}"""
        return Counter(s.after for s in self.chosen(kinds) if s.after and not s.done)

    def missed(self, kinds):
        """In words, the sites that have not failed."""
        for site in self.chosen(kinds):
            if not site.done:
                after = f", reached after {Fault(self, site.after)}" if site.after else ""
                yield f"{self.kind_of(site)} in " + " < ".join(self.frames(site)) + after
