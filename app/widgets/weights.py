"""The weights of words in a prompt, changed by keys: ``a (red:1.2) circle``."""

from __future__ import annotations

import re

LEAST, MOST = 0.0, 3.0

_WEIGHT = re.compile(r":([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\)")
_ENDS = " \t\n,;.()[]"


def weighed(text: str, begin: int, end: int, by: float) -> tuple[str, int, int]:
    """The text with the words between ``begin`` and ``end`` counting more or less, and where they
    stand then.

    Without a selection it is the word at ``begin``. Words in brackets with a weight get another
    one; at 1 the brackets go. Nothing happens where there are no words.
    """
    if begin == end:
        while begin > 0 and text[begin - 1] not in _ENDS:
            begin -= 1
        while end < len(text) and text[end] not in _ENDS:
            end += 1
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    words = text[begin:end]
    if not words:
        return text, begin, end
    found = _WEIGHT.match(text, end) if text[begin - 1 : begin] == "(" else None
    weight, before, after = 1.0, begin, end
    if found is not None:
        weight, before, after = float(found[1]), begin - 1, found.end()
    weight = round(min(MOST, max(LEAST, weight + by)), 2)
    if weight == 1.0:
        return text[:before] + words + text[after:], before, before + len(words)
    said = f"({words}:{weight:g})"
    return text[:before] + said + text[after:], before + 1, before + 1 + len(words)
