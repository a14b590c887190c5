"""What kinds of adapter there are: how each looks at an example, and what it lays on a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from backend.diffusion.around import Around
from backend.diffusion.registry import scan
from backend.models.patch import Stage
from backend.train.adapter.plan import AdapterPlan
from backend.values import Box, Conditioning


@dataclass(frozen=True, eq=False)
class Shown:
    """What a model sees of some examples: what was said of each, the latents of the pictures
    beside them, each ``[b, c, h, w]``, and the boxes of each, where the set has any."""

    said: Conditioning
    references: Sequence[Tensor]
    boxes: Sequence[Sequence[Box]] = ()


class Learnt(Protocol):
    """The part of a form that learns: a torch module with these functions."""

    def said(self, shown: Shown) -> Conditioning:
        """What the model is told."""

    def around(self, shown: Shown) -> Sequence[Around]:
        """What surrounds the call of the model."""

    def tensors(self, part: str) -> Mapping[str, Tensor]:
        """The file's tensors; ``part`` is the network's component."""


@dataclass(frozen=True)
class Form:
    """A kind of adapter. One instance per module of ``backend.train.adapter.forms``.

    ``begin(stage, plan)`` gives a torch module that is ``Learnt``; ``beside`` says how many
    pictures an example needs beside it (``None``: at least one); ``said`` is written into the
    file, so that nodes know what it is for. One that is ``boxed`` needs boxes of every example; of
    one with ``panels`` side by side the size of the plan is that of each.
    """

    kind: str
    title: str
    begin: Callable[[Stage, AdapterPlan], nn.Module]
    beside: int | None
    said: Mapping[str, str]
    rank: int = 50
    boxed: bool = False
    panels: int = 1


def forms() -> Mapping[str, Form]:
    """All forms by name."""
    return scan("backend.train.adapter.forms", Form)
