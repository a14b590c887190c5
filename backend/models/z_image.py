"""The Z-Image family: Z-Image and its few-step Turbo.

A rectified-flow transformer with a single stream of image and text tokens over 2x2 patches; the
text comes from a language model (Qwen3, its last hidden states but one, in a chat template), at
the length that it has. The network counts time from noise to picture and predicts ``x0 - eps``,
both the other way round from the rest of Weft.
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
from backend.models import kl
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Rope, Site, Space
from backend.models.conditions import check_length, gather
from backend.models.family import Load, describe, part_of, space_of
from backend.models.fit import check_channels, check_places, check_text_width
from backend.models.numerics import dtype_of
from backend.models.patches2x2 import check_even, check_reach
from backend.models.seams.sites import Spans
from backend.models.settings import check_scaling, check_scheduler, flow_shift, spacing
from backend.models.text_llm import chats, compact, hidden
from backend.models.texts import longest, tokenise, wanted_length
from backend.models.tokens import TokenRow, token_row
from backend.values import Conditioning, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 512
PIECE = 32
"""Image and text tokens are each filled up to a multiple of this inside the network."""

TURBO_SHIFT = 4.5
"""Turbo's scheduler shifts by 3 and the base model's by 6; no other setting tells them apart."""

CARD = Card(
    name="z_image",
    title="Z-Image",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("ZImageTransformer2DModel",),
            "vae": ("AutoencoderKL",),
            "text_encoder": ("Qwen3Model", "Qwen3ForCausalLM"),
            "tokenizer": ("Qwen2Tokenizer", "Qwen2TokenizerFast", "PreTrainedTokenizerFast"),
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
        Space(
            "z_image",
            "text_encoder",
            MappingProxyType({"hidden_size": 2560, "num_hidden_layers": 36}),
        ),
    ),
    geometry=Geometry(channels=16, factor=8, patch=2),
    defaults=Defaults(steps=50, cfg=5.0, guidance=0.0, width=1024, height=1024),
    peak=Peak(token_widths=18.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg"}),
    rope=Rope("rope_embedder", ("word", "height", "width"), "", ("axes_dims",)),
    sites=(
        Site("refine", "noise_refiner.{i}.attention", "n_refiner_layers", "self"),
        Site("single", "layers.{i}.attention", "n_layers", "image text"),
    ),
    blocks=(Block("single", "layers.{i}", ("x",)),),
    without=("siglip",),  # Omni, which reads pictures too, has another order of tokens
)


class ZImage(kl.KlPictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width and reach from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        encoder = folder.component("text_encoder").config
        geometry = kl.geometry(vae, patch=2)
        check_channels(folder, int(net.get("in_channels", 16)), geometry.channels)
        text_width = int(net.get("cap_feat_dim", 2560))
        check_text_width(folder, text_width, int(encoder["hidden_size"]))
        check_scheduler(folder, CARD.title)
        check_scaling(folder)
        places = [int(n) for n in net.get("axes_lens", (1024, 512, 512))]
        length = longest(folder.component("tokenizer").config, MAX_TOKENS)
        check_places(folder, length, -(-length // PIECE) * PIECE + 2, places[0])
        _check_patches(folder, net)
        speaks = [text_width, encoder.get("num_hidden_layers"), encoder.get("vocab_size"), length]
        name, card = CARD.name, CARD
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, kl.decisive(vae)),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=_defaults(folder),
            capabilities=card.capabilities,
            width=int(net.get("dim", 3840)),
            vae_width=kl.widths(vae)[0],
            peak=card.peak,
            settings=MappingProxyType(
                {
                    "max_tokens": length,
                    "positions": (places[0] - 2) // PIECE * PIECE,
                    "rows": places[1],
                    "columns": places[2],
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
        """``sequence`` ``[b, tokens, width]``, as long as the longest text, and its ``mask``
        ``[b, tokens]``.

        Options: ``max_tokens``, beyond which a text (with its template) is cut off.
        """
        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        asked = chats(tokenizer, texts, enable_thinking=True)
        # What fills up the shorter texts is left out, so no more of it is encoded than need be.
        ids, mask = (t.to(device) for t in tokenise(tokenizer, asked, length, net, padding=True))
        sequence, mask = compact(hidden(net, ids, mask, (-2,))[0], mask)
        named = {"sequence": sequence, "mask": mask}
        return Conditioning(
            facts.text_space,
            {name: value.float().cpu().numpy() for name, value in named.items()},
        )

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """The language model's tokens, those of the chat template among them."""
        length = wanted_length(options, describe(encoder).settings["max_tokens"])
        tokenizer = load(part_of(encoder, "tokenizer"))

        def written(given: str) -> str:
            return chats(tokenizer, [given], enable_thinking=True)[0]

        return (token_row("Qwen3", tokenizer, text, length, written=written, packed=True),)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = load(part_of(model, "scheduler"))
        process = Process(FLOW, "velocity", shift=flow_shift(settings), spacing=spacing(settings))
        return ZImageDenoiser(load(model), process, facts, device)


class ZImageDenoiser:
    """One call of the transformer, which takes each sample and each text for itself."""

    def __init__(self, transformer: Any, process: Process, facts: ModelFacts, device: str) -> None:
        self.process = process
        self._net = transformer
        self._facts = facts
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Image tokens of one sample, without those that fill up the sequence."""
        return self._facts.geometry.tokens(shape)

    def spans(self, site: Site, queries: int, keys: int, image: int) -> Spans:
        """Image tokens, then what fills them up, then text tokens."""
        text = slice(image + -image % PIECE, keys) if site.stream == "image text" else slice(0, 0)
        return Spans(text, slice(0, image), text, slice(0, image))

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> list[Tensor]:
        """A text sequence ``[tokens, width]`` for each sample of each conditioning.

        Raises:
            DiffusionError: numbers of entries do not agree, or a text is too long.
        """
        parts = gather(conditionings, ("sequence", "mask"), count, CARD.title)
        check_length(parts["mask"], self._facts.settings["positions"])
        return [
            row[keep > 0].to(self._device, dtype_of(self._net))
            for rows, masks in zip(parts["sequence"], parts["mask"], strict=True)
            for row, keep in zip(rows, masks, strict=True)
        ]

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``.

        Raises:
            DiffusionError: the sides are odd, or longer than the model has positions for.
        """
        import torch

        check_even(x, CARD.title)
        check_reach(x, self._facts.settings["rows"], self._facts.settings["columns"])
        time = torch.full((x.shape[0],), 1.0 - sigma, device=x.device, dtype=torch.float32)
        frames = list(x.to(prepared[0].dtype).unsqueeze(2).unbind(0))
        out = self._net(frames, time, prepared, return_dict=False)[0]
        return -torch.stack(out).squeeze(2).float()


def _check_patches(folder: ModelFolder, net: Mapping[str, Any]) -> None:
    """Refuse a transformer without 2x2 patches."""
    if 2 not in net.get("all_patch_size", (2,)):
        raise CatalogError(
            f"{folder.path}: the transformer has no patches of 2x2 cells, as every Z-Image has. "
            "Get transformer/config.json again."
        )


def _defaults(folder: ModelFolder) -> Defaults:
    """The Turbo model needs few steps and no CFG."""
    base = CARD.defaults
    shift = flow_shift(folder.component("scheduler").config)
    turbo = shift.kind == "static" and shift.value < TURBO_SHIFT
    return replace(base, steps=8, cfg=1.0) if turbo else base


FAMILY = ZImage()
