"""ONNX models: served as they are, compared with ONNX Runtime if it is installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lepton.create.errors import CreateError, one_line
from lepton.create.framework import Format, Job, NoReferenceError, Original, need, version_of
from lepton.create.onnx_file import graph_inputs
from lepton.create.options import InputSpec
from lepton.datatypes import Array

ONNX = Format("ONNX", "ONNX", "onnx", (".onnx",), ".onnx", converted=False)
FORMATS = (ONNX,)


def detect(path: Path) -> Format | None:
    """Recognizes ONNX by the file's name: a protobuf does not say what it is."""
    return ONNX if path.is_file() and path.suffix.lower() in ONNX.suffixes else None


def file_inputs(path: Path) -> list[InputSpec] | None:
    """Returns the inputs as the file has them: OpenVINO loses the names of open extents."""
    return graph_inputs(path)


def load(job: Job) -> Original:
    """Loads it in ONNX Runtime.

    Raises:
        NoReferenceError: It is not installed, or does not know an operator.
    """
    try:
        runtime = need("onnxruntime", "onnx", "compare with ONNX Runtime")
    except CreateError as error:
        raise NoReferenceError(str(error)) from None
    return _Onnx(job, runtime)


class _Onnx(Original):
    def __init__(self, job: Job, runtime: Any) -> None:  # noqa: ANN401
        version = version_of("onnxruntime")
        super().__init__(f"onnxruntime {version}", {"onnxruntime": version}, [])
        self._path, self._runtime = job.path, runtime
        self._plain: Any = None  # A session without optimizations, opened when it is needed.
        try:
            self._session = self._open(runtime.GraphOptimizationLevel.ORT_ENABLE_ALL)
        except Exception as error:
            raise NoReferenceError(f"ONNX Runtime does not load it: {one_line(error)}") from None
        if any("bfloat16" in one.type for one in self._session.get_inputs()):
            raise NoReferenceError("ONNX Runtime takes no bfloat16 from Python")

    def convert(self, sample: Mapping[str, Array]) -> Any:  # noqa: ANN401
        """Not needed: the file itself is served."""
        raise NotImplementedError

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns ONNX Runtime's answer."""
        return self._answer(self._session, inputs)

    def run_otherwise(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the answer without ONNX Runtime's rewriting of the graph."""
        if self._plain is None:
            self._plain = self._open(self._runtime.GraphOptimizationLevel.ORT_DISABLE_ALL)
        return self._answer(self._plain, inputs)

    def _open(self, level: Any) -> Any:  # noqa: ANN401
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        options.log_severity_level = 4
        options.graph_optimization_level = level
        return self._runtime.InferenceSession(
            str(self._path), options, providers=["CPUExecutionProvider"]
        )

    def _answer(self, session: Any, inputs: Mapping[str, Array]) -> dict[str, Array]:  # noqa: ANN401
        names = [output.name for output in session.get_outputs()]
        feed = {name: _text(array) for name, array in inputs.items()}
        return dict(zip(names, session.run(names, feed), strict=True))


def _text(array: Array) -> Array:
    """Returns an array of bytes as one of str, which ONNX Runtime takes."""
    if array.dtype.kind != "O":
        return array
    text = np.empty(array.shape, dtype=np.object_)
    text.reshape(-1)[:] = [
        item.decode() if isinstance(item, bytes) else item for item in array.reshape(-1)
    ]
    return text
