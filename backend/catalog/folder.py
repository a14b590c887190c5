"""Reading a model folder: what is in it, without reading weights.

The diffusers layout: ``model_index.json`` names each component's library and class; a sub-folder
per component holds its config and, where it has weights, safetensors (one file, or shards and an
index). The transformers layout, of language models: all of it in one folder, without an index.
Whatever is wrong is found here, before anything heavy is imported.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import blake3

from backend.catalog.components import (
    BESIDE,
    PROCESSOR_FILES,
    TOKENIZER_FILES,
    Component,
    plain_component,
    read_component,
    read_json,
    settings_component,
    weighed_component,
    weight_files,
)
from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header

NETWORK = "language_model"
"""The name of the network in a folder of the transformers layout, which names no components."""


@dataclass(frozen=True)
class ModelFolder:
    """A model folder as its small files and headers describe it.

    ``pipeline`` is the class name in ``model_index.json``; ``components`` keep the index's order;
    ``settings`` are the plain numbers, words and flags that stand in the index beside them. A model
    of single files has the first of them as its ``path``, and says in ``files`` which they are;
    ``lacking`` tells of components that could not be shipped where to get them.
    """

    path: Path
    pipeline: str
    components: Mapping[str, Component]
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    files: str = ""
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """What ``backend.catalog.source.read_source`` finds this model by."""
        return self.files or str(self.path)

    def component(self, name: str) -> Component:
        """The component called ``name``.

        Raises:
            CatalogError: the folder has none.
        """
        if name in self.lacking:
            raise CatalogError(self.lacking[name])
        if name not in self.components:
            raise CatalogError(
                f"{self.path} has no component {name!r} (it has {', '.join(self.components)}). "
                "Choose a complete model folder."
            )
        return self.components[name]

    def identity(self, names: Iterable[str] | None = None) -> str:
        """``fast:`` and a digest over file names, sizes, times and headers of some components.

        It changes whenever a file is touched, costs no reading of weights, and is good on this
        machine only. ``names`` chooses components (those the folder lacks are left out).
        """
        wanted = self.components if names is None else names
        parts = [(n, self.components[n].fast) for n in wanted if n in self.components]
        parts += [(n, json.dumps(value)) for n, value in self.settings.items()]
        return "fast:" + blake3.blake3(json.dumps(sorted(parts)).encode()).hexdigest()

    @property
    def nbytes(self) -> int:
        """Bytes of all weights on disk."""
        return sum(c.nbytes for c in self.components.values())


def read_folder(path: Path, without: Container[str] = ()) -> ModelFolder:
    """Describe the model folder at ``path`` from its index, configs and headers.

    Components in ``without`` are described by their configs alone; their weights lie elsewhere.

    Raises:
        CatalogError: the folder or one of its files is missing, broken, cut short or a pickle.
    """
    if not path.is_dir():
        raise CatalogError(f"{path} is no folder. Choose the folder that holds model_index.json.")
    if not (path / "model_index.json").is_file():
        if (path / "config.json").is_file() and "architectures" in read_json(path / "config.json"):
            return _transformers_folder(path)
        raise CatalogError(
            f"{path} has no model_index.json, as a diffusers model has, and no config.json with "
            "architectures, as a language model has. Choose the folder that holds one of them."
        )
    index = read_json(path / "model_index.json")
    named = {
        name: (str(entry[0]), str(entry[1]))
        for name, entry in index.items()
        if isinstance(entry, list) and len(entry) == 2 and entry[1] is not None
    }
    if not named:
        raise CatalogError(
            f"{path / 'model_index.json'} names no component. Get the model folder again."
        )
    components = {
        name: settings_component(path / name, name, library, kind)
        if name in without
        else read_component(path, name, library, kind)
        for name, (library, kind) in named.items()
        if not (name in BESIDE or kind.endswith("Scheduler")) or os.path.isdir(path / name)
    }
    settings = {
        name: value
        for name, value in index.items()
        if isinstance(value, str | int | float | bool) and not name.startswith("_")
    }
    pipeline = str(index.get("_class_name", ""))
    return ModelFolder(path, pipeline, MappingProxyType(components), MappingProxyType(settings))


def _transformers_folder(path: Path) -> ModelFolder:
    """A folder as transformers saves it: weights, tokenizer and processor beside one config."""
    config = read_json(path / "config.json")
    named = config["architectures"]
    if not isinstance(named, list) or not named or not isinstance(named[0], str):
        raise CatalogError(
            f"{path / 'config.json'} names no model class under architectures. Get the file again."
        )
    weights = weight_files(path, named[0], "transformers")
    headers = {file: read_header(file) for file in weights}
    files = [*weights, path / "config.json"]
    found = [weighed_component(path, NETWORK, "transformers", named[0], config, files, headers)]
    for part, names in (("tokenizer", TOKENIZER_FILES), ("processor", PROCESSOR_FILES)):
        there = [path / name for name in names if (path / name).is_file()]
        # The first few of each list are what makes it one; the others only add to it.
        if any(file.name in names[:4] for file in there):
            settings = there[0] if part == "processor" else path / "tokenizer_config.json"
            about = read_json(settings) if settings.is_file() else {}
            kind = str(about.get(f"{part}_class") or part.capitalize())
            found.append(plain_component(path, part, "transformers", kind, there, about))
    components = {part.name: replace(part, path=path) for part in found}
    return ModelFolder(path, named[0], MappingProxyType(components))


def content_hash(folder: ModelFolder, names: Iterable[str] | None = None) -> str:
    """``blake3:`` over the contents of all files of some components, and the settings of the
    index, wherever the folder lies.

    Reads every byte, so it takes as long as the disk does.

    Raises:
        CatalogError: a file can no longer be read.
    """
    wanted = sorted(folder.components if names is None else names)
    files = sorted(f for n in wanted if n in folder.components for f in folder.components[n].files)
    total = blake3.blake3()
    for name in files:
        try:
            hasher = blake3.blake3(max_threads=blake3.blake3.AUTO)
            hasher.update_mmap(folder.path / name)
        except OSError as error:
            raise CatalogError(
                f"{folder.path / name} cannot be read any more ({error.strerror}). "
                "Load the model again."
            ) from error
        told = Path(name).name if Path(name).is_absolute() else name
        total.update(json.dumps([told, hasher.hexdigest()]).encode())
    for name, value in sorted(folder.settings.items()):
        total.update(json.dumps([name, value]).encode())
    return "blake3:" + total.hexdigest()
