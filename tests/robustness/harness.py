"""Runs an attack on a server beside a healthy client, and measures both."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from models import write_models
from shared import LeptonServer

HERE = Path(__file__).resolve().parent
MEMORY_BUDGET_MB = 512
MOST_ANSWER_MB = 64
# Memory beyond messages and answers: the system allocator's buffers, connections, threads.
UNCOUNTED_MB = 128
# Memory that may remain after an attack: our pools, and what the allocator keeps in its arenas.
KEPT_MB = 64
KEPT_SHARE = 1.2
SETTLE_SECONDS = 10
ATTACKER_BYTES = 3 << 30
ATTACKER_FILES = 20_000
CORES = sorted(os.sched_getaffinity(0))

_fork = multiprocessing.get_context("fork")


class Target:
    """What an attack knows: where the server is, and how long to go on."""

    def __init__(self, port: int, seconds: float) -> None:
        self.port = port
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def wait(self, seconds: float | None = None) -> None:
        """Waits, by default for as long as the attack lasts."""
        left = max(0.0, self._until - time.monotonic())
        time.sleep(left if seconds is None else min(left, seconds))

    def connect(self, *, receive_bytes: int = 0, timeout: float = 1) -> socket.socket:
        peer = socket.socket()
        if receive_bytes:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Closes without TIME_WAIT, so that no attack runs out of ports.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.settimeout(timeout)
        peer.connect(("127.0.0.1", self.port))
        return peer

    def connections(self, count: int) -> Iterator[socket.socket]:
        """Opens this many connections for the attack's duration; fewer if the server takes no
        more."""
        for _ in range(count):
            if not self.lasts():
                return
            with contextlib.suppress(OSError):
                yield self.connect()

    def flood(
        self,
        opening: bytes,
        pieces: Callable[[], Iterable[bytes]],
        units: int = 1,
        *,
        read: bool = True,
    ) -> int:
        """Sends pieces, on a new connection when the server ends one or all pieces are sent.

        If the server reads no more, the connection is held. Returns the number of units sent, where
        each piece counts as `units`.
        """
        sent = 0
        while self.lasts():
            with contextlib.suppress(ConnectionError), self.connect() as peer:
                try:
                    peer.sendall(opening)
                    for piece in pieces():
                        if not self.lasts():
                            break
                        peer.sendall(piece)
                        sent += units
                        if read:
                            drain(peer)
                except TimeoutError:
                    self.wait()
        return sent


def drain(peer: socket.socket, most: int = 1 << 20) -> None:
    """Reads what has arrived, up to a limit, without waiting."""
    seconds = peer.gettimeout()
    peer.setblocking(False)
    try:
        if not peer.recv(most):
            raise ConnectionResetError("the server has ended the connection")
    except BlockingIOError:
        pass
    finally:
        peer.settimeout(seconds)


def answers(peer: socket.socket) -> bytes:
    """Reads until the end, or until nothing comes for as long as the socket's timeout."""
    said = bytearray()
    with contextlib.suppress(OSError):
        while data := peer.recv(65536):
            said += data
    return bytes(said)


@dataclass(frozen=True)
class Attack:
    """`run` attacks for as long as the target lasts; returns how many inputs it sent.

    An AssertionError from it says what the server did wrong.
    """

    name: str
    run: Callable[[Target], int]
    prepare: Callable[[], object] = (
        bool  # Makes what is costly, and keeps it, before the time runs.
    )


@dataclass
class Outcome:
    attack: str
    inputs: int = 0
    answered: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    p50_ms: float = 0
    p99_ms: float = 0
    max_ms: float = 0
    newcomer_max_ms: float = 0
    before_mb: int = 0
    peak_mb: int = 0
    after_mb: int = 0
    fault: str = ""  # The attack's own error, or the server's death.

    def faults(self, most_p99_ms: float) -> list[str]:
        """Everything that should not have happened."""
        found = [self.fault] if self.fault else []
        if self.failures:
            found.append(f"the healthy client saw {self.failures}")
        if not self.answered:
            found.append("the healthy client had no answer")
        if self.p99_ms > most_p99_ms:
            found.append(f"its p99 is {self.p99_ms:.1f} ms")
        if self.peak_mb > self.before_mb + MEMORY_BUDGET_MB + UNCOUNTED_MB:
            found.append(f"{self.peak_mb - self.before_mb} MB taken of {MEMORY_BUDGET_MB}")
        if self.after_mb > most_after(self.before_mb):
            found.append(f"{self.after_mb - self.before_mb} MB kept")
        return found

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def most_after(before_mb: int) -> float:
    return before_mb * KEPT_SHARE + KEPT_MB


class Arena:
    """One server on one core, at normal priority, for consecutive attacks.

    The healthy client has the other cores; attackers take what it leaves idle.
    """

    def __init__(self, folder: Path, shell: str = "") -> None:
        self._folder = folder
        self._shell = shell
        self._models = write_models(folder / "models")
        self._starts = 0
        self.server: LeptonServer | None = None

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: object) -> None:
        if self.server:
            self.server.stop()

    def run(self, attack: Attack, seconds: float) -> Outcome:
        server = self._running()
        attack.prepare()
        outcome = Outcome(attack.name, before_mb=memory_mb(server, "VmRSS"))
        forget_peak(server)
        with healthy_client(server.port) as client:
            outcome.inputs, outcome.fault = in_process(attack, Target(server.port, seconds))
            time.sleep(min(1, seconds / 4))  # The aftermath of an attack may hurt as well.
            result = json.loads(client.communicate(timeout=30)[0])
        for name, value in result.items():
            setattr(outcome, name, value)
        if server.process.poll() is not None:
            outcome.fault = (
                f"the server ended with {server.process.returncode}: {server.log[-300:]}"
            )
            return outcome
        outcome.peak_mb = memory_mb(server, "VmHWM")
        until = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < until:
            outcome.after_mb = memory_mb(server, "VmRSS")
            if outcome.after_mb <= most_after(outcome.before_mb):
                break
            time.sleep(0.1)
        return outcome

    def _running(self) -> LeptonServer:
        if not self.server or self.server.process.poll() is not None:
            self._starts += 1
            folder = self._folder / f"server-{self._starts}"
            folder.mkdir()
            os.sched_setaffinity(0, CORES[:1])
            try:
                self.server = LeptonServer(
                    folder,
                    self._models,
                    "--memory-budget",
                    f"{MEMORY_BUDGET_MB}mib",
                    "--max-answer-bytes",
                    f"{MOST_ANSWER_MB}mib",
                    shell=self._shell,
                    log_level="info",
                )
            finally:
                os.sched_setaffinity(0, CORES)
            self.server.wait_until_ready()
        return self.server


@contextlib.contextmanager
def healthy_client(port: int) -> Iterator[subprocess.Popen[str]]:
    client = subprocess.Popen(
        [sys.executable, HERE / "healthy_client.py", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(client.pid, CORES[1:] or CORES)
    try:
        time.sleep(0.3)  # It imports what it needs.
        yield client
    finally:
        client.kill()
        client.wait()


def in_process(attack: Attack, target: Target) -> tuple[int, str]:
    """Attacks from a process with bounded memory and time; returns the inputs sent, and a fault."""
    receiver, sender = _fork.Pipe(duplex=False)
    process = _fork.Process(target=_attack, args=(attack, target, sender))
    process.start()
    sender.close()
    try:
        if receiver.poll(target.seconds + 30):
            return receiver.recv()
        return 0, "the attacker did not end"
    except EOFError:
        return 0, "the attacker ended before it could say anything"
    finally:
        process.kill()
        process.join()


def _attack(attack: Attack, target: Target, sender) -> None:
    os.sched_setaffinity(0, CORES[1:] or CORES)
    # Gives way at once to the healthy client, whose core it shares.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    resource.setrlimit(resource.RLIMIT_AS, (ATTACKER_BYTES, ATTACKER_BYTES))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = ATTACKER_FILES if hard == resource.RLIM_INFINITY else min(ATTACKER_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        sender.send((attack.run(target), ""))
    except AssertionError as fault:
        sender.send((0, str(fault)))
    except Exception as error:
        sender.send((0, f"the attacker failed: {type(error).__name__}: {error}"))


def memory_mb(server: LeptonServer, what: str) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"{what}:\s+(\d+)", status)
    assert found
    return int(found[1]) >> 10


def forget_peak(server: LeptonServer) -> None:
    # proc(5): writing 5 resets VmHWM to the resident size.
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
