"""What a model's graph tells about suitable inputs, and how exactly it computes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

Arithmetic = Literal["plain", "half", "quantized"]

# Operations that pass on the integers of their first input, in another shape or type.
_HANDS_ON = {
    "Convert", "ConvertLike", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Identity", "Concat",
    "StridedSlice", "Slice", "Split", "VariadicSplit", "Broadcast", "Tile", "Gather", "Clamp",
    "Pad", "Reverse", "Roll",
}  # fmt: skip
# Operations that look up rows of a table, with the input that has the indices; the table is input
# 0, or that of the unit vectors.
_LOOKS_UP = {
    "OneHot": 0,
    "Gather": 1,
    "EmbeddingBagOffsets": 1,
    "EmbeddingBagOffsetsSum": 1,
    "EmbeddingBagPacked": 1,
    "EmbeddingBagPackedSum": 1,
    "EmbeddingSegmentsSum": 1,
}
_FLOATS = {"f16", "bf16", "f32", "f64"}
_NARROW = {"i8", "u8", "i4", "u4", "u3", "u2", "u1", "nf4", "f8e4m3", "f8e5m2", "f4e2m1"}
# Tables of shapes and the like are small; weights are not.
_FEW_ELEMENTS = 16


def index_bounds(model: Any) -> dict[str, int]:  # noqa: ANN401 - openvino's bindings have no types
    """Returns how many rows the tables have that integer inputs index, by the inputs' names.

    With several tables the smallest counts. Inputs that reach no table, or one of open size, are
    left out; the names are all those of the input's tensor.
    """
    bounds: dict[str, int] = {}
    for port in model.inputs:
        if port.get_element_type().is_integral():
            sizes = list(_table_sizes(port))
            if sizes:
                names = {*port.get_names(), port.get_node().get_friendly_name()}
                bounds |= dict.fromkeys(names, max(1, min(sizes)))
    return bounds


def divisors(model: Any) -> set[str]:  # noqa: ANN401
    """Returns the names of integer inputs that are divisors: zeros end the process."""
    names: set[str] = set()
    for port in model.inputs:
        if port.get_element_type().is_integral() and _divides(port):
            names |= {*port.get_names(), port.get_node().get_friendly_name()}
    return names


def _divides(port: Any) -> bool:  # noqa: ANN401
    waiting, seen = [port], set()
    while waiting:
        for used in waiting.pop().get_target_inputs():
            node, index = used.get_node(), used.get_index()
            kind = node.get_type_name()
            if kind in ("Divide", "Mod", "FloorMod") and index == 1:
                return True
            if (key := node.get_friendly_name()) not in seen and kind in _HANDS_ON:
                seen.add(key)
                waiting += node.outputs()
    return False


def _table_sizes(port: Any) -> Iterator[int]:  # noqa: ANN401
    """Follows the integers of `port` to where they are used as indices."""
    # Each path carries what additions of constants have moved the integers by.
    waiting, seen = [(port, 0)], set()
    while waiting:
        output, moved = waiting.pop()
        for used in output.get_target_inputs():
            node, index = used.get_node(), used.get_index()
            kind = node.get_type_name()
            # Keyed by friendly name: wrappers of one node are made anew each time.
            if (key := (node.get_friendly_name(), index, moved)) in seen:
                continue
            seen.add(key)
            if _LOOKS_UP.get(kind) == index:
                size = _table_size(node)
                if size is not None:
                    yield size - moved
            elif kind in ("Add", "Subtract"):
                shift = _constant(node.input_value(1 - index))
                if shift is not None and not (kind == "Subtract" and index == 1):
                    moved_on = moved + (shift if kind == "Add" else -shift)
                    waiting.append((node.output(0), moved_on))
            elif (kind == "Select" and index > 0) or (kind in _HANDS_ON and (
                index == 0 or kind == "Concat"
            )):  # fmt: skip
                waiting += [(one, moved) for one in node.outputs()]


def _table_size(node: Any) -> int | None:  # noqa: ANN401
    if node.get_type_name() == "OneHot":
        return _constant(node.input_value(1))
    shape = node.input_value(0).get_partial_shape()
    axis = _constant(node.input_value(2)) if node.get_type_name() == "Gather" else 0
    if axis is None or shape.rank.is_dynamic or not -len(shape) <= axis < len(shape):
        return None
    extent = shape[axis]
    return int(extent.get_length()) if extent.is_static else None


def _constant(output: Any) -> int | None:  # noqa: ANN401
    """Returns a tensor's one integer, or the largest of several; None if it varies."""
    node = output.get_node()
    if node.get_type_name() in ("Convert", "Unsqueeze", "Squeeze", "Reshape", "Broadcast"):
        return _constant(node.input_value(0))
    if node.get_type_name() != "Constant":
        return None
    values = node.get_data()
    return int(values.max()) if values.size else None


def arithmetic(model: Any) -> Arithmetic:  # noqa: ANN401
    """Returns how a model computes: rounded to few steps, in 16-bit floats, or plainly."""
    half = False
    for node in model.get_ops():
        kind = node.get_type_name()
        if kind in ("FakeQuantize", "FakeConvert"):
            return "quantized"
        for output in node.outputs():
            element = output.get_element_type().get_type_name()
            if element in _NARROW and _is_quantization(node, kind):
                return "quantized"
            half = half or (element in ("f16", "bf16") and not _is_of_constant(node))
    return "half" if half else "plain"


def computes_in_fp64(model: Any) -> bool:  # noqa: ANN401
    """Whether any of it is computed in 64-bit floats."""
    return any(
        output.get_element_type().get_type_name() == "f64"
        for node in model.get_ops()
        if not _is_of_constant(node)
        for output in node.outputs()
    )


def _is_quantization(node: Any, kind: str) -> bool:  # noqa: ANN401
    """Whether it makes few bits of floats, or holds weights that are such."""
    if kind == "Convert":
        return node.input_value(0).get_element_type().get_type_name() in _FLOATS
    if kind == "Constant":
        return node.output(0).get_partial_shape().is_static and (
            _elements(node) > _FEW_ELEMENTS
            and any(
                used.get_node().get_type_name() == "Convert"
                and used.get_node().get_output_element_type(0).get_type_name() in _FLOATS
                for used in node.output(0).get_target_inputs()
            )
        )
    return False


def _elements(node: Any) -> int:  # noqa: ANN401
    count = 1
    for extent in node.output(0).get_shape():
        count *= int(extent)
    return count


def _is_of_constant(node: Any) -> bool:  # noqa: ANN401
    """Whether it is a constant, or a converted one: weights that are stored in fewer bits."""
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")
