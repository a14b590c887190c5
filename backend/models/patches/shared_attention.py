"""Shared attention: samples of a batch also look at the keys and values of the first one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.seams.sites import Attention, additive, image_sites, on_attention
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Extend each sample's image keys and values by those of sample 0 of the same term.

    As StyleAligned's shared attention (arXiv:2312.02133, eq. 3, without its statistics transfer):
    ``Attention(Q_i, [K_i; K_0], [V_i; V_0])``, where the keys of the first sample count with
    ``strength``, 0..1: ``log(strength)`` is added to their scores, so that strength 1 is the
    plain concatenation and 0 the model as it is. Sample 0 itself does not change.

    Params: ``begin`` and ``end``, the range of steps as fractions.

    Raises:
        DiffusionError: the strength is not in 0..1, or the family has no self attention of images.
    """
    if not 0 < patch.strength <= 1:
        raise DiffusionError(
            f"The strength of shared attention is {patch.strength:g}, but lies between 0 and 1."
        )
    sites = image_sites(stage.card)
    if not sites:
        raise DiffusionError(
            f"{stage.card.title} models have no attention among image tokens that could be shared."
        )

    def hook(call: Attention) -> Tensor:
        return share(call, patch.strength, rows(call.moment))

    inner = on_attention(stage.net, stage.card, hook, stage.layout, sites)

    def around(moment: Moment) -> AbstractContextManager[None]:
        return inner(moment) if within(patch, moment) and moment.count > 1 else nullcontext()

    return around


def share(call: Attention, strength: float, rows: tuple[bool, ...]) -> Tensor:
    """The attention with the first sample's image keys and values appended, in some rows."""
    import torch

    count, batch = call.moment.count, call.query.shape[0]
    if len(rows) != batch:  # windows or another grouping of the batch: not ours to touch
        return call.attend()
    first = torch.arange(batch, device=call.query.device) // count * count
    taken = call.spans.image_keys
    keys, values = call.key[first][..., taken, :], call.value[first][..., taken, :]
    wanted = torch.tensor(
        [row and i % count != 0 for i, row in enumerate(rows)], device=call.query.device
    )
    score = torch.full((batch, 1, 1, keys.shape[-2]), float("-inf"), device=call.query.device)
    score[wanted] = float(torch.tensor(strength).log())
    own = additive(call.mask, batch, call.query.shape[-2], call.key.shape[-2], call.query)
    shape = (batch, own.shape[1], call.query.shape[-2], keys.shape[-2])
    mask = torch.cat([own, score.to(own).expand(shape)], -1)
    longer = call.but(
        key=torch.cat([call.key, keys], -2), value=torch.cat([call.value, values], -2), mask=mask
    )
    return torch.where(wanted[:, None, None, None], longer.attend(), call.attend())


SHARED_ATTENTION = PatchKind("shared_attention", "Shared attention", make, rank=30, across=True)
