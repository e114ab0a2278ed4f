"""The names of a model's classes."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from lepton.infer.errors import InputError


def read_labels(path: Path) -> list[str]:
    """Returns the lines of a file, the first for class 0.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "is not text in UTF-8"
        raise InputError(f"labels {path}: {what}") from None


def labels_in(folder: Path) -> list[str] | None:
    """Returns the labels that lie in a model's folder, or None.

    They are in the file that its config.pbtxt names as label_filename, as in Triton, or labels.txt.
    """
    names: list[str] = []
    with contextlib.suppress(OSError, UnicodeDecodeError):  # The server says what is wrong with it.
        config = (folder / "config.pbtxt").read_text(encoding="utf-8")
        names = re.findall(r'label_filename\s*:\s*"([^"/]+)"', config)
    path = folder / (names or ["labels.txt"])[0]
    return read_labels(path) if path.is_file() else None
