"""The Lumina 2 family: Lumina-Image 2.0 (arXiv:2503.21758).

A rectified-flow transformer with a single stream of text and image tokens over 2x2 patches; the
text comes from a language model (Gemma 2, its last hidden states but one) behind a system prompt.
The network counts time from noise to picture and predicts ``x0 - eps``, both the other way round
from the rest of Weft. The paper's CFG-Renorm and CFG-Trunc are the guidance ``cfg_renorm``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Denoiser, Process
from backend.models import kl
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Rope, Site, Space
from backend.models.conditions import check_length, gather, stack
from backend.models.family import Load, describe, part_of, space_of
from backend.models.fit import check_channels, check_places, check_text_width
from backend.models.numerics import dtype_of
from backend.models.patches2x2 import check_even, check_reach
from backend.models.settings import check_scaling, check_scheduler, flow_shift, spacing
from backend.models.text_llm import compact, hidden
from backend.models.texts import longest, tokenise, wanted_length
from backend.models.tokens import TokenRow, token_row
from backend.values import Conditioning, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 256
SYSTEM = (
    "You are an assistant designed to generate superior images with the superior degree of "
    "image-text alignment based on textual prompts or user prompts."
)
"""What the model was trained to read before every description of a picture."""

CARD = Card(
    name="lumina2",
    title="Lumina 2",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("Lumina2Transformer2DModel",),
            "vae": ("AutoencoderKL",),
            "text_encoder": ("Gemma2Model", "Gemma2ForCausalLM"),
            "tokenizer": ("GemmaTokenizer", "GemmaTokenizerFast", "PreTrainedTokenizerFast"),
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
            "lumina2",
            "text_encoder",
            MappingProxyType({"hidden_size": 2304, "num_hidden_layers": 26}),
        ),
    ),
    geometry=Geometry(channels=16, factor=8, patch=2),
    defaults=Defaults(steps=30, cfg=4.0, guidance=0.0, width=1024, height=1024),
    peak=Peak(token_widths=20.0, pixel_channels=6.1),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg"}),
    rope=Rope("rope_embedder", ("word", "height", "width"), "_get_freqs_cis"),
    sites=(
        Site("refine", "noise_refiner.{i}.attn", "num_refiner_layers", "self"),
        Site("single", "layers.{i}.attn", "num_layers", "text image"),
    ),
    blocks=(Block("single", "layers.{i}", ("hidden_states",)),),
)


class Lumina2(kl.KlPictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width and reach from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        encoder = folder.component("text_encoder").config
        geometry = kl.geometry(vae, patch=2)
        check_channels(folder, int(net.get("in_channels", 16)), geometry.channels)
        text_width = int(net.get("cap_feat_dim", 1024))
        check_text_width(folder, text_width, int(encoder["hidden_size"]))
        check_scheduler(folder, CARD.title)
        check_scaling(folder)
        places = [int(n) for n in net.get("axes_lens", (300, 512, 512))]
        length = longest(folder.component("tokenizer").config, MAX_TOKENS)
        check_places(folder, length, length + 1, places[0])
        _check_patches(folder, net)
        speaks = [text_width, encoder.get("num_hidden_layers"), encoder.get("vocab_size"), length]
        name, card = CARD.name, CARD
        size = int(net.get("sample_size", 128)) * geometry.factor
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, kl.decisive(vae)),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=replace(card.defaults, width=size, height=size),
            capabilities=card.capabilities,
            width=int(net.get("hidden_size", 2304)),
            vae_width=kl.widths(vae)[0],
            peak=card.peak,
            settings=MappingProxyType(
                {
                    "max_tokens": length,
                    "positions": places[0] - 1,
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

        Options: ``max_tokens``, beyond which a text (with the system prompt) is cut off;
        ``negative``, true for what a picture shall not show; and ``system``, another system
        prompt. An empty text, what the model learned as "no prompt", has none, nor has a negative
        one unless it is given; with ``system`` "" no text has.
        """
        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        coded = tokenise(
            tokenizer, _asked(texts, options), length, net, padding=True, padding_side="right"
        )
        ids, mask = (t.to(device) for t in coded)
        sequence, mask = compact(hidden(net, ids, mask, (-2,))[0], mask)
        named = {"sequence": sequence, "mask": mask}
        return Conditioning(
            facts.text_space,
            {name: value.float().cpu().numpy() for name, value in named.items()},
        )

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """The language model's tokens, those of the system prompt among them."""
        length = wanted_length(options, describe(encoder).settings["max_tokens"])
        tokenizer = load(part_of(encoder, "tokenizer"))

        def written(given: str) -> str:
            return _asked([given], options)[0]

        return (
            token_row(
                "Gemma 2",
                tokenizer,
                text,
                length,
                written=written,
                packed=True,
                padding_side="right",
            ),
        )

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = load(part_of(model, "scheduler"))
        process = Process(FLOW, "velocity", shift=flow_shift(settings), spacing=spacing(settings))
        return Lumina2Denoiser(load(model), process, facts, device)


class Lumina2Denoiser:
    """One call of the transformer."""

    def __init__(self, transformer: Any, process: Process, facts: ModelFacts, device: str) -> None:
        self.process = process
        self._net = transformer
        self._facts = facts
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Image tokens of one sample."""
        return self._facts.geometry.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """The transformer's text arguments for one batch.

        Raises:
            UnequalTexts: conditionings differ in length. The image stands behind the text, so
                in a common batch it would begin at other tokens in each, and masks would be needed.
            DiffusionError: numbers of entries do not agree, or a text is too long.
        """
        parts = gather(conditionings, ("sequence", "mask"), count, CARD.title)
        check_length(parts["mask"], self._facts.settings["positions"])
        sequence, mask = stack(parts["sequence"]), stack(parts["mask"])
        return {
            "encoder_hidden_states": sequence.to(self._device, dtype_of(self._net)),
            "encoder_attention_mask": mask.long().to(self._device),
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``.

        Raises:
            DiffusionError: the sides are odd, or longer than the model has positions for.
        """
        import torch

        check_even(x, CARD.title)
        check_reach(x, self._facts.settings["rows"], self._facts.settings["columns"])
        time = torch.full((x.shape[0],), 1.0 - sigma, device=x.device, dtype=torch.float32)
        given = x.to(prepared["encoder_hidden_states"].dtype).contiguous()
        out = self._net(hidden_states=given, timestep=time, return_dict=False, **prepared)[0]
        velocity: Tensor = -out.float()
        return velocity


def _asked(texts: Sequence[str], options: Params) -> list[str]:
    """The texts behind the system prompt."""
    system = options.get("system", "" if options.get("negative") else SYSTEM)
    if not isinstance(system, str):
        raise DiffusionError(f"The setting 'system' must be a text, not {system!r}.")
    return [f"{system} <Prompt Start> {text}" if system and text else text for text in texts]


def _check_patches(folder: ModelFolder, net: Mapping[str, Any]) -> None:
    """Refuse a transformer without 2x2 patches."""
    if int(net.get("patch_size", 2)) != 2:
        raise CatalogError(
            f"{folder.path}: the transformer has patches of {net['patch_size']} cells a side, "
            "where every Lumina 2 has 2. Get transformer/config.json again."
        )


FAMILY = Lumina2()
