"""What families share on the way from texts to token numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError
from backend.diffusion.schedule import number
from backend.values import Params

if TYPE_CHECKING:
    from torch import Tensor


def token_ids(tokenizer: Any, texts: Sequence[str], length: int, encoder: Any) -> Tensor:
    """Token numbers ``[texts, length]``, padded and cut to the length.

    Raises:
        CatalogError: the encoder has no entry for one of them.
    """
    return tokenise(tokenizer, texts, length, encoder)[0]


def tokenise(
    tokenizer: Any, texts: Sequence[str], length: int, encoder: Any, **options: Any
) -> tuple[Tensor, Tensor]:
    """Token numbers and their mask (1 for a token, 0 for padding), both ``[texts, length]``.

    ``options`` go to the tokenizer.

    Raises:
        CatalogError: the encoder has no entry for a token.
    """
    settings = {"padding": "max_length", "truncation": True, **options}
    coded = tokenizer(list(texts), max_length=length, return_tensors="pt", **settings)
    ids: Tensor = coded.input_ids
    known = int(encoder.config.get_text_config().vocab_size)
    if int(ids.max()) >= known:
        raise CatalogError(
            f"The tokenizer {type(tokenizer).__name__} gives token {int(ids.max())}, but its text "
            f"encoder knows {known}. These components are of different models."
        )
    return ids, coded.attention_mask


def longest(config: Mapping[str, Any], limit: int) -> int:
    """A tokenizer's own longest text, where it names one below the family's."""
    return min(int(config.get("model_max_length") or limit), limit)


def wanted_length(options: Params, most: int) -> int:
    """The option ``max_tokens``, or the most that the encoder takes.

    Raises:
        DiffusionError: it is out of 1 to ``most``.
    """
    length = int(number(options, "max_tokens", most))
    if not 1 <= length <= most:
        raise DiffusionError(f"This text encoder takes 1 to {most} tokens, not {length}.")
    return length
