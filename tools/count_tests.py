"""Sums up a folder of JUnit reports, and closes with one plain line.

A file `<suite>.failed` stands for a suite that ended before it could report: one failure.

    python tools/count_tests.py build/reports
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def count(report: Path) -> tuple[int, int, int]:
    """Returns how many tests passed, failed and were skipped."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main() -> int:
    """Prints a line per suite and the totals; returns 1 if anything failed or nothing ran."""
    folder = Path(sys.argv[1])
    totals = [0, 0, 0]
    for report in sorted(folder.glob("*.xml")):
        counts = count(report)
        totals = [total + this for total, this in zip(totals, counts, strict=True)]
        print(f"{report.stem:14} {counts[0]:6} passed {counts[1]:4} failed {counts[2]:4} skipped")
    for suite in sorted(folder.glob("*.failed")):
        totals[1] += 1
        print(f"{suite.stem:14} ended before its tests could run")
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
