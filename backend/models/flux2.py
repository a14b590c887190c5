"""The FLUX.2 Klein family: its few-step and its base models.

A rectified-flow transformer with double (text and image) and single streams, conditioned by three
hidden states of a language model (Qwen3) side by side. The VAE's latents are folded into 2x2
patches and normed by the statistics of its batch norm; so folded they are the latents here, one
cell for a token. Tokens have four positions: picture, row, column, place in the text. Reference
pictures stand behind the image, each in a picture of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Denoiser, Process
from backend.diffusion.shift import Shift
from backend.models import kl, reference
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Rope, Site, Space
from backend.models.codec import Scaling, decode_stills, encode_stills
from backend.models.conditions import gather, stack
from backend.models.family import Load, describe, part_of, space_of
from backend.models.fit import check_channels, check_text_width
from backend.models.loading import load_part
from backend.models.numerics import dtype_of
from backend.models.patches2x2 import pack, unpack
from backend.models.seams.sites import Spans, spans_before
from backend.models.settings import check_scheduler, flow_shift, spacing
from backend.models.text_llm import chats, hidden
from backend.models.texts import longest, tokenise, wanted_length
from backend.models.tiling.tiles import WHOLE, Coding
from backend.models.tokens import TokenRow, token_row
from backend.values import VAE, Conditioning, Image, Latent, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 512
LAYERS = (9, 18, 27)
"""The hidden states that the transformer reads, a quarter of the language model apart."""

KV = "Flux2KleinKVPipeline"
"""The pipeline of a variant whose references see nothing but themselves, which is not built here;
from texts alone it works as the others."""

APART = 10
"""The image is picture 0, the references are pictures 10, 20 and so on."""

CARD = Card(
    name="flux2_klein",
    title="FLUX.2 Klein",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("Flux2Transformer2DModel",),
            "vae": ("AutoencoderKLFlux2",),
            "text_encoder": ("Qwen3ForCausalLM", "Qwen3Model"),
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
    latent_spaces=(
        Space(
            "flux2",
            "vae",
            MappingProxyType({"_class_name": "AutoencoderKLFlux2", "latent_channels": 32}),
        ),
    ),
    text_spaces=(
        Space(
            "flux2_klein_4b",
            "text_encoder",
            MappingProxyType({"hidden_size": 2560, "num_hidden_layers": 36}),
        ),
        Space(
            "flux2_klein_9b",
            "text_encoder",
            MappingProxyType({"hidden_size": 4096, "num_hidden_layers": 36}),
        ),
    ),
    geometry=Geometry(channels=128, factor=16),
    defaults=Defaults(steps=50, cfg=4.0, guidance=0.0, width=1024, height=1024),
    peak=Peak(token_widths=25.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg", "references"}),
    rope=Rope("pos_embed", ("picture", "height", "width", "word")),
    sites=(
        Site("double", "transformer_blocks.{i}.attn", "num_layers", "text image"),
        Site("single", "single_transformer_blocks.{i}.attn", "num_single_layers", "text image"),
    ),
    blocks=(
        Block("double", "transformer_blocks.{i}", ("encoder_hidden_states", "hidden_states")),
        Block("single", "single_transformer_blocks.{i}", ("hidden_states",)),
    ),
    references=True,
)


@dataclass(frozen=True)
class MeasuredShift(Shift):
    """The shift that FLUX.2 takes instead of its scheduler's: ``mu`` was measured for two numbers
    of steps, at each of which it is linear in the tokens, and is linear in the steps between."""

    def apply(self, levels: Sequence[float], tokens: int) -> list[float]:
        """Shift as many noise levels as there are steps."""
        mu = measured_mu(tokens, len(levels))
        value = math.exp(mu) if self.form == "exponential" else mu
        return Shift("static", value, terminal=self.terminal).apply(levels, tokens)


def measured_mu(tokens: int, steps: int) -> float:
    """``mu`` for a number of image tokens and of steps; above 4300 tokens that of 200 steps."""
    few, many = 8.73809524e-05 * tokens + 1.89833333, 0.00016927 * tokens + 0.45666666
    return many if tokens > 4300 else few + (many - few) * (steps - 10) / 190


class Flux2Klein:
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        encoder = folder.component("text_encoder").config
        raw = _raw(vae)
        geometry = Geometry(raw.channels * 4, raw.factor * 2)
        check_channels(folder, int(net.get("in_channels", 128)), geometry.channels)
        text_width = int(net.get("joint_attention_dim", 15360))
        check_text_width(folder, text_width, len(LAYERS) * int(encoder["hidden_size"]))
        check_scheduler(folder, CARD.title)
        _check_variant(folder, net, encoder)
        length = longest(folder.component("tokenizer").config, MAX_TOKENS)
        speaks = [text_width, encoder.get("num_hidden_layers"), encoder.get("vocab_size"), length]
        like = [raw.channels, list(kl.widths(vae)), vae.get("batch_norm_eps")]
        name, card = CARD.name, CARD
        distilled = bool(folder.settings.get("is_distilled", False))
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, like),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=replace(card.defaults, steps=4, cfg=1.0) if distilled else card.defaults,
            capabilities=card.capabilities - ({"references"} if folder.pipeline == KV else set()),
            width=int(net.get("num_attention_heads", 48)) * int(net.get("attention_head_dim", 128)),
            vae_width=kl.widths(vae)[0],
            peak=card.peak,
            settings=MappingProxyType({"max_tokens": length}),
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
        """``sequence`` ``[b, tokens, 3 * width]``, filled up to the length: the model reads what
        the language model makes of the filling too.

        Options: ``max_tokens`` shortens the sequence; text beyond it is cut off.
        """
        import torch

        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        asked = chats(tokenizer, texts, enable_thinking=False)
        ids, mask = (t.to(device) for t in tokenise(tokenizer, asked, length, net))
        sequence = torch.cat(hidden(net, ids, mask, LAYERS), -1)
        return Conditioning(facts.text_space, {"sequence": sequence.float().cpu().numpy()})

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """The language model's tokens, those of the chat template among them."""
        length = wanted_length(options, describe(encoder).settings["max_tokens"])
        tokenizer = load(part_of(encoder, "tokenizer"))

        def written(given: str) -> str:
            return chats(tokenizer, [given], enable_thinking=False)[0]

        return (token_row("Qwen3", tokenizer, text, length, written=written),)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        settings = load(part_of(model, "scheduler"))
        shift = flow_shift(settings)
        if shift.kind == "dynamic":
            shift = MeasuredShift("dynamic", form=shift.form, terminal=shift.terminal)
        process = Process(FLOW, "velocity", shift=shift, spacing=spacing(settings))
        refers = "references" in describe(model).capabilities
        return Flux2Denoiser(load(model), process, device, refers)

    def encode_image(
        self,
        vae: VAE,
        image: Image,
        load: Load,
        device: str,
        seed: int | None = None,
        coding: Coding = WHOLE,
    ) -> Latent:
        """The posterior folded to ``[b, 4 c, h/2, w/2]`` and normed, one picture at a time.

        Raises:
            DiffusionError: the size is no multiple of what the model takes.
        """
        import torch

        net, facts = load(vae), describe(vae)
        place = (_raw(net.config), Scaling(), facts.latent_space, device)
        raw = encode_stills(net, image, *place, seed, coding)
        normed = (fold(torch.from_numpy(raw.samples.copy())) - _mean(net)) / _spread(net)
        return raw.but(samples=normed.numpy())

    def decode_latent(
        self, vae: VAE, latent: Latent, load: Load, device: str, coding: Coding = WHOLE
    ) -> Image:
        """The way back, one picture at a time."""
        import torch

        net = load(vae)
        folded = torch.from_numpy(latent.samples.copy()) * _spread(net) + _mean(net)
        raw = unfold(folded).numpy()
        return decode_stills(net, raw, Scaling(), device, _raw(net.config).factor, coding)


class Flux2Denoiser:
    """One call of the transformer, a token for each cell."""

    def __init__(
        self, transformer: Any, process: Process, device: str, refers: bool = True
    ) -> None:
        """``refers`` is whether the model takes reference pictures."""
        self.process = process
        self._refers = refers
        self._beside = 0
        self._net = transformer
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Image tokens of one sample, without those of references."""
        return shape[-2] * shape[-1]

    def spans(self, site: Site, queries: int, keys: int, image: int) -> Spans:
        """Text tokens, then image tokens, then those of references, which are of neither."""
        return spans_before(keys - self._beside, image)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """Text and references of one batch, with their positions.

        Raises:
            DiffusionError: entries, lengths or references do not agree, or the model takes no
                references.
        """

        parts = gather(conditionings, ("sequence",), count, CARD.title)
        place: dict[str, Any] = {"device": self._device, "dtype": dtype_of(self._net)}
        sequence = stack(parts["sequence"]).to(**place)
        given = reference.gathered(conditionings, count)
        if given and not self._refers:
            raise DiffusionError(
                "This variant of FLUX.2 Klein takes no references here. Use another."
            )
        self._beside = sum(latents.shape[-2] * latents.shape[-1] for latents in given)
        return {
            "text": sequence,
            "text_ids": positions(0, 1, 1, sequence.shape[1]).to(self._device),
            "others": [latents.flatten(2).mT.to(**place) for latents in given],
            "other_ids": [
                positions(APART * (i + 1), *latents.shape[-2:]).to(self._device)
                for i, latents in enumerate(given)
            ],
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``."""
        import torch

        image = x.flatten(2).mT.to(prepared["text"].dtype)
        ids = positions(0, *x.shape[-2:]).to(x.device)
        out = self._net(
            hidden_states=torch.cat([image, *prepared["others"]], 1),
            timestep=torch.full((x.shape[0],), sigma, device=x.device, dtype=torch.float32),
            guidance=None,
            encoder_hidden_states=prepared["text"],
            txt_ids=prepared["text_ids"],
            img_ids=torch.cat([ids, *prepared["other_ids"]]),
            return_dict=False,
        )[0]
        velocity: Tensor = out[:, : image.shape[1]].mT.reshape(x.shape).float()
        return velocity


def fold(x: Tensor) -> Tensor:
    """``[b, c, h, w]`` to ``[b, 4 c, h/2, w/2]``: each 2x2 patch into the channels."""
    b, c, h, w = x.shape
    return pack(x).mT.reshape(b, 4 * c, h // 2, w // 2)


def unfold(x: Tensor) -> Tensor:
    """``fold`` undone."""
    height, width = x.shape[-2:]
    return unpack(x.flatten(2).mT, 2 * height, 2 * width)


def positions(picture: int, rows: int, columns: int, words: int = 1) -> Tensor:
    """Positions ``[rows * columns * words, 4]`` of tokens: picture, row, column, word."""
    import torch

    axes = [torch.arange(n) for n in (rows, columns, words)]
    return torch.cartesian_prod(torch.tensor([picture]), *axes)


def _raw(vae: Mapping[str, Any]) -> Geometry:
    """The VAE's own latents, before they are folded."""
    return kl.geometry({"latent_channels": 32, **vae}, patch=2)


def _mean(vae: Any) -> Tensor:
    mean: Tensor = vae.bn.running_mean.float().cpu().reshape(1, -1, 1, 1)
    return mean


def _spread(vae: Any) -> Tensor:
    variance = vae.bn.running_var.float().cpu().reshape(1, -1, 1, 1)
    spread: Tensor = (variance + vae.config.batch_norm_eps).sqrt()
    return spread


def _check_variant(folder: ModelFolder, net: Mapping[str, Any], encoder: Mapping[str, Any]) -> None:
    """Refuse what looks like a FLUX.2 Klein, but is none."""
    if net.get("guidance_embeds", True):
        raise CatalogError(
            f"{folder.path}: the transformer takes embedded guidance, which no FLUX.2 Klein does. "
            "Get transformer/config.json again, or choose another model."
        )
    layers = int(encoder["num_hidden_layers"])
    if layers <= max(LAYERS):
        raise CatalogError(
            f"{folder.path}: the text encoder has {layers} layers, but the transformer reads layer "
            f"{max(LAYERS)}. These components are of different models."
        )


FAMILY = Flux2Klein()
