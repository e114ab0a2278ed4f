"""Requests that cannot be answered: one clear error that names the field and the reason."""

import concurrent.futures
import json

import numpy as np
import pytest
from raw_http import four

HUGE = 2**62


def tensor(**changes) -> dict:
    fields = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4], **changes}
    return {name: value for name, value in fields.items() if value is not None}


def inputs(*tensors, **extra) -> dict:
    return {"inputs": list(tensors), **extra}


# The request to the model `four`, the status, and words that the message must hold.
JSON_TABLE = {
    "not JSON": (b"hello", 400, ["JSON"]),
    "empty body": (b"", 400, []),
    "cut off": (json.dumps(four()).encode()[:-5], 400, ["JSON"]),
    "two documents": (json.dumps(four()).encode() * 2, 400, ["JSON"]),
    "not an object": (b"[1, 2]", 400, ["object"]),
    "too deep": (b'{"inputs":' + b"[" * 5000, 400, []),
    "not UTF-8": (b'{"inputs":[{"name":"\xff\xfe"}]}', 400, []),
    "no inputs": ({}, 400, ["inputs"]),
    "inputs are none": ({"inputs": []}, 400, ["inputs"]),
    "inputs no array": ({"inputs": 7}, 400, ["inputs", "array"]),
    "input no object": ({"inputs": [7]}, 400, ["inputs", "object"]),
    "no name": (inputs(tensor(name=None)), 400, ["name"]),
    "name no string": (inputs(tensor(name=7)), 400, ["name", "string"]),
    "no shape": (inputs(tensor(shape=None)), 400, ['"x"', "shape"]),
    "shape no array": (inputs(tensor(shape=4)), 400, ["shape"]),
    "shape of words": (inputs(tensor(shape=["a"])), 400, ['"x"', "shape", "a"]),
    "shape of fractions": (inputs(tensor(shape=[1.5, 4])), 400, ['"x"', "shape", "1.5"]),
    "negative extent": (inputs(tensor(shape=[-1, 4])), 400, ['"x"', "-1"]),
    "extent beyond int64": (inputs(tensor(shape=[2**64, 4])), 400, ['"x"', "shape"]),
    "shape overflows": (inputs(tensor(shape=[HUGE, HUGE])), 400, ['"x"', str(HUGE)]),
    "shape of terabytes": (inputs(tensor(shape=[2**40, 4])), 400, ['"x"', str(2**40)]),
    "too many extents": (inputs(tensor(shape=[1] * 40, data=[1])), 400, ['"x"', "shape"]),
    "wrong rank": (inputs(tensor(shape=[4])), 400, ['"x"', "[4]", '"four"', "[-1,4]"]),
    "wrong extent": (
        inputs(tensor(shape=[1, 5], data=[1] * 5)), 400, ['"x"', "[1,5]", '"four"', "[-1,4]"],
    ),
    "no rows": (inputs(tensor(shape=[0, 4], data=[])), 400, ['"x"', "row"]),
    "too few values": (inputs(tensor(data=[1, 2, 3])), 400, ['"x"', "3", "4"]),
    "too many values": (inputs(tensor(data=[1] * 5)), 400, ['"x"', "4"]),
    "word among numbers": (inputs(tensor(data=[1, 2, "three", 4])), 400, ['"x"', "three"]),
    "object among numbers": (inputs(tensor(data=[1, {}, 3, 4])), 400, ['"x"', "{"]),
    "no datatype": (inputs(tensor(datatype=None)), 400, ['"x"', "datatype"]),
    "unknown datatype": (inputs(tensor(datatype="FP33")), 400, ['"x"', "FP33"]),
    "wrong datatype": (
        inputs(tensor(datatype="INT32")), 400, ['"x"', "INT32", '"four"', "FP32"],
    ),
    "no data": (inputs(tensor(data=None)), 400, ['"x"', "data"]),
    "unknown input": (inputs(tensor(), tensor(name="z")), 400, ['"z"', '"four"', '"x"']),
    "missing input": (inputs(tensor(name="z")), 400, ['"x"', '"four"']),
    "repeated input": (inputs(tensor(), tensor()), 400, ['"x"']),
    "unknown output": (four(outputs=[{"name": "z"}]), 400, ['"z"', '"four"', '"y"']),
    "repeated output": (
        four(outputs=[{"name": "y"}, {"name": "y"}]), 400, ['"y"', "twice"],
    ),
    "output without name": (four(outputs=[{}]), 400, ["output", "name"]),
    "parameters no object": (four(parameters=[1]), 400, ["parameters"]),
    "nested parameter": (four(parameters={"a": {}}), 400, ['"a"']),
    "timeout of words": (four(parameters={"timeout": "soon"}), 400, ["timeout", "soon"]),
    "negative timeout": (four(parameters={"timeout": -1}), 400, ["timeout", "-1"]),
    "negative priority": (four(parameters={"priority": -1}), 400, ["priority", "-1"]),
    "id no string": (four(id=7), 400, ["id"]),
    "classification": (
        four(outputs=[{"name": "y", "parameters": {"classification": 2}}]), 501, ["classification"],
    ),
    "shared memory": (
        inputs(tensor(data=None, parameters={"shared_memory_region": "r"})),
        501, ["shared_memory_region"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", JSON_TABLE)
def test_json(server, case):
    body, status, words = JSON_TABLE[case]
    refused = server.infer("four", body)
    assert refused.status == status, refused.body
    assert refused.headers["content-type"] == "application/json"
    for word in words:
        assert word in refused.error, refused.error
    assert "\n" not in refused.error
    assert server.infer("four", four()).status == 200


@pytest.mark.parametrize("shape", [[HUGE, 0], [2**40, 0], [1025, 0]])
def test_rows_without_data_are_bounded(server, shape):
    in_json = inputs(tensor(shape=shape, data=[]))
    in_binary = inputs(tensor(shape=shape, data=None, parameters={"binary_data_size": 0}))
    for body in ((in_json, {}), binary(in_binary, b"")):
        refused = server.infer("identity_fp32", *body)
        assert refused.status == 400, refused.body
        assert '"x"' in refused.error and str(shape[0]) in refused.error
    assert server.infer("identity_fp32", inputs(tensor(shape=[1024, 0], data=[]))).status == 200


def test_numbers_beyond_their_type_are_refused(server):
    for value in (300, -1, 2.5):
        refused = server.infer(
            "identity_uint8",
            inputs({"name": "x", "shape": [1, 1], "datatype": "UINT8", "data": [value]}),
        )
        assert refused.status == 400
        assert '"x"' in refused.error and str(value) in refused.error


def binary(header: dict, payload: bytes, length: int | None = None) -> tuple[bytes, dict]:
    text = json.dumps(header).encode()
    size = len(text) if length is None else length
    return text + payload, {"Inference-Header-Content-Length": str(size)}


def sized(size: object) -> dict:
    return inputs(tensor(data=None, parameters={"binary_data_size": size}))


BINARY_TABLE = {
    "too short for the shape": (*binary(sized(12), b"\0" * 12), ['"x"', "12", "16"]),
    "too long for the shape": (*binary(sized(20), b"\0" * 20), ['"x"', "20", "16"]),
    "less than announced": (*binary(sized(16), b"\0" * 10), ['"x"', "16", "10"]),
    "more than announced": (*binary(sized(16), b"\0" * 20), ["4"]),
    "size of words": (*binary(sized("many"), b"\0" * 16), ['"x"', "binary_data_size"]),
    "negative size": (*binary(sized(-16), b"\0" * 16), ['"x"', "binary_data_size"]),
    "both kinds of data": (
        *binary(inputs(tensor(parameters={"binary_data_size": 16})), b"\0" * 16), ['"x"', "data"],
    ),
    "header length beyond the body": (
        *binary(sized(16), b"\0" * 16, length=100_000), ["100000"],
    ),
    "header length of words": (
        b"{}", {"Inference-Header-Content-Length": "many"}, ["inference-header-content-length"],
    ),
    "negative header length": (
        b"{}", {"Inference-Header-Content-Length": "-2"}, ["inference-header-content-length"],
    ),
    "raw tensor of the wrong size": (
        b"\0" * 15, {"Inference-Header-Content-Length": "0"}, ['"x"', "15"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BINARY_TABLE)
def test_binary_extension(server, case):
    body, headers, words = BINARY_TABLE[case]
    refused = server.infer("four", body, headers)
    assert refused.status == 400, refused.body
    for word in words:
        assert word.lower() in refused.error.lower(), refused.error
    assert server.infer("four", four()).status == 200


@pytest.mark.parametrize(
    "payload",
    [b"\x05\0\0\0abc", b"\xff\xff\xff\xff", b"\x01\0\0", b"\x01\0\0\0a\x01\0\0\0b"],
    ids=["cut string", "length of 4 GiB", "cut length", "more elements than the shape"],
)
def test_bytes_tensors_whose_lengths_do_not_add_up(server, payload):
    header = inputs(
        {
            "name": "x",
            "shape": [1, 1],
            "datatype": "BYTES",
            "parameters": {"binary_data_size": len(payload)},
        }
    )
    refused = server.infer("identity_bytes", *binary(header, payload))
    assert refused.status == 400
    assert '"x"' in refused.error


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/v2/models/nobody/infer", '"nobody"'),
        ("/v2/models/four/versions/7/infer", "7"),
        ("/v2/models/four/versions/seven/infer", "seven"),
        ("/v2/models//infer", ""),
        ("/v2/models/a%2Fb/infer", "a/b"),
        ("/v3", "/v3"),
        ("/v2/models/four/explode", "explode"),
    ],
)
def test_unknown_names_are_not_found_and_named(server, path, word):
    refused = server.post(path, four())
    assert refused.status == 404
    assert word in refused.error


def test_a_bad_escape_in_the_path_is_refused(server):
    refused = server.get("/v2/models/%zz")
    assert refused.status in (400, 404)
    assert "%zz" in refused.error


def test_an_unknown_content_encoding_is_refused(server):
    refused = server.infer("four", b"?", {"Content-Encoding": "zstd"})
    assert refused.status in (400, 415, 501)
    assert "zstd" in refused.error


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_broken_compressed_body_is_refused(server, encoding):
    refused = server.infer("four", b"this is not compressed", {"Content-Encoding": encoding})
    assert refused.status == 400
    assert encoding in refused.error


def test_a_request_that_fails_does_not_fail_those_in_its_batch(server):
    """The model fails on a batch whose first byte is 13; the rest of the batch is run again."""

    def ask(value: int) -> int:
        row = {"name": "x", "shape": [1, 4], "datatype": "UINT8", "data": [value] * 4}
        return server.infer("unlucky", inputs(row)).status

    assert ask(13) == 500
    values = [13 if i % 5 == 0 else 1 for i in range(100)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(ask, values))
    assert {status for value, status in zip(values, statuses, strict=True) if value == 1} == {200}


def test_a_storm_of_nonsense_leaves_the_server_well(server):
    """Sends valid requests with random changes of bytes, from a fixed seed."""
    random = np.random.default_rng(7)
    body = json.dumps(four(id="a", parameters={"timeout": 1_000_000})).encode()
    for _ in range(300):
        broken = bytearray(body)
        for _ in range(random.integers(1, 4)):
            broken[random.integers(len(broken))] = random.integers(256)
        answer = server.infer("four", bytes(broken))
        assert answer.status in (200, 400, 404, 501, 504), (bytes(broken), answer.body)
