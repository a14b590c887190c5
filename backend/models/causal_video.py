"""Videos through a causal VAE of Wan's kind, a few frames at a time, whole or in tiles.

Each convolution in time looks back only, so coding a piece needs the pieces before it no further
than what every convolution kept of them. That memory is held here, not in the network, so that
calls do not meet in it, and memory does not grow with the length of the video. Nothing is normed
over the picture, so tiles need only overlap to agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from backend.diffusion.noise import gaussian
from backend.models.codec import Scaling
from backend.models.numerics import dtype_of
from backend.models.tiling.tiles import WHOLE, Coding, Tiling, join

if TYPE_CHECKING:
    from torch import Tensor

MEAN_21 = [
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
]  # fmt: skip
"""The means by which the VAE of Wan 2.1 is known."""


def decode_frames(
    net: Any, samples: Tensor, factor: int, device: str, coding: Coding = WHOLE
) -> Iterator[Tensor]:
    """The frames of one sample ``[1, c, t, h, w]``: for each latent frame ``[n, 3, H, W]``, -1..1,
    on the CPU. The first gives one frame, each other as many as the VAE puts in one.

    ``factor`` pixels are a latent cell; ``coding.told`` hears of every latent frame and tile.
    """
    import torch
    from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

    scaling = channel_scaling(net.config)
    latents = samples.cpu() / scaling.scale + scaling.shift
    coder = _Pieces(net.decoder, latents.shape[-2:], factor, device, coding)

    def work(piece: Tensor, kept: list[Any], first: bool) -> Tensor:
        latent = net.post_quant_conv(piece.to(device, dtype_of(net)))
        out = net.decoder(latent, feat_cache=kept, feat_idx=[0], first_chunk=first)
        whole: Tensor = unpatchify(out, net.config.patch_size or 1)
        return whole

    for index in range(latents.shape[2]):
        with torch.no_grad():
            coder.said = index, latents.shape[2]
            frames = coder.run(latents[:, :, index : index + 1], work, 1, factor)
        frames = frames[0].transpose(0, 1)
        yield frames if coding.wide else frames.clamp(-1, 1)


def encode_pieces(
    net: Any,
    videos: Sequence[Iterable[Tensor]],
    shape: Sequence[int],
    factor: int,
    device: str,
    seed: int | None = None,
    coding: Coding = WHOLE,
) -> Tensor:
    """Latents of ``shape`` of videos that come in pieces ``[n, 3, H, W]``, -1..1: one frame first,
    then as many at a time as the VAE puts in one. The mean, or with ``seed`` a sample."""
    import torch
    from diffusers.models.autoencoders.autoencoder_kl_wan import patchify

    noise = None if seed is None else gaussian(seed, shape)
    scaling, found = channel_scaling(net.config), []

    def work(piece: Tensor, kept: list[Any], first: bool) -> Tensor:
        pixels = patchify(piece.to(device, dtype_of(net)).contiguous(), net.config.patch_size or 1)
        moments: Tensor = net.quant_conv(net.encoder(pixels, feat_cache=kept, feat_idx=[0]))
        return moments

    for index, pieces in enumerate(videos):
        coder, parts = _Pieces(net.encoder, shape[-2:], factor, device, coding), []
        for number, piece in enumerate(pieces):
            coder.said = number, shape[2]
            with torch.no_grad():
                pixels = piece.transpose(0, 1)[None]
                parts.append(coder.run(pixels, work, factor, 1))
        mean, log_variance = torch.cat(parts, 2).chunk(2, 1)
        if noise is not None:
            deviation = torch.exp(0.5 * log_variance.clamp(-30, 20))
            mean = mean + deviation * noise[index : index + 1]
        found.append((mean - scaling.shift) * scaling.scale)
    return torch.cat(found)


def channel_scaling(config: Any) -> Scaling:
    """The scaling of a config that names a mean and a deviation for each channel."""
    import torch

    def by_channel(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1, 1)

    return Scaling(1.0 / by_channel(config.latents_std), by_channel(config.latents_mean))


Work = Callable[["Tensor", "list[Any]", bool], "Tensor"]
"""``work(piece, kept, first)``: one tile of one piece, with what its convolutions kept."""


class _Pieces:
    """One video on its way through a coder, with the memory of each tile."""

    def __init__(
        self, coder: Any, cells: Sequence[int], factor: int, device: str, coding: Coding
    ) -> None:
        from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d

        self.said = 0, 1
        self._size = int(cells[0]), int(cells[1])
        self._tiling: Tiling | None = coding.tiling(*self._size, factor)
        self._places = self._tiling.places(*self._size) if self._tiling else ((0, 0),)
        convolutions = sum(isinstance(module, WanCausalConv3d) for module in coder.modules())
        self._kept: list[list[Any]] = [[None] * convolutions for _ in self._places]
        self._first = True
        self._device = device
        self._told = coding.told

    def run(self, piece: Tensor, work: Work, before: int, after: int) -> Tensor:
        """``work`` on every tile of ``[1, c, n, h, w]``, joined, on the CPU in float32.

        A latent cell is ``before`` wide in the piece and ``after`` in the result. What a tile kept
        waits in host memory.
        """
        import torch

        made: list[Tensor] = []
        index, pieces = self.said
        for number, (top, left) in enumerate(self._places):
            self._told(index * len(self._places) + number, pieces * len(self._places))
            tile = piece
            if self._tiling is not None:
                side, y, x = self._tiling.size * before, top * before, left * before
                tile = piece[..., y : y + side, x : x + side]
            kept = [_moved(each, self._device) for each in self._kept[number]]
            self._kept[number] = []  # so that nothing holds on to what the coder replaces
            made.append(work(tile, kept, self._first).float().cpu())
            place = self._device if self._tiling is None else "cpu"
            self._kept[number] = [_moved(each, place) for each in kept]
        self._first = False
        if self._tiling is None:
            return made[0]
        joined = join([each.numpy() for each in made], self._tiling, self._size, (after, 1))
        return torch.from_numpy(joined)


def _moved(kept: Any, device: str) -> Any:
    """What a convolution kept (a tensor, a mark or nothing), on a device."""
    return kept.to(device) if hasattr(kept, "to") else kept
