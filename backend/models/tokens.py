"""Where the characters of a text end up among the tokens of a conditioning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

MARK = "\uf8ff"
"""A character of no writing system: it finds the place of the text in a template."""

NEAR = 16
"""Characters that cleaning a text may drop in one go."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a text.

    ``start`` to ``end`` are the characters of the text that it stands for, ``None`` for a token
    that the tokenizer or a template added. ``place`` is its index on the token axis of the tensors
    that the row fills, ``None`` where it fills none; ``cut`` says that the text was too long for
    it.
    """

    piece: str
    start: int | None
    end: int | None
    place: int | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class TokenRow:
    """The tokens of one text by one tokenizer, in order, without those that only fill up.

    ``tensors`` names the tensors of the conditioning whose second axis counts these tokens; none
    for a tokenizer whose encoder gives only a pooled vector. ``length`` is the most tokens that
    are read. ``pieces`` says that a longer text may be encoded in pieces that are joined.
    """

    name: str
    tensors: tuple[str, ...]
    length: int
    tokens: tuple[Token, ...]
    pieces: bool = False

    @property
    def cut(self) -> tuple[Token, ...]:
        """The tokens that were cut off."""
        return tuple(token for token in self.tokens if token.cut)

    def places(self, start: int, end: int) -> tuple[int, ...]:
        """The places of the tokens that hold any of the characters ``start`` to ``end``."""
        return tuple(
            token.place
            for token in self.tokens
            if token.place is not None
            and token.start is not None
            and token.end is not None
            and token.start < end
            and start < token.end
        )


def token_row(
    name: str,
    tokenizer: Any,
    text: str,
    length: int,
    tensors: Sequence[str] = ("sequence",),
    *,
    written: Callable[[str], str] = str,
    first: int = 0,
    packed: bool = False,
    pieces: bool = False,
    **options: Any,
) -> TokenRow:
    """The tokens of a text, as ``texts.tokenise`` makes them with the same ``options``.

    Args:
        name: the component's name, for people.
        length: tokens that are read at most, those that the tokenizer adds among them.
        tensors: what they fill.
        written: what the family makes of a text before it is tokenised: a template, a cleaning.
        first: the place of the first token; below 0 where the first tokens are dropped.
        packed: whether the sequence holds real tokens only, so that padding before them is gone.
        pieces: whether a longer text may be encoded in pieces that are joined.
    """
    asked = written(text)
    origins = _origins(text, asked, max(written(MARK).find(MARK), 0))
    fast = bool(getattr(tokenizer, "is_fast", False))

    def coded(**more: Any) -> Any:
        wanted = {"return_special_tokens_mask": True, "return_offsets_mapping": fast}
        return tokenizer(asked, verbose=False, **wanted, **{**options, **more})

    kept = coded(max_length=length, truncation=True, padding="max_length")
    whole = coded(truncation=False, padding=False)
    tokens = []
    real = [i for i, one in enumerate(kept["attention_mask"]) if one]
    for rank, index in enumerate(real):
        place = first + (rank if packed else index)
        token = _token(tokenizer, kept, index, text, origins)
        tokens.append(Token(*token, place if place >= 0 else None))
    content = [i for i, added in enumerate(whole["special_tokens_mask"]) if not added]
    read = sum(not kept["special_tokens_mask"][i] for i in real)
    for index in content[read:]:
        tokens.append(Token(*_token(tokenizer, whole, index, text, origins), None, True))
    return TokenRow(name, tuple(tensors), length, tuple(tokens), pieces)


def _token(
    tokenizer: Any, coded: Any, index: int, text: str, origins: Sequence[int]
) -> tuple[str, int | None, int | None]:
    """Piece, start and end of one token."""
    begin, end = coded["offset_mapping"][index] if "offset_mapping" in coded else (0, 0)
    added = coded["special_tokens_mask"][index]
    found = [] if added else [place for place in origins[begin:end] if place >= 0]
    if not found:
        return str(tokenizer.convert_ids_to_tokens(coded["input_ids"][index])), None, None
    start, stop = min(found), max(found) + 1
    return text[start:stop], start, stop


def _origins(text: str, asked: str, at: int) -> list[int]:
    """For each character of ``asked`` its index in ``text``, which begins at ``at``; -1 for what is
    not of the text."""
    if asked[at : at + len(text)] == text:
        return [i - at if at <= i < at + len(text) else -1 for i in range(len(asked))]
    found, place = [-1] * at, 0
    for char in asked[at:]:
        same = (
            i
            for i in range(place, min(place + NEAR, len(text)))
            if text[i].casefold() == char.casefold()
        )
        origin = next(same, -1)
        found.append(origin)
        place = max(place, origin + 1)
    return found
