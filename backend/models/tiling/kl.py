"""An ``AutoencoderKL`` in tiles that agree: one set of group statistics for the whole picture.

A group norm looks at all pixels of its input, so tiles that are coded apart come out in different
colours and contrasts. Here all tiles go through the large layers in step: at each norm they wait
until every tile has told its statistics, and all are normed by those of the whole. The small
layers, with their attention over everything, see the whole at once (``middle``). What still
differs is the rim of a tile, which the overlap hides. A tile that waits lies in host memory.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from backend.diffusion.errors import DiffusionError
from backend.models.tiling.middle import middle
from backend.models.tiling.tiles import Tiling, join
from backend.values import Float32

Pause: TypeAlias = tuple[nn.GroupNorm, Tensor, Tensor | None]
"""A norm that all tiles reach together, what it norms, and what the tile keeps meanwhile."""

Walk: TypeAlias = Generator[Pause, tuple[Tensor, Tensor], Tensor]
Told: TypeAlias = Callable[[int, int], None]


def check(net: Any) -> None:
    """See that a VAE is built as this module walks it: plain residual blocks between its sizes.

    Raises:
        DiffusionError: it is not.
    """
    kinds = ("DownEncoderBlock2D", "UpDecoderBlock2D")
    plain = type(net).__name__ in ("AutoencoderKL", "AutoencoderKLFlux2") and all(
        type(run).__name__ in kinds and all(b.time_emb_proj is None for b in run.resnets)
        for run in (*net.encoder.down_blocks, *net.decoder.up_blocks)
    )
    if not plain:
        raise DiffusionError(
            f"This VAE ({type(net).__name__}) cannot be run in tiles. Set tile to 0."
        )


def decode(net: Any, raw: Tensor, tiling: Tiling, factor: int, told: Told) -> Float32:
    """``[1, 3, height, width]`` pixels about -1..1 of one unscaled latent ``[1, c, h, w]``."""
    decoder = net.decoder
    start = net.post_quant_conv(raw) if net.post_quant_conv is not None else raw
    height, width = start.shape[-2:]
    places = tiling.places(height, width)
    whole = middle(decoder.mid_block, decoder.conv_in(start), lambda: told(0, len(places)))
    tiles = [
        whole[..., top : top + tiling.size, left : left + tiling.size].cpu() for top, left in places
    ]
    made = _in_step(tiles, lambda x: _up(decoder, x), tiling, (height, width), raw.device, told)
    return join([m.float().cpu().numpy() for m in made], tiling, (height, width), (factor, 1))


def encode(net: Any, pixels: Tensor, tiling: Tiling, factor: int, told: Told) -> Any:
    """The posterior of one picture ``[1, 3, height, width]`` in -1..1; tiles in latent cells."""
    encoder = net.encoder
    height, width = pixels.shape[-2] // factor, pixels.shape[-1] // factor
    side = tiling.size * factor
    places = tiling.places(height, width)
    tiles = [
        pixels[..., y * factor : y * factor + side, x * factor : x * factor + side].cpu()
        for y, x in places
    ]
    place = (tiling, (height, width), pixels.device, told)
    made = _in_step(tiles, lambda x: _down(encoder, x), *place)
    joined = join([m.float().cpu().numpy() for m in made], tiling, (height, width), (1, 1))
    last = len(places)
    whole = middle(encoder.mid_block, torch.from_numpy(joined).to(pixels), lambda: told(last, last))
    moments = encoder.conv_out(encoder.conv_act(encoder.conv_norm_out(whole)))
    if net.quant_conv is not None:
        moments = net.quant_conv(moments)
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    return DiagonalGaussianDistribution(moments)


def _up(decoder: Any, x: Tensor) -> Walk:
    for run in decoder.up_blocks:
        for block in run.resnets:
            x = yield from _residual(block, x)
        for layer in run.upsamplers or ():
            x = layer(x)
    normed, _ = yield decoder.conv_norm_out, x, None
    out: Tensor = decoder.conv_out(decoder.conv_act(normed))
    return out


def _down(encoder: Any, x: Tensor) -> Walk:
    x = encoder.conv_in(x)
    for run in encoder.down_blocks:
        for block in run.resnets:
            x = yield from _residual(block, x)
        for layer in run.downsamplers or ():
            x = layer(x)
    return x


def _residual(block: Any, x: Tensor) -> Walk:
    """A ``ResnetBlock2D`` without time, which waits at both of its norms."""
    hidden, x = yield block.norm1, x, x
    hidden = block.conv1(block.nonlinearity(hidden))
    hidden, x = yield block.norm2, hidden, x
    hidden = block.conv2(block.nonlinearity(hidden))
    if block.conv_shortcut is not None:
        x = block.conv_shortcut(x)
    out: Tensor = (x + hidden) / block.output_scale_factor
    return out


def _in_step(
    tiles: Iterable[Tensor],
    walk: Callable[[Tensor], Walk],
    tiling: Tiling,
    size: tuple[int, int],
    device: torch.device,
    told: Told,
) -> list[Tensor]:
    """Take all tiles from norm to norm, one at a time on the device."""
    walks = [walk(tile.to(device)) for tile in tiles]
    owned, cells = _owned(tiling, *size), min(tiling.size, size[1])
    pauses = [_parked(next(each)) for each in walks]
    while True:
        norm = pauses[0][0]
        mean, deviation = _statistics(norm, [p[1] for p in pauses], owned, cells)
        done: list[Tensor] = []
        for index, (each, (_, value, kept)) in enumerate(zip(walks, pauses, strict=True)):
            told(index, len(walks))
            normed = _normed(norm, value.to(device), mean.to(device), deviation.to(device))
            back = kept.to(device) if kept is not None else normed
            try:
                pauses[index] = _parked(each.send((normed, back)))
            except StopIteration as end:
                done.append(end.value.cpu())
        if done:
            return done


def _parked(pause: Pause) -> Pause:
    norm, value, kept = pause
    same = kept is value
    value = value.cpu()
    return norm, value, value if same else kept.cpu() if kept is not None else None


def _owned(tiling: Tiling, height: int, width: int) -> list[tuple[slice, slice]]:
    """For each tile the cells that are its own, counted from its first cell."""
    rows, columns = (
        [
            slice(begin - start, end - start)
            for start, begin, end in zip(
                tiling.starts(length), tiling.cuts(length), tiling.cuts(length)[1:], strict=False
            )
        ]
        for length in (height, width)
    )
    return [(row, column) for row in rows for column in columns]


def _statistics(
    norm: nn.GroupNorm, values: Sequence[Tensor], owned: Sequence[tuple[slice, slice]], cells: int
) -> tuple[Tensor, Tensor]:
    """Mean and deviation ``[groups, 1]`` of the whole, each pixel counted once.

    ``cells`` is the width of a tile in the units of ``owned``. Sums of parts are joined by Chan's
    rule, which does not lose digits where the mean is large.
    """
    count, mean, square = 0, torch.zeros(1), torch.zeros(1)
    for value, spans in zip(values, owned, strict=True):
        ratio = value.shape[-1] / cells
        rows, columns = (slice(round(s.start * ratio), round(s.stop * ratio)) for s in spans)
        part = value[0, :, rows, columns].float().reshape(norm.num_groups, -1)
        number = part.shape[1]
        var, mid = (found.double() for found in torch.var_mean(part, 1, correction=0))
        shift, total = mid - mean, count + number
        square = square + var * number + shift**2 * (count * number / total)
        mean, count = mean + shift * (number / total), total
    deviation = torch.sqrt(square / count + norm.eps)
    return mean.float()[:, None], deviation.float()[:, None]


def _normed(norm: nn.GroupNorm, x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    grouped = (x.float().reshape(norm.num_groups, -1) - mean) / deviation
    shape = (1, -1, 1, 1)
    scaled = grouped.reshape(x.shape) * norm.weight.float().view(shape)
    return (scaled + norm.bias.float().view(shape)).to(x.dtype)
