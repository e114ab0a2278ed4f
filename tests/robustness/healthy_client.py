"""A polite client of the model digits: 100 requests a second, some on a connection of their own.

    python healthy_client.py PORT      until its standard input ends; then prints how it went, as
    JSON

A process of its own, small and without garbage collection, so that it measures the server and not
itself.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import sys
import time
from collections import Counter

from wire import infer_binary

RATE = 100
NEWCOMER_EVERY = 25  # In requests.
PATIENCE_SECONDS = 5


def ask(peer: socket.socket, request: bytes) -> None:
    """Raises for anything but a complete answer with status 200."""
    peer.sendall(request)
    answer = bytearray()
    while (end := answer.find(b"\r\n\r\n")) < 0:
        _receive(peer, answer)
    head = bytes(answer[:end]).lower()
    status = head.split()[1]
    if status != b"200":
        raise ValueError(status.decode())
    length = int(head.split(b"content-length:")[1].split()[0])
    while len(answer) < end + 4 + length:
        _receive(peer, answer)


def _receive(peer: socket.socket, answer: bytearray) -> None:
    data = peer.recv(65536)
    if not data:
        raise EOFError
    answer += data


def connect(port: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3) if ordered else 0


def main() -> None:
    gc.disable()
    port = int(sys.argv[1])
    image = bytes(256)
    kept = infer_binary("digits", "image", [1, 1, 8, 8], image)
    once = infer_binary("digits", "image", [1, 1, 8, 8], image, "Connection: close")
    latencies_ms: list[float] = []
    newcomers_ms: list[float] = []
    failures: Counter[str] = Counter()
    peer: socket.socket | None = None
    count, due = 0, time.perf_counter()
    while True:
        wait = due - time.perf_counter()
        if select.select([sys.stdin], [], [], max(0.0, wait))[0]:
            break
        # A stall is one late answer, without a burst after it.
        due = max(due, time.perf_counter()) + 1 / RATE
        count += 1
        is_newcomer = count % NEWCOMER_EVERY == 0
        start = time.perf_counter()
        try:
            if is_newcomer:
                with connect(port) as newcomer:
                    ask(newcomer, once)
            else:
                peer = peer or connect(port)
                ask(peer, kept)
        except (OSError, EOFError, ValueError) as error:
            failures[str(error) or type(error).__name__] += 1
            if not is_newcomer and peer:
                peer.close()
                peer = None
            continue
        (newcomers_ms if is_newcomer else latencies_ms).append((time.perf_counter() - start) * 1000)
    result = {
        "answered": len(latencies_ms) + len(newcomers_ms),
        "failures": failures,
        "p50_ms": percentile(latencies_ms, 0.5),
        "p99_ms": percentile(latencies_ms, 0.99),
        "max_ms": percentile(latencies_ms, 1),
        "newcomer_max_ms": percentile(newcomers_ms, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
