"""Files as frameworks write them, without the frameworks."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def torchscript(path: Path) -> Path:
    return archive(
        path,
        {"net/data.pkl": b"", "net/constants.pkl": b"", "net/code/__torch__.py": b""},
    )


def exported(path: Path) -> Path:
    return archive(path, {"net/archive_format": b"pt2", "net/models/model.json": b"{}"})


def pickled(path: Path, held: object) -> Path:
    """As torch.save() writes it, with the pickle of anything."""
    return archive(path, {"net/data.pkl": pickle.dumps(held, protocol=2), "net/version": b"3"})


def keras(path: Path) -> Path:
    return archive(path, {"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b""})


def safetensors(path: Path, size: int = 8) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    return path
