"""The error that a measurement raises."""

from __future__ import annotations


class BenchError(Exception):
    """Says what is wrong and what to do, in one sentence.

    Attributes:
        bad_input: Whether the command line is at fault, and not the server.
    """

    def __init__(self, message: str, *, bad_input: bool = False) -> None:
        super().__init__(message)
        self.bad_input = bad_input
