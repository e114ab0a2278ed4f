"""The commands that are written in Python, and the help that lists them all."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lepton.console import FAILED, die, err, out
from lepton.create import CreateError, create_service
from lepton.native import exec_server

_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
_STEPS = ("reading", "copying", "loading", "running", "measuring", "writing")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="A real-time AI inference server: a model file in, answers within their deadline out.",
    epilog="Begin with: [bold]lepton demo[/]",
)


@app.callback()
def _root() -> None:
    # SIGTERM as an exception: temporary files go, the server that a demo started is stopped.
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


@app.command(
    epilog="Examples:\n\n"
    "  lepton create --model_path resnet.onnx --output_path service\n\n"
    "  lepton create --model_path saved_model/ --output_path service --name resnet",
)
def create(
    model_path: Annotated[
        Path,
        typer.Option(
            "--model_path",
            "--model-path",
            help="The model: .onnx, .xml (OpenVINO IR), .pb, .tflite, .pdmodel, or the folder of a "
            "TensorFlow SavedModel.",
            show_default=False,
        ),
    ],
    output_path: Annotated[
        Path,
        typer.Option(
            "--output_path",
            "--output-path",
            help="The service folder; made where it is missing. It may hold several models.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="The model's name in requests. By default that of the file.", show_default=False
        ),
    ] = None,
) -> None:
    """Makes a service folder from a model file.

    Checks that the model loads, runs it once, measures its latency, and writes
    OUTPUT_PATH/NAME/VERSION with a report. The same name again makes the next version.
    """
    columns = (TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("starting", total=len(_STEPS))

        def show(step: str) -> None:
            bar.update(task, description=step, completed=_STEPS.index(step.split()[0]))

        try:
            service = create_service(model_path, output_path, name, progress=show)
        except CreateError as error:
            bar.stop()
            die("create", str(error))
        except OSError as error:
            bar.stop()
            die("create", f"{error.filename or output_path}: {error.strerror}", FAILED)
    runs = service.facts["latency"]
    speed = f", one row takes {runs[0]['p50_us'] / 1000:.3g} ms" if runs else ""
    out.print(f"[bold]{service.name}[/] version {service.version}{speed}")
    out.print(f"  report  {service.report}")
    out.print(f"  serve   lepton serve {output_path}")


@app.command(
    epilog="Examples:\n\n  lepton demo\n\n  lepton demo --once --port 9000",
)
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the answers.")] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to serve on. By default 8000, or a free one where that is taken.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
) -> None:
    """Serves a classifier of handwritten digits and sends it images that it has not seen.

    Shows each image with the answer over HTTP and gRPC and where the time went, says how to call
    the server yourself, and keeps serving until Ctrl-C.
    """
    from lepton.demo import run_demo

    run_demo(host=host, port=port, once=once)


@app.command(context_settings=_PASSED_ON)
def serve(context: typer.Context) -> None:
    """Serves one or more service folders; see lepton serve --help."""
    exec_server(["serve", *context.args])


@app.command(context_settings=_PASSED_ON)
def version(context: typer.Context) -> None:
    """Says which version this is."""
    exec_server(["version", *context.args])
