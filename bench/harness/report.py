"""The result as a table for a person: on the terminal, and as Markdown."""

from rich.console import Console
from rich.table import Table

from .targets import Absolute, Row

RATIO_HEADS = ("figure", "median", "min-max of the rounds", "target", "")
ABSOLUTE_HEADS = ("", "p50 µs", "p99 µs", "requests/s", "server CPU µs")


def ratio_cells(row: Row) -> tuple[str, ...]:
    def text(value: float) -> str:
        decimals = 0 if row.unit and abs(value) >= 10 else 2
        return f"{value:.{decimals}f} {row.unit}".rstrip()

    verdict = {None: "", True: "reached", False: "falls short"}[row.reached]
    span = f"{text(min(row.values))} - {text(max(row.values))}"
    return (row.name, text(row.median), span, row.target, verdict)


def absolute_cells(line: Absolute) -> tuple[str, ...]:
    cpu = "" if line.server_cpu_us is None else f"{line.server_cpu_us:.1f}"
    return (line.name, f"{line.p50_us:.1f}", f"{line.p99_us:.1f}", f"{line.rate:,.0f}", cpu)


def print_table(console: Console, rows: list[Row]) -> None:
    """Ratios, each with its verdict in color."""
    table = Table(*RATIO_HEADS)
    styles = {None: "", True: "green", False: "red"}
    for row in rows:
        table.add_row(*ratio_cells(row), style=styles[row.reached])
    console.print(table)


def markdown(
    machine: dict[str, str],
    command: str,
    rows: list[Row],
    absolutes: dict[str, list[Absolute]],
    allocations: dict[str, float],
) -> str:
    """The whole result, for bench/results."""
    parts = [
        *head("Benchmark", machine, command),
        "## Ratios\n",
        "Overhead is (served p50 - in-process p50) / ping-pong p50 of the same bytes, at one "
        "connection; the ping-pong's server sleeps between messages, also where Lepton's polls. "
        "16 connections are the rate / the in-process rate of single rows on one processor. "
        "Each ratio is taken within a round; shown is the median of the rounds. In-process is a "
        "plain program around OpenVINO (f32, one stream, one thread); with its threads unbound it "
        "is spared the affinity calls that Lepton's plug-in avoids.\n",
        table(RATIO_HEADS, [ratio_cells(row) for row in rows]),
    ]
    for model, lines in absolutes.items():
        parts += [
            f"## {model}\n",
            table(ABSOLUTE_HEADS, [absolute_cells(line) for line in lines]),
        ]
    engine = allocations["in-process"]
    counts = [
        (name, f"{count:.2f}", f"{count - engine:.2f}") for name, count in allocations.items()
    ]
    parts += [
        "## Heap allocations per request\n",
        table(("", "allocations", "beyond the engine's own"), counts),
    ]
    return "\n".join(parts)


def clients_markdown(
    machine: dict[str, str], command: str, rows: list[Row], absolutes: list[Absolute]
) -> str:
    """The result of the clients, for bench/results."""
    parts = [
        *head("Benchmark of the clients", machine, command),
        "## Ratios\n",
        "Of the p50 of one request after the other, client and server on a processor each, "
        "`mlp`; taken within a round, shown is the median of the rounds. The socket loop writes "
        "the same prepared bytes each time and reads little of the answer; a client encodes an "
        "array, keeps the deadline, and hands out arrays.\n",
        table(RATIO_HEADS, [ratio_cells(row) for row in rows]),
        "## Each by itself\n",
        table(ABSOLUTE_HEADS[:-1], [absolute_cells(line)[:-1] for line in absolutes]),
    ]
    return "\n".join(parts)


def head(title: str, machine: dict[str, str], command: str) -> list[str]:
    return [f"# {title}\n", f"`{command}`\n", table(("machine", ""), list(machine.items()))]


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
