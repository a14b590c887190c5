"""Saying what a weight file is from its header alone.

The tensors are compared with the signatures of the packs (``match``), then with the forms that
adapters have (``adapters``); what is left is unknown, and its nearest is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from types import MappingProxyType

import blake3
import msgspec

from backend.catalog.adapters import Targets, load_targets, read_embedding, read_lora
from backend.catalog.components import PICKLES
from backend.catalog.disguise import is_pickle, pickle_sentence
from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.catalog.gguf import read_gguf
from backend.catalog.header import TensorInfo, read_header
from backend.catalog.identity import Found, Identity
from backend.catalog.match import (
    Match,
    Shapes,
    choose,
    find_matches,
    nearest,
    under_any_prefix,
    under_known_prefixes,
)
from backend.catalog.pack import Book, Pack, load_book

Tensors = Mapping[str, TensorInfo]


RULES = 1
"""Raised when the rules of this module change, so that what was identified before is redone."""


@dataclass(frozen=True)
class Knowledge:
    """All that files are told by: the packs, and the tables of what adapters change."""

    book: Book
    targets: tuple[Targets, ...] = ()

    @property
    def digest(self) -> str:
        """Another one whenever a file might be told otherwise than before."""
        told = [list(self.book.packs.values()), self.targets, RULES]
        return blake3.blake3(msgspec.json.encode(told)).hexdigest()


def shipped_knowledge(home: Path | None = None) -> Knowledge:
    """What Weft ships, or what lies in another folder of packs.

    Raises:
        CatalogError: a shipped file is broken.
    """
    return Knowledge(load_book(home), load_targets(home))


def identify_file(path: Path, knowledge: Knowledge) -> tuple[Identity, str]:
    """What one weight file is, and the digest of its header.

    Raises:
        CatalogError: it is a pickle, or its header is broken or lies.
    """
    start = _beginning(path)
    if start[:4] == b"GGUF":
        gguf = read_gguf(path, any_type=True)
        words = {key: value for key, value in gguf.metadata.items() if isinstance(value, str)}
        found = identify(gguf.tensors, knowledge, words, path.name, shapes=gguf.shapes)
        return found, gguf.digest
    if path.suffix.lower() in PICKLES or is_pickle(start):
        raise CatalogError(pickle_sentence(path))
    header = read_header(path)
    return identify(header.tensors, knowledge, header.metadata, path.name), header.digest


def identify(
    tensors: Tensors,
    knowledge: Knowledge,
    metadata: Mapping[str, str] = MappingProxyType({}),
    name: str = "",
    *,
    shapes: Shapes | None = None,
) -> Identity:
    """What a file with these tensors is.

    ``metadata`` and the file's ``name`` only decide between answers that the tensors allow
    equally. ``shapes`` replaces the tensors' own where a format stores them in another shape.
    """
    shapes = {key: info.shape for key, info in tensors.items()} if shapes is None else shapes
    book = knowledge.book
    adapter = None
    matches = under_known_prefixes(shapes, book)
    if not matches:
        adapter = _of_adapter(shapes, knowledge, metadata)
        matches = [] if adapter else under_any_prefix(shapes, book)
    if matches:
        found = _of_parts(tensors, shapes, matches, book, name)
    else:
        found = adapter or _unknown(shapes, book)
    by_type = bytes_by_type(tensors)
    most, nbytes = _most(by_type, tensors), sum(by_type.values())
    parts = found.parts
    if len(parts) == 1:
        parts = (replace(parts[0], precision=most, nbytes=nbytes),)
    return replace(
        found,
        precision=most,
        nbytes=nbytes,
        parameters=sum(map(prod, shapes.values())),
        parts=parts,
    )


def identify_folder(folder: ModelFolder, knowledge: Knowledge) -> Identity:
    """What a diffusers folder is: by its network's tensors, else by its classes.

    Raises:
        CatalogError: a weight file is broken.
    """
    book = knowledge.book
    tensors: dict[str, TensorInfo] = {}
    parts: list[Found] = []
    for component in folder.components.values():
        if not component.nbytes:
            continue
        own: dict[str, TensorInfo] = {}
        for file in component.files:
            if file.endswith(".safetensors"):
                own.update(read_header(folder.path / file).tensors)
        tensors |= {f"{component.name}.{key}": info for key, info in own.items()}
        shapes = {key: info.shape for key, info in own.items()}
        fits = [m for m in find_matches(shapes, book) if not m.prefix]
        parts += [
            replace(found, part=component.name, nbytes=component.nbytes, precision=component.dtype)
            for found in choose(fits, folder.path.name)[:1]
        ]
    net = next((part for part in parts if part.kind == "denoiser"), None)
    # Of packs with the same tensors, such as FLUX.1 dev and Kontext, the classes may tell.
    fitting = [book.packs[name] for name in (net.pack, *net.also)] if net else []
    pack = _by_classes(folder, fitting or _of_its_classes(folder, book))
    return Identity(
        kind="folder",
        title=pack.title if pack and net else folder.pipeline or "Model",
        family=pack.family if pack else "",
        families=_families([pack] if pack else []),
        pack=pack.name if pack and net else "",
        form="diffusers",
        precision=precision(tensors),
        nbytes=folder.nbytes,
        parameters=sum(c.parameters for c in folder.components.values()),
        spaces=MappingProxyType(dict(pack.spaces) if pack and net else {}),
        parts=tuple(parts),
        also=tuple(other.name for other in fitting if other is not pack),
    )


def precision(tensors: Tensors) -> str:
    """The type that most bytes have; of weights that bitsandbytes packed into bytes, what in."""
    return _most(bytes_by_type(tensors), tensors)


def bytes_by_type(tensors: Tensors) -> dict[str, int]:
    """How many bytes each type has."""
    by_type: dict[str, int] = {}
    for info in tensors.values():
        by_type[info.dtype] = by_type.get(info.dtype, 0) + info.nbytes
    return by_type


def _most(by_type: Mapping[str, int], tensors: Tensors) -> str:
    most = max(by_type, key=lambda kind: by_type[kind], default="")
    if most == "U8":
        for kind in ("nf4", "fp4"):
            if any(key.endswith(f"quant_state.bitsandbytes__{kind}") for key in tensors):
                return kind.upper()
    return most


def _of_parts(
    tensors: Tensors, shapes: Shapes, matches: list[Match], book: Book, name: str
) -> Identity:
    chosen = choose(matches, name)
    net = next((part for part in chosen if part.kind == "denoiser"), None)
    if net and len(chosen) > 1:
        chosen = choose(matches, name, book.packs[net.pack].family)
    chosen.sort(key=lambda part: part.kind != "denoiser")
    if net:
        chosen = [_as_named_by(book.packs[net.pack], part) for part in chosen]
    if len(chosen) > 1:
        chosen = [_weighed(part, tensors) for part in chosen]
    best = chosen[0]
    pack = book.packs[best.pack]
    whole = len(chosen) > 1 or (net is not None and _has_more(pack, best, shapes))
    packs = [pack, *(book.packs[other] for other in best.also)]
    families = _families(packs)
    return Identity(
        kind="checkpoint" if whole else best.kind,
        title=_title(pack, best, whole),
        family=families[0] if len(families) == 1 else "",
        families=families,
        pack=best.pack,
        form=best.form,
        spaces=MappingProxyType(_spaces(packs, best, whole)),
        parts=tuple(chosen),
        # That many families use a shared encoder leaves no doubt about what it is.
        also=best.also if pack.family else (),
    )


def _as_named_by(pack: Pack, part: Found) -> Found:
    """In a checkpoint, a part goes by the name that the model's own pack has for its prefix."""
    for own in pack.parts:
        if part.prefix in pack.prefixes(own.part) and own.kind == part.kind:
            return replace(part, part=own.part)
    return part


def _weighed(part: Found, tensors: Tensors) -> Found:
    """A part of a checkpoint with the precision and bytes of its own tensors."""
    own = {key: info for key, info in tensors.items() if key.startswith(part.prefix)}
    nbytes = sum(info.nbytes for info in own.values())
    return replace(part, precision=precision(own), nbytes=nbytes)


def _has_more(pack: Pack, part: Found, shapes: Shapes) -> bool:
    """Whether other parts of the model lie in the file too, in a naming that no form has."""
    others = tuple(
        prefix
        for each in pack.parts
        for prefix in pack.prefixes(each.part)
        if prefix and prefix != part.prefix and not part.prefix.startswith(prefix)
    )
    return bool(others and part.prefix) and any(key.startswith(others) for key in shapes)


def _title(pack: Pack, part: Found, whole: bool) -> str:
    if whole or part.kind == "denoiser" or len(pack.parts) == 1:
        return pack.title
    names = {"text": "text encoder", "vae": "VAE"}
    return f"{pack.title} {names.get(part.kind, part.kind)}"


def _spaces(packs: list[Pack], part: Found, whole: bool) -> dict[str, str]:
    """The spaces that all packs agree on, of those that matter to this kind of part."""
    wanted = {"vae": ("latent",), "text": ("text",), "denoiser": ("latent", "text")}
    found = {}
    for key in ("latent", "text") if whole else wanted.get(part.kind, ()):
        names = {pack.spaces.get(key, "") for pack in packs}
        if len(names) == 1 and "" not in names:
            found[key] = names.pop()
    return found


def _families(packs: Iterable[Pack]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pack.family for pack in packs if pack.family))


def _of_adapter(
    shapes: Shapes, knowledge: Knowledge, metadata: Mapping[str, str]
) -> Identity | None:
    lora = read_lora(shapes, knowledge.targets, metadata)
    if lora is not None:
        kind, form, rank, fits = "lora", lora.form, lora.rank, lora.fits
        title = "LoRA"
    else:
        inversion = read_embedding(shapes, knowledge.targets)
        if inversion is None:
            return None
        kind, form, rank, fits = "embedding", "", 0, inversion
        title = "Textual inversion"
    families = tuple(dict.fromkeys(table.family for table in fits))
    return Identity(
        kind,
        f"{title} for {fits[0].title}" if fits else f"{title} for an unknown model",
        families[0] if families else "",
        families,
        fits[0].name if fits else "",
        form,
        also=tuple(table.name for table in fits[1:]),
        rank=rank,
    )


def _unknown(shapes: Shapes, book: Book) -> Identity:
    return Identity("unknown", "Unknown", near=nearest(shapes, book))


def _by_classes(folder: ModelFolder, packs: list[Pack]) -> Pack | None:
    """The first of the packs whose own model folder has most classes as this one has them."""
    mine = {"": folder.pipeline, **{c.name: c.kind for c in folder.components.values()}}

    def alike(pack: Pack) -> tuple[int, int]:
        return sum(mine.get(n) == kind for n, kind in pack.classes.items()), -len(pack.classes)

    return max(packs, key=alike, default=None)


def _of_its_classes(folder: ModelFolder, book: Book) -> list[Pack]:
    """The packs whose pipeline or network is of the same class."""
    nets = [name for name in ("transformer", "unet", "prior") if name in folder.components]
    wanted = {name: folder.components[name].kind for name in nets} | {"": folder.pipeline}
    return [
        pack
        for pack in book.packs.values()
        if any(kind and pack.classes.get(name) == kind for name, kind in wanted.items())
    ]


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise CatalogError(
            f"{path} cannot be read ({error.strerror}). Check that the file exists and may be read."
        ) from error
