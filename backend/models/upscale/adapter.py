"""Upscale adapters: from a trained file to the patch on a model. Light."""

from __future__ import annotations

from pathlib import Path

from backend.catalog.errors import CatalogError
from backend.models import reference
from backend.models.lora.adapter import check_lora, form_of, identity
from backend.models.patches.low_resolution import KIND
from backend.values import Patch

FORM = "enlarge"
"""What a file says of itself (``weft.form``)."""


def upscale_patch(path: Path, family: str, strength: float) -> Patch:
    """The patch by which a family's model enlarges the picture that it is shown.

    Raises:
        CatalogError: the file is broken, for another family, or no upscale adapter.
    """
    check_lora(path, family, on_text=False)
    if form_of(path) != FORM:
        raise CatalogError(
            f"{path.name} does not say that it is an upscale adapter. Choose a file that Train "
            "adapter made with the form enlarge, or lay this one on with the node LoRA."
        )
    params = {"gives": reference.ABILITY}
    return Patch(KIND, strength, params, identity(path), str(path))
