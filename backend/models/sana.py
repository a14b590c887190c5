"""The Sana family: Sana and Sana 1.5 (arXiv:2410.10629, arXiv:2501.18427).

A rectified-flow transformer over single cells of a deep autoencoder's latents, 32 pixels wide each:
linear attention among the cells, ordinary cross attention to the text. That comes from a language
model (Gemma 2, its last hidden states), behind an instruction that asks it to write a better
prompt. It was trained with DPM-Solver++ in mind, whose grid of noise levels it names.
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
from backend.diffusion.shift import Shift
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Site, Space
from backend.models.conditions import gather, pad
from backend.models.deep_codes import decode_codes, encode_codes
from backend.models.family import Load, describe, part_of, space_of
from backend.models.fit import check_channels, check_text_width
from backend.models.loading import load_part
from backend.models.numerics import dtype_of
from backend.models.settings import check_scaling
from backend.models.text_llm import compact, hidden
from backend.models.texts import longest, tokenise, wanted_length
from backend.models.tiling.tiles import WHOLE, Coding
from backend.models.tokens import TokenRow, token_row
from backend.values import VAE, Conditioning, Image, Latent, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 300
INSTRUCTION = "\n".join(
    [
        "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual "
        "descriptions suitable for image generation. Evaluate the level of detail in the user "
        "prompt:",
        "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, "
        "textures, and spatial relationships to create vivid and concrete scenes.",
        "- If the prompt is already detailed, refine and enhance the existing details slightly "
        "without overcomplicating.",
        "Here are examples of how to transform or refine prompts:",
        "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round "
        "shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red "
        "flowers.",
        "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, "
        "featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a "
        "double-decker bus passing by towering glass skyscrapers.",
        "Please generate only the enhanced description for the prompt below and avoid including "
        "any additional commentary or evaluations:",
        "User Prompt: ",
    ]
)
"""What the model was trained to read before every description of a picture."""

SETTINGS: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "use_flow_sigmas": (True,),
        "prediction_type": ("flow_prediction",),
        "algorithm_type": ("dpmsolver++", None),
        "final_sigmas_type": ("zero", None),
        "use_dynamic_shifting": (False, None),
        "use_karras_sigmas": (False, None),
        "use_exponential_sigmas": (False, None),
        "use_beta_sigmas": (False, None),
        "use_lu_lambdas": (False, None),
    }
)
"""The scheduler settings that a run follows; None stands for one that is not named."""

CARD = Card(
    name="sana",
    title="Sana",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("SanaTransformer2DModel",),
            "vae": ("AutoencoderDC",),
            "text_encoder": ("Gemma2Model",),
            "tokenizer": ("GemmaTokenizer", "GemmaTokenizerFast", "PreTrainedTokenizerFast"),
            "scheduler": ("DPMSolverMultistepScheduler",),
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
            "dc-ae-f32c32",
            "vae",
            MappingProxyType(
                {
                    "_class_name": "AutoencoderDC",
                    "latent_channels": 32,
                    "scaling_factor": 0.41407,
                }
            ),
        ),
    ),
    text_spaces=(
        Space(
            "sana",
            "text_encoder",
            MappingProxyType({"hidden_size": 2304, "num_hidden_layers": 26}),
        ),
    ),
    geometry=Geometry(channels=32, factor=32),
    defaults=Defaults(steps=20, cfg=4.5, guidance=0.0, width=1024, height=1024, solver="dpmpp_2m"),
    peak=Peak(token_widths=14.2, pixel_channels=4.6),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg"}),
    sites=(Site("cross", "transformer_blocks.{i}.attn2", "num_layers", "cross"),),
    blocks=(Block("block", "transformer_blocks.{i}", ("hidden_states",)),),
)


class Sana:
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        encoder = folder.component("text_encoder").config
        widths = [int(width) for width in vae["encoder_block_out_channels"]]
        channels, patch = int(vae.get("latent_channels", 32)), int(net.get("patch_size", 1))
        geometry = Geometry(channels, 2 ** (len(widths) - 1), patch)
        check_channels(folder, int(net.get("in_channels", 32)), channels)
        text_width = int(net.get("caption_channels", 2304))
        check_text_width(folder, text_width, int(encoder["hidden_size"]))
        _check_variant(folder, net, channels)
        _check_scheduler(folder)
        check_scaling(folder)
        length = longest(folder.component("tokenizer").config, MAX_TOKENS)
        speaks = [text_width, encoder.get("num_hidden_layers"), encoder.get("vocab_size"), length]
        like = [channels, widths, vae.get("scaling_factor")]
        name, card = CARD.name, CARD
        size = int(net.get("sample_size", 32)) * geometry.factor
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, like),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=replace(card.defaults, width=size, height=size),
            capabilities=card.capabilities,
            width=int(net.get("num_attention_heads", 70)) * int(net.get("attention_head_dim", 32)),
            vae_width=widths[0],
            peak=card.peak,
            settings=MappingProxyType(
                {"max_tokens": length, "time_scale": float(net.get("timestep_scale", 1.0))}
            ),
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
        """``sequence`` ``[b, tokens, width]``, as long as the longest text, and its ``mask``
        ``[b, tokens]``.

        Texts are read in small letters, without white space around them. Of the instruction's
        tokens the first and the last stay. Options: ``max_tokens``, beyond which a text is cut
        off; ``negative``, true for what a picture shall not show; and ``instruction``, another
        one. An empty text, what the model learned as "no prompt", has none, nor has a negative one
        unless it is given; with ``instruction`` "" no text has.
        """
        import torch

        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        asked = [_asked(text, options) for text in texts]
        before = _dropped(tokenizer, options)
        coded = tokenise(tokenizer, asked, length + before, net, padding=True, padding_side="right")
        ids, mask = (t.to(device) for t in coded)
        skipped = torch.tensor([before if text.strip() else 0 for text in texts], device=device)
        places = torch.arange(ids.shape[1], device=device) - skipped[:, None]
        start = torch.arange(ids.shape[1], device=device) == 0
        kept = mask * (start | ((places > 0) & (places < length)))
        sequence, mask = compact(hidden(net, ids, mask, (-1,))[0], kept)
        named = {"sequence": sequence, "mask": mask}
        return Conditioning(
            facts.text_space,
            {name: value.float().cpu().numpy() for name, value in named.items()},
        )

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """The language model's tokens, those of the instruction among them."""
        length = wanted_length(options, describe(encoder).settings["max_tokens"])
        tokenizer = load(part_of(encoder, "tokenizer"))
        before = _dropped(tokenizer, options) if text.strip() else 0

        def written(given: str) -> str:
            return _asked(given, options)

        row = token_row(
            "Gemma 2",
            tokenizer,
            text,
            length + before,
            written=written,
            first=-before,
            packed=True,
            padding_side="right",
        )
        first, *rest = row.tokens
        tokens = [replace(t, place=None) if t.place == 0 else t for t in rest]
        return (replace(row, tokens=(replace(first, place=0), *tokens)),)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = load(part_of(model, "scheduler"))
        top = int(settings.get("num_train_timesteps", 1000))
        process = Process(
            FLOW,
            "velocity",
            grid=lambda steps: [(1.0 - 1.0 / top) * (1.0 - i / steps) for i in range(steps)],
            shift=Shift("static", float(settings.get("flow_shift", 1.0))),
            patch=facts.geometry.patch,
        )
        return SanaDenoiser(load(model), process, facts, top, device)

    def encode_image(
        self,
        vae: VAE,
        image: Image,
        load: Load,
        device: str,
        seed: int | None = None,
        coding: Coding = WHOLE,
    ) -> Latent:
        """The code times its scale, one picture at a time. This autoencoder gives one code and no
        spread about it, so ``seed`` changes nothing.

        Raises:
            DiffusionError: the size is no multiple of what the model takes.
        """
        facts = describe(vae)
        place = (facts.geometry, facts.latent_space, device, coding)
        return encode_codes(load(vae), image, *place)

    def decode_latent(
        self, vae: VAE, latent: Latent, load: Load, device: str, coding: Coding = WHOLE
    ) -> Image:
        """``decode(latent / scale)``, one picture at a time."""
        factor = describe(vae).geometry.factor
        return decode_codes(load(vae), latent.samples, factor, device, coding)


class SanaDenoiser:
    """One call of the transformer, a token for each cell."""

    def __init__(
        self, transformer: Any, process: Process, facts: ModelFacts, top: int, device: str
    ) -> None:
        """``top`` is noise level 1 in the network's time, of which it is told whole steps."""
        self.process = process
        self._net = transformer
        self._facts = facts
        self._top = top
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Patches of one sample."""
        return self._facts.geometry.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """Texts of any length of one batch.

        Raises:
            DiffusionError: numbers of entries do not agree.
        """
        parts = gather(conditionings, ("sequence", "mask"), count, CARD.title)
        return {
            "encoder_hidden_states": pad(parts["sequence"]).to(self._device, dtype_of(self._net)),
            "encoder_attention_mask": (pad(parts["mask"]) > 0).long().to(self._device),
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``.

        Raises:
            DiffusionError: the sides do not divide into patches.
        """
        import torch

        side = self._facts.geometry.patch
        if x.shape[-1] % side or x.shape[-2] % side:
            raise DiffusionError(
                f"Sana latents have sides that are multiples of {side}, not "
                f"{x.shape[-1]}x{x.shape[-2]}."
            )
        time = int(sigma * self._top) * self._facts.settings["time_scale"]
        out = self._net(
            x.to(prepared["encoder_hidden_states"].dtype),
            timestep=torch.full((x.shape[0],), time, device=x.device, dtype=torch.float32),
            return_dict=False,
            **prepared,
        )[0]
        velocity: Tensor = out.float()
        return velocity


def _instruction(options: Params) -> str:
    """The instruction before texts that are not empty."""
    found = options.get("instruction", "" if options.get("negative") else INSTRUCTION)
    if not isinstance(found, str):
        raise DiffusionError(f"The setting 'instruction' must be a text, not {found!r}.")
    return found


def _asked(text: str, options: Params) -> str:
    """A text as the model reads it."""
    instruction, small = _instruction(options), text.lower().strip()
    return instruction + small if small else small


def _dropped(tokenizer: Any, options: Params) -> int:
    """Tokens of the instruction that are left out: all but the first and the last."""
    instruction = _instruction(options)
    return max(len(tokenizer(instruction).input_ids) - 2, 0) if instruction else 0


def _check_variant(folder: ModelFolder, net: Mapping[str, Any], channels: int) -> None:
    """Refuse what looks like a Sana, but is another model."""
    if net.get("guidance_embeds"):
        raise CatalogError(
            f"{folder.path}: the transformer takes embedded guidance, as Sana Sprint does, which "
            "cannot be run here. Choose a Sana or Sana 1.5."
        )
    if int(net.get("out_channels") or channels) != channels:
        raise CatalogError(
            f"{folder.path}: the transformer makes {net['out_channels']} channels, but the VAE "
            f"takes {channels}. These components are of different models."
        )


def _check_scheduler(folder: ModelFolder) -> None:
    """Refuse scheduler settings that a run would not follow."""
    scheduler = folder.component("scheduler")
    if scheduler.kind not in CARD.classes["scheduler"]:
        raise CatalogError(
            f"{folder.path} names the scheduler {scheduler.kind}, but a {CARD.title} has "
            f"{CARD.classes['scheduler'][0]}. Get model_index.json and the scheduler folder again."
        )
    settings = scheduler.config
    for name, wanted in SETTINGS.items():
        if settings.get(name) not in wanted:
            raise CatalogError(
                f"{folder.path}: the scheduler has {name} {settings.get(name)}, but a {CARD.title} "
                f"runs with {wanted[0]} only. Set it so in scheduler/scheduler_config.json."
            )
    shift, top = float(settings.get("flow_shift", 1.0)), int(settings["num_train_timesteps"])
    if shift <= 0 or top < 2:
        raise ValueError(f"flow_shift {shift:g}, {top} time steps")


FAMILY = Sana()
