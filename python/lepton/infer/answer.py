"""An answer as a person reads it, and as a program does."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from lepton.console import out
from lepton.datatypes import Array

if TYPE_CHECKING:
    from lepton._native import Answer, Model

# Rows of which the classes are shown.
_MOST_ROWS = 4
_MOST_LINES = 12
_BAR = 20
_CLASSES = ("logit", "prob", "score", "class", "softmax", "label")
_LONGEST_TEXT = 60


def show_output(name: str, datatype: str, array: Array, labels: list[str] | None, top: int) -> None:
    """Prints an output: its classes, the most likely first, or its values, shortened."""
    out.print(f"\n[bold]{escape(name)}[/]  {datatype} {escape(str(list(array.shape)))}")
    if not _tells_classes(name, array, labels):
        lines = _values(array).splitlines()
        out.print("\n".join(lines[:_MOST_LINES]), markup=False)
        if len(lines) > _MOST_LINES:
            out.print("[dim]and so on; --output keeps all[/]")
        return
    for row, values in enumerate(array[:_MOST_ROWS]):
        if len(array) > 1:
            out.print(f"[dim]row {row}[/]")
        out.print(_classes(values, labels, top))
    if len(array) > _MOST_ROWS:
        out.print(f"[dim]and {len(array) - _MOST_ROWS} more rows; --output keeps all[/]")


def _tells_classes(name: str, array: Array, labels: list[str] | None) -> bool:
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind != "f" or not len(array):
        return False
    if labels is not None:
        return bool(len(labels) == array.shape[1])
    return _are_probabilities(array) or any(word in name.lower() for word in _CLASSES)


def _are_probabilities(array: Array) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        sums = array.sum(axis=-1, dtype=np.float64)
    return bool((array >= 0).all() and (abs(sums - 1) < 1e-3).all())


def _classes(values: Array, labels: list[str] | None, top: int) -> Table:
    share = _are_probabilities(values)
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="left" if labels else "right", overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for index in np.argsort(-values, kind="stable")[:top]:
        value = float(values[index])
        called = labels[index] if labels else f"class {index}"
        bar = "█" * round(_BAR * value) if share else ""
        table.add_row(escape(called), f"{value:.1%}" if share else f"{value:.4g}", bar)
    return table


def _values(array: Array) -> str:
    if array.dtype.kind == "O":
        array = np.array([_shortened(one) for one in array.reshape(-1)[:1000]], dtype=np.object_)
    return np.array2string(
        array,
        max_line_width=max(20, out.width),
        threshold=32,
        edgeitems=3,
        precision=4,
        suppress_small=True,
    )


def _shortened(one: object) -> str:
    text = one.decode(errors="replace") if isinstance(one, bytes) else str(one)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


def show_timing(timing_ms: Mapping[str, float], total_ms: float) -> None:
    """Prints where the time went: the server's stations, and the rest between it and here."""
    stations = {**timing_ms, "elsewhere": max(0.0, total_ms - sum(timing_ms.values()))}
    table = Table.grid(padding=(0, 2))
    for _ in stations:
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*(f"[dim]{escape(name)}[/]" for name in stations))
    table.add_row(*(_milliseconds(ms) for ms in stations.values()))
    out.print()
    out.print(table)


def _milliseconds(ms: float) -> str:
    return f"{ms:.2f} ms" if ms < 100 else f"{ms:.0f} ms"


def for_machines(
    model: Model, answer: Answer, total_ms: float, notes: Mapping[str, str]
) -> dict[str, Any]:
    """Returns what --json prints; outputs are as in KServe v2."""
    types = {spec.name: spec.datatype for spec in model.outputs}
    return {
        "model": answer.model_name or model.name,
        "version": answer.model_version,
        "inputs": dict(notes),
        "outputs": [
            {
                "name": name,
                "datatype": types.get(name, ""),
                "shape": list(array.shape),
                "data": _data(array),
            }
            for name, array in answer.outputs.items()
        ],
        "timing_ms": dict(answer.timing_ms),
        "total_ms": total_ms,
    }


def _data(array: Array) -> Sequence[object]:
    return [
        one.decode(errors="replace") if isinstance(one, bytes) else one
        for one in array.reshape(-1).tolist()
    ]


def write_outputs(path: Path, outputs: Mapping[str, Array]) -> None:
    """Writes all outputs as an .npz file; texts as numpy's bytes.

    Raises:
        OSError: It cannot be written.
    """
    # numpy.savez() would take an output called "file" for its own argument.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, array in outputs.items():
            plain = array.astype(np.bytes_) if array.dtype.kind == "O" else array
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(plain), allow_pickle=False)
