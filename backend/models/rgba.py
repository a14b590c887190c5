"""A picture with alpha from an ordinary model: sampled with room around the subject, watched, cut.

Alfie: Democratising RGBA Image Generation With No $$$ (arXiv:2408.14826).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.media.pixels.cutout import Cut, cut_out, trimap
from backend.models.encode import coder, encode_plain
from backend.models.family import describe, family_of
from backend.models.gaze import Kinship
from backend.models.looks import word_places
from backend.models.run import denoise
from backend.models.seams.maps import Recorder
from backend.models.tiling.tiles import Coding, tiles_for
from backend.sdk import Context
from backend.values import (
    VAE,
    Conditioning,
    Float32,
    Guider,
    Image,
    Latent,
    Model,
    Noise,
    Schedule,
    Solver,
    Term,
    TextEncoder,
)


@dataclass(frozen=True)
class Asked:
    """What is to be made: the picture, the ``subject`` (a part of the prompt, or all of it), what
    lies around it, and in how wide a ``border`` only that."""

    prompt: str
    subject: str
    background: str
    negative: str
    border: float
    steps: int
    cfg: float
    seed: int


def draw_rgba(
    ctx: Context,
    model: Model,
    encoder: TextEncoder,
    vae: VAE,
    latent: Latent,
    asked: Asked,
    cut: Cut,
) -> tuple[Image, Image, Image, Float32]:
    """The pictures as RGBA, the same before they were cut, their trimaps (grey), and the heat maps
    ``[count, height, width]``.

    Raises:
        DiffusionError: the subject is not in the prompt, the parts do not go together, the model
            has no attention to look at, or makes videos.
        CatalogError: files of the model cannot be used.
    """
    if latent.samples.ndim != 4:
        raise DiffusionError("Generate RGBA makes pictures, and this latent is a video.")
    places = _places(ctx, encoder, asked)
    looks, bonds = Recorder(), Kinship()
    made = denoise(
        ctx,
        _guider(ctx, model, encoder, asked),
        Solver(describe(model).defaults.solver),
        Schedule("native", steps=asked.steps),
        Noise("gaussian", seed=asked.seed),
        latent,
        watch=(looks, bonds),
    )
    patch = describe(model).geometry.patch
    height, width = (side // patch for side in made.samples.shape[-2:])
    maps = looks.maps(height, width)
    if max(places) >= maps.shape[1]:
        raise DiffusionError(
            "The model did not look at the words of the subject: the prompt is too long for it. "
            "Shorten the prompt."
        )
    heat = bonds.spread(maps[:, list(places)].mean(1))
    coding = Coding(*tiles_for(ctx, 0, 0))
    drawn = family_of(vae).decode_latent(vae, made, ctx.load, ctx.device, coding)
    shown = _drawn_larger(heat, (drawn.width, drawn.height))
    marks = trimap(shown, cut)
    pictures = []
    for one, mark in zip(drawn.pixels, marks, strict=True):
        ctx.check()
        pictures.append(cut_out(one, mark, cut, ctx.check))
    return Image(np.stack(pictures)), drawn, Image(marks[..., None]), shown


def _guider(ctx: Context, model: Model, encoder: TextEncoder, asked: Asked) -> Guider:
    def told(text: str, negative: bool = False) -> Conditioning:
        options = {"guidance": 3.5, "clip_skip": 0, "negative": negative}
        made = encode_plain(coder(encoder, options, ctx.load, ctx.device), text)
        for note in made.notes:
            ctx.note(note)
        return made.conditioning

    terms = [Term("positive", told(asked.prompt)), Term("border", told(asked.background))]
    if asked.cfg != 1:
        terms.append(Term("negative", told(asked.negative, True)))
    return Guider("bordered", {"cfg": asked.cfg, "border": asked.border}, model, tuple(terms))


def _places(ctx: Context, encoder: TextEncoder, asked: Asked) -> tuple[int, ...]:
    if not asked.prompt.strip():
        raise DiffusionError("The prompt is empty. Write what the picture shall show.")
    return word_places(ctx, encoder, asked.prompt, asked.subject.strip() or asked.prompt.strip())


def _drawn_larger(maps: Float32, size: tuple[int, int]) -> Float32:
    """Maps of tokens at the picture's size (width, height), each from 0 to 1."""
    import cv2

    large = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in maps])
    low, high = large.min((1, 2), keepdims=True), large.max((1, 2), keepdims=True)
    return np.asarray((large - low) / np.where(high > low, high - low, 1), np.float32)
