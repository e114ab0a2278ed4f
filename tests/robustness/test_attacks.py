"""The short form of `make robustness`: each attack for a fraction of a second, on one server."""

from collections.abc import Iterator

import pytest
from attacks import ATTACKS
from harness import Arena, Attack

SECONDS = 0.7
# A busy machine is late; the full form asserts the real limits.
MOST_P99_MS = 2_000


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with Arena(tmp_path_factory.mktemp("arena")) as arena:
        yield arena


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_healthy_client_sees_nothing_of(attack: Attack, arena: Arena) -> None:
    outcome = arena.run(attack, SECONDS)
    assert not outcome.faults(MOST_P99_MS), outcome
