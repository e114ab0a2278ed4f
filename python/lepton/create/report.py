"""The report that a person reads: report.md beside a model's versions."""

from __future__ import annotations

from typing import Any

# What a JSON request holds as an example, by datatype; BF16 and FP16 have no JSON form.
_EXAMPLE_VALUE = {"BOOL": "false", "BYTES": '""', "FP32": "0.0", "FP64": "0.0"}
_LONGEST_EXAMPLE = 64


def render(name: str, version: str, facts: dict[str, Any]) -> str:
    """Returns the report of one version.

    Args:
        name: The model's.
        version: Which of its versions.
        facts: That version's entry of lepton.json.
    """
    source, signature = facts["source"], facts["signature"]
    lines = [
        f"# {name}, version {version}",
        "",
        f"Made by `lepton create` {facts['lepton']} on {facts['created']}; OpenVINO "
        f"{facts['openvino']} has read the model and run it.",
        "",
        "| | |",
        "|---|---|",
        f"| file | `{source['path']}` |",
        f"| format | {facts['format']} |",
        f"| size | {source['size_bytes'] / 1e6:.2f} MB |",
        f"| SHA-256 | `{source['sha256']}` |",
        f"| precision | {facts['precision']} |",
        "",
        "## Signature",
        "",
        "An extent of -1 is chosen by each request."
        + (" The first axis counts rows: requests share runs." if facts["batches"] else ""),
        "",
        "| | name | datatype | shape |",
        "|---|---|---|---|",
        *(_row("input", tensor) for tensor in signature["inputs"]),
        *(_row("output", tensor) for tensor in signature["outputs"]),
        "",
    ]
    if facts["latency"]:
        lines += [
            "## Latency in-process",
            "",
            f"Measured on {facts['machine']}, open extents at 1, made-up input; what the network "
            "adds is in each answer's breakdown.",
            "",
            "| rows | p50 | p99 | p50 per row | runs |",
            "|---|---|---|---|---|",
            *(
                f"| {run['batch']} | {_time(run['p50_us'])} | {_time(run['p99_us'])} "
                f"| {_time(run['p50_us'] / run['batch'])} | {run['runs']} |"
                for run in facts["latency"]
            ),
            "",
        ]
    lines += [
        "## Serve it",
        "",
        "```",
        f"lepton serve {facts['repository']} --port 8000",
        "```",
        "",
        "## Call it",
        "",
        *_python(name, signature["inputs"]),
        *_curl(name, signature["inputs"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _row(kind: str, tensor: dict[str, Any]) -> str:
    return f"| {kind} | `{tensor['name']}` | {tensor['datatype']} | {tensor['shape']} |"


def _time(us: float) -> str:
    return f"{us / 1000:.2f} ms" if us >= 1000 else f"{us:.1f} µs"


def _example_shape(tensor: dict[str, Any]) -> list[int]:
    return [1 if extent == -1 else extent for extent in tensor["shape"]]


def _python(name: str, inputs: list[dict[str, Any]]) -> list[str]:
    kinds = {"BOOL": "np.bool_", "BYTES": "object", "BF16": "np.float32", "FP16": "np.float16"}

    def zeros(tensor: dict[str, Any]) -> str:
        datatype = tensor["datatype"]
        kind = kinds.get(datatype) or "np." + datatype.lower().replace("fp", "float")
        if datatype == "BYTES":
            return f'np.full({tuple(_example_shape(tensor))}, b"", object)'
        return f"np.zeros({tuple(_example_shape(tensor))}, {kind})"

    if len(inputs) == 1:
        argument = zeros(inputs[0])
    else:
        argument = (
            "{" + ", ".join(f'"{tensor["name"]}": {zeros(tensor)}' for tensor in inputs) + "}"
        )
    return [
        "```python",
        "import numpy as np",
        "from lepton import LeptonAI",
        "",
        f'client = LeptonAI("http://127.0.0.1:8000", model="{name}")',
        f"print(client.inference({argument}))",
        "```",
        "",
    ]


def _curl(name: str, inputs: list[dict[str, Any]]) -> list[str]:
    """The same by curl, where the input is small enough to be read and has a JSON form."""
    tensors = []
    for tensor in inputs:
        shape = _example_shape(tensor)
        count = 1
        for extent in shape:
            count *= extent
        if count > _LONGEST_EXAMPLE or tensor["datatype"] in ("FP16", "BF16"):
            return []
        data = ",".join([_EXAMPLE_VALUE.get(tensor["datatype"], "0")] * count)
        tensors.append(
            f'{{"name":"{tensor["name"]}","datatype":"{tensor["datatype"]}",'
            f'"shape":{shape},"data":[{data}]}}'.replace(", ", ",")
        )
    body = '{"inputs":[' + ",".join(tensors) + "]}"
    return ["```", f"curl -s http://127.0.0.1:8000/v2/models/{name}/infer -d '{body}'", "```", ""]
