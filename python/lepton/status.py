"""What `lepton status` prints: whether a server is there and ready, and what it has done."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from typing import Any

from rich.markup import escape
from rich.table import Table

from lepton.admin import RefusedError, SilentError, ask
from lepton.console import BAD_INPUT, FAILED, fail, out
from lepton.models import TIMEOUT_S, ModelState, model_states, why_not_ready

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_OUTCOME = re.compile(r'outcome="([^"]*)"')


def run_status(url: str, *, as_json: bool) -> None:
    """Prints the status; ends the process with code 1 if the server is not ready."""
    try:
        status = status_of(url)
    except (RefusedError, SilentError) as error:
        fail("status", str(error), FAILED, as_json)
    except ValueError as error:
        fail("status", str(error), BAD_INPUT, as_json)
    if as_json:
        print(json.dumps(status))
    else:
        _show(status)
    if not status["ready"]:
        raise SystemExit(FAILED)


def status_of(url: str) -> dict[str, Any]:
    """Returns what a server says of itself; what it does not say is left out.

    Raises:
        ValueError: `url` is no endpoint.
        RefusedError, SilentError: No inference server answers there.
    """
    reason = why_not_ready(url)
    status: dict[str, Any] = {"url": url, "ready": reason is None, "reason": reason}
    with contextlib.suppress(RefusedError, ValueError, AttributeError):
        told = json.loads(ask(url, "/v2", timeout=TIMEOUT_S))
        status |= {"name": told.get("name"), "version": told.get("version")}
    with contextlib.suppress(RefusedError, ValueError):
        status["models"] = _counted(model_states(url))
    with contextlib.suppress(RefusedError):
        status |= _work(ask(url, "/metrics", timeout=TIMEOUT_S).decode(errors="replace"))
    return status


def _counted(models: list[ModelState]) -> dict[str, int]:
    return dict(Counter(model.state for model in models))


def _work(page: str) -> dict[str, Any]:
    """Returns what the metrics say of requests and connections."""
    outcomes: Counter[str] = Counter()
    work: dict[str, Any] = {}
    for name, labels, value in _SAMPLE.findall(page):
        outcome = _OUTCOME.search(labels)
        if name == "lepton_requests_total" and outcome:
            outcomes[outcome[1]] += int(float(value))
        elif name == "lepton_pending_requests":
            work["pending"] = work.get("pending", 0) + int(float(value))
        elif name == "lepton_connections":
            work["connections"] = int(float(value))
    if outcomes or work:
        work["requests"] = dict(outcomes)
    return work


def _show(status: dict[str, Any]) -> None:
    named = " ".join(str(status[key]) for key in ("name", "version") if status.get(key))
    out.print(f"[bold]{escape(named or 'a server')}[/] at {escape(status['url'])}")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    reason = str(status["reason"]).removeprefix("the server is not ready: ")
    table.add_row("ready", "[green]yes[/]" if status["ready"] else f"[red]no[/]: {escape(reason)}")
    if "models" in status:
        counts = (f"{count} {state}" for state, count in status["models"].items())
        table.add_row("models", ", ".join(counts) or "none")
    if "requests" in status:
        done = {"ok": 0, **status["requests"]}
        counts = (f"{count:,} {name}" for name, count in done.items() if count or name == "ok")
        waiting = f"; {status.get('pending', 0)} waiting or running"
        table.add_row("requests", escape(", ".join(counts) + waiting))
    if "connections" in status:
        # This question has one of them.
        table.add_row("connections", str(max(0, status["connections"] - 1)))
    out.print(table)
