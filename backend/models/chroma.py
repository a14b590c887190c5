"""The Chroma family: FLUX.1's architecture without CLIP, embedded guidance and padding.

A rectified-flow transformer with double and single streams over 2x2 patches, conditioned by a T5
sequence alone, and guided by CFG. The T5 sequence ends with one padding token; what fills it up
beyond that is masked in every attention. (The pipelines of diffusers 0.42 hand that mask over as
numbers, which torch adds to the scores instead of masking by them; here it is boolean, as in the
model's own code.)
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.catalog.folder import ModelFolder
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Denoiser, Process
from backend.models import kl, patches2x2
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Rope, Site, Space
from backend.models.conditions import gather, pad
from backend.models.family import Load, describe, part_of, space_of
from backend.models.fit import check_channels, check_text_width
from backend.models.numerics import dtype_of
from backend.models.settings import check_scaling, check_scheduler, flow_shift, spacing
from backend.models.texts import encode_unpadded, longest, tokenise, wanted_length
from backend.models.tokens import TokenRow, token_row
from backend.values import Conditioning, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 512

CARD = Card(
    name="chroma",
    title="Chroma",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("ChromaTransformer2DModel",),
            "vae": ("AutoencoderKL",),
            "text_encoder": ("T5EncoderModel",),
            "tokenizer": ("T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast"),
            "scheduler": ("FlowMatchEulerDiscreteScheduler",),
        }
    ),
    marks=("transformer", "vae", "text_encoder"),
    roles=MappingProxyType(
        {
            "model": ("transformer", "scheduler"),
            "text": ("text_encoder", "tokenizer"),
            "vae": ("vae",),
        }
    ),
    latent_spaces=(kl.FLUX1,),
    text_spaces=(
        Space("chroma", "text_encoder", MappingProxyType({"d_model": 4096, "num_layers": 24})),
    ),
    geometry=Geometry(channels=16, factor=8, patch=2),
    defaults=Defaults(steps=40, cfg=3.0, guidance=0.0, width=1024, height=1024),
    peak=Peak(token_widths=18.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg"}),
    rope=Rope("pos_embed", ("picture", "height", "width")),
    sites=(
        Site("double", "transformer_blocks.{i}.attn", "num_layers", "text image"),
        Site("single", "single_transformer_blocks.{i}.attn", "num_single_layers", "text image"),
    ),
    blocks=(
        Block("double", "transformer_blocks.{i}", ("encoder_hidden_states", "hidden_states")),
        Block("single", "single_transformer_blocks.{i}", ("hidden_states",)),
    ),
)


class Chroma(kl.KlPictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        encoder = folder.component("text_encoder").config
        geometry = kl.geometry(vae, patch=2)
        check_channels(folder, int(net.get("in_channels", 64)), geometry.channels * 4)
        text_width = int(net.get("joint_attention_dim", 4096))
        check_text_width(folder, text_width, int(encoder["d_model"]))
        check_scheduler(folder, CARD.title)
        check_scaling(folder)
        length = longest(folder.component("tokenizer").config, MAX_TOKENS)
        speaks = [text_width, encoder.get("num_layers"), encoder.get("vocab_size"), length]
        name, card = CARD.name, CARD
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, kl.decisive(vae)),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=card.defaults,
            capabilities=card.capabilities,
            width=int(net.get("num_attention_heads", 24)) * int(net.get("attention_head_dim", 128)),
            vae_width=kl.widths(vae)[0],
            peak=card.peak,
            settings=MappingProxyType({"max_tokens": length}),
        )

    def encode_text(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        options: Params,
        load: Load,
        device: str,
    ) -> Conditioning:
        """``sequence`` ``[b, tokens, width]`` from T5, a padding token at the end of each text,
        and its ``mask`` ``[b, tokens]``.

        Options: ``max_tokens``, beyond which a text is cut off.
        """

        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        coded = tokenise(tokenizer, texts, length, net)
        sequence, mask = encode_unpadded(net, *coded, device, beyond=1)
        named = {"sequence": sequence, "mask": mask}
        return Conditioning(
            facts.text_space,
            {name: value.float().cpu().numpy() for name, value in named.items()},
        )

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """T5's tokens, without the one that fills up."""
        length = wanted_length(options, describe(encoder).settings["max_tokens"])
        return (token_row("T5", load(part_of(encoder, "tokenizer")), text, length),)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = load(part_of(model, "scheduler"))
        process = Process(FLOW, "velocity", shift=flow_shift(settings), spacing=spacing(settings))
        return ChromaDenoiser(load(model), process, facts.geometry, device)


class ChromaDenoiser:
    """One call of the transformer: pack, run, unpack."""

    def __init__(self, transformer: Any, process: Process, geometry: Geometry, device: str) -> None:
        self.process = process
        self._net = transformer
        self._geometry = geometry
        self._device = device
        self._kept: dict[Any, Tensor] = {}

    def tokens(self, shape: Sequence[int]) -> int:
        """Packed image tokens of one sample."""
        return self._geometry.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """The transformer's text arguments for one batch, and the mask of the text tokens (None
        where nothing is masked).

        Raises:
            DiffusionError: numbers of entries do not agree.
        """
        import torch

        parts = gather(conditionings, ("sequence", "mask"), count, CARD.title)
        place: dict[str, Any] = {"device": self._device, "dtype": dtype_of(self._net)}
        sequence, mask = pad(parts["sequence"]).to(**place), pad(parts["mask"]) > 0
        return {
            "encoder_hidden_states": sequence,
            "txt_ids": torch.zeros(sequence.shape[1], 3, **place),
            "attention_mask": None if mask.all() else mask.to(self._device),
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``."""
        import torch

        mask = prepared["attention_mask"]
        if mask is not None:
            image = mask.new_ones(mask.shape[0], self.tokens(x.shape))
            prepared = {**prepared, "attention_mask": torch.cat([mask, image], 1)}
        return patches2x2.call(self._net, x, sigma, CARD.title, self._kept, **prepared)


FAMILY = Chroma()
