"""The SDXL family: Stable Diffusion XL, its refiner, and models trained on from either.

A UNet over the latents of one VAE, conditioned by two CLIP encoders side by side (the refiner: by
the larger alone), by the larger one's pooled vector, and by sizes that training pictures had
(arXiv:2307.01952 section 2.2); the refiner takes an aesthetic score in place of the target size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.process import Denoiser
from backend.models import clip, kl
from backend.models.card import Card, Defaults, Geometry, ModelFacts, Peak, Space
from backend.models.conditions import numbers
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

if TYPE_CHECKING:
    from torch import Tensor

SIZES = ("original_height", "original_width", "crop_top", "crop_left")
TARGET = ("target_height", "target_width")
SCORE = "aesthetic_score"
USUAL_SCORE = 6.0
"""What a picture worth having got in the refiner's training."""

CARD = Card(
    name="sdxl",
    title="SDXL",
    tier="native",
    classes=MappingProxyType(
        {
            "unet": ("UNet2DConditionModel",),
            "vae": ("AutoencoderKL",),
            "text_encoder": ("CLIPTextModel",),
            "text_encoder_2": ("CLIPTextModelWithProjection",),
            "tokenizer": clip.TOKENIZERS,
            "tokenizer_2": clip.TOKENIZERS,
            "scheduler": tuple(RULES),
        }
    ),
    marks=("unet", "vae", "text_encoder_2"),
    roles=MappingProxyType(
        {
            "model": ("unet", "scheduler"),
            "text": ("text_encoder_2", "tokenizer_2", "text_encoder", "tokenizer"),
            "vae": ("vae",),
        }
    ),
    latent_spaces=(
        Space("sdxl", "vae", MappingProxyType({"latent_channels": 4, "scaling_factor": 0.13025})),
    ),
    text_spaces=(
        Space("sdxl", "text_encoder", MappingProxyType({"hidden_size": 768})),
        Space(
            "sdxl_refiner",
            "text_encoder_2",
            MappingProxyType({"hidden_size": 1280, "num_hidden_layers": 32}),
        ),
    ),
    geometry=Geometry(channels=4, factor=8),
    defaults=Defaults(steps=30, cfg=5.0, guidance=0.0, width=1024, height=1024),
    peak=Peak(token_widths=16.0, pixel_channels=6.1),
    capabilities=frozenset(
        {"text to image", "image to image", "in-paint", "cfg", "size condition", "clip skip"}
    ),
    sites=SITES,
    blocks=BLOCKS,
    full_precision=("vae",),
)


class Sdxl(kl.KlPictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, sizes and text widths from the UNet's."""
        vae, geometry = folder.component("vae").config, geometry_of(folder)
        encoders = [folder.component(f"text_encoder{end}").config for end in _ends(folder)]
        widths = [int(config["hidden_size"]) for config in encoders]
        net = check_unet(folder, CARD.title, geometry, widths, "text_time")
        check_noise_scheduler(folder, CARD.title)
        check_scaling(folder)
        told = _told(folder, net, int(encoders[-1].get("projection_dim", 512)))
        tokens = clip.places(folder, _ends(folder))
        layers = min(int(config.get("num_hidden_layers", 12)) for config in encoders)
        speaks = [widths, tokens, [config.get("vocab_size") for config in encoders]]
        name, card, scheduler = CARD.name, CARD, folder.component("scheduler").kind
        extra = {"aesthetic score"} if SCORE in told else set()
        extra |= {"fill"} if fills(net, geometry) else set()
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, kl.decisive(vae)),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=_defaults(int(net.get("sample_size") or 128) * geometry.factor, scheduler),
            capabilities=card.capabilities | extra,
            width=int(net.get("block_out_channels", (320,))[0]),
            vae_width=kl.widths(vae)[0],
            peak=card.peak,
            settings=MappingProxyType(
                {
                    "max_tokens": tokens,
                    "skippable": layers - 1,
                    "encoders": tuple(_ends(folder)),
                    "told": told,
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
        """``sequence`` ``[b, tokens, widths together]`` of the layers before the last, and
        ``pooled`` ``[b, width]`` of the larger encoder.

        Options: ``clip_skip`` takes layers further from the end. Text beyond the length is cut off.
        """
        import torch

        facts = describe(encoder)
        skip = clip.skipped(options, facts.settings["skippable"])
        parts: list[Tensor] = []
        pooled: Any = None
        for end in facts.settings["encoders"]:
            net = load(part_of(encoder, f"text_encoder{end}"))
            tokenizer = load(part_of(encoder, f"tokenizer{end}"))
            ids = token_ids(tokenizer, texts, facts.settings["max_tokens"], net).to(device)
            with torch.no_grad():
                states, pooled = clip.states(net, ids, skip + 1, normed=False)
            parts.append(states.float().cpu())
        return Conditioning(
            facts.text_space,
            {"sequence": torch.cat(parts, -1).numpy(), "pooled": pooled.float().cpu().numpy()},
        )

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """Both encoders' tokens fill one sequence; a longer text may come in pieces."""
        settings = describe(encoder).settings
        rows = []
        for end in settings["encoders"]:
            tokenizer = load(part_of(encoder, f"tokenizer{end}"))
            name = "OpenCLIP" if end else "CLIP"
            rows.append(token_row(name, tokenizer, text, settings["max_tokens"], pieces=True))
        return tuple(rows)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The UNet with the levels and the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = with_class(load(part_of(model, "scheduler")), facts.settings["scheduler"])
        rest = (process_of(settings), noise_table(settings), facts.geometry, device)
        return SdxlDenoiser(facts.settings["told"], load(model), *rest)


class SdxlDenoiser(UnetDenoiser):
    """One call of the UNet with pooled text, sizes and, for a refiner, a score."""

    names = ("sequence", "pooled")
    title = CARD.title

    def __init__(self, told: Sequence[str], *rest: Any) -> None:
        """``told`` are the names of the numbers that go along, in the order the UNet learned."""
        super().__init__(*rest)
        self._told = tuple(told)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """Texts, and the numbers ``[b, numbers]`` that conditionings name, the rest NaN."""
        import torch

        named = [numbers(conditionings, name, count, math.nan) for name in self._told]
        told = torch.tensor(named, device=self._device, dtype=torch.float32).T
        return {**super().prepare(conditionings, count), "told": told}

    def arguments(self, prepared: Any, x: Tensor) -> dict[str, Any]:
        """What no conditioning names is the run's own: its size, uncropped, a usual score."""
        sides = [float(side * self._geometry.factor) for side in x.shape[-2:]]
        own = dict(zip(TARGET, sides, strict=True))
        own |= {"original_height": own["target_height"], "original_width": own["target_width"]}
        own |= {"crop_top": 0, "crop_left": 0, SCORE: USUAL_SCORE}
        told: Tensor = prepared["told"]
        usual = told.new_tensor([own[name] for name in self._told]).expand_as(told)
        ids = told.where(~told.isnan(), usual)
        return {
            **super().arguments(prepared, x),
            "added_cond_kwargs": {"text_embeds": prepared["pooled"], "time_ids": ids},
        }


def _ends(folder: ModelFolder) -> list[str]:
    """How the names of this model's encoders and tokenizers end, in order."""
    return [end for end in ("", "_2") if f"text_encoder{end}" in folder.components]


def _told(folder: ModelFolder, net: Any, pooled: int) -> tuple[str, ...]:
    """The numbers that go along, by how many the added embedding has places for.

    Raises:
        CatalogError: neither a base model's nor a refiner's.
    """
    places = int(net.get("projection_class_embeddings_input_dim") or 0) - pooled
    each = int(net.get("addition_time_embed_dim") or 1)
    for told in ((*SIZES, *TARGET), (*SIZES, SCORE)):
        if places == each * len(told):
            return told
    raise CatalogError(
        f"{folder.path}: beside {pooled} numbers of pooled text the UNet has room for "
        f"{places / each:g} sizes, where SDXL has 6 and its refiner 5. These components are of "
        "different models."
    )


def _defaults(size: int, scheduler: str) -> Defaults:
    solver = SOLVERS.get(scheduler, "euler")
    return replace(CARD.defaults, width=size, height=size, solver=solver)


FAMILY = Sdxl()
