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

# Exceptions that an archive may raise: from zipfile (also for missing features and passwords), from
# the decompressors, and from the system for invalid offsets.
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
    """Opens an archive for reading.

    Raises:
        CreateError: It is damaged, which may show only while it is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DAMAGED as error:
        raise CreateError(f"{path} is damaged ({one_line(error, 120)}); get it again") from None
