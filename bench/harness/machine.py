"""The machine that the figures were taken on."""

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def describe_machine() -> dict[str, str]:
    """Processor, kernel, versions, and how busy the machine was."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    fields = dict(re.findall(r"^([^\t:]+)\t+: (.*)$", cpuinfo, re.MULTILINE))
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return {
        "processor": f"{fields.get('model name', platform.machine())}, family "
        f"{fields.get('cpu family', '?')} model {fields.get('model', '?')}",
        "processors": str(os.cpu_count()),
        "virtual": "yes" if "hypervisor" in fields.get("flags", "").split() else "no",
        "kernel": platform.release(),
        "openvino": importlib.metadata.version("openvino"),
        "lepton": revision.stdout.strip() or "unknown",
        "idle_before": f"{idle_share(seconds=1):.0%}",
    }


def idle_share(seconds: float) -> float:
    """Share of the processors' time that neither a process uses nor the host takes away."""

    def read() -> tuple[int, int]:
        ticks = [int(word) for word in Path("/proc/stat").read_text().split()[1:9]]
        return ticks[3] + ticks[4], sum(ticks)  # idle + iowait, all

    idle, total = read()
    time.sleep(seconds)
    idle_after, total_after = read()
    return (idle_after - idle) / max(1, total_after - total)


def file_stem(machine: dict[str, str], date: str) -> str:
    """A name for the results, such as 2026-01-31-amd-epyc."""
    name = machine["processor"].split(",")[0].lower()
    return f"{date}-{re.sub(r'[^a-z0-9]+', '-', name).strip('-')}"
