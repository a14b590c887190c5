"""The Flux family: FLUX.1 and models of its architecture, such as the built-in Primer.

A rectified-flow transformer with double (text and image) and single streams over 2x2 patches,
conditioned by a T5 sequence and a pooled CLIP vector; distilled variants also take an embedded
guidance scale, which has nothing to do with CFG. FLUX.1 Kontext reads reference pictures behind
the image, FLUX.1 Fill a picture with a hole beside it.
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
from backend.diffusion.schedule import number
from backend.models import fill, kl, patches2x2, reference
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Rope, Site, Space
from backend.models.conditions import gather, numbers, stack
from backend.models.family import Load, describe, part_of, space_of
from backend.models.numerics import dtype_of
from backend.models.seams.sites import Spans, spans_before
from backend.models.settings import check_scaling, check_scheduler, flow_shift, spacing
from backend.models.texts import longest, token_ids, wanted_length
from backend.models.tokens import TokenRow, token_row
from backend.values import Conditioning, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

MAX_CLIP_TOKENS = 77
MAX_TOKENS = 512
"""Text tokens the family was trained with at most (CLIP, T5); a tokenizer may ask for fewer."""

CARD = Card(
    name="flux",
    title="Flux",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("FluxTransformer2DModel",),
            "vae": ("AutoencoderKL",),
            "text_encoder": ("CLIPTextModel",),
            "text_encoder_2": ("T5EncoderModel",),
            "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast", "PreTrainedTokenizerFast"),
            "tokenizer_2": ("T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast"),
            "scheduler": ("FlowMatchEulerDiscreteScheduler",),
        }
    ),
    marks=("transformer", "vae"),
    roles=MappingProxyType(
        {
            "model": ("transformer", "scheduler"),
            "text": ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"),
            "vae": ("vae",),
        }
    ),
    latent_spaces=(kl.FLUX1,),
    text_spaces=(
        Space("flux1", "text_encoder_2", MappingProxyType({"d_model": 4096, "num_layers": 24})),
    ),
    geometry=Geometry(channels=16, factor=8, patch=2),
    defaults=Defaults(steps=28, cfg=1.0, guidance=3.5, width=1024, height=1024),
    peak=Peak(token_widths=18.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg"}),
    rope=Rope("pos_embed", ("picture", "height", "width")),
    sites=(
        Site("double", "transformer_blocks.{i}.attn", "num_layers", "text image"),
        Site("single", "single_transformer_blocks.{i}.attn", "num_single_layers", "text image"),
    ),
    blocks=(
        Block("double", "transformer_blocks.{i}", ("encoder_hidden_states", "hidden_states")),
        Block(
            "single", "single_transformer_blocks.{i}", ("encoder_hidden_states", "hidden_states")
        ),
    ),
    references=True,
)


class Flux(kl.KlPictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, guidance and width from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        blocks = vae.get("block_out_channels", (128, 256, 512, 512))
        channels = int(vae.get("latent_channels", 16))
        geometry = Geometry(channels, 2 ** (len(blocks) - 1), patch=2)
        fills = _fills(folder, net, geometry)
        check_scheduler(folder, CARD.title)
        check_scaling(folder)
        distilled = bool(net.get("guidance_embeds", False))
        latent = [channels, list(blocks), vae.get("scaling_factor"), vae.get("shift_factor")]
        text = folder.component("text_encoder_2").config
        lengths = [
            longest(folder.component("tokenizer").config, MAX_CLIP_TOKENS),
            longest(folder.component("tokenizer_2").config, MAX_TOKENS),
        ]
        places = folder.component("text_encoder").config.get("max_position_embeddings", 77)
        if lengths[0] > int(places):
            raise CatalogError(
                f"{folder.path}: the tokenizer makes {lengths[0]} tokens, but the text encoder has "
                f"places for {places}. These components are of different models."
            )
        speaks = [net.get("joint_attention_dim"), net.get("pooled_projection_dim"), lengths]
        capabilities = _capabilities(folder, distilled, fills)
        name, card = CARD.name, CARD
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, latent),
            text_space=space_of(folder, card.text_spaces, name, [*speaks, text.get("vocab_size")]),
            geometry=geometry,
            defaults=_defaults(int(vae.get("sample_size", 1024)), capabilities),
            capabilities=capabilities,
            width=int(net.get("num_attention_heads", 24)) * int(net.get("attention_head_dim", 128)),
            vae_width=int(blocks[0]),
            peak=card.peak,
            settings=MappingProxyType({"clip_tokens": lengths[0], "max_tokens": lengths[1]}),
        )

    def encode_text(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        options: Params,
        load: Load,
        device: str,
    ) -> Conditioning:
        """``sequence`` ``[b, tokens, width]`` from T5 and ``pooled`` ``[b, width]`` from CLIP.

        Options: ``max_tokens`` shortens the T5 sequence, ``guidance`` is the embedded guidance
        that goes along (only distilled models heed it). Text beyond the length is cut off.
        """
        import torch

        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        clip = load(part_of(encoder, "text_encoder"))
        t5 = load(part_of(encoder, "text_encoder_2"))
        clip_tokens = load(part_of(encoder, "tokenizer"))
        t5_tokens = load(part_of(encoder, "tokenizer_2"))
        short = token_ids(clip_tokens, texts, facts.settings["clip_tokens"], clip).to(device)
        long = token_ids(t5_tokens, texts, length, t5).to(device)
        with torch.no_grad():
            pooled = clip(short, output_hidden_states=False).pooler_output
            sequence = t5(long, output_hidden_states=False)[0]
        named = {"sequence": sequence, "pooled": pooled}
        guidance = options.get("guidance")
        return Conditioning(
            facts.text_space,
            {name: value.float().cpu().numpy() for name, value in named.items()},
            {} if guidance is None else {"guidance": number(options, "guidance", 0.0)},
        )

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """T5's tokens fill the sequence; CLIP's give the pooled vector only."""
        settings = describe(encoder).settings
        length = wanted_length(options, settings["max_tokens"])
        clip, t5 = (load(part_of(encoder, name)) for name in ("tokenizer", "tokenizer_2"))
        return (
            token_row("T5", t5, text, length),
            token_row("CLIP", clip, text, settings["clip_tokens"], ()),
        )

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = load(part_of(model, "scheduler"))
        process = Process(FLOW, "velocity", shift=flow_shift(settings), spacing=spacing(settings))
        distilled = "embedded guidance" in facts.capabilities
        guidance = facts.defaults.guidance if distilled else None
        fills = "fill" in facts.capabilities
        return FluxDenoiser(load(model), process, facts.geometry, guidance, device, fills)


class FluxDenoiser:
    """One call of the transformer: pack, run, unpack."""

    def __init__(
        self,
        transformer: Any,
        process: Process,
        geometry: Geometry,
        guidance: float | None,
        device: str,
        fills: bool = False,
    ) -> None:
        """``guidance`` is the embedded guidance where a conditioning names none; ``None`` for a
        model that takes none. ``fills`` says that the model sees a picture to be filled."""
        self.process = process
        self._net = transformer
        self._geometry = geometry
        self._guidance = guidance
        self._device = device
        self._fills = fills
        self._kept: dict[Any, Tensor] = {}
        self._beside = 0  # tokens of references in the call that runs

    def tokens(self, shape: Sequence[int]) -> int:
        """Packed image tokens of one sample, without those of references."""
        return self._geometry.tokens(shape)

    def spans(self, site: Site, queries: int, keys: int, image: int) -> Spans:
        """Text tokens, then image tokens, then those of references, which are of neither."""
        return spans_before(keys - self._beside, image)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """The transformer's text arguments for one batch, and the pictures that it sees beside.

        Raises:
            DiffusionError: entries, lengths, references or pictures to be filled do not agree.
        """
        import torch

        parts = gather(conditionings, ("sequence", "pooled"), count, CARD.title)
        guidance = numbers(conditionings, "guidance", count, self._guidance or 0.0)
        place: dict[str, Any] = {"device": self._device, "dtype": dtype_of(self._net)}
        sequence = stack(parts["sequence"]).to(**place)
        scales = torch.tensor(guidance, device=self._device, dtype=torch.float32)
        others = reference.gathered(conditionings, count)
        reference.check(others, self._geometry.channels, CARD.title)
        if not self._fills:
            fill.refuse(conditionings)
        return {
            "encoder_hidden_states": sequence,
            "pooled_projections": torch.cat(parts["pooled"]).to(**place),
            "txt_ids": torch.zeros(sequence.shape[1], 3, **place),
            "guidance": None if self._guidance is None else scales,
            "others": [latents.to(self._device) for latents in others],
            "hole": self._hole(conditionings, count) if self._fills else None,
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``.

        Raises:
            DiffusionError: the sides are odd, or other ones than the picture to be filled has.
        """
        told, more = dict(prepared), None
        hole = told.pop("hole")
        if hole is not None:
            fill.check_size(x, hole)
            more = patches2x2.pack(hole)
        self._beside = sum(self.tokens(each.shape) for each in told["others"])
        return patches2x2.call(self._net, x, sigma, CARD.title, self._kept, more=more, **told)

    def _hole(self, conditionings: Sequence[Conditioning], count: int) -> Tensor:
        """The picture with its hole, and behind its channels a mask for every pixel of a cell."""
        import torch

        masks, pictures = fill.gathered(conditionings, count)
        apart = torch.nn.functional.pixel_unshuffle(masks[:, None], self._geometry.factor)
        fill.check_size(apart, pictures)
        return torch.cat([pictures, apart], 1).to(self._device)


def _fills(folder: ModelFolder, net: Mapping[str, Any], geometry: Geometry) -> bool:
    """Whether the transformer takes a picture with a hole, and a mask of its pixels, beside the
    noisy latent.

    Raises:
        CatalogError: it takes neither these channels nor those of the VAE alone.
    """
    takes, cells = int(net.get("in_channels", 64)), geometry.patch**2
    plain = geometry.channels * cells
    if takes not in (plain, 2 * plain + geometry.factor**2 * cells):
        raise CatalogError(
            f"{folder.path}: the transformer takes {takes} channels per token, but the VAE makes "
            f"{geometry.channels} x {geometry.patch}x{geometry.patch}. These components are of "
            "different models, or of one that is steered by another picture (Canny, Depth)."
        )
    return takes != plain


def _capabilities(folder: ModelFolder, distilled: bool, fills: bool) -> frozenset[str]:
    """What this variant is for; Kontext is known by its pipeline alone."""
    kontext = folder.pipeline.startswith("FluxKontext")
    extra = {"embedded guidance": distilled, "fill": fills, "references": kontext}
    return CARD.capabilities | {name for name, has in extra.items() if has}


def _defaults(size: int, capabilities: frozenset[str]) -> Defaults:
    """Size from the VAE's config; a distilled model is guided by its embedding, not by CFG."""
    base = CARD.defaults
    sized = replace(base, width=size, height=size)
    if "fill" in capabilities:
        return replace(sized, steps=50, guidance=30.0)
    if "references" in capabilities:
        return replace(sized, guidance=2.5)
    return sized if "embedded guidance" in capabilities else replace(sized, cfg=2.0)


FAMILY = Flux()
