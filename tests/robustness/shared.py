"""Modules shared with the integration tests."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/integration"))

from fake_models import identity, per_row, write_model  # noqa: E402
from lepton_server import LeptonServer  # noqa: E402
from raw_http import HTTP2_PREFACE, http2_frame  # noqa: E402

__all__ = [
    "HTTP2_PREFACE",
    "ROOT",
    "LeptonServer",
    "http2_frame",
    "identity",
    "per_row",
    "write_model",
]
