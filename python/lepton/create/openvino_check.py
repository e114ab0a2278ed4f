"""Reads a model with OpenVINO, runs it once, and measures how long runs take: a program of its own.

    python -m lepton.create.openvino_check MODEL [--measure]

Writes lines of JSON to stdout: {"step": ...} as each begins, and at last {"result": ...}, or
{"error": ...} where the model is at fault. lepton.create.check starts it and reads them.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from lepton.create.source import CreateError
from lepton.datatypes import NUMPY_TYPES

PRECISION = "f32"
# KServe's names of OpenVINO's element types; the others cannot be said in the protocol.
DATATYPES = {
    "boolean": "BOOL",
    "u8": "UINT8",
    "u16": "UINT16",
    "u32": "UINT32",
    "u64": "UINT64",
    "i8": "INT8",
    "i16": "INT16",
    "i32": "INT32",
    "i64": "INT64",
    "f16": "FP16",
    "bf16": "BF16",
    "f32": "FP32",
    "f64": "FP64",
    "string": "BYTES",
}
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
# A batch size is run until one of these is reached, but three times at least.
MEASURE_SECONDS = 0.25
MEASURE_RUNS = 300
# Larger batches are left out once one run takes longer than this.
SLOW_RUN_SECONDS = 1.0


@dataclass(frozen=True)
class Tensor:
    """An input or output; -1 is an extent that a request chooses."""

    name: str
    datatype: str
    shape: list[int]


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives."""

    inputs: list[Tensor]
    outputs: list[Tensor]

    @property
    def batches(self) -> bool:
        """True when axis 0 of every tensor counts independent rows."""
        tensors = [*self.inputs, *self.outputs]
        return all(tensor.shape and tensor.shape[0] == -1 for tensor in tensors)


@dataclass(frozen=True)
class Latency:
    """How long one run of `batch` rows takes here."""

    batch: int
    runs: int
    p50_us: float
    p99_us: float


class Check:
    """A model that OpenVINO has read.

    The names and the settings are those with which the server's engine runs it: f32, one stream.

    Args:
        path: The model's file or SavedModel folder.

    Raises:
        CreateError: OpenVINO cannot read it, or the protocol has no word for one of its tensors.
    """

    def __init__(self, path: Path) -> None:
        self._core = ov.Core()
        try:
            self._model = self._core.read_model(str(path))
        except RuntimeError as error:
            raise CreateError(f"{path} cannot be read: {reason_of(error)}") from None
        self._path = path
        self.signature = Signature(
            [_input(port) for port in self._model.inputs],
            [_output(port) for port in self._model.outputs],
        )
        if not self.signature.inputs or not self.signature.outputs:
            raise CreateError(f"{path} has no {'outputs' if self.signature.inputs else 'inputs'}")

    def run_once(self) -> None:
        """Compiles the model and runs one row of made-up input.

        Raises:
            CreateError: It does not compile or does not run.
        """
        settings = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
            "INFERENCE_PRECISION_HINT": PRECISION,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = self._core.compile_model(self._model, "CPU", settings)
            self._request = compiled.create_infer_request()
            self._request.infer(self._made_up_inputs(1))
        except RuntimeError as error:
            raise CreateError(f"{self._path} does not run: {reason_of(error)}") from None

    def measure(self, begin: Callable[[int], None]) -> list[Latency]:
        """Measures each batch size; calls begin(batch) before each. After run_once()."""
        latencies: list[Latency] = []
        strings = any(tensor.datatype == "BYTES" for tensor in self.signature.inputs)
        for batch in BATCH_SIZES if self.signature.batches and not strings else (1,):
            begin(batch)
            latency = self._measure(batch)
            if latency is None:
                break
            latencies.append(latency)
            if latency.p50_us > SLOW_RUN_SECONDS * 1e6:
                break
        return latencies

    def _measure(self, batch: int) -> Latency | None:
        try:
            self._request.infer(self._made_up_inputs(batch))  # The first of a shape prepares it.
        except RuntimeError:
            # Its axis 0 is open, but the graph fixes it further in: it is served row by row.
            return None
        seconds: list[float] = []
        until = time.perf_counter() + MEASURE_SECONDS
        while len(seconds) < 3 or (len(seconds) < MEASURE_RUNS and time.perf_counter() < until):
            start = time.perf_counter()
            self._request.infer()
            seconds.append(time.perf_counter() - start)
        p50, p99 = np.percentile(seconds, [50, 99]) * 1e6
        return Latency(batch, len(seconds), round(float(p50), 1), round(float(p99), 1))

    def _made_up_inputs(self, batch: int) -> dict[int, ov.Tensor]:
        """Returns a tensor per input: noise for floats, for others zeros, which index any table."""
        rng = np.random.default_rng(0)
        tensors = {}
        for index, tensor in enumerate(self.signature.inputs):
            shape = [1 if extent == -1 else extent for extent in tensor.shape]
            if self.signature.batches:
                shape[0] = batch
            if tensor.datatype == "BF16":
                made = ov.Tensor(ov.Type.bf16, ov.Shape(shape))
                made.data[...] = 0
            elif tensor.datatype == "BYTES":
                made = ov.Tensor(np.full(shape, "", dtype=np.str_))
            elif tensor.datatype in ("FP16", "FP32", "FP64"):
                noise = rng.standard_normal(shape)
                made = ov.Tensor(noise.astype(NUMPY_TYPES[tensor.datatype]))
            else:
                made = ov.Tensor(np.zeros(shape, dtype=NUMPY_TYPES[tensor.datatype]))
            tensors[index] = made
        return tensors


def reason_of(error: Exception) -> str:
    """Returns what an OpenVINO message says, without the places in its sources, on one line."""
    reasons: list[str] = []
    for raw in str(error).splitlines():
        line = re.sub(r"^(Exception from \S+:|Check '.*' failed at \S+:)", "", raw).strip()
        if line and line not in reasons and not line.startswith("FrontEnd API failed"):
            reasons.append(line)
    text = "; ".join(reasons).split(" Available frontends:")[0].rstrip(".:; ")
    return text[:400] or "no reason given"


def _input(port: Any) -> Tensor:  # noqa: ANN401 - openvino's bindings have no type to name here
    return _tensor("input", port, _choose_name(port, [port.get_node().get_friendly_name()]))


def _output(port: Any) -> Tensor:  # noqa: ANN401
    result = port.get_node().get_friendly_name().rsplit("/sink_port_", 1)[0]
    source = port.get_node().input_value(0).get_node().get_friendly_name()
    preferred = [result, source] if port.get_names() else [source]
    return _tensor("output", port, _choose_name(port, preferred))


def _choose_name(port: Any, preferred: list[str]) -> str:  # noqa: ANN401
    """Chooses among a tensor's names as engines/openvino/signature.cc does in the server."""
    names = set(port.get_names())
    for name in preferred:
        if name in names or not names:
            return name
    return str(min(names))


def _tensor(direction: str, port: Any, name: str) -> Tensor:  # noqa: ANN401
    element = port.get_element_type().get_type_name()
    if element not in DATATYPES:
        raise CreateError(
            f'{direction} "{name}" has element type {element}, for which the protocol has none'
        )
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise CreateError(f'{direction} "{name}" has no fixed rank')
    extents = [-1 if dim.is_dynamic else dim.get_length() for dim in shape]
    return Tensor(name, DATATYPES[element], extents)


def main() -> None:
    """Checks the model that the command line names."""
    # What native code prints must not come between the lines of JSON.
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(**line: object) -> None:
        print(json.dumps(line), file=lines, flush=True)

    try:
        say(step="loading")
        check = Check(Path(sys.argv[1]))
        say(step="running once")
        check.run_once()
        latency: list[Latency] = []
        if "--measure" in sys.argv[2:]:
            latency = check.measure(lambda batch: say(step=f"measuring {batch} rows"))
        say(
            result={
                "openvino": str(ov.__version__).split("-")[0],
                "precision": PRECISION,
                "batches": check.signature.batches,
                "signature": asdict(check.signature),
                "latency": [asdict(run) for run in latency],
            }
        )
    except CreateError as error:
        say(error=str(error))
    # All is said. Not through destructors, in some of which OpenVINO frees strings twice.
    os._exit(0)


if __name__ == "__main__":
    main()
