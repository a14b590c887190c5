"""Models from the files that people have: a folder, a checkpoint in one file, or a file per part.

A file names no classes and holds no config; what it lacks comes from the pack that it is recognised
by. The result is described in the terms of a model folder, so nothing after this asks which it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import blake3
import msgspec

from backend.catalog.components import SAMPLE, SHARD, Bare, Component, read_json, settings_component
from backend.catalog.controlnets import is_controlnet, read_controlnet
from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder, read_folder
from backend.catalog.gguf import read_gguf
from backend.catalog.header import TensorInfo, read_header
from backend.catalog.identify import identify_file, precision, shipped_knowledge
from backend.catalog.match import Match, find_matches
from backend.catalog.pack import Pack, Part, load_book, make_book, packs_folder, read_pack
from backend.catalog.roots import own_folder

ENDINGS = (".safetensors", ".gguf")
DENOISERS = ("transformer", "unet")


@dataclass(frozen=True)
class _Header:
    """What a weight file of either format says of itself."""

    path: Path
    tensors: Mapping[str, TensorInfo]
    shapes: Mapping[str, tuple[int, ...]]
    digest: str


def read_source(source: str) -> ModelFolder:
    """The model behind ``Weights.source``: the path of a folder, or what ``ModelFolder.source`` of
    assembled files gave.

    Raises:
        CatalogError: a file or folder is missing, broken, or no longer what it was.
    """
    if not source.startswith("{"):
        return read_folder(Path(source))
    said = json.loads(source)
    if "folder" in said:
        files = {name: Path(file) for name, file in said["files"].items()}
        return open_beside(Path(said["folder"]), files)
    parts = {
        name: Bare(Path(file), form, prefix) for name, (file, form, prefix) in said["parts"].items()
    }
    return _assemble(Path(said["pack"]), parts)


def open_model(path: Path) -> ModelFolder:
    """The model in a folder, or in a single checkpoint file; or a ControlNet in either.

    Raises:
        CatalogError: it is broken, or it is not known what it is.
    """
    if is_controlnet(path):
        return read_controlnet(path)
    return open_files([path]) if path.is_file() else read_folder(path)


def open_beside(path: Path, files: Mapping[str, Path]) -> ModelFolder:
    """A model folder, some of whose components have their weights in files that lie elsewhere.

    ``files`` are by the names of components; ``denoiser`` is the transformer or the UNet, whichever
    the folder has. Of such a component the folder needs the config only.

    Raises:
        CatalogError: the folder or a file is broken, or they do not belong together.
    """
    check_folder(path)
    if not files:
        return read_folder(path)
    index = read_json(path / "model_index.json")
    parts = {_part_in(path, index, name): file for name, file in files.items()}
    folder = read_folder(path, parts)
    components = dict(folder.components)
    for name, file in parts.items():
        kind = components[name].library, components[name].kind
        _check_kind(name, file)
        components[name] = _weighed(path, name, kind, Bare(file, ""))
    told = {name: str(file) for name, file in parts.items()}
    said = json.dumps({"folder": str(path), "files": told}, sort_keys=True)
    return replace(folder, components=MappingProxyType(components), files=said)


def check_folder(path: Path) -> None:
    """Refuse a single file where a model's folder is needed.

    Raises:
        CatalogError: it is one.
    """
    if path.is_file():
        raise CatalogError(
            f"{path} is a single file, and what else its model needs (configs, tokenizers, text "
            "encoders) Weft ships for its own families only. Name the model's folder in the "
            "diffusers layout, and the file as its denoiser."
        )


def _part_in(path: Path, index: Mapping[str, Any], name: str) -> str:
    """The component that a file is for."""
    wanted = DENOISERS if name == "denoiser" else (name,)
    found = next((each for each in wanted if isinstance(index.get(each), list)), "")
    if not found:
        there = ", ".join(each for each, entry in index.items() if isinstance(entry, list))
        raise CatalogError(f"{path} has no {name} that a file could be for; it has {there[:200]}.")
    return found


def _check_kind(name: str, file: Path) -> None:
    """Refuse a file that is told to be something else than a component of this name."""
    found, _ = identify_file(file, shipped_knowledge())
    if found.kind not in ("unknown", "checkpoint", "vae" if name == "vae" else "denoiser"):
        raise CatalogError(f"{file} is no {name}. {found.sentence} Choose another file.")


def open_files(paths: Sequence[Path], config: str = "", packs: Path | None = None) -> ModelFolder:
    """The model that some weight files are together.

    The first file says which model it is, unless ``config`` names a pack; of the others each goes
    to the part of that model which it fits. ``packs`` is the folder of packs (the shipped ones).

    Raises:
        CatalogError: a file is broken, unknown, or no part of this model.
    """
    for path in paths:
        if path.is_dir():
            raise CatalogError(
                f"{path} is a folder. Name a file of it, or load the whole folder with load_model."
            )
    home = packs or packs_folder()
    pack = _pack(home, config) if config else _recognised(home, paths[0])
    book = make_book([_with_shared_forms(pack, home)])
    parts: dict[str, Bare] = {}
    for path in paths:
        header = _read(path)
        fitting = find_matches(header.shapes, book)
        found = _assigned(pack, fitting, parts.keys())
        if not found:
            raise CatalogError(_no_part(path, pack, fitting, home))
        parts |= {
            name: Bare(path, match.signature.form.name, match.prefix)
            for name, match in found.items()
        }
    return _assemble(home / pack.name, parts)


def _pack(home: Path, name: str) -> Pack:
    if Path(name).name != name or not (home / name / "model_index.json").is_file():
        known = sorted(p.parent.name for p in home.glob("*/model_index.json"))
        raise CatalogError(f"There is no config {name!r}. Choose one of {', '.join(known)}.")
    return read_pack(home / name)


def _recognised(home: Path, path: Path) -> Pack:
    knowledge = shipped_knowledge(home)
    found, _ = identify_file(path, knowledge)
    pack = knowledge.book.packs.get(found.pack)
    if found.kind not in ("checkpoint", "denoiser") or pack is None:
        raise CatalogError(
            f"{path} names no model that could be run: {found.sentence} Choose a checkpoint, or "
            "the file of a denoiser first."
        )
    if not (home / pack.name / "model_index.json").is_file():
        raise CatalogError(
            f"{path} is {found.sentence} Weft has no config for it; choose a folder in the "
            "diffusers layout instead."
        )
    return pack


def _with_shared_forms(pack: Pack, home: Path) -> Pack:
    """The pack, its text encoders also in the forms that packs of shared encoders know: the same
    encoder is told there by tensors that are called and shaped alike."""
    book = home / "names.json"
    rules = read_json(book) if book.is_file() else {}
    shared = [
        each
        for other in load_book(home).packs.values()
        if not other.family
        for each in other.parts
        if each.kind == "text"
    ]

    def widened(part: Part) -> Part:
        forms = {form.name: form for form in part.forms}
        for other in shared if part.kind == "text" else ():
            if _alike(part, other):
                for form in other.forms:
                    known = form.name in rules.get(pack.classes.get(part.part, ""), {})
                    if known or form.name in ("bare", "embedded"):
                        forms.setdefault(form.name, form)
        return msgspec.structs.replace(part, forms=tuple(forms.values()))

    return msgspec.structs.replace(pack, parts=tuple(map(widened, pack.parts)))


def _alike(one: Part, other: Part) -> bool:
    """Whether two parts have tensors of one name in a form of one name, and all of one shape."""
    forms = {form.name: form.shapes for form in other.forms}
    for form in one.forms:
        there = forms.get(form.name, {})
        common = form.shapes.keys() & there.keys()
        if common and all(form.shapes[key] == there[key] for key in common):
            return True
    return False


def _no_part(path: Path, pack: Pack, fitting: Sequence[Match], home: Path) -> str:
    if fitting:
        part = fitting[0].signature.part.part
        return (
            f"{path} is the {part} of {pack.title}, for which a file is given already. Leave one "
            "of them out."
        )
    if shard := SHARD.match(path.name):
        return (
            f"{path} is one of {int(shard[3])} shards, and a part that lies in several files is "
            "not read without its folder. Choose the folder, or a version in one file."
        )
    return f"{path} is no part of {pack.title}. {_said(path, home)} Choose files of one model."


def _said(path: Path, home: Path) -> str:
    return identify_file(path, shipped_knowledge(home))[0].sentence


def _read(path: Path) -> _Header:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"GGUF":
        found = read_gguf(path)
        return _Header(path, found.tensors, found.shapes, found.digest)
    header = read_header(path)
    shapes = {name: info.shape for name, info in header.tensors.items()}
    return _Header(path, header.tensors, shapes, header.digest)


def _assigned(pack: Pack, matches: Sequence[Match], taken: Any) -> dict[str, Match]:
    """The parts that a file stands for: each group of tensors goes to one part that is still free,
    in the pack's order, under the prefix that the pack expects there if there are several."""
    order = [part.part for part in pack.parts]
    found: dict[str, Match] = {}
    used: set[str] = set()

    def rank(match: Match) -> tuple[bool, int, int]:
        part = match.signature.part.part
        expected = match.prefix in pack.prefixes(part)
        return not expected, -match.signature.size, order.index(part)

    for match in sorted(matches, key=rank):
        part = match.signature.part.part
        if part not in found and part not in taken and not match.names & used:
            found[part] = match
            used |= match.names
    return found


def _assemble(home: Path, parts: Mapping[str, Bare]) -> ModelFolder:
    pack = read_pack(home)
    index = read_json(home / "model_index.json")
    tokenizers = home.parent.parent / "tokenizers"
    components: dict[str, Component] = {}
    lacking: dict[str, str] = {}
    for name, entry in index.items():
        if not isinstance(entry, list) or len(entry) != 2 or entry[1] is None:
            continue
        library, kind = str(entry[0]), str(entry[1])
        if name in pack.tokenizers:
            given = pack.tokenizers[name]
            place = tokenizers / given if given else own_folder() / "tokenizers" / pack.name / name
            if given or place.is_dir():
                components[name] = settings_component(place, name, library, kind)
            else:
                lacking[name] = _where_to_get(pack, name, place)
        elif name in parts:
            components[name] = _weighed(home, name, (library, kind), parts[name])
        else:
            components[name] = settings_component(home / name, name, library, kind)
    settings = {
        k: v for k, v in index.items()
        if not k.startswith("_") and isinstance(v, str | int | float | bool)
    }  # fmt: skip
    files = {name: [str(bare.file), bare.form, bare.prefix] for name, bare in parts.items()}
    first = next(iter(parts.values())).file
    return ModelFolder(
        first, str(index.get("_class_name", "")), MappingProxyType(components), settings,
        json.dumps({"pack": str(home), "parts": files}, sort_keys=True), lacking,
    )  # fmt: skip


def _where_to_get(pack: Pack, name: str, place: Path) -> str:
    """What to do about a tokenizer whose licence forbids that Weft ships it."""
    said = pack.get.get(name, {})
    files = ", ".join(str(each) for each in said.get("files", ()))
    return (
        f"The {name} of {pack.title} may not be passed on with Weft. Put its files ({files} of "
        f"{said.get('repo', pack.repo)}) into {place}, or load the model as a whole folder."
    )


def _weighed(home: Path, name: str, kind: tuple[str, str], bare: Bare) -> Component:
    header = _read(bare.file)
    own = {
        key[len(bare.prefix) :]: info
        for key, info in header.tensors.items()
        if key.startswith(bare.prefix)
    }
    stat = bare.file.stat()
    facts = [bare.file.name, stat.st_size, stat.st_mtime_ns, header.digest, bare.form, bare.prefix]
    settings = settings_component(home / name, name, *kind)
    sizes: Counter[str] = Counter()
    for info in own.values():
        sizes[info.dtype] += info.nbytes
    shapes = {key: header.shapes[bare.prefix + key] for key in own}
    return Component(
        name, *kind, settings.config, settings.path, (str(bare.file), *settings.files),
        precision(own), sum(sizes.values()), sum(_count(s) for s in shapes.values()),
        MappingProxyType({k: shapes[k] for k in sorted(shapes)[:SAMPLE]}),
        blake3.blake3(json.dumps([facts, settings.fast]).encode()).hexdigest(), bare,
    )  # fmt: skip


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total
