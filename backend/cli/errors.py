"""How a command ends when it cannot do what it was asked: a sentence and an exit status."""

from __future__ import annotations

from collections.abc import Iterable

DONE, FAILED, USAGE, INVALID, CANCELLED = 0, 1, 2, 3, 130


class Stop(Exception):
    """Ends the command with ``status`` after ``sentence`` was shown.

    ``code`` and ``place`` go along in the JSON form where there are such.
    """

    def __init__(self, sentence: str, status: int, *, code: str = "", place: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
        self.code = code
        self.place = place


def wrong_usage(sentence: str) -> Stop:
    """What to raise when the command line itself asks for something that cannot be."""
    return Stop(sentence, USAGE)


def near(name: str, known: Iterable[str], most: int = 2) -> str:
    """A closing sentence such as `` Did you mean blur or blend?``, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(dict.fromkeys(known)), n=most, cutoff=0.7)
    if not found:
        return ""
    *some, last = found
    return f" Did you mean {', '.join(some)} or {last}?" if some else f" Did you mean {last}?"
