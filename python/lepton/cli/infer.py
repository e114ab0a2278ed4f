"""The arguments of `lepton infer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lepton.cli.completion import model_names

EPILOG = (
    "Examples:\n\n"
    "  lepton infer digits image=@seven.png\n\n"
    "  lepton infer minilm 'text=How fast is it?'\n\n"
    "  lepton infer iris x=5.1,3.5,1.4,0.2 --json\n\n"
    "  lepton infer grpc://10.0.0.5:8000 resnet image=@cat.jpg --labels labels.txt\n\n"
    "  lepton infer resnet.onnx @inputs.npz --output outputs.npz\n\n"
    "  lepton infer service/ digits @images.npy"
)


def infer(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[URL|FOLDER|FILE] MODEL NAME=VALUE...",
            help="The model, and its inputs: numbers (1,2,3 or [[1,2],[3,4]]), text, or a "
            "file: @x.npy, @all.npz, @picture.png, @text.txt. The model may be left out where "
            "there is one, and so may the name of an only input before @. A folder of models or a "
            "model's file in place of a server runs in this process.",
            show_default=False,
            autocompletion=model_names,
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="The server, or a folder or file of a model. By default LEPTON_URL, or "
            "http://127.0.0.1:8000.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Of the model. By default the latest.", show_default=False)
    ] = None,
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="The request's deadline: 500us, 5ms, 1.5s.")
    ] = "30s",
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The names of the classes, a line each. By default labels.txt in the model's "
            "folder, where that is on this machine.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes are shown.")] = 5,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Write all outputs.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for machines.")
    ] = False,
) -> None:
    """Runs a model once and shows the answer: a first try without code.

    Inputs take the model's datatype and shape: a batch axis is added, pictures are resized. What
    was done with them is said.
    """
    from lepton.infer.command import Request, run_infer

    run_infer(
        Request(words or (), url, version, timeout, labels, top, output),
        as_json=as_json,
    )
