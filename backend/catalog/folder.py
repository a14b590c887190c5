"""Reading a model folder: what is in it, without reading weights.

The diffusers layout: ``model_index.json`` names each component's library and class; a sub-folder
per component holds its config and, where it has weights, safetensors (one file, or shards and an
index). The transformers layout, of language models: all of it in one folder, without an index.
Whatever is wrong is found here, before anything heavy is imported.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Any

import blake3

from backend.catalog.errors import CatalogError
from backend.catalog.header import Header, read_header

MAX_JSON = 32 * 2**20
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.(?:safetensors|gguf)$")
"""What programs call the files of a model that was cut into several."""
VARIANT = re.compile(r"[^.]+\.([^.]+?)(?:-\d+-of-\d+)?\.safetensors")
BESIDE = ("safety_checker", "feature_extractor")
"""Components that no run here asks for; folders often come without them, though the index names
them."""

NETWORK = "language_model"
"""The name of the network in a folder of the transformers layout, which names no components."""
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json",
    "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "chat_template.json",
)  # fmt: skip
PROCESSOR_FILES = (
    "processor_config.json", "preprocessor_config.json", "image_processor_config.json",
    "video_preprocessor_config.json",
)  # fmt: skip
SAMPLE = 32
"""How many tensor names a component keeps to be recognised by."""


@dataclass(frozen=True)
class Bare:
    """Weights in a file without a config: the naming of its tensors (a form of the pack that it was
    recognised by) and what stands before them."""

    file: Path
    form: str
    prefix: str = ""


@dataclass(frozen=True)
class Component:
    """One part of a model: a network, a tokenizer, or a scheduler's settings.

    ``path`` is the folder of its config; ``files`` are its files by path relative to the model
    folder or absolute, the weights first; ``dtype`` is
    the safetensors name of the type most weight bytes have ("" without weights); ``nbytes`` are
    the bytes of its weights; ``keys`` are the first names of its tensors in order, with shapes.
    """

    name: str
    library: str
    kind: str
    config: Mapping[str, Any]
    path: Path
    files: tuple[str, ...]
    dtype: str
    nbytes: int
    parameters: int
    keys: Mapping[str, tuple[int, ...]]
    fast: str
    bare: Bare | None = None

    @property
    def variant(self) -> str:
        """The variant in the name of its weight files, ``fp16`` in ``model.fp16.safetensors``."""
        named = VARIANT.match(Path(self.files[0]).name)
        return named[1] if named else ""


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
        else _component(path, name, library, kind)
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
    weights = _weight_files(path, named[0], "transformers")
    headers = {file: read_header(file) for file in weights}
    files = [*weights, path / "config.json"]
    found = [_weighed(path, NETWORK, "transformers", named[0], config, files, headers)]
    for part, names in (("tokenizer", TOKENIZER_FILES), ("processor", PROCESSOR_FILES)):
        there = [path / name for name in names if (path / name).is_file()]
        # The first few of each list are what makes it one; the others only add to it.
        if any(file.name in names[:4] for file in there):
            settings = there[0] if part == "processor" else path / "tokenizer_config.json"
            about = read_json(settings) if settings.is_file() else {}
            kind = str(about.get(f"{part}_class") or part.capitalize())
            found.append(_plain(path, part, "transformers", kind, there, about))
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


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CatalogError: it is missing, too large, not JSON, or not an object.
    """
    try:
        about = path.stat()
        if stat.S_ISFIFO(about.st_mode):  # opening it would wait for a writer
            raise CatalogError(f"{path} is a pipe, not a file. Get the model folder again.")
        if about.st_size > MAX_JSON:
            raise CatalogError(f"{path} is larger than {MAX_JSON} bytes. Get the file again.")
        raw = path.read_bytes()
    except OSError as error:
        raise CatalogError(
            f"{path} cannot be read ({error.strerror}). Get the model folder again."
        ) from error
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CatalogError(
            f"{path} is not valid JSON ({type(error).__name__}: {str(error)[:80]}). "
            "Get the file again."
        ) from error
    if not isinstance(value, dict):
        raise CatalogError(f"{path} should hold a JSON object. Get the file again.")
    return value


def _component(root: Path, name: str, library: str, kind: str) -> Component:
    place = root / name
    if name in BESIDE:
        files = [f for f in sorted(place.iterdir()) if f.suffix == ".json"]
        return _plain(root, name, library, kind, files, {})
    # A name that is too long is one of no folder, which os.path says and Path.is_dir does not.
    if name in ("", "..") or Path(name).name != name or not os.path.isdir(place):
        raise CatalogError(
            f"{root} has no folder {name[:200]!r}, which its model_index.json names ({kind[:80]}). "
            "Get the missing files of this model."
        )
    if "Tokenizer" in kind or "Processor" in kind or "FeatureExtractor" in kind:
        settings = place / "tokenizer_config.json"
        config = read_json(settings) if settings.is_file() else {}
        return _plain(root, name, library, kind, _settings_files(place, kind), config)
    if "Scheduler" in kind:
        settings = place / "scheduler_config.json"
        return _plain(root, name, library, kind, [settings], read_json(settings))
    if kind.endswith("Guidance"):
        settings = place / "guider_config.json"
        return _plain(root, name, library, kind, [settings], read_json(settings))
    settings = place / "config.json"
    config = read_json(settings)
    weights = _weight_files(place, kind, library)
    headers = {file: read_header(file) for file in weights}
    return _weighed(root, name, library, kind, config, [*weights, settings], headers)


def settings_component(place: Path, name: str, library: str, kind: str) -> Component:
    """A component without weights: a tokenizer, a scheduler, or the config of a network alone.

    Raises:
        CatalogError: its settings are missing or broken.
    """
    if "Tokenizer" in kind or "Processor" in kind:
        files = _settings_files(place, kind)
        file = place / "tokenizer_config.json"
        config = read_json(file) if file.is_file() else {}
    else:
        file = place / ("scheduler_config.json" if "Scheduler" in kind else "config.json")
        files, config = [file], read_json(file)
    return Component(
        name, library, kind, MappingProxyType(dict(config)), place, tuple(map(str, files)),
        "", 0, 0, MappingProxyType({}), _fast(place, files, {}),
    )  # fmt: skip


def _plain(
    root: Path,
    name: str,
    library: str,
    kind: str,
    files: list[Path],
    config: Mapping[str, Any],
) -> Component:
    return Component(
        name, library, kind, MappingProxyType(dict(config)), root / name, _relative(root, files),
        "", 0, 0, MappingProxyType({}), _fast(root, files, {}),
    )  # fmt: skip


def _weighed(
    root: Path,
    name: str,
    library: str,
    kind: str,
    config: Mapping[str, Any],
    files: list[Path],
    headers: Mapping[Path, Header],
) -> Component:
    tensors = {k: t for header in headers.values() for k, t in header.tensors.items()}
    by_type: Counter[str] = Counter()
    for tensor in tensors.values():
        by_type[tensor.dtype] += tensor.nbytes
    count = sum(reduce(lambda a, b: a * b, t.shape, 1) for t in tensors.values())
    return Component(
        name,
        library,
        kind,
        MappingProxyType(dict(config)),
        root / name,
        _relative(root, files),
        by_type.most_common(1)[0][0] if by_type else "",
        sum(by_type.values()),
        count,
        MappingProxyType({k: tensors[k].shape for k in sorted(tensors)[:SAMPLE]}),
        _fast(root, files, {file: header.digest for file, header in headers.items()}),
    )


def _settings_files(place: Path, kind: str) -> list[Path]:
    files = sorted(f for f in place.iterdir() if f.suffix in (".json", ".txt", ".model"))
    if not files:
        raise CatalogError(
            f"{place} is empty, but the model needs its {kind}. Get the missing files."
        )
    return files


def _weight_files(place: Path, kind: str, library: str) -> list[Path]:
    """The safetensors files of a component: the shards of its index, or the one file.

    Files without a variant go before those with one. Where both an index and a single file lie
    there, this takes the one that the library loads: transformers the file, diffusers the index.
    """
    indexes = sorted(place.glob("*.safetensors.index*.json"), key=lambda f: (len(f.name), f.name))
    single = sorted(place.glob("*.safetensors"), key=lambda f: (len(f.name), f.name))
    if library == "transformers" and (place / "model.safetensors").is_file():
        return [place / "model.safetensors"]
    plain = place / "diffusion_pytorch_model.safetensors"
    if plain.is_file() and indexes and not indexes[0].name.endswith("index.json"):
        return [plain]
    if indexes:
        named = read_json(indexes[0]).get("weight_map")
        shards = sorted({str(f) for f in named.values()}) if isinstance(named, dict) else []
        if not shards or any(Path(s).name != s or not s.endswith(".safetensors") for s in shards):
            raise CatalogError(f"{indexes[0]} names no sound list of shards. Get the file again.")
        missing = [s for s in shards if not os.path.isfile(place / s)]
        if missing:
            raise CatalogError(
                f"{place} lacks {len(missing)} of {len(shards)} weight files, the first is "
                f"{missing[0][:200]!r}. Get the missing files."
            )
        return [place / s for s in shards]
    if single:
        return [single[0]]
    pickles = sorted(f.name for f in place.iterdir() if f.suffix in PICKLES)
    if pickles:
        raise CatalogError(
            f"{place} holds its weights only as a pickle ({pickles[0]}), which can run code when "
            "it is read, so it is refused. Load it in a throw-away environment with torch.load("
            "file, weights_only=True) and save it with safetensors.torch.save_file, or get the "
            "model's safetensors version."
        )
    raise CatalogError(f"{place} has no weights for its {kind}. Get the missing safetensors file.")


def _fast(root: Path, files: list[Path], digests: Mapping[Path, str]) -> str:
    """Digest of names, sizes, times and (of weights) headers."""
    facts = []
    for file in files:
        about = file.stat()
        name = file.relative_to(root).as_posix()
        facts.append([name, about.st_size, about.st_mtime_ns, digests.get(file, "")])
    return blake3.blake3(json.dumps(sorted(facts)).encode()).hexdigest()


def _relative(root: Path, files: list[Path]) -> tuple[str, ...]:
    return tuple(file.relative_to(root).as_posix() for file in files)
