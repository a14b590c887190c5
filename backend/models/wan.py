"""The Wan family: Wan 2.1 and 2.2, text to video, with one network or with two experts.

A rectified-flow transformer over patches of a causal video VAE's latents, conditioned by UMT5 in
cross attention. Wan 2.2 A14B has two networks, one for high noise and one for low; Wan 2.2 5B has
a VAE of its own, twice as coarse.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.catalog.folder import ModelFolder
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Denoiser, Process
from backend.models.card import Block, Card, Defaults, Geometry, ModelFacts, Peak, Rope, Site, Space
from backend.models.causal_video import MEAN_21, decode_frames, encode_pieces
from backend.models.conditions import gather, stack
from backend.models.family import Load, describe, part_of, space_of
from backend.models.flow_schedulers import (
    EULER,
    UNIPC,
    FlowTimes,
    check_flow_scheduler,
    flow_times,
)
from backend.models.loading import load_part
from backend.models.numerics import dtype_of
from backend.models.pixels import to_image, to_tensor
from backend.models.texts import encode_unpadded, longest, tokenise, wanted_length
from backend.models.tiling.tiles import WHOLE, Coding
from backend.models.tokens import TokenRow, token_row
from backend.models.wan_parts import check_parts, experts_of, geometry_of
from backend.values import (
    VAE,
    Conditioning,
    Float32,
    Image,
    Latent,
    Model,
    Params,
    TextEncoder,
    Video,
)

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 512
CARD = Card(
    name="wan",
    title="Wan",
    tier="native",
    classes=MappingProxyType(
        {
            "transformer": ("WanTransformer3DModel",),
            "transformer_2": ("WanTransformer3DModel",),
            "vae": ("AutoencoderKLWan",),
            "text_encoder": ("UMT5EncoderModel",),
            "tokenizer": ("T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast"),
            "scheduler": (UNIPC, EULER),
        }
    ),
    marks=("transformer", "vae"),
    roles=MappingProxyType(
        {
            "model": ("transformer", "transformer_2", "scheduler"),
            "text": ("text_encoder", "tokenizer"),
            "vae": ("vae",),
        }
    ),
    latent_spaces=(
        Space("wan21", "vae", MappingProxyType({"z_dim": 16, "latents_mean": MEAN_21})),
        Space("wan22", "vae", MappingProxyType({"z_dim": 48, "patch_size": 2})),
    ),
    text_spaces=(
        Space("wan", "text_encoder", MappingProxyType({"d_model": 4096, "num_layers": 24})),
    ),
    geometry=Geometry(channels=16, factor=8, patch=2, frame_factor=4),
    defaults=Defaults(
        steps=50, cfg=5.0, guidance=0.0, width=832, height=480, solver="unipc", frames=81, rate=16.0
    ),
    peak=Peak(token_widths=10.4, pixel_channels=52.0),
    capabilities=frozenset({"text to video", "video to video", "text to image", "in-paint", "cfg"}),
    rope=Rope(
        "rope", ("frame", "height", "width"), widths=("t_dim", "h_dim", "w_dim"), told="latent"
    ),
    sites=(
        Site("self", "blocks.{i}.attn1", "num_layers", "self"),
        Site("cross", "blocks.{i}.attn2", "num_layers", "cross"),
    ),
    blocks=(Block("block", "blocks.{i}", ("hidden_states",)),),
    full_precision=("vae",),
)


class Wan:
    """The family's functions; it holds no state."""

    card = CARD

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """Geometry from the VAE's config, width from the transformer's, the level at which the
        second expert takes over from the index."""
        net, vae = folder.component("transformer").config, folder.component("vae").config
        geometry = geometry_of(folder)
        check_parts(folder, geometry)
        scheduler = folder.component("scheduler")
        check_flow_scheduler(folder, CARD.title)
        latent = [
            vae.get(k) for k in ("z_dim", "latents_mean", "latents_std", "dim_mult", "patch_size")
        ]
        length = longest(folder.component("tokenizer").config, MAX_TOKENS)
        vocabulary = folder.component("text_encoder").config.get("vocab_size")
        width = int(net.get("num_attention_heads", 40)) * int(net.get("attention_head_dim", 128))
        pixels = int(vae.get("patch_size") or 1) ** 2
        widest = int(vae.get("decoder_base_dim") or vae.get("base_dim", 96))
        experts = experts_of(folder)
        name, card = CARD.name, CARD
        return ModelFacts(
            family=name,
            latent_space=space_of(folder, card.latent_spaces, name, latent),
            text_space=space_of(
                folder, card.text_spaces, name, [net.get("text_dim", 4096), length, vocabulary]
            ),
            geometry=geometry,
            defaults=_defaults(geometry, scheduler.kind),
            capabilities=card.capabilities | ({"experts"} if experts else set()),
            width=width,
            vae_width=max(widest // pixels, 1),
            peak=peak_of(net, vae),
            settings=MappingProxyType({"max_tokens": length, "scheduler": scheduler.kind}),
            experts=experts,
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
        """``sequence`` ``[b, tokens, width]`` from UMT5, zeros after the end of each text.

        Texts are cleaned first (``clean``). Option: ``max_tokens`` shortens the sequence; the
        model attends to the zeros too, so another length is another conditioning. Text beyond
        the length is cut off.
        """
        import torch

        facts = describe(encoder)
        length = wanted_length(options, facts.settings["max_tokens"])
        net, tokenizer = load(part_of(encoder, "text_encoder")), load(part_of(encoder, "tokenizer"))
        coded = tokenise(tokenizer, [clean(text) for text in texts], length, net)
        found = encode_unpadded(net, *coded, device)[0].float().cpu()
        sequence = torch.nn.functional.pad(found, (0, 0, 0, length - found.shape[1]))
        return Conditioning(facts.text_space, {"sequence": sequence.numpy()})

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """UMT5's tokens fill the sequence."""
        length = wanted_length(options, describe(encoder).settings["max_tokens"])
        tokenizer = load(part_of(encoder, "tokenizer"))
        return (token_row("UMT5", tokenizer, text, length, written=clean),)

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The transformer that the reference names: one expert, where there are two."""
        facts = describe(model)
        times = flow_times(facts.settings["scheduler"], load(part_of(model, "scheduler")))
        return WanDenoiser(load(model), times, facts.geometry, device)

    def encode_image(
        self,
        vae: VAE,
        image: Image,
        load: Load,
        device: str,
        seed: int | None = None,
        coding: Coding = WHOLE,
    ) -> Latent:
        """Pictures as videos of one frame each, ``[b, c, 1, h, w]``.

        Raises:
            DiffusionError: the size is no multiple of what the model takes.
        """
        facts, net = describe(vae), load(vae)
        shape = facts.geometry.shape(image.width, image.height, image.count)
        pieces = [[pixels[None]] for pixels in to_tensor(image)]
        place = (shape, facts.geometry.factor, device)
        return Latent(encode_pieces(net, pieces, *place, seed, coding).numpy(), facts.latent_space)

    def decode_latent(
        self, vae: VAE, latent: Latent, load: Load, device: str, coding: Coding = WHOLE
    ) -> Image:
        """The pictures of latents with a single frame.

        Raises:
            DiffusionError: there are more frames.
        """
        import torch

        frames = latent.samples.shape[2]
        if frames != 1:
            raise DiffusionError(
                f"This latent is a video of {frames} latent frames, not a picture. Decode it with "
                "VAE decode video."
            )
        net, factor = load(vae), describe(vae).geometry.factor
        samples = torch.from_numpy(latent.samples.copy())
        coded = [next(decode_frames(net, s[None], factor, device, coding)) for s in samples]
        return to_image(torch.cat(coded), coding.wide)

    def encode_video(
        self,
        vae: VAE,
        video: Video,
        load: Load,
        device: str,
        seed: int | None = None,
        coding: Coding = WHOLE,
    ) -> Latent:
        """A video as the latent of one sample, read a few frames at a time.

        Raises:
            DiffusionError: size or number of frames is not one that the model takes.
        """
        facts, net = describe(vae), load(vae)
        shape = facts.geometry.shape(video.width, video.height, 1, video.frames)
        step = facts.geometry.frame_factor
        starts = range(1 - step, video.frames, step)
        place = (shape, facts.geometry.factor, device)
        with video.reader() as reader:
            pieces = (to_tensor(reader.read(max(start, 0), start + step)) for start in starts)
            coded = encode_pieces(net, [pieces], *place, seed, coding).numpy()
        return Latent(coded, facts.latent_space)

    def decode_video(
        self, vae: VAE, latent: Latent, load: Load, device: str, coding: Coding = WHOLE
    ) -> Iterator[Float32]:
        """The frames of a latent of one sample, as they are decoded.

        Raises:
            DiffusionError: the latent holds several samples.
        """
        import torch

        if latent.count != 1:
            raise DiffusionError("A batch of latents is several videos. Decode one at a time.")
        samples, factor = torch.from_numpy(latent.samples.copy()), describe(vae).geometry.factor
        for pixels in decode_frames(load(vae), samples, factor, device, coding):
            yield to_image(pixels, coding.wide).pixels


class WanDenoiser:
    """One call of a transformer."""

    def __init__(self, transformer: Any, times: FlowTimes, geometry: Geometry, device: str) -> None:
        self.process = Process(
            FLOW, "velocity", times.grid, shift=times.shift, spacing=times.spacing
        )
        self._net = transformer
        self._geometry = geometry
        self._times = times
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Patches of one sample."""
        return self._geometry.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> Tensor:
        """The text sequences of one batch, ``[rows, tokens, width]``.

        Raises:
            DiffusionError: entries or lengths do not agree.
        """
        parts = gather(conditionings, ("sequence",), count, CARD.title)
        return stack(parts["sequence"]).to(self._device, dtype_of(self._net))

    def __call__(self, x: Tensor, sigma: float, prepared: Tensor) -> Tensor:
        """Velocity ``eps - x0`` for latents ``[b, c, t, h, w]``.

        Wan 2.2 5B can be told the time of every token apart; with nothing but text to go by all
        are equal, and one number says the same.
        """
        import torch

        rows, side, time = x.shape[0], self._geometry.patch, self._times.time(sigma)
        if x.shape[-1] % side or x.shape[-2] % side:
            raise DiffusionError(
                f"Wan latents have sides that are multiples of {side}, not "
                f"{x.shape[-1]}x{x.shape[-2]}."
            )
        out: Tensor = self._net(
            hidden_states=x.to(prepared.dtype),
            timestep=torch.full((rows,), time, device=x.device, dtype=torch.float32),
            encoder_hidden_states=prepared,
            return_dict=False,
        )[0]
        return out.float()


def clean(text: str) -> str:
    """A text as Wan was trained with: broken encodings mended, HTML entities resolved (twice, as
    web captions need), runs of white space made one space."""
    import ftfy

    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split())


def peak_of(net: Mapping[str, Any], vae: Mapping[str, Any]) -> Peak:
    """The need of a model by its configs: the feed-forward layers' width counts, and the coarse
    VAE holds more for each of its wide pixels."""
    width = int(net.get("num_attention_heads", 40)) * int(net.get("attention_head_dim", 128))
    return Peak(
        token_widths=5.0 + 2.0 * int(net.get("ffn_dim", 13824)) / width,
        pixel_channels=93.0 if vae.get("patch_size") else CARD.peak.pixel_channels,
    )


def _defaults(geometry: Geometry, scheduler: str) -> Defaults:
    """Of the coarse VAE's model the sizes that it was made for."""
    solver = "unipc" if scheduler == UNIPC else "euler"
    if geometry.factor == 16:
        size = replace(CARD.defaults, width=1280, height=704, frames=121, rate=24.0)
        return replace(size, solver=solver)
    return replace(CARD.defaults, solver=solver)


FAMILY = Wan()
