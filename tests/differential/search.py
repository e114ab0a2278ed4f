"""Looks for graphs that are not answered as by OpenVINO alone, as long as it is given.

python tests/differential/search.py --seconds 3600 [--seed N]
python tests/differential/search.py --seed N --graphs 1        replays one graph
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from graphs import Request, make_graph, make_requests, smaller
from reference import Reference
from trial import Finding, Tally, try_graphs

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("LEPTON_SERVER", ROOT / "build/release/bin/lepton-server"))
FOUND = ROOT / "build/differential"
GRAPHS_PER_SERVER = 40
REQUESTS = 8
# Maximum steps of shrinking; each is one server with all that a graph shrinks to.
MOST_STEPS = 12


def search(seeds: Iterator[int], until: float, tally: Tally) -> list[Finding]:
    """Tries the seeds' graphs, as many to a server as fit, until the clock reads `until`."""
    reference = Reference()
    findings = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            while time.monotonic() < until:
                graphs = [make_graph(seed) for seed in itertools.islice(seeds, GRAPHS_PER_SERVER)]
                if not graphs:
                    break
                requests = [make_requests(graph, REQUESTS) for graph in graphs]
                for found in try_graphs(graphs, requests, BINARY, Path(folder), reference, tally):
                    print(f"FAILED {str(found)[:500]}", flush=True)
                    findings.append(found)
    finally:
        reference.close()
    return findings


def shrink(found: Finding) -> Finding:
    """Removes the parts that the finding does not need."""
    reference = Reference()
    kind = _broad(found.kind)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(MOST_STEPS):
                candidates = smaller(found.graph)
                requests = [
                    [_of(graph.inputs, request) for request in make_requests(found.graph, REQUESTS)]
                    for graph in candidates
                ]
                tried = try_graphs(candidates, requests, BINARY, Path(folder), reference, Tally())
                same = [other for other in tried if _broad(other.kind) == kind]
                if not same:
                    break
                found = min(same, key=lambda other: len(other.graph.nodes))
    finally:
        reference.close()
    return found


def _of(inputs: tuple, request: Request) -> Request:
    return {entry.name: request[entry.name] for entry in inputs}


def _broad(kind: str) -> str:
    return kind.split(" ", 1)[1] if kind.startswith("v") else kind


def report(findings: list[Finding], most: int = 8) -> None:
    """Shrinks the first of each kind, keeps its model, and says how to replay it."""
    seen: set[str] = set()
    for found in findings:
        if _broad(found.kind) in seen or len(seen) >= most:
            continue
        seen.add(_broad(found.kind))
        small = shrink(found)
        FOUND.mkdir(parents=True, exist_ok=True)
        file = FOUND / f"{found.graph.seed}.onnx"
        onnx.save(small.graph.to_onnx(), file)
        np.savez(file.with_suffix(".npz"), **small.request)
        print(f"shrunk to {str(small)[:800]}")
        print(f"  model: {file.relative_to(ROOT)}, request: {file.with_suffix('.npz').name}")
        print(f"  again: tests/differential/search.py --seed {found.graph.seed} --graphs 1")


def main() -> int:
    """Searches; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, help="drawn, and printed, when left out")
    parser.add_argument("--graphs", type=int, default=sys.maxsize)
    arguments = parser.parse_args()
    # SIGTERM must end the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**9)
    print(f"seeds from {seed}", flush=True)
    tally = Tally()
    seeds = iter(range(seed, seed + arguments.graphs))
    findings = search(seeds, time.monotonic() + arguments.seconds, tally)
    report(findings)
    for kind, count in Counter(_broad(found.kind) for found in findings).most_common():
        print(f"{count:5} {kind}")
    print(f"{tally}; {len(findings)} graphs failed")
    return 1 if findings or not tally.answers else 0


if __name__ == "__main__":
    sys.exit(main())
