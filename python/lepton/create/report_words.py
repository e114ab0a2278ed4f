"""The wording that both forms of the report share."""

from __future__ import annotations

from lepton.create.facts import CheckFacts, Facts, OutputCheck, TensorFacts


def origin(facts: Facts) -> list[tuple[str, str]]:
    """Returns what is known about the file and how it was read, as names and values."""
    source = facts["source"]
    rows = [
        ("file", source["path"]),
        ("format", facts["format"]),
        ("framework", facts.get("framework", "")),
        ("size", f"{source['size_bytes'] / 1e6:.2f} MB"),
        ("SHA-256", source["sha256"]),
        ("precision", facts["precision"]),
        ("made", f"{facts['created']} by lepton {facts['lepton']}"),
        ("made with", versions(facts)),
        ("measured on", facts["machine"]),
    ]
    return [(name, value) for name, value in rows if value]


def versions(facts: Facts) -> str:
    """Returns the packages involved, with their versions."""
    packages = {"openvino": facts["openvino"], **facts.get("versions", {})}
    return ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))


def extents(tensor: TensorFacts, batches: bool) -> str:
    """Returns a shape for people; the open first axis of a batching model counts rows."""
    words = [
        ("rows" if axis == 0 and batches else "any") if extent == -1 else str(extent)
        for axis, extent in enumerate(tensor["shape"])
    ]
    return "[" + ", ".join(words) + "]"


def counts_rows(facts: Facts) -> bool:
    """Whether the first axis counts rows: as the server says, or else as the shapes suggest."""
    batching = facts.get("batching")
    return batching.startswith("yes") if batching else facts["batches"]


def sharing(facts: Facts) -> str:
    """Returns whether requests share runs, as the server says; "" if it was not asked."""
    batching = facts.get("batching", "")
    answer, _, why = batching.partition(", ")
    if answer == "yes":
        return "Requests share runs: the first axis counts rows."
    if answer == "no":
        return f"Each request runs alone: {why.rstrip('.')}." if why else "Each request runs alone."
    return ""


def measured_with(facts: Facts) -> str:
    """Returns the basis of the latency figures: the machine, and the inputs of one row."""
    check, shapes = facts.get("check"), facts.get("measured_shapes", {})
    kind = f"rows of {check['example']}" if check and check["example"] else "made-up input"
    listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    what = "one row is" if len(facts["latency"]) > 1 else "it is"
    shaped = f"; {what} {listed}" if listed else ""
    return f"Measured on {facts['machine']} with {kind}{shaped}"


def verdict(check: CheckFacts | None) -> str:
    """Returns the outcome of the comparison with the original, in one word or two."""
    if check is None or check["against"] is None:
        return "not compared"
    return "agrees" if check["passed"] else "differs"


def comparison(check: CheckFacts | None) -> str:
    """Returns how the served model was compared with the original, as a sentence."""
    if check is None:
        return "The model was not compared with its original framework."
    if check["against"] is None:
        reason = (check["skipped"] or "nothing to compare with").rstrip(".")
        return f"Not compared with the original: {reason}."
    if check["example"]:
        inputs = f"the inputs of {check['example']}"
    else:
        inputs = "samples" if check["inputs"] == "example" else "made-up inputs"
    batches = ", ".join(str(batch) for batch in check["batches"])
    rows = f" of {batches} rows" if batches else ""
    kinds = {
        "quantized": " The model is quantized: beyond that, outputs are to be alike (cosine 0.98), "
        "and to have the same top class where it is clear.",
        "half": " The model computes in 16-bit floats.",
    }
    return (
        f"Compared with {check['against']} on {inputs}, {check['runs']} runs{rows}. A difference "
        f"of {share(check['tolerance'])} of an output's largest value is allowed, and what the "
        f"original differs by from itself.{kinds.get(check.get('arithmetic', ''), '')}"
    )


def table(check: CheckFacts) -> list[list[str]]:
    """Returns the comparison's figures: a head and a row per output, without empty columns."""
    head = [
        "output",
        "largest difference",
        "of the largest value",
        "same top class",
        "cosine",
        "own scatter",
        "equal",
        "tolerance",
    ]
    rows = [[output["name"], *_figures(output)] for output in check["outputs"]]
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    return [[row[index] for index in kept] for row in [head, *rows]]


def _figures(output: OutputCheck) -> list[str]:
    exact = output["equal"] is not None
    shapes = output.get("shapes")
    if shapes:
        return [f"shape {shapes[0]} for {shapes[1]}", "", "", "", "", "", "beyond"]
    cosine, scatter = output.get("cosine"), output.get("scatter")
    return [
        "" if exact and output["max_abs"] is None else number(output["max_abs"]),
        "" if exact and output["max_rel"] is None else number(output["max_rel"]),
        "" if output["top1"] is None else share(output["top1"]),
        "" if cosine is None else f"{cosine:.6f}",
        "" if scatter is None else number(scatter),
        "" if output["equal"] is None else share(output["equal"]),
        "within" if output["passed"] else "beyond",
    ]


def number(value: float | None) -> str:
    """Returns a difference with two digits; what is not a number, as such."""
    return "no number" if value is None else f"{value:.1e}" if value else "0"


def share(value: float) -> str:
    """Returns a share in percent; small ones in powers of ten."""
    return f"{value:.0e}" if 0 < value < 1e-3 else f"{value * 100:.4g} %"


def duration(us: float) -> str:
    """Returns a time in the unit that makes it short."""
    return f"{us / 1000:.2f} ms" if us >= 1000 else f"{us:.1f} µs"


def rate(batch: int, us: float) -> str:
    """Returns rows per second, for consecutive runs."""
    value = batch / us * 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
