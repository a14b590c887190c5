"""Writing by a schema: the tokens that may follow, and the shortest way to an end in time.

llguidance (https://github.com/guidance-ai/llguidance, MIT) says which tokens the grammar allows.
It does not know how long a text may get, so each token is only taken if the text can still be
closed within the tokens that are left; the text always ends, and always follows the schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.models.language.choose import Choice, choose_token
from backend.models.language.grammar import grammar_of
from backend.models.language.schema import Node
from backend.models.language.tokens import TokenTable

if TYPE_CHECKING:
    from torch import Tensor

_LIKELY = 16
"""The likeliest tokens that are looked at where text is forced."""

_CLOSERS, _BEGINNERS = b"}],:", b'"0123456789ntf[{-'


class JsonChoice:
    """Chooses tokens so that the whole text follows a schema; a ``Chooser``."""

    def __init__(
        self,
        table: TokenTable,
        schema: Node,
        choice: Choice,
        seed: int,
        max_tokens: int,
        ends: frozenset[int],
    ) -> None:
        """``ends`` are the tokens by which the model ends a text.

        Raises:
            DiffusionError: the shortest text by this schema is longer than ``max_tokens``, or the
                schema is too large for the grammar engine.
        """
        import torch

        self._text = _Text.begin(table, grammar_of(schema), ends)
        self._choice, self._left = choice, max_tokens
        self._generator = torch.Generator("cpu").manual_seed(seed)
        self._way = self._text.shortest_end(max_tokens)
        if self._way is None:
            raise DiffusionError(
                f"No text by this schema fits in {max_tokens} tokens. Raise max_tokens, or ask for "
                "fewer required properties and items."
            )

    def next(self, scores: Tensor) -> int | None:
        """See ``Chooser``: the likeliest or a drawn token, unless no end in time would be left."""
        if self._text.ended or self._left < 1:
            return None
        self._left -= 1
        token = self._wanted(scores)
        if token is None:
            return None
        self._text.add(token)
        way = self._text.shortest_end(self._left)
        if way is None:
            self._text.take_back()
            if not self._way:
                return None
            token, way = self._way[0], self._way[1:]
            self._text.add(token)
        self._way = way
        return token

    def _wanted(self, scores: Tensor) -> int | None:
        """The token that the model wants of those allowed; ``None`` to end here."""
        import torch

        may = self._text.allowed(len(scores))
        if may.sum() == 1:
            # Where text is forced the engine names its own first piece of it alone. A model may
            # have learnt to write it in another, also in one that goes on beyond it.
            likely = torch.topk(scores, min(_LIKELY, len(scores))).indices.tolist()
            may[[token for token in likely if self._text.takes(token)]] = True
        allowed = torch.from_numpy(may).to(scores.device)
        ends = self._text.ends
        # The score of the end counts as long as the text may end here.
        if self._text.may_end and (end := [e for e in ends if e < len(scores)]):
            allowed[end] = True
        kept = scores.float().masked_fill(~allowed, -torch.inf)
        if not torch.isfinite(kept).any():
            if torch.isnan(scores).any() or self._way is None:
                choose_token(scores, self._choice, self._generator)  # says what is wrong
            # All that may follow lies beyond the model's vocabulary or at -inf.
            return self._way[0] if self._way else None
        token = choose_token(kept, self._choice, self._generator)
        return None if token in ends else token


@dataclass(frozen=True, slots=True)
class _Place:
    """Whether JSON text ends inside a string, and there after a backslash."""

    inside: bool = False
    escaped: bool = False

    def after(self, text: bytes) -> _Place:
        inside, escaped = self.inside, self.escaped
        for byte in text:
            if byte == ord('"') and not escaped:
                inside = not inside
            escaped = inside and not escaped and byte == ord("\\")
        return _Place(inside, escaped)


@dataclass
class _Text:
    """A text as far as it is written, with the state of the grammar there."""

    table: TokenTable
    matcher: Any
    ends: frozenset[int]
    tokens: list[int] = field(default_factory=list)
    places: list[_Place] = field(default_factory=lambda: [_Place()])

    @classmethod
    def begin(cls, table: TokenTable, grammar: str, ends: frozenset[int]) -> _Text:
        import llguidance

        # log_level 0: what goes wrong is told by the text's own errors.
        matcher = llguidance.LLMatcher(
            table.engine, llguidance.LLMatcher.grammar_from_lark(grammar), log_level=0
        )
        text = cls(table, matcher, ends)
        text._check()
        return text

    @property
    def ended(self) -> bool:
        """Whether nothing can follow."""
        return bool(self.matcher.is_stopped())

    @property
    def may_end(self) -> bool:
        """Whether the text is whole as it is."""
        return bool(self.matcher.is_accepting())

    def add(self, token: int) -> None:
        self.matcher.consume_token(token)
        self._check()
        self.tokens.append(token)
        self.places.append(self.places[-1].after(self.table.text(token)))

    def take_back(self, count: int = 1) -> None:
        """Undo the last tokens."""
        if count:
            self.matcher.rollback(count)
            self._check()
            del self.tokens[-count:], self.places[-count:]

    def allowed(self, size: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of the first ``size`` tokens may follow; never an end."""
        bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        may = np.zeros(size, dtype=np.bool_)
        known = np.unpackbits(bits, bitorder="little")[: min(self.table.size, size)]
        may[: len(known)] = known
        may[[end for end in self.ends if end < size]] = False
        return may

    def takes(self, token: int) -> bool:
        """Whether a token, which is no end, may follow."""
        known = token < self.table.size and token not in self.ends
        return known and self.matcher.validate_tokens([token]) == 1

    def shortest_end(self, most: int) -> list[int] | None:
        """Tokens that make the text whole, about as few as can be; ``None`` if they are more than
        ``most``. The text stays as it is."""
        begun = len(self.tokens)
        while not self.ended and not self.may_end and len(self.tokens) - begun < most:
            self.add(self._closing_token())
        way = self.tokens[begun:]
        whole = self.ended or self.may_end
        self.take_back(len(way))
        return way if whole else None

    def _closing_token(self) -> int:
        """A token on a short way to the end: forced text, else what closes the innermost."""
        forced = self.matcher.compute_ff_tokens()
        if forced:
            return int(forced[0])
        for byte in b'"a' if self.places[-1].inside else _CLOSERS + _BEGINNERS:
            token = self.table.single.get(byte)
            if token is not None and self.matcher.validate_tokens([token]):
                return token
        may = np.flatnonzero(self.allowed(self.table.size))
        if not len(may):
            raise DiffusionError(
                "This tokenizer has no token that could go on by the schema. Choose another model."
            )
        return int(min(may, key=lambda token: len(self.table.text(int(token)))))

    def _check(self) -> None:
        if self.matcher.is_error():
            said = " ".join(self.matcher.get_error().split())[:200]
            raise DiffusionError(
                f"The grammar of this schema cannot be followed ({said}). Make the schema smaller."
            )
