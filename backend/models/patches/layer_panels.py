"""Panels that lie on one another: each token stands where its like stands in the other panels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.schedule import number
from backend.models.family import describe
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.seams.turning import Maker, maker_of, standing_in
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor

LAYER_PANELS = "layer_panels"


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Give the panels of a picture, which lie side by side, the positions of the first.

    Layer Position Encoding Cloning (DiffDecompose, arXiv:2505.21541 section 3.3): all layers of a
    picture, and the picture itself as a reference, have the same rows and columns, so that what
    lies at one place attends to itself across them. The number of the picture tells them apart:
    the first panel is 0 and references go on from there, as ever; other panels follow ``after``.

    Params: ``panels``, how many lie side by side; ``begin`` and ``end``, a range of steps.

    Raises:
        DiffusionError: the model has no rotary positions of that kind. In a call: the width is not
            that of whole panels, or the patch is for some of the terms only.
    """
    panels = int(number(patch.params, "panels", 2))
    around = panelled(stage, panels)

    @contextmanager
    def laid(moment: Moment) -> Iterator[None]:
        if not within(patch, moment):
            yield
            return
        if not all(rows(moment)):
            raise DiffusionError(
                "Positions are the same for a whole call, so they cannot be those of panels for "
                "one text of it. Lay the patch on the model."
            )
        with around(moment):
            yield

    return laid


def panelled(stage: Stage, panels: int) -> Around:
    """What ``make`` lays on, in every step.

    Raises:
        DiffusionError: see ``make``.
    """
    rope = stage.card.rope
    if rope is None or rope.told != "places" or set(rope.axes) != {"picture", "height", "width"}:
        raise DiffusionError(
            f"{stage.card.title} models do not say where each token of several pictures lies, so "
            "that layers cannot lie on one another. Choose a Flux."
        )
    if panels < 1:
        raise DiffusionError(f"There are {panels} panels. Choose 1 or more.")
    maker, side = maker_of(stage.net, rope), describe(stage.model).geometry.patch

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        if moment.window is not None:
            raise DiffusionError(
                "The panels of layers look at one another as a whole, so they cannot be sampled "
                "in tiles. Make a smaller picture."
            )
        columns = moment.shape[-1] // side
        if moment.shape[-1] % (side * panels):
            raise DiffusionError(
                f"A latent {moment.shape[-1]} cells wide cannot be {panels} panels side by side. "
                "Make a picture whose width divides."
            )
        with standing_in(maker, lambda inner: Panelled(maker, inner, columns // panels)):
            yield

    return around


@dataclass(frozen=True, eq=False)
class Panelled:
    """Stands for a maker of positions; a panel is ``columns`` tokens wide."""

    maker: Maker
    inner: Any
    columns: int

    def __call__(self, places: Tensor, *rest: Any) -> Any:
        return self.inner(self.moved(places), *rest)

    def moved(self, places: Tensor) -> Tensor:
        """Positions ``[..., tokens, 3]``: of the first picture's tokens, those of their panel."""
        picture, width = (self.maker.rope.axes.index(axis) for axis in ("picture", "width"))
        found = places.clone()
        own = places[..., picture] == 0
        panel = (places[..., width] // self.columns) * own
        after = places[..., picture].max()
        found[..., width] -= panel * self.columns
        found[..., picture] += (after + panel) * (panel > 0)
        return found


PANELS = PatchKind(LAYER_PANELS, "Layers on one another", make, rank=6)
