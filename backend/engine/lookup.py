"""What checks may ask of the outside: headers, and only of what was granted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import backend
from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder, read_folder
from backend.graph.errors import UserError
from backend.graph.facts import Facts
from backend.media.grants import Grants

MODELS = Path(backend.__file__).resolve().parent.parent / "resources" / "models"


def model_folder(grants: Grants, ref: str) -> Path:
    """The folder of a built-in model by its name, or of a granted path.

    Raises:
        UserError: there is no such model, or the path is not granted.
    """
    if ref and Path(ref).name == ref and (MODELS / ref).is_dir():
        return MODELS / ref
    if not ref:
        raise UserError("No model is chosen. Name a built-in model or a model folder.")
    if Path(ref).name == ref and not (grants.base / ref).exists():
        there = sorted(p.name for p in MODELS.iterdir() if p.is_dir()) if MODELS.is_dir() else []
        built_in = f"the built-in models are {', '.join(there)}" if there else "none is built in"
        raise UserError(
            f"There is no model {ref!r}: {built_in}, and the workflow's folder has none of that "
            "name. Name a built-in model or the path of a model folder."
        )
    folder = grants.read(ref)
    if not folder.is_dir():
        raise UserError(f"{ref} is a file; a model is a folder with model_index.json.")
    return folder


@dataclass(frozen=True, slots=True)
class HeaderLookup:
    """Answers the facts hooks of loader nodes from headers (``backend.sdk.Lookup``)."""

    grants: Grants

    def model(self, ref: str) -> ModelFolder:
        """What the headers of a model folder say; a built-in model goes by its name.

        Raises:
            UserError: it is missing, not granted or broken.
        """
        try:
            return read_folder(model_folder(self.grants, ref))
        except CatalogError as error:
            raise UserError(str(error)) from error

    def image(self, path: str) -> Facts | None:
        """Size, channels and count of an image file, or ``None`` when unknown or not granted."""
        from backend.media.images import image_facts

        return image_facts(self.grants, path)
