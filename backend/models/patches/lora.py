"""LoRA on the denoiser: any number at once, each with its strength and range of steps."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from backend.diffusion.around import Around, Moment
from backend.models.lora.adapter import reference
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.values import Patch


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Lay the adapter in ``patch.source`` over the denoiser with ``patch.strength``.

    Params: ``begin`` and ``end``, the range of steps as fractions.

    Raises:
        CatalogError: the file is broken, or was made for another model.
    """
    from backend.models.lora.attach import attached
    from backend.models.lora.resolve import resolve

    adapter = stage.load(reference(patch))
    deltas = resolve(adapter, stage.net, "", stage.card.title)

    def around(moment: Moment) -> AbstractContextManager[None]:
        if not within(patch, moment):
            return nullcontext()
        return attached(deltas, patch.strength, rows(moment))

    return around


LORA = PatchKind("lora", "LoRA", make, rank=10)
