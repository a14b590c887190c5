"""A LoRA that learns to follow a picture: its lines, its edges, its colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from backend.diffusion.around import Around, Moment
from backend.models.lora.attach import attached
from backend.models.patch import Stage
from backend.models.patches.control_tokens import BIAS, followed, remembered
from backend.models.seams.sites import places_of
from backend.train.adapter.form import Form, Shown
from backend.train.adapter.forms.text import TextLora
from backend.train.adapter.plan import AdapterPlan

FAINT = -4.0
"""What the scores of the picture's keys begin with. A model that has never seen such tokens is
thrown off by them; from 0 on, a small one learns within a few steps never to look at them."""


class ControlLora(TextLora):
    """Factors for the tokens of a picture alone (EasyControl, arXiv:2503.07027 section 3.1): the
    model's own go through it as ever, and look at those (``patches.control_tokens``), faintly at
    the beginning: a bias for each place is learnt too, which the paper does not have."""

    def __init__(self, stage: Stage, plan: AdapterPlan) -> None:
        super().__init__(stage, plan)
        self._stage = stage
        self._places = places_of(stage.net, stage.card)
        self.biases = nn.ParameterDict(
            {f"{site}/{layer}": torch.full((1,), FAINT) for site, layer in self._places}
        )

    def around(self, shown: Shown) -> Sequence[Around]:
        """The picture's keys and values beside those of every attention."""

        @contextmanager
        def laid(moment: Moment) -> Iterator[None]:
            if not shown.references:
                yield
                return
            kept = remembered(
                self._stage,
                lambda: attached(self.factors.deltas(), 1.0),
                shown.references[0],
                moment,
            )
            given = {place: self.biases[f"{place[0]}/{place[1]}"] for place in kept}
            with followed(self._stage, kept, 1.0, moment.rows(None), given)(moment):
                yield

        return (laid,)

    def tensors(self, part: str) -> dict[str, Tensor]:
        """The factors, and the bias of each place."""
        found = {
            BIAS.format(site=site, layer=layer): self.biases[f"{site}/{layer}"]
            for site, layer in self._places
        }
        return {**super().tensors(part), **found}


def begin(stage: Stage, plan: AdapterPlan) -> nn.Module:
    """A LoRA that changes nothing yet: the picture is read as a clean one of the model's own."""
    return ControlLora(stage, plan)


CONTROL = Form("control", "Control LoRA", begin, 1, {})
