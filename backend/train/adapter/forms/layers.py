"""A LoRA that takes a picture apart: a layer's colours and its alpha, whole where it is covered."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from backend.diffusion.around import Around
from backend.models.lora.adapter import GIVES
from backend.models.patch import Stage
from backend.models.patches.layer_panels import panelled
from backend.models.reference import ABILITY
from backend.train.adapter.form import Form, Shown
from backend.train.adapter.forms.reference import ReferenceLora, check_references
from backend.train.adapter.plan import AdapterPlan

PANELS = 2
"""Side by side: colours over grey, and alpha."""


class LayersLora(ReferenceLora):
    """As a LoRA on references, while both panels and the picture lie on one another (DiffDecompose,
    arXiv:2505.21541)."""

    def __init__(self, stage: Stage, plan: AdapterPlan) -> None:
        super().__init__(stage, plan)
        self._panelled = panelled(stage, PANELS)

    def around(self, shown: Shown) -> Sequence[Around]:
        """The factors, and the positions of panels."""
        return (*super().around(shown), self._panelled)


def begin(stage: Stage, plan: AdapterPlan) -> nn.Module:
    """An adapter that changes nothing yet but the positions.

    Raises:
        CatalogError: the family's models see no other pictures.
        DiffusionError: they do not say where each token lies.
    """
    check_references(stage)
    return LayersLora(stage, plan)


LAYERS = Form("layers", "Layers LoRA", begin, 1, {GIVES: ABILITY}, panels=PANELS)
