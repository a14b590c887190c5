"""A LoRA that learns to follow a picture: its lines, its edges, its colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from backend.diffusion.around import Around, Moment
from backend.models.lora.attach import attached
from backend.models.patch import Stage
from backend.models.patches.control_tokens import followed, remembered
from backend.train.adapter.form import Form, Shown
from backend.train.adapter.forms.text import TextLora
from backend.train.adapter.plan import AdapterPlan


class ControlLora(TextLora):
    """Factors for the tokens of a picture alone (EasyControl, arXiv:2503.07027 section 3.1): the
    model's own go through it as ever, and look at those (``patches.control_tokens``)."""

    def __init__(self, stage: Stage, plan: AdapterPlan) -> None:
        super().__init__(stage, plan)
        self._stage = stage

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
            with followed(self._stage, kept, 1.0, moment.rows(None))(moment):
                yield

        return (laid,)


def begin(stage: Stage, plan: AdapterPlan) -> nn.Module:
    """A LoRA that changes nothing yet: the picture is read as a clean one of the model's own."""
    return ControlLora(stage, plan)


CONTROL = Form("control", "Control LoRA", begin, 1, {})
