"""Packs: what is known of a model by name, and the signatures that its files are told by.

A pack is a folder ``resources/configs/NAME`` with a ``pack.json``, which ``docs/models.md``
describes. Beside it lie the configs and tokenizers that a family needs to read a bare weight file;
this module reads only the description. A ``Book`` is all packs, indexed for identification.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

import backend
from backend.catalog.errors import CatalogError

FILE = "pack.json"
MAX_BYTES = 4 * 2**20

KINDS = (
    "denoiser", "text", "vae", "vision", "controlnet", "ip-adapter", "t2i-adapter", "upscaler",
    "motion", "taesd", "other",
)  # fmt: skip
"""What a part of a pack can be."""

PREFIXES = (
    "", "model.diffusion_model.", "diffusion_model.", "model.", "transformer.", "unet.", "net.",
    "model.model.", "module.", "_orig_mod.", "first_stage_model.", "vae.", "text_encoder.",
    "text_encoder_2.", "text_model.", "cond_stage_model.", "cond_stage_model.model.",
    "cond_stage_model.transformer.", "conditioner.embedders.0.model.",
    "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model.",
    "text_encoders.clip_l.transformer.", "text_encoders.clip_g.transformer.",
    "text_encoders.t5xxl.transformer.", "control_model.", "controlnet.", "language_model.",
    "model.language_model.", "text_encoders.",
)  # fmt: skip
"""What programs put before the names of a part's tensors."""

Shape = tuple[int | None, ...]


class Form(msgspec.Struct, frozen=True):
    """One naming of a part's tensors: shapes by name (None = any size), and names it never has."""

    name: str
    shapes: dict[str, Shape]
    absent: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """A network of a model, by its name in the diffusers layout."""

    part: str
    kind: str
    forms: tuple[Form, ...] = ()


class Pack(msgspec.Struct, frozen=True):
    """What ``pack.json`` says. ``family`` is "" for what several families share.

    ``repo`` is where the model was published. ``pipeline`` is true where no native family reads
    the model, only the pipeline adapter. ``bundle`` gives, for a checkpoint that holds all parts
    in one file, each part's prefix (or prefixes). ``spaces`` names the latent and the text space.
    ``tokenizers`` are those that Weft ships, by component (None where it may not), and ``get`` is
    where the others come from. ``name`` is the folder's, and ``classes`` are those in its
    ``model_index.json``, with the pipeline's under "".
    """

    family: str
    title: str
    pipeline: bool = False
    repo: str = ""
    parts: tuple[Part, ...] = ()
    bundle: dict[str, str | tuple[str, ...]] = {}
    spaces: dict[str, str] = {}
    tokenizers: dict[str, str | None] = {}
    get: dict[str, Any] = {}
    name: str = ""
    classes: dict[str, str] = {}

    def prefixes(self, part: str) -> tuple[str, ...]:
        """What stands before the names of a part in a checkpoint of all parts."""
        given = self.bundle.get(part, ())
        return (given,) if isinstance(given, str) else given


@dataclass(frozen=True)
class Signature:
    """One form of one part of one pack, ready to be compared."""

    pack: Pack
    part: Part
    form: Form

    @cached_property
    def size(self) -> int:
        """How much it demands: known dimensions count, and so does each absence."""
        known = sum(1 + sum(n is not None for n in s) for s in self.form.shapes.values())
        return known + len(self.form.absent)

    @cached_property
    def demands(self) -> frozenset[tuple[str, object]]:
        """Everything it demands, to tell whether one signature includes another."""
        asked: set[tuple[str, object]] = {(key, None) for key in self.form.absent}
        for key, shape in self.form.shapes.items():
            asked.add((key, len(shape)))
            asked |= {(key, (place, n)) for place, n in enumerate(shape) if n is not None}
        return frozenset(asked)

    def fits(self, shapes: Mapping[str, tuple[int, ...]], prefix: str) -> bool:
        """Whether tensors under ``prefix`` are as this form has them."""
        for key, wanted in self.form.shapes.items():
            have = shapes.get(prefix + key)
            if have is None or not agrees(have, wanted):
                return False
        return not any(prefix + key in shapes for key in self.form.absent)


@dataclass(frozen=True)
class Book:
    """All packs, and where to begin comparing: signatures by one full tensor name each.

    ``anchors`` gives for a name the prefixes and signatures that it may belong to; ``endings`` the
    same names behind a dot, for prefixes that nobody foresaw.
    """

    packs: Mapping[str, Pack]
    signatures: tuple[Signature, ...]
    anchors: Mapping[str, tuple[tuple[str, Signature], ...]]
    endings: Mapping[str, tuple[Signature, ...]]


def agrees(have: tuple[int, ...], wanted: Shape) -> bool:
    """Whether a shape is the wanted one, None meaning any size."""
    return have == wanted or (
        len(have) == len(wanted)
        and all(w is None or w == h for h, w in zip(have, wanted, strict=True))
    )


def packs_folder() -> Path:
    """The packs that Weft ships."""
    return Path(backend.__file__).resolve().parent.parent / "resources" / "configs"


def load_book(folder: Path | None = None) -> Book:
    """Every pack below ``folder`` (the shipped ones by default).

    Raises:
        CatalogError: a ``pack.json`` cannot be read or is not one.
    """
    home = packs_folder() if folder is None else folder
    return make_book(read_pack(path.parent) for path in sorted(home.glob(f"*/{FILE}")))


def read_pack(folder: Path) -> Pack:
    """The pack in a folder, with the classes that a ``model_index.json`` beside it names.

    Raises:
        CatalogError: its ``pack.json`` is missing, too large, or not in the form of one.
    """
    path = folder / FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CatalogError(f"{path} is larger than {MAX_BYTES} bytes; it is no pack.")
        pack = msgspec.json.decode(path.read_bytes(), type=Pack)
    except OSError as error:
        raise CatalogError(f"{path} cannot be read ({error.strerror}).") from error
    except msgspec.DecodeError as error:
        raise CatalogError(f"{path} is no pack: {error}. Correct or reinstall it.") from error
    for fault in faults(pack):
        raise CatalogError(f"{path} is no sound pack: {fault}. Correct or reinstall it.")
    return msgspec.structs.replace(pack, name=folder.name, classes=_classes(folder))


def faults(pack: Pack) -> Iterator[str]:
    """What is wrong with a pack, each as half a sentence."""
    names = [part.part for part in pack.parts]
    if len(set(names)) < len(names):
        yield "two parts have one name"
    for part in pack.parts:
        if part.kind not in KINDS:
            yield f"part {part.part!r} has the unknown kind {part.kind!r}"
        if len({form.name for form in part.forms}) < len(part.forms):
            yield f"two forms of {part.part!r} have one name"
        for form in part.forms:
            where = f"form {form.name!r} of {part.part!r}"
            if not form.shapes:
                yield f"{where} has no shapes"
            if set(form.absent) & set(form.shapes):
                yield f"{where} demands and forbids the same tensor"
            for key, shape in form.shapes.items():
                if not key or any(n is not None and n < 1 for n in shape):
                    yield f"{where} gives {key!r} the shape {list(shape)}"
    for part_name in pack.bundle:
        if part_name not in names:
            yield f"its bundle names the part {part_name!r}, which it does not have"


def make_book(packs: Iterable[Pack]) -> Book:
    """Index packs for identification."""
    listed = {pack.name: pack for pack in packs}
    signatures = tuple(
        Signature(pack, part, form)
        for pack in listed.values()
        for part in pack.parts
        for form in part.forms
    )
    usual = Counter(key for each in signatures for key in each.form.shapes)
    given = [p for pack in listed.values() for part in pack.bundle for p in pack.prefixes(part)]
    anchors: dict[str, list[tuple[str, Signature]]] = defaultdict(list)
    endings: dict[str, list[Signature]] = defaultdict(list)
    for signature in signatures:
        rarest = min(signature.form.shapes, key=lambda key: (usual[key], key))
        endings["." + rarest].append(signature)
        for prefix in dict.fromkeys((*PREFIXES, *given)):
            anchors[prefix + rarest].append((prefix, signature))
    return Book(
        MappingProxyType(listed),
        signatures,
        MappingProxyType({key: tuple(found) for key, found in anchors.items()}),
        MappingProxyType({key: tuple(found) for key, found in endings.items()}),
    )


def _classes(folder: Path) -> dict[str, str]:
    """Component classes by name, and the pipeline's class under ``""``."""
    path = folder / "model_index.json"
    try:
        index: Any = json.loads(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise CatalogError(f"{path} cannot be read ({error}). Reinstall it.") from error
    found = {
        name: str(entry[1])
        for name, entry in index.items()
        if isinstance(entry, list) and len(entry) == 2 and entry[1]
    }
    return {"": str(index.get("_class_name", "")), **found} if index else {}
