"""What the pickles in PyTorch's files would import, found without unpickling."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import re
import zipfile
from pathlib import Path

from lepton.create.errors import CreateError

# torch.save() before 1.6 wrote pickles of protocol 2, of which the first is this number.
LEGACY_BEGIN = b"\x80\x02\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little")

# What the pickle of tensors may name; anything else might run code to be rebuilt. Names are given
# one by one: torch.load, for one, unpickles whatever file it is told to.
_HARMLESS = re.compile(
    r"torch\.(\w+Storage|Size|device|Tensor|(b?float|u?int|complex|q?u?int)\d+(_\w+)?|bool"
    r"|half|double|long|short|strided)"
    r"|torch\._utils\._rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state)"
    r"|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.storage\.(Untyped|Typed)Storage"
    r"|torch\.serialization\._get_layout"
    r"|torch\.nn\.parameter\.(Parameter|Buffer)"
    r"|collections\.(OrderedDict|defaultdict)"
)


def classes_of(path: Path) -> list[str]:
    """Returns what the pickle of torch.save() wants to import besides tensors."""
    if zipfile.is_zipfile(path):
        return _named(_saved(path.read_bytes()))
    return _named(_legacy_pickles(path.read_bytes(), path))


def classes_of_program(path: Path) -> list[str]:
    """Returns what the pickles in a .pt2 want to import besides tensors.

    torch.export.load() unpickles weights, constants and sample inputs without restriction where the
    archive asks for it.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if len(set(members)) < len(members):
            # Two readers may take different ones of them.
            raise CreateError(f"{path} is damaged (two members of one name), get it again")
        asked: set[str] = set()
        for name in members:
            if name.endswith("_config.json"):
                asked |= _asked_by(archive.read(name))
        streams: list[bytes] = []
        for name in members:
            base = name.rpartition("/")[2]
            raw = re.fullmatch(r"(weight|tensor)_\d+", base) and base not in asked
            if not raw and not name.endswith(".json"):
                streams += _saved(archive.read(name))
    return _named(streams)


def _asked_by(config: bytes) -> set[str]:
    """Returns the members that a list of weights or constants says are pickled."""
    try:
        entries = json.loads(config)["config"].values()
        return {str(entry["path_name"]) for entry in entries if entry.get("use_pickle", True)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()  # Not a list that PyTorch would take either.


def _named(streams: list[bytes]) -> list[str]:
    named: list[str] = []
    for stream in streams:
        for name in _globals(stream):
            if not _HARMLESS.fullmatch(name) and name not in named:
                named.append(name)
    return named


def _saved(data: bytes) -> list[bytes]:
    """Returns the pickles in what torch.save() or pickle wrote."""
    if not data.startswith(b"PK"):
        return [data]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith("data.pkl")]


def _legacy_pickles(data: bytes, path: Path) -> list[bytes]:
    """Returns the pickles that stand one after another: magic, protocol, system, object, keys."""
    stream, streams = io.BytesIO(data), []
    try:
        for _ in range(5):
            begin = stream.tell()
            for _opcode in pickletools.genops(stream):
                pass
            streams.append(data[begin : stream.tell()])
    except (ValueError, pickle.UnpicklingError):
        raise CreateError(f"{path} is cut short or damaged, get it again") from None
    return streams


def _globals(stream: bytes) -> list[str]:
    found: list[str] = []
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in ("GLOBAL", "INST"):
                found.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                # Its names may come from the memo: then those seen last are a wrong guess, which
                # must not pass for a harmless one.
                recent = ".".join(texts[-2:])
                found.append(recent if not _HARMLESS.fullmatch(recent) else f"{recent} or another")
            elif isinstance(argument, str):
                texts.append(argument)
    except ValueError:
        # What stands before the damage would be run.
        return found if not stream.startswith(b"\x80") else [*found, "what cannot be read"]
    return found
