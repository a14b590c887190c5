"""A LoRA that learns pictures and their captions: a style, a thing, or panels in one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from backend.diffusion.around import Around, Moment
from backend.models.lora.attach import attached
from backend.models.patch import Stage
from backend.train.adapter.factors import Factors
from backend.train.adapter.form import Form, Shown
from backend.train.adapter.plan import AdapterPlan
from backend.values import Conditioning


class TextLora(nn.Module):
    """Factors beside the chosen layers, in every call of the model."""

    def __init__(self, stage: Stage, plan: AdapterPlan) -> None:
        super().__init__()
        self.factors = Factors(stage, plan.targets, plan.rank)

    def said(self, shown: Shown) -> Conditioning:
        """The caption alone."""
        return shown.said

    def around(self, shown: Shown) -> Sequence[Around]:
        """The factors, as the node LoRA lays them on at strength 1."""
        del shown

        @contextmanager
        def laid(moment: Moment) -> Iterator[None]:
            del moment
            with attached(self.factors.deltas(), 1.0):
                yield

        return (laid,)

    def tensors(self, part: str) -> dict[str, Tensor]:
        """The factors in the manner of PEFT."""
        return self.factors.tensors(part)


def begin(stage: Stage, plan: AdapterPlan) -> nn.Module:
    """A LoRA that changes nothing yet."""
    return TextLora(stage, plan)


TEXT = Form("text", "LoRA", begin, 0, {})
