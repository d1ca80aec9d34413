"""test_house.py - the checkout keeps the rules of house.py, and each breach of one is seen."""

import os

import pytest
import yaml

import house

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_the_checkout_is_in_order():
    assert list(house.c_files(ROOT)), "no C file found: is this the checkout?"
    found = house.faults(ROOT)
    assert not found, "\n" + "\n".join(found)


def plant(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


HEADERS = ["core/net.h", "core/err.h", "server/buffer.h", "server/log.h", "server/config.h", "server/http/http.h",
           "server/api/api.h", "server/codec/json.h", "server/store/store.h", "server/registry/registry.h",
           "server/jobs/jobs.h", "server/auth/auth.h", "schema/embedded.h"]


@pytest.fixture
def tree(tmp_path):
    for path in HEADERS:
        plant(tmp_path, path, f"/* {os.path.basename(path)} - planted */\n")
    return tmp_path


def include(target):
    return f"#include {target}\n" if target.startswith("<") else f'#include "{target}"\n'


@pytest.mark.parametrize("path, target", [
    ("core/x.c", "server/http/http.h"),
    ("core/x.h", "server/log.h"),
    ("core/x.c", "<pthread.h>"),
    ("core/x.c", "<jansson.h>"),
    ("server/http/x.c", "core/net.h"),
    ("server/http/x.c", "server/api/api.h"),
    ("server/http/x.c", "server/log.h"),
    ("server/http/x.c", "<jansson.h>"),
    ("server/codec/x.c", "server/store/store.h"),
    ("server/store/sqlite/x.c", "core/net.h"),
    ("server/store/sqlite/x.c", "server/codec/json.h"),
    ("server/store/x.c", "<sqlite3.h>"),
    ("server/auth/x.c", "server/http/http.h"),
    ("server/registry/x.c", "server/codec/json.h"),
    ("server/registry/x.c", "server/jobs/jobs.h"),
    ("server/jobs/x.c", "server/api/api.h"),
    ("server/jobs/x.c", "server/http/http.h"),
    ("server/jobs/x.c", "server/config.h"),
    ("server/log.c", "server/config.h"),
    ("server/buffer.c", "core/net.h"),
    ("server/config.c", "server/api/api.h"),
    ("server/api/x.c", "<microhttpd.h>"),
    ("server/main.c", "<sqlite3.h>"),
    ("server/api/x.c", "http.h"),
    ("tests/unit/x.c", "server/gone.h"),
    ("examples/x.c", "core/net.h"),
])
def test_an_arrow_that_runs_back_is_seen(tree, path, target):
    plant(tree, path, f"/* {os.path.basename(path)} - planted */\n{include(target)}")
    found = house.faults(tree)
    assert len(found) == 1 and path in found[0] and target.strip("<>") in found[0], found


@pytest.mark.parametrize("path, target", [
    ("server/main.c", "server/api/api.h"),
    ("server/api/x.c", "server/http/http.h"),
    ("server/api/x.c", "<jansson.h>"),
    ("server/jobs/x.c", "server/codec/json.h"),
    ("server/registry/x.c", "core/net.h"),
    ("server/auth/x.c", "server/store/store.h"),
    ("server/codec/x.c", "core/net.h"),
    ("server/store/sqlite/x.c", "<sqlite3.h>"),
    ("server/http/x.c", "core/err.h"),
    ("server/http/x.c", "<microhttpd.h>"),
])
def test_an_arrow_that_runs_forward_may_stay(tree, path, target):
    plant(tree, path, f"/* {os.path.basename(path)} - planted */\n{include(target)}")
    assert house.faults(tree) == []


@pytest.mark.parametrize("text, word", [
    ("int x;\n", "open with"),
    ("/* y.c - another file's head */\n", "open with"),
    ("/* x.c - long */\n" + "int x;\n" * house.LINES_MAX, "lines"),
])
def test_a_file_out_of_shape_is_seen(tree, text, word):
    plant(tree, "core/x.c", text)
    found = house.faults(tree)
    assert len(found) == 1 and word in found[0], found


def references(node):
    """Every "$ref" below node."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_contract_refers_to_what_is_there():
    with open(os.path.join(ROOT, "schema/openapi.yaml"), encoding="utf-8") as file:
        contract = yaml.safe_load(file)
    assert contract["openapi"].startswith("3.1.")
    for reference in set(references(contract)):
        assert reference.startswith("#/"), reference
        node = contract
        for key in reference[2:].split("/"):
            node = node[key.replace("~1", "/").replace("~0", "~")]
