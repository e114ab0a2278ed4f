"""Model repositories for the tests: files that the fake engine reads (engines/fake)."""

import json
from pathlib import Path

DATATYPES = (
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "BF16", "FP32", "FP64", "BYTES",
)  # fmt: skip


def tensor(name: str, datatype: str, shape: list[int]) -> dict:
    return {"name": name, "datatype": datatype, "shape": shape}


def identity(datatype: str = "FP32", shape: list[int] | None = None, **extra: object) -> dict:
    """Answers `y` with its input `x`."""
    shape = shape or [-1, 4]
    return {
        "inputs": [tensor("x", datatype, shape)],
        "outputs": [tensor("y", datatype, shape)],
        **extra,
    }


def per_row() -> dict:
    """Takes 2 ms per row: slow when a request has many, and still quick to warm up."""
    return identity(delay_us_per_row=2_000)


def two_in_two_out() -> dict:
    return {
        "inputs": [tensor("a", "INT32", [-1, 2]), tensor("b", "FP32", [-1, 3])],
        "outputs": [tensor("c", "INT32", [-1, 2]), tensor("d", "FP32", [-1, 3])],
    }


def write_model(
    repository: Path, name: str, model: dict | str, version: int = 1, config: str | None = None
) -> Path:
    """Writes name/version/model.fake, and config.pbtxt if given; returns the model's folder."""
    folder = repository / name / str(version)
    folder.mkdir(parents=True)
    text = model if isinstance(model, str) else json.dumps(model)
    (folder / "model.fake").write_text(text)
    if config is not None:
        (repository / name / "config.pbtxt").write_text(config)
    return repository / name


def write_zoo(repository: Path) -> Path:
    """The models of most tests: one identity per datatype, and models with a special behavior."""
    for datatype in DATATYPES:
        write_model(repository, f"identity_{datatype.lower()}", identity(datatype, [-1, -1]))
    write_model(repository, "four", identity())
    write_model(repository, "pair", two_in_two_out())
    write_model(repository, "fixed", identity(shape=[2, 3]))
    write_model(repository, "slow", per_row())
    # Batches whatever the warm-up measures.
    batches = identity(delay_us=20_000)
    write_model(repository, "slow_batches", batches, config="max_batch_size: 8")
    write_model(repository, "unlucky", identity("UINT8", fail="out of luck", fail_when_first_is=13))
    write_model(repository, "plus_one", identity(add=1))
    return repository
