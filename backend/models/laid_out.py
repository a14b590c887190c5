"""A layout on a model: captions as vectors or as tokens of a prompt, and the patches of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.models.experts import experts_of
from backend.models.family import describe, family_of
from backend.models.looks import word_places
from backend.models.lora.adapter import layout_patch
from backend.models.lora.fit import check_fits
from backend.models.patches.attention_guidance import BOXES, KIND, TOKENS
from backend.models.phrases import phrase
from backend.models.pipelines.reference import refuse_whole
from backend.sdk import Context
from backend.values import Float32, Layout, Model, Patch, TextEncoder


def adapted(
    ctx: Context,
    model: Model,
    encoder: TextEncoder,
    layout: Layout,
    path: Path,
    strength: float,
    span: tuple[float, float],
) -> Model:
    """The model with a layout adapter laid on.

    Raises:
        CatalogError: the file is broken, no layout adapter, or for another model.
        DiffusionError: the text encoder is of another model.
    """
    refuse_whole(model)
    check_fits(path, model)
    same_words(model, encoder)
    words = np.stack([phrase(encoder, b.caption, ctx.load, ctx.device) for b in layout.boxes])
    patch = layout_patch(path, model.family, strength, span, places_of(layout)[None], words[None])
    return model.with_(patch) if strength else model


def guided(
    ctx: Context,
    model: Model,
    encoder: TextEncoder,
    layout: Layout,
    text: str,
    strength: float,
    params: Mapping[str, float | int],
) -> Model:
    """The model with layout guidance by attention.

    Raises:
        DiffusionError: a caption is not in the prompt, or the model has no attention to its words.
    """
    refuse_whole(model)
    same_words(model, encoder)
    if not any(site.stream != "self" for site in family_of(model).card.sites):
        raise DiffusionError(
            f"{family_of(model).card.title} models offer no attention of the picture to its words, "
            "so that no layout guides them this way. Use regional prompts."
        )
    if len(experts_of(model)) > 1 or describe(model).geometry.frame_factor:
        raise DiffusionError(
            "Layout guidance moves pictures of one network, and this model makes videos or has "
            "several experts. Use regional prompts."
        )
    named = [word_places(ctx, encoder, text, _said(layout, n)) for n in range(len(layout.boxes))]
    tokens = np.zeros((len(named), 1 + max(max(places) for places in named)), np.float32)
    for number, places in enumerate(named):
        tokens[number, list(places)] = 1
    patch = Patch(KIND, strength, params, tensors={BOXES: places_of(layout), TOKENS: tokens})
    return model.with_(patch) if strength else model


def _said(layout: Layout, number: int) -> str:
    caption = layout.boxes[number].caption.strip()
    if not caption:
        raise DiffusionError(
            f"Box {number + 1} of the layout has no caption, so that nothing in the prompt speaks "
            "of it. Write one."
        )
    return caption


def places_of(layout: Layout) -> Float32:
    """Left, top, width and height of each box as shares, ``[boxes, 4]``."""
    return np.array([[b.x, b.y, b.width, b.height] for b in layout.boxes], np.float32)


def same_words(model: Model, encoder: TextEncoder) -> None:
    """Refuse a text encoder of another model.

    Raises:
        DiffusionError: it is one.
    """
    if describe(encoder).text_space != describe(model).text_space:
        raise DiffusionError(
            "The text encoder is of another model. Link the one that came with the model."
        )
