"""A picture taken apart into layers by a model that a Layers LoRA has taught.

DiffDecompose (arXiv:2505.21541): the picture as a reference, a layer's colours and its alpha as
panels of one picture, all with the same positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.media.pixels.batches import seal
from backend.media.pixels.layering import checked_name, stacked
from backend.media.pixels.unblend import fitted, layer_of_panels
from backend.models import reference
from backend.models.family import describe, family_of
from backend.models.lora.adapter import layers_patch
from backend.models.lora.text import text_patches
from backend.models.patches.layer_panels import LAYER_PANELS
from backend.models.pixels import colours
from backend.models.run import denoise
from backend.models.tiling.tiles import Coding, tiles_for
from backend.sdk import Context, UserError
from backend.values import (
    VAE,
    Conditioning,
    Float32,
    Guider,
    Image,
    Latent,
    Layer,
    Layers,
    Model,
    Noise,
    Patch,
    Schedule,
    Solver,
    Term,
    TextEncoder,
)

PANELS = 2
"""Colours over grey, and alpha."""

MOST = 32
"""Layers of one picture."""

PLACE = "{}"
"""Where the words of a layer stand in a prompt."""


@dataclass(frozen=True)
class Asked:
    """What is to be done: the words for each layer, from the back to the front, of which the first
    fills the picture; what the model is told of one; whether the colours are fitted to the picture.
    """

    words: tuple[str, ...]
    prompt: str
    fit: bool
    steps: int
    cfg: float
    seed: int

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UserError: there are no layers or too many, the words of one are too long, or the prompt
                has no place for them.
        """
        if not 1 <= len(self.words) <= MOST:
            raise UserError(
                f"There are {len(self.words)} layers. Write from 1 to {MOST}, one on a line."
            )
        for words in self.words:
            checked_name(words)
        if self.prompt.count(PLACE) != 1:
            raise UserError(
                f"The prompt is {self.prompt!r}. Write {PLACE} once, where a layer's words go."
            )


def decompose(
    ctx: Context,
    model: Model,
    encoder: TextEncoder,
    vae: VAE,
    picture: Image,
    file: Path,
    asked: Asked,
) -> Layers:
    """The layers of a picture, from the back to the front, all as large as it.

    Raises:
        UserError: there is not one picture, or what is asked makes no sense.
        CatalogError: the file is no Layers LoRA, or for another family.
        DiffusionError: the model's family cannot do it.
    """
    asked.check()
    if picture.count != 1:
        raise UserError(
            f"There are {picture.count} pictures. Take one apart at a time: take_images or a for "
            "each zone gives single ones."
        )
    facts, family = describe(model), family_of(vae)
    taught = model.with_(layers_patch(file, model.family)).with_(
        Patch(LAYER_PANELS, 1.0, {"panels": PANELS})
    )
    tiled = Coding(*tiles_for(ctx, 0, 0))
    seen = family.encode_image(vae, picture, ctx.load, ctx.device, None, tiled)
    texts = [asked.prompt.replace(PLACE, words) for words in asked.words]
    told = [reference.add(_read(ctx, encoder, each), seen) for each in (texts, [""])]
    height, width = seen.samples.shape[-2:]
    empty = np.zeros((len(asked.words), seen.samples.shape[1], height, PANELS * width), np.float32)
    made = denoise(
        ctx,
        _guider(taught, told, asked.cfg, facts.defaults.guider),
        Solver(facts.defaults.solver),
        Schedule("native", steps=asked.steps),
        Noise("gaussian", seed=asked.seed),
        Latent(empty, facts.latent_space),
    )
    panels = family.decode_latent(vae, made, ctx.load, ctx.device, tiled).pixels
    return _stack(panels, colours(picture)[0], asked)


def _read(ctx: Context, encoder: TextEncoder, texts: Sequence[str]) -> Conditioning:
    family = family_of(encoder)
    with text_patches(encoder, family.card, ctx.load):
        return family.encode_text(encoder, texts, {}, ctx.load, ctx.device)


def _guider(model: Model, told: Sequence[Conditioning], cfg: float, kind: str) -> Guider:
    positive, negative = told
    if cfg == 1:
        return Guider("none", {}, model, (Term("positive", positive),))
    terms = (Term("positive", positive), Term("negative", negative))
    return Guider(kind, {"cfg": cfg}, model, terms)


def _stack(panels: Float32, picture: Float32, asked: Asked) -> Layers:
    """Layers of the panels that were made, ``[layers, h, 2 w, 3]``."""
    half = panels.shape[2] // PANELS
    found = [layer_of_panels(each[:, :half], each[:, half:]) for each in panels]
    found[0] = np.concatenate([panels[0, :, :half], np.ones_like(found[0][..., 3:])], -1)
    if asked.fit:
        found = fitted(found, picture)
    named = [
        Layer(seal(pixels), checked_name(words))
        for pixels, words in zip(found, asked.words, strict=True)
    ]
    return stacked(half, panels.shape[1], named)
