"""Nodes that name a model: they give references, which cost nothing until something runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from backend.catalog.errors import CatalogError
from backend.catalog.source import open_files, open_model
from backend.models.costs import text_bytes, told_bytes
from backend.models.explain import explained
from backend.models.family import References, families, read_facts, recognise, references
from backend.sdk import (
    VAE,
    Context,
    Facts,
    Model,
    ModelRef,
    TextEncoder,
    UserError,
    facts_of,
    node,
)

NO_DENOISER = "No file is chosen for the denoiser. Name one: it says which model it is."


class LoadedModel(NamedTuple):
    """What a whole model folder gives."""

    model: Model
    text_encoder: TextEncoder
    vae: VAE


@node(category="Model", aliases=("checkpoint", "diffusers", "flux", "primer"))
def load_model(ctx: Context, model: ModelRef = "primer") -> LoadedModel:
    """Name a model: its denoiser, its text encoder and its VAE.

    `model` is `primer`, the model that comes with Weft, a folder in the diffusers layout (the one
    that holds `model_index.json`), or a checkpoint that has all parts in one file. Nothing is
    loaded yet: the three outputs are references, and only the parts that a run needs are read.
    Weights are read from safetensors and GGUF only.

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


@node(
    category="Model",
    title="Load model files",
    aliases=("unet loader", "diffusion model", "gguf", "dual clip", "split files"),
)
def load_model_files(
    ctx: Context,
    denoiser: ModelRef = "",
    text_encoder: ModelRef = "",
    text_encoder_2: ModelRef = "",
    text_encoder_3: ModelRef = "",
    vae: ModelRef = "",
    second: ModelRef = "",
    config: str = "",
) -> LoadedModel:
    """Name a model whose parts lie in files of their own, as safetensors or GGUF.

    The `denoiser` (transformer or UNet) says which model it is; each other file goes to the part
    that it fits, in whatever order they are given. `second` is the low-noise expert of a Wan 2.2.
    Leave out what you do not need: only a run that asks for a missing part says so. Some models
    differ in nothing that a file tells (FLUX.1 dev and Kontext): name the right one in `config`.

    Example: load_model_files(denoiser="flux1-dev-Q4_K_S.gguf", text_encoder="clip_l.safetensors",
    text_encoder_2="t5xxl_fp8.safetensors", vae="ae.safetensors") -> encode_text -> sample.
    """
    given = (denoiser, second, text_encoder, text_encoder_2, text_encoder_3, vae)
    refs = [ref for ref in given if ref]
    if not denoiser:
        raise UserError(NO_DENOISER)
    with explained():
        folder = open_files([ctx.model_folder(ref) for ref in refs], config)
        found = references(folder, recognise(folder, families()))
    return LoadedModel(found.model, found.text, found.vae)


@load_model_files.facts
def _(p: Any) -> dict[str, Facts]:
    given = (p.denoiser, p.second, p.text_encoder, p.text_encoder_2, p.text_encoder_3, p.vae)
    refs = [ref for ref in given if ref]
    if not p.denoiser:
        raise UserError(NO_DENOISER)
    return model_facts(lambda: p.lookup.model_files(refs, p.config))


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
    return model_facts(lambda: lookup.model(ref))


def model_facts(look: Callable[[], Any]) -> dict[str, Facts]:
    """Facts of the three links of what ``look`` finds; only their types where it is unknown."""
    bare = {"model": "Model", "text_encoder": "TextEncoder", "vae": "VAE"}
    folder = look()
    try:
        if folder is None:
            return {name: facts_of(kind) for name, kind in bare.items()}
        family = recognise(folder, families())
        said = read_facts(family, folder)
    except CatalogError:  # the checks name what is wrong with the model; here it is just unknown
        return {name: facts_of(kind) for name, kind in bare.items()}
    geometry, roles, own = said.geometry, family.card.roles, said.defaults
    grid = {
        "factor": geometry.factor, "channels": geometry.channels, "patch": geometry.patch,
        "frame_factor": geometry.frame_factor,
    }  # fmt: skip

    def known(kind: str, parts: tuple[str, ...], **more: Any) -> Facts:
        size = sum(folder.components[n].nbytes for n in parts if n in folder.components)
        return facts_of(
            kind, family=said.family, identity=folder.identity(parts), bytes=size, **more
        )

    return {
        "model": known("Model", roles["model"], space=said.latent_space,
                       text_space=said.text_space, token_bytes=said.token_bytes,
                       own_width=own.width, own_height=own.height, own_frames=own.frames,
                       own_solver=own.solver, own_guider=own.guider, **grid),
        "text_encoder": known("TextEncoder", roles["text"], space=said.text_space,
                              text_bytes=text_bytes(folder, roles["text"], said),
                              told_bytes=told_bytes(folder, roles["text"], said) or None),
        "vae": known("VAE", roles["vae"], space=said.latent_space,
                     pixel_bytes=said.pixel_bytes, **grid),
    }  # fmt: skip


def _open(ctx: Context, ref: str) -> References:
    with explained():
        folder = open_model(ctx.model_folder(ref))
        return references(folder, recognise(folder, families()))
