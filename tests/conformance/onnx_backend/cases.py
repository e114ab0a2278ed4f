"""The back-end tests of the `onnx` package: models, inputs, and the outputs that they must have."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
# Models of kind "real" are in the package, with constant weights; none is downloaded.
PACKAGE = Path(onnx.__file__).parent.parent


@dataclass
class Case:
    """A model with one or more requests and their expected answers."""

    name: str
    kind: str
    model: bytes
    inputs: list[str]  # Names, in the order of a request's values; initializers are not among them.
    outputs: list[str]
    requests: list[tuple[list[object], list[object]]]
    rtol: float
    atol: float

    def wrong(self, expected: list[object], answered: list[object]) -> str:
        """Returns in one line what differs beyond the tolerances of onnx; empty if nothing does."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                Runner.assert_similar_outputs(expected, answered, self.rtol, self.atol)
        except (AssertionError, TypeError) as error:
            return " ".join(str(error).split()) or "differs"
        return ""


def load_cases() -> list[Case]:
    """Loads all of them; takes some seconds, since those of single operators are computed."""
    np.random.seed(0)
    cases = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in KINDS:
            for test in load_model_tests(kind=kind):
                cases.append(_case(test, kind))
    return sorted(cases, key=lambda case: case.name)


def _case(test: object, kind: str) -> Case:
    if kind == "node":
        model, requests = (
            test.model,
            [
                (list(map(_value, inputs)), list(map(_value, outputs)))
                for inputs, outputs in test.data_sets
            ],
        )
        content = model.SerializeToString()
    else:
        file = PACKAGE / test.url if kind == "real" else Path(test.model_dir) / "model.onnx"
        content = file.read_bytes()
        model = onnx.load_from_string(content)
        requests = (
            [_light_request(model, file)]
            if kind == "real"
            else [_stored(folder, model) for folder in sorted(file.parent.glob("test_data_set*"))]
        )
    constants = {initializer.name for initializer in model.graph.initializer}
    inputs = [entry.name for entry in model.graph.input]
    if kind == "real" or any(len(values) != len(inputs) for values, _ in requests):
        inputs = [name for name in inputs if name not in constants]
    outputs = [entry.name for entry in model.graph.output]
    return Case(test.name, kind, content, inputs, outputs, requests, test.rtol, test.atol)


def _value(value: object) -> object:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _stored(folder: Path, model: onnx.ModelProto) -> tuple[list[object], list[object]]:
    return tuple(
        [
            _read(folder / f"{what}_{i}.pb", entries[i].type)
            for i in range(len(list(folder.glob(f"{what}_*.pb"))))
        ]
        for what, entries in (("input", model.graph.input), ("output", model.graph.output))
    )


def _read(file: Path, declared: onnx.TypeProto) -> object:
    for field, proto, convert in (
        ("tensor_type", onnx.TensorProto, numpy_helper.to_array),
        ("sequence_type", onnx.SequenceProto, numpy_helper.to_list),
        ("optional_type", onnx.OptionalProto, numpy_helper.to_optional),
    ):
        if declared.HasField(field):
            message = proto()
            message.ParseFromString(file.read_bytes())
            return convert(message)
    raise ValueError(f"{file} holds neither a tensor, a sequence nor an optional")


def _light_request(model: onnx.ModelProto, file: Path) -> tuple[list[object], list[object]]:
    """The input is the one of onnx's own runner; the output is stored beside the model."""
    constants = {initializer.name for initializer in model.graph.initializer}
    inputs = [
        Runner.generate_dummy_data(entry)
        for entry in model.graph.input
        if entry.name not in constants
    ]
    stored = [file.with_name(f"{file.stem}_output_{i}.pb") for i in range(len(model.graph.output))]
    return inputs, [numpy_helper.to_array(onnx.load_tensor(output)) for output in stored]
