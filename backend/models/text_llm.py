"""Language models as text encoders: chat templates, hidden states, sequences of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError

if TYPE_CHECKING:
    from torch import Tensor


def chats(tokenizer: Any, texts: Sequence[str], **options: Any) -> list[str]:
    """Each text as a user's message in the tokenizer's chat template, up to where the answer
    begins. ``options`` go to the template.

    Raises:
        CatalogError: the tokenizer has no template, or a broken one.
    """
    from jinja2 import TemplateError

    try:
        return [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": text}],
                tokenize=False,
                add_generation_prompt=True,
                **options,
            )
            for text in texts
        ]
    except (ValueError, TemplateError) as error:
        raise CatalogError(
            f"The chat template of the tokenizer {type(tokenizer).__name__} cannot be used "
            f"({str(error)[:120]}). Get the tokenizer folder again, with its chat template."
        ) from error


def hidden(
    encoder: Any, ids: Tensor, mask: Tensor, layers: Sequence[int], **more: Any
) -> list[Tensor]:
    """The hidden states ``[b, tokens, width]`` behind some layers, 0 being the embeddings.
    ``more`` goes to the encoder too: the pictures of one that sees."""
    import torch

    with torch.no_grad():
        # The base model: scores of the next word are of no use here, and large.
        states = encoder.base_model(
            input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False, **more
        ).hidden_states
    return [states[layer] for layer in layers]


def compact(sequence: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens that a mask ``[b, tokens]`` keeps, moved to the front, and their mask.

    Both are as long as the longest text needs; the rest of the shorter ones is 0.
    """
    from torch.nn.utils.rnn import pad_sequence

    kept = mask.bool()
    rows = [row[keep] for row, keep in zip(sequence, kept, strict=True)]
    ones = [keep[keep].to(sequence.dtype) for keep in kept]
    return pad_sequence(rows, batch_first=True), pad_sequence(ones, batch_first=True)
