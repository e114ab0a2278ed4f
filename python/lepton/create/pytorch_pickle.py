"""Finds what the pickles in a file would import, without unpickling them."""

from __future__ import annotations

import io
import json
import pickletools
import re
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lepton.create.archives import DAMAGED
from lepton.create.errors import CreateError

# Before 1.6, torch.save() wrote several pickles of protocol 2, the first of which is this number.
LEGACY_BEGIN = b"\x80\x02\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
UNREADABLE = "what cannot be read"

# What the pickle of tensors may name; anything else might run code when it is rebuilt. Names are
# listed one by one, since torch.load, for one, unpickles whatever file it is told to.
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
# What TorchScript's own reader accepts besides; none of it is Python's.
_OF_TORCHSCRIPT = re.compile(
    r"__torch__\.(?!torch\.classes\.).*|__torch__\.torch\.classes\.(quantized|rnn)\.\w+"
    r"|torch\.jit\._pickle\.\w+"
)
# Members that are read as bytes or text, whatever they hold.
_RAW = re.compile(
    r"(.*/)?(data/\d+|constants/\d+|(weight|tensor)_\d+|version|byteorder|archive_format"
    r"|archive_version|serialization_id|\.format_version|\.storage_alignment|[^/]+\.(json|py|h5|txt))"
)
_IDENTIFIERS = re.compile(r"[^\W\d][\w.]*")
_PICKLES_OF_LEGACY = 5  # Magic number, protocol, system, object, keys of tensors.
_DEEPEST = 4  # Maximum depth of archives in archives.
_LARGEST_UNPACKED = 1 << 30  # For a member that is compressed, or is an archive itself.
_WIDE = (1 << 32) - 1  # Stands for a number that does not fit in 32 bits.
_ZIP = b"PK\x03\x04"


def classes_of(path: Path) -> list[str]:
    """Returns what the pickles of torch.save() would import besides tensors.

    Raises:
        CreateError: It is damaged.
    """
    with path.open("rb") as file:
        if file.read(len(_ZIP)) == _ZIP:
            return named_in_archive(path)
        file.seek(0)
        pickles = list(_pickles(file, strict=True))
    if len(pickles) < _PICKLES_OF_LEGACY:
        raise CreateError(f"{path} is cut short or damaged; get it again")
    return _distinct(pickles)


def named_in_archive(path: Path, *, scripted: bool = False, unpickled: bool = True) -> list[str]:
    """Returns what the pickles in a zip archive would import besides tensors.

    Args:
        path: The archive; pickles are found in members of any name.
        scripted: Whether only TorchScript's reader will unpickle it.
        unpickled: Whether anything will be unpickled; then a broken pickle is suspicious.

    Raises:
        CreateError: It is damaged, or two readers may find different members in it.
    """
    with path.open("rb") as file:
        try:
            found = _distinct(_in_archive(file, 0, unpickled=unpickled))
        except DAMAGED as error:
            raise CreateError(f"{path} is damaged ({error}); get it again") from None
    return [name for name in found if not (scripted and _OF_TORCHSCRIPT.fullmatch(name))]


def _distinct(streams: Iterator[list[str]] | list[list[str]]) -> list[str]:
    return list(dict.fromkeys(name for stream in streams for name in stream))


def _check_end(file: IO[bytes]) -> None:
    """Refuses an archive in which readers may find different lists of members.

    Some readers go by the list's offset in the archive's end record, others by its size.
    """
    size = file.seek(0, io.SEEK_END)
    begin = max(0, size - (1 << 16) - 22 - 76)
    file.seek(begin)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + 22 > len(tail):
        raise zipfile.BadZipFile("without its end")
    length, place, comment = struct.unpack("<LLH", tail[end + 12 : end + 22])
    list_ends = end
    if end >= 76 and tail[end - 20 : end - 16] == b"PK\x06\x07":
        list_ends = end - 76  # The start of the end record of a 64-bit archive.
        if tail[list_ends : list_ends + 4] != b"PK\x06\x06":
            raise zipfile.BadZipFile("its end is elsewhere")
        wide_length, wide_place = struct.unpack("<QQ", tail[list_ends + 40 : list_ends + 56])
        if length not in (wide_length, _WIDE) or place not in (wide_place, _WIDE):
            raise zipfile.BadZipFile("two lists of members")
        length, place = wide_length, wide_place
    if place + length != begin + list_ends or end + 22 + comment != len(tail):
        raise zipfile.BadZipFile("its end is elsewhere")


def _in_archive(file: IO[bytes], depth: int, *, unpickled: bool) -> Iterator[list[str]]:
    if depth > _DEEPEST:
        yield [UNREADABLE]
        return
    _check_end(file)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # PyTorch's reader ignores case.
        names = [member.filename.lower() for member in members]
        if len(set(names)) < len(names):
            # Two readers may pick different ones.
            raise zipfile.BadZipFile("two members of one name")
        asked = {
            name
            for member in members
            if member.filename.lower().endswith("_config.json")
            and member.file_size < _LARGEST_UNPACKED
            for name in _asked_by(archive.read(member))
        }
        for member in members:
            packed = member.compress_type != zipfile.ZIP_STORED
            if packed and member.file_size > _LARGEST_UNPACKED:
                yield [UNREADABLE]
                continue
            with archive.open(member) as content:
                name = member.filename.lower()
                raw = _RAW.fullmatch(name) and name.rpartition("/")[2] not in asked
                strict = unpickled and not raw
                yield from _in_member(content, member, depth, strict=strict)


def _in_member(
    content: IO[bytes], member: zipfile.ZipInfo, depth: int, *, strict: bool
) -> Iterator[list[str]]:
    name = member.filename
    begin = content.read(tarfile.BLOCKSIZE)
    content.seek(0)
    if begin.startswith(b"\x7fELF") or "aotinductor" in name.lower().split("/"):
        yield [f"native code ({name})"]
    elif begin.startswith(_ZIP):
        if member.file_size > _LARGEST_UNPACKED:
            yield [UNREADABLE]
        else:
            yield from _in_archive(io.BytesIO(content.read()), depth + 1, unpickled=strict)
    elif strict and _is_tar(begin):
        yield [f"a tar archive ({name})"]
    elif begin.startswith(b"\x93NUMPY"):
        # An array of objects is a pickle, after a header line that says so.
        if re.search(rb"'descr':[^}]*O", begin):
            yield [f"an array of objects ({name})"]
    else:
        yield from _pickles(content, strict=strict)


def _is_tar(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _asked_by(config: bytes) -> set[str]:
    """Returns the members that a list of weights or constants declares as pickled."""
    try:
        entries = list(json.loads(config)["config"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()  # PyTorch would not accept it either.
    return {
        str(entry.get("path_name")).rpartition("/")[2].lower()
        for entry in entries
        if isinstance(entry, dict) and entry.get("use_pickle", True)
    }


def _pickles(stream: IO[bytes], *, strict: bool) -> Iterator[list[str]]:
    """Yields what each of several consecutive pickles would import.

    Args:
        stream: Positioned where the first begins, if it is one.
        strict: Whether a broken pickle is suspicious. It is, if the file will be unpickled: what
            stands before the damage would run.
    """
    for count in range(_PICKLES_OF_LEGACY):
        begin = stream.read(1)
        if not begin:
            return
        stream.seek(-1, io.SEEK_CUR)
        whole, found = _globals(stream, strict=strict)
        if not whole:
            if strict and begin == b"\x80" and not count:
                found.append(UNREADABLE)
            if found:
                yield found
            return
        yield found


def _operations(stream: IO[bytes]) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # About escapes in what is not text.
        yield from pickletools.genops(stream)


def _globals(stream: IO[bytes], *, strict: bool) -> tuple[bool, list[str]]:
    """Returns whether a pickle is whole, and what it names besides tensors."""
    found: list[str] = []
    texts: list[str] = []
    try:
        for opcode, argument, _ in _operations(stream):
            if opcode.name in ("GLOBAL", "INST"):
                found.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                # Its names may come from the memo: those seen last are then a wrong guess, which
                # must not pass for a harmless one.
                recent = ".".join(texts[-2:])
                found.append(recent if not _HARMLESS.fullmatch(recent) else f"{recent} or another")
            elif opcode.name.startswith("EXT"):
                found.append(f"extension {argument}")
            elif isinstance(argument, str):
                texts = [*texts[-1:], argument]
        whole = True
    except ValueError as error:
        whole = False
        # Python itself may read on after an argument that its tools find malformed.
        if strict and "unknown" not in str(error) and "exhausted" not in str(error):
            found.append(UNREADABLE)
    except (EOFError, OverflowError, MemoryError, UnicodeError):
        whole = False
        found.append(UNREADABLE)
    return whole, [
        name
        for name in dict.fromkeys(found)
        if not _HARMLESS.fullmatch(name) and (strict or _IDENTIFIERS.fullmatch(name))
    ]
