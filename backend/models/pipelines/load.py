"""Components of any pipeline, loaded one by one, and the pipeline made of them."""

from __future__ import annotations

import copy
import importlib.util
import inspect
from pathlib import Path
from typing import Any

from backend.catalog.components import Component, read_json
from backend.catalog.errors import CatalogError
from backend.catalog.source import read_source
from backend.models.family import Load
from backend.models.loading import load_module
from backend.models.pipelines.classes import (
    component_class,
    is_diffusers_model,
    is_transformers_model,
    pipeline_class,
)
from backend.models.pipelines.reference import FAMILY, pipeline_name
from backend.models.pipelines.single import load_single
from backend.values import Model, Weights


class PipelineLoader:
    """Loads the components of every pipeline for the store."""

    family = FAMILY

    def load(self, weights: Weights, device: str) -> Any:
        """One component, float32 for the CPU and bfloat16 for CUDA.

        Modules come on the CPU, with absent weights; ``Placement`` moves them for a run. Where it
        does so by diffusers' means, those know only tensors of torch's own.

        Raises:
            CatalogError: its class is not allowed, or its files cannot be used.
        """
        folder = read_source(weights.source)
        component, path = folder.component(weights.part), folder.path / weights.part
        kind = component_class(component.library, component.kind, folder.path)
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
        hold = not device.startswith("cuda")
        if component.bare is not None:
            return load_single(kind, component, dtype, hold)
        place = (path, "cpu", dtype, component.variant, hold)
        if is_diffusers_model(kind):
            return load_module("diffusers", kind, *place)
        if is_transformers_model(kind):
            return load_module("transformers", kind, *place)
        return _settings(component, _without_video(kind), path)


def assemble(model: Model, load: Load) -> Any:
    """The pipeline behind a reference, of components that ``load`` gives.

    Each call makes a pipeline of its own; modules are shared, schedulers and guiders, which keep
    what they did, are copies.

    Raises:
        CatalogError: a component is missing, of a class that is not allowed, or cannot be loaded.
    """
    folder = read_source(model.source)
    kind = pipeline_class(pipeline_name(model), folder.path)
    index = read_json(folder.path / "model_index.json")
    optional = set(getattr(kind, "_optional_components", ()))
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name in folder.components:
            part = load(Weights(FAMILY, name, model.identity, model.source))
            given[name] = copy.deepcopy(part) if name.endswith(("scheduler", "guider")) else part
        elif name in index and not isinstance(index[name], list):
            given[name] = index[name]
        elif name in optional or index.get(name) == [None, None]:
            given[name] = None
        elif _needed(name, parameter):
            raise CatalogError(
                f"{folder.path} lacks {name}, which a {kind.__name__} needs. Get the complete "
                "model folder."
            )
    try:
        pipeline = kind(**given)
    except (ImportError, NameError) as error:
        raise CatalogError(missing_package(kind.__name__, error)) from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise CatalogError(
            f"The components in {folder.path} do not make a {kind.__name__} "
            f"({str(error)[:200]}). Get the model folder again."
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _needed(name: str, parameter: inspect.Parameter) -> bool:
    named = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    return name != "self" and named and parameter.default is parameter.empty


def missing_package(pipeline: str, error: ImportError | NameError) -> str:
    """A sentence on a package that a pipeline lacks, from what the library raised."""
    named = getattr(error, "name", None) or str(error).strip().splitlines()[0][:160]
    if isinstance(error, NameError) or "torchvision" in str(error):
        return (
            f"{pipeline} cannot run here: it lacks {named}, which comes with a Python package that "
            "is not installed, most likely torchvision, without which Weft runs. Choose another "
            "model."
        )
    return (
        f"{pipeline} needs a Python package that is not installed here ({named}). Install it with "
        "pip, or choose another model."
    )


def _settings(component: Component, kind: Any, path: Path) -> Any:
    try:
        return kind.from_pretrained(str(path), local_files_only=True)
    except (ImportError, NameError) as error:
        raise CatalogError(missing_package(component.kind, error)) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CatalogError(
            f"{path} cannot be read as {component.kind} ({str(error)[:200]}). Get it again."
        ) from error


def _without_video(kind: Any) -> Any:
    """A processor without its video part, which needs torchvision; others as they are.

    Weft goes without torchvision, whose builds fit only one build of torch. No diffusers pipeline
    gives a video to a processor of this kind.
    """
    attributes = getattr(kind, "get_attributes", None)
    if attributes is None or importlib.util.find_spec("torchvision") is not None:
        return kind
    named = list(attributes())
    if "video_processor" not in named:
        return kind
    kept = [name for name in named if name != "video_processor"]

    return type(
        kind.__name__,
        (kind,),
        {"get_attributes": classmethod(lambda cls: kept)},
    )
