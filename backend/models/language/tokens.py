"""The tokens of a tokenizer as bytes, in the form that the grammar engine wants."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.catalog.errors import CatalogError


@dataclass(frozen=True)
class TokenTable:
    """``engine`` is an ``llguidance.LLTokenizer``; ``size`` the number of tokens."""

    engine: Any
    size: int

    @classmethod
    def of(cls, tokenizer: Any) -> TokenTable:
        """The table of a tokenizer of transformers.

        Raises:
            CatalogError: the tokenizer is one without a table of tokens (a "slow" one).
        """
        import llguidance

        inner = getattr(tokenizer, "backend_tokenizer", None)
        if inner is None:
            raise CatalogError(
                f"The tokenizer {type(tokenizer).__name__} does not tell the bytes of its tokens, "
                "so its model cannot write by a schema. Choose a model with a tokenizer.json."
            )
        bare = type(inner).from_str(inner.to_str())
        bare.no_padding()
        bare.no_truncation()
        try:
            engine = llguidance.LLTokenizer(bare.to_str(), eos_token=tokenizer.eos_token_id)
        except ValueError as error:
            raise CatalogError(
                f"The tokenizer cannot be used to write by a schema ({str(error)[:200]}). "
                "Choose another model."
            ) from error
        return cls(engine, engine.vocab_size)

    def text(self, token: int) -> bytes:
        """The bytes of one token; of a special one its name."""
        return bytes(self.engine.decode_bytes([token]))

    @cached_property
    def single(self) -> dict[int, int]:
        """The first token for each byte that is a token by itself."""
        found: dict[int, int] = {}
        for token in range(self.size):
            text = self.text(token)
            if len(text) == 1 and not self.engine.is_special_token(token):
                found.setdefault(text[0], token)
        return found
