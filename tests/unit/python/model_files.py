"""Files like those that frameworks write, made without the frameworks."""

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
    """A file like torch.save()'s, with the pickle of anything."""
    return archive(path, {"net/data.pkl": pickle.dumps(held, protocol=2), "net/version": b"3"})


def keras(path: Path) -> Path:
    return archive(path, {"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b""})


def safetensors(path: Path, size: int = 8) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    return path


def legacy(*parts: bytes) -> bytes:
    """A file like torch.save()'s before 1.6: five pickles in a row; `parts` are the last."""
    first = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
    rest = [pickle.dumps(part, protocol=2) for part in (None, [])]
    return b"".join([*first, *parts, *rest[len(parts) :]])


def field(number: int, content: bytes | str) -> bytes:
    """One field of a protobuf message."""
    data = content.encode() if isinstance(content, str) else content
    size, length = b"", len(data)
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + data


def node(name: str, op: str, *inputs: str, calls: str = "") -> bytes:
    """A TensorFlow NodeDef."""
    attribute = field(5, field(1, "f") + field(2, field(10, field(1, calls)))) if calls else b""
    return field(1, name) + field(2, op) + b"".join(field(3, one) for one in inputs) + attribute


def saved_model(
    folder: Path,
    nodes: list[bytes],
    functions: dict[str, list[bytes]] | None = None,
    objects: str | None = "objects",
    signatures: str = "",
    restore: str = "",
) -> Path:
    """A SavedModel's folder; without `objects` it is TensorFlow 1's."""
    library = b"".join(
        field(1, field(1, field(1, name)) + b"".join(field(3, one) for one in body))
        for name, body in (functions or {}).items()
    )
    graph = b"".join(field(1, one) for one in nodes) + field(2, library)
    meta = field(2, graph) + field(3, field(3, restore)) + field(5, signatures)
    if objects is not None:
        meta += field(7, objects)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(field(2, meta))
    return folder
