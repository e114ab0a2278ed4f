"""TensorFlow models: served as they are, compared with TensorFlow if it is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lepton.create.errors import CreateError, one_line
from lepton.create.framework import Format, Job, NoReferenceError, Original, need, refuse_code
from lepton.create.tensorflow_graph import operations_beyond
from lepton.datatypes import Array

SAVED_MODEL = Format(
    "TensorFlow SavedModel", "TensorFlow", "tensorflow", ("",), ".savedmodel", converted=False
)
FROZEN = Format(
    "TensorFlow frozen graph", "TensorFlow", "tensorflow", (".pb",), ".pb", converted=False
)
LITE = Format(
    "TensorFlow Lite", "TensorFlow", "tensorflow", (".tflite",), ".tflite", converted=False
)
FORMATS = (SAVED_MODEL, FROZEN, LITE)

Runner = Callable[[Mapping[str, Array]], dict[str, Array]]


def detect(path: Path) -> Format | None:
    """Returns what a folder holds, or the format of a file."""
    if path.is_dir():
        return SAVED_MODEL if (path / "saved_model.pb").is_file() else None
    with path.open("rb") as file:
        if file.read(8)[4:] == b"TFL3":  # The file identifier of its flatbuffers schema.
            return LITE
    return FROZEN if path.suffix.lower() in FROZEN.suffixes else None


def load(job: Job) -> Original:
    """Loads it in TensorFlow.

    Raises:
        CreateError: It does more than compute.
        NoReferenceError: TensorFlow is not installed, or does not load the file.
    """
    refuse_code(
        job,
        lambda: operations_beyond(job.path),
        "has operations that may do more than compute: {}",
    )
    try:
        tensorflow = import_tensorflow("compare with TensorFlow")
    except CreateError as error:
        raise NoReferenceError(str(error)) from None
    kinds = {SAVED_MODEL.name: _saved_model, FROZEN.name: _frozen_graph, LITE.name: _lite}
    try:
        run = kinds[job.format](job.path, tensorflow)
    except NoReferenceError:
        raise
    except Exception as error:
        raise NoReferenceError(f"TensorFlow does not load it: {one_line(error)}") from None
    return _TensorFlow(run)


def import_tensorflow(why: str) -> ModuleType:
    """Imports TensorFlow for the CPU, without its messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # The reference is computed on the CPU.
    return need("tensorflow", "tensorflow", why)


def tensorflow_version() -> str:
    """Returns TensorFlow's version, whichever of its packages is installed."""
    import tensorflow

    return str(tensorflow.__version__)


class _TensorFlow(Original):
    def __init__(self, run: Runner) -> None:
        version = tensorflow_version()
        super().__init__(f"tensorflow {version}", {"tensorflow": version}, [])
        self._run = run

    def convert(self, sample: Mapping[str, Array]) -> Any:  # noqa: ANN401
        """Not needed: the file itself is served."""
        raise NotImplementedError

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns TensorFlow's answer."""
        return self._run(inputs)


def _saved_model(path: Path, tensorflow: Any) -> Runner:  # noqa: ANN401
    loaded = tensorflow.saved_model.load(str(path))
    signatures = loaded.signatures
    if not signatures:
        raise NoReferenceError("the SavedModel has no signatures")
    default = "serving_default"
    function = signatures[default if default in signatures else next(iter(signatures))]
    takes = function.structured_input_signature[1]

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        assert loaded is not None  # Its variables live only as long as it does.
        given = {
            name: tensorflow.constant(array, takes[name].dtype)
            for name, array in by_name(inputs, list(takes)).items()
        }
        return {name: tensor.numpy() for name, tensor in function(**given).items()}

    return call


def _frozen_graph(path: Path, tensorflow: Any) -> Runner:  # noqa: ANN401
    graph_def = tensorflow.compat.v1.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    inputs = [node.name for node in graph_def.node if node.op == "Placeholder"]
    used = {name.lstrip("^").partition(":")[0] for node in graph_def.node for name in node.input}
    outputs = [
        node.name
        for node in graph_def.node
        if node.name not in used and node.op not in ("NoOp", "Const", "Placeholder", "Assert")
    ]

    def importer() -> None:
        tensorflow.compat.v1.import_graph_def(graph_def, name="")

    wrapped = tensorflow.compat.v1.wrap_function(importer, [])
    graph = wrapped.graph
    function = wrapped.prune(
        [graph.get_tensor_by_name(f"{name}:0") for name in inputs],
        [graph.get_tensor_by_name(f"{name}:0") for name in outputs],
    )
    types = [graph.get_tensor_by_name(f"{name}:0").dtype for name in inputs]

    def call(given: Mapping[str, Array]) -> dict[str, Array]:
        ordered = by_name(given, inputs)
        tensors = [
            tensorflow.constant(ordered[name], dtype)
            for name, dtype in zip(inputs, types, strict=True)
        ]
        return dict(zip(outputs, (one.numpy() for one in function(*tensors)), strict=True))

    return call


def _lite(path: Path, tensorflow: Any) -> Runner:  # noqa: ANN401
    interpreter = tensorflow.lite.Interpreter(str(path))
    takes = {one["name"]: one for one in interpreter.get_input_details()}

    def call(given: Mapping[str, Array]) -> dict[str, Array]:
        ordered = by_name(given, list(takes))
        for name, array in ordered.items():
            interpreter.resize_tensor_input(takes[name]["index"], array.shape)
        interpreter.allocate_tensors()
        for name, array in ordered.items():
            interpreter.set_tensor(takes[name]["index"], array)
        interpreter.invoke()
        return {
            one["name"]: np.array(interpreter.get_tensor(one["index"]))
            for one in interpreter.get_output_details()
        }

    return call


def by_name(given: Mapping[str, Array], names: list[str]) -> dict[str, Array]:
    """Returns the arrays under TensorFlow's own names, which OpenVINO may have decorated.

    Raises:
        CreateError: The outputs cannot be told apart.
    """
    plain = {_plain(name): array for name, array in given.items()}
    if {_plain(name) for name in names} == set(plain):
        return {name: plain[_plain(name)] for name in names}
    if len(given) == len(names) == 1:
        return {names[0]: next(iter(given.values()))}
    raise CreateError(f"TensorFlow takes {', '.join(names)}, OpenVINO {', '.join(given)}")


def _plain(name: str) -> str:
    return name.partition(":")[0].removeprefix("serving_default_")
