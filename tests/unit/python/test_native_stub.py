"""The stub of lepton._native is the one that nanobind makes of the extension module."""

import subprocess
import sys
from pathlib import Path

import lepton

STUB = Path(lepton.__file__).parent / "_native.pyi"


def test_stub_is_up_to_date(tmp_path: Path) -> None:
    made = tmp_path / "_native.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "lepton._native", "-o", made]
    subprocess.run(command, check=True)
    again = f"{' '.join(map(str, command[:-1]))} {STUB}"
    assert made.read_text() == STUB.read_text(), f"make it again: {again}"
