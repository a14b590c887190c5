"""Rotary positions of other sizes: for the length of a call they are made by another formula."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.schedule import number
from backend.models.card import ModelFacts
from backend.models.family import describe
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.rotary import METHODS, Axis
from backend.models.seams.turning import Maker, maker_of, turning
from backend.values import Patch


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Turn the tokens of pictures by a method of ``backend.models.rotary`` instead of as trained.

    ``strength``, 0..1, lies between the model's own angles and the method's. Texts keep theirs.

    Params: ``method``; ``width`` and ``height``, the size in pixels that the model was trained
    with, or 0 for its default size; ``begin`` and ``end``, the range of steps as fractions.

    Raises:
        DiffusionError: the model has no rotary positions, or a setting makes no sense. In a call:
            the patch is for some of the terms only, or another one is laid on too.
    """
    rope, method = stage.card.rope, patch.params.get("method")
    if rope is None:
        raise DiffusionError(
            f"{stage.card.title} models have no rotary positions that can be scaled here. Take "
            "the patch off."
        )
    if method not in METHODS:
        raise DiffusionError(
            f"There is no way {method!r} to scale rotary positions. Choose one of "
            f"{', '.join(METHODS)}."
        )
    if not 0 < patch.strength <= 1:
        raise DiffusionError(
            f"The strength of scaled positions is {patch.strength:g}, but lies between 0 and 1."
        )
    facts, maker = describe(stage.model), maker_of(stage.net, rope)
    trained = _trained(facts, patch)

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        if not within(patch, moment):
            yield
            return
        if not all(rows(moment)):
            raise DiffusionError(
                "Rotary positions are the same for a whole call, so they cannot be scaled for one "
                "text of it. Lay the patch on the model."
            )
        axes = _axes(maker, trained, facts.geometry.patch, moment)
        rules = {n: rule for n, axis in axes.items() if (rule := METHODS[str(method)](axis))}
        with turning(maker, rules, patch.strength, facts.geometry.patch):
            yield

    return around


def _trained(facts: ModelFacts, patch: Patch) -> dict[str, float]:
    """Tokens along height and width that the model was trained with."""
    defaults = {"height": facts.defaults.height, "width": facts.defaults.width}
    asked = {side: number(patch.params, side, 0) for side in defaults}
    if min(asked.values()) < 0:
        raise DiffusionError(
            f"No model was trained with {asked['width']:g}x{asked['height']:g} pixels. Give the "
            "size that it was trained with, or 0 for its default size."
        )
    return {side: (asked[side] or defaults[side]) / facts.geometry.multiple for side in defaults}


def _axes(maker: Maker, trained: dict[str, float], patch: int, moment: Moment) -> dict[str, Axis]:
    """The two axes of the picture that a call is for."""
    grid = dict(zip(("height", "width"), (n // patch for n in moment.shape[-2:]), strict=True))
    zoom = math.sqrt(math.prod(grid.values()) / math.prod(trained.values()))
    time = min(max(1 - moment.sigma, 0.0), 1.0)
    widths = dict(zip(maker.rope.axes, maker.widths, strict=True))
    return {
        name: Axis(widths[name], maker.theta, trained[name], grid[name], zoom, time)
        for name in grid
    }


ROPE = PatchKind("rope", "Scaled rotary positions", make, rank=5)
