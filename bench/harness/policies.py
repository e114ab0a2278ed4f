"""The policies to compare: Lepton's own, untuned, and all tunings of `fifo`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_BATCHES = (1, 2, 4, 8, 16)
DELAYS = (0.0, 0.5, 1.0, 2.0)  # In single-row times.


@dataclass(frozen=True)
class Policy:
    """A name, and the content of config.pbtxt."""

    name: str
    config: str = ""


DEADLINE = Policy("deadline")


def fifo(max_batch: int, delay: float, single_seconds: float) -> Policy:
    """First in, first out, at one tuning."""
    delay_us = round(delay * single_seconds * 1e6)
    queue = f"dynamic_batching {{ max_queue_delay_microseconds: {delay_us} }}\n" if delay_us else ""
    return Policy(
        f"fifo, batch {max_batch}, delay {delay:g}",
        f"max_batch_size: {max_batch}\n{queue}"
        'parameters { key: "policy" value { string_value: "fifo" } }\n',
    )


def fifo_tunings(
    single_seconds: float,
    max_batches: Sequence[int] = MAX_BATCHES,
    delays: Sequence[float] = DELAYS,
) -> list[Policy]:
    """All distinct tunings: with batches of one, a delay has nothing to wait for."""
    return [
        fifo(max_batch, delay, single_seconds)
        for max_batch in max_batches
        for delay in (delays if max_batch > 1 else (0.0,))
    ]


def write_repository(folder: Path, models: dict[str, Path], config: str = "") -> Path:
    """A repository of models, by the folders of their versions; all get the configuration."""
    for name, versions in models.items():
        model = folder / name
        model.mkdir(parents=True)
        for version in versions.iterdir():
            if version.is_dir():
                os.symlink(version, model / version.name)
        if config:
            (model / "config.pbtxt").write_text(config)
    return folder
