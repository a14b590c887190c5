"""A component of a pipeline from a single weight file, with the config of the model's folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.catalog.components import Bare, Component
from backend.catalog.errors import CatalogError
from backend.catalog.gguf import read_gguf
from backend.catalog.header import read_header
from backend.models.bare import load_bare
from backend.models.pipelines.quiet import hush

BEFORE = ("", "model.diffusion_model.", "diffusion_model.", "vae.", "first_stage_model.")
"""What programs put before the names of a network's tensors."""


def load_single(kind: Any, component: Component, dtype: str, hold: bool = True) -> Any:
    """A network of class ``kind`` from ``component.bare.file``, on the CPU, in eval mode.

    Its weights are absent, as those of ``loading.load_module``. A file in diffusers' naming goes
    into any class. One in its authors' naming goes through the
    converter that diffusers has for the class.

    Raises:
        CatalogError: diffusers cannot read such a file as this class, or weights are missing.
    """
    assert component.bare is not None
    file = component.bare.file
    gguf = file.suffix.lower() == ".gguf"
    there = set(read_gguf(file).shapes if gguf else read_header(file).tensors)
    own = _names(kind, component)
    counts = {before: sum(before + name in there for name in own) for before in BEFORE}
    before = max(counts, key=lambda each: counts[each])
    if _converts(kind):
        complete = counts[before] == len(own) and not gguf
        bare = Bare(file, "diffusers", before) if complete else Bare(file, "original")
    elif counts[before] and not gguf:
        bare = Bare(file, "diffusers", before)
    else:
        raise CatalogError(
            f"{file} cannot be read as {kind.__name__}: of this class diffusers reads safetensors "
            "in its own naming only. Get the model in the diffusers layout."
        )
    return load_bare("diffusers", kind, replace(component, bare=bare), "cpu", dtype, hold)


def _names(kind: Any, component: Component) -> list[str]:
    """The names of a network's weights by its config."""
    from backend.memory.skeleton import hollow

    hush()
    with hollow():
        module = kind.from_config(kind.load_config(str(component.path), local_files_only=True))
    return list(module.state_dict())


def _converts(kind: Any) -> bool:
    """Whether diffusers has a converter for a class."""
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    return any(each.__name__ in SINGLE_FILE_LOADABLE_CLASSES for each in kind.__mro__)
