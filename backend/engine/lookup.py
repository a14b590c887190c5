"""What checks may ask of the outside: headers, and only of what was granted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import backend
from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.catalog.shelf import by_name, instead_of
from backend.catalog.source import ENDINGS, open_beside, open_files, open_model
from backend.graph.errors import UserError
from backend.graph.facts import Facts
from backend.media.grants import Grants

NONE: Mapping[str, str] = MappingProxyType({})
MODELS = Path(backend.__file__).resolve().parent.parent / "resources" / "models"


def model_folder(grants: Grants, ref: str) -> Path:
    """The folder or weight file that a model parameter names: a built-in model by its name, a
    granted path, or a model that the user has had scanned, by its name.

    Raises:
        UserError: there is no such model, or the path is not granted.
    """
    if not ref:
        raise UserError("No model is chosen. Name a built-in model or a model folder.")
    # A name may be too long for the system, which os.path takes for one that is not there.
    if Path(ref).name == ref and os.path.isdir(MODELS / ref):
        return MODELS / ref
    if not Path(ref).is_absolute() and not os.path.exists(grants.base / ref):
        return _scanned(ref)
    place = grants.read(ref)
    if place.is_file() and place.suffix.lower() not in ENDINGS:
        raise UserError(
            f"{ref} is no model: a model is a folder with model_index.json, or a file that ends in "
            f"{' or '.join(ENDINGS)}."
        )
    return place


def _scanned(ref: str) -> Path:
    """A model by the name that a scan gave it.

    Raises:
        UserError: there is none; the sentence says what would serve.
    """
    try:
        if found := by_name(ref):
            return found
        advice = instead_of(ref)
    except CatalogError as error:
        raise UserError(str(error)) from error
    there = sorted(p.name for p in MODELS.iterdir() if p.is_dir()) if MODELS.is_dir() else []
    built_in = f"the built-in models are {', '.join(there)}" if there else "none is built in"
    raise UserError(
        f"There is no model {ref[:200]!r}: {built_in}, and the workflow's folder has none of that "
        f"name. {advice}"
    )


@dataclass(frozen=True, slots=True)
class HeaderLookup:
    """Answers the facts hooks of loader nodes from headers (``backend.sdk.Lookup``)."""

    grants: Grants

    def model(self, ref: str, files: Mapping[str, str] = NONE) -> ModelFolder:
        """What the headers of a model folder say; a built-in model goes by its name. ``files`` take
        the place of components of the folder.

        Raises:
            UserError: it is missing, not granted or broken.
        """
        try:
            place = model_folder(self.grants, ref)
            if not files:
                return open_model(place)
            found = {name: model_folder(self.grants, file) for name, file in files.items()}
            return open_beside(place, found)
        except CatalogError as error:
            raise UserError(str(error)) from error

    def model_files(self, refs: Sequence[str], config: str) -> ModelFolder:
        """What the headers of weight files say that are one model together.

        Raises:
            UserError: one is missing, not granted, broken, or no part of that model.
        """
        try:
            return open_files([model_folder(self.grants, ref) for ref in refs], config)
        except CatalogError as error:
            raise UserError(str(error)) from error

    def file(self, path: str) -> Path:
        """Where a granted file lies.

        Raises:
            UserError: it is missing or not granted.
        """
        return self.grants.read(path)

    def image(self, path: str) -> Facts | None:
        """Size, channels and count of an image file, or ``None`` when unknown or not granted."""
        from backend.media.images import image_facts

        return image_facts(self.grants, path)
