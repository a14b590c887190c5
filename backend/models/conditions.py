"""Conditionings of one batch, brought together for a denoiser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend.diffusion.errors import DiffusionError, UnequalTexts
from backend.diffusion.schedule import number
from backend.values import Conditioning

if TYPE_CHECKING:
    from torch import Tensor


def gather(
    conditionings: Sequence[Conditioning], names: Sequence[str], count: int, title: str
) -> dict[str, list[Tensor]]:
    """For each name the tensors of all conditionings, each spread to ``count`` entries, on the
    CPU. ``title`` is the family's, for the errors.

    Raises:
        DiffusionError: a conditioning has neither one nor ``count`` entries, or lacks a name.
    """
    import torch

    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    for given in conditionings:
        if given.count not in (1, count):
            raise DiffusionError(
                f"A conditioning of {given.count} texts cannot serve {count} latents. Make "
                f"one text, or {count}."
            )
        for name, kept in parts.items():
            if name not in given.tensors:
                raise DiffusionError(f"This conditioning has no {name!r}: encode it for {title}.")
            whole = torch.from_numpy(given.tensors[name].copy())
            kept.append(whole.expand(count, *whole.shape[1:]))
    return parts


def stack(parts: Sequence[Tensor]) -> Tensor:
    """Tensors of one length put together.

    Raises:
        UnequalTexts: their second axes differ.
    """
    import torch

    if len({part.shape[1] for part in parts}) > 1:
        raise UnequalTexts("Texts of one run need one length: encode them with the same one.")
    return torch.cat(list(parts))


def check_length(masks: Sequence[Tensor], most: int) -> None:
    """Refuse texts of more tokens than the model has positions for.

    Raises:
        DiffusionError: one is longer.
    """
    longest = max(int(mask.sum(1).max()) for mask in masks)
    if longest > most:
        raise DiffusionError(
            f"This text has {longest} tokens in all its chunks, and the model has positions for "
            f"{most}. Shorten it, or take a BREAK out."
        )


def pad(parts: Sequence[Tensor]) -> Tensor:
    """Tensors put together, those with a shorter second axis filled up with zeros at its end.

    Sequences of models that take a mask may differ in length; pad the mask too.
    """
    import torch

    most = max(part.shape[1] for part in parts)
    filled = [
        torch.nn.functional.pad(part, [*[0, 0] * (part.ndim - 2), 0, most - part.shape[1]])
        for part in parts
    ]
    return torch.cat(filled)


def numbers(
    conditionings: Sequence[Conditioning], name: str, count: int, default: float
) -> list[float]:
    """A parameter of each conditioning, repeated for its ``count`` entries."""
    return [v for given in conditionings for v in [number(given.params, name, default)] * count]
