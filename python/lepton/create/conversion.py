"""Conversion to OpenVINO's model: what all frameworks have in common."""

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
        model: A framework's object or a path, as convert_model() takes it.
        path: The user's file; used in messages.
        **arguments: Passed to convert_model().

    Raises:
        CreateError: OpenVINO cannot express it; the message names the unknown operators.
    """
    try:
        return ov.convert_model(model, **arguments)
    except Exception as error:  # Raised by OpenVINO and by the framework that it calls.
        raise CreateError(f"{path} cannot be converted: {reason_of(error)}") from None


def name_tensors(model: Any, inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:  # noqa: ANN401
    """Gives inputs and outputs, in their order, the names, shapes and types to serve."""
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
        # A tensor has one name in the file: an output that is also an input or another output gets
        # its own.
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
    """Returns an OpenVINO message on one line, without the places in its sources."""
    text = str(error)
    operators = re.search(r"No conversion rule found for operations: (.+)", text)
    if operators:
        version = str(ov.__version__).split("-")[0]
        return (
            f"OpenVINO {version} has no conversion for the operators {operators[1].strip()}; "
            "replace them in the model by others"
        )
    if "Unable to read the model" in text:
        return "its content is not what its name says, or it is damaged"
    failed = _UNCONVERTED.search(text)
    if failed:
        # The first that failed; those after it mostly follow from it.
        text = text[failed.start() :]
        text = text.split("\n\n")[0].partition("with a message:")[2] or text
    node, reasons = _node_in(text), []
    for raw in text.splitlines():
        line = _PLACES.sub("", raw).strip()
        if line and line not in reasons and not _CHATTER.match(line):
            reasons.append(line)
    said = "; ".join(reasons).rstrip(".:; ")
    if node and node not in said:
        said = f"{node}: {said}" if said else node
    if len(said) > _LONGEST:
        said = said[:_LONGEST].rsplit(" ", 1)[0].rstrip(".:;, ") + " ..."
    return said or "no reason given"


_LONGEST = 300
_UNCONVERTED = re.compile(r"^-- \S+ with a message:$", re.MULTILINE)
_PLACES = re.compile(
    r"Exception from \S+:\d+:?|Check '.*?' failed at \S+?:\d+:?"
    r"|(\[CPU\] )?\w+ node with name '[^']*'"
    r"|While validating (ONNX )?node '.*?'( with friendly_name '[^']*')?:?"
)
_CHATTER = re.compile(
    r"FrontEnd API failed|Model wasn't fully converted|Summary:|-- Conversion is failed|"
    r"Shape inference input shapes|Exception from|Check '"
)


def _node_in(text: str) -> str:
    """Returns the operation that a message is about: "MaxPool pool1"."""
    for pattern in (
        r"(\w+) node with name '([^']*)'",
        r"While validating ONNX node '<Node\((\w+)\): ([^>]*)>'",
        r"While validating node '(?:\w+::)?(\w+) .*?with friendly_name '([^']*)'",
    ):
        found = re.search(pattern, text)
        if found:
            return f"{found[1]} {found[2]}"
    return ""
