"""Loading components with the libraries' own classes: from the folder only, safetensors only."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from pathlib import Path
from typing import Any

from backend.catalog.components import weight_files
from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.models.card import Card
from backend.models.networks import (
    Network,
    diffusers_network,
    finished,
    transformers_network,
)


def stay_offline() -> None:
    """Keep the libraries from the network and from foreign code, unless the user said otherwise.

    They read these once, at import, so this is called before each import of theirs.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")


def _quiet() -> None:
    from backend.models.pipelines.quiet import hush  # which keeps offline by this module

    hush()


def load_module(
    library: str,
    kind: Any,
    path: Path,
    device: str,
    dtype: str,
    variant: str = "",
    hold: bool = True,
) -> Any:
    """A network of class ``kind`` with the weights in ``path``, in eval mode, without gradients.

    Its weights are absent: each is read when it is used, or all of them by
    ``backend.memory.sheet.fill``. ``variant`` is the one in the name of the weight files, such as
    ``fp16``, if there is any. Without ``hold`` all weights are widened when they are read.

    Raises:
        CatalogError: weights are missing, do not fit the config, or cannot be read.
    """
    import torch

    try:
        network = _network(library, kind, path, getattr(torch, dtype), variant)
    except torch.OutOfMemoryError:
        raise  # a RuntimeError too, but no fault of the files
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, CatalogError):
            raise
        raise CatalogError(
            f"The weights in {path} do not load as {kind.__name__} ({str(error)[:200]}). "
            "Get the component again, config and weights from the same source."
        ) from error
    if network.lacking:
        raise CatalogError(
            f"{path} lacks {len(network.lacking)} of the weights that its config asks for, the "
            f"first is {network.lacking[0]}. Get the component again."
        )
    return finished(network, device, hold)


def _network(library: str, kind: Any, path: Path, wanted: Any, variant: str) -> Network:
    make = diffusers_network if library == "diffusers" else transformers_network
    files = weight_files(path, kind.__name__, library)
    found = make(kind, path, files, wanted)
    if found is not None:
        return found
    logging.getLogger(__name__).info("%s is read by the library's own way", path)
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True}
    if variant:
        options["variant"] = variant
    if library == "diffusers":
        options["torch_dtype"] = wanted
        options["low_cpu_mem_usage"] = importlib.util.find_spec("accelerate") is not None
    else:
        options["dtype"] = wanted
    module, info = kind.from_pretrained(str(path), output_loading_info=True, **options)
    lacking = sorted(info["missing_keys"]) + sorted(str(k) for k in info["mismatched_keys"])
    return Network(module, None, tuple(lacking))


def load_part(card: Card, folder: ModelFolder, part: str, device: str, dtype: str) -> Any:
    """One component of a family: a module that computes on ``device`` in ``dtype``, its weights
    absent (``load_module``), a tokenizer or processor, or the settings of a scheduler.

    Raises:
        CatalogError: it is missing or broken, or of a class that the family does not have.
    """
    component, known = folder.component(part), card.classes.get(part, ())
    if component.kind not in known:
        raise CatalogError(
            f"{folder.path} asks for the class {component.kind!r} as its {part}; a {card.title} "
            f"model has {', '.join(known) or 'no such component'} there, and nothing else is used."
        )
    if "Scheduler" in component.kind:
        return dict(component.config)
    if "Tokenizer" in component.kind or "Processor" in component.kind:
        return load_tokenizer(component.kind, component.path)
    _quiet()
    library = "diffusers" if component.library == "diffusers" else "transformers"
    kind = getattr(importlib.import_module(library), component.kind)
    if component.bare is not None:
        from backend.models.bare import load_bare

        return load_bare(library, kind, component, device, dtype)
    if not component.nbytes:
        raise CatalogError(
            f"{folder.path} has no weights for the {part} of this {card.title} model. Name the "
            f"file of its {part} ({component.kind}) too."
        )
    return load_module(library, kind, component.path, device, dtype, component.variant)


def load_tokenizer(kind: str, path: Path) -> Any:
    """A tokenizer or processor of a class of transformers, from the files in ``path``.

    Raises:
        CatalogError: the files cannot be read.
    """
    _quiet()
    import transformers

    try:
        return getattr(transformers, kind).from_pretrained(str(path), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CatalogError(
            f"The tokenizer in {path} cannot be read ({str(error)[:200]}). Get it again."
        ) from error
