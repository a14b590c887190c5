"""What the procedural world can teach: kinds of examples, drawn by seed and number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backend.diffusion.registry import scan
from backend.train.adapter.sets import Drawn


@dataclass(frozen=True)
class Task:
    """A kind of examples. Modules of ``backend.train.tasks`` define them.

    ``example(seed, number)`` draws one of the training split; ``form`` is the form of adapter that
    learns from them.
    """

    kind: str
    title: str
    form: str
    example: Callable[[int, int], Drawn]
    rank: int = 50


def tasks() -> Mapping[str, Task]:
    """All tasks by name."""
    return scan("backend.train.tasks", Task)
