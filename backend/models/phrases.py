"""One vector for a few words: what a text encoder makes of a caption, without its tokens."""

from __future__ import annotations

import numpy as np

from backend.models.family import Load, family_of
from backend.values import Float32, TextEncoder


def phrase(encoder: TextEncoder, text: str, load: Load, device: str) -> Float32:
    """A vector ``[width]``: the mean over the text's own tokens of each sequence that the encoder
    makes, and its pooled vectors, each brought to mean 0 and deviation 1."""
    family = family_of(encoder)
    said = family.encode_text(encoder, [text], {}, load, device)
    places: dict[str, list[int]] = {}
    for row in family.token_spans(encoder, text, {}, load):
        own = row.places(0, len(text))
        for name in row.tensors:
            places.setdefault(name, []).extend(own)
    parts = []
    for name, tensor in said.tensors.items():
        if tensor.ndim == 3:
            own_places = [p for p in places.get(name, []) if p < tensor.shape[1]]
            parts.append(tensor[0, own_places or slice(None)].mean(0))
        elif tensor.ndim == 2 and name != "mask":
            parts.append(tensor[0])
    levelled = [(part - part.mean()) / (part.std() + 1e-6) for part in parts]
    return np.concatenate(levelled).astype(np.float32)
