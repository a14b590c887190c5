"""Leaving blocks out: the block seam, for a term of the guidance or for the whole model."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.seams.sites import layers_of
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Give back what came in, instead of what the blocks make of it, in the patch's rows.

    Params: ``layers``, the numbers of the blocks to leave out, counted from 0 through all runs of
    blocks of the card; ``begin`` and ``end``, the range of steps as fractions.

    Raises:
        DiffusionError: there are no such blocks.
    """
    blocks = [
        (module, run.returns)
        for run in stage.card.blocks
        for module in layers_of(stage.net, run.path)
    ]
    given = patch.params.get("layers", ())
    wanted = sorted(
        {int(n) for n in (given if isinstance(given, tuple) else (given,)) if n is not None}
    )
    if not wanted or wanted[0] < 0 or wanted[-1] >= len(blocks):
        raise DiffusionError(
            f"The blocks {', '.join(map(str, wanted)) or '(none)'} cannot be left out: this "
            f"{stage.card.title} model has {len(blocks)}, numbered from 0. Name some of these."
        )
    chosen = [blocks[n] for n in wanted]

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        if not within(patch, moment):
            yield
            return
        flags = rows(moment)
        handles = [
            module.register_forward_hook(_keeper(module, returns, flags), with_kwargs=True)
            for module, returns in chosen
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    return around


def _keeper(module: Any, returns: tuple[str, ...], flags: tuple[bool, ...]) -> Any:
    """A forward hook that puts a block's inputs in the place of its results, in some rows."""
    signature = inspect.signature(module.forward)

    def keep(_: Any, args: Any, kwargs: Any, made: Any) -> Any:
        came = signature.bind(*args, **kwargs).arguments
        single = not isinstance(made, tuple)
        results = (made,) if single else made
        kept = tuple(
            _mixed(came[name], result, flags) if name in came and result is not None else result
            for name, result in zip(returns, results, strict=False)
        )
        kept += tuple(results[len(kept) :])
        return kept[0] if single else kept

    return keep


def _mixed(before: Tensor, after: Tensor, flags: tuple[bool, ...]) -> Tensor:
    import torch

    if all(flags):
        return before
    chosen = torch.tensor(flags, device=after.device)
    return torch.where(chosen.view(-1, *[1] * (after.ndim - 1)), before, after)


SKIP_BLOCKS = PatchKind("skip_blocks", "Leave blocks out", make, rank=20)
