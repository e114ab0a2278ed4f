"""The reports on a narrow screen and on paper, as a browser lays them out."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_bench import FIRST, campaign, result
from test_report import facts

from lepton.bench import report_html
from lepton.bench.campaign import Campaign, run_sweeps
from lepton.bench.options import Load, Target
from lepton.bench.result import Result
from lepton.create.report_html import render_html

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
# Says which labels are cut off or lie over each other, what sticks out, and which cells are
# squeezed. An iframe is as narrow as it is told to be, which a browser's window is not.
LOOK = """
function faultsOf(frame) {
  const style = e => frame.defaultView.getComputedStyle(e);
  const faults = [];
  const fault = (why, e) => faults.push(`${why}: ${e.tagName} "${e.textContent.trim()}"`);
  const meet = (a, b) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const inside = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1
    && a.bottom <= b.bottom + 1;
  for (const chart of frame.querySelectorAll('svg')) {
    const labels = [...chart.querySelectorAll('text')];
    const boxes = labels.map(label => label.getBoundingClientRect());
    labels.forEach((label, i) => {
      if (!inside(boxes[i], chart.getBoundingClientRect())) fault('cut off', label);
      if (boxes.some((box, j) => j > i && meet(boxes[i], box))) fault('lies over another', label);
    });
  }
  for (const e of frame.querySelectorAll('main *:not(svg *)')) {
    let scrolled = e.parentElement;
    while (scrolled && style(scrolled).overflowX !== 'auto') scrolled = scrolled.parentElement;
    const out = e.getBoundingClientRect().right > frame.documentElement.clientWidth + 1;
    if (out && (!scrolled || e.closest('.legend'))) fault('sticks out', e);
  }
  for (const cell of frame.querySelectorAll('.scroll td, .scroll th')) {
    const longest = Math.max(...cell.textContent.trim().split(/[^\\w.,]+/).map(w => w.length));
    if (cell.clientWidth < 4 * Math.min(longest, 12)) fault('squeezed', cell);
  }
  return faults;
}
onload = () => {
  const frames = [...document.querySelectorAll('iframe')];
  document.title = JSON.stringify(frames.flatMap(
    frame => faultsOf(frame.contentDocument).map(fault => `${frame.title}: ${fault}`)));
};
"""


def faults(pages: dict[str, tuple[str, int]], folder: Path) -> list[str]:
    """Returns what is wrong with pages, each at a width in CSS pixels."""
    assert BROWSER
    frames = "".join(
        f'<iframe title="{title}" style="width:{width}px;height:8000px;border:0" '
        f'srcdoc="{html.escape(page)}"></iframe>'
        for title, (page, width) in pages.items()
    )
    wrapper = folder / "wrapper.html"
    wrapper.write_text(f"<!doctype html>{frames}<script>{LOOK}</script>")
    done = subprocess.run(
        [
            *(BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--disable-dev-shm-usage", f"--user-data-dir={folder}/profile"),
            *("--dump-dom", wrapper.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    found = re.search(r"<title>(\[.*?)</title>", done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    said: list[str] = json.loads(html.unescape(found[1]))
    return said


def bench_report(classes: int, loads: int) -> str:
    made = campaign(loads, classes=classes)
    for point in made.points:
        point.result["total"]["latency_buckets_ns"] = [20_000, 1, 2_000_000, 99_998, 900_000_000, 1]
        for number, one in enumerate(point.result["classes"]):
            one["name"] = f"requests-of-the-logging-class-{number}"
        point.result["total"]["errors"] = {
            "deadline_exceeded": {"count": 1_234_567, "example": "the model is busy " * 12}
        }
    return report_html.render_html(made, command="lepton bench " * 12, machine="some machine")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
def test_nothing_is_cut_off_or_squeezed(tmp_path: Path) -> None:
    reports = {
        "bench": bench_report(classes=3, loads=6),
        "one load": bench_report(classes=1, loads=1),
        "create": render_html("a-rather-long-name-of-a-model", "12", facts()),
    }
    pages = {}
    for name, page in reports.items():
        for width in (320, 400, 1000):
            pages[f"{name} at {width} px"] = (page, width)
        # What is left of A4 between its margins, with the rules for paper.
        assert "@media print" in page
        pages[f"{name} on paper"] = (page.replace("@media print", "@media all"), 690)
    assert faults(pages, tmp_path) == []


def sweep(warned_at: float) -> Campaign:
    """Returns a search that ends at 100 requests a second, with a warning from one load on."""

    def measure(target: Target, load: Load) -> Result:
        assert load.rate is not None
        made: Any = result(target, load, in_time=100 if load.rate <= 100 else 50)
        made["warnings"] = ["9 requests were sent late"] if load.rate >= warned_at else []
        return made  # type: ignore[no-any-return]

    return run_sweeps([FIRST], 100, 0.99, measure, lambda target, step: None)


@pytest.mark.parametrize(
    ("warned_at", "kind"),
    [(1e9, "agrees"), (199.0, "agrees"), (101.0, "doubtful"), (1, "doubtful")],
)
def test_headline_is_in_doubt_where_the_generator_fell_short(warned_at: float, kind: str) -> None:
    page = report_html.render_html(sweep(warned_at), command="x", machine="y")
    (badge,) = re.findall(r'<span class="badge (\w+)">', page)
    assert badge == kind
    assert ("load generator fell short: see the warnings" in page) == (kind == "doubtful")
