"""What is wrong with an input of `lepton infer`."""

from __future__ import annotations


class InputError(Exception):
    """Says which input is wrong, why, and what to do."""
