"""References to models that run whole: ``Model`` values of the family ``pipeline:CLASS``. Light."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from functools import cache
from pathlib import Path

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.values import Model, Weights

FAMILY = "pipeline"
"""The family of the components of such models, and the first word of the models' own."""

PREFIX = FAMILY + ":"


_NAME = re.compile(r'"([A-Z][A-Za-z0-9_]*)"')


def check_pipeline(folder: ModelFolder) -> None:
    """Refuse a folder whose pipeline diffusers cannot have, without importing diffusers.

    Raises:
        CatalogError: its ``model_index.json`` names none, or one that is not there.
    """
    if not folder.pipeline:
        raise CatalogError(
            f"{folder.path / 'model_index.json'} does not say of which pipeline the model is. Get "
            "the file again."
        )
    known = _known_names()
    if known and folder.pipeline not in known:
        raise CatalogError(
            f"{folder.path} asks for the pipeline {folder.pipeline[:80]!r}, which diffusers "
            f"{importlib.metadata.version('diffusers')} does not have. Choose another model."
        )


@cache
def _known_names() -> frozenset[str]:
    """Every name that diffusers offers, as its first file lists them; none where it is not here."""
    found = importlib.util.find_spec("diffusers")  # finds the package, and does not import it
    if found is None or found.origin is None:
        return frozenset()
    return frozenset(_NAME.findall(Path(found.origin).read_text(encoding="utf-8")))


def pipeline_reference(folder: ModelFolder) -> Model:
    """The reference to a model folder as a whole.

    Raises:
        CatalogError: its ``model_index.json`` names no pipeline that is known.
    """
    check_pipeline(folder)
    from backend.models.family import identity  # which may ask here who runs whole

    named = identity(folder, tuple(folder.components))
    return Model(PREFIX + folder.pipeline, FAMILY, named, folder.source)


def pipeline_name(model: Weights) -> str:
    """The pipeline class behind a reference.

    Raises:
        CatalogError: the reference is to a native model.
    """
    if not model.family.startswith(PREFIX):
        raise CatalogError(
            f"This is a {model.family} model for Weft's own samplers. Load it with Load pipeline "
            "to run it whole, or wire it into Sample."
        )
    return model.family.removeprefix(PREFIX)


def whole_sentence(family: str) -> str:
    """Why a model that runs whole cannot go where this family would, or "" for a native one."""
    if not family.startswith(PREFIX):
        return ""
    return (
        f"This model runs whole, as the {family.removeprefix(PREFIX)} of diffusers, and offers "
        "nothing that can be sampled step by step. Use Pipeline image, edit, video or audio."
    )


def refuse_whole(model: Weights) -> None:
    """Keep a model that runs whole out of what samples step by step.

    Raises:
        CatalogError: the reference is to such a model.
    """
    said = whole_sentence(model.family)
    if said:
        raise CatalogError(said)
