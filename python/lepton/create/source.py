"""The file or folder that a user names: what it is, and the files that belong to it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from lepton.create import hugging_face, keras, onnx, openvino_ir, pytorch_file, tensorflow
from lepton.create.errors import CreateError
from lepton.create.framework import Format
from lepton.create.onnx_file import external_files
from lepton.create.options import Options
from lepton.hints import did_you_mean

__all__ = ["CreateError", "ModelSource", "find_source", "names_in"]

# Modules that recognize a file by its content come before those that go by its name.
_MODULES = (hugging_face, pytorch_file, keras, tensorflow, onnx, openvino_ir)
FORMATS: tuple[Format, ...] = tuple(one for module in _MODULES for one in module.FORMATS)
_BY_NAME_ONLY = {*onnx.FORMATS, *openvino_ir.FORMATS, tensorflow.FROZEN}


@dataclass(frozen=True)
class ModelSource:
    """A model on disk.

    Attributes:
        path: The file, or the folder of a SavedModel or of Hugging Face.
        format: What it is.
        files: All that belongs to it, by its path below the version folder if it is served as it
            is, else by its name.
    """

    path: Path
    format: Format
    files: dict[str, Path]

    @property
    def entry(self) -> str:
        """The name of the served file, or folder, below the version folder."""
        return f"model{self.format.extension}"

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

    def copy_to(self, folder: Path) -> Path:
        """Copies the model as it is into an empty folder, and returns the path of the copy."""
        inside = self.path.is_dir()
        copy = folder / (self.path.resolve().name or "model")
        for path in self.files.values():
            target = copy / path.relative_to(self.path) if inside else (
                folder / path.relative_to(self.path.parent)
            )  # fmt: skip
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        return copy

    def link_to(self, folder: Path) -> None:
        """Puts the model into a version folder of the same file system, as it is served."""
        for name, path in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(path)
            except OSError:  # Some file systems have no links.
                shutil.copyfile(path, target)


def find_source(path: Path, options: Options | None = None) -> ModelSource:
    """Returns the model that `path` names.

    Raises:
        CreateError: Nothing is there, or it is of an unknown kind or not of the kind that its name
            says, or a file that belongs to it is missing, or an option does not suit it.
    """
    options = options or Options()
    if not path.exists():
        raise CreateError(f"{path} does not exist{did_you_mean(path.name, names_in(path.parent))}")
    if path.is_file() and path.name == "saved_model.pb":
        path = path.parent
    if path.suffix == ".safetensors" and not options.module and hugging_face.detect(path.parent):
        path = path.parent
    if path.is_file() and path.stat().st_size == 0:
        raise CreateError(f"{path} is empty")
    found = next((one for module in _MODULES if (one := module.detect(path))), None)
    if path.is_dir():
        if found is None:
            raise CreateError(
                f"{path} is a folder without saved_model.pb (TensorFlow) or config.json (Hugging "
                "Face), name the model's file"
            )
    else:
        found = _by_name(path, found)
    _check_options(path, found, options)
    return ModelSource(path, found, _files(path, found))


def names_in(folder: Path) -> list[str]:
    """Returns what lies in a folder, as far as that can be read."""
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def _by_name(path: Path, found: Format | None) -> Format:
    """Returns the format, unless the file's name says another one."""
    suffix = path.suffix.lower()
    said = [one for one in FORMATS if suffix and suffix in one.suffixes]
    if found is None and said:
        names = " or ".join(dict.fromkeys(one.framework for one in said))
        raise CreateError(
            f'{path} is called "{suffix}" but its content is not of {names}: it may be cut short, '
            "get it again"
        )
    if found is None:
        known = ", ".join(dict.fromkeys(s for one in FORMATS for s in one.suffixes if s))
        raise CreateError(
            f'{path} has extension "{path.suffix}", expected {known}, or the folder of a '
            "SavedModel or of Hugging Face"
        )
    if said and found not in said and found not in _BY_NAME_ONLY:
        raise CreateError(
            f'{path} is called "{suffix}" but holds {found.name}: rename it to '
            f"{path.with_suffix(found.suffixes[0]).name}"
        )
    return found


def _check_options(path: Path, kind: Format, options: Options) -> None:
    """Refuses options that would have no effect."""
    for given, option in ((options.module, "--module"), (options.module_args, "--module-args")):
        if given and kind.module != "pytorch":
            raise CreateError(
                f"{option} is for PyTorch's files, {path} is {kind.name}: leave it out"
            )
    for said, option in ((options.inputs, "--input"), (options.ranges, "--range")):
        if said and kind.module == "hugging_face":
            raise CreateError(
                f"{option} is for models that take tensors, {path} takes text: leave it out"
            )
    names = [spec.name for spec in options.inputs]
    if len(set(names)) < len(names):
        raise CreateError(f"--input names one input twice: {', '.join(names)}")
    if options.module_args and not options.module:
        raise CreateError("--module-args is for the class of --module, which is missing")


def _files(path: Path, kind: Format) -> dict[str, Path]:
    if path.is_dir():
        folder = f"model{kind.extension}/" if not kind.converted else ""
        inside = [file for file in sorted(path.rglob("*")) if file.is_file()]
        return {f"{folder}{file.relative_to(path)}": file for file in inside}
    if kind.converted:
        return {path.name: path}
    files = {f"model{kind.extension}": path}
    if kind in onnx.FORMATS:
        for name in external_files(path):
            files[name] = _beside(path, name)
    # Weights are in a file of their own; a model without weights has none.
    for suffix in {".xml": (".bin",), ".pdmodel": (".pdiparams",)}.get(kind.extension, ()):
        weights = path.with_suffix(suffix)
        if weights.is_file():
            files[f"model{suffix}"] = weights
    return files


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
