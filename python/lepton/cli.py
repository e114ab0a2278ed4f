"""The commands that are written in Python, and the help that lists them all."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from lepton.native import exec_server

_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}

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
    "  lepton create --model_path net.pt --output_path service "
    "--input image:f32\\[batch,3,224,224]\n\n"
    "  lepton create --model_path exported.pt2 --output_path service\n\n"
    "  lepton create --model_path weights.pth --output_path service --module my.nets:Net "
    "--module-args width=64 --input x:f32\\[batch,16]\n\n"
    "  lepton create --model_path saved_model/ --output_path service --name resnet\n\n"
    "  lepton create --model_path mlp.keras --output_path service --example inputs.npz\n\n"
    "  lepton create --model_path all-MiniLM-L6-v2/ --output_path service",
)
def create(
    model_path: Annotated[
        Path,
        typer.Option(
            "--model_path",
            "--model-path",
            help="The model: a file of PyTorch (.pt, .pth, .pt2, .safetensors), Keras (.keras, "
            ".h5), ONNX, OpenVINO IR (.xml), TensorFlow (.pb, .tflite) or PaddlePaddle "
            "(.pdmodel), or the folder of a SavedModel or of Hugging Face.",
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
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME:DTYPE[EXTENTS]",
            help="An input of a PyTorch model that does not say it, e.g. "
            "image:f32\\[batch,3,224,224]; a name or -1 is an extent that requests choose. Once "
            "per input.",
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
        model_path,
        output_path,
        name,
        {
            "inputs": inputs or [],
            "example": example,
            "module": module,
            "module_args": module_args or [],
            "trust_pickle": trust_pickle,
            "tolerance": tolerance,
            "allow_mismatch": allow_mismatch,
        },
        as_json=as_json,
        quiet=quiet,
    )


@app.command(
    epilog="Examples:\n\n"
    "  lepton bench --model digits --rate 500 --deadline 5ms\n\n"
    "  lepton bench --model digits --sweep --deadline 5ms --html report.html\n\n"
    "  lepton bench --url grpc://127.0.0.1:8000 --model digits --concurrency 1,4,16\n\n"
    "  lepton bench --url unix:/run/lepton --model net --rate 100,200,400 --arrivals bursty "
    "--class name=control,share=0.2,deadline=6ms,priority=1 "
    "--class name=logging,share=0.8,deadline=100ms\n\n"
    "  lepton bench --service service/ --rate 1000\n\n"
    "  lepton bench --model resnet --rate 50 --deadline 30ms --compare http://127.0.0.1:9000",
)
def bench(
    url: Annotated[
        list[str] | None,
        typer.Option(
            help="The server: http://HOST:PORT, grpc://HOST:PORT, unix:/PATH or grpc+unix:/PATH; "
            "any that speaks KServe v2. By default http://127.0.0.1:8000.",
            show_default=False,
        ),
    ] = None,
    service: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Instead: a service folder, run by the generator itself, without a network.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Which model to ask. By default the only one.", show_default=False),
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
        str, typer.Option(help="When requests are due: poisson, uniform, bursty or replay.")
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


@app.command(
    epilog="Examples:\n\n  lepton slow\n\n  lepton slow --url http://gpu-7:8000 --model resnet",
)
def slow(
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
    model: Annotated[
        str | None, typer.Option(help="Only of this model.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=64, help="Most rows of each table.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON of the server.")] = False,
) -> None:
    """Shows the slowest requests of a server, and where the time of each went."""
    from lepton.slow import run_slow

    run_slow(url=url, model=model, limit=limit, as_json=as_json)


@app.command(
    epilog="Examples:\n\n"
    "  lepton tune resnet\n\n"
    "  lepton tune resnet --instances 2 --threads 1\n\n"
    "  lepton tune resnet --default-deadline-ms 50 --max-queue-size 200 --save\n\n"
    "  lepton tune resnet --policy fifo --max-queue-delay-us 2000 "
    "--preferred-batch-sizes 4,8\n\n"
    "  lepton tune resnet --weight 3 --url http://10.0.0.5:8000 --json",
)
def tune(
    model: Annotated[str, typer.Argument(help="The model's name on the server.")],
    url: Annotated[
        str, typer.Option(envvar="LEPTON_URL", help="Where the server is.")
    ] = "http://127.0.0.1:8000",
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


@app.command(context_settings=_PASSED_ON)
def serve(context: typer.Context) -> None:
    """Serves one or more service folders; see lepton serve --help."""
    exec_server(["serve", *context.args])


@app.command(context_settings=_PASSED_ON)
def version(context: typer.Context) -> None:
    """Says which version this is."""
    exec_server(["version", *context.args])
