"""Finding node types, or anything with a title, by a few letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backend.graph.spec import NodeSpec

_START, _WORD, _RUN, _LETTER = 12.0, 9.0, 7.0, 1.0
_ALIAS, _CATEGORY, _HELP = 0.7, 0.5, 0.35
_RECENT = 4.0


class Hit(NamedTuple):
    """Something found: its key, how well it fits, and what of it was matched.

    ``letters`` are the places of matched letters in the title. Where an alias was matched and not
    the title, ``alias`` is it.
    """

    score: float
    key: str
    letters: tuple[int, ...]
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is searched: a key, and in small letters the words that may be written."""

    key: str
    title: str
    folded: str
    aliases: tuple[str, ...] = ()
    category: str = ""
    help: str = ""


def entry_of(spec: NodeSpec) -> Entry:
    """A node type, ready to be searched."""
    return Entry(
        spec.type,
        spec.title,
        spec.title.casefold(),
        tuple(alias.casefold() for alias in spec.aliases),
        spec.category.casefold(),
        spec.help.casefold(),
    )


class Palette:
    """Node types to be found by name, alias and description. Made once for them."""

    def __init__(self, specs: Mapping[str, NodeSpec]) -> None:
        self._entries = tuple(entry_of(spec) for spec in specs.values())

    def find(
        self, text: str, among: Iterable[str] | None = None, recent: Sequence[str] = ()
    ) -> tuple[Hit, ...]:
        """The node types that fit some letters, best first.

        Every word must be found: in the title (its beginning, the beginnings of its words, its
        letters in their order), an alias, the category or the description.

        Args:
            text: What was typed; nothing finds all, by title.
            among: The types that may be found, such as those which a pulled link fits.
            recent: Types used last, the newest first; among equals they come first.
        """
        kept = None if among is None else set(among)
        entries = (e for e in self._entries if kept is None or e.key in kept)
        return search(entries, text, recent)


def search(entries: Iterable[Entry], text: str, recent: Sequence[str] = ()) -> tuple[Hit, ...]:
    """What fits some letters, best first; as ``Palette.find``."""
    words = text.casefold().split()
    newest = {key: _RECENT / (1 + i) for i, key in enumerate(recent)}
    found: list[tuple[float, str, Hit]] = []
    for entry in entries:
        hit = _match(entry, words)
        if hit is not None:
            score = hit.score + newest.get(entry.key, 0.0)
            found.append((-score, entry.folded, hit._replace(score=score)))
    found.sort(key=lambda item: item[:2])
    return tuple(hit for _, _, hit in found)


def _match(entry: Entry, words: Sequence[str]) -> Hit | None:
    if not words:
        return Hit(0.0, entry.key, ())
    total, letters, by_alias = 0.0, set[int](), ""
    whole = " ".join(words)
    if entry.folded.startswith(whole):
        bonus = _START if len(whole) == len(entry.folded) else _START / 2
        total += bonus * len(whole)
    for word in words:
        best, places, alias = _word(entry, word)
        if best <= 0.0:
            return None
        total += best
        letters.update(places)
        by_alias = by_alias or alias
    total -= 0.02 * len(entry.title)  # of two that fit alike, the shorter
    return Hit(total, entry.key, tuple(sorted(letters)), by_alias)


def _word(entry: Entry, word: str) -> tuple[float, tuple[int, ...], str]:
    score, places = fuzzy(entry.folded, word)
    best: tuple[float, tuple[int, ...], str] = (score, places, "")
    for alias in entry.aliases:
        score = fuzzy(alias, word)[0] * _ALIAS if word in alias else 0.0
        if score > best[0]:
            best = (score, (), alias)
    for text, weight in ((entry.category, _CATEGORY), (entry.help, _HELP)):
        at = text.find(word) if len(word) > 1 else -1
        if at >= 0:
            starts = at == 0 or not text[at - 1].isalnum()
            score = weight * len(word) * (_WORD if starts else _LETTER)
            if score > best[0]:
                best = (score, (), "")
    return best


def fuzzy(text: str, word: str) -> tuple[float, tuple[int, ...]]:
    """How well a word fits into a text, and the places of its letters; 0 where it does not.

    A run of letters at the beginning counts most, then one at the beginning of a word, then one
    anywhere, then letters at the beginnings of words. Of letters strewn over the text more than
    half must begin a word or follow each other, or all lie in one word from its beginning on
    (``rsz``); else they fit by chance.
    """
    at = text.find(word)
    if at >= 0:
        begins = at
        while begins > 0 and text[begins - 1].isalnum():
            begins = text.find(word, begins + 1)
            if begins < 0:
                break
        place = begins if begins >= 0 else at
        each = _START if place == 0 else _WORD if begins >= 0 else _RUN
        return each * len(word), tuple(range(place, place + len(word)))
    return _strewn(text, word)


def _strewn(text: str, word: str) -> tuple[float, tuple[int, ...]]:
    places: list[int] = []
    score, good = 0.0, 0
    at = -1
    for letter in word:
        begin = _begins(text, letter, at + 1)
        follows = at + 1 < len(text) and text[at + 1] == letter and at >= 0
        if follows:
            at += 1
        else:
            at = begin if begin >= 0 else text.find(letter, at + 1)
        if at < 0:
            return 0.0, ()
        is_good = follows or at == begin
        good += is_good
        score += 4.0 if is_good else _LETTER
        places.append(at)
    short = len(word) > 2 and places[0] == _begins(text, word[0], 0)
    if 2 * good > len(word) or (short and text[places[0] : at].isalnum()):
        return score, tuple(places)
    return 0.0, ()


def _begins(text: str, letter: str, start: int) -> int:
    """Where a word of a text begins with a letter, from a place on; -1 where none does."""
    at = text.find(letter, start)
    while at > 0 and text[at - 1].isalnum():
        at = text.find(letter, at + 1)
    return at
