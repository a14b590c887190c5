"""Patches on a model: from the references on a link to what surrounds each call of its denoiser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from backend.diffusion.around import Around, Moment, Mover
from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Denoiser
from backend.diffusion.registry import choose, scan
from backend.diffusion.schedule import number
from backend.models.card import Card
from backend.models.family import Load
from backend.models.seams.sites import Layout
from backend.values import Model, Patch, Term


@dataclass(frozen=True)
class Stage:
    """What a patch works on: the reference and its loader, the card, and the denoiser."""

    model: Model
    card: Card
    load: Load
    denoiser: Denoiser

    @property
    def net(self) -> Any:
        """The denoiser's network."""
        return self.load(self.model)

    @property
    def layout(self) -> Layout | None:
        """The family's own rule for token ranges: its denoiser's ``spans``, where it has one."""
        return getattr(self.denoiser, "spans", None)


Rows = Callable[[Moment], tuple[bool, ...]]
"""Which rows of the batch a patch is for, at a moment."""


@dataclass(frozen=True)
class PatchKind:
    """A kind of patch. One instance per module of ``backend.models.patches``.

    ``make(stage, patch, rows)`` gives what surrounds a call; it raises ``DiffusionError`` or
    ``CatalogError`` where the patch does not fit the model. Patches are laid on by ``rank``, lower
    first, and among equals in the order of the stack; they are taken off in reverse. ``across``:
    it looks from one sample of a batch to another, so they have to go through the model together.
    ``move`` gives what moves the latent before each step, for a kind that does; it holds for the
    patches of a model alone.
    """

    kind: str
    title: str
    make: Callable[[Stage, Patch, Rows], Around]
    rank: int = 50
    across: bool = False
    move: Callable[[Stage, Patch], Mover] | None = None


def patch_kinds() -> Mapping[str, PatchKind]:
    """All kinds of patch by name."""
    return scan("backend.models.patches", PatchKind)


def surround(stage: Stage, terms: Iterable[Term]) -> tuple[Around, ...]:
    """What the patches of a model and of its terms ask for, in the order in which they go on.

    A patch of strength 0 is left out, so that it changes no bit.

    Raises:
        DiffusionError: there is no such kind of patch, or one does not fit the model.
    """
    found: list[tuple[Patch, Term | None]] = [(patch, None) for patch in stage.model.patches]
    found += [(patch, term) for term in terms for patch in term.patches]
    kinds = patch_kinds()
    ready: list[tuple[int, Around]] = []
    for patch, owner in found:
        if patch.strength != 0:
            kind = choose(kinds, patch.kind, "patch")
            ready.append((kind.rank, _for(owner, kind, stage, patch)))
    return tuple(around for _, around in sorted(ready, key=lambda entry: entry[0]))


def movers(stage: Stage) -> tuple[Mover, ...]:
    """What moves the latent before each step, of the patches of a model that do."""
    kinds = patch_kinds()
    given = [(choose(kinds, p.kind, "patch"), p) for p in stage.model.patches if p.strength != 0]
    return tuple(kind.move(stage, patch) for kind, patch in given if kind.move is not None)


def across_batch(models: Iterable[Model], terms: Iterable[Term]) -> list[str]:
    """The titles of the patches of models and terms that look across the batch."""
    stacks = [model.patches for model in models] + [term.patches for term in terms]
    laid = {patch.kind for stack in stacks for patch in stack if patch.strength != 0}
    return [kind.title for name, kind in patch_kinds().items() if name in laid and kind.across]


def _for(owner: Term | None, kind: PatchKind, stage: Stage, patch: Patch) -> Around:
    def rows(moment: Moment) -> tuple[bool, ...]:
        return moment.rows(owner)

    made = kind.make(stage, patch, rows)

    def around(moment: Moment) -> AbstractContextManager[None]:
        return made(moment) if any(rows(moment)) else nullcontext()

    return around


def within(patch: Patch, moment: Moment) -> bool:
    """Whether a moment lies in the patch's range of steps: its params ``begin`` and ``end``, as
    fractions 0..1 of the schedule."""
    begin, end = number(patch.params, "begin", 0.0), number(patch.params, "end", 1.0)
    if not 0 <= begin <= end <= 1:
        raise DiffusionError(
            f"The range of steps {begin:g} to {end:g} is none: both lie between 0 and 1, and the "
            "first is not above the second."
        )
    return begin <= moment.done < end or (end == 1 and moment.done >= begin)
