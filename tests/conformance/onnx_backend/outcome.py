"""The outcome of a case."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Each case gets one of these, for plain OpenVINO and for the server."""

    CORRECT = "correct"
    WRONG = "wrong"
    REFUSED = "refused"
    CRASHED = "crashed"
    # The protocol's tensors hold whole bytes: no sequences, optionals, or types of four bits.
    NOT_CARRIED = "not carried"


@dataclass(frozen=True)
class Outcome:
    """A verdict and, for a person, why it is not `correct`."""

    verdict: Verdict
    detail: str = ""


CORRECT = Outcome(Verdict.CORRECT)


def refused(error: object) -> Outcome:
    return Outcome(Verdict.REFUSED, " ".join(str(error).split()))
