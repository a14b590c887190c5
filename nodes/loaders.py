"""Nodes that name a model: they give references, which cost nothing until something runs them."""

from __future__ import annotations

from typing import Any, NamedTuple

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.models.explain import explained
from backend.models.family import References, families, read_facts, recognise, references
from backend.sdk import VAE, Context, Facts, Model, ModelRef, TextEncoder, facts_of, node


class LoadedModel(NamedTuple):
    """What a whole model folder gives."""

    model: Model
    text_encoder: TextEncoder
    vae: VAE


@node(category="Model", aliases=("checkpoint", "diffusers", "flux", "primer"))
def load_model(ctx: Context, model: ModelRef = "primer") -> LoadedModel:
    """Name a model: its denoiser, its text encoder and its VAE.

    `model` is `primer`, the model that comes with Weft, or a folder in the diffusers layout (the
    one that holds `model_index.json`). Nothing is loaded yet: the three outputs are references,
    and only the parts that a run needs are read. Weights are read from safetensors only.

    Example: load_model -> encode_text -> sample -> vae_decode -> save_image.
    """
    found = _open(ctx, model)
    return LoadedModel(found.model, found.text, found.vae)


@node(category="Model", title="Load VAE", aliases=("autoencoder", "codec"))
def load_vae(ctx: Context, model: ModelRef = "primer") -> VAE:
    """Name the VAE of a model folder alone, to encode or decode pictures.

    Models of different families may share a latent space; then the VAE of one decodes the latents
    of the other.

    Example: load_vae(model="primer") and load_image -> vae_encode -> vae_decode shows what the
    VAE keeps of a picture.
    """
    return _open(ctx, model).vae


@node(category="Model", aliases=("clip", "t5"))
def load_text_encoder(ctx: Context, model: ModelRef = "primer") -> TextEncoder:
    """Name the text encoders of a model folder alone.

    Example: load_text_encoder(model="primer") -> encode_text(text="a red circle") gives a
    conditioning for every model with the same text space.
    """
    return _open(ctx, model).text


@load_model.facts
def _(p: Any) -> dict[str, Facts]:
    return link_facts(p.lookup, p.model)


@load_vae.facts
def _(p: Any) -> Facts:
    return link_facts(p.lookup, p.model)["vae"]


@load_text_encoder.facts
def _(p: Any) -> Facts:
    return link_facts(p.lookup, p.model)["text_encoder"]


def link_facts(lookup: Any, ref: str) -> dict[str, Facts]:
    """Facts of a model's three links from its headers; only their types where it is unknown."""
    bare = {"model": "Model", "text_encoder": "TextEncoder", "vae": "VAE"}
    folder = lookup.model(ref)
    try:
        if folder is None:
            return {name: facts_of(kind) for name, kind in bare.items()}
        family = recognise(folder, families())
        said = read_facts(family, folder)
    except CatalogError:  # the checks name what is wrong with the model; here it is just unknown
        return {name: facts_of(kind) for name, kind in bare.items()}
    geometry, roles = said.geometry, family.card.roles
    grid = {"factor": geometry.factor, "channels": geometry.channels, "patch": geometry.patch}

    def known(kind: str, parts: tuple[str, ...], **more: Any) -> Facts:
        size = sum(folder.components[n].nbytes for n in parts if n in folder.components)
        return facts_of(
            kind, family=said.family, identity=folder.identity(parts), bytes=size, **more
        )

    return {
        "model": known("Model", roles["model"], space=said.latent_space,
                       text_space=said.text_space, token_bytes=said.token_bytes, **grid),
        "text_encoder": known("TextEncoder", roles["text"], space=said.text_space),
        "vae": known("VAE", roles["vae"], space=said.latent_space,
                     pixel_bytes=said.pixel_bytes, **grid),
    }  # fmt: skip


def _open(ctx: Context, ref: str) -> References:
    with explained():
        folder = read_folder(ctx.model_folder(ref))
        return references(folder, recognise(folder, families()))
