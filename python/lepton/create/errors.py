"""The one error of this package."""

from __future__ import annotations

import re


class CreateError(Exception):
    """The user's input cannot become a service; one line that says why and what to do."""


def one_line(error: BaseException, limit: int = 400) -> str:
    """Returns what an exception says as one line: its type where the text alone says too little."""
    text = str(error).strip()
    if "Traceback" in text:  # TorchScript's: the reason is its last line.
        text = text.splitlines()[-1].removeprefix("RuntimeError: ")
    text = re.sub(r"\s+", " ", text)
    kind = type(error).__name__
    if not text:
        return kind
    if len(text) > limit:
        text = text[:limit].rsplit(" ", 1)[0] + " ..."
    return text if kind in ("CreateError", "RuntimeError", "Exception") else f"{kind}: {text}"
