"""Tiny decoders for previews: the decoder of an ``AutoencoderTiny`` from a file or a folder.

Two layouts are read: diffusers' (``decoder.layers.N``), and the original one, which counts its
layers from the clamp before the first convolution (``N``, by itself or after ``decoder`` or
``taesd_decoder``). The file tells how many channels and blocks there are.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.catalog.components import read_json
from backend.catalog.errors import CatalogError
from backend.catalog.header import TensorInfo, read_header
from backend.models.loading import stay_offline
from backend.models.pixels import to_image
from backend.values import Image, Weights

if TYPE_CHECKING:
    from torch import Tensor

NAME = "tiny decoder"

SHARE = 0.1
"""Of the time of a run, what previews by a decoder may take."""

MAX_SIDE = 128
"""Cells along a side that are decoded; larger latents are averaged down to it, since a preview is
shown small."""

_NAME = re.compile(r"^(?:decoder\.layers\.|(?:taesd_)?decoder\.|)(\d+)\.(.+)$")
_BLOCK = "conv.0.weight"


@dataclass(frozen=True)
class Layout:
    """The decoder that a file holds: for each size its blocks and channels, the coarsest first.

    ``names`` leads from a tensor's name in the file to that in diffusers' ``DecoderTiny``.
    """

    file: Path
    channels: int
    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    names: Mapping[str, str]
    settings: Mapping[str, Any]


def read_layout(path: Path) -> Layout:
    """What a tiny decoder's header says. ``path`` is the file, or a folder in diffusers' layout.

    Raises:
        CatalogError: it is missing or broken, or no tiny decoder.
    """
    file: Path = path
    settings: Mapping[str, Any] = {}
    if path.is_dir():
        settings = read_json(path / "config.json")
        file = path / "diffusion_pytorch_model.safetensors"
    elif path.suffix.lower() != ".safetensors":
        raise CatalogError(
            f"{path.name} is no safetensors file, and no other kind is read. Choose the "
            "safetensors file of a tiny VAE, or its folder."
        )
    tensors = read_header(file).tensors
    try:
        return _layout(file, tensors, settings)
    except (LookupError, ValueError) as error:
        raise CatalogError(
            f"{file} is no tiny decoder as TAESD and TAEF1 are: its tensors do not stand in that "
            "order. Choose the file of a tiny VAE."
        ) from error


def _layout(file: Path, tensors: Mapping[str, TensorInfo], settings: Mapping[str, Any]) -> Layout:
    found = {name: match for name in tensors if (match := _NAME.match(name))}
    marked = {name: m for name, m in found.items() if name.startswith("decoder.layers.")}
    found = marked or found  # beside them lie the layers of the encoder
    first = min(int(match[1]) for match in found.values())
    names = {name: f"layers.{int(m[1]) - first}.{m[2]}" for name, m in found.items()}
    shapes = {names[name]: tensors[name].shape for name in names}
    ends = sorted(int(n.split(".")[1]) for n in shapes if re.fullmatch(r"layers\.\d+\.weight", n))
    block_at = {int(n.split(".")[1]) for n in shapes if n.endswith(_BLOCK)}
    blocks = tuple(sum(a < i < b for i in block_at) for a, b in pairwise(ends))
    widths = tuple(int(shapes[f"layers.{end}.weight"][1]) for end in ends[1:])
    channels, expected = int(shapes["layers.0.weight"][1]), _places(blocks)
    if ends != expected or max(block_at) > ends[-1] or shapes[f"layers.{ends[-1]}.weight"][0] != 3:
        raise ValueError("another order of layers")
    return Layout(file, channels, blocks, widths, names, settings)


def _places(blocks: Iterable[int]) -> list[int]:
    """Where convolutions stand in diffusers' sequence: one and its activation, then for each size
    its blocks, an enlargement unless it is the last, and one."""
    counts, places, at = list(blocks), [0], 2
    for index, count in enumerate(counts):
        at += count + (index < len(counts) - 1)
        places.append(at)
        at += 1
    return places


def reference(path: str) -> Weights:
    """The reference to a tiny decoder, for the loader.

    Raises:
        CatalogError: it is gone.
    """
    try:
        layout = read_layout(Path(path))
        stat = layout.file.stat()
    except OSError as error:
        raise CatalogError(f"{path} cannot be read ({error.strerror}). Choose it again.") from error
    return Weights(NAME, "decoder", f"fast:{stat.st_size}-{stat.st_mtime_ns}", path)


@dataclass(frozen=True)
class TinyDecoder:
    """A loaded decoder; ``net`` gives -1..1 of latents as the denoiser sees them, after
    ``latent / scale + shift`` (1 and 0 for all that are known)."""

    net: Any
    channels: int
    scale: float = 1.0
    shift: float = 0.0

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return sum(int(p.numel() * p.element_size()) for p in self.net.parameters())

    def decode(self, samples: Tensor) -> Image:
        """The pictures of latents ``[b, c, h, w]``."""
        import torch

        weight = next(self.net.parameters())
        with torch.no_grad():
            raw = (samples / self.scale + self.shift).to(weight.device, weight.dtype)
            return to_image(self.net(raw))


@dataclass(frozen=True)
class TinyLoader:
    """Loads tiny decoders."""

    family: str = NAME

    def load(self, weights: Weights, device: str) -> TinyDecoder:
        """The decoder, in float32 on the CPU and in bfloat16 elsewhere.

        Raises:
            CatalogError: its files are gone or broken.
        """
        layout = read_layout(Path(weights.source))
        stay_offline()
        import torch
        from diffusers.models.autoencoders.vae import DecoderTiny
        from safetensors import SafetensorError, safe_open

        said = layout.settings
        try:
            net = DecoderTiny(
                in_channels=layout.channels,
                out_channels=3,
                num_blocks=layout.blocks,
                block_out_channels=layout.widths,
                upsampling_scaling_factor=int(said.get("upsampling_scaling_factor", 2)),
                act_fn=str(said.get("act_fn", "relu")),
                upsample_fn=str(said.get("upsample_fn", "nearest")),
            )
            with safe_open(layout.file, "pt") as file:
                net.load_state_dict({own: file.get_tensor(n) for n, own in layout.names.items()})
            scale, shift = (
                float(said.get("scaling_factor", 1.0)), float(said.get("shift_factor", 0.0))
            )  # fmt: skip
            if not 0 < scale < math.inf or not math.isfinite(shift):
                raise ValueError(f"a scaling of {scale} and {shift} is none")
        except (OSError, SafetensorError, RuntimeError, ValueError, TypeError) as error:
            raise CatalogError(
                f"{layout.file} does not load as a tiny decoder ({str(error)[:200]}). Get the "
                "file again."
            ) from error
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        net.requires_grad_(False)
        return TinyDecoder(net.to(device, dtype).eval(), layout.channels, scale, shift)


LOADER = TinyLoader()


class TinyView:
    """Shows the first sample of a run by a tiny decoder, as often as its share of time allows."""

    def __init__(self, decoder: TinyDecoder, clock: Callable[[], float] = time.monotonic) -> None:
        """The run begins now, by ``clock`` in seconds."""
        self._decoder = decoder
        self._clock = clock
        self._began = clock()
        self._spent = 0.0

    def __call__(self, x0: Tensor) -> Image | None:
        """The picture of clean latents ``[b, c, h, w]``, or ``None`` where it is not yet time."""
        import torch

        shown = x0[:1].float().cpu()  # waits for the step, whose time is none of the preview's
        begin = self._clock()
        if self._spent > SHARE * (begin - self._began):
            return None
        reduced = -(-max(shown.shape[-2:]) // MAX_SIDE)
        if reduced > 1:
            shown = torch.nn.functional.avg_pool2d(shown, reduced, ceil_mode=True)
        picture = self._decoder.decode(shown)
        self._spent += self._clock() - begin
        return picture
