"""What a name that is not there may have been meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def near(name: str, known: Iterable[str], most: int = 2) -> str:
    """A closing sentence such as `` Did you mean blur or blend?``, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(dict.fromkeys(known)), n=most, cutoff=0.7)
    if not found:
        return ""
    *some, last = found
    return f" Did you mean {', '.join(some)} or {last}?" if some else f" Did you mean {last}?"
