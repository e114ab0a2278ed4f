"""The pages of the documentation, and their blocks of code.

A block is run unless a comment of HTML before it, which no reader sees, says why not:

    <!-- not run: it needs a second machine -->

What a page assumes, such as a service that the reader has by now, is made by another comment:

    <!-- run first: lepton create --model_path model.onnx --output_path service -->
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lepton_server import ROOT

# "console" has output between its commands, which begin with "$ ".
RUN = ("bash", "console", "python")
# Drawings, output, files; the blocks of C++ are built by tests/install.
SHOWN = ("text", "json", "yaml", "prototext", "cmake", "cpp")

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>not run|run first):\s(?P<said>(?:(?!-->).)+?)\s-->\n+)?"
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        line: Where its code begins in the page.
        run_first: What the page assumes at this point, as commands; nothing if empty.
        not_run: Why it is not run; empty if it is.
    """

    language: str
    code: str
    line: int
    run_first: str
    not_run: str


def pages(*folders: str) -> list[Path]:
    """Returns the pages of these folders of docs/, and the README."""
    found = [page for folder in folders for page in (ROOT / "docs" / folder).glob("*.md")]
    return [ROOT / "README.md", *sorted(found)]


def blocks(page: Path) -> list[Block]:
    """Returns the blocks of a page in their order."""
    text = page.read_text()
    return [
        Block(
            language=found["language"],
            code=found["code"],
            line=text.count("\n", 0, found.start("code")) + 1,
            run_first=found["said"] if found["mark"] == "run first" else "",
            not_run=found["said"] if found["mark"] == "not run" else "",
        )
        for found in _BLOCK.finditer(text)
    ]
