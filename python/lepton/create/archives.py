"""Zip archives that may be damaged."""

from __future__ import annotations

import contextlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from lepton.create.errors import CreateError, one_line

# What is raised of an archive: by zipfile, of features that it lacks and of passwords too,
# by the decompressors, and by the system for places that are none.
DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    OSError,
)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens an archive to read.

    Raises:
        CreateError: It is damaged, which may be seen only as it is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DAMAGED as error:
        raise CreateError(f"{path} is damaged ({one_line(error, 120)}), get it again") from None
