"""The commands that are written in Python, and the help that lists them all."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Annotated, NoReturn

import typer

from lepton.cli import bench, completion, create, infer, tune
from lepton.cli.help import Command
from lepton.cli.usage import refuse
from lepton.console import BAD_INPUT
from lepton.endpoints import DEFAULT_URL, URL_VARIABLE
from lepton.native import exec_server
from lepton.serve_command import become_server

_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}

app = typer.Typer(
    add_completion=False,
    # Panels would cut words in narrow terminals.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="A real-time AI inference server: a model file in, answers within their deadline out.",
    epilog="Begin with: lepton demo",
)


def run(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line, by default this process's, and ends the process."""
    completion.set_up()
    try:
        code = app(arguments, prog_name="lepton", standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        refuse(error)
    raise SystemExit(code)


@app.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise SystemExit(BAD_INPUT)
    # SIGTERM becomes an exception: temporary files are removed, and a demo's server is stopped.
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


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


def slow(
    url: Annotated[
        str, typer.Option(envvar=URL_VARIABLE, help="The server, or its admin listener.")
    ] = DEFAULT_URL,
    model: Annotated[
        str | None,
        typer.Option(
            help="Only of this model.",
            show_default=False,
            autocompletion=completion.model_names,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=64, help="Most rows of each table.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON of the server.")] = False,
) -> None:
    """Shows the slowest requests of a server, and where the time of each went."""
    from lepton.slow import run_slow

    run_slow(url=url, model=model, limit=limit, as_json=as_json)


def models(
    url: Annotated[str, typer.Option(envvar=URL_VARIABLE, help="The server.")] = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Lists the models of a server: versions, state, and why one is not ready."""
    from lepton.models import run_models

    run_models(url, as_json=as_json)


def status(
    url: Annotated[str, typer.Option(envvar=URL_VARIABLE, help="The server.")] = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Says whether a server is there and ready, and what it has done.

    The exit code is 0 only if it is ready.
    """
    from lepton.status import run_status

    run_status(url, as_json=as_json)


def version(context: typer.Context) -> None:
    """Says which version this is."""
    exec_server(["version", *context.args])


def serve(context: typer.Context) -> None:
    """Serves models: folders of them, or their files."""
    if {"--help", "-h"} & set(context.args):
        from lepton.cli.serve_help import show_help

        show_help()
        return
    become_server(context.args)


_EXAMPLES = {
    demo: ("demo", "demo --once --port 9000"),
    models: ("models", "models --url http://gpu-7:8000 --json"),
    slow: ("slow", "slow --url http://gpu-7:8003 --model resnet"),
    status: ("status", "status --json || systemctl restart lepton"),
}


def _examples(command: Callable[..., None]) -> str:
    return "\n\n".join(["Examples:", *(f"  lepton {line}" for line in _EXAMPLES[command])])


# In the order of the help that lists them.
app.command(cls=Command, epilog=create.EPILOG)(create.create)
app.command(cls=completion.ServeCommand, context_settings=_PASSED_ON)(serve)
app.command(cls=Command, epilog=infer.EPILOG)(infer.infer)
app.command(cls=Command, epilog=_examples(models))(models)
app.command(cls=Command, epilog=_examples(status))(status)
app.command(cls=Command, epilog=bench.EPILOG)(bench.bench)
app.command(cls=Command, epilog=_examples(slow))(slow)
app.command(cls=Command, epilog=tune.EPILOG)(tune.tune)
app.command(cls=Command, epilog=_examples(demo))(demo)
app.command(cls=Command, epilog=completion.EPILOG)(completion.completion)
app.command(cls=Command, context_settings=_PASSED_ON)(version)
