"""Finds out what a PyTorch file holds, by its content, without PyTorch and without running it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from lepton.create.archives import DAMAGED
from lepton.create.errors import CreateError
from lepton.create.framework import Format
from lepton.create.pytorch_pickle import LEGACY_BEGIN, classes_of

_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
TORCHSCRIPT = Format("TorchScript", "PyTorch", "pytorch", (".pt", ".pth", ".ts", ".torchscript"))
EXPORTED = Format("PyTorch exported program", "PyTorch", "pytorch", (".pt2", *_SUFFIXES))
STATE_DICT = Format("PyTorch state dict", "PyTorch", "pytorch", _SUFFIXES)
PICKLED = Format("pickled PyTorch module", "PyTorch", "pytorch", _SUFFIXES)
SAFETENSORS = Format("safetensors", "PyTorch", "pytorch", (".safetensors",))
FORMATS = (TORCHSCRIPT, EXPORTED, STATE_DICT, PICKLED, SAFETENSORS)

_ZIP = b"PK\x03\x04"
_LONGEST_HEADER = 100 << 20  # The limit of safetensors' own reader.


def detect(path: Path) -> Format | None:
    """Returns what the file holds, or None if it is not a PyTorch file.

    Raises:
        CreateError: It begins like a PyTorch file, but the rest is not one.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        begin = file.read(16)
    if begin.startswith(_ZIP):
        return _detect_zip(path)
    if begin.startswith(LEGACY_BEGIN):
        return PICKLED if classes_of(path) else STATE_DICT
    size = int.from_bytes(begin[:8], "little")
    if begin[8:9] == b"{" and 2 <= size <= _LONGEST_HEADER:
        return _detect_safetensors(path, size)
    return None


def check_sums(path: Path) -> None:
    """Reads an archive once in full, since PyTorch does not verify its checksums.

    Raises:
        CreateError: A checksum is wrong.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.CRC:  # PyTorch may have been told not to write one.
                continue
            try:
                with archive.open(member) as file:
                    while file.read(1 << 20):
                        pass
            except DAMAGED:
                raise CreateError(
                    f"{path} is damaged (wrong checksum of {member.filename}); get it again"
                ) from None


def _detect_zip(path: Path) -> Format | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except DAMAGED:
        raise CreateError(f"{path} is cut short or damaged (a zip archive without its end), get it "
                          "again") from None  # fmt: skip
    below = {name.partition("/")[2] for name in names}
    if "constants.pkl" in below and any(name.startswith("code/") for name in below):
        return TORCHSCRIPT
    if "models/model.json" in below or "serialized_exported_program.json" in names:
        return EXPORTED
    if "data.pkl" in below:
        try:
            return PICKLED if classes_of(path) else STATE_DICT
        except zipfile.BadZipFile:
            raise CreateError(f"{path} is damaged (a checksum is wrong); get it again") from None
    return None


def _detect_safetensors(path: Path, header_size: int) -> Format | None:
    with path.open("rb") as file:
        file.seek(8)
        header = file.read(header_size)
    try:
        tensors = json.loads(header)
        ends = [
            entry["data_offsets"][1] for name, entry in tensors.items() if name != "__metadata__"
        ]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        if len(header) < header_size:
            raise CreateError(f"{path} is cut short within its header; get it again") from None
        return None
    whole = 8 + header_size + max(ends, default=0)
    size = path.stat().st_size
    if size < whole:
        raise CreateError(f"{path} is cut short: {size} bytes of {whole}; get it again")
    return SAFETENSORS
