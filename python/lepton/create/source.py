"""The file that a user names, and the files beside it that belong to the model."""

from __future__ import annotations

import hashlib
import mmap
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

# An ONNX model may keep its weights in files beside it, each named by a StringStringEntryProto
# {key: "location", value: <file>} of onnx.proto: field 1 is the key, field 2 the value.
_EXTERNAL_DATA = re.compile(rb"\x0a\x08location\x12")

FORMATS = {
    ".onnx": "ONNX",
    ".xml": "OpenVINO IR",
    ".pb": "TensorFlow frozen graph",
    ".savedmodel": "TensorFlow SavedModel",
    ".tflite": "TensorFlow Lite",
    ".pdmodel": "PaddlePaddle",
}


class CreateError(Exception):
    """The user's input cannot become a service; one line that says why."""


@dataclass(frozen=True)
class ModelSource:
    """A model as it lies on disk.

    Attributes:
        path: What OpenVINO reads: a file, or the folder of a SavedModel.
        extension: As in a model repository, e.g. ".onnx", or ".savedmodel" for that folder.
        files: Everything to copy, by its path below the version folder.
    """

    path: Path
    extension: str
    files: dict[str, Path]

    @property
    def entry(self) -> str:
        """The name of the model's file, or folder, below the version folder."""
        return f"model{self.extension}"

    def sha256(self) -> str:
        """Returns one hash of all files and their names, in the form of `sha256sum` of one file."""
        digests = [(name, _sha256(path)) for name, path in sorted(self.files.items())]
        if len(digests) == 1:
            return digests[0][1]
        lines = "".join(f"{digest}  {name}\n" for name, digest in digests)
        return hashlib.sha256(lines.encode()).hexdigest()

    def size_bytes(self) -> int:
        """Returns the size of all files together."""
        return sum(path.stat().st_size for path in self.files.values())

    def copy_to(self, folder: Path) -> None:
        """Copies the model into a version folder."""
        for name, path in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def find_source(path: Path) -> ModelSource:
    """Returns the model that `path` names.

    Raises:
        CreateError: There is nothing, or it is of a kind that OpenVINO does not read, or a file
            that belongs to it is missing.
    """
    if not path.exists():
        raise CreateError(f"{path} does not exist")
    if path.is_file() and path.name == "saved_model.pb":
        path = path.parent
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise CreateError(f"{path} is a folder without saved_model.pb, name the model's file")
        inside = [file for file in sorted(path.rglob("*")) if file.is_file()]
        files = {f"model.savedmodel/{file.relative_to(path)}": file for file in inside}
        return ModelSource(path, ".savedmodel", files)
    extension = path.suffix.lower()
    if extension not in FORMATS or extension == ".savedmodel":
        known = ", ".join(name for name in FORMATS if name != ".savedmodel")
        raise CreateError(f'{path} has extension "{path.suffix}", expected {known} or a SavedModel')
    if path.stat().st_size == 0:
        raise CreateError(f"{path} is empty")
    files = {f"model{extension}": path}
    if extension == ".onnx":
        for name in _external_data(path):
            files[name] = _beside(path, name)
    # Weights in a file of their own; a model without weights has none.
    for suffix in {".xml": (".bin",), ".pdmodel": (".pdiparams",)}.get(extension, ()):
        weights = path.with_suffix(suffix)
        if weights.is_file():
            files[f"model{suffix}"] = weights
    return ModelSource(path, extension, files)


def _external_data(path: Path) -> list[str]:
    names: set[str] = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for match in _EXTERNAL_DATA.finditer(data):
            size, at, shift = 0, match.end(), 0
            while at < len(data):  # A varint, seven bits a byte.
                size |= (data[at] & 0x7F) << shift
                shift += 7
                at += 1
                if data[at - 1] < 0x80:
                    break
            names.add(data[at : at + size].decode(errors="replace"))
    return sorted(names)


def _beside(path: Path, name: str) -> Path:
    file = path.parent / name
    inside = file.resolve().is_relative_to(path.parent.resolve())
    if not inside:
        raise CreateError(f'{path} keeps weights in "{name}", which is outside its folder')
    if not file.is_file():
        raise CreateError(f"{path} keeps weights in {file}, which does not exist")
    return file


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
