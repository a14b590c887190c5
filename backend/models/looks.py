"""Where a model looks at a word: a run with a recorder, and its maps at the picture's size."""

from __future__ import annotations

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.models.family import describe, family_of
from backend.models.run import denoise
from backend.models.seams.maps import Recorder
from backend.sdk import Context
from backend.values import (
    Float32,
    Guider,
    Latent,
    Noise,
    Schedule,
    Solver,
    TextEncoder,
)


def word_maps(
    ctx: Context,
    guider: Guider,
    solver: Solver,
    schedule: Schedule,
    noise: Noise,
    latent: Latent,
    encoder: TextEncoder,
    text: str,
    word: str,
    span: tuple[float, float] = (0.0, 1.0),
) -> tuple[Latent, Float32]:
    """Sample, and the map ``[samples, height, width]`` of a word, 0..1, at the picture's size.

    ``span`` is the range of steps that count, as fractions.

    Raises:
        DiffusionError: the word is not in the text, its tokens reach no tensor, or the latent is a
            video.
        CatalogError: the model's files cannot be used.
    """
    places = word_places(ctx, encoder, text, word)
    heard = {term.conditioning.space for term in guider.terms if term.role == "positive"}
    if encoder.space not in heard:
        raise DiffusionError(
            "The text encoder is not the one of the guider's positive conditioning. Connect that "
            "one, so that the word's tokens are found."
        )
    if latent.samples.ndim != 4:
        raise DiffusionError("Attention maps are made of pictures, and this latent is a video.")
    recorder = Recorder(span=span)
    made = denoise(ctx, guider, solver, schedule, noise, latent, watch=(recorder,))
    assert guider.model is not None
    geometry = describe(guider.model).geometry
    height, width = (side // geometry.patch for side in made.samples.shape[-2:])
    if not recorder.seen:
        raise DiffusionError(
            f"No step lies between {span[0]:g} and {span[1]:g} of the run, so there is nothing to "
            "show. Take a wider range."
        )
    found = recorder.maps(height, width)
    if max(places) >= found.shape[1]:
        raise DiffusionError(
            f"The run looked at {found.shape[1]} text tokens, but the word stands beyond them. "
            "Give the node the text of the guider's positive conditioning."
        )
    mean = found[:, list(places)].mean(1)
    return made, _enlarged(mean, geometry.multiple)


def word_places(ctx: Context, encoder: TextEncoder, text: str, word: str) -> tuple[int, ...]:
    """The columns of a word's first appearance on the token axis.

    Raises:
        DiffusionError: it is not there, or was cut off.
    """
    start = text.lower().find(word.lower().strip()) if word.strip() else -1
    if start < 0:
        raise DiffusionError(f"The word {word!r} is not in the text. Take a part of the text.")
    end = start + len(word.strip())
    for row in family_of(encoder).token_spans(encoder, text, {}, ctx.load):
        places = tuple(
            token.place
            for token in row.tokens
            if token.place is not None
            and token.start is not None
            and token.end is not None
            and token.start < end
            and token.end > start
        )
        if row.tensors and places:
            return places
    raise DiffusionError(
        f"The word {word!r} has no token that the model looks at: the text is too long for it. "
        "Shorten the text."
    )


def _enlarged(maps: Float32, factor: int) -> Float32:
    """Maps drawn larger by straight interpolation, each scaled to 1 at its highest."""
    import cv2

    top = maps.max((1, 2), keepdims=True)
    scaled = maps / np.where(top > 0, top, 1)
    size = (maps.shape[2] * factor, maps.shape[1] * factor)
    drawn = [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in scaled]
    return np.asarray(np.clip(np.stack(drawn), 0, 1), np.float32)
