"""The Qwen-Image family (arXiv:2508.02324): Qwen-Image and Qwen-Image-Edit.

A rectified-flow transformer with double (text and image) streams over 2x2 patches; the text comes
from a language model that also sees (Qwen2.5-VL, its last hidden states), in a template whose
instruction is left out afterwards. Edit models read pictures twice: the language model sees them,
and the transformer has their latents behind the image. Pictures go through a video VAE as videos
of one frame.
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
from backend.models import one_frame, reference, seeing
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Site, Space
from backend.models.causal_video import MEAN_21
from backend.models.conditions import gather, pad
from backend.models.family import Load, describe, part_of, space_of
from backend.models.fit import check_channels, check_text_width
from backend.models.loading import load_part, load_tokenizer
from backend.models.numerics import dtype_of
from backend.models.patches2x2 import check_even, check_reach, pack, unpack
from backend.models.seams.sites import Spans, spans_before
from backend.models.settings import check_scheduler, flow_shift, spacing
from backend.models.text_llm import compact, hidden
from backend.models.texts import longest, tokenise, wanted_length
from backend.models.tokens import TokenRow, token_row
from backend.values import Conditioning, Image, Model, Params, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 1024
"""Text tokens the family was trained with at most, those of the instruction apart."""

POSITIONS = 4096
"""Positions of the transformer, which the text takes up where the picture's larger half ends."""

TEMPLATE = (
    "<|im_start|>system\n"
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
"""What the model was trained to read around every text."""

INSTRUCTION = 34
"""Tokens of the template before the text, which are left out."""

EDIT = seeing.Template(
    "<|im_start|>system\n"
    "Describe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. "
    "Generate a new image that meets the user's requirements while maintaining consistency with "
    "the original input where appropriate.<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
    place="<|vision_start|>{}<|vision_end|>",
    mark="<|image_pad|>",
)
"""What Qwen-Image-Edit reads around a text about one picture."""

EDIT_PLUS = replace(EDIT, place="Picture {}: <|vision_start|>{}<|vision_end|>", area=384 * 384)
"""What its later versions read around a text about several, which they see small."""

EDIT_INSTRUCTION = 64
"""Tokens of these before the pictures, which are left out."""

CARD = Card(
    name="qwen_image",
    title="Qwen-Image",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("QwenImageTransformer2DModel",),
            "vae": ("AutoencoderKLQwenImage",),
            "text_encoder": ("Qwen2_5_VLForConditionalGeneration",),
            "tokenizer": ("Qwen2Tokenizer", "Qwen2TokenizerFast", "PreTrainedTokenizerFast"),
            "processor": ("Qwen2VLProcessor", "Qwen2_5_VLProcessor"),
            "scheduler": ("FlowMatchEulerDiscreteScheduler",),
        }
    ),
    marks=("transformer", "vae", "text_encoder"),
    roles=MappingProxyType(
        {
            "model": ("transformer", "scheduler"),
            "text": ("text_encoder", "tokenizer", "processor"),
            "vae": ("vae",),
        }
    ),
    latent_spaces=(
        Space(
            "qwen_image",
            "vae",
            MappingProxyType({"_class_name": "AutoencoderKLQwenImage", "latents_mean": MEAN_21}),
        ),
    ),
    text_spaces=(
        Space(
            "qwen_image",
            "text_encoder",
            MappingProxyType({"model_type": "qwen2_5_vl", "hidden_size": 3584}),
        ),
    ),
    geometry=Geometry(channels=16, factor=8, patch=2),
    defaults=Defaults(
        steps=50, cfg=4.0, guidance=0.0, width=1328, height=1328, guider="cfg_token_norm"
    ),
    peak=Peak(token_widths=18.5, pixel_channels=7.3),
    capabilities=frozenset({"text to image", "image to image", "in-paint", "cfg"}),
    sites=(Site("double", "transformer_blocks.{i}.attn", "num_layers", "text image"),),
    blocks=(Block("double", "transformer_blocks.{i}", ("encoder_hidden_states", "hidden_states")),),
    references=True,
)


class QwenImage(one_frame.OneFramePictures):
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width from the transformer's."""
        net = folder.component("transformer").config
        vae = folder.component("vae").config
        encoder = folder.component("text_encoder").config
        encoder = encoder.get("text_config") or encoder
        geometry = one_frame.geometry(folder, patch=2)
        takes = int(net.get("in_channels", 64))
        check_channels(folder, takes, geometry.channels * geometry.patch**2)
        text_width = int(net.get("joint_attention_dim", 3584))
        check_text_width(folder, text_width, int(encoder["hidden_size"]))
        check_scheduler(folder, CARD.title)
        _check_variant(folder, net)
        length, edits = _longest(folder), _edits(folder)
        speaks = [text_width, encoder.get("num_hidden_layers"), encoder.get("vocab_size"), length]
        like = [vae.get(k) for k in ("z_dim", "latents_mean", "latents_std", "dim_mult")]
        name, card = CARD.name, CARD
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, like),
            text_space=space_of(folder, card.text_spaces, name, speaks),
            geometry=geometry,
            defaults=replace(card.defaults, width=1024, height=1024) if edits else card.defaults,
            capabilities=card.capabilities | ({"references", "sees"} if edits else set()),
            width=int(net.get("num_attention_heads", 24)) * int(net.get("attention_head_dim", 128)),
            vae_width=int(vae.get("base_dim", 96)),
            peak=card.peak,
            settings=MappingProxyType({"max_tokens": length, "edits": edits}),
        )

    def load_part(self, folder: ModelFolder, part: str, device: str, dtype: str) -> Any:
        """One component; the scheduler comes as its settings, and of a processor only what
        prepares pictures."""
        if part == "processor" and folder.component(part).kind in CARD.classes[part]:
            return load_tokenizer(seeing.PICTURES, folder.component(part).path)
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

        Options: ``max_tokens``, beyond which a text (with the end of its template) is cut off.
        """
        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        asked = [_asked(text) for text in texts]
        coded = tokenise(tokenizer, asked, length + INSTRUCTION, net, padding=True)
        ids, mask = (t.to(device) for t in coded)
        return _read(facts, *compact(hidden(net, ids, mask, (-1,))[0], mask), INSTRUCTION)

    def encode_seen(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        images: Sequence[Image],
        options: Params,
        load: Load,
        device: str,
    ) -> Conditioning:
        """``sequence`` and ``mask`` as ``encode_text``; the tokens of the pictures are in it.

        Raises:
            DiffusionError: this is no edit model, or it takes another number of pictures.
        """
        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        template = _template(facts, len(images))
        net, tokenizer = load(encoder), load(part_of(encoder, "tokenizer"))
        seen = seeing.pictures(load(part_of(encoder, "processor")), images, template.area)
        asked = [template.written(text, seen.counts) for text in texts]
        most = length + EDIT_INSTRUCTION + sum(seen.counts)
        coded = tokenise(tokenizer, asked, most, net, padding=True)
        ids, mask = (t.to(device) for t in coded)
        more = seen.arguments(ids, net, len(texts))
        found = hidden(net, ids, mask, (-1,), **more)[0]
        return _read(facts, *compact(found, mask), EDIT_INSTRUCTION)

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """The language model's tokens, those of the template among them."""
        length = wanted_length(options, describe(encoder).settings["max_tokens"])
        tokenizer = load(part_of(encoder, "tokenizer"))
        row = token_row(
            "Qwen2.5-VL",
            tokenizer,
            text,
            length + INSTRUCTION,
            written=_asked,
            first=-INSTRUCTION,
            packed=True,
        )
        return (row,)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer with the schedule of its folder's scheduler settings."""
        facts = describe(model)
        settings = load(part_of(model, "scheduler"))
        process = Process(
            FLOW,
            "velocity",
            shift=flow_shift(settings),
            spacing=spacing(settings),
            patch=facts.geometry.patch,
        )
        return QwenImageDenoiser(load(model), process, facts.geometry, device)


class QwenImageDenoiser:
    """One call of the transformer: pack, run, unpack."""

    def __init__(self, transformer: Any, process: Process, geometry: Geometry, device: str) -> None:
        self.process = process
        self._net = transformer
        self._geometry = geometry
        self._device = device
        self._beside = 0  # tokens of references in the call that runs

    def tokens(self, shape: Sequence[int]) -> int:
        """Image tokens of one sample, without those of references."""
        return self._geometry.tokens(shape)

    def spans(self, site: Site, queries: int, keys: int, image: int) -> Spans:
        """Text tokens, then image tokens, then those of references, which are of neither."""
        return spans_before(keys - self._beside, image)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """Texts of any length, and references, of one batch.

        Raises:
            DiffusionError: entries or references do not agree.
        """
        parts = gather(conditionings, ("sequence", "mask"), count, CARD.title)
        mask = pad(parts["mask"]) > 0
        place: dict[str, Any] = {"device": self._device, "dtype": dtype_of(self._net)}
        given = reference.gathered(conditionings, count)
        reference.check(given, self._geometry.channels, CARD.title)
        return {
            "encoder_hidden_states": pad(parts["sequence"]).to(**place),
            "encoder_hidden_states_mask": None if mask.all() else mask.to(self._device),
            "others": [pack(latents).to(**place) for latents in given],
            "sizes": [(1, r.shape[-2] // 2, r.shape[-1] // 2) for r in given],
        }

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, h, w]``.

        Raises:
            DiffusionError: the sides are odd, or longer than the model has positions for.
        """
        import torch

        check_even(x, CARD.title)
        check_reach(x, 2 * (POSITIONS - MAX_TOKENS), 2 * (POSITIONS - MAX_TOKENS))
        others, sizes = prepared["others"], prepared["sizes"]
        dtype = prepared["encoder_hidden_states"].dtype
        image, (height, width) = pack(x).to(dtype), x.shape[-2:]
        self._beside = sum(tokens.shape[1] for tokens in others)
        out = self._net(
            hidden_states=torch.cat([image, *others], 1),
            timestep=torch.full((x.shape[0],), sigma, device=x.device, dtype=torch.float32),
            encoder_hidden_states=prepared["encoder_hidden_states"],
            encoder_hidden_states_mask=prepared["encoder_hidden_states_mask"],
            img_shapes=[[(1, height // 2, width // 2), *sizes]] * x.shape[0],
            return_dict=False,
        )[0]
        return unpack(out[:, : image.shape[1]].float(), height, width)


def _asked(text: str) -> str:
    """A text in the template."""
    return TEMPLATE.format(text)


def _read(facts: ModelFacts, sequence: Tensor, mask: Tensor, first: int) -> Conditioning:
    """The conditioning of a sequence and its mask, from the token ``first`` on."""
    named = {"sequence": sequence[:, first:], "mask": mask[:, first:]}
    arrays = {name: value.float().cpu().numpy() for name, value in named.items()}
    return Conditioning(facts.text_space, arrays)


def _edits(folder: ModelFolder) -> str:
    """Which edit model this is, known by its pipeline: "one" takes one picture, "many" several.

    Raises:
        CatalogError: it is one without the component that prepares pictures.
    """
    kinds = {"QwenImageEditPipeline": "one", "QwenImageEditPlusPipeline": "many"}
    found = kinds.get(folder.pipeline, "")
    if found:
        folder.component("processor")
    return found


def _template(facts: ModelFacts, images: int) -> seeing.Template:
    """What is read around a text about some pictures.

    Raises:
        DiffusionError: the model does not take so many.
    """
    edits = facts.settings["edits"]
    if not edits:
        raise DiffusionError(
            "This Qwen-Image does not look at pictures. Choose a Qwen-Image-Edit, or encode the "
            "text alone."
        )
    if images < 1 or (edits == "one" and images > 1):
        raise DiffusionError(
            f"This Qwen-Image-Edit takes {'one picture' if edits == 'one' else 'pictures'}, not "
            f"{images}. Give it one, or choose a later version for several."
        )
    return EDIT if edits == "one" else EDIT_PLUS


def _longest(folder: ModelFolder) -> int:
    """Text tokens beside those of the instruction.

    Raises:
        CatalogError: the tokenizer has no room for any.
    """
    most = longest(folder.component("tokenizer").config, MAX_TOKENS + INSTRUCTION)
    if most <= INSTRUCTION:
        raise CatalogError(
            f"{folder.path}: the tokenizer makes {most} tokens at most, but the instruction before "
            f"every text takes {INSTRUCTION}. Get the tokenizer folder again."
        )
    return most - INSTRUCTION


def _check_variant(folder: ModelFolder, net: Mapping[str, Any]) -> None:
    """Refuse what looks like a Qwen-Image, but is another model."""
    if int(net.get("patch_size", 2)) != 2:
        raise CatalogError(
            f"{folder.path}: the transformer has patches of {net['patch_size']} cells a side, "
            "where every Qwen-Image has 2. Get transformer/config.json again."
        )
    for name in ("guidance_embeds", "use_additional_t_cond", "use_layer3d_rope"):
        if net.get(name):
            raise CatalogError(
                f"{folder.path}: the transformer is one with {name}, which is no Qwen-Image or "
                "Qwen-Image-Edit. Choose one of these."
            )


FAMILY = QwenImage()
