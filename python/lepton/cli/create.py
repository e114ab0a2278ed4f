"""The arguments of `lepton create`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = (
    "Examples:\n\n"
    "  lepton create resnet.onnx\n\n"
    "  lepton create net.pt --output_path service --input image:f32[batch,3,224,224]\n\n"
    "  lepton create exported.pt2 --output_path service\n\n"
    "  lepton create weights.pth --module my.nets:Net --module-args width=64 "
    "--input x:f32[batch,16]\n\n"
    "  lepton create saved_model/ --output_path service --name resnet\n\n"
    "  lepton create bert.onnx --range input_ids=0:30521\n\n"
    "  lepton create mlp.keras --example inputs.npz\n\n"
    "  lepton create all-MiniLM-L6-v2/ --output_path service"
)


def create(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            help="The model: a file of PyTorch (.pt, .pth, .pt2, .safetensors), Keras (.keras, "
            ".h5), ONNX, OpenVINO IR (.xml), TensorFlow (.pb, .tflite) or PaddlePaddle "
            "(.pdmodel), or the folder of a SavedModel or of Hugging Face.",
            show_default=False,
        ),
    ] = None,
    model_path: Annotated[
        Path | None,
        typer.Option(
            "--model_path",
            "--model-path",
            metavar="PATH",
            help="Another way to name it.",
            show_default=False,
        ),
    ] = None,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            "--output-path",
            metavar="DIR",
            help="The service folder; made where it is missing. It may hold several models. By "
            "default ./NAME.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="The model's name in requests. By default that of the file.", show_default=False
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME:DTYPE[EXTENTS]",
            help="What requests are to give: needed where the file does not say it, as most of "
            "PyTorch, and narrows what it says elsewhere, e.g. x:f32[batch,3,-1]; a "
            "name or -1 is an extent that requests choose. Once per input.",
            show_default=False,
        ),
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="NAME=LOW:HIGH",
            help="Which values made-up inputs have, both ends included, e.g. input_ids=0:30521. "
            "Once per input.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz",
            help="Real inputs, by name, to compare with instead of made-up ones; says the shapes "
            "where --input does not, with the first axis as the batch.",
            show_default=False,
        ),
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(
            metavar="PACKAGE.MODULE:CLASS",
            help="The class of a PyTorch model of which the file holds only the weights.",
            show_default=False,
        ),
    ] = None,
    module_args: Annotated[
        list[str] | None,
        typer.Option(
            "--module-args",
            metavar="KEY=VALUE|JSON",
            help="Arguments of that class; may be repeated.",
            show_default=False,
        ),
    ] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Load a model that runs code of its file: a pickled module, a Lambda layer. Only "
            "for files of people whom you trust with your account.",
        ),
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Largest difference from the original framework, as share of the output's "
            "largest value. By default 0.001; 0.02 for outputs of 16-bit floats.",
            show_default=False,
        ),
    ] = None,
    allow_mismatch: Annotated[
        bool, typer.Option("--allow-mismatch", help="Write it though the difference is larger.")
    ] = False,
    time_limit: Annotated[
        float,
        typer.Option(
            "--time-limit",
            metavar="SECONDS",
            min=1,
            help="How long converting, checking and measuring may take together.",
        ),
    ] = 3600,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON object for machines: what was made, or the error."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing unless it fails.")
    ] = False,
) -> None:
    """Makes a service folder from a model of any framework.

    Converts it to OpenVINO where that does not read it as it is, compares its answers with those
    of the original framework, measures its latency, and writes OUTPUT_PATH/NAME/VERSION with a
    report. The same name again makes the next version.
    """
    from lepton.create.command import run_create

    run_create(
        [path for path in (model, model_path) if path is not None],
        output_path,
        name,
        {
            "inputs": inputs or [],
            "ranges": ranges or [],
            "example": example,
            "module": module,
            "module_args": module_args or [],
            "trust_pickle": trust_pickle,
            "tolerance": tolerance,
            "allow_mismatch": allow_mismatch,
            "time_limit": time_limit,
        },
        as_json=as_json,
        quiet=quiet,
    )
