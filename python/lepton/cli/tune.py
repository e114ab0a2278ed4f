"""The arguments of `lepton tune`."""

from __future__ import annotations

from typing import Annotated

import typer

from lepton.cli.completion import model_names, one_of
from lepton.endpoints import DEFAULT_URL, URL_VARIABLE

EPILOG = (
    "Examples:\n\n"
    "  lepton tune resnet\n\n"
    "  lepton tune resnet --instances 2 --threads 1\n\n"
    "  lepton tune resnet --default-deadline-ms 50 --max-queue-size 200 --save\n\n"
    "  lepton tune resnet --policy fifo --max-queue-delay-us 2000 "
    "--preferred-batch-sizes 4,8\n\n"
    "  lepton tune resnet --weight 3 --url http://10.0.0.5:8003 --json"
)


def tune(
    model: Annotated[
        str,
        typer.Argument(help="The model's name on the server.", autocompletion=model_names),
    ],
    url: Annotated[
        str, typer.Option(envvar=URL_VARIABLE, help="The server, or its admin listener.")
    ] = DEFAULT_URL,
    version: Annotated[
        str | None, typer.Option(help="By default the latest.", show_default=False)
    ] = None,
    max_batch_size: Annotated[
        str | None,
        typer.Option(
            metavar="ROWS|auto",
            help="Most rows of a request and of a run; 0 runs each request alone, auto finds out "
            "by measurement.",
            show_default=False,
        ),
    ] = None,
    instances: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT|auto:MIN-MAX",
            help="Copies that run at the same time; auto follows the load between two bounds.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT|auto",
            help="Of each instance; auto finds out by measurement.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="deadline|fifo",
            autocompletion=one_of("deadline", "fifo"),
            help="deadline answers as many in time as it can; fifo as Triton's dynamic batcher.",
            show_default=False,
        ),
    ] = None,
    default_deadline_ms: Annotated[
        str | None,
        typer.Option(
            metavar="MS", help="For requests that name none; 0: none.", show_default=False
        ),
    ] = None,
    max_queue_size: Annotated[
        str | None,
        typer.Option(metavar="REQUESTS", help="More are refused.", show_default=False),
    ] = None,
    max_queue_bytes: Annotated[
        str | None,
        typer.Option(metavar="BYTES", help="Of the inputs that wait.", show_default=False),
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Share of the CPU time among models that compete for it; 1 unless changed.",
            show_default=False,
        ),
    ] = None,
    max_queue_delay_us: Annotated[
        str | None,
        typer.Option(
            metavar="US",
            help="How long an idle instance waits for company; with --policy fifo.",
            show_default=False,
        ),
    ] = None,
    preferred_batch_sizes: Annotated[
        str | None,
        typer.Option(
            metavar="ROWS,ROWS...|none",
            help="What is company enough; with --policy fifo.",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        bool,
        typer.Option("--save", help="Write what was changed to config.pbtxt, for the next start."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what the server says, for machines.")
    ] = False,
) -> None:
    """Shows how a model is run, and changes it while it serves.

    All of a change is in force when the command ends, or, where something about it is wrong,
    nothing. What runs and waits is not lost.
    """
    from lepton.tune.command import run_tune

    run_tune(
        model,
        version,
        url,
        {
            "max_batch_size": max_batch_size,
            "instances": instances,
            "threads": threads,
            "policy": policy,
            "default_deadline_ms": default_deadline_ms,
            "max_queue_size": max_queue_size,
            "max_queue_bytes": max_queue_bytes,
            "weight": weight,
            "max_queue_delay_us": max_queue_delay_us,
            "preferred_batch_sizes": preferred_batch_sizes,
        },
        save=save,
        as_json=as_json,
    )
