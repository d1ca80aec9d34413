"""test_hardening.py - the daemon as it was built is as hard to use for an attacker as the Makefile means it to be: what
checksec looks at, read with readelf, and the flags that leave no trace in the program, in each object's debug information.

DESCENTD names another binary; its archives lie beside it.
"""
import os
import platform
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DAEMON = os.environ.get("DESCENTD") or os.path.join(ROOT, "build/release/descentd")
LIBRARY = os.path.join(os.path.dirname(DAEMON), "libdescent.so.0.1.0")
ARCHIVES = [os.path.join(os.path.dirname(DAEMON), name) for name in ("libserver.a", "libdescent.a")]
CHECKED_CALLS = 6 # of the libraries' calls that _FORTIFY_SOURCE checks, at least so many are in use

x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="a property of x86-64")


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True, check=True, timeout=120).stdout


def segments(file):
    """[(type, flags), …], flags as in "R E"."""
    rows = re.findall(r"^  ([A-Z_]+) +0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ ([RWE ]{3})", readelf("-l", file), re.MULTILINE)
    assert ("LOAD", "R E") in rows, rows
    return rows


@pytest.mark.parametrize("file", [DAEMON, LIBRARY], ids=["daemon", "library"])
class TestBoth:
    def test_it_lies_at_a_random_address(self, file):
        assert "Type:                              DYN" in readelf("-h", file)

    def test_its_table_of_functions_is_read_only_from_the_start(self, file):
        assert "GNU_RELRO" in [kind for kind, _ in segments(file)]
        assert re.search(r"\(FLAGS\) +.*BIND_NOW|\(FLAGS_1\) +.*NOW", readelf("-d", file))

    def test_nothing_that_can_be_written_can_be_run(self, file):
        found = segments(file)
        assert ("GNU_STACK", "RW ") in found
        assert not [row for row in found if "W" in row[1] and "E" in row[1]]

    def test_code_lies_apart_from_data(self, file):
        assert [flags for kind, flags in segments(file) if kind == "LOAD"] == ["R  ", "R E", "R  ", "RW "]

    def test_libraries_come_from_the_system_alone_and_code_is_not_patched(self, file):
        assert not re.search(r"RPATH|RUNPATH|TEXTREL", readelf("-d", file))

    def test_the_stack_is_guarded(self, file):
        assert "__stack_chk_fail" in readelf("--dyn-syms", file)


def test_the_libraries_calls_are_checked():
    called = set(re.findall(r"UND (__\w+_chk)\b", readelf("--dyn-syms", DAEMON)))
    assert len(called) >= CHECKED_CALLS and {"__memcpy_chk", "__vsnprintf_chk"} <= called, called


@x86
@pytest.mark.parametrize("archive", ARCHIVES, ids=os.path.basename)
def test_jumps_and_returns_may_be_checked_by_the_cpu(archive):
    """The linker drops the note from the program, as long as one file of the C library (crt1.o of Debian 12) has none."""
    said = readelf("-n", archive)
    objects = said.count("File: ")
    assert objects > 40 and said.count("x86 feature: IBT, SHSTK") == objects, said[-2000:]


@pytest.mark.parametrize("archive", ARCHIVES, ids=os.path.basename)
def test_every_object_was_built_with_the_flags(archive):
    """gcc writes them down. clang does not, nor does it take all of them. The inner loops of core do without some."""
    said = readelf("--debug-dump=info", "--dwarf-depth=1", archive)
    built = re.findall(r"DW_AT_producer.*: GNU C(.*)\n(?:.*\n)*?.*DW_AT_name .*: (\S+)", said)
    if not built:
        pytest.skip("not built by gcc")
    assert len(built) > 40
    always = {"-fstack-protector-strong", "-fPIC" if archive.endswith("libdescent.a") else "-fPIE"}
    mostly = {"-fstack-clash-protection", "-ftrivial-auto-var-init=zero"}
    for flags, name in built:
        assert always <= set(flags.split()), name
        assert mostly <= set(flags.split()) or re.match(r"core/(gemm|net|optim)", name), name
