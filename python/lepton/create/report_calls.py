"""How to call a service: the lines that a report shows, ready to be pasted."""

from __future__ import annotations

import json
import math

from lepton.create.facts import TensorFacts

URL = "http://127.0.0.1:8000"
TEXT = "How fast is it?"
# Tensors of more elements are too long to be read as JSON.
_LONGEST_EXAMPLE = 64
# What a JSON request holds as an example, by datatype; BF16 and FP16 have no JSON form.
_JSON_VALUES = {"BOOL": "false", "BYTES": json.dumps(TEXT), "FP32": "0.0", "FP64": "0.0"}
_CPP_TYPES = {"FP32": "float", "FP64": "double", "BOOL": "std::uint8_t", "FP16": "std::uint16_t"}
_NUMPY_TYPES = {"BOOL": "bool_", "FP16": "float16", "FP32": "float32", "FP64": "float64"}


def example_shape(tensor: TensorFacts) -> list[int]:
    """Returns the shape with each open extent at 1."""
    return [1 if extent == -1 else extent for extent in tensor["shape"]]


def curl_line(model: str, inputs: list[TensorFacts]) -> str | None:
    """Returns a command for a shell; None for inputs without a JSON form, or with a long one."""
    tensors = []
    for tensor in inputs:
        shape = example_shape(tensor)
        datatype = tensor["datatype"]
        if math.prod(shape) > _LONGEST_EXAMPLE or datatype in ("FP16", "BF16"):
            return None
        data = ",".join([_JSON_VALUES.get(datatype, "0")] * math.prod(shape))
        extents = ",".join(str(extent) for extent in shape)
        tensors.append(
            f'{{"name":{json.dumps(tensor["name"])},"datatype":"{datatype}",'
            f'"shape":[{extents}],"data":[{data}]}}'
        )
    body = '{"inputs":[' + ",".join(tensors) + "]}"
    return f"curl -s {URL}/v2/models/{model}/infer -d " + "'" + body.replace("'", "'\\''") + "'"


def python_lines(model: str, inputs: list[TensorFacts]) -> list[str]:
    """Returns a program for Python."""
    values = [_python_value(tensor) for tensor in inputs]
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


def cpp_lines(model: str, inputs: list[TensorFacts]) -> list[str]:
    """Returns a program for C++20, to be linked with lepton::client."""
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
        lines += _cpp_input(tensor, f"values{index}" if len(inputs) > 1 else "values")
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


def _python_value(tensor: TensorFacts) -> str:
    shape = example_shape(tensor)
    if tensor["datatype"] == "BYTES":
        if shape == [1]:
            return f'["{TEXT}"]'
        return f'np.full({tuple(shape)}, b"", object)'
    kind = _NUMPY_TYPES.get(tensor["datatype"], tensor["datatype"].lower())
    # Values of BF16 travel as the FP32 values that they are.
    return f"np.zeros({tuple(shape)}, np.{'float32' if kind == 'bf16' else kind})"


def _cpp_input(tensor: TensorFacts, variable: str) -> list[str]:
    shape = example_shape(tensor)
    extents = "{" + ", ".join(str(extent) for extent in shape) + "}"
    name, datatype = json.dumps(tensor["name"]), tensor["datatype"]
    if datatype == "BYTES":
        loop = "" if math.prod(shape) == 1 else f"for (int i = 0; i < {math.prod(shape)}; ++i) "
        return [
            f"    lepton::BytesTensor {variable};",
            f"    {loop}{variable}.add({json.dumps(TEXT)});",
            f"    request.inputs.push_back({variable}.input({name}, {extents}));",
        ]
    element = _CPP_TYPES.get(datatype)
    if datatype == "BF16":
        element = "std::uint16_t"
    declared = element or f"std::{datatype.lower()}_t"
    lines = [f"    const std::vector<{declared}> {variable}({math.prod(shape)});"]
    if datatype in ("BOOL", "FP16", "BF16"):
        kind = {"BOOL": "kBool", "FP16": "kFp16", "BF16": "kBf16"}[datatype]
        lines.append(f"    const auto bytes_{variable} = std::as_bytes(std::span({variable}));")
        given = f"{{{name}, lepton::DataType::{kind}, {extents}, bytes_{variable}}}"
    else:
        given = f"lepton::make_input({name}, {variable}, {extents})"
    return [*lines, f"    request.inputs.push_back({given});"]
