"""What `lepton tune` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from lepton.console import BAD_INPUT, FAILED, fail, out
from lepton.tune.configuration import SETTINGS, TuneError, fetch, settings_of, to_value

_STYLES = {"configured": "cyan", "tuned": "green", "changed": "yellow"}


def run_tune(
    model: str,
    version: str | None,
    url: str,
    flags: Mapping[str, str | None],
    *,
    save: bool,
    as_json: bool,
) -> None:
    """Shows the configuration in force, after changes if flags ask for any.

    Args:
        model: Its name on the server.
        version: None for the latest.
        url: The server's URL.
        flags: Settings by name; None for those that stay.
        save: Whether the change is written to config.pbtxt too.
        as_json: Whether to print the server's answer instead of a table.
    """
    change: dict[str, object] = {
        name: to_value(text) for name, text in flags.items() if text is not None
    }
    if save:
        change["save"] = True
    try:
        told = fetch(url, model, version, change or None)
    except TuneError as error:
        fail("tune", str(error), BAD_INPUT if error.bad_input else FAILED, as_json)
    if as_json:
        print(json.dumps(told))
        return
    if change:
        _tell_change(told)
    _tell_settings(told)


def _tell_change(told: Mapping[str, Any]) -> None:
    for name, step in told["changed"].items():
        before, after = (_text(step[side]) for side in ("from", "to"))
        out.print(f"[bold]{escape(name)}[/]  {escape(before)} -> {escape(after)}")
    if not told["changed"]:
        out.print("Nothing to change: it is as you ask.")
    elif told["reloaded"]:
        out.print("[dim]The model was loaded anew; no request was refused for it.[/]")
    if told["saved_to"]:
        out.print(f"[dim]Saved in {escape(told['saved_to'])}.[/]")
    elif told["changed"]:
        out.print("[dim]Until the server ends; --save keeps it.[/]")
    out.print()


def _tell_settings(told: Mapping[str, Any]) -> None:
    out.print(settings_table(told))


def settings_table(told: Mapping[str, Any]) -> Table:
    """Returns each setting with its value and who chose it; long texts are folded, never cut."""
    table = Table(box=box.SIMPLE_HEAD, title=None, pad_edge=False)
    table.add_column(escape(told["name"]), overflow="fold", min_width=max(map(len, SETTINGS)))
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("from", no_wrap=True)
    running = told["instance_group"][0]["count"]
    for setting in settings_of(told):
        value = setting.value or "none"
        if value.startswith("auto:"):
            value += f" ({running} now)"
        style = _STYLES.get(setting.origin, "dim")
        table.add_row(setting.name, escape(value), f"[{style}]{setting.origin}[/]")
    return table


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return str(value)
