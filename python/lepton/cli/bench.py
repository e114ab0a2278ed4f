"""The arguments of `lepton bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lepton.cli.completion import model_names, one_of

EPILOG = (
    "Examples:\n\n"
    "  lepton bench --model digits --rate 500 --deadline 5ms\n\n"
    "  lepton bench --model digits --sweep --deadline 5ms --html report.html\n\n"
    "  lepton bench --url grpc://127.0.0.1:8000 --model digits --concurrency 1,4,16\n\n"
    "  lepton bench --url unix:/run/lepton --model net --rate 100,200,400 --arrivals bursty "
    "--class name=control,share=0.2,deadline=6ms,priority=1 "
    "--class name=logging,share=0.8,deadline=100ms\n\n"
    "  lepton bench --service service/ --rate 1000\n\n"
    "  lepton bench --model resnet --rate 50 --deadline 30ms --compare http://127.0.0.1:9000"
)


def bench(
    url: Annotated[
        list[str] | None,
        typer.Option(
            help="The server: http://HOST:PORT, grpc://HOST:PORT, unix:/PATH or grpc+unix:/PATH; "
            "any that speaks KServe v2. By default LEPTON_URL, or http://127.0.0.1:8000.",
            show_default=False,
        ),
    ] = None,
    service: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Instead: a service folder, or a model's file, run by the generator itself, "
            "without a network.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Which model to ask. By default the only one.",
            show_default=False,
            autocompletion=model_names,
        ),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Its version. By default the latest.", show_default=False)
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N...]",
            help="Open loop: requests a second, sent when due. Several make several points.",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N...]",
            help="Closed loop instead: threads that send when they were answered.",
            show_default=False,
        ),
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Find the largest rate at which enough requests are in time."),
    ] = False,
    target: Annotated[
        float, typer.Option(help="How many are enough, as a share of all that is sent.")
    ] = 0.99,
    deadline: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Of each request, after its planned time: 500us, 6ms, 1.5s.",
            show_default=False,
        ),
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(min=0, help="Of each request; 1 is the highest.", show_default=False),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="name=N,share=S,deadline=TIME,priority=P",
            help="Instead of --deadline and --priority: requests of several kinds, once per kind.",
            show_default=False,
        ),
    ] = None,
    arrivals: Annotated[
        str,
        typer.Option(
            help="When requests are due: poisson, uniform, bursty or replay.",
            autocompletion=one_of("poisson", "uniform", "bursty", "replay"),
        ),
    ] = "poisson",
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Times to replay: a line of SECONDS or SECONDS,CLASS for each request.",
            show_default=False,
        ),
    ] = None,
    burst_lasts: Annotated[
        str, typer.Option(metavar="TIME", help="Mean length of a burst, and of a lull.")
    ] = "500ms",
    duration: Annotated[
        str, typer.Option(metavar="TIME", help="How long each point is measured.")
    ] = "10s",
    warmup: Annotated[
        str, typer.Option(metavar="TIME", help="Load before that, which does not count.")
    ] = "1s",
    timeout: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long an answer is waited for, beyond the deadline."),
    ] = "10s",
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows of a request.", show_default=False)
    ] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            metavar="NAME:1,3,224,224",
            help="Shape of an input that the model leaves open; once per input.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of times, classes and input values.")] = 1,
    connections: Annotated[
        int, typer.Option(min=1, max=60_000, help="Most connections to the server.")
    ] = 256,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Another server, measured in turns with the first; may be repeated.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a report with charts.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for machines.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but the result.")
    ] = False,
) -> None:
    """Measures a server under load: latency, what is in time, how much it can take.

    Latency counts from when a request was to be sent, not from when it was. Refused requests are
    not in time. docs/guides/measure.md says how to measure honestly.
    """
    from lepton.bench.command import Request, run_bench

    single = {
        "--model": model,
        "--version": version,
        "--deadline": deadline,
        "--priority": priority,
        "--arrivals": arrivals,
        "--trace": trace,
        "--burst-lasts": burst_lasts,
        "--duration": duration,
        "--warmup": warmup,
        "--timeout": timeout,
        "--rows": rows,
        "--seed": seed,
        "--connections": connections,
    }
    repeated = {"--class": classes or [], "--shape": shapes or []}
    passed_on = [
        *(
            text
            for flag, value in single.items()
            if value is not None
            for text in (flag, f"{value}")
        ),
        *(text for flag, values in repeated.items() for value in values for text in (flag, value)),
    ]
    request = Request(
        urls=url or (),
        service=service,
        compare=compare or (),
        rate=rate,
        concurrency=concurrency,
        sweep=sweep,
        attainment=target,
        passed_on=passed_on,
    )
    run_bench(request, html=html, as_json=as_json, quiet=quiet)
