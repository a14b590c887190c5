"""Adapters on text encoders, for the length of an encoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from backend.catalog.errors import CatalogError
from backend.models.card import Card
from backend.models.family import Load, part_of
from backend.models.lora.adapter import FAMILY, reference
from backend.models.lora.names import parse
from backend.values import TextEncoder


@contextmanager
def text_patches(encoder: TextEncoder, card: Card, load: Load) -> Iterator[None]:
    """Lay an encoder's patches over its networks; those of strength 0 change no bit.

    Raises:
        CatalogError: a patch is of another kind, or does not fit the encoders.
    """
    with ExitStack() as stack:
        for patch in encoder.patches:
            if patch.kind != FAMILY:
                raise CatalogError(
                    f"A text encoder takes LoRA, and no patch {patch.kind!r}. Take that one out."
                )
            if patch.strength:
                from backend.models.lora.attach import attached
                from backend.models.lora.resolve import resolve

                adapter = load(reference(patch))
                for part in sorted({entry.part for entry in parse(adapter.tensors).entries} - {""}):
                    net = load(part_of(encoder, part))
                    deltas = resolve(adapter, net, part, card.title)
                    stack.enter_context(attached(deltas, patch.strength))
        yield
