"""house.py - the rules of the house that a compiler does not check.

Includes point one way:

    main -> api -> {http, codec, registry, jobs, store, auth}
    jobs -> {registry, store, codec, core}; registry -> {store, core}; auth -> store; codec -> core
    store -> core/crc32c.h
    http and core know nobody

so that a folder can be read, tested and replaced without those above it. Everybody may use core/err.h and
the few other tools of EVERYBODY. A library's header is included in one place, behind which it can be exchanged. Every C file opens
with a comment that begins with its name, and stays short enough to be read at one sitting.

faults(root) returns one sentence for each breach; test_house.py runs it on the checkout and on planted breaches.
"""

import os
import re

ALL = "core/", "schema/", "server/"
EVERYBODY = "core/err.h", "core/size.h", "server/buffer.h", "server/memory.h", "server/scratch.h", "server/utf8.h"

# Files whose path begins with this, and what they may include besides EVERYBODY and what begins with the same words.
# The first row that fits counts.
ARROWS = [
    ("core/", ()),
    ("schema/", ()),
    ("server/http/", ()),
    ("server/codec/", ("core/",)),
    ("server/store/", ("core/crc32c.h", "schema/embedded.h")),
    ("server/auth/", ("server/store/",)),
    ("server/registry/", ("core/", "server/store/")),
    ("server/jobs/", ("core/", "server/codec/", "server/registry/", "server/store/", "server/log.h")),
    ("server/api/", ("core/", "schema/embedded.h", "server/auth/", "server/codec/", "server/config.h", "server/http/",
                     "server/jobs/", "server/log.h", "server/metrics.h", "server/registry/", "server/store/")),
    ("server/metrics.", ("server/codec/",)),
    ("server/buffer.", ()),
    ("server/scratch.", ()),
    ("server/utf8.", ()),
    ("server/log", ()),
    ("server/config", ("server/codec/faults.h", "server/options.h")),
    ("server/client.", ()),
    ("server/options", ("server/auth/host.h", "server/auth/origin.h", "server/auth/token.h", "server/config.h", "server/log.h")),
    ("server/", ALL),  # main.c and the commands beside it
    ("bench/", ALL),
    ("tests/", ALL),
    ("examples/", ()),  # programs of strangers: they include what is installed
]

# A library's header or the folder of its headers, and where it may be included.
LIBRARIES = [
    ("microhttpd.h", ("server/http/",)),
    ("gnutls/", ("server/http/",)),
    ("sqlite3.h", ("server/store/sqlite/",)),
    ("jansson.h", ("server/codec/", "server/admin/", "server/api/", "server/jobs/", "schema/embed.c")),
    ("yaml.h", ("schema/embed.c",)),
    ("pthread.h", ("server/",)),  # core has no threads but those it is handed
]
OUTSIDE = "bench/", "tests/"  # may use any library, and be long: a test file is a list

LINES_MAX = 600
FOLDERS = "core", "schema", "server", "bench", "tests", "examples"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def c_files(root):
    for folder in FOLDERS:
        for at, _, names in os.walk(os.path.join(root, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(at, name), root)


def arrow_fault(path, target):
    """Whether path may not include "target"; a sentence, or None."""
    start, allowed = next(row for row in ARROWS if path.startswith(row[0]))
    if target.startswith((start, *allowed)) or target in EVERYBODY:
        return None
    return f"{path} includes {target}, and {start}* may not"


def library_fault(path, header):
    for name, places in LIBRARIES:
        if header.startswith(name) and not path.startswith(places + OUTSIDE):
            return f"{path} includes <{name}>, which belongs to {', '.join(places)}"
    return None


def include_faults(root, path, text):
    for own, system in INCLUDE.findall(text):
        if own and not os.path.exists(os.path.join(root, own)):
            yield f'{path} includes "{own}", which is no path from the root of the checkout'
        elif own:
            yield arrow_fault(path, own)
        else:
            yield library_fault(path, system)


def shape_faults(path, text):
    name = os.path.basename(path)
    if not text.startswith(f"/* {name} - "):
        yield f'{path} does not open with "/* {name} - what it is for"'
    if text.count("\n") > LINES_MAX and not path.startswith(OUTSIDE):
        yield f"{path} has {text.count(chr(10))} lines; {LINES_MAX} is the most"


def faults(root):
    found = []
    for path in c_files(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        found += [fault for fault in (*include_faults(root, path, text), *shape_faults(path, text)) if fault]
    return found
