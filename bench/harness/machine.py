"""What the figures were taken on."""

import importlib.metadata
import os
import platform
import re
import subprocess
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
        "load_before": f"{os.getloadavg()[0]:.2f}",
    }


def file_stem(machine: dict[str, str], date: str) -> str:
    """A name for the results: 2026-01-31-amd-epyc."""
    name = machine["processor"].split(",")[0].lower()
    return f"{date}-{re.sub(r'[^a-z0-9]+', '-', name).strip('-')}"
