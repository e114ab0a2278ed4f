from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as users get it; making it takes a minute."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    subprocess.run(
        [ROOT / "scripts/wheel.sh"], env={**os.environ, "LEPTON_WHEEL_DIR": str(folder)}, check=True
    )
    (wheel,) = folder.glob("*.whl")
    return wheel
