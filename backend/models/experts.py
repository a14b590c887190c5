"""A model as its experts: which references run at which noise levels, and their switch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from backend.diffusion.around import Around
from backend.diffusion.experts import Dressed, ExpertSlot, ExpertSwitch
from backend.diffusion.process import Denoiser
from backend.models.family import Load, describe, family_of, part_of
from backend.models.patch import Stage
from backend.values import Expert, Model, Weights

Dress = Callable[[Stage], Sequence[Around]]
"""What surrounds each call of a model's denoiser: patches, and whatever looks on."""


def experts_of(model: Model) -> tuple[Expert, ...]:
    """The experts of a model from high noise to low, the first below infinity; one where the model
    is a single network.

    They are those that its folder holds, or those that were joined to it, whose own experts keep
    what lies in their range.

    Raises:
        CatalogError: files are gone or broken.
    """
    if not model.experts:
        held = describe(model).experts
        named = ((model.part, math.inf), *held)
        return tuple(Expert(part_of(model, part), below) for part, below in named)
    found: list[Expert] = []
    ends = [expert.below for expert in model.experts[1:]] + [-math.inf]
    for joined, end in zip(model.experts, ends, strict=True):
        stack = (*joined.model.patches, *model.patches)
        inner = experts_of(replace(joined.model, patches=stack))
        floors = [each.below for each in inner[1:]] + [-math.inf]
        for each, floor in zip(inner, floors, strict=True):
            if floor < joined.below and each.below > end:
                found.append(Expert(each.model, min(each.below, joined.below)))
    return tuple(found)


def assemble(
    model: Model, load: Load, device: str, dress: Dress
) -> tuple[Denoiser, tuple[Around, ...]]:
    """The denoiser of a model and what surrounds its calls.

    Raises:
        CatalogError: the model's files cannot be used.
        DiffusionError: a patch does not fit it.
    """
    experts = experts_of(model)

    def dressed(one: Model) -> Dressed:
        family = family_of(one)
        stage = Stage(one, family.card, load, family.denoiser(one, load, device))
        return Dressed(stage.denoiser, dress(stage))

    if len(experts) == 1:
        only = dressed(experts[0].model)
        return only.denoiser, tuple(only.around)
    first = experts[0].model
    like = family_of(first).denoiser(first, _later(first, load), device)
    slots = [
        ExpertSlot(f"{number + 1} {each.model.part}", each.below, partial(dressed, each.model))
        for number, each in enumerate(experts)
    ]
    switch = ExpertSwitch(like, slots)
    return switch, (switch.around,)


class Later:
    """Stands for a network that is loaded when something is first asked of it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._make()(*args, **kwargs)


def _later(model: Model, load: Load) -> Load:
    """A loader that puts off the network of ``model`` itself, which may never be needed."""

    def loader(weights: Weights) -> Any:
        return Later(lambda: load(weights)) if weights.part == model.part else load(weights)

    return loader
