"""A LoRA that learns to look at other pictures: to edit them, to take them apart, to enlarge."""

from __future__ import annotations

from torch import nn

from backend.catalog.errors import CatalogError
from backend.models import reference
from backend.models.lora.adapter import GIVES
from backend.models.patch import Stage
from backend.train.adapter.form import Form, Shown
from backend.train.adapter.forms.text import TextLora
from backend.train.adapter.plan import AdapterPlan
from backend.values import Conditioning, Latent


class ReferenceLora(TextLora):
    """As a LoRA on text, while the model reads the clean tokens of other pictures behind its own
    (FLUX.1 Kontext, arXiv:2506.15742 section 3; ACE, arXiv:2410.00086 section 3.2)."""

    def said(self, shown: Shown) -> Conditioning:
        """The instruction, with the pictures beside it."""
        said = shown.said
        for latents in shown.references:
            said = reference.add(said, Latent(latents.cpu().numpy(), ""))
        return said


def check_references(stage: Stage) -> None:
    """Refuse models that see no other pictures.

    Raises:
        CatalogError: the model is such a one.
    """
    if not stage.card.references:
        raise CatalogError(
            f"{stage.card.title} models have no place for the tokens of other pictures, so that no "
            "adapter can teach them to heed any. Choose a Flux, or another form."
        )


def begin(stage: Stage, plan: AdapterPlan) -> nn.Module:
    """A LoRA that changes nothing yet; the model sees the pictures, but heeds them little.

    Raises:
        CatalogError: the family's models see no other pictures.
    """
    check_references(stage)
    return ReferenceLora(stage, plan)


REFERENCE = Form("reference", "Reference LoRA", begin, None, {GIVES: reference.ABILITY})
