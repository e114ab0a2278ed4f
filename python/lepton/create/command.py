"""What `lepton create` shows while it works, and what it says at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lepton.console import BAD_INPUT, FAILED, err, fail, out
from lepton.create.errors import CreateError
from lepton.create.facts import CheckFacts, SignatureFacts
from lepton.create.last_service import remember
from lepton.create.options import Options, parse_input, parse_module_args, parse_ranges
from lepton.create.service import Service, create_service, default_name
from lepton.interrupt import INTERRUPTED, interruptible

# The first words of the steps, in their order; copying takes the place of converting.
_STEPS = ("reading", "loading", "converting", "running", "comparing", "measuring", "writing")
_PLACES = {**{step: place for place, step in enumerate(_STEPS)}, "copying": 0}


def run_create(
    models: Sequence[Path],
    output_path: Path | None,
    name: str | None,
    given: dict[str, Any],
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Creates a service and prints what was made; ends the process if that fails.

    Args:
        models: The model, as the command line names it: exactly once.
        output_path: The service folder; when None, one that is called like the model.
        name: The model's name, or None.
        given: The fields of Options, as given on the command line.
        as_json: Whether to print one JSON object instead of words.
        quiet: Whether to print nothing but errors.
    """
    try:
        model_path = _only_one(models)
        output_path = output_path or default_output(model_path, name)
        texts = {
            "inputs": tuple(parse_input(text) for text in given["inputs"]),
            "ranges": parse_ranges(given["ranges"]),
            "module_args": parse_module_args(given["module_args"]),
        }
        options = Options(**{**given, **texts})
        with interruptible(), _progress(hidden=as_json or quiet) as show:
            service = create_service(model_path, output_path, name, options=options, progress=show)
    except CreateError as error:
        fail("create", str(error), BAD_INPUT, as_json)
    except OSError as error:
        what = error.strerror or str(error)
        fail("create", f"{error.filename or output_path}: {what}", FAILED, as_json)
    except KeyboardInterrupt:
        fail("create", "interrupted, nothing was written", INTERRUPTED, as_json)
    remember(output_path)
    if as_json:
        print(json.dumps(_for_machines(service)))
    elif not quiet:
        _tell(service)


def _only_one(models: Sequence[Path]) -> Path:
    if not models:
        raise CreateError("name the model's file: lepton create model.onnx")
    if len(set(models)) > 1:
        raise CreateError(f"{models[0]} and {models[1]} are both named, expected one model")
    return models[0]


def default_output(model_path: Path, name: str | None) -> Path:
    """Returns the service folder for a user who names none: ./NAME.

    Raises:
        CreateError: A folder of that name holds something else.
    """
    name = name or default_name(model_path)
    folder = Path(name)
    if model_path.is_dir() and folder.resolve() == model_path.resolve():
        folder = Path(f"{name}-service")  # The model is not written into itself.
    if folder.is_dir() and any(folder.iterdir()) and not (folder / name / "lepton.json").exists():
        raise CreateError(
            f"{folder}/ is there, and holds no service of this model; name the service folder: "
            "--output_path service"
        )
    return folder


def _tell(service: Service) -> None:
    runs = service.facts["latency"]
    what = "row" if len(runs) > 1 else "run"
    speed = f", one {what} takes {runs[0]['p50_us'] / 1000:.3g} ms" if runs else ""
    out.print(f"[bold]{escape(service.name)}[/] version {service.version}{speed}")
    out.print(f"  check   {escape(_verdict(service.facts['check'], service.facts['signature']))}")
    for note in service.facts.get("notes", []):
        out.print(f"  note    {escape(note)}")
    out.print(f"  report  {escape(str(service.report))}")
    out.print(f"  serve   lepton serve {escape(str(service.repository))}")


def _verdict(check: CheckFacts, signature: SignatureFacts) -> str:
    if check["against"] is None:
        return f"not compared: {check['skipped']}"
    if any(output.get("shapes") for output in check["outputs"]):
        return f"answers DIFFERENTLY from {check['against']}, in other shapes"
    differences = [
        (output["max_rel"] if output["equal"] is None else 1 - output["equal"])
        if output["max_rel"] is not None or output["equal"] is not None
        else float("inf")
        for output in check["outputs"]
    ]
    worst = max(one for one in differences if one is not None)
    how = "as" if check["passed"] else "DIFFERENTLY from"
    # Only rows of classes, not images.
    rows = {tensor["name"] for tensor in signature["outputs"] if len(tensor["shape"]) == 2}
    tops = [
        output["top1"]
        for output in check["outputs"]
        if output["top1"] is not None and output["name"] in rows
    ]
    top1 = f"top-1 agrees in {min(tops):.0%}, " if tops else ""
    cosines = [one for output in check["outputs"] if (one := output.get("cosine")) is not None]
    # Beyond the tolerance, other figures have decided.
    beyond = check["passed"] and worst > check["tolerance"] and cosines
    alike = f", cosine {min(cosines):.5f}" if beyond else ""
    return (
        f"answers {how} {check['against']}, {top1}difference {worst:.2g} of the largest value"
        f"{alike}"
    )


def _for_machines(service: Service) -> dict[str, Any]:
    return {
        "name": service.name,
        "version": service.version,
        "service": str(service.repository),
        "report": str(service.report),
        "facts": service.facts,
    }


@contextmanager
def _progress(*, hidden: bool) -> Iterator[Callable[[str], None]]:
    """Shows the current step and how long it has taken; on a terminal only."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[place]}/{task.total:.0f} {task.description:<36}"),
        BarColumn(),
        TimeElapsedColumn(),
    )
    hidden = hidden or not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task("starting", total=len(_STEPS), place=1)

        def show(step: str) -> None:
            place = _PLACES[step.split()[0]]
            bar.update(task, description=escape(step), completed=place, place=place + 1)

        yield show
