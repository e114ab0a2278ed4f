"""To OpenVINO's model: what all frameworks have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openvino as ov
from openvino import opset16

from lepton.create.errors import CreateError
from lepton.create.options import InputSpec

# OpenVINO's element types by the protocol's datatypes.
ELEMENT_TYPES = {
    "BOOL": ov.Type.boolean,
    "UINT8": ov.Type.u8,
    "UINT16": ov.Type.u16,
    "UINT32": ov.Type.u32,
    "UINT64": ov.Type.u64,
    "INT8": ov.Type.i8,
    "INT16": ov.Type.i16,
    "INT32": ov.Type.i32,
    "INT64": ov.Type.i64,
    "FP16": ov.Type.f16,
    "BF16": ov.Type.bf16,
    "FP32": ov.Type.f32,
    "FP64": ov.Type.f64,
    "BYTES": ov.Type.string,
}


def convert(model: Any, path: Path, **arguments: Any) -> Any:  # noqa: ANN401 - vendors' objects
    """Runs openvino.convert_model().

    Args:
        model: What it takes: a framework's object or a path.
        path: The user's file, for messages.
        **arguments: As of convert_model().

    Raises:
        CreateError: OpenVINO cannot express it; names the operators that it does not know.
    """
    try:
        return ov.convert_model(model, **arguments)
    except Exception as error:  # OpenVINO's, and those of the framework that it calls.
        raise CreateError(f"{path} cannot be converted: {reason_of(error)}") from None


def name_tensors(model: Any, inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:  # noqa: ANN401
    """Gives inputs and outputs, in their order, the names, shapes and types that are served."""
    shapes = {}
    for port, spec in zip(model.inputs, inputs, strict=True):
        port.get_node().set_friendly_name(spec.name)
        port.set_names({spec.name})
        shapes[port] = ov.PartialShape(list(spec.shape))
    if any(port.partial_shape != shape for port, shape in shapes.items()):
        model.reshape(shapes)
    taken = set()
    for port, name in zip(model.outputs, outputs, strict=True):
        result = port.get_node()
        source = result.input_value(0)
        # A tensor has one name in the file: what is also an input or another output gets its own.
        if source.get_node().get_type_name() == "Parameter" or source in taken:
            result.input(0).replace_source_output(opset16.identity(source).output(0))
        taken.add(source)
        result.set_friendly_name(name)
        port.set_names({name})
    model.validate_nodes_and_infer_types()


def output_names(count: int) -> list[str]:
    """Returns names for outputs that have none."""
    return ["output"] if count == 1 else [f"output_{index}" for index in range(count)]


def reason_of(error: Exception) -> str:
    """Returns what an OpenVINO message says, without the places in its sources, on one line."""
    operators = re.search(r"No conversion rule found for operations: (.+)", str(error))
    if operators:
        version = str(ov.__version__).split("-")[0]
        return (
            f"OpenVINO {version} has no conversion for the operators {operators[1].strip()}; "
            "replace them in the model by others"
        )
    reasons: list[str] = []
    for raw in str(error).splitlines():
        line = re.sub(r"^(Exception from \S+:|Check '.*' failed at \S+:)", "", raw).strip()
        if line and line not in reasons and not line.startswith("FrontEnd API failed"):
            reasons.append(line)
    text = "; ".join(reasons).split(" Available frontends:")[0].rstrip(".:; ")
    return text[:400] or "no reason given"
