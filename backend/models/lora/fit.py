"""Whether an adapter fits a model, from their headers and configs alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header
from backend.catalog.source import read_source
from backend.models.family import family_of
from backend.models.loading import stay_offline
from backend.values import Model


def check_fits(path: Path, model: Model) -> None:
    """Look for every layer that an adapter changes in an empty network of the model's config.

    No weights are read, neither those of the model nor those of the adapter.

    Raises:
        CatalogError: a layer is not there, or is of another size.
    """
    import torch

    from backend.models.lora.adapter import Adapter
    from backend.models.lora.resolve import resolve

    header = read_header(path).tensors
    empty = {
        name: torch.ones(()) if name.endswith("alpha") else torch.empty(info.shape, device="meta")
        for name, info in header.items()
    }
    resolve(Adapter(path, empty), _skeleton(model), "", family_of(model).card.title)


def _skeleton(model: Model) -> Any:
    """The network of a model without its weights; of no other class than its family knows."""
    stay_offline()
    import diffusers
    import torch

    card = family_of(model).card
    component = read_source(model.source).component(model.part)
    if component.kind not in card.classes[model.part]:
        raise CatalogError(
            f"{component.path} is of the class {component.kind!r}, which no {card.title} has. "
            "Choose another model."
        )
    kind = getattr(diffusers, component.kind)
    with torch.device("meta"):
        return kind.from_config(kind.load_config(str(component.path), local_files_only=True))
