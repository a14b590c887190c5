"""Whether a ControlNet belongs to a model, from configs alone. Light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backend.catalog.controlnets import TRANSFORMER
from backend.catalog.errors import CatalogError
from backend.catalog.source import read_source
from backend.models.controlnet.file import NetFacts
from backend.models.family import family_of
from backend.values import Model

FOLLOW = ("sd15", "sdxl", "flux")
"""The families whose models follow a ControlNet here."""


def check_family(own: str, theirs: str, family: str, title: str) -> None:
    """Refuse a ControlNet for the family ``own``, which people call ``theirs``, on a model of
    another family, called ``title``.

    Raises:
        CatalogError: the sentence names both.
    """
    if own == family:
        return
    if family not in FOLLOW:
        raise CatalogError(
            f"This ControlNet is for {theirs} models, and {title} models follow none here. Stable "
            "Diffusion, SDXL and FLUX.1 do."
        )
    raise CatalogError(
        f"This ControlNet is for {theirs} models, and the model is of the family {title}. Choose a "
        "ControlNet for this family."
    )


def check_fits(net: NetFacts, model: Model) -> None:
    """Refuse a ControlNet that was made for another network than this model's.

    Raises:
        CatalogError: the family or a size differs; the sentence names it.
    """
    card = family_of(model).card
    check_family(net.family, net.title, card.name, card.title)
    component = read_source(model.source).component(model.part)
    base = component.config
    differing = _flux(net, base) if net.kind == TRANSFORMER else _unet(net, base)
    for what, own, theirs in differing:
        if own != theirs:
            raise CatalogError(
                f"This ControlNet is for {net.title} models with {what} {_said(own)}, and this "
                f"model has {_said(theirs)}. Choose a ControlNet for this version of "
                f"{card.title}."
            )


def _unet(net: NetFacts, base: Any) -> Iterator[tuple[str, Any, Any]]:
    own = net.config
    yield "texts of width", own.get("cross_attention_dim", 1280), _text(base)
    for name, usual, what in (
        ("block_out_channels", (320, 640, 1280, 1280), "blocks of"),
        ("layers_per_block", 2, "layers in each block:"),
        ("addition_embed_type", None, "a further embedding:"),
        ("projection_class_embeddings_input_dim", None, "further numbers:"),
    ):
        yield what, _plain(own.get(name, usual)), _plain(base.get(name, usual))


def _text(base: Any) -> Any:
    return base.get("cross_attention_dim", 1280)


def _flux(net: NetFacts, base: Any) -> Iterator[tuple[str, Any, Any]]:
    own = net.config
    for name, usual, what in (
        ("joint_attention_dim", 4096, "texts of width"),
        ("pooled_projection_dim", 768, "pooled texts of width"),
        ("num_attention_heads", 24, "attention heads:"),
        ("attention_head_dim", 128, "attention heads of"),
    ):
        yield what, own.get(name, usual), base.get(name, usual)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
