"""What can be told while a graph is edited: whether latents, texts, VAEs and models go together."""

from __future__ import annotations

from collections.abc import Iterable

from backend.models.card import Geometry
from backend.models.explain import explained
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


def size_fits(width: int | None, height: int | None, other: Facts | None) -> None:
    """Refuse a size in pixels that a model or VAE cannot take, where both are known.

    Raises:
        UserError: a side is no multiple of what it takes; the sentence names the nearest size.
    """
    if width and height and other is not None and other.factor:
        with explained():
            Geometry(other.channels or 1, other.factor, other.patch or 1).shape(width, height)


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
