#!/usr/bin/env python3
"""Makes a service from a model file: `lepton create` under another name.

python scripts/create_lepton_ai_service.py --model_path model.onnx --output_path service
"""

from __future__ import annotations

import sys

from environment import need_lepton

if __name__ == "__main__":
    need_lepton()
    from lepton.cli import run

    run(["create", *sys.argv[1:]])
