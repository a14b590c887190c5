"""An adapter that learns to enlarge: the tokens of a small picture go through the model beside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from backend.diffusion.around import Around, Moment
from backend.models import reference
from backend.models.lora.adapter import GIVES
from backend.models.lora.attach import attached
from backend.models.patch import Stage
from backend.models.patches.low_resolution import NAME, PROJECTIONS, Own, seats, streamed
from backend.models.seams.sites import Place
from backend.train.adapter.form import Form, Shown
from backend.train.adapter.forms.reference import ReferenceLora
from backend.train.adapter.plan import AdapterPlan

FAINT = -4.0
"""What the scores of the picture's keys begin with, so that training begins near the model as it
is, which has never seen such tokens."""


class Enlarge(ReferenceLora):
    """Factors on the model's layers, and what the picture's stream has of its own: projections and
    convolutions that begin at zero (DiT4SR, arXiv:2503.23580; ``patches.low_resolution``)."""

    def __init__(self, stage: Stage, plan: AdapterPlan) -> None:
        super().__init__(stage, plan)
        self._stage = stage
        self._places: list[Place] = []
        held: dict[str, Tensor] = {}
        for (site, layer), seat in seats(stage).items():
            self._places.append((site, layer))
            for name, linear in zip(PROJECTIONS, seat.linear, strict=True):
                width = linear.out_features
                down = torch.empty(min(plan.rank, width), width)
                nn.init.kaiming_uniform_(down, a=math.sqrt(5))
                held[f"{site}/{layer}/{name}_down"] = down
                held[f"{site}/{layer}/{name}_up"] = torch.zeros(width, len(down))
            held[f"{site}/{layer}/convolution"] = torch.zeros(seat.width, 1, 3, 3)
            held[f"{site}/{layer}/bias"] = torch.full((1,), FAINT)
        self.own = nn.ParameterDict({name: nn.Parameter(value) for name, value in held.items()})

    def around(self, shown: Shown) -> Sequence[Around]:
        """As the node lays a finished file on at strength 1."""

        @contextmanager
        def laid(moment: Moment) -> Iterator[None]:
            if not shown.references:
                yield
                return
            own = {place: self._own(place) for place in self._places}
            with (
                attached(self.factors.deltas(), 1.0),
                streamed(self._stage, own, 1.0, moment.rows(None))(moment),
            ):
                yield

        return (laid,)

    def tensors(self, part: str) -> dict[str, Tensor]:
        """The factors, and what the stream has of its own."""
        found = super().tensors(part)
        for name, value in self.own.items():
            site, layer, which = name.split("/")
            found[NAME.format(site=site, layer=layer, part=which)] = value
        return found

    def _own(self, place: Place) -> Own:
        start = f"{place[0]}/{place[1]}"
        pairs = tuple(
            (self.own[f"{start}/{p}_down"], self.own[f"{start}/{p}_up"]) for p in PROJECTIONS
        )
        return Own(pairs, self.own[f"{start}/convolution"], self.own[f"{start}/bias"])


def begin(stage: Stage, plan: AdapterPlan) -> nn.Module:
    """An adapter that does next to nothing yet.

    Raises:
        CatalogError: the family's models have no place for it.
    """
    return Enlarge(stage, plan)


ENLARGE = Form("enlarge", "upscale adapter", begin, 1, {GIVES: reference.ABILITY})
