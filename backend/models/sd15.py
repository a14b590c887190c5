"""The Stable Diffusion family: versions 1.x and 2.x, and models trained on from them.

A UNet over the latents of one VAE, conditioned by one text encoder: CLIP in version 1, OpenCLIP in
version 2, whose larger models predict v (arXiv:2112.10752, arXiv:2202.00512 section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from backend.catalog.folder import ModelFolder
from backend.diffusion.process import Denoiser
from backend.models import clip, kl
from backend.models.card import Card, Defaults, Geometry, ModelFacts, Peak, Space
from backend.models.family import Load, describe, part_of, space_of
from backend.models.noise_table import (
    RULES,
    SOLVERS,
    check_noise_scheduler,
    noise_table,
    process_of,
    with_class,
)
from backend.models.settings import check_scaling
from backend.models.texts import token_ids
from backend.models.tokens import TokenRow, token_row
from backend.models.unet import BLOCKS, SITES, UnetDenoiser, check_unet, fills, geometry_of
from backend.values import Conditioning, Model, Params, TextEncoder

CARD = Card(
    name="sd15",
    title="Stable Diffusion",
    tier="native",
    classes=MappingProxyType(
        {
            "unet": ("UNet2DConditionModel",),
            "vae": ("AutoencoderKL",),
            "text_encoder": ("CLIPTextModel",),
            "tokenizer": clip.TOKENIZERS,
            "scheduler": tuple(RULES),
        }
    ),
    marks=("unet", "vae", "text_encoder"),
    without=("text_encoder_2", "image_encoder", "image_normalizer"),
    roles=MappingProxyType(
        {
            "model": ("unet", "scheduler"),
            "text": ("text_encoder", "tokenizer"),
            "vae": ("vae",),
        }
    ),
    latent_spaces=(
        Space("sd15", "vae", MappingProxyType({"latent_channels": 4, "scaling_factor": 0.18215})),
        # Older configs do not say the scaling, which is the same.
        Space("sd15", "vae", MappingProxyType({"latent_channels": 4, "scaling_factor": None})),
    ),
    text_spaces=(
        Space("sd15", "text_encoder", MappingProxyType({"hidden_size": 768})),
        Space("sd2", "text_encoder", MappingProxyType({"hidden_size": 1024})),
    ),
    geometry=Geometry(channels=4, factor=8),
    defaults=Defaults(steps=30, cfg=7.5, guidance=0.0, width=512, height=512),
    peak=Peak(token_widths=26.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg", "clip skip"}),
    sites=SITES,
    blocks=BLOCKS,
    full_precision=("vae",),
)


class StableDiffusion(kl.KlPictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, size and width from the UNet's."""
        vae, geometry = folder.component("vae").config, geometry_of(folder)
        encoder = folder.component("text_encoder").config
        width = int(encoder["hidden_size"])
        net = check_unet(folder, CARD.title, geometry, [width], None)
        check_noise_scheduler(folder, CARD.title)
        check_scaling(folder)
        tokens = clip.places(folder, ("",))
        speaks = [width, tokens, encoder.get("vocab_size"), encoder.get("num_hidden_layers")]
        name, card, scheduler = CARD.name, CARD, folder.component("scheduler").kind
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, kl.decisive(vae)),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=_defaults(int(net.get("sample_size") or 64) * geometry.factor, scheduler),
            capabilities=card.capabilities | ({"fill"} if fills(net, geometry) else set()),
            width=int(net.get("block_out_channels", (320,))[0]),
            vae_width=kl.widths(vae)[0],
            peak=card.peak,
            settings=MappingProxyType(
                {
                    "max_tokens": tokens,
                    "skippable": int(encoder.get("num_hidden_layers", 12)),
                    "scheduler": scheduler,
                }
            ),
        )

    def encode_text(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        options: Params,
        load: Load,
        device: str,
    ) -> Conditioning:
        """``sequence`` ``[b, tokens, width]`` of the last layer, normed.

        Options: ``clip_skip`` takes a layer further from the end, normed all the same. Text beyond
        the length is cut off.
        """
        import torch

        facts = describe(encoder)
        skip = clip.skipped(options, facts.settings["skippable"])
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        ids = token_ids(tokenizer, texts, facts.settings["max_tokens"], net).to(device)
        with torch.no_grad():
            sequence, _ = clip.states(net, ids, skip, normed=True)
        return Conditioning(facts.text_space, {"sequence": sequence.float().cpu().numpy()})

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """CLIP's tokens fill the sequence; a longer text may come in pieces."""
        tokenizer = load(part_of(encoder, "tokenizer"))
        length = describe(encoder).settings["max_tokens"]
        return (token_row("CLIP", tokenizer, text, length, pieces=True),)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The UNet with the levels and the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = with_class(load(part_of(model, "scheduler")), facts.settings["scheduler"])
        place = (facts.geometry, device)
        return UnetDenoiser(load(model), process_of(settings), noise_table(settings), *place)


def _defaults(size: int, scheduler: str) -> Defaults:
    solver = SOLVERS.get(scheduler, "euler")
    return replace(CARD.defaults, width=size, height=size, solver=solver)


FAMILY = StableDiffusion()
