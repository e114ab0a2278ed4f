"""What `lepton infer` does: finds the model, makes its inputs, asks, and shows the answer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from lepton.console import BAD_INPUT, FAILED, fail, out
from lepton.endpoints import default_url, endpoints_of
from lepton.errors import InvalidInput, LeptonError, ModelNotFound
from lepton.hints import did_you_mean
from lepton.infer.answer import for_machines, show_output, show_timing, write_outputs
from lepton.infer.errors import InputError
from lepton.infer.inputs import Prepared, described, prepare
from lepton.infer.labels import labels_in, read_labels
from lepton.interrupt import end_at_once_in_native_code
from lepton.times import parse_time

if TYPE_CHECKING:
    from lepton import Client, Server
    from lepton._native import Answer, Model

_ENDPOINT = re.compile(r"(https?|grpcs?)://.*|(grpc\+)?unix:.*|[^/=@]+:[0-9]+")


_LEAST_PATIENCE_S = 1.0


@dataclass(frozen=True)
class Request:
    """The command line.

    Attributes:
        words: Where, the model, and the inputs; the first two may be left out.
        url: Where, in another way.
        version: Of the model; None for the latest.
        timeout: As it is written.
        labels: A file with the names of the classes.
        top: How many classes are shown.
        output: Where the outputs are written, or None.
    """

    words: Sequence[str]
    url: str | None
    version: str | None
    timeout: str
    labels: Path | None
    top: int
    output: Path | None


@dataclass(frozen=True)
class Place:
    """Where a model runs: on a server, or in this process, from a folder."""

    url: str | None
    folder: Path | None
    called: str  # For a person.
    model: str | None = None  # Known already.
    beside: Path | None = None  # The folder of the model's file.


def run_infer(request: Request, *, as_json: bool) -> None:
    """Infers once and prints the answer; ends the process if that fails."""
    try:
        _run(request, as_json)
    except (InvalidInput, ModelNotFound, InputError, ValueError) as error:
        fail("infer", str(error), BAD_INPUT, as_json)
    except LeptonError as error:
        fail("infer", str(error), FAILED, as_json)
    except OSError as error:
        fail(
            "infer",
            f"{error.filename or request.output}: {error.strerror or error}",
            FAILED,
            as_json,
        )


def _run(request: Request, as_json: bool) -> None:
    seconds = parse_time("--timeout", request.timeout)
    if request.output is not None and request.output.suffix != ".npz":
        raise InputError(f"--output {request.output} must end in .npz")
    place, named, given = parse_words(request.words, request.url)
    labels = read_labels(request.labels) if request.labels is not None else None
    with closing(_caller(place, seconds)) as caller:
        name = _model_name(caller, named or place.model)
        model = _model(caller, name, request.version)
        if labels is None and place.folder is not None:
            labels = labels_in(place.beside or _folder_of(place.folder, name))
        if not given and model.inputs:
            raise InputError(
                f'model "{name}" takes {", ".join(map(described, model.inputs))}; give each input '
                f"as NAME=VALUE or NAME=@FILE, see lepton infer --help"
            )
        prepared = prepare(given, model.inputs)
        start = time.perf_counter()
        answer = caller.infer(
            prepared.tensors, model=name, version=request.version, timeout=seconds
        )
        total_ms = 1000 * (time.perf_counter() - start)
    if request.output is not None:
        write_outputs(request.output, answer.outputs)
    if as_json:
        print(json.dumps(for_machines(model, answer, total_ms, prepared.notes)))
        return
    _show(place, model, answer, prepared, total_ms, labels, request.top)
    if request.output is not None:
        out.print(f"\noutputs  {escape(str(request.output))}")


def parse_words(words: Sequence[str], url: str | None) -> tuple[Place, str | None, list[str]]:
    """Returns where to ask, the model if one is named, and the inputs.

    Raises:
        InputError: There are too many words, or a place twice.
    """
    inputs = [word for word in words if "=" in word or word.startswith("@")]
    others = [word for word in words if word not in inputs]
    for word in others[1:]:
        if "," in word or word.startswith("[") or Path(word).is_file():
            value = f"@{word}" if Path(word).is_file() else word
            raise InputError(f'"{word}" is an input without a name; write NAME={value}')
    place = None
    # A word alone may be a place or a model; with --url it is the model.
    if others and (len(others) > 1 or url is None) and _is_place(others[0], len(others) > 1):
        place = others.pop(0)
    if len(others) > 1:
        raise InputError(
            f'what is "{others[1]}"? Write: lepton infer [URL|FOLDER|FILE] MODEL NAME=VALUE...'
        )
    if place is not None and url is not None:
        raise InputError(f"{place} and --url {url} both say where; leave one out")
    model = others[0] if others else None
    where = place or url or default_url()
    is_path = where == place or (where == url and Path(where).exists())
    if is_path and not _ENDPOINT.fullmatch(where):
        return _folder(Path(where)), model, inputs
    (endpoint,) = endpoints_of(where)
    return Place(endpoint, None, endpoint), model, inputs


def _is_place(word: str, is_first_of_two: bool) -> bool:
    path = Path(word)
    return bool(_ENDPOINT.fullmatch(word)) or path.exists() or "/" in word or is_first_of_two


def _folder(path: Path) -> Place:
    from lepton.create.errors import CreateError
    from lepton.model_files import linked_model

    try:
        linked = linked_model(path)
    except CreateError as error:
        raise InputError(str(error)) from None
    if linked is None:
        return Place(None, path, f"in this process, from {path}")
    beside = path if path.is_dir() else path.parent
    return Place(None, linked.repository, f"in this process, from {path}", linked.name, beside)


def _folder_of(repository: Path, model: str) -> Path:
    """Returns a model's folder; the repository itself may be one."""
    inside = repository / model
    return inside if inside.is_dir() else repository


def _caller(place: Place, seconds: float) -> Client | Server:
    from lepton import Client, Server

    if place.url is not None:
        # The deadline is that of the inference; to find the model may take longer.
        patience = max(seconds, _LEAST_PATIENCE_S)
        return Client(place.url, timeout=patience, connect_timeout=min(patience, 5.0))
    assert place.folder is not None
    end_at_once_in_native_code()
    return Server(place.folder, timeout=seconds, log_level="off", strict_readiness=False)


def _model_name(caller: Client | Server, named: str | None) -> str:
    if named is not None:
        return named
    names = caller.models()
    if len(names) != 1:
        there = f"there are: {', '.join(sorted(names))}" if names else "none is ready there"
        raise InputError(f"name the model: lepton infer MODEL NAME=VALUE...; {there}")
    return names[0]


def _model(caller: Client | Server, name: str, version: str | None) -> Model:
    try:
        return caller.model(name, version)
    except ModelNotFound as error:
        if f'"{name}"' not in str(error) or "version" in str(error):
            raise
        hint = did_you_mean(name, caller.models())
        raise InputError(f"{error}{hint}") from None


def _show(
    place: Place,
    model: Model,
    answer: Answer,
    prepared: Prepared,
    total_ms: float,
    labels: list[str] | None,
    top: int,
) -> None:
    version = f" version {escape(answer.model_version)}" if answer.model_version else ""
    where = place.called if place.url is None else f"at {place.called}"
    out.print(
        f"[bold]{escape(model.name)}[/]{version} {escape(where)}: answered in {total_ms:.2f} ms"
    )
    for name, note in prepared.notes.items():
        if note:
            out.print(f"  {escape(name)}  [dim]{escape(note)}[/]")
    types = {spec.name: spec.datatype for spec in model.outputs}
    for name, array in answer.outputs.items():
        show_output(name, types.get(name, ""), array, labels, top)
    show_timing(answer.timing_ms, total_ms)
