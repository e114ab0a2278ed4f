"""Classifies a folder of pictures with a network that Lepton serves; see README.md.

python examples/images/run.py                           the pictures beside it, a server of its own
python examples/images/run.py --folder my/pictures      other pictures
python examples/images/run.py --url http://...          with a server that already runs
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from decode import NotAnImage, Pixels, decode, image_files
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lepton import LeptonAI, LeptonError, serving
from lepton.create import CreateError, create_service

HERE = Path(__file__).parent
MODEL = "pictures"
_BAR = 10

err = Console(stderr=True)


@dataclass(frozen=True)
class Named:
    """A picture and what the network sees in it, the most likely class first."""

    path: Path
    guesses: list[tuple[str, float]]

    @property
    def expected(self) -> str | None:
        """The class in the file's name, as in cat-1.jpg."""
        label, dash, _ = self.path.stem.rpartition("-")
        return label if dash else None


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description="Classifies a folder of pictures by a network that Lepton serves.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, default=HERE / "pictures", help="of image files")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="pictures per request")
    parser.add_argument(
        "--concurrency", type=int, default=2, metavar="N", help="requests in flight at a time"
    )
    parser.add_argument("--url", help="a server that runs already; else one is started")
    parser.add_argument("--model", default=MODEL, help="the model's name on the server of --url")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    for name in ("batch", "concurrency"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} is {getattr(arguments, name)}, expected 1 or more")
    return arguments


def main() -> None:
    """Serves what is missing, classifies, and prints."""
    arguments = parse_arguments()
    labels = (HERE / "labels.txt").read_text().split()
    broken: list[str] = []
    try:
        files = image_files(arguments.folder)
        if not files:
            fail(f"{arguments.folder} holds no image files")
        with contextlib.ExitStack() as stack:
            url = arguments.url or stack.enter_context(serving(stack.enter_context(created()))).url
            client = stack.enter_context(LeptonAI(url, model=arguments.model))
            start = time.perf_counter()
            named = list(classify(client, files, labels, arguments, broken))
            spent = time.perf_counter() - start
    except (CreateError, LeptonError, OSError) as error:
        fail(str(error))
    for message in broken:
        err.print(f"[yellow]skipped:[/] {escape(message)}", soft_wrap=True)
    if arguments.json:
        print(json.dumps(as_json(named)))
        return
    out = Console()
    out.print(table(named))
    judged = [each for each in named if each.expected in labels]
    right = sum(each.guesses[0][0] == each.expected for each in judged)
    out.print(
        f"{len(named)} pictures in {spent:.2f} s, decoding included"
        + (f"; {right} of {len(judged)} as their names say." if judged else ".")
    )


@contextlib.contextmanager
def created() -> Iterator[Path]:
    """Makes a service folder from the model, and removes it in the end."""
    with tempfile.TemporaryDirectory(prefix="lepton-example-") as folder:
        service = Path(folder) / "service"
        yield create_service(HERE / "model.xml", service, MODEL, measure=False).repository


def classify(
    client: LeptonAI,
    files: list[Path],
    labels: list[str],
    arguments: argparse.Namespace,
    broken: list[str],
) -> Iterator[Named]:
    """Yields each picture's classes; files that are not pictures are reported in `broken`."""
    side = client.model().inputs[0].shape[1]
    kept: list[Path] = []
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("pictures"), TimeElapsedColumn())
    with (
        ThreadPoolExecutor(4) as pool,
        Progress(*columns, console=err, transient=True, disable=arguments.json) as bar,
    ):
        task = bar.add_task("", total=len(files))

        def pixels() -> Iterator[Pixels]:
            decoded = pool.map(lambda path: attempt(path, side), files)
            for path, made in zip(files, decoded, strict=True):
                if isinstance(made, str):
                    broken.append(made)
                    bar.advance(task)
                else:
                    kept.append(path)
                    yield made

        done = 0
        # While the server works on two requests, the next pictures are decoded.
        batches = stacked(pixels(), arguments.batch)
        for answer in client.infer_many(batches, concurrency=arguments.concurrency):
            for row in answer.outputs["probabilities"]:
                order = np.argsort(-row)[:2]
                guesses = [(labels[index], float(row[index])) for index in order]
                yield Named(kept[done], guesses)
                done += 1
                bar.advance(task)


def attempt(path: Path, side: int) -> Pixels | str:
    """Returns the pixels, or the reason why there are none."""
    try:
        return decode(path, side)
    except NotAnImage as error:
        return str(error)


def stacked(pixels: Iterable[Pixels], count: int) -> Iterator[Pixels]:
    """Yields [count, side, side, 3]; the last one is shorter."""
    batch: list[Pixels] = []
    for each in pixels:
        batch.append(each)
        if len(batch) == count:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def table(named: list[Named]) -> Table:
    """Returns the text to print."""
    view = Table(box=box.SIMPLE_HEAD)
    for title in ("picture", "shows", "probability", "or else", ""):
        view.add_column(title, no_wrap=True)
    for each in named:
        (label, probability), (second, rest) = each.guesses
        filled = round(probability * _BAR)
        bar = f"[green]{'█' * filled}[/][dim]{'░' * (_BAR - filled)}[/] {probability:6.1%}"
        mark = ""
        if each.expected is not None:
            mark = "[green]✓[/]" if each.expected == label else "[red]✗[/]"
        other = f"[dim]{escape(second)} {rest:.1%}[/]" if rest >= 0.01 else ""
        view.add_row(escape(each.path.name), f"[bold]{escape(label)}[/]", bar, other, mark)
    return view


def as_json(named: list[Named]) -> list[dict[str, object]]:
    """Returns the answers for programs."""
    return [
        {
            "file": each.path.name,
            "label": each.guesses[0][0],
            "probability": round(each.guesses[0][1], 4),
            "expected": each.expected,
        }
        for each in named
    ]


def fail(message: str) -> NoReturn:
    """Ends the program with one line on stderr."""
    err.print(f"[red]run.py:[/] {escape(message)}", soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
