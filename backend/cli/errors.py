"""How a command ends when it cannot do what it was asked: a sentence and an exit status."""

from __future__ import annotations

from backend.graph.near import near as near

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
