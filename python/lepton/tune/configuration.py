"""The configuration of a model, as the server reports it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lepton.admin import RefusedError, SilentError, ask
from lepton.models import hint_for_model

# Shown in this order; the server may have more.
SETTINGS = (
    "max_batch_size",
    "instances",
    "threads",
    "policy",
    "default_deadline_ms",
    "max_queue_size",
    "max_queue_bytes",
    "weight",
    "max_queue_delay_us",
    "preferred_batch_sizes",
)
# Loading a model anew takes as long as compiling it.
_TIMEOUT_S = 600
_NOT_FOUND = 404


class TuneError(Exception):
    """A failure, described for a person.

    Attributes:
        bad_input: Whether the request was at fault, not the server.
    """

    def __init__(self, message: str, *, bad_input: bool = False) -> None:
        super().__init__(message)
        self.bad_input = bad_input


@dataclass(frozen=True)
class Setting:
    """One setting: its value as text, and who chose it."""

    name: str
    value: str
    origin: str  # "default", "configured", "tuned" or "changed".


def settings_of(config: Mapping[str, Any]) -> list[Setting]:
    """Returns the changeable settings of a configuration that the server reported."""
    parameters = {
        name: entry.get("string_value", "") for name, entry in config["parameters"].items()
    }
    origins = {
        name: origin
        for origin in ("configured", "tuned", "changed")
        for name in parameters.get(f"settings_{origin}", "").split(",")
    }
    return [
        Setting(name, parameters[name], origins.get(name, "default"))
        for name in SETTINGS
        if name in parameters
    ]


def to_value(text: str) -> object:
    """Returns a flag's text in the form that the server takes: a number, list or text."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    if "," in text:
        try:
            return [int(entry) for entry in text.split(",")]
        except ValueError:
            pass
    return [] if text == "none" else text


def fetch(
    url: str, model: str, version: str | None, change: Mapping[str, object] | None
) -> dict[str, Any]:
    """Returns the configuration in force, after `change` if that is not None.

    Raises:
        TuneError: The server cannot be reached, or refuses and says why.
    """
    path = f"/v2/models/{quote(model, safe='')}"
    if version is not None:
        path += f"/versions/{quote(version, safe='')}"
    try:
        told: dict[str, Any] = json.loads(ask(url, path + "/config", change, timeout=_TIMEOUT_S))
    except RefusedError as error:
        hint = hint_for_model(url, model) if error.status == _NOT_FOUND and not version else ""
        raise TuneError(f"{error}{hint}", bad_input=error.bad_input) from error
    except SilentError as error:
        raise TuneError(str(error)) from error
    except json.JSONDecodeError as error:
        raise TuneError(f"{url} does not answer as a Lepton server does: {error}") from error
    except ValueError as error:
        raise TuneError(str(error), bad_input=True) from error
    return told
