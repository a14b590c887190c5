"""What an adapter's training is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from backend.catalog.errors import CatalogError
from backend.train.tuning import TunePlan

TARGETS = ("attention", "blocks", "all")
"""Which linear layers learn: those of attentions, all inside the blocks, or all of the network."""


@dataclass(frozen=True)
class AdapterPlan:
    """An adapter and its course.

    ``form`` is one of ``forms.forms()``. ``rank`` is that of the factors; ``rate`` the learning
    rate at its level; ``size`` the side in pixels of a square that has the area of the pictures
    learnt from (0: what the model makes by itself); ``bare`` the share of steps in which examples
    are shown without the pictures beside them, 0..1.
    """

    form: str = "text"
    targets: str = "blocks"
    rank: int = 16
    rate: float = 2e-3
    size: int = 0
    bare: float = 0.0
    course: TunePlan = field(
        default_factory=lambda: TunePlan(steps=500, levels=4, batch=8, warmup=20, hold=0.6)
    )

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            CatalogError: a number is out of its range, or there is no such target.
        """
        if self.targets not in TARGETS:
            raise CatalogError(
                f"There are no targets called {self.targets!r}. Choose {', '.join(TARGETS)}."
            )
        if not 1 <= self.rank <= 1024:
            raise CatalogError(f"The rank is {self.rank}. Choose one from 1 to 1024.")
        if min(self.course.steps, self.course.batch, self.course.levels) < 1 or self.size < 0:
            raise CatalogError("Steps, batch and levels are above 0, the size is 0 or more.")
        if not 0 < self.rate <= 1:
            raise CatalogError(f"The rate is {self.rate:g}. Choose one above 0, such as 0.001.")
