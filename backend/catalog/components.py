"""One component of a model folder: its config, its files, and the headers of its weights."""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
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


def read_component(root: Path, name: str, library: str, kind: str) -> Component:
    """The component ``name`` of a model folder, a ``kind`` of a ``library`` by its index.

    Raises:
        CatalogError: one of its files is missing, broken, cut short or a pickle.
    """
    place = root / name
    if name in BESIDE:
        files = [f for f in sorted(place.iterdir()) if f.suffix == ".json"]
        return plain_component(root, name, library, kind, files, {})
    # A name that is too long is one of no folder, which os.path says and Path.is_dir does not.
    if name in ("", "..") or Path(name).name != name or not os.path.isdir(place):
        raise CatalogError(
            f"{root} has no folder {name[:200]!r}, which its model_index.json names ({kind[:80]}). "
            "Get the missing files of this model."
        )
    if "Tokenizer" in kind or "Processor" in kind or "FeatureExtractor" in kind:
        settings = place / "tokenizer_config.json"
        config = read_json(settings) if settings.is_file() else {}
        return plain_component(root, name, library, kind, _settings_files(place, kind), config)
    if "Scheduler" in kind:
        settings = place / "scheduler_config.json"
        return plain_component(root, name, library, kind, [settings], read_json(settings))
    if kind.endswith("Guidance"):
        settings = place / "guider_config.json"
        return plain_component(root, name, library, kind, [settings], read_json(settings))
    settings = place / "config.json"
    config = read_json(settings)
    weights = weight_files(place, kind, library)
    headers = {file: read_header(file) for file in weights}
    return weighed_component(root, name, library, kind, config, [*weights, settings], headers)


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


def plain_component(
    root: Path,
    name: str,
    library: str,
    kind: str,
    files: list[Path],
    config: Mapping[str, Any],
) -> Component:
    """A component without weights, of these files below ``root``."""
    return Component(
        name, library, kind, MappingProxyType(dict(config)), root / name, _relative(root, files),
        "", 0, 0, MappingProxyType({}), _fast(root, files, {}),
    )  # fmt: skip


def weighed_component(
    root: Path,
    name: str,
    library: str,
    kind: str,
    config: Mapping[str, Any],
    files: list[Path],
    headers: Mapping[Path, Header],
) -> Component:
    """A component with weights, as the headers of its weight files describe them."""
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


def weight_files(place: Path, kind: str, library: str) -> list[Path]:
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
