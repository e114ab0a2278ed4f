"""How to call a service: code for the report, ready to be pasted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lepton.create.facts import Facts, TensorFacts

URL = "http://127.0.0.1:8000"
TEXT = "How fast is it?"
# Tensors with more elements are too long to be read as JSON.
_LONGEST_EXAMPLE = 64
# Example values in a JSON request, by datatype; BF16 and FP16 have no JSON form.
_JSON_VALUES = {"BOOL": "false", "BYTES": json.dumps(TEXT), "FP32": "0.0", "FP64": "0.0"}
_CPP_TYPES = {"FP32": "float", "FP64": "double", "BOOL": "std::uint8_t", "FP16": "std::uint16_t"}
_NUMPY_TYPES = {"BOOL": "bool_", "FP16": "float16", "FP32": "float32", "FP64": "float64"}
_NONE: Mapping[str, Given] = MappingProxyType({})


@dataclass(frozen=True)
class Given:
    """An example's value for one input: a shape that runs, and the value of all its elements."""

    shape: list[int]
    value: int = 0


def given(facts: Facts) -> dict[str, Given]:
    """Returns the examples' values, by input: those that the model was measured with."""
    values = facts.get("measured_values", {})
    return {
        name: Given(shape, values.get(name, 0))
        for name, shape in facts.get("measured_shapes", {}).items()
    }


def _given(tensor: TensorFacts, inputs: Mapping[str, Given]) -> Given:
    # Files of older releases lack it; each open extent is then 1.
    shape = [1 if extent == -1 else extent for extent in tensor["shape"]]
    return inputs.get(tensor["name"], Given(shape))


def curl_line(
    model: str, inputs: list[TensorFacts], examples: Mapping[str, Given] = _NONE
) -> str | None:
    """Returns a shell command; None for inputs whose JSON form is missing or too long."""
    tensors = []
    for tensor in inputs:
        example, datatype = _given(tensor, examples), tensor["datatype"]
        size = math.prod(example.shape)
        if size > _LONGEST_EXAMPLE or datatype in ("FP16", "BF16"):
            return None
        value = "true" if datatype == "BOOL" and example.value else str(example.value)
        data = ",".join([value if example.value else _JSON_VALUES.get(datatype, "0")] * size)
        extents = ",".join(str(extent) for extent in example.shape)
        tensors.append(
            f'{{"name":{json.dumps(tensor["name"])},"datatype":"{datatype}",'
            f'"shape":[{extents}],"data":[{data}]}}'
        )
    body = '{"inputs":[' + ",".join(tensors) + "]}"
    return f"curl -s {URL}/v2/models/{model}/infer -d " + "'" + body.replace("'", "'\\''") + "'"


def python_lines(
    model: str, inputs: list[TensorFacts], examples: Mapping[str, Given] = _NONE
) -> list[str]:
    """Returns a Python program."""
    values = [_python_value(tensor, _given(tensor, examples)) for tensor in inputs]
    call = [f"print(client.inference({values[0]}))"]
    if len(inputs) > 1:
        named = zip(inputs, values, strict=True)
        lines = [f"    {json.dumps(tensor['name'])}: {value}," for tensor, value in named]
        call = ["inputs = {", *lines, "}", "print(client.inference(inputs))"]
    return [
        *(["import numpy as np", ""] if any("np." in value for value in values) else []),
        "from lepton import LeptonAI",
        "",
        f'client = LeptonAI("{URL}", model="{model}")',
        *call,
    ]


def cpp_lines(
    model: str, inputs: list[TensorFacts], examples: Mapping[str, Given] = _NONE
) -> list[str]:
    """Returns a C++20 program, to be linked with lepton::client."""
    lines = [
        "#include <cstdint>",
        "#include <iostream>",
        "#include <span>",
        "#include <vector>",
        "",
        '#include "lepton/client.h"',
        "",
        "int main() {",
        f'    auto client = lepton::Client::open("{URL}");',
        "    if (!client) return 1;",
        "    lepton::InferRequest request;",
        f'    request.model = "{model}";',
    ]
    for index, tensor in enumerate(inputs):
        variable = f"values{index}" if len(inputs) > 1 else "values"
        lines += _cpp_input(tensor, _given(tensor, examples), variable)
    return [
        *lines,
        "    const auto answer = client->infer(request);",
        "    if (!answer) {",
        "        std::cerr << answer.error().message << '\\n';",
        "        return 1;",
        "    }",
        "    for (const lepton::Output& output : answer->outputs()) {",
        "        std::cout << output.name << ' ' << output.data.size() << \" bytes\\n\";",
        "    }",
        "}",
    ]


def _python_value(tensor: TensorFacts, example: Given) -> str:
    if tensor["datatype"] == "BYTES":
        if example.shape == [1]:
            return f'["{TEXT}"]'
        return f'np.full({tuple(example.shape)}, b"", object)'
    kind = _NUMPY_TYPES.get(tensor["datatype"], tensor["datatype"].lower())
    # BF16 is passed as the FP32 values that it stands for.
    kind = "float32" if kind == "bf16" else kind
    if example.value in (0, 1):
        return f"np.{('zeros', 'ones')[example.value]}({tuple(example.shape)}, np.{kind})"
    return f"np.full({tuple(example.shape)}, {example.value}, np.{kind})"


def _cpp_input(tensor: TensorFacts, example: Given, variable: str) -> list[str]:
    size = math.prod(example.shape)
    extents = "{" + ", ".join(str(extent) for extent in example.shape) + "}"
    name, datatype = json.dumps(tensor["name"]), tensor["datatype"]
    if datatype == "BYTES":
        loop = "" if size == 1 else f"for (int i = 0; i < {size}; ++i) "
        return [
            f"    lepton::BytesTensor {variable};",
            f"    {loop}{variable}.add({json.dumps(TEXT)});",
            f"    request.inputs.push_back({variable}.input({name}, {extents}));",
        ]
    element = _CPP_TYPES.get(datatype)
    if datatype == "BF16":
        element = "std::uint16_t"
    declared = element or f"std::{datatype.lower()}_t"
    value = f", {example.value}" if example.value else ""
    lines = [f"    const std::vector<{declared}> {variable}({size}{value});"]
    if datatype in ("BOOL", "FP16", "BF16"):
        kind = {"BOOL": "kBool", "FP16": "kFp16", "BF16": "kBf16"}[datatype]
        lines.append(f"    const auto bytes_{variable} = std::as_bytes(std::span({variable}));")
        given = f"{{{name}, lepton::DataType::{kind}, {extents}, bytes_{variable}}}"
    else:
        given = f"lepton::make_input({name}, {variable}, {extents})"
    return [*lines, f"    request.inputs.push_back({given});"]
