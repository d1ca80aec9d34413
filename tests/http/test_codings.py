"""Content codings: what is asked packed is answered as if it were plain, and an answer is packed as the client likes it."""
import gzip
import json
import struct
import zlib

import pytest

from data import example, trained

PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}
ROW = [5.1, 3.5, 1.4, 0.2]
MANY = [[i / 7, 3.5, 1.4, 0.2] for i in range(200)]
TENSOR = {"name": "inputs", "shape": [200, 4], "datatype": "FP32"}


@pytest.fixture(scope="module", autouse=True)
def models(daemon):
    trained(daemon.client(), "iris")


def flat():
    return [cell for row in MANY for cell in row]


def binary():
    head = json.dumps({"inputs": [{**TENSOR, "parameters": {"binary_data_size": 3200}}], "outputs": [{"name": "outputs", "parameters": {"binary_data": True}}]})
    return head.encode() + struct.pack("<800f", *flat()), {"Inference-Header-Content-Length": str(len(head))}


def ways():
    """Path, body, headers: requests whose answers are long."""
    text = "sepal_length,sepal_width,petal_length,petal_width\n" + "".join(",".join(map(str, row)) + "\n" for row in MANY)
    return {
        "predict": ("/v1/models/iris:predict", json.dumps({"instances": MANY}).encode(), {}),
        "classify": ("/v1/models/iris/versions/1:classify", json.dumps({"examples": [{"petal_width": row[0]} for row in MANY]}).encode(), {}),
        "explain": ("/v1/models/iris:explain", json.dumps({"instances": MANY[:20]}).encode(), {}),
        "evaluate": ("/v1/models/iris:evaluate", b'{"dataset":"iris"}', {}),
        "csv": ("/v1/models/iris:predict", text.encode(), {"Content-Type": "text/csv"}),
        "infer": ("/v2/models/iris/infer", json.dumps({"inputs": [{**TENSOR, "data": flat()}]}).encode(), {}),
        "binary": ("/v2/models/iris/infer", *binary()),
    }


def timeless(way, body):
    """An explanation says how long it took; nothing else changes."""
    return body if way != "evaluate" else {k: v for k, v in json.loads(body).items() if "seconds" not in k}


@pytest.mark.parametrize("way", ways())
@pytest.mark.parametrize("coding", PACK)
def test_packed_is_as_plain(c, way, coding):
    path, body, headers = ways()[way]
    plain = c.request("POST", path, body=body, headers=headers, status=200)
    assert "Content-Encoding" not in plain.headers
    packed = c.request("POST", path, body=PACK[coding](body), headers={**headers, "Content-Encoding": coding}, status=200)
    assert timeless(way, packed.body) == timeless(way, plain.body) and "Content-Encoding" not in packed.headers
    for name in ("gzip", "deflate"):
        back = c.request("POST", path, body=PACK[coding](body), status=200,
                         headers={**headers, "Content-Encoding": coding, "Accept-Encoding": name})
        assert timeless(way, back.body) == timeless(way, plain.body)
        assert back.headers["Content-Encoding"] == (name if len(plain.body) >= 1024 else None)
        if len(plain.body) >= 1024:
            assert back.headers["Vary"] == "Accept-Encoding"
            assert int(back.headers["Content-Length"]) == len(back.sent) < len(plain.sent)
        assert back.headers["Content-Type"] == plain.headers["Content-Type"]
        if way == "binary":
            assert back.headers["Inference-Header-Content-Length"] == plain.headers["Inference-Header-Content-Length"]


@pytest.mark.parametrize("accept, coding", [
    ("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate", "gzip"), ("deflate, gzip;q=0.5", "deflate"), ("*", "gzip"),
    ("br, *;q=0.1", "gzip"), ("gzip;q=0, *", "deflate"), ("GZIP", "gzip"), ("br", None), ("identity", None), ("gzip;q=0", None),
    ("", None)])
def test_what_the_client_likes(c, accept, coding):
    path, body, headers = ways()["predict"]
    answer = c.request("POST", path, body=body, headers={**headers, "Accept-Encoding": accept}, status=200)
    assert answer.headers["Content-Encoding"] == coding
    assert answer["model_version"] == "1" and (answer.sent != answer.body) == bool(coding)


def test_what_is_too_short_goes_as_it_is(c):
    answer = c.request("POST", "/v1/models/iris:predict", body=json.dumps({"instances": [ROW]}).encode(), status=200,
                       headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers and answer["predictions"]
    answer = c.request("POST", "/v1/models/iris:predict", body=b"no", status=400, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers and answer["error"]


GOOD = json.dumps({"instances": [ROW]}).encode()


@pytest.mark.parametrize("coding, body, word", [
    ("gzip", GOOD, "gzip"), ("deflate", GOOD, "zlib"), ("gzip", zlib.compress(GOOD), "gzip"), ("deflate", gzip.compress(GOOD, mtime=0), "zlib"),
    ("gzip", gzip.compress(GOOD, mtime=0)[:-1], "before they are complete"), ("deflate", zlib.compress(GOOD)[:-1], "before they are complete"),
    ("gzip", gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), "gzip"), ("deflate", zlib.compress(GOOD)[:-4] + bytes(4), "zlib"),
    ("deflate", zlib.compress(GOOD) + b"x", "follows the end"), ("gzip", gzip.compress(GOOD, mtime=0) + b"\0x", "follows the zeros"),
    ("gzip", gzip.compress(b"{", mtime=0), "")])
def test_damaged(c, coding, body, word):
    for path in ("/v1/models/iris:predict", "/v2/models/iris/infer"):
        answer = c.request("POST", path, body=body, headers={"Content-Encoding": coding}, status=400)
        assert word in answer["error"]
        assert c.predict("iris", [ROW])["predictions"]


def test_codings_that_are_not_read(c):
    for coding in ("br", "zstd", "gzip, gzip", "identity, gzip"):
        answer = c.request("POST", "/v1/models/iris:predict", body=GOOD, headers={"Content-Encoding": coding}, status=415)
        assert "gzip or deflate" in answer["error"]
    c.request("POST", "/v1/models/iris:predict", body=GOOD, headers={"Content-Encoding": "identity"}, status=200)


def test_a_coding_of_no_body(c):
    """There is nothing to unpack, and where a body is not read none is looked for."""
    for path in ("/v1/models", "/livez", "/v1/jobs/1"):
        c.get(path, headers={"Content-Encoding": "gzip"})
    c.request("POST", "/v1/jobs/1:cancel", status=409, headers={"Content-Encoding": "gzip"})


def test_bombs(start):
    """Both limits: on what comes out, and on how often it is what went in."""
    daemon = start("--max-body", "64K")
    c = daemon.client()
    for pack, coding in ((gzip.compress, "gzip"), (zlib.compress, "deflate")):
        answer = c.request("POST", "/v1/models/m:predict", body=pack(b" " * (1 << 20)), headers={"Content-Encoding": coding}, status=413)
        assert "65536" in answer["error"]
    c = start().client()
    for _ in range(5):
        answer = c.request("POST", "/v1/models/m:predict", body=gzip.compress(b" " * (60 << 20)), headers={"Content-Encoding": "gzip"}, status=413)
        assert "500 times" in answer["error"]
        c.get("/livez")


def test_a_table_packed_with_deflate(c, fresh):
    c.request("PUT", f"/v1/datasets/{fresh}", body=zlib.compress(example("iris")), status=201,
              headers={"Content-Type": "text/csv", "Content-Encoding": "deflate"})
    assert c.get(f"/v1/datasets/{fresh}")["sha256"] == c.get("/v1/datasets/iris")["sha256"]
