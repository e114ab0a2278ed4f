"""The result of the realtime benchmark: its targets, and tables for a person."""

from __future__ import annotations

from dataclasses import dataclass, field

from .report import RATIO_HEADS, head, ratio_cells, table
from .side_by_side import PairResult
from .study import OVERLOADS, ArrivalsResult, Calibration, FloodResult, PolicyResult
from .targets import Row

# The load at 99 % / that of the best fifo. Where batches pay much, fifo is hard to beat.
GAIN_TARGETS = {"poisson": 1.25, "bursty": 1.2}
STRONG_BATCHING = "strong_batching"
STRONG_BATCHING_GAIN = 1.05
GOODPUT_TARGET = 0.93  # Poisson only: nothing makes up for a lull without work.
BROKEN_PERCENT = 0.5  # Share of the admitted requests.
REFUSAL_MS = 1.0
GROWTH_TARGET = 1.1
SCHEDULER_US = 2.0
MOST_DISTURBED = 0.05
ALLOCATIONS = 0.05  # The engine's own, which are subtracted, vary by some hundredths.

POLICY_HEADS = (
    "arrivals", "policy", "load at 99 %",
    *(f"goodput at {overload:g}" for overload in OVERLOADS),
    *(f"admitted in time at {overload:g}" for overload in OVERLOADS),
    f"refusal p99 at {OVERLOADS[-1]:g}, ms",
)  # fmt: skip


@dataclass
class ModelResult:
    """Everything that was measured for one model."""

    calibration: Calibration
    arrivals: dict[str, ArrivalsResult] = field(default_factory=dict)
    flood: FloodResult | None = None


@dataclass
class Result:
    """Everything that was measured."""

    models: dict[str, ModelResult] = field(default_factory=dict)
    pair: PairResult | None = None
    scheduler_us: dict[str, float] = field(default_factory=dict)
    allocations: float | None = None


def gain_target(model: str, arrivals: str) -> float:
    return STRONG_BATCHING_GAIN if model == STRONG_BATCHING else GAIN_TARGETS[arrivals]


def rows_of_arrivals(model: str, arrivals: str, result: ArrivalsResult) -> list[Row]:
    what = f"{model}, {arrivals}"
    own, best = result.deadline, result.best
    rows = []
    if own.knee is not None:
        gain = own.knee / best.knee if best.knee else 0.0
        at_least = gain_target(model, arrivals)
        rows.append(Row(f"{what}: load at 99 % / best fifo", [gain], at_least=at_least))
    for overload in OVERLOADS:
        target = GOODPUT_TARGET if arrivals == "poisson" else None
        share = own.overload[overload].goodput
        rows.append(Row(f"{what}: goodput at {overload:g} x capacity", [share], at_least=target))
        broken = 100 * (1 - own.overload[overload].kept)
        rows.append(
            Row(f"{what}: admitted, not in time at {overload:g} x", [broken], "%", BROKEN_PERCENT)
        )
    if refusals := [each / 1e3 for each in own.overload[OVERLOADS[-1]].refusal_p99_us]:
        rows.append(Row(f"{what}: refusal p99 at 2 x", refusals, "ms", at_most=REFUSAL_MS))
    return rows


def rows_of_result(result: Result) -> list[Row]:
    """All figures that have a target."""
    rows: list[Row] = []
    for model, seen in result.models.items():
        for arrivals, each in seen.arrivals.items():
            rows += rows_of_arrivals(model, arrivals, each)
        if flood := seen.flood:
            what = f"{model}: memory at the end / at the start of 10 x load"
            rows.append(Row(what, [flood.growth], at_most=GROWTH_TARGET))
            if refusals := [each / 1e3 for each in flood.outcome.refusal_p99_us]:
                rows.append(Row(f"{model}: refusal p99 at 10 x load", refusals, "ms"))
    if pair := result.pair:
        what = f"{pair.small} beside {pair.large}"
        name = f"{what}: p99 / (one batch of {pair.large} + p99 alone)"
        rows.append(Row(name, [pair.quotient], at_most=1.0))
        rows.append(Row(f"{what}: answered", [pair.answered], at_least=0.99))
    for what, cost in result.scheduler_us.items():
        rows.append(Row(f"scheduler, {what}, each", [cost], "µs", at_most=SCHEDULER_US))
    if result.allocations is not None:
        name = "heap allocations per request beyond the engine's"
        rows.append(Row(name, [result.allocations], at_most=ALLOCATIONS))
    return rows


def policy_cells(arrivals: str, name: str, policy: PolicyResult) -> tuple[str, ...]:
    overloads = [policy.overload.get(overload) for overload in OVERLOADS]
    refusals = overloads[-1].refusal_p99_us if overloads[-1] else []
    return (
        arrivals, name, "" if policy.knee is None else f"{policy.knee:.3f}",
        *(f"{each.goodput:.2f}" if each else "" for each in overloads),
        *(f"{each.kept:.4f}" if each else "" for each in overloads),
        f"{sorted(refusals)[len(refusals) // 2] / 1e3:.2f}" if refusals else "",
    )  # fmt: skip


def disturbed(result: ArrivalsResult) -> int:
    """The number of runs that cannot be trusted."""
    return sum(share > MOST_DISTURBED for share in result.disturbances)


def search_words(result: ArrivalsResult) -> str:
    """The details behind the loads at 99 %."""
    if result.elimination is None:
        return "no search for the load at 99 %; "
    points = {n: sum(p.requests for p in each.points.values())
              for n, each in {"deadline": result.deadline, **result.fifo}.items()}  # fmt: skip
    stands = "; ".join(f"{n}: {count:,}" for n, count in points.items())
    rungs = result.elimination.rungs
    settings = len(rungs[0].shares) if rungs else len(result.fifo)
    return (
        f"{settings} settings of fifo in {len(rungs)} rounds of elimination; behind the loads at "
        f"99 %: {stands} requests; "
    )


def model_section(name: str, seen: ModelResult) -> list[str]:
    calibration = seen.calibration
    capacity = calibration.capacity
    rates = ", ".join(f"{rows}: {rate:.1f}" for rows, rate in calibration.rates.items())
    parts = [
        f"## {name}\n",
        f"Single row {calibration.single_seconds * 1e3:.2f} ms; rows per second by batch size "
        f"{rates}; capacity {capacity:.1f}; with nothing configured "
        f"{calibration.untuned_rate:.1f}.\n",
    ]
    lines = []
    for arrivals, result in seen.arrivals.items():
        lines.append(policy_cells(arrivals, "`deadline`", result.deadline))
        finalists = sorted(result.fifo.items(), key=lambda each: -(each[1].knee or 0))
        lines += [policy_cells(arrivals, f"`{n}`", each) for n, each in finalists]
    parts.append(table(POLICY_HEADS, lines))
    for arrivals, result in seen.arrivals.items():
        parts.append(
            f"{arrivals}: {search_words(result)}{len(result.disturbances)} runs of the generator, "
            f"{result.requests:,} requests, {result.seconds / 60:.1f} minutes in all. In "
            f"{disturbed(result)} runs, something else had more than {MOST_DISTURBED:.0%} of the "
            "server's processor. Beyond the capacity, the machine was "
            f"{min(result.paces):.2f} to {max(result.paces):.2f} times as fast as when it was "
            "measured.\n"
        )
    if flood := seen.flood:
        parts.append(
            f"Ten times the capacity for {flood.outcome.seconds:.0f} s: "
            f"{flood.outcome.requests:,} requests, resident memory {min(flood.resident_mb):.0f} to "
            f"{max(flood.resident_mb):.0f} MB, goodput "
            f"{flood.outcome.goodput:.2f} of capacity.\n"
        )
    return parts


def realtime_markdown(machine: dict[str, str], command: str, result: Result) -> str:
    """The whole result, for bench/results."""
    parts = [
        *head("Real time", machine, command),
        "## Targets\n",
        "Server on one processor, generator on the other. Deadlines are 6, 14 and 36 single-row "
        "times, in equal shares; a refused request is a miss. Loads and goodput are fractions of "
        "the capacity, the best rows per second of any batch size through the same server; beyond "
        "it, at the machine's pace of the moment, measured before each run. `fifo` is at its best "
        "setting of those that took part, `deadline` has none. Admitted in time counts each 504 as "
        "a broken promise.\n",
        table(RATIO_HEADS, [ratio_cells(row) for row in rows_of_result(result)]),
    ]
    for name, seen in result.models.items():
        parts += model_section(name, seen)
    return "\n".join(parts)
