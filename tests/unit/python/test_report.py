"""The report of a version: its content, in both of its forms, and that what it shows works."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lepton.create.report import render
from lepton.create.report_calls import cpp_lines, curl_line, python_lines
from lepton.create.report_html import render_html
from lepton.report.ticks import nice_ticks

ROOT = Path(__file__).parents[3]
DATATYPES = [
    *("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "BF16", "FP32", "FP64", "BYTES"),
]


def tensor(name: str, datatype: str, *shape: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def facts(**changes: Any) -> Any:
    return {
        "created": "2026-11-23T22:40:00Z",
        "lepton": "0.1.0",
        "repository": "out/service",
        "machine": "Some CPU, 2 CPUs",
        "format": "TorchScript",
        "framework": "PyTorch",
        "source": {"path": "/m/<net>.pt", "sha256": "ab" * 32, "size_bytes": 1500000, "files": []},
        "versions": {"torch": "2.15.0"},
        "openvino": "2026.4.1",
        "precision": "f32",
        "batches": True,
        "signature": {
            "inputs": [tensor("image", "FP32", -1, 3, 8, 8)],
            "outputs": [tensor("a&b", "FP32", -1, 10), tensor("label", "INT64", -1)],
        },
        "check": {
            "against": "torch 2.15.0",
            "skipped": None,
            "inputs": "random",
            "example": None,
            "batches": [1, 2, 5],
            "runs": 3,
            "tolerance": 1e-3,
            "outputs": [
                {"name": "a&b", "max_abs": 1.2e-6, "max_rel": 3e-7, "top1": 1.0, "equal": None,
                 "passed": True},
                {"name": "label", "max_abs": None, "max_rel": None, "top1": None, "equal": 0.995,
                 "passed": False},
            ],
            "passed": False,
        },
        "latency": [
            {"batch": 1, "runs": 300, "p50_us": 8.4, "p99_us": 9.9},
            {"batch": 16, "runs": 200, "p50_us": 1536.2, "p99_us": 1941.9},
        ],
        "notes": ["The input's name is <assumed>."],
        **changes,
    }  # fmt: skip


class Page(HTMLParser):
    """Collects the elements that a page opens and closes, in order, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "said",
    [
        "| input | `image` | FP32 | [-1, 3, 8, 8] |",
        "torch 2.15.0",
        "3 runs of 1, 2, 5 rows",
        "0.1 % of an output's largest",
        "| `a&b` | 1.2e-06 | 3.0e-07 | 100 % |  | within |",
        "| `label` |  |  |  | 99.5 % | beyond |",
        "Verdict: **differs**",
        "| 16 | 1.54 ms | 1.94 ms | 96.0 µs | 10,415 | 200 |",
        "lepton serve out/service --port 8000",
        "- The input's name is <assumed>.",
        "image  FP32 [rows, 3, 8, 8] ──▶ │ net │ ──▶ a&b  FP32 [rows, 10]",
        "1.50 MB",
    ],
)
def test_markdown_says_all_that_is_known(said: str) -> None:
    assert said in render("net", "3", facts())


def test_page_is_well_formed_and_asks_nothing_of_other_places() -> None:
    page = Page(render_html("net", "3", facts()))
    assert page.open == []
    assert page.links == []
    assert "script" not in page.tags
    assert {"svg", "title", "style"} <= page.tags
    assert "prefers-color-scheme" in render_html("net", "3", facts())


def test_page_shows_what_names_hold_as_text() -> None:
    html = render_html("<i>net</i>", "3", facts())
    assert "<i>" not in html
    assert "&lt;i&gt;net&lt;/i&gt;" in html
    assert "/m/&lt;net&gt;.pt" in html
    assert "a&amp;b" in html
    assert "&lt;assumed&gt;" in html


def test_charts_show_each_batch_size_with_its_figures() -> None:
    html = render_html("net", "3", facts())
    line, bars = (
        ElementTree.fromstring(svg) for svg in re.findall(r'<svg class="chart".*?</svg>', html)
    )
    told = [element.text for element in line.iter("title")]
    assert sorted(told) == [
        "1 rows: p50 8.4 µs",
        "1 rows: p99 9.9 µs",
        "16 rows: p50 1.54 ms",
        "16 rows: p99 1.94 ms",
    ]
    heights = [float(rect.get("height", 0)) for rect in bars.iter("rect")]
    assert heights[0] > heights[1] > 0  # 119,048 and 10,415 rows per second
    assert heights[0] / heights[1] == pytest.approx((1 / 8.4) / (16 / 1536.2), rel=0.02)


def test_service_without_a_comparison_or_measurement_says_so() -> None:
    skipped = {**facts()["check"], "against": None, "skipped": "ONNX Runtime is not installed."}
    bare = facts(check=skipped, latency=[], notes=[])
    for text in (render("net", "1", bare), render_html("net", "1", bare)):
        assert "Not compared with the original: ONNX Runtime is not installed." in text
        assert "Latency" not in text
        assert "Notes" not in text


def test_facts_of_an_older_release_make_a_report() -> None:
    old = facts()
    for key in ("check", "framework", "versions", "notes"):
        del old[key]
    assert "was not compared" in render("net", "1", old)
    assert "was not compared" in render_html("net", "1", old)


def test_empty_columns_are_left_out() -> None:
    check = facts()["check"]
    text = render("net", "1", facts(check={**check, "outputs": check["outputs"][:1]}))
    assert (
        "| output | largest difference | of the largest value | same top class | tolerance |"
        in text
    )


@pytest.mark.parametrize("datatype", DATATYPES)
def test_curl_line_holds_a_request_where_json_can(datatype: str) -> None:
    line = curl_line("net", [tensor("it's", datatype, -1, 2)])
    if datatype in ("FP16", "BF16"):
        assert line is None
        return
    assert line is not None
    (given,) = json.loads(shlex.split(line)[-1])["inputs"]
    assert (given["name"], given["datatype"], given["shape"]) == ("it's", datatype, [1, 2])
    assert len(given["data"]) == 2


def test_python_program_makes_arrays_of_the_datatypes() -> None:
    inputs = [tensor(f"x{i}", datatype, -1, 2) for i, datatype in enumerate(DATATYPES)]
    program = "\n".join(python_lines("net", inputs))
    setup = program[: program.index("print(")].replace("from lepton import LeptonAI", "")
    setup = re.sub(r"client = .*", "", setup)
    given: dict[str, Any] = {}
    exec(setup, given)
    kinds = {name: array.dtype.name for name, array in given["inputs"].items()}
    assert len(kinds) == len(DATATYPES)
    assert (kinds["x0"], kinds["x9"], kinds["x10"], kinds["x13"]) == (
        "bool", "float16", "float32", "object",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler")
def test_cpp_program_compiles(tmp_path: Path) -> None:
    inputs = [tensor(f"x{i}", datatype, -1, 2) for i, datatype in enumerate(DATATYPES)]
    source = tmp_path / "call.cc"
    source.write_text("\n".join(cpp_lines("net", inputs)) + "\n")
    folders = ["-I", str(ROOT / "clients/cpp/include"), "-I", str(ROOT / "src")]
    command = ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *folders]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [(29, [0, 10, 20, 30]), (1, [0, 0.25, 0.5, 0.75, 1]), (0, [0, 1]), (41.9, [0, 20, 40, 60])],
)
def test_axis_ends_at_a_round_value(largest: float, ticks: list[float]) -> None:
    assert nice_ticks(largest) == pytest.approx(ticks)
