"""The SD3 family: Stable Diffusion 3 and 3.5 (arXiv:2403.03206).

A rectified-flow transformer over 2x2 patches in which image and text have weights of their own and
meet in one attention (MM-DiT), conditioned by two CLIP encoders and T5. T5 was left out of half of
the training texts, so a model may come without it: zeros stand in its place then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Denoiser, Process
from backend.models import clip, kl
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Site, Space
from backend.models.conditions import gather, stack
from backend.models.family import Load, describe, part_of, space_of
from backend.models.fit import check_channels, check_text_width
from backend.models.flow_schedulers import EULER, FlowTimes, flow_times
from backend.models.numerics import dtype_of
from backend.models.patches2x2 import check_even, check_reach
from backend.models.settings import check_scaling, check_scheduler
from backend.models.texts import longest, token_ids, wanted_length
from backend.models.tokens import TokenRow, token_row
from backend.values import Conditioning, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 256
"""Tokens of T5 that the family was trained with at most."""

CLIPS = ("", "_2")
"""How the names of the CLIP encoders and their tokenizers end, in order."""

SKIP_LAYER = MappingProxyType({"layers": (7, 8, 9), "skip": 2.8, "begin": 0.01, "end": 0.2})
"""The skip-layer guidance that Stable Diffusion 3.5 medium is best sampled with."""

CARD = Card(
    name="sd3",
    title="Stable Diffusion 3",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("SD3Transformer2DModel",),
            "vae": ("AutoencoderKL",),
            "text_encoder": ("CLIPTextModelWithProjection",),
            "text_encoder_2": ("CLIPTextModelWithProjection",),
            "text_encoder_3": ("T5EncoderModel",),
            "tokenizer": clip.TOKENIZERS,
            "tokenizer_2": clip.TOKENIZERS,
            "tokenizer_3": ("T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast"),
            "scheduler": ("FlowMatchEulerDiscreteScheduler",),
        }
    ),
    marks=("transformer", "vae", "text_encoder", "text_encoder_2"),
    roles=MappingProxyType(
        {
            "model": ("transformer", "scheduler"),
            "text": (
                "text_encoder",
                "text_encoder_2",
                "text_encoder_3",
                "tokenizer",
                "tokenizer_2",
                "tokenizer_3",
            ),
            "vae": ("vae",),
        }
    ),
    latent_spaces=(
        Space(
            "sd3",
            "vae",
            MappingProxyType(
                {"latent_channels": 16, "scaling_factor": 1.5305, "shift_factor": 0.0609}
            ),
        ),
    ),
    text_spaces=(
        # Not by T5, which may be missing: the conditioning is the same kind without it.
        Space(
            "sd3",
            "text_encoder_2",
            MappingProxyType({"hidden_size": 1280, "num_hidden_layers": 32}),
        ),
    ),
    geometry=Geometry(channels=16, factor=8, patch=2),
    defaults=Defaults(steps=28, cfg=7.0, guidance=0.0, width=1024, height=1024),
    peak=Peak(token_widths=16.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg", "clip skip"}),
    sites=(
        Site("joint", "transformer_blocks.{i}.attn", "num_layers", "image text"),
        Site("image", "transformer_blocks.{i}.attn2", "", "self"),
    ),
    blocks=(Block("joint", "transformer_blocks.{i}", ("encoder_hidden_states", "hidden_states")),),
)


class Sd3(kl.KlPictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width and reach from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        geometry = kl.geometry(vae, patch=2)
        check_channels(folder, int(net.get("in_channels", 16)), geometry.channels)
        _check_patches(folder, net)
        check_scheduler(folder, CARD.title)
        flow_times(EULER, folder.component("scheduler").config)
        check_scaling(folder)
        text_width = int(net.get("joint_attention_dim", 4096))
        _check_texts(folder, text_width, int(net.get("pooled_projection_dim", 2048)))
        clips = [folder.component(f"text_encoder{end}").config for end in CLIPS]
        layers = min(int(config.get("num_hidden_layers", 12)) for config in clips)
        places, length = clip.places(folder, CLIPS), MAX_TOKENS
        if _has_t5(folder):
            length = longest(folder.component("tokenizer_3").config, MAX_TOKENS)
        speaks = [
            [int(config["hidden_size"]) for config in clips],
            [config.get("vocab_size") for config in clips],
            [text_width, places, length],
        ]
        name, card = CARD.name, CARD
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, kl.decisive(vae)),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=_defaults(net, geometry),
            capabilities=card.capabilities,
            width=int(net.get("num_attention_heads", 18)) * int(net.get("attention_head_dim", 64)),
            vae_width=kl.widths(vae)[0],
            peak=card.peak,
            settings=MappingProxyType(
                {
                    "clip_tokens": places,
                    "max_tokens": length,
                    "skippable": layers - 1,
                    "t5": _has_t5(folder),
                    "text_width": text_width,
                    "reach": int(net.get("pos_embed_max_size", 96)),
                    "skip_layer": SKIP_LAYER if net.get("dual_attention_layers") else None,
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
        """``sequence`` ``[b, places + tokens, width]``: the layers before CLIP's last side by side,
        filled up with zeros to the width of T5, and T5's tokens behind them (zeros where the model
        has none); ``pooled`` ``[b, widths together]`` of both CLIPs.

        Options: ``max_tokens`` shortens T5's part, ``clip_skip`` takes CLIP's layers further from
        the end. Text beyond the lengths is cut off.
        """
        import torch

        facts = describe(encoder)
        settings = facts.settings
        length = wanted_length(options, settings["max_tokens"])
        back = 1 + clip.skipped(options, settings["skippable"])
        said: list[tuple[Tensor, Tensor]] = []
        long = torch.zeros(len(texts), length, settings["text_width"])
        with torch.no_grad():
            for end in CLIPS:
                net = load(part_of(encoder, f"text_encoder{end}"))
                tokenizer = load(part_of(encoder, f"tokenizer{end}"))
                ids = token_ids(tokenizer, texts, settings["clip_tokens"], net).to(device)
                said.append(clip.states(net, ids, back, normed=False))
            if settings["t5"]:
                t5 = load(part_of(encoder, "text_encoder_3"))
                tokenizer = load(part_of(encoder, "tokenizer_3"))
                long = t5(token_ids(tokenizer, texts, length, t5).to(device))[0].float().cpu()
        short, pooled = (
            torch.cat([part.float().cpu() for part in parts], -1)
            for parts in zip(*said, strict=True)
        )
        filled = torch.nn.functional.pad(short, (0, long.shape[-1] - short.shape[-1]))
        sequence = torch.cat([filled, long], 1)
        return Conditioning(
            facts.text_space, {"sequence": sequence.numpy(), "pooled": pooled.numpy()}
        )

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """Both CLIPs' tokens fill the same part of the sequence, T5's the part behind it."""
        settings = describe(encoder).settings
        rows, places = [], settings["clip_tokens"]
        for end, name in zip(CLIPS, ("CLIP", "OpenCLIP"), strict=True):
            rows.append(token_row(name, load(part_of(encoder, f"tokenizer{end}")), text, places))
        if settings["t5"]:
            length = wanted_length(options, settings["max_tokens"])
            tokenizer = load(part_of(encoder, "tokenizer_3"))
            rows.append(token_row("T5", tokenizer, text, length, first=places))
        return tuple(rows)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        facts = describe(model)
        times = flow_times(EULER, load(part_of(model, "scheduler")))
        return Sd3Denoiser(load(model), times, facts.geometry, int(facts.settings["reach"]), device)


class Sd3Denoiser:
    """One call of the transformer, which makes the patches itself."""

    def __init__(
        self, transformer: Any, times: FlowTimes, geometry: Geometry, reach: int, device: str
    ) -> None:
        """``reach`` is the number of patches a side that the transformer has positions for."""
        self.process = Process(
            FLOW, "velocity", grid=times.grid, shift=times.shift, spacing=times.spacing
        )
        self._times = times
        self._net = transformer
        self._geometry = geometry
        self._reach = reach
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Image tokens of one sample."""
        return self._geometry.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """The transformer's text arguments for one batch.

        Raises:
            DiffusionError: entries or lengths do not agree.
        """
        import torch

        parts = gather(conditionings, ("sequence", "pooled"), count, CARD.title)
        place: dict[str, Any] = {"device": self._device, "dtype": dtype_of(self._net)}
        return {
            "encoder_hidden_states": stack(parts["sequence"]).to(**place),
            "pooled_projections": torch.cat(parts["pooled"]).to(**place),
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``.

        Raises:
            DiffusionError: the sides are odd, or longer than the model has positions for.
        """
        import torch

        check_even(x, CARD.title)
        check_reach(x, self._reach, self._reach)
        told = self._times.time(sigma)
        time = torch.full((x.shape[0],), told, device=x.device, dtype=torch.float32)
        out: Tensor = self._net(
            x.to(prepared["encoder_hidden_states"].dtype),
            timestep=time,
            return_dict=False,
            **prepared,
        )[0]
        return out.float()


def _has_t5(folder: ModelFolder) -> bool:
    """Whether T5 is there: a folder may do without it, and so may a checkpoint in one file."""
    found = folder.components.get("text_encoder_3")
    return found is not None and found.nbytes > 0


def _check_texts(folder: ModelFolder, takes: int, pooled: int) -> None:
    """Refuse a transformer whose texts are not those of the encoders.

    Raises:
        CatalogError: it takes other vectors than they make.
    """
    clips = [folder.component(f"text_encoder{end}").config for end in CLIPS]
    if _has_t5(folder):
        check_text_width(folder, takes, int(folder.component("text_encoder_3").config["d_model"]))
    wide = sum(int(config["hidden_size"]) for config in clips)
    if wide > takes:
        raise CatalogError(
            f"{folder.path}: the transformer takes text vectors of {takes} numbers, but both CLIP "
            f"encoders together make {wide}. These components are of different models."
        )
    vectors = sum(int(config.get("projection_dim", 512)) for config in clips)
    if vectors != pooled:
        raise CatalogError(
            f"{folder.path}: the transformer takes a pooled text vector of {pooled} numbers, but "
            f"both CLIP encoders together make {vectors}. These components are of different models."
        )


def _check_patches(folder: ModelFolder, net: Mapping[str, Any]) -> None:
    """Refuse a transformer without 2x2 patches.

    Raises:
        CatalogError: it has others.
    """
    if int(net.get("patch_size", 2)) != 2:
        raise CatalogError(
            f"{folder.path}: the transformer has patches of {net['patch_size']} cells a side, "
            "where every Stable Diffusion 3 has 2. Get transformer/config.json again."
        )


def _defaults(net: Mapping[str, Any], geometry: Geometry) -> Defaults:
    """Version 3.5, which norms queries and keys, needs less CFG; its medium size more steps."""
    side = int(net.get("sample_size", 128)) * geometry.factor
    base = replace(CARD.defaults, width=side, height=side)
    if net.get("dual_attention_layers"):
        return replace(base, steps=40, cfg=4.5)
    return replace(base, cfg=3.5) if net.get("qk_norm") else base


FAMILY = Sd3()
