r"""Prompt syntax: weights, breaks and changes during the run, in a text from a stranger.

::

    (a word:1.3)   the words between count 1.3 times; (a word) alone counts 1.1 times
    [a:b:0.4]      a for the first 0.4 of the steps, b from then on
    [b:0.4]        b from then on, nothing before        [a::0.4]   a until then, nothing after
    BREAK          a word of its own: what follows is encoded apart and joined on
    \( \) \[ \] \: \\ \BREAK       the sign or the word itself

All of it nests, and weights multiply. Brackets without a partner, empty ones, and square ones
without a fraction at their end are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TypeAlias

from backend.graph.errors import UserError

MAX_PROMPT = 100_000
"""Characters of a prompt."""

MAX_DEPTH = 20
"""How deep brackets may stand in each other."""

MAX_WEIGHT = 10.0
"""The largest weight, after multiplying, up or down."""

MAX_PHASES = 32
"""Different prompts that one prompt may become during a run."""

PLAIN_WEIGHT = 1.1
"""The weight of ``(words)``."""

_HALF = re.compile(r"[\ud800-\udfff]")
_SIGNS = re.compile(r"\\(?:[()\[\]\\:]|BREAK(?!\w))|[()\[\]:]|(?<![\w\\])BREAK(?!\w)")
_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))\s*")
_ESCAPED = re.compile(r"[()\[\]\\:]|(?<!\w)BREAK(?!\w)")


class PromptError(UserError):
    """What is wrong with a prompt, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Words:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Break:
    """The end of a chunk."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """What counts ``weight`` times."""

    inside: tuple[Node, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Switch:
    """``before`` until the fraction ``when`` of the steps is done, then ``after``."""

    before: tuple[Node, ...]
    after: tuple[Node, ...]
    when: float


Node: TypeAlias = Words | Break | Weighted | Switch


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end`` of a chunk count ``weight`` times."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """A text that is encoded as one, and its weights where they are not 1, in order."""

    text: str
    spans: tuple[Span, ...] = ()

    def cut(self, start: int, end: int) -> Chunk:
        """The part of it from one character to another."""
        kept = (Span(max(s.start, start), min(s.end, end), s.weight) for s in self.spans)
        moved = (Span(s.start - start, s.end - start, s.weight) for s in kept if s.start < s.end)
        return Chunk(self.text[start:end], tuple(moved))


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read."""

    nodes: tuple[Node, ...]

    def at(self, done: float) -> tuple[Chunk, ...]:
        """Its chunks when the fraction ``done`` of the steps is done; at least one."""
        chunks: list[list[tuple[str, float]]] = [[]]
        for node, weight in _leaves(self.nodes, done):
            if isinstance(node, Break):
                chunks.append([])
            else:
                chunks[-1].append((node.text, weight))
        made = [_chunk(pieces, len(chunks) > 1) for pieces in chunks]
        said = [chunk for chunk in made if chunk.text.strip()]
        return tuple(said or made[:1])

    def phases(self) -> tuple[tuple[float, tuple[Chunk, ...]], ...]:
        """``(begin, chunks)`` from 0 on: what is said from which fraction of the steps.

        Raises:
            PromptError: there are more than ``MAX_PHASES``.
        """
        begins = sorted({0.0} | {when for when in _whens(self.nodes) if when < 1})
        if len(begins) > MAX_PHASES:
            raise PromptError(
                f"This prompt changes at {len(begins) - 1} moments; at most {MAX_PHASES - 1} are "
                "made. Let changes share their fractions."
            )
        found = [(begin, self.at(begin)) for begin in begins]
        later = [now for before, now in pairwise(found) if now[1] != before[1]]
        return (found[0], *later)

    def __str__(self) -> str:
        """The prompt written out, every weight with its number."""
        return _written(self.nodes)


def check_characters(text: str) -> None:
    """Refuse a text with half of a character (a lone surrogate), which no tokenizer reads.

    Raises:
        PromptError: it has one.
    """
    half = _HALF.search(text)
    if half:
        raise PromptError(
            f"Character {half.start() + 1} of this text is only half of one "
            f"(U+{ord(half[0]):04X}). Write the text anew there."
        )


def read_prompt(text: str) -> Prompt:
    """Read a prompt. Takes time in proportion to its length.

    Raises:
        PromptError: it is too long or too deep, a weight is too large, a square bracket ends in
            a number that is no fraction, or it has half of a character.
    """
    if len(text) > MAX_PROMPT:
        raise PromptError(
            f"This prompt has {len(text)} characters; at most {MAX_PROMPT} are read. Shorten it."
        )
    check_characters(text)
    signs = list(_SIGNS.finditer(text))
    paired = _paired(signs)
    frames, place = [_Frame(0)], 0
    for sign in signs:
        frames[-1].say(text[place : sign.start()])
        place = sign.end()
        _take(sign, sign.start() in paired, frames, text)
    frames[-1].say(text[place:])
    prompt = Prompt(_merged(frames[0].nodes))
    for _, weight in _leaves(prompt.nodes):
        if abs(weight) > MAX_WEIGHT:
            raise PromptError(
                f"The weight {weight:g} is out of -{MAX_WEIGHT:g} to {MAX_WEIGHT:g} (nested "
                "weights multiply). Lower it, or write \\( and \\) for brackets that are text."
            )
    return prompt


def escape(text: str) -> str:
    """A text with everything that is syntax escaped, so that it stands for itself."""
    return _ESCAPED.sub(lambda found: "\\" + found[0], text)


@dataclass(slots=True)
class _Frame:
    """What stands behind an open bracket so far. ``colons`` are its own: where each is in the
    prompt and among ``nodes``."""

    start: int
    nodes: list[Node] = field(default_factory=list)
    colons: list[tuple[int, int]] = field(default_factory=list)

    def say(self, text: str) -> None:
        if text:
            self.nodes.append(Words(text))

    def between(self, first: int, last: int) -> tuple[Node, ...]:
        return _merged(self.nodes[first:last])


def _paired(signs: Iterable[re.Match[str]]) -> set[int]:
    """Where brackets stand that have a partner.

    A closing bracket closes the nearest open one of its kind; what was opened inside stays text.
    """
    opened: list[tuple[str, int]] = []
    counts = {"(": 0, "[": 0}
    found: set[int] = set()
    for sign in signs:
        if sign[0] in counts:
            opened.append((sign[0], sign.start()))
            counts[sign[0]] += 1
        kind = {")": "(", "]": "["}.get(sign[0])
        while kind and counts[kind]:
            was, place = opened.pop()
            counts[was] -= 1
            if was == kind:
                found |= {place, sign.start()}
                break
    return found


def _take(sign: re.Match[str], paired: bool, frames: list[_Frame], text: str) -> None:
    """Put one sign where it belongs.

    Raises:
        PromptError: brackets stand too deep in each other, or a number is no fraction.
    """
    said = sign[0]
    if said == "BREAK":
        frames[-1].nodes.append(Break())
    elif said == ":":
        frames[-1].colons.append((sign.start(), len(frames[-1].nodes)))
        frames[-1].say(said)
    elif not paired:
        frames[-1].say(said[1:] if said[0] == "\\" else said)
    elif said in "([":
        if len(frames) > MAX_DEPTH:
            raise PromptError(
                f"This prompt has brackets within brackets, more than {MAX_DEPTH} deep. Take some "
                "away, or write a backslash before those that are text."
            )
        frames.append(_Frame(sign.end()))
    else:
        done = frames.pop()
        close = _weighted if said == ")" else _switched
        frames[-1].nodes.extend(close(done, text, sign.start()))


def _weighted(frame: _Frame, text: str, end: int) -> list[Node]:
    """``(words)`` or ``(words:1.3)``; empty ones are text."""
    weight, last = PLAIN_WEIGHT, len(frame.nodes)
    if frame.colons:
        place, index = frame.colons[-1]
        if number := _NUMBER.fullmatch(text, place + 1, end):
            weight, last = float(number[1]), index
    if not last:
        return [Words("("), *frame.nodes, Words(")")]
    return [Weighted(frame.between(0, last), weight)]


def _switched(frame: _Frame, text: str, end: int) -> list[Node]:
    """``[a:b:0.4]``, ``[b:0.4]`` or ``[a::0.4]``; anything else in square brackets is text.

    Raises:
        PromptError: it ends in a number that is no fraction.
    """
    colons = frame.colons
    number = _NUMBER.fullmatch(text, colons[-1][0] + 1, end) if colons else None
    if number is None or len(colons) > 2 or colons[-1][1] == len(colons) - 1:
        return [Words("["), *frame.nodes, Words("]")]
    when = float(number[1])
    if not 0 <= when <= 1 or number[1] == "1":
        raise PromptError(
            f"[...:{number[1]}] ends in {number[1]}, which is no fraction of the steps. Write 0.0 "
            "to 1.0, such as 0.5 for a change half way, or \\[ for a bracket that is text."
        )
    first = colons[0][1] if len(colons) == 2 else 0
    second = frame.between(first + len(colons) - 1, colons[-1][1])
    return [Switch(frame.between(0, first), second, when)]


def _merged(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The same with neighbouring words as one."""
    found: list[Node] = []
    words: list[str] = []
    for node in nodes:
        if isinstance(node, Words):
            words.append(node.text)
            continue
        if words:
            found.append(Words("".join(words)))
            words = []
        found.append(node)
    return (*found, Words("".join(words))) if words else tuple(found)


def _leaves(
    nodes: Iterable[Node], done: float | None = None, weight: float = 1.0
) -> Iterator[tuple[Words | Break, float]]:
    """Words and breaks with their weights, as they are when ``done`` is done, or all of them."""
    for node in nodes:
        if isinstance(node, Weighted):
            yield from _leaves(node.inside, done, weight * node.weight)
        elif isinstance(node, Switch):
            if done is None or done < node.when:
                yield from _leaves(node.before, done, weight)
            if done is None or done >= node.when:
                yield from _leaves(node.after, done, weight)
        else:
            yield node, weight


def _whens(nodes: Iterable[Node]) -> Iterator[float]:
    for node in nodes:
        if isinstance(node, Weighted):
            yield from _whens(node.inside)
        elif isinstance(node, Switch):
            yield node.when
            yield from _whens((*node.before, *node.after))


def _chunk(pieces: Sequence[tuple[str, float]], trim: bool) -> Chunk:
    spans: list[Span] = []
    place = 0
    for text, weight in pieces:
        end = place + len(text)
        if spans and spans[-1].end == place and spans[-1].weight == weight:
            spans[-1] = Span(spans[-1].start, end, weight)
        elif weight != 1 and text:
            spans.append(Span(place, end, weight))
        place = end
    chunk = Chunk("".join(text for text, _ in pieces), tuple(spans))
    if not trim:
        return chunk
    begin = len(chunk.text) - len(chunk.text.lstrip())
    return chunk.cut(begin, max(len(chunk.text.rstrip()), begin))


def _written(nodes: Iterable[Node]) -> str:
    return "".join(_write(node) for node in nodes)


def _write(node: Node) -> str:
    if isinstance(node, Words):
        return escape(node.text)
    if isinstance(node, Break):
        return "BREAK"
    if isinstance(node, Weighted):
        return f"({_written(node.inside)}:{_digits(node.weight)})"
    return f"[{_written(node.before)}:{_written(node.after)}:{_digits(node.when)}]"


def _digits(number: float) -> str:
    """A number without an exponent, and with a point."""
    text = format(Decimal(repr(number)), "f")
    return text if "." in text else f"{text}.0"
