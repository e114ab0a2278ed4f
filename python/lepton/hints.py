"""What somebody may have meant who wrote a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns '; did you mean "digits"?' for the nearest of the known names, "" if none is near."""
    from difflib import get_close_matches  # Only who errs waits for it.

    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.75)
    return f'; did you mean "{by_lower[near[0]]}"?' if near else ""
