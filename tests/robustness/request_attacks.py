"""Single requests that cost much, or that are nonsense."""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import json
import random
import time
from collections.abc import Iterable

import numpy as np
from grpc_messages import infer_message
from harness import Attack, Target, answers
from wire import (
    HTTP2_PREFACE,
    call,
    data_frames,
    grpc_fields,
    http1,
    http2_frame,
    infer,
    infer_binary,
    message,
    one_input,
    row_of_wide,
    streams,
)

BODY_BYTES = 64 << 20  # The server's default limit.


def ask(target: Target, request: bytes, *, seconds: float = 10) -> bytes:
    """Returns the whole answer to one request on its own connection; nothing if none came."""
    with target.connect(timeout=seconds) as peer:
        with contextlib.suppress(OSError):  # Refused before it was sent in full.
            peer.sendall(request)
        return answers_one(peer)


def answers_one(peer) -> bytes:
    said = bytearray()
    try:
        while (end := said.find(b"\r\n\r\n")) < 0:
            if not (data := peer.recv(65536)):
                return bytes(said)
            said += data
        length = bytes(said[:end]).lower().partition(b"content-length:")[2].split()
        whole = end + 4 + (int(length[0]) if length else 0)
        # The content of the answer does not matter, and may be large.
        head, count = bytes(said[: end + 4]), len(said)
        while count < whole and (data := peer.recv(1 << 20)):
            count += len(data)
        return head
    except OSError:
        return bytes(said)


def repeat(
    target: Target, requests: Iterable[bytes], *, seconds: float = 10, status: int | None = None
) -> int:
    """Asks again and again; no answer may be a fault of the server's.

    `status` is what the attack is about: where no answer has it, it measures something else.
    """
    count, statuses = 0, set()
    for request in itertools.cycle(requests):
        if not target.lasts():
            break
        try:
            answer = ask(target, request, seconds=seconds)
        except ConnectionError:
            continue
        count += 1
        statuses.add(int(answer[9:12] or 0))
        assert 500 not in statuses, answer[:200]
    assert not count or status is None or status in statuses, statuses
    return count


def rows_without_bytes(target: Target) -> int:
    shapes = [[2**62, 0], [10**12, 0], [0, 2**62], [2**63 - 1, 0], [2**31, 0], [1025, 0], [0, 0]]
    for shape in shapes:
        answer = ask(target, infer("double", one_input("x", shape, data=[])), seconds=5)
        assert answer.startswith(b"HTTP/1.1 4"), f"{shape}: {answer[:80]!r}"
    return len(shapes) + repeat(
        target, [infer("texts", {"inputs": [tensor_of_texts(shape)]}) for shape in shapes]
    )


def tensor_of_texts(shape: list[int]) -> dict:
    return {"name": "x", "datatype": "BYTES", "shape": shape, "data": []}


def huge_shapes(target: Target) -> int:
    extents = [-(2**63), -1, 0, 1, 2**31, 2**32, 2**61, 2**62, 2**63 - 1, 2**64, 1e300]
    chosen = random.Random(1)

    def requests() -> Iterable[bytes]:
        for rank in (1, 2, 2, 2, 3, 8, 64, 10_000):
            shape = [chosen.choice(extents) for _ in range(rank)]
            yield infer("double", one_input("x", shape, data=[1, 2, 3, 4]))
            yield infer_binary("double", "x", shape, bytes(16))

    return repeat(target, list(requests()))


def answers_larger_than_requests(target: Target) -> int:
    """Sends 32 KB that ask for 8 GB; the client leaves at once."""
    rows = 8000
    request = infer_binary("wide", "x", [rows, 1], bytes(4 * rows))
    count = 0
    while target.lasts():
        with target.connect() as peer:
            peer.sendall(request)
            count += 1
            target.wait(0.1)
    return count


def answers_of_many_rows(target: Target) -> int:
    """Requests answers of the maximum size, and reads them to the end."""
    rows = 60
    binary = {"parameters": {"binary_data_output": True}}
    request = infer_binary("wide", "x", [rows, 1], bytes(4 * rows), **binary)
    return repeat(target, [request], status=200)


def one_output_many_times(target: Target) -> int:
    data = bytes(4 << 20)
    outputs = [{"name": "y", "parameters": {"binary_data": True}}] * 1024
    request = infer_binary("double", "x", [len(data) // 16, 4], data, outputs=outputs)
    answer = ask(target, request)
    assert answer.startswith(b"HTTP/1.1 400"), answer[:80]
    return 1 + repeat(target, [request], status=400)


@functools.cache
def bomb(size: int = BODY_BYTES - 1) -> bytes:
    """Returns a body that unpacks to `size` bytes from 1 KB for each MB."""
    return gzip.compress(b" " * size, 9)


def bombs() -> list[bytes]:
    """Returns one of the maximum size, and one that is larger."""
    return [
        infer("double", bomb(size), "Content-Encoding: gzip")
        for size in (BODY_BYTES - 1, BODY_BYTES * 3 // 2)
    ]


def gzip_bombs(target: Target) -> int:
    """Sends bombs and keeps the connections open."""
    held, count = [], 0
    while target.lasts():
        peer = target.connect(timeout=10)
        peer.sendall(bombs()[count % 2])
        answers_one(peer)
        held.append(peer)
        count += 1
    return count


def gzip_bombs_at_once(target: Target) -> int:
    count = 0
    while target.lasts():
        peers = [target.connect(timeout=20) for _ in range(16)]
        for peer in peers:
            peer.sendall(bombs()[0])
        for peer in peers:
            answers_one(peer)
            peer.close()
        count += len(peers)
    return count


def grpc_bombs(target: Target) -> int:
    body = message(bomb(), compressed=True)
    head = grpc_fields(more=[("grpc-encoding", "gzip")])

    def calls() -> Iterable[bytes]:
        for stream in streams():
            yield http2_frame(1, 4, stream, head) + data_frames(stream, body)

    return target.flood(HTTP2_PREFACE, calls)


@functools.cache
def numbers() -> bytes:
    """60 MB of them as text, in less than 2^20 rows; the answer is small."""
    rows = BODY_BYTES * 15 // 16 // 18 // 4
    data = b",".join([b"0.123456789012345"] * (4 * rows))
    tensor = b'{"name":"x","datatype":"FP32","shape":[%d,4],"data":[%s]}' % (rows, data)
    return infer("double", b'{"parameters":{"binary_data_output":true},"inputs":[%s]}' % tensor)


def large_json(target: Target) -> int:
    return repeat(target, [numbers()], seconds=30, status=200)


@functools.cache
def asks_for_text() -> list[bytes]:
    """Returns requests of 16 MB whose answers are 40 MB of text, plain and compressed."""
    rows = 1_000_000  # The limit is 2^20.
    data = np.random.default_rng(1).random((rows, 4), np.float32).tobytes()
    return [
        infer_binary("double", "x", [rows, 4], data, *encoding)
        for encoding in ((), ("Accept-Encoding: gzip",))
    ]


def large_json_answers(target: Target) -> int:
    return repeat(target, asks_for_text(), seconds=30, status=200)


@functools.cache
def deep() -> list[bytes]:
    nested = [
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b"[" * 500_000 + b"]" * 500_000,
        b'"' * 9_999_999,
    ]
    data = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":%s}]}'
    around = b'{"parameters":{"a":%s},"inputs":[]}'
    return [infer("double", body) for part in nested for body in (part, data % part, around % part)]


def deep_json(target: Target) -> int:
    return repeat(target, deep(), status=400)


@functools.cache
def names_of_nothing() -> list[bytes]:
    """Returns requests with tensors, parameters and outputs that no model has."""
    names = [f"name-{number}" for number in range(50_000)]
    bodies = [
        {
            "inputs": [
                {"name": name, "datatype": "FP32", "shape": [1], "data": [1]} for name in names
            ]
        },
        {
            **one_input("x", [1, 4], data=[1, 2, 3, 4]),
            "outputs": [{"name": name} for name in names],
        },
        {**one_input("x", [1, 4], data=[1, 2, 3, 4]), "parameters": dict.fromkeys(names, 1)},
        dict.fromkeys(names, 1),
    ]
    return [infer("double", body) for body in bodies]


def many_names(target: Target) -> int:
    return repeat(target, names_of_nothing(), status=400)


def unknown_models(target: Target) -> int:
    """What is counted or kept by name must not grow with names that clients invent."""

    def requests() -> Iterable[bytes]:
        for number in itertools.count():
            yield infer(f"stranger-{number}", one_input("x", [1], data=[1])) + http1(
                f"/v2/models/stranger-{number}/versions/{number}", method="GET"
            )

    return target.flood(b"", requests, 2)


def mutations(target: Target) -> int:
    """Sends requests with some of their bytes changed, cut or doubled."""
    chosen = random.Random(1)
    seeds = [
        infer("double", one_input("x", [1, 4], data=[1, 2, 3, 4])),
        infer_binary("double", "x", [1, 4], bytes(16), id="a"),
        infer("texts", {"inputs": [{**tensor_of_texts([2, 1]), "data": ["a", "\u00e9"]}]}),
        http1("/v2/models/double/config", b'{"max_batch_size": 4}'),
        http1("/v2/models/double/infer", b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        HTTP2_PREFACE + call(1, infer_message("double", "x", [1, 4], bytes(16))),
    ]

    def mutated() -> bytes:
        data = bytearray(chosen.choice(seeds))
        for _ in range(chosen.randint(1, 8)):
            at = chosen.randrange(len(data))
            match chosen.randrange(4):
                case 0:
                    data[at] = chosen.randrange(256)
                case 1:
                    del data[at : at + chosen.randint(1, 8)]
                case 2:
                    data[at:at] = data[at : at + chosen.randint(1, 64)]
                case _:
                    data[at:at] = chosen.choice([b"0", b"9" * 20, b"\0", b"\r\n", b"-1", b"\xff"])
            if not data:
                return b"\r\n"
        return bytes(data)

    return target.flood(b"", lambda: (mutated() for _ in range(chosen.randint(1, 4))))


def promised_bodies(target: Target) -> int:
    """Sends heads that promise 64 MB, and nothing after them."""
    heads = [
        infer("double", b"", f"Content-Length: {BODY_BYTES}"),
        HTTP2_PREFACE
        + http2_frame(1, 4, 1, grpc_fields())
        + http2_frame(0, 0, 1, b"\0" + BODY_BYTES.to_bytes(4, "big")),
    ]
    held = []
    for peer in target.connections(1000):
        peer.sendall(heads[len(held) % 2])
        held.append(peer)
    target.wait()
    return len(held)


def bodies_without_end(target: Target) -> int:
    """Starts uploads that stop before their last byte, together above the memory budget."""
    part = bytes(BODY_BYTES // 2)
    held = []
    for peer in target.connections(24):
        held.append(peer)
        try:
            peer.sendall(infer("double", part, f"Content-Length: {BODY_BYTES}"))
        except OSError:
            continue
    target.wait()
    return len(held)


def large_uploads_at_once(target: Target) -> int:
    """Sends 20 uploads of 16 MB at once, again and again."""
    rows = 1 << 20
    request = infer_binary("double", "x", [rows, 4], bytes(16 * rows), outputs=[{"name": "z"}])
    count = 0
    while target.lasts():
        peers = []
        for peer in target.connections(20):
            peer.setblocking(False)
            peers.append([peer, memoryview(request)])
        until = time.monotonic() + 5
        while any(rest for _, rest in peers) and time.monotonic() < until:
            for pair in peers:
                try:
                    pair[1] = pair[1][pair[0].send(pair[1][: 1 << 18]) :] if pair[1] else pair[1]
                except BlockingIOError:
                    pass
                except OSError:
                    pair[1] = pair[1][:0]
        for peer, _ in peers:
            peer.close()
        count += len(peers)
    return count


def bytes_that_do_not_add_up(target: Target) -> int:
    """Falsifies lengths of strings in a BYTES tensor, and of binary sections."""
    elements = [b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\1\0\0\0", b"\0" * 5, b""]
    requests = []
    for data in elements:
        tensor = {"name": "x", "datatype": "BYTES", "shape": [1, 1]}
        for size in (len(data), 2**31, 2**63, -1, 2**64):
            tensor["parameters"] = {"binary_data_size": size}
            text = json.dumps({"inputs": [tensor]}).encode()
            for length in (len(text), len(text) + 1, 2**64 - 1, 0):
                field = f"Inference-Header-Content-Length: {length}"
                requests.append(infer("texts", text + data, field))
    return repeat(target, requests)


def unread_large_answers(target: Target) -> int:
    """Each connection requests 60 MB and reads nothing of it."""
    rows = 60
    request = infer_binary(
        "wide", "x", [rows, 1], bytes(4 * rows), parameters={"binary_data_output": True}
    )
    held = []
    for peer in target.connections(10):
        peer.sendall(request)
        held.append(peer)
        target.wait(0.1)
    target.wait()
    return len(held)


def unread_small_answers(target: Target) -> int:
    return target.flood(b"", lambda: itertools.repeat(row_of_wide() * 64), 64, read=False)


def smuggled_requests(target: Target) -> int:
    """Sends bodies that one reader takes for a request and another does not."""
    inner = http1("/SMUGGLED", method="GET")
    codings = [
        *("identity", "gzip", "xchunked", "chunked, identity", "chunked, gzip", '"chunked"'),
        *("chunked, chunked", "chunked\x0b", "chunked;a=b", ", chunked,gzip", "\x00chunked"),
    ]
    heads = [("Transfer-Encoding: " + coding,) for coding in codings]
    heads += [
        ("Transfer-Encoding: gzip", "Content-Length: 0"),
        ("Transfer-Encoding: chunked", "Content-Length: 0"),
        ("Content-Length: 0", "Content-Length: 5"),
        ("Content-Length: +0",),
        ("Content-Length: 0, 5",),
        ("Content-Length: 0x0",),
        ("Content-Length : 0",),
        ("Content-Length: 0", "Host: other"),
        ("Content-Length: 0", " folded: a"),
        ("Content-Length: 0", "a\rb: c"),
        ("Content-Length: 0", "a\nTransfer-Encoding: chunked"),
    ]
    for head in heads:
        with target.connect(timeout=1) as peer:
            peer.sendall(http1("/v2/models/double/infer", b"", *head) + inner)
            said = answers(peer)
        assert b"SMUGGLED" not in said, f"{head}: what follows was run as a request"
    return len(heads)


ATTACKS = [
    Attack("rows without bytes", rows_without_bytes),
    Attack("huge shapes", huge_shapes),
    Attack("lengths that do not add up", bytes_that_do_not_add_up),
    Attack("32 KB ask for 8 GB", answers_larger_than_requests),
    Attack("answers of 60 MB", answers_of_many_rows),
    Attack("one output 1024 times", one_output_many_times),
    Attack("gzip bombs, kept open", gzip_bombs, bombs),
    Attack("gzip bombs, 16 at once", gzip_bombs_at_once, bombs),
    Attack("gzip bombs in gRPC", grpc_bombs, bomb),
    Attack("JSON of 60 MB", large_json, numbers),
    Attack("JSON answers of 40 MB", large_json_answers, asks_for_text),
    Attack("deep JSON", deep_json, deep),
    Attack("50,000 names", many_names, names_of_nothing),
    Attack("names of unknown models", unknown_models),
    Attack("mutated requests", mutations),
    Attack("smuggled requests", smuggled_requests),
    Attack("1000 promises of 64 MB", promised_bodies),
    Attack("half uploads of 32 MB", bodies_without_end),
    Attack("20 uploads of 16 MB", large_uploads_at_once),
    Attack("unread answers of 60 MB", unread_large_answers),
    Attack("unread pipelined answers", unread_small_answers),
]
