"""A model as the server's engine will run it: its signature, answers and latency."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from lepton.create.conversion import ELEMENT_TYPES, reason_of
from lepton.create.errors import CreateError
from lepton.create.facts import LatencyFacts, SignatureFacts, TensorFacts
from lepton.create.graph_facts import (
    Arithmetic,
    arithmetic,
    computes_in_fp64,
    divisors,
    index_bounds,
)
from lepton.create.options import InputSpec
from lepton.create.samples import Feed
from lepton.datatypes import Array

PRECISION = "f32"
# The protocol's datatypes by OpenVINO's element types; the protocol lacks the others.
DATATYPES = {kind.get_type_name(): name for name, kind in ELEMENT_TYPES.items()}
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
# A batch size is run until one of these limits is reached, but at least three times.
MEASURE_SECONDS = 0.25
MEASURE_RUNS = 300
# Larger batches are left out once one run takes longer than this.
SLOW_RUN_SECONDS = 1.0


class OpenVinoModel:
    """A model that OpenVINO has read.

    The names and the settings are those of the server's engine: f32, one stream.

    Args:
        path: The model's file or SavedModel folder.

    Raises:
        CreateError: OpenVINO cannot read it, or the protocol has no word for one of its tensors.
    """

    def __init__(self, path: Path) -> None:
        self._core = ov.Core()
        self._model = read_model(path, self._core)
        self.path = path
        self.inputs = [_input(port) for port in self._model.inputs]
        self.outputs = output_facts(self._model)
        self._output_names = [set(port.get_names()) for port in self._model.outputs]
        if not self.inputs or not self.outputs:
            raise CreateError(f"{path} has no {'outputs' if self.inputs else 'inputs'}")

    @property
    def signature(self) -> SignatureFacts:
        """The signature that the server's metadata will report."""
        return {"inputs": self.inputs, "outputs": self.outputs}

    @property
    def batches(self) -> bool:
        """True when axis 0 of every tensor counts independent rows."""
        tensors = [*self.inputs, *self.outputs]
        return all(tensor["shape"] and tensor["shape"][0] == -1 for tensor in tensors)

    def specs(self) -> list[InputSpec]:
        """Returns its inputs in the form that a user gives them."""
        return [
            InputSpec(tensor["name"], tensor["datatype"], tuple(tensor["shape"]))
            for tensor in self.inputs
        ]

    def index_bounds(self) -> dict[str, int]:
        """Returns how many rows the tables have that integer inputs index, if that is known."""
        bounds = index_bounds(self._model)
        return {t["name"]: bounds[t["name"]] for t in self.inputs if t["name"] in bounds}

    def divisors(self) -> set[str]:
        """Returns the integer inputs that are divisors."""
        return divisors(self._model) & {tensor["name"] for tensor in self.inputs}

    def arithmetic(self) -> Arithmetic:
        """Returns how it computes."""
        return arithmetic(self._model)

    def computes_in_fp64(self) -> bool:
        """Whether the graph asks for 64-bit floats anywhere."""
        return computes_in_fp64(self._model)

    def compile(self) -> None:
        """Compiles it, so that it can run.

        Raises:
            CreateError: It does not compile.
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
        except RuntimeError as error:
            raise CreateError(f"{self.path} does not run: {reason_of(error)}") from None
        self._known_shapes: set[tuple[tuple[int, ...], ...]] = set()

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns its answer, by output. Precondition: compile().

        Raises:
            RuntimeError: OpenVINO's, when the inputs do not suit it.
        """
        self._check_shapes(inputs)
        try:
            self._request.infer(self._tensors(inputs))
        except RuntimeError:
            self.compile()  # A model that failed half-way gives wrong answers afterwards.
            raise
        names = [tensor["name"] for tensor in self.outputs]
        return {name: self._answer(index) for index, name in enumerate(names)}

    def _check_shapes(self, inputs: Mapping[str, Array]) -> None:
        """Makes the graph refuse shapes before they are run.

        A failed run may leave wrong numbers behind, and with one thread OpenVINO does not even
        report it.
        """
        shapes = tuple(inputs[tensor["name"]].shape for tensor in self.inputs)
        if shapes not in self._known_shapes and any(-1 in t["shape"] for t in self.inputs):
            clone = self._model.clone()
            clone.reshape({i: ov.PartialShape([*shape]) for i, shape in enumerate(shapes)})
        self._known_shapes.add(shapes)

    def own_names(self, answer: Mapping[str, Array]) -> dict[str, Array]:
        """Returns another model's answer under the names of this model's outputs.

        Raises:
            CreateError: The outputs cannot be matched.
        """
        found: dict[str, Array] = {}
        for tensor, names in zip(self.outputs, self._output_names, strict=True):
            plain = {tensor["name"], *names, *(name.partition(":")[0] for name in names)}
            same = next((name for name in answer if name in plain), None)
            if same is not None:
                found[tensor["name"]] = answer[same]
        if len(found) == len(self.outputs) == len({id(array) for array in found.values()}):
            return found
        if len(answer) == len(self.outputs):
            served = [tensor["name"] for tensor in self.outputs]
            return dict(zip(served, answer.values(), strict=True))
        raise CreateError(
            f"{self.path} has the outputs {', '.join(t['name'] for t in self.outputs)}, its "
            f"original {', '.join(answer)}"
        )

    def measure(self, feed: Feed, begin: Callable[[int], None]) -> list[LatencyFacts]:
        """Measures each batch size; calls begin(batch) before each. Precondition: compile()."""
        latencies: list[LatencyFacts] = []
        for batch in BATCH_SIZES if self.batches and feed.batched else (1,):
            begin(batch)
            latency = self._measure(feed.rows(batch), batch)
            if latency is None:
                break
            latencies.append(latency)
            if latency["p50_us"] > SLOW_RUN_SECONDS * 1e6:
                break
        return latencies

    def _measure(self, inputs: Mapping[str, Array], batch: int) -> LatencyFacts | None:
        try:
            self.run(inputs)  # The first run of a shape prepares it.
        except RuntimeError:
            # Its axis 0 is open, but the graph fixes it further inside: it is served row by row.
            return None
        seconds: list[float] = []
        until = time.perf_counter() + MEASURE_SECONDS
        while len(seconds) < 3 or (len(seconds) < MEASURE_RUNS and time.perf_counter() < until):
            start = time.perf_counter()
            self._request.infer()
            seconds.append(time.perf_counter() - start)
        p50, p99 = np.percentile(seconds, [50, 99]) * 1e6
        return {
            "batch": batch,
            "runs": len(seconds),
            "p50_us": round(float(p50), 1),
            "p99_us": round(float(p99), 1),
        }

    def _tensors(self, inputs: Mapping[str, Array]) -> dict[int, ov.Tensor]:
        tensors = {}
        for index, tensor in enumerate(self.inputs):
            array = inputs[tensor["name"]]
            if tensor["datatype"] == "BF16":
                made = ov.Tensor(ov.Type.bf16, ov.Shape(array.shape))
                # The upper halves of float32, which hold the samples' values exactly.
                made.data.view(np.uint16)[...] = (array.view(np.uint32) >> 16).astype(np.uint16)
            elif tensor["datatype"] == "BYTES":
                text = [
                    item.decode() if isinstance(item, bytes) else str(item) for item in array.flat
                ]
                made = ov.Tensor(np.array(text, dtype=np.str_).reshape(array.shape))
            else:
                # Not ascontiguousarray(), which gives a scalar an axis.
                made = ov.Tensor(np.asarray(array, order="C"))
            tensors[index] = made
        return tensors

    def _answer(self, index: int) -> Array:
        tensor = self._request.get_output_tensor(index)
        datatype = self.outputs[index]["datatype"]
        if datatype == "BYTES":
            return np.array(tensor.bytes_data, dtype=np.object_)
        if datatype == "BF16":
            bits = tensor.data.view(np.uint16).astype(np.uint32) << 16
            return np.asarray(bits.view(np.float32)).reshape(tuple(tensor.shape))
        return np.array(tensor.data)


def read_model(path: Path, core: Any = None) -> Any:  # noqa: ANN401 - openvino's bindings have no types
    """Returns OpenVINO's model of a file.

    Raises:
        CreateError: OpenVINO cannot read it.
    """
    core = ov.Core() if core is None else core
    try:
        try:
            return core.read_model(str(path))
        except RuntimeError as error:
            if "unsupported opset: extension" not in str(error):
                raise
        # The server does the same in engines/openvino/tokenizers.cc.
        import openvino_tokenizers

        core.add_extension(str(openvino_tokenizers._ext_path))
        return core.read_model(str(path))
    except RuntimeError as error:
        raise CreateError(f"{path} cannot be read: {reason_of(error)}") from None


def input_name(port: Any) -> str:  # noqa: ANN401
    """Returns the server's name for an input."""
    return _choose_name(port, [port.get_node().get_friendly_name()])


def output_facts(model: Any, *, ranked: bool = True) -> list[TensorFacts]:  # noqa: ANN401
    """Returns the server's facts on each output; with `ranked` false, also for open shapes.

    Raises:
        CreateError: The protocol cannot express it.
    """
    tensors: list[TensorFacts] = []
    for port in model.outputs:
        result = port.get_node().get_friendly_name().rsplit("/sink_port_", 1)[0]
        source = port.get_node().input_value(0).get_node().get_friendly_name()
        name = _choose_name(port, [result, source] if port.get_names() else [source])
        if any(name == other["name"] for other in tensors):
            name = result  # Two outputs share one tensor, which has the names of both.
        if not ranked and port.get_partial_shape().rank.is_dynamic:
            tensors.append({"name": name, "datatype": "", "shape": []})
        else:
            tensors.append(_tensor("output", port, name))
    return tensors


def _input(port: Any) -> TensorFacts:  # noqa: ANN401
    return _tensor("input", port, input_name(port))


def _choose_name(port: Any, preferred: list[str]) -> str:  # noqa: ANN401
    """Chooses among a tensor's names as the server does in engines/openvino/signature.cc."""
    names = set(port.get_names())
    for name in preferred:
        if name in names or not names:
            return name
    return str(min(names))


def _tensor(direction: str, port: Any, name: str) -> TensorFacts:  # noqa: ANN401
    element = port.get_element_type().get_type_name()
    if element not in DATATYPES:
        raise CreateError(
            f'{direction} "{name}" has element type {element}, which the protocol does not have'
        )
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise CreateError(f'{direction} "{name}" has no fixed rank')
    extents = [-1 if dim.is_dynamic else dim.get_length() for dim in shape]
    return {"name": name, "datatype": DATATYPES[element], "shape": extents}
