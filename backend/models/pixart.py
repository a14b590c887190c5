"""The PixArt family: PixArt-Sigma (arXiv:2403.04692) and PixArt-Alpha (arXiv:2310.00426).

A transformer over 2x2 patches that looks at a T5 sequence by cross attention, predicts noise, and
in as many further channels a variance that no solver here needs. Sigma works on SDXL's latents and
reads longer texts; Alpha works on those of Stable Diffusion 1, and in its larger size is told how
large the picture is to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.process import Denoiser, Process
from backend.models import kl, sd15, sdxl
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Site, Space
from backend.models.conditions import gather, pad
from backend.models.family import Load, describe, part_of, space_of
from backend.models.fit import check_channels, check_text_width
from backend.models.noise_table import (
    RULES,
    SOLVERS,
    NoiseTable,
    check_noise_scheduler,
    noise_table,
    process_of,
    with_class,
)
from backend.models.numerics import dtype_of
from backend.models.patches2x2 import check_even
from backend.models.settings import check_scaling
from backend.models.texts import encode_unpadded, longest, tokenise, wanted_length
from backend.models.tokens import TokenRow, token_row
from backend.values import Conditioning, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

ALPHA = "PixArtAlphaPipeline"
MAX_TOKENS = MappingProxyType({ALPHA: 120})
SIGMA_TOKENS = 300
"""Text tokens that the models were trained with at most, by pipeline."""

CARD = Card(
    name="pixart",
    title="PixArt",
    tier="native",
    classes=MappingProxyType(
        {
            # The general class is what older folders name; diffusers loads the other for it.
            "transformer": ("PixArtTransformer2DModel", "Transformer2DModel"),
            "vae": ("AutoencoderKL",),
            "text_encoder": ("T5EncoderModel",),
            "tokenizer": ("T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast"),
            "scheduler": tuple(RULES),
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
    latent_spaces=(*sdxl.CARD.latent_spaces, *sd15.CARD.latent_spaces),
    text_spaces=(
        Space("pixart", "text_encoder", MappingProxyType({"d_model": 4096, "num_layers": 24})),
    ),
    geometry=Geometry(channels=4, factor=8, patch=2),
    defaults=Defaults(steps=20, cfg=4.5, guidance=0.0, width=1024, height=1024),
    peak=Peak(token_widths=12.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg"}),
    sites=(
        Site("self", "transformer_blocks.{i}.attn1", "num_layers", "self"),
        Site("cross", "transformer_blocks.{i}.attn2", "num_layers", "cross"),
    ),
    blocks=(Block("block", "transformer_blocks.{i}", ("hidden_states",)),),
    full_precision=("vae",),
)


class PixArt(kl.KlPictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width and what it is told from the transformer's."""
        net = folder.component("transformer").config
        vae = {"latent_channels": 4, **folder.component("vae").config}
        encoder = folder.component("text_encoder").config
        geometry = kl.geometry(vae, patch=2)
        check_channels(folder, int(net.get("in_channels", 4)), geometry.channels)
        _check_net(folder, net)
        text_width = int(net.get("caption_channels") or 4096)
        check_text_width(folder, text_width, int(encoder["d_model"]))
        check_noise_scheduler(folder, CARD.title)
        check_scaling(folder)
        most = MAX_TOKENS.get(folder.pipeline, SIGMA_TOKENS)
        speaks = [text_width, encoder.get("num_layers"), encoder.get("vocab_size")]
        side, sized = int(net.get("sample_size", 128)), net.get("use_additional_conditions")
        name, card, scheduler = CARD.name, CARD, folder.component("scheduler").kind
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, kl.decisive(vae)),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=_defaults(side * geometry.factor, scheduler),
            capabilities=card.capabilities,
            width=int(net.get("num_attention_heads", 16)) * int(net.get("attention_head_dim", 72)),
            vae_width=kl.widths(vae)[0],
            peak=card.peak,
            settings=MappingProxyType(
                {
                    "max_tokens": longest(folder.component("tokenizer").config, most),
                    "scheduler": scheduler,
                    "sized": side == 128 if sized is None else bool(sized),
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
        """``sequence`` ``[b, tokens, width]`` from T5, as long as the longest text, and its
        ``mask`` ``[b, tokens]``. Texts are read in small letters, as in training.

        Options: ``max_tokens``, beyond which a text is cut off.
        """

        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        read = [_written(text) for text in texts]
        sequence, mask = encode_unpadded(net, *tokenise(tokenizer, read, length, net), device)
        named = {"sequence": sequence, "mask": mask}
        return Conditioning(
            facts.text_space,
            {name: value.float().cpu().numpy() for name, value in named.items()},
        )

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """T5's tokens of the text in small letters."""
        length = wanted_length(options, describe(encoder).settings["max_tokens"])
        tokenizer = load(part_of(encoder, "tokenizer"))
        return (token_row("T5", tokenizer, text, length, written=_written),)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the levels and the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = with_class(load(part_of(model, "scheduler")), facts.settings["scheduler"])
        place = (process_of(settings), noise_table(settings), facts.geometry, device)
        return PixArtDenoiser(load(model), bool(facts.settings["sized"]), *place)


class PixArtDenoiser:
    """One call of the transformer, which makes the patches itself."""

    def __init__(
        self,
        transformer: Any,
        sized: bool,
        process: Process,
        table: NoiseTable,
        geometry: Geometry,
        device: str,
    ) -> None:
        """``sized`` says that the transformer is told the size of the picture."""
        self.process = process
        self._net = transformer
        self._sized = sized
        self._table = table
        self._geometry = geometry
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Image tokens of one sample."""
        return self._geometry.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """The transformer's text arguments for one batch.

        Raises:
            DiffusionError: numbers of entries do not agree.
        """
        parts = gather(conditionings, ("sequence", "mask"), count, CARD.title)
        place: dict[str, Any] = {"device": self._device, "dtype": dtype_of(self._net)}
        return {
            "encoder_hidden_states": pad(parts["sequence"]).to(**place),
            "encoder_attention_mask": pad(parts["mask"]).to(**place),
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """The noise in latents ``[b, c, h, w]``, without the variance that comes along.

        Raises:
            DiffusionError: height or width is odd.
        """
        import torch

        check_even(x, CARD.title)
        time = torch.full((x.shape[0],), self._table.time(sigma), device=x.device)
        out: Tensor = self._net(
            x.to(prepared["encoder_hidden_states"].dtype),
            timestep=time,
            added_cond_kwargs=self._size(x),
            return_dict=False,
            **prepared,
        )[0]
        return out[:, : x.shape[1]].float()

    def _size(self, x: Tensor) -> dict[str, Tensor | None]:
        """Height and width in pixels ``[b, 2]`` and their ratio ``[b, 1]``, where they are told."""
        if not self._sized:
            return {"resolution": None, "aspect_ratio": None}
        height, width = (side * self._geometry.factor for side in x.shape[-2:])
        size = x.new_tensor([[height, width]]).expand(x.shape[0], -1)
        return {"resolution": size, "aspect_ratio": size[:, :1] / size[:, 1:]}


def _written(text: str) -> str:
    return text.lower().strip()


def _check_net(folder: ModelFolder, net: Mapping[str, Any]) -> None:
    """Refuse a transformer of another make.

    Raises:
        CatalogError: its patches, norms or channels are not those of a PixArt.
    """
    channels = int(net.get("in_channels", 4))
    out = net.get("out_channels")
    known = {
        "patch_size": (2,),
        "norm_type": ("ada_norm_single",),
        "out_channels": (None, channels, 2 * channels),
    }
    given = {"patch_size": 2, "norm_type": "ada_norm_single", **net, "out_channels": out}
    for name, right in known.items():
        if given[name] not in right:
            raise CatalogError(
                f"{folder.path}: the transformer has {name} {given[name]!r}, where a PixArt has "
                f"{right[-1]!r}. Get transformer/config.json again, or choose a PixArt model."
            )


def _defaults(size: int, scheduler: str) -> Defaults:
    solver = SOLVERS.get(scheduler, "euler")
    return replace(CARD.defaults, width=size, height=size, solver=solver)


FAMILY = PixArt()
