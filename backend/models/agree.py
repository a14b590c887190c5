"""What can be told while a graph is edited: whether latents, texts, VAEs and models go together."""

from __future__ import annotations

from collections.abc import Iterable

from backend.models.card import Geometry
from backend.models.explain import explained
from backend.models.pipelines.reference import whole_sentence
from backend.models.tiling.tiles import Coding
from backend.sdk import Facts, UserError


def same_latent_space(latent: Facts | None, other: Facts | None) -> None:
    """Refuse a latent at a model, guider or VAE that speaks another space.

    Raises:
        UserError: both spaces are known and differ; the sentence names the nodes between them.
    """
    if latent is None or other is None or not latent.space or not other.space:
        return
    if latent.space != other.space:
        what = {"VAE": "VAE", "Guider": "guider's model"}.get(other.type, "model")
        raise UserError(
            f"The latent is in the space {latent.space}, and the {what} speaks {other.space}. Put "
            "VAE decode, with the VAE that made the latent, and VAE encode, with the one that "
            f"speaks {other.space}, between them."
        )


def runs_in_steps(*models: Facts | None) -> None:
    """Refuse a model that runs whole, as a pipeline, where one is sampled step by step.

    Raises:
        UserError: one is known to; the sentence names the nodes that take it.
    """
    for model in models:
        if model is not None and (said := whole_sentence(model.family or "")):
            raise UserError(said)


def size_fits(width: int | None, height: int | None, other: Facts | None) -> None:
    """Refuse a size in pixels that a model or VAE cannot take; 0 and None are sides not known.

    Raises:
        UserError: a side is no multiple of what it takes; the sentence names the nearest size.
    """
    geometry = _geometry(other)
    if geometry is None:
        return
    if width and height:
        with explained():
            geometry.shape(width, height)
    for name, side in (("width", width), ("height", height)):
        if side and side % geometry.multiple:
            near = max(1, round(side / geometry.multiple)) * geometry.multiple
            raise UserError(
                f"The {name} is {side} pixels, and this model makes multiples of "
                f"{geometry.multiple}. The nearest is {near}."
            )


def frames_fit(frames: int | None, other: Facts | None) -> None:
    """Refuse a number of frames that a video model or VAE cannot take, where both are known.

    Raises:
        UserError: it cannot; the sentence names the nearest numbers.
    """
    geometry = _geometry(other)
    if frames and geometry is not None and geometry.frame_factor:
        with explained():
            geometry.shape(geometry.multiple, geometry.multiple, frames=frames)


def tile_fits(tile: int | None, overlap: int | None, vae: Facts | None) -> None:
    """Refuse tiles that are no larger than what they share, in pixels; 0 is no tiling.

    Raises:
        UserError: they are not; the sentence says what would do.
    """
    if tile and overlap is not None and vae is not None and vae.factor:
        with explained():
            Coding(tile, overlap).tiling(0, 0, vae.factor)


def _geometry(known: Facts | None) -> Geometry | None:
    """The geometry that facts tell of; None where they tell of none."""
    if known is None or not known.factor:
        return None
    return Geometry(known.channels or 1, known.factor, known.patch or 1, known.frame_factor or 0)


def same_text_space(model: Facts | None, conditionings: Iterable[Facts | None]) -> None:
    """Refuse conditionings that were encoded for another model.

    Raises:
        UserError: both spaces are known and differ; the sentence names the node to change.
    """
    if model is None or not model.text_space:
        return
    for given in conditionings:
        if given is not None and given.space and given.space != model.text_space:
            raise UserError(
                f"The text was encoded for {given.space}, and the model understands "
                f"{model.text_space}. Encode it with the text encoder of this model."
            )
