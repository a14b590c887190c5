"""Class names of a model folder as classes: only public ones of diffusers and transformers."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

from backend.catalog.errors import CatalogError
from backend.models.pipelines.quiet import hush

_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*")
_MODULE = re.compile(r"[a-z][a-z0-9_]*")


def pipeline_class(name: str, where: Path | str) -> Any:
    """The diffusers pipeline called ``name``; ``where`` is the folder that asks for it.

    Raises:
        CatalogError: diffusers has no such pipeline, or it needs a package that is not here.
    """
    hush()
    import diffusers

    found = _attribute(diffusers, name)
    if not (isinstance(found, type) and issubclass(found, diffusers.DiffusionPipeline)):
        lacks = _lacks(found)
        raise CatalogError(
            f"{where} asks for the pipeline {name!r}, "
            + (
                f"which needs the Python package {lacks}. Install it with pip."
                if lacks
                else f"which diffusers {diffusers.__version__} does not have. Choose another model."
            )
        )
    return found


def component_class(library: str, name: str, where: Path) -> Any:
    """The class of a component: a model, scheduler, tokenizer or processor that can be loaded.

    ``library`` is ``diffusers``, ``transformers``, or the name of a pipeline module of diffusers.
    A class counts only when it is public, defined by these libraries, and of a kind that loads
    without running code from the folder.

    Raises:
        CatalogError: it is none of that, or needs a package that is not here.
    """
    hush()
    home = _home(library)
    found = _attribute(home, name) if home is not None else None
    own = str(getattr(found, "__module__", "")).split(".")[0] in ("diffusers", "transformers")
    if isinstance(found, type) and own and issubclass(found, _bases()):
        return found
    lacks = _lacks(found)
    if lacks:
        raise CatalogError(
            f"{where} asks for {name}, which needs the Python package {lacks}. Install it with pip."
        )
    raise CatalogError(
        f"{where} asks for {library}.{name}, which is no model, scheduler, tokenizer or processor "
        "of diffusers or transformers. Code that comes with a model is never run; get the model "
        "in a version for these libraries."
    )


def is_diffusers_model(kind: Any) -> bool:
    from diffusers import ModelMixin

    return issubclass(kind, ModelMixin)


def is_transformers_model(kind: Any) -> bool:
    from transformers import PreTrainedModel

    return issubclass(kind, PreTrainedModel)


def _home(library: str) -> Any:
    if library in ("diffusers", "transformers"):
        return importlib.import_module(library)
    import diffusers.pipelines

    if not _MODULE.fullmatch(library):
        return None
    try:
        return getattr(diffusers.pipelines, library, None)
    except (ImportError, RuntimeError):
        return None


def _attribute(home: Any, name: str) -> Any:
    if not _NAME.fullmatch(name):
        return None
    try:
        return getattr(home, name, None)
    except (ImportError, RuntimeError):  # a lazy module that lacks what it imports
        return None


def _lacks(found: Any) -> str:
    """The packages that a stand-in class of the libraries says it lacks."""
    needs = getattr(found, "_backends", None)
    if not isinstance(needs, list):
        return ""
    return ", ".join(n for n in needs if importlib.util.find_spec(str(n)) is None)


def _bases() -> tuple[type, ...]:
    from diffusers import ModelMixin, SchedulerMixin
    from diffusers.guiders import BaseGuidance
    from transformers import (
        FeatureExtractionMixin,
        PreTrainedModel,
        PreTrainedTokenizerBase,
        ProcessorMixin,
    )
    from transformers.image_processing_base import ImageProcessingMixin

    return (
        ModelMixin,
        SchedulerMixin,
        BaseGuidance,
        PreTrainedModel,
        PreTrainedTokenizerBase,
        ProcessorMixin,
        FeatureExtractionMixin,
        ImageProcessingMixin,
    )
