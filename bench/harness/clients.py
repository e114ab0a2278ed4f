"""The clients, each with one request in flight: what a program sees that asks and waits."""

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .programs import CLIENT_CPU, Figures, Model, Programs, run_json
from .server import Server
from .targets import Absolute, Row, median_absolute, p50

PYTHON_CLIENT = Path(__file__).resolve().parents[1] / "load/python_client.py"

# Which p50 is divided by which, within a round, and what the quotient must reach.
LOOP_FACTOR = 1.1
PYTHON_FACTOR = 1.4
TRITON_FACTOR = 1.5
IN_PROCESS_FACTOR = 1.2

ClientRound = dict[str, Figures]  # By the names in CLIENTS.


@dataclass(frozen=True)
class Places:
    """The server to ask."""

    server: Server
    repository: Path  # With only this model in it.
    model: Model
    programs: Programs
    seconds: float

    @property
    def address(self) -> str:
        return self.server.endpoint(unix=False)


def _loop(places: Places, protocol: str) -> Figures:
    return places.programs.load(
        places.address, protocol, places.model, 1,
        server_pid=places.server.pid, seconds=places.seconds,
    )  # fmt: skip


def _cpp(places: Places, scheme: str) -> Figures:
    model = places.model
    return run_json(
        places.programs.build / "bench/lepton-client-load", f"{scheme}://{places.address}",
        "--model", model.name, "--input", model.input, "--output-bytes", model.output_bytes,
        "--seconds", places.seconds, "--warmup", model.warmup, "--cpu", CLIENT_CPU,
    )  # fmt: skip


def _python(places: Places, way: str, where: object) -> Figures:
    model = places.model
    name, _, shape = model.input.split(":")
    return run_json(
        Path(sys.executable), PYTHON_CLIENT, way, where, "--model", model.name,
        "--input", f"{name}:{shape}", "--output-bytes", model.output_bytes,
        "--seconds", places.seconds, "--warmup", model.warmup, "--cpu", CLIENT_CPU,
    )  # fmt: skip


CLIENTS: dict[str, Callable[[Places], Figures]] = {
    "socket loop, HTTP": lambda places: _loop(places, "http-binary"),
    "C++ client, HTTP": lambda places: _cpp(places, "http"),
    "Python client, HTTP": lambda places: _python(places, "lepton", f"http://{places.address}"),
    "tritonclient, HTTP": lambda places: _python(places, "triton-http", places.address),
    "socket loop, gRPC": lambda places: _loop(places, "grpc"),
    "C++ client, gRPC": lambda places: _cpp(places, "grpc"),
    "Python client, gRPC": lambda places: _python(places, "lepton", f"grpc://{places.address}"),
    "tritonclient, gRPC": lambda places: _python(places, "triton-grpc", places.address),
    "OpenVINO from Python": lambda places: _python(places, "openvino", places.model.file),
    "LeptonAI in-process": lambda places: _python(places, "lepton-in-process", places.repository),
}


def measure_clients(
    programs: Programs,
    binary: Path,
    model: Model,
    turn: int,
    *,
    seconds: float,
    on_step: Callable[[str], None],
) -> ClientRound:
    """One round: all clients in turn on one server; the first one changes from turn to turn."""
    names = list(CLIENTS)
    shift = 4 * turn % len(names)
    figures = {}
    with tempfile.TemporaryDirectory(prefix="lepton-bench-") as folder:
        os.symlink(model.file.parent.parent, Path(folder, model.name))
        with Server(binary, Path(folder)) as server:
            places = Places(server, Path(folder), model, programs, seconds)
            for name in names[shift:] + names[:shift]:
                on_step(name)
                figures[name] = CLIENTS[name](places)
    return {name: figures[name] for name in names}


def rows_of_clients(rounds: list[ClientRound]) -> list[Row]:
    """All quotients of two clients."""

    def quotient(one: str, other: str, **target: float) -> Row:
        values = [p50(each[one]) / p50(each[other]) for each in rounds]
        return Row(f"{one} / {other}", values, **target)

    rows = []
    for wire in ("HTTP", "gRPC"):
        loop, cpp, python, triton = (
            f"{what}, {wire}"
            for what in ("socket loop", "C++ client", "Python client", "tritonclient")
        )
        rows += [
            quotient(cpp, loop, at_most=LOOP_FACTOR),
            quotient(python, cpp, at_most=PYTHON_FACTOR),
            quotient(triton, cpp, at_least=TRITON_FACTOR),
            quotient(triton, python, at_least=TRITON_FACTOR),
        ]
    in_process = ("LeptonAI in-process", "OpenVINO from Python")
    return [*rows, quotient(*in_process, at_most=IN_PROCESS_FACTOR)]


def absolutes_of_clients(rounds: list[ClientRound]) -> list[Absolute]:
    """Every client by itself."""
    return [median_absolute(name, [each[name] for each in rounds]) for name in CLIENTS]
