"""Latents as tokens of 2x2 cells, and where these lie: what families with such patches share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backend.diffusion.errors import DiffusionError

if TYPE_CHECKING:
    from torch import Tensor


def check_even(x: Tensor, title: str) -> None:
    """Refuse latents that do not divide into 2x2 patches; ``title`` is the family's.

    Raises:
        DiffusionError: height or width is odd.
    """
    height, width = x.shape[-2:]
    if height % 2 or width % 2:
        raise DiffusionError(f"{title} latents have even sides, not {width}x{height}.")


def check_reach(x: Tensor, rows: int, columns: int) -> None:
    """Refuse latents with more tokens a side than the model has positions for.

    Raises:
        DiffusionError: they are larger.
    """
    height, width = x.shape[-2:]
    if height > 2 * rows or width > 2 * columns:
        raise DiffusionError(
            f"This model has positions for latents of up to {2 * columns}x{2 * rows} cells, not "
            f"{width}x{height}. Make a smaller picture."
        )


def pack(x: Tensor) -> Tensor:
    """``[b, c, h, w]`` to tokens ``[b, h/2 * w/2, c * 4]``: each a 2x2 patch, channels first."""
    b, c, h, w = x.shape
    # In two copies: one alone moves two numbers at a time, which takes five times as long.
    rows = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 1, 3, 5, 4)
    patches = rows.reshape(b, h // 2, c * 4, w // 2).mT
    return patches.reshape(b, (h // 2) * (w // 2), c * 4)


def unpack(tokens: Tensor, height: int, width: int) -> Tensor:
    """Tokens back to ``[b, c, height, width]``, in latent cells."""
    b, _, packed = tokens.shape
    patches = tokens.reshape(b, height // 2, width // 2, packed // 4, 2, 2)
    return patches.permute(0, 3, 1, 4, 2, 5).reshape(b, packed // 4, height, width)


def image_ids(rows: int, columns: int) -> Tensor:
    """Positions ``[rows * columns, 3]`` of image tokens: 0, row, column."""
    import torch

    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([torch.zeros_like(row), row, column], -1).reshape(-1, 3).float()


def positions(sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Positions ``[tokens, 3]`` of the tokens of several latents, by their height and width in
    cells, one behind the other: the number of the latent, row, column."""
    import torch

    ids = [image_ids(height // 2, width // 2) for height, width in sizes]
    for number, places in enumerate(ids):
        places[:, 0] = number
    return torch.cat(ids)


def call(
    net: Any,
    x: Tensor,
    sigma: float,
    title: str,
    kept: dict[Any, Tensor],
    others: Sequence[Tensor] = (),
    more: Tensor | None = None,
    **arguments: Any,
) -> Tensor:
    """One call of a transformer on latents ``[b, c, h, w]`` as 2x2 patches, time and positions
    along; its float32 output in the same shape. ``title`` is the family's, and ``kept`` holds
    positions from one call to the next.

    The tokens of ``others``, latents of any even size, stand behind those of ``x``, each in a
    picture of its own; ``more`` ``[b, tokens, k]`` are further channels of the tokens of ``x``.
    ``arguments`` are the network's own, its text (``encoder_hidden_states``) in the precision that
    it computes in.

    Raises:
        DiffusionError: height or width is odd.
    """
    import torch

    check_even(x, title)
    height, width = x.shape[-2:]
    image = pack(x)
    seen = image if more is None else torch.cat([image, more.to(image)], 2)
    sizes = tuple((each.shape[-2], each.shape[-1]) for each in (x, *others))
    dtype = arguments["encoder_hidden_states"].dtype  # ``net.dtype`` walks through all modules
    if sizes not in kept:
        kept[sizes] = positions(sizes).to(x.device, dtype)
    if others:
        seen = torch.cat([seen, *(pack(each).to(seen) for each in others)], 1)
    out = net(
        hidden_states=seen.to(dtype),
        timestep=torch.full((x.shape[0],), sigma, device=x.device, dtype=torch.float32),
        img_ids=kept[sizes],
        return_dict=False,
        **arguments,
    )[0]
    return unpack(out[:, : image.shape[1]].float(), height, width)
