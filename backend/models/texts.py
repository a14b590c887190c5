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


def encode_unpadded(
    encoder: Any, ids: Tensor, mask: Tensor, device: str, beyond: int = 0
) -> tuple[Tensor, Tensor]:
    """Last hidden states of an encoder that looks both ways, such as T5, and their mask, for token
    numbers and a mask with the padding behind, as ``tokenise`` gives them.

    Each text goes through the encoder at its own length, together with those that are as long, so
    nothing is computed for padding (EnergonAI, arXiv:2209.02341, redundant computation
    elimination). It gives what padded texts under their mask give, ``[texts, tokens, width]`` as
    long as the longest needs, zeros behind the shorter ones. ``beyond`` tokens of the padding are
    read too where there is room, to which no other token attends; the mask has them.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    sizes = (mask.sum(1) + beyond).clamp(max=mask.shape[1])
    rows: dict[int, Tensor] = {}
    for size in sorted(set(sizes.tolist())):
        same = (sizes == size).nonzero().flatten()
        part = (ids[same, :size].to(device), mask[same, :size].to(device))
        with torch.no_grad():
            found = encoder(part[0], attention_mask=part[1])[0]
        rows |= dict(zip(same.tolist(), found, strict=True))
    found_rows = [rows[number] for number in range(len(ids))]
    ones = [row.new_ones(len(row)) for row in found_rows]
    return pad_sequence(found_rows, batch_first=True), pad_sequence(ones, batch_first=True)


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
