"""The only error of this package."""

from __future__ import annotations

import re


class CreateError(Exception):
    """The user's input cannot become a service; one line says why and what to do."""


# What the frameworks' messages hold besides their words: colors, codes, places in their sources.
_NOISE = re.compile(
    r"\x1b\[[0-9;]*m?"
    r"|\[ONNXRuntimeError\] : \d+ : \w+ : "
    r"|(?:/\S+/)?\w+\.(?:cc|cpp|h|hpp|py):\d+:? "
    r"|onnxruntime::[\w:<>~]+\([^)]*\)(?: const)? "
    r"|Non-zero status code returned while running "
    r"|(?:Name:'' )?Status Message: "
    r"|\{\{function_node \S+?\}\} ?|\{\{node (?=\S+?\}\})|\}\}(?= )"
)


def one_line(error: BaseException, limit: int = 400) -> str:
    """Returns an exception as one line, with its type if the text alone says too little."""
    text = str(error).strip()
    if "Traceback" in text:  # From TorchScript: the reason is its last line.
        text = text.splitlines()[-1].removeprefix("RuntimeError: ")
    text = re.sub(r"\s+", " ", _NOISE.sub("", text)).strip()
    kind = type(error).__name__
    if not text:
        return kind
    if len(text) > limit:
        text = text[:limit].rsplit(" ", 1)[0] + " ..."
    # ONNX Runtime's words, which only say that it failed.
    plain = ("CreateError", "RuntimeError", "Exception", "Fail", "RuntimeException")
    return text if kind in plain else f"{kind}: {text}"
