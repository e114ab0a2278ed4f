"""The models of a server, with those that are not ready: `lepton models`, and hints for names."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from rich import box
from rich.markup import escape
from rich.table import Table

from lepton.admin import RefusedError, SilentError, ask
from lepton.console import BAD_INPUT, FAILED, fail, out
from lepton.endpoints import http_url
from lepton.hints import did_you_mean

TIMEOUT_S = 10.0
_STYLES = {"ready": "green", "loading": "yellow", "failed": "red"}
_FAILED = re.compile(r'model "([^"]+)" failed to load: ')
_LOADING = re.compile(r"(?:: |; )loading ([^;:]+)$")
# What the server says of a model that it does not have; no model has the name.
_THERE_ARE = re.compile(r'^no model " ", there are: (.*?)(?: and [0-9]+ more)?$')


@dataclass(frozen=True)
class ModelState:
    """A model as its server knows it; state is ready, loading, failed or unloaded, or Triton's."""

    name: str
    versions: tuple[str, ...]
    state: str
    reason: str


def why_not_ready(url: str) -> str | None:
    """Returns why the server is not ready, or None if it is.

    Raises:
        ValueError, SilentError: As ask().
        RefusedError: It knows no such question.
    """
    try:
        ask(url, "/v2/health/ready", timeout=TIMEOUT_S)
    except RefusedError as error:
        if error.bad_input:
            raise
        return str(error)
    return None


def model_states(url: str) -> list[ModelState]:
    """Returns all models that the server tells of, by name.

    Raises:
        ValueError, SilentError: As ask().
        RefusedError: It does not list its models.
    """
    http_url(url)  # Answers that are no JSON are ValueErrors too.
    names = served(url)
    if names is None:
        return _index(url)
    return [_state(url, name) for name in sorted({*names, *_others(url)})]


def hint_for_model(url: str, name: str) -> str:
    """Returns '; did you mean "digits"?' for a model that is not there, "" if none is near."""
    try:
        return did_you_mean(name, [model.name for model in model_states(url)])
    except (ValueError, RefusedError, SilentError):
        return ""


def served(url: str, timeout: float = TIMEOUT_S) -> list[str] | None:
    """Returns the models that are ready; None for a server that is not Lepton's."""
    with contextlib.suppress(RefusedError, ValueError):
        page = json.loads(ask(url, "/", timeout=timeout))
        if isinstance(page, dict) and isinstance(page.get("models"), list):
            return [str(name) for name in page["models"]]
    return None


def _others(url: str) -> set[str]:
    """Returns the models that are not ready, as far as the server's messages name them."""
    said = why_not_ready(url) or ""
    loading = _LOADING.search(said)
    names = {*_FAILED.findall(said), *(loading[1].split(", ") if loading else ())}
    try:
        ask(url, "/v2/models/%20", timeout=TIMEOUT_S)
    except RefusedError as error:
        there = _THERE_ARE.search(str(error))
        names.update(there[1].split(", ") if there and there[1] != "none" else ())
    return names


def _state(url: str, name: str) -> ModelState:
    try:
        told = _json(ask(url, f"/v2/models/{quote(name, safe='')}", timeout=TIMEOUT_S))
    except RefusedError as error:
        said = str(error)
        for state, words in (("failed", " failed to load: "), ("loading", " is loading")):
            prefix = f'model "{name}"{words}'
            if said.startswith(prefix):
                return ModelState(name, (), state, said.removeprefix(prefix))
        gone = said == f'model "{name}" is unloaded'
        return ModelState(name, (), "unloaded" if gone else "unknown", "" if gone else said)
    return ModelState(name, tuple(map(str, told.get("versions") or ())), "ready", "")


def _index(url: str) -> list[ModelState]:
    """Asks as Triton is asked."""
    try:
        entries = json.loads(ask(url, "/v2/repository/index", {}, timeout=TIMEOUT_S))
        if not isinstance(entries, list):
            raise TypeError
        by_name: dict[str, list[dict[str, Any]]] = {}
        for entry in entries:
            by_name.setdefault(str(entry["name"]), []).append(entry)
    except (RefusedError, TypeError, KeyError, ValueError):
        raise RefusedError(
            501, "the server does not list its models: KServe v2 has no request for it"
        ) from None
    return [
        ModelState(
            name,
            tuple(str(one["version"]) for one in entries if one.get("version")),
            _joined(str(one.get("state", "")).lower() for one in entries) or "unloaded",
            _joined(str(one.get("reason", "")) for one in entries),
        )
        for name, entries in sorted(by_name.items())
    ]


def _joined(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))


def _json(body: bytes) -> dict[str, Any]:
    told = json.loads(body)
    if not isinstance(told, dict):
        raise ValueError("expected an object")
    return told


def run_models(url: str, *, as_json: bool) -> None:
    """Prints the models of a server; ends the process if it does not tell them."""
    try:
        states = model_states(url)
    except (RefusedError, SilentError) as error:
        fail("models", str(error), FAILED, as_json)
    except ValueError as error:
        fail("models", str(error), BAD_INPUT, as_json)
    if as_json:
        print(json.dumps({"models": [asdict(state) for state in states]}))
        return
    if not states:
        out.print("The server has no models.")
        return
    reasons = any(state.reason for state in states)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("versions", overflow="fold")
    table.add_column("state", no_wrap=True)
    if reasons:
        table.add_column("reason", overflow="fold")
    for state in states:
        style = _STYLES.get(state.state, "")
        cells = [escape(state.name), ", ".join(state.versions) or "-"]
        cells.append(f"[{style}]{state.state}[/]" if style else escape(state.state))
        table.add_row(*cells, *([escape(state.reason)] if reasons else []))
    out.print(table)
