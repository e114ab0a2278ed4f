"""Ratios of the measurements, and what they must reach."""

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from .programs import Figures
from .rounds import Block, Round


@dataclass(frozen=True)
class Row:
    """One line of the result: a figure per round, and the target for its median."""

    name: str
    values: list[float]
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def reached(self) -> bool | None:
        """None if there is no target."""
        if self.at_most is not None:
            return operator.le(self.median, self.at_most)
        return self.median >= self.at_least if self.at_least is not None else None

    @property
    def target(self) -> str:
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else ""


# For (served p50 - in-process p50) / ping-pong p50 at one connection, by variant and mode.
OVERHEAD_TARGETS = {
    ("HTTP binary", "blocking"): 1.4,
    ("HTTP binary", "busy-poll"): 1.0,
    ("gRPC", "blocking"): 1.6,
    ("gRPC", "busy-poll"): 1.2,
    ("Unix socket", "blocking"): 1.4,
}
# For the rate at 16 connections / the in-process rate of single rows, by model.
RATE_TARGETS = {"mlp": 0.6, "resnet50": 0.95}
START_TO_READY_MS = 150
RESIDENT_MB_ABOVE_ENGINE = 30


def p50(figures: Figures) -> float:
    return figures["latency_us"]["p50"]


def overhead(block: Block, mode: str) -> float:
    """The server's overhead on the model, in ping-pongs of the same bytes."""
    return (p50(block.served[mode][1]) - p50(block.in_process)) / p50(block.floor[1])


def rate_share(block: Block, mode: str) -> float:
    return block.served[mode][16]["rate"] / block.in_process["rows_rate"]


def rows_of(model: str, rounds: list[Round]) -> list[Row]:
    """All ratios of one model; each is taken inside a round, where the machine was the same."""
    rows = []
    pairs = [
        (variant, mode)
        for mode in rounds[0].blocks[0].served
        for variant in [block.variant for block in rounds[0].blocks]
    ]
    for variant, mode in pairs:
        blocks = list(_blocks(rounds, variant))
        if model == "mlp":
            target = OVERHEAD_TARGETS.get((variant, mode))
            values = [overhead(block, mode) for block in blocks]
            rows.append(Row(f"{model}: {variant}, {mode}, overhead", values, at_most=target))
        else:
            # Beside a large model, the server's overhead is lost in the model's own variation.
            values = [p50(block.served[mode][1]) / p50(block.in_process) for block in blocks]
            rows.append(Row(f"{model}: {variant}, {mode}, latency / in-process", values))
    for variant, mode in pairs:
        held = variant == "HTTP binary" and mode == "blocking"
        values = [rate_share(block, mode) for block in _blocks(rounds, variant)]
        target = RATE_TARGETS.get(model) if held else None
        rows.append(Row(f"{model}: {variant}, {mode}, 16 connections", values, at_least=target))
    target_ms = START_TO_READY_MS if model == "mlp" else None
    rows.append(
        Row(f"{model}: start to ready", [r.start_to_ready_ms for r in rounds], "ms", target_ms)
    )
    starts = [r.in_process_start["start_to_first_answer_ms"] for r in rounds]
    rows.append(Row(f"{model}: in-process, start to first answer", starts, "ms"))
    rows.append(
        Row(
            f"{model}: resident memory above the engine's",
            [(r.resident_kb - r.in_process_start["resident_kb"]) / 1024 for r in rounds],
            "MB",
            RESIDENT_MB_ABOVE_ENGINE if model == "mlp" else None,
        )
    )
    return rows


def client_bound(rounds: list[Round]) -> list[str]:
    """Runs in which the client, not the server, had no time left: their rates say too little."""
    return sorted(
        {
            f"{block.variant}, {mode}, {connections} connections"
            for each in rounds
            for block in each.blocks
            for mode, by_connections in block.served.items()
            for connections, figures in by_connections.items()
            if connections > 1 and figures["client_cpu_share"] > 0.97
        }
    )


@dataclass(frozen=True)
class Absolute:
    """One line of absolute figures, medians of the rounds; they hold for this machine only."""

    name: str
    p50_us: float
    p99_us: float
    rate: float
    server_cpu_us: float | None


def absolutes_of(rounds: list[Round]) -> list[Absolute]:
    """Limit, floors and every variant."""
    limit = [block.in_process for each in rounds for block in each.blocks]
    lines = [median_absolute("in-process, 1 row", limit, "rows_rate")]
    unbound = [r.in_process_unbound for r in rounds]
    lines.append(median_absolute("in-process, 1 row, threads unbound", unbound, "rows_rate"))
    lines.append(
        median_absolute("in-process, 16 rows", [r.in_process_16_rows for r in rounds], "rows_rate")
    )
    for variant in [block.variant for block in rounds[0].blocks]:
        blocks = list(_blocks(rounds, variant))
        for connections in blocks[0].floor:
            name = f"{variant}, {connections} connection{'s' if connections > 1 else ''}"
            floors = [block.floor[connections] for block in blocks]
            lines.append(median_absolute(f"{name}: ping-pong", floors))
            for mode in blocks[0].served:
                figures = [block.served[mode][connections] for block in blocks]
                lines.append(median_absolute(f"{name}: {mode}", figures))
        spinning = [block.spinning_floor for block in blocks]
        lines.append(median_absolute(f"{variant}, 1 connection: spinning ping-pong", spinning))
    return lines


def median_absolute(name: str, figures: list[Figures], rate: str = "rate") -> Absolute:
    """The medians of several runs of the same."""
    in_figures = "server_cpu_us_per_request"
    cpu = [each[in_figures] for each in figures if in_figures in each]
    return Absolute(
        name,
        p50_us=median(p50(each) for each in figures),
        p99_us=median(each["latency_us"]["p99"] for each in figures),
        rate=median(each[rate] for each in figures),
        server_cpu_us=median(cpu) if cpu else None,
    )


def _blocks(rounds: Iterable[Round], variant: str) -> Iterable[Block]:
    return (block for each in rounds for block in each.blocks if block.variant == variant)
