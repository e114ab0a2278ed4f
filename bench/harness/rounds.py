"""The measurements in their order, which keeps related ones close together in time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .programs import Figures, Model, Programs
from .server import Server

CONNECTIONS = (1, 16)
MODES = ("blocking", "busy-poll")


@dataclass(frozen=True)
class Variant:
    """One way to reach the server."""

    name: str
    protocol: str  # As lepton-load names it.
    unix: bool = False


VARIANTS = (
    Variant("HTTP binary", "http-binary"),
    Variant("HTTP JSON", "http-json"),
    Variant("gRPC", "grpc"),
    Variant("Unix socket", "http-binary", unix=True),
)


@dataclass
class Block:
    """One variant in one round: floor, limit and server, one right after the other."""

    variant: str
    in_process: Figures
    floor: dict[int, Figures] = field(default_factory=dict)
    spinning_floor: Figures = field(default_factory=dict)
    served: dict[str, dict[int, Figures]] = field(default_factory=dict)  # By mode and connections.


@dataclass
class Round:
    """All variants on one model, once."""

    blocks: list[Block]
    in_process_16_rows: Figures
    in_process_unbound: Figures  # One row.
    in_process_start: Figures
    start_to_ready_ms: float
    resident_kb: int


def measure_sizes(
    programs: Programs, server: Server, model: Model, variant: Variant
) -> tuple[int, int]:
    """Bytes of one request and one answer on the wire, for the floor to move as many."""
    short = Model(model.name, model.file, model.input, model.output_bytes, warmup=0.1)
    figures = programs.load(
        server.endpoint(unix=variant.unix), variant.protocol, short, 1,
        server_pid=server.pid, seconds=0.1,
    )  # fmt: skip
    return round(figures["request_bytes"]), round(figures["answer_bytes"])


def measure_round(
    programs: Programs,
    binary: Path,
    model: Model,
    turn: int,
    *,
    seconds: float,
    on_step: Callable[[str], None],
) -> Round:
    """One round. Variants and modes change places from turn to turn."""
    on_step("start")
    start = programs.in_process(model, rows=1, seconds=0)
    folder = model.file.parent.parent
    with Server(binary, folder) as blocking, Server(binary, folder, busy_poll=True) as polling:
        servers = {"blocking": blocking, "busy-poll": polling}
        modes = MODES if turn % 2 == 0 else tuple(reversed(MODES))
        shift = turn % len(VARIANTS)
        blocks = []
        for variant in VARIANTS[shift:] + VARIANTS[:shift]:
            on_step(f"{variant.name}, in-process")
            block = Block(variant.name, programs.in_process(model, rows=1, seconds=seconds))
            sizes = measure_sizes(programs, blocking, model, variant)
            for connections in CONNECTIONS:
                on_step(f"{variant.name}, ping-pong, {connections} connections")
                block.floor[connections] = programs.ping_pong(
                    sizes, connections, unix=variant.unix, spin=False, seconds=seconds
                )
                for mode in modes:
                    on_step(f"{variant.name}, {mode}, {connections} connections")
                    server = servers[mode]
                    block.served.setdefault(mode, {})[connections] = programs.load(
                        server.endpoint(unix=variant.unix), variant.protocol, model, connections,
                        server_pid=server.pid, seconds=seconds,
                    )  # fmt: skip
            on_step(f"{variant.name}, spinning ping-pong")
            block.spinning_floor = programs.ping_pong(
                sizes, 1, unix=variant.unix, spin=True, seconds=seconds
            )
            blocks.append(block)
        resident_kb = blocking.resident_kb()
    on_step("16 rows in-process")
    in_process_16_rows = programs.in_process(model, rows=16, seconds=seconds)
    on_step("1 row in-process, threads unbound")
    unbound = programs.in_process(model, rows=1, seconds=seconds, unbound=True)
    return Round(
        blocks, in_process_16_rows, unbound, start, blocking.start_to_ready_ms, resident_kb
    )


def steps_per_round() -> int:
    """The number of times that measure_round() calls on_step()."""
    return 3 + len(VARIANTS) * (2 + len(CONNECTIONS) * (1 + len(MODES)))


def count_allocations(
    programs: Programs, binary: Path, model: Model
) -> tuple[dict[str, float], float]:
    """Heap allocations per request of each variant, and of a run of the engine alone.

    With one connection each request is one run, so that the difference is the server's own share.
    """
    shim = programs.build / "bench/liblepton_count_allocations.so"
    counts = {}
    with Server(binary, model.file.parent.parent, preload=shim) as server:
        for variant in VARIANTS:
            figures = programs.load(
                server.endpoint(unix=variant.unix), variant.protocol, model, 1,
                server_pid=server.pid, seconds=0.5, allocations_file=server.allocations_file,
            )  # fmt: skip
            counts[variant.name] = figures["server_allocations_per_request"]
    return counts, programs.allocations_in_process(model, shim)
