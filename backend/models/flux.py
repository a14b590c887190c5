"""The Flux family: FLUX.1 and models of its architecture, such as the built-in Primer.

A rectified-flow transformer with double (text and image) and single streams over 2x2 patches,
conditioned by a T5 sequence and a pooled CLIP vector; distilled variants also take an embedded
guidance scale, which has nothing to do with CFG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Denoiser, Process
from backend.diffusion.schedule import number
from backend.models.card import Card, Defaults, Geometry, ModelFacts, Peak, Site, Space
from backend.models.codec import decode_stills, encode_stills, scaling_of
from backend.models.conditions import gather, numbers, stack
from backend.models.family import Load, describe, part_of, space_of
from backend.models.loading import load_part
from backend.models.settings import check_scaling, check_scheduler, flow_shift, spacing
from backend.models.texts import longest, token_ids, wanted_length
from backend.values import VAE, Conditioning, Image, Latent, Model, Params, TextEncoder

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
    latent_spaces=(
        Space(
            "flux1",
            "vae",
            MappingProxyType(
                {"latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159}
            ),
        ),
    ),
    text_spaces=(
        Space("flux1", "text_encoder_2", MappingProxyType({"d_model": 4096, "num_layers": 24})),
    ),
    geometry=Geometry(channels=16, factor=8, patch=2),
    defaults=Defaults(steps=28, cfg=1.0, guidance=3.5, width=1024, height=1024),
    peak=Peak(token_widths=18.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg"}),
    sites=(
        Site("double", "transformer_blocks.{i}.attn", "num_layers", "joint"),
        Site("single", "single_transformer_blocks.{i}.attn", "num_single_layers", "joint"),
    ),
)


class Flux:
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, guidance and width from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        blocks = vae.get("block_out_channels", (128, 256, 512, 512))
        channels = int(vae.get("latent_channels", 16))
        geometry = Geometry(channels, 2 ** (len(blocks) - 1), patch=2)
        if int(net.get("in_channels", 64)) != channels * geometry.patch**2:
            raise CatalogError(
                f"{folder.path}: the transformer takes {net.get('in_channels', 64)} channels per "
                f"token, but the VAE makes {channels} x {geometry.patch}x{geometry.patch}. "
                "These components are of different models."
            )
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
        extra = {"embedded guidance"} if distilled else set()
        name, card = CARD.name, CARD
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, latent),
            text_space=space_of(folder, card.text_spaces, name, [*speaks, text.get("vocab_size")]),
            geometry=geometry,
            defaults=_defaults(int(vae.get("sample_size", 1024)), distilled),
            capabilities=card.capabilities | extra,
            width=int(net.get("num_attention_heads", 24)) * int(net.get("attention_head_dim", 128)),
            vae_width=int(blocks[0]),
            peak=card.peak,
            settings=MappingProxyType({"clip_tokens": lengths[0], "max_tokens": lengths[1]}),
        )

    def load_part(self, folder: ModelFolder, part: str, device: str, dtype: str) -> Any:
        """One component; the scheduler comes as its settings."""
        return load_part(CARD, folder, part, device, dtype)

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

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = load(part_of(model, "scheduler"))
        process = Process(FLOW, "velocity", shift=flow_shift(settings), spacing=spacing(settings))
        distilled = "embedded guidance" in facts.capabilities
        guidance = facts.defaults.guidance if distilled else None
        return FluxDenoiser(load(model), process, facts.geometry, guidance, device)

    def encode_image(
        self, vae: VAE, image: Image, load: Load, device: str, seed: int | None = None
    ) -> Latent:
        """``(posterior - shift) * scale``, one picture at a time.

        Raises:
            DiffusionError: the size is no multiple of what the model takes.
        """
        net, facts = load(vae), describe(vae)
        place = (facts.geometry, scaling_of(net.config), facts.latent_space, device)
        return encode_stills(net, image, *place, seed)

    def decode_latent(self, vae: VAE, latent: Latent, load: Load, device: str) -> Image:
        """``decode(latent / scale + shift)``, one picture at a time."""
        net = load(vae)
        return decode_stills(net, latent.samples, scaling_of(net.config), device)


class FluxDenoiser:
    """One call of the transformer: pack, run, unpack."""

    def __init__(
        self,
        transformer: Any,
        process: Process,
        geometry: Geometry,
        guidance: float | None,
        device: str,
    ) -> None:
        """``guidance`` is the embedded guidance where a conditioning names none; ``None`` for a
        model that takes none."""
        self.process = process
        self._net = transformer
        self._geometry = geometry
        self._guidance = guidance
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Packed image tokens of one sample."""
        return self._geometry.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """The transformer's text arguments for one batch.

        Raises:
            DiffusionError: entries or lengths do not agree.
        """
        import torch

        parts = gather(conditionings, ("sequence", "pooled"), count, CARD.title)
        guidance = numbers(conditionings, "guidance", count, self._guidance or 0.0)
        place = {"device": self._device, "dtype": self._net.dtype}
        sequence = stack(parts["sequence"]).to(**place)
        scales = torch.tensor(guidance, device=self._device, dtype=torch.float32)
        return {
            "encoder_hidden_states": sequence,
            "pooled_projections": torch.cat(parts["pooled"]).to(**place),
            "txt_ids": torch.zeros(sequence.shape[1], 3, **place),
            "guidance": None if self._guidance is None else scales,
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``."""
        import torch

        height, width = x.shape[-2:]
        if height % 2 or width % 2:
            raise DiffusionError(f"Flux latents have even sides, not {width}x{height}.")
        out = self._net(
            hidden_states=pack(x).to(self._net.dtype),
            timestep=torch.full((x.shape[0],), sigma, device=x.device, dtype=torch.float32),
            img_ids=image_ids(height // 2, width // 2).to(self._device, self._net.dtype),
            return_dict=False,
            **prepared,
        )[0]
        return unpack(out.float(), height, width)


def pack(x: Tensor) -> Tensor:
    """``[b, c, h, w]`` to tokens ``[b, h/2 * w/2, c * 4]``: each a 2x2 patch, channels first."""
    b, c, h, w = x.shape
    patches = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return patches.reshape(b, (h // 2) * (w // 2), c * 4)


def unpack(tokens: Tensor, height: int, width: int) -> Tensor:
    """Tokens back to ``[b, c, height, width]``, in latent cells."""
    b, _, packed = tokens.shape
    patches = tokens.reshape(b, height // 2, width // 2, packed // 4, 2, 2)
    return patches.permute(0, 3, 1, 4, 2, 5).reshape(b, packed // 4, height, width)


def image_ids(rows: int, columns: int) -> Tensor:
    """Positions ``[rows * columns, 3]`` of image tokens: 0, row, column."""
    import torch

    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([torch.zeros_like(row), row, column], -1).reshape(-1, 3).float()


def _defaults(size: int, distilled: bool) -> Defaults:
    """Size from the VAE's config; a distilled model is guided by its embedding, not by CFG."""
    base = CARD.defaults
    return replace(base, cfg=base.cfg if distilled else 2.0, width=size, height=size)


FAMILY = Flux()
