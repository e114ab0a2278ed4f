"""Background load on the car's server, in a process of its own.

Each client sends batches of scans, one after the other, at a bounded rate: so the load is bounded,
whatever the server accepts. Prints its figures when its standard input closes.

    python -m autodrive.load URL MODEL CLIENTS
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from autodrive.perception import network_inputs
from autodrive.simulator import BEAMS
from lepton import LeptonAI, LeptonError

ROWS = 64  # Scans per request.
REQUESTS_PER_SECOND = 100  # Maximum of each client.


@contextlib.contextmanager
def running(url: str, model: str, clients: int) -> Iterator[dict[str, float]]:
    """Runs the load beside the body of the `with`; fills in its figures in the end."""
    figures: dict[str, float] = {}
    if clients == 0:
        yield figures
        return
    command = [sys.executable, "-m", "autodrive.load", url, model, str(clients)]
    folder = Path(__file__).parents[1]
    # A session of its own: Ctrl-C is for the drive, after which the load ends too.
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # It runs.
        try:
            yield figures
        finally:
            said, _ = process.communicate()
            figures.update(json.loads(said))


class _Client(threading.Thread):
    """Sends batches until told to stop."""

    def __init__(self, url: str, model: str, seed: int, stop: threading.Event) -> None:
        super().__init__()
        self._url, self._model, self._stop_now = url, model, stop
        rng = np.random.default_rng(seed)
        self._inputs = network_inputs(
            rng.uniform(1, 30, (ROWS, BEAMS)), rng.uniform(0, 0.5, (ROWS, 2))
        )
        self.answered = 0
        self.refused = 0
        self.seconds = 0.0

    def run(self) -> None:
        with LeptonAI(self._url, model=self._model) as client:
            while not self._stop_now.is_set():
                start = time.perf_counter()
                try:
                    client.infer(self._inputs, timeout=1.0)
                    self.answered += 1
                except LeptonError:
                    self.refused += 1
                took = time.perf_counter() - start
                self.seconds += took
                self._stop_now.wait(max(0.0, 1 / REQUESTS_PER_SECOND - took))


def main() -> None:
    """Runs the load until standard input closes."""
    url, model, clients = sys.argv[1], sys.argv[2], int(sys.argv[3])
    stop = threading.Event()
    threads = [_Client(url, model, seed, stop) for seed in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    print("running", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    answered = sum(thread.answered for thread in threads)
    sent = answered + sum(thread.refused for thread in threads)
    figures = {
        "answered": answered,
        "refused": sent - answered,
        "scans_per_second": round(answered * ROWS / seconds, 1),
        "mean_ms": round(sum(thread.seconds for thread in threads) / max(sent, 1) * 1e3, 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
