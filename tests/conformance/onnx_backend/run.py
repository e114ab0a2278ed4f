"""Serves the back-end tests of the `onnx` package, and compares with plain OpenVINO.

    python tests/conformance/onnx_backend/run.py REPORT_DIR [--only NAME...]

Fails if a case takes the server down, if an answer is wrong and not listed in faults.toml, or if
fewer answers are right than plain OpenVINO gives for the cases that the protocol can carry.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

from cases import Case, load_cases
from outcome import Outcome, Verdict
from plain import run_plain
from served import run_served

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("LEPTON_SERVER", ROOT / "build/release/bin/lepton-server"))
FAULTS = Path(__file__).with_name("faults.toml")
PAGE = ROOT / "docs/reference/engines.md"
PROCESSES = 2

# Why the engine does not take a model, by its message; the first that fits counts.
REASONS = (
    (r"No conversion rule", "operation unknown to the engine"),
    (r"Failed operations detailed log", "operation not taken with these attributes or types"),
    (
        r"is missing; model|is unknown or repeated",
        "input of the file that is unknown to the server",
    ),
    (r"has no fixed rank", "output whose rank depends on values"),
    (r"has element type", "type that the protocol has not"),
    (r"does not compile", "operation not compiled with these types"),
    (r"cannot be guarded", "graph not guarded"),
    (r"warm-up fails", "not warmed up"),
    (r"cannot be read", "file not read"),
)


def main() -> int:
    """Runs both, prints the table and each case that fails, writes the JUnit report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reports", type=Path)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    # SIGTERM must end the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    faults = _faults()
    start = time.monotonic()
    cases = load_cases()
    if arguments.only:
        cases = [case for case in cases if case.name in arguments.only]
    # First, since it forks: before there is a thread or a library that could mind.
    plain = run_plain(cases, PROCESSES)
    with tempfile.TemporaryDirectory() as folder:
        served = run_served(cases, BINARY, Path(folder), PROCESSES)
    failed = {case.name: _failure(case, plain, served, faults) for case in cases}
    failed = {name: why for name, why in failed.items() if why}
    right = sum(plain[name].verdict == Verdict.CORRECT for name in _carried(served))
    total = _total_failure(served, right)
    _print_table(plain, served, right)
    _print_lines("refused, which plain OpenVINO answers correctly", _lost(plain, served))
    stale = sorted(
        f"{name}: {served[name].verdict}"
        for name in faults
        if name in served and served[name].verdict != Verdict.WRONG
    )
    _print_lines("listed as the engine's faults, and not wrong", stale)
    _print_lines("FAILED", [f"{name}: {why}" for name, why in sorted(failed.items())])
    if total:
        print(f"FAILED: {total}")
    print(f"{len(cases)} cases of onnx in {time.monotonic() - start:.0f} s")
    _write_report(arguments.reports / "onnx.xml", served, faults, failed, total)
    return 1 if failed or total else 0


def _faults() -> dict[str, str]:
    """Reads the reason by case; each kind must be on the page that users read."""
    page = PAGE.read_text()
    reasons = {}
    for fault in tomllib.loads(FAULTS.read_text())["fault"]:
        if fault["kind"] not in page:
            sys.exit(f'{FAULTS.name}: {PAGE.relative_to(ROOT)} does not tell "{fault["kind"]}"')
        for name in fault["cases"]:
            if name in reasons:
                sys.exit(f"{FAULTS.name}: {name} stands there twice")
            reasons[name] = fault["reason"]
    return reasons


def _failure(
    case: Case, plain: dict[str, Outcome], served: dict[str, Outcome], faults: dict[str, str]
) -> str:
    ours, theirs = served[case.name], plain[case.name]
    if ours.verdict == Verdict.CRASHED:
        return f"took the server down: {ours.detail}"
    if ours.verdict != Verdict.WRONG:
        return ""
    if theirs.verdict == Verdict.CORRECT:
        return f"wrong, which plain OpenVINO is not: {ours.detail}"
    if theirs.verdict != Verdict.WRONG:
        return f"wrong, where plain OpenVINO {theirs.verdict} it: {ours.detail}"
    return "" if case.name in faults else f"wrong, and not in {FAULTS.name}: {ours.detail}"


def _carried(served: dict[str, Outcome]) -> list[str]:
    return [name for name, ours in served.items() if ours.verdict != Verdict.NOT_CARRIED]


def _total_failure(served: dict[str, Outcome], right: int) -> str:
    ours = sum(outcome.verdict == Verdict.CORRECT for outcome in served.values())
    return f"{ours} served correctly, {right} by plain OpenVINO" if ours < right else ""


def _lost(plain: dict[str, Outcome], served: dict[str, Outcome]) -> list[str]:
    names = defaultdict(list)
    for name in sorted(_carried(served)):
        ours = served[name]
        if plain[name].verdict == Verdict.CORRECT and ours.verdict == Verdict.REFUSED:
            names[_reason(ours.detail)].append(name.removeprefix("test_"))
    return [f"{len(lost):4} {reason}: {' '.join(lost)}" for reason, lost in names.items()]


def _print_table(plain: dict[str, Outcome], served: dict[str, Outcome], right: int) -> None:
    ours = Counter(outcome.verdict for outcome in served.values())
    theirs = Counter(outcome.verdict for outcome in plain.values())
    print(f"{'':14} {'served':>7} {'plain OpenVINO':>15}")
    for verdict in Verdict:
        print(f"{verdict:14} {ours[verdict]:7} {theirs[verdict]:15}")
    print(f"of those that the protocol carries, plain OpenVINO has {right} correct")
    kinds = Counter(
        _reason(outcome.detail) for outcome in served.values() if outcome.verdict == Verdict.REFUSED
    )
    _print_lines("refused, by reason", [f"{count:4} {kind}" for kind, count in kinds.most_common()])
    kinds = Counter(
        outcome.detail for outcome in served.values() if outcome.verdict == Verdict.NOT_CARRIED
    )
    _print_lines("not carried", [f"{count:4} {kind}" for kind, count in kinds.most_common()])


def _reason(detail: str) -> str:
    for pattern, kind in REASONS:
        if re.search(pattern, detail):
            return kind
    return detail


def _print_lines(title: str, lines: list[str]) -> None:
    if lines:
        print(f"{title}:")
        for line in lines:
            print(f"  {line[:300]}")


def _write_report(
    file: Path,
    served: dict[str, Outcome],
    faults: dict[str, str],
    failed: dict[str, str],
    total: str,
) -> None:
    suite = ElementTree.Element("testsuite", name="onnx")
    for name, outcome in sorted(served.items()):
        entry = ElementTree.SubElement(suite, "testcase", classname="onnx_backend", name=name)
        if name in failed:
            ElementTree.SubElement(entry, "failure", message=_printable(failed[name]))
        elif outcome.verdict != Verdict.CORRECT:
            why = faults[name] if outcome.verdict == Verdict.WRONG else outcome.detail
            message = _printable(f"{outcome.verdict}: {why}")
            ElementTree.SubElement(entry, "skipped", message=message)
    entry = ElementTree.SubElement(
        suite, "testcase", classname="onnx_backend", name="as many correct as plain OpenVINO"
    )
    if total:
        ElementTree.SubElement(entry, "failure", message=total)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(file, encoding="unicode")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:500]


if __name__ == "__main__":
    sys.exit(main())
