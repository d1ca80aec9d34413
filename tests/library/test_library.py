"""test_library.py - libdescent as a stranger would use it: installed below a root of its own, found by pkg-config.

`make install-test`, and part of `make test`.
"""
import glob
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = os.path.join(ROOT, "examples", "xor.c")
CC = os.environ.get("CC", "cc")
STRICT = ["-std=gnu17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def run(*command, **environment):
    # what an outer make says of itself is not meant for the inner one
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(command, cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


class Installed:
    def __init__(self, root):
        self.root = str(root)
        self.lib, self.include = os.path.join(self.root, "usr/lib"), os.path.join(self.root, "usr/include")

    def make(self, target):
        run("make", "-s", target, "DESTDIR=" + self.root, "PREFIX=/usr")

    def flags(self, *options):
        """What pkg-config says, as if the root were the system's."""
        return run("pkg-config", *options, "descent", PKG_CONFIG_LIBDIR=os.path.join(self.lib, "pkgconfig"),
                   PKG_CONFIG_SYSROOT_DIR=self.root, PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1",
                   PKG_CONFIG_ALLOW_SYSTEM_LIBS="1").split()

    def headers(self):
        return sorted(glob.glob(os.path.join(self.include, "descent/*.h")))

    def files(self):
        return [os.path.join(at, name) for at, _, names in os.walk(self.root) for name in names]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    place = Installed(tmp_path_factory.mktemp("root"))
    place.make("install")
    return place


def check_xor(said):
    answers = re.findall(r"^([01]) xor ([01]) = (-?[0-9.]+)$", said, re.MULTILINE)
    assert [(a, b) for a, b, _ in answers] == [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")], said
    for a, b, answer in answers:
        assert abs(float(answer) - (a != b)) < 0.15, said
    assert said.startswith("target_loss after "), said


def test_the_example_with_the_shared_library(installed, tmp_path):
    program = str(tmp_path / "xor")
    run(CC, *STRICT, EXAMPLE, "-o", program, *installed.flags("--cflags", "--libs"))
    assert "[libdescent.so.0]" in run("readelf", "-d", program)
    check_xor(run(program, LD_LIBRARY_PATH=installed.lib))


def test_the_example_with_the_static_library(installed, tmp_path):
    program = str(tmp_path / "xor")
    run(CC, *STRICT, "-static", EXAMPLE, "-o", program, *installed.flags("--static", "--cflags", "--libs"))
    check_xor(run(program))


def test_the_soname_and_its_links(installed):
    real = os.path.join(installed.lib, "libdescent.so.0.1.0")
    assert not os.path.islink(real)
    assert os.path.realpath(os.path.join(installed.lib, "libdescent.so")) == os.path.realpath(real)
    assert "soname: [libdescent.so.0]" in run("readelf", "-d", real)
    assert run("pkg-config", "--modversion", os.path.join(installed.lib, "pkgconfig/descent.pc")).strip() == "0.1.0"


def test_every_header_stands_alone(installed, tmp_path):
    assert len(installed.headers()) > 10
    for header in installed.headers():
        source = tmp_path / "one.c"
        source.write_text(f"#include <descent/{os.path.basename(header)}>\nint none;\n")
        run(CC, *STRICT, "-fsyntax-only", str(source), *installed.flags("--cflags"))


def test_every_header_is_in_the_guide(installed):
    with open(os.path.join(ROOT, "docs/engine.md"), encoding="utf-8") as file:
        guide = file.read()
    assert [h for h in map(os.path.basename, installed.headers()) if f"`{h}`" not in guide] == []


def test_what_is_exported_is_what_the_headers_declare(installed):
    listing = run("nm", "-D", "--defined-only", os.path.join(installed.lib, "libdescent.so"))
    exported = {line.split()[2] for line in listing.splitlines() if len(line.split()) == 3}
    text = "".join(open(header, encoding="utf-8").read() for header in installed.headers())
    declared = set(re.findall(r"\b\w+\b", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)))
    assert exported <= declared, exported - declared
    assert {"net_new", "trainer_run", "gemm_choose", "err_set", "activation_find", "model_read"} <= exported
    everything = run("nm", "-g", "--defined-only", os.path.join(installed.lib, "libdescent.a"))
    assert "gemm_naive" in everything and "gemm_naive" not in exported


def test_numbers_are_floats_whatever_the_program_defines(installed, tmp_path):
    """The tests' double build of the engine must not reach a program that happens to define its macro."""
    source = tmp_path / "one.c"
    source.write_text("#include <descent/real.h>\n_Static_assert(sizeof(real) == sizeof(float), \"float\");\n")
    run(CC, "-fsyntax-only", "-DDESCENT_DOUBLE", str(source), *installed.flags("--cflags"))


def test_uninstall_leaves_nothing(tmp_path):
    place = Installed(tmp_path)
    place.make("install")
    assert place.files()
    place.make("uninstall")
    assert place.files() == []
