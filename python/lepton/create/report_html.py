"""The report for a person, as one HTML page: report.html beside a model's versions.

Self-contained: no script, font or picture from elsewhere. Follows the reader's light or dark mode.
"""

from __future__ import annotations

from html import escape

from lepton.create import report_calls, report_words
from lepton.create.facts import CheckFacts, Facts, LatencyFacts, TensorFacts
from lepton.create.report_chart import Series, bars, lines
from lepton.report.page import code, named_values, page, section, table

_ARROW = (
    '<svg class="arrow" viewBox="0 0 34 16" aria-hidden="true"><path d="M1 8h29M24 2l7 6-7 6" '
    'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" '
    'stroke-linejoin="round"/></svg>'
)
_MARKS = {"agrees": "✓ ", "differs": "✗ "}


def render_html(name: str, version: str, facts: Facts) -> str:
    """Returns the page about one version.

    Args:
        name: The model's name.
        version: One of its versions.
        facts: That version's entry of lepton.json.
    """
    check = facts.get("check")
    word = report_words.verdict(check)
    badge = f'<span class="badge {word.split()[0]}">{_MARKS.get(word, "")}{word}</span>'
    framework = facts.get("framework", "")
    parts = [
        f"<header><h1>{escape(name)}</h1>",
        f'<span class="badge">version {escape(version)}</span>{badge if check else ""}',
        f"<p>{escape(facts['format'])}{_of(framework, facts['format'])}, served by Lepton on "
        f"OpenVINO {escape(facts['openvino'])}</p></header>",
        section("Signature", _signature(name, facts)),
        section("Notes", _notes(facts)),
        section("Against the original", _check(check)),
        section("Latency in-process", _latency(facts)),
        section("Serve it", code(f"lepton serve {facts['repository']} --port 8000")),
        section("Call it", _calls(name, facts)),
        section("Origin", _origin(facts)),
    ]
    return page(f"{name}, version {version}", parts)


def _of(framework: str, form: str) -> str:
    return f" ({escape(framework)})" if framework and framework not in form else ""


def _signature(name: str, facts: Facts) -> str:
    def listed(tensors: list[TensorFacts], kind: str) -> str:
        items = "".join(
            f"<li><b>{escape(tensor['name'])}</b><span>{tensor['datatype']} "
            f"{escape(report_words.extents(tensor, report_words.counts_rows(facts)))}</span></li>"
            for tensor in tensors
        )
        return f'<ul class="{kind}" aria-label="{kind}">{items}</ul>'

    signature = facts["signature"]
    said = report_words.sharing(facts)
    return (
        f'<div class="signature">{listed(signature["inputs"], "inputs")}{_ARROW}'
        f'<div class="model">{escape(name)}<span>{escape(facts["precision"])}</span></div>'
        f"{_ARROW}{listed(signature['outputs'], 'outputs')}</div>"
        + (f'<p class="note">{escape(said)}</p>' if said else "")
    )


def _notes(facts: Facts) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in facts.get("notes", []))
    return f'<ul class="notes">{items}</ul>' if items else ""


def _check(check: CheckFacts | None) -> str:
    said = f"<p>{escape(report_words.comparison(check))}</p>"
    if check is None or check["against"] is None:
        return said
    head, *rows = report_words.table(check)
    cells = [[f"<code>{escape(first)}</code>", *map(escape, rest)] for first, *rest in rows]
    return said + table(head, cells, len(head) - 2)


def _latency(facts: Facts) -> str:
    runs = facts["latency"]
    if not runs:
        return ""
    rows = [
        [
            str(run["batch"]),
            report_words.duration(run["p50_us"]),
            report_words.duration(run["p99_us"]),
            report_words.duration(run["p50_us"] / run["batch"]),
            report_words.rate(run["batch"], run["p50_us"]),
            str(run["runs"]),
        ]
        for run in runs
    ]
    head = ["rows", "p50", "p99", "p50 per row", "rows per second", "runs"]
    note = (
        f"{report_words.measured_with(facts)}. What the network adds is in each answer's breakdown."
    )
    charts = f'<div class="charts">{_charts(runs)}</div>' if len(runs) > 1 else ""
    return charts + table(head, rows, 5) + f'<p class="note">{escape(note)}</p>'


def _charts(runs: list[LatencyFacts]) -> str:
    categories = [str(run["batch"]) for run in runs]
    largest = max(run["p99_us"] for run in runs)
    unit, factor = ("ms", 1e-3) if largest >= 1000 else ("µs", 1.0)
    latency = [
        Series(
            name,
            color,
            [time * factor for time in times],
            [
                f"{run['batch']} rows: {name} {report_words.duration(time)}"
                for run, time in zip(runs, times, strict=True)
            ],
        )
        for name, color, times in (
            ("p99", "--orange", [run["p99_us"] for run in runs]),
            ("p50", "--blue", [run["p50_us"] for run in runs]),
        )
    ]
    rates = Series(
        "rows per second",
        "--blue",
        [run["batch"] / run["p50_us"] * 1e6 for run in runs],
        [
            f"{run['batch']} rows: {report_words.rate(run['batch'], run['p50_us'])} rows per second"
            for run in runs
        ],
    )
    axis = "rows in one run"
    pictures = (
        ("Time of one run", lines("Time of one run by rows", axis, unit, categories, latency)),
        ("Throughput", bars("Throughput by rows", axis, "rows/s", categories, rates)),
    )
    return "".join(
        f"<figure><figcaption>{title}</figcaption>{picture}</figure>" for title, picture in pictures
    )


def _calls(name: str, facts: Facts) -> str:
    inputs, given = facts["signature"]["inputs"], report_calls.given(facts)
    curl = report_calls.curl_line(name, inputs, given)
    said = [("curl", curl)] if curl is not None else []
    said += [
        ("Python", "\n".join(report_calls.python_lines(name, inputs, given))),
        ("C++", "\n".join(report_calls.cpp_lines(name, inputs, given))),
    ]
    return "".join(f"<h3>{title}</h3>{code(text)}" for title, text in said)


def _origin(facts: Facts) -> str:
    return named_values(
        [
            (key, f"<code>{escape(value)}</code>" if key in ("file", "SHA-256") else escape(value))
            for key, value in report_words.origin(facts)
        ]
    )
