"""The measuring programs of bench/load, each of which prints one line of JSON."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figures = dict[str, Any]

SERVER_CPU = 0
CLIENT_CPU = 1


class MeasurementError(RuntimeError):
    """A program failed, or measured something other than what was asked for."""


@dataclass(frozen=True)
class Model:
    """One model of the benchmark, and for how long to measure it."""

    name: str
    file: Path
    input: str  # In the form of lepton-load: NAME:DATATYPE:2x3x4.
    output_bytes: int
    # A rate is counted over whole bursts of answers, so slow models need a count rather than a
    # time.
    seconds: float = 1.5
    warmup: float = 0.3
    requests_at_16: int = 0


@dataclass(frozen=True)
class Programs:
    """Where the built programs are."""

    build: Path

    def in_process(
        self, model: Model, rows: int, seconds: float, *, unbound: bool = False
    ) -> Figures:
        """Runs the model without a server, pinned to the processor that the server gets.

        Args:
            model: The model to run.
            rows: Rows per run.
            seconds: How long to run it; 0 runs it once.
            unbound: Without OpenVINO's calls for the affinity of its thread around each run, which
                Lepton's plug-in avoids (engines/openvino/plugin.cc) and a plain program has.
        """
        return run_json(
            self.build / "bench/lepton-inprocess", model.file, "--rows", rows, "--cpu", SERVER_CPU,
            "--seconds", seconds, "--warmup", model.warmup, "--spawned-at", time.monotonic_ns(),
            environment={"HWLOC_THISSYSTEM": "0"} if unbound else {},
        )  # fmt: skip

    def allocations_in_process(self, model: Model, shim: Path) -> float:
        """Heap allocations of one run of the engine, its threads unbound as in the server."""
        with tempfile.TemporaryDirectory(prefix="lepton-bench-") as folder:
            file = Path(folder, "allocations")
            figures = run_json(
                self.build / "bench/lepton-inprocess", model.file, "--seconds", 0.2,
                "--allocations", file,
                environment={
                    "LD_PRELOAD": str(shim),
                    "LEPTON_ALLOCATIONS_FILE": str(file),
                    "HWLOC_THISSYSTEM": "0",
                },
            )  # fmt: skip
        return figures["allocations_per_run"]

    def ping_pong(
        self, sizes: tuple[int, int], connections: int, *, unix: bool, spin: bool, seconds: float
    ) -> Figures:
        """Measures the network without an inference server."""
        return run_json(
            self.build / "bench/lepton-pingpong", "--request-bytes", sizes[0],
            "--answer-bytes", sizes[1], "--connections", connections, "--seconds", seconds,
            "--warmup", 0.2, "--server-cpu", SERVER_CPU, "--client-cpu", CLIENT_CPU,
            *(["--unix"] if unix else []), *(["--spin"] if spin else []),
        )  # fmt: skip

    def load(
        self,
        endpoint: str,
        protocol: str,
        model: Model,
        connections: int,
        *,
        server_pid: int,
        seconds: float,
        allocations_file: Path | None = None,
    ) -> Figures:
        """Measures a server under load. Raises MeasurementError if any answer was wrong."""
        counted = ["--server-allocations", allocations_file] if allocations_file else []
        requests = model.requests_at_16 if connections > 1 else 0
        figures = run_json(
            self.build / "bench/lepton-load", endpoint, "--protocol", protocol,
            "--model", model.name, "--input", model.input, "--output-bytes", model.output_bytes,
            "--connections", connections, "--seconds", seconds, "--warmup", model.warmup,
            "--requests", requests, "--cpu", CLIENT_CPU, "--server-pid", server_pid, *counted,
        )  # fmt: skip
        if figures["refused"]:
            raise MeasurementError(f"{protocol} on {endpoint}: {figures['refused']} wrong answers")
        return figures


def run_json(
    program: Path, *arguments: object, environment: dict[str, str] | None = None
) -> Figures:
    """Runs a program and reads the JSON that it prints."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **(environment or {})}
    )
    if done.returncode != 0:
        raise MeasurementError(f"{' '.join(command)}\n{done.stderr.strip()}")
    return json.loads(done.stdout)
