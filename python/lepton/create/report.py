"""The report for a person, as Markdown: report.md beside a model's versions."""

from __future__ import annotations

from lepton.create import report_calls, report_words
from lepton.create.facts import Facts, TensorFacts


def render(name: str, version: str, facts: Facts) -> str:
    """Returns the report of one version.

    Args:
        name: The model's name.
        version: One of its versions.
        facts: That version's entry of lepton.json.
    """
    signature = facts["signature"]
    lines = [
        f"# {name}, version {version}",
        "",
        f"Made by `lepton create` {facts['lepton']} on {facts['created']}; OpenVINO "
        f"{facts['openvino']} has read the model and run it.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {_cell(value)} |" for key, value in report_words.origin(facts)),
        "",
        "## Signature",
        "",
        "```",
        *_picture(name, facts),
        "```",
        "",
        f"An extent of -1 is chosen by each request. {report_words.sharing(facts)}".rstrip(),
        "",
        "| | name | datatype | shape |",
        "|---|---|---|---|",
        *(_row("input", tensor) for tensor in signature["inputs"]),
        *(_row("output", tensor) for tensor in signature["outputs"]),
        "",
        *_notes(facts),
        *_check(facts),
        *_latency(facts),
        "## Serve it",
        "",
        "```",
        f"lepton serve {facts['repository']} --port 8000",
        "```",
        "",
        "## Call it",
        "",
    ]
    inputs = signature["inputs"]
    given = report_calls.given(facts)
    curl = report_calls.curl_line(name, inputs, given)
    if curl is not None:
        lines += ["```", curl, "```", ""]
    lines += ["```python", *report_calls.python_lines(name, inputs, given), "```", ""]
    lines += ["```cpp", *report_calls.cpp_lines(name, inputs, given), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _cell(value: str) -> str:
    return value.replace("|", "\\|")


def _row(kind: str, tensor: TensorFacts) -> str:
    return f"| {kind} | `{tensor['name']}` | {tensor['datatype']} | {tensor['shape']} |"


def _picture(name: str, facts: Facts) -> list[str]:
    """Draws inputs, model and outputs side by side."""

    def labels(tensors: list[TensorFacts]) -> list[str]:
        said = report_words.extents
        return [
            f"{t['name']}  {t['datatype']} {said(t, report_words.counts_rows(facts))}"
            for t in tensors
        ]

    left = labels(facts["signature"]["inputs"])
    right = labels(facts["signature"]["outputs"])
    width = max(len(label) for label in left)
    height = max(len(left), len(right))
    left = _centered(left, height)
    right = _centered(right, height)
    box = _centered([name], height)
    edge, arrow = "─" * (len(name) + 2), " ──▶ "
    lines = []
    for a, b, c in zip(left, box, right, strict=True):
        into, out = (arrow if text else " " * len(arrow) for text in (a, c))
        lines.append(f"{a:>{width}}{into}│ {b:^{len(name)}} │{out}{c}".rstrip())
    indent = " " * (width + len(arrow))
    return [f"{indent}┌{edge}┐", *lines, f"{indent}└{edge}┘"]


def _centered(lines: list[str], height: int) -> list[str]:
    above = (height - len(lines)) // 2
    return [""] * above + lines + [""] * (height - len(lines) - above)


def _notes(facts: Facts) -> list[str]:
    notes = facts.get("notes", [])
    return ["## Notes", "", *(f"- {note}" for note in notes), ""] if notes else []


def _check(facts: Facts) -> list[str]:
    check = facts.get("check")
    lines = ["## Against the original", "", report_words.comparison(check), ""]
    if check is None or check["against"] is None:
        return lines
    head, *rows = report_words.table(check)
    lines += [
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
        *(f"| `{row[0]}` | " + " | ".join(row[1:]) + " |" for row in rows),
        "",
        f"Verdict: **{report_words.verdict(check)}**.",
        "",
    ]
    return lines


def _latency(facts: Facts) -> list[str]:
    if not facts["latency"]:
        return []
    return [
        "## Latency in-process",
        "",
        f"{report_words.measured_with(facts)}. What the network adds is in each answer's "
        "breakdown.",
        "",
        "| rows | p50 | p99 | p50 per row | rows per second | runs |",
        "|---|---|---|---|---|---|",
        *(
            f"| {run['batch']} | {report_words.duration(run['p50_us'])} "
            f"| {report_words.duration(run['p99_us'])} "
            f"| {report_words.duration(run['p50_us'] / run['batch'])} "
            f"| {report_words.rate(run['batch'], run['p50_us'])} | {run['runs']} |"
            for run in facts["latency"]
        ),
        "",
    ]
