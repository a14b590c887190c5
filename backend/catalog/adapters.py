"""LoRAs and embeddings: telling their form, their rank, and the family they were trained for.

Neither has a network of its own. A LoRA names modules of the network that it changes, and the
product of its factors has their shape: the family is the one that has most of these modules. What
modules a family has is data, ``resources/configs/adapters/NAME.json`` (``docs/models.md``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from backend.catalog.errors import CatalogError
from backend.catalog.pack import packs_folder

Shapes = Mapping[str, tuple[int, ...]]


class Targets(msgspec.Struct, frozen=True):
    """The modules of a family's network that adapters change.

    ``modules`` gives the possible (out, in) sizes of each, the name written with ``_`` for dots and
    ``#`` for numbers; those of text encoders begin with ``text:``. ``bases`` are beginnings of what
    training programs call the model in metadata; ``embedding`` are the widths of its textual
    inversions by text encoder, ``emb_params`` being the only one.
    """

    family: str
    title: str
    modules: dict[str, tuple[tuple[int, int], ...]] = {}
    bases: tuple[str, ...] = ()
    embedding: dict[str, int] = {}
    name: str = ""


@dataclass(frozen=True)
class Lora:
    """A LoRA: its form and rank, the modules that it changes as tables of targets write them with
    their (out, in) sizes, and the tables that have most of these, the likeliest first."""

    form: str
    rank: int
    modules: frozenset[tuple[str, tuple[int, int]]]
    fits: tuple[Targets, ...]
    matched: int


_PAIRS = (
    (".lora_A.weight", ".lora_B.weight", "peft"),
    (".lora_A.default.weight", ".lora_B.default.weight", "peft"),
    (".lora_A.default_0.weight", ".lora_B.default_0.weight", "peft"),
    (".lora_down.weight", ".lora_up.weight", "kohya"),
    (".lora.down.weight", ".lora.up.weight", "diffusers"),
    (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight", "diffusers"),
    ("_lora1.down.weight", "_lora1.up.weight", "xlabs"),
    ("_lora2.down.weight", "_lora2.up.weight", "xlabs"),
    ("_lora.down.weight", "_lora.up.weight", "diffusers"),
    (".hada_w1_b", ".hada_w1_a", "loha"),
)
"""Endings of the factor that comes first (rank, in), of the second (out, rank), and their form."""

_FIRSTS = (
    *(down for down, _, _ in _PAIRS), ".lokr_w1", ".lokr_w1_a", ".oft_blocks", ".oft_diag", ".diff",
)  # fmt: skip
"""Endings of one tensor of each module that an adapter changes."""

_NETS = (
    "base_model.model.", "model.diffusion_model.", "diffusion_model.", "transformer_2.",
    "transformer.", "unet.", "lora_unet_", "lora_transformer_", "lora_prior_unet_", "lycoris_",
)  # fmt: skip
_TEXTS = re.compile(r"(?:lora_te\d?_|text_encoders?(?:_\d)?[._](?:[a-z0-9_]+\.transformer\.)?)")
_NUMBER = re.compile(r"[0-9](?<![^_.\n][0-9])[0-9]*(?![^_.\n])")
"""A number between dots, underscores or ends; that it begins with the digit makes it quick."""

_SECONDS = (
    *((up, (down,)) for down, up, _ in _PAIRS),
    *((f".lokr_{end}", (".lokr_w1", ".lokr_w1_a")) for end in ("w1_b", "w2", "w2_a", "w2_b")),
)  # fmt: skip
"""Endings of the other tensors of a module, and what the first one's may be."""


def load_targets(folder: Path | None = None) -> tuple[Targets, ...]:
    """Every table of targets below ``folder``, the packs' folder, by default the shipped one.

    Raises:
        CatalogError: one of them cannot be read or is not one.
    """
    home = packs_folder() if folder is None else folder
    found = []
    for path in sorted(home.glob("adapters/*.json")):
        try:
            table = msgspec.json.decode(path.read_bytes(), type=Targets)
        except (OSError, msgspec.DecodeError) as error:
            raise CatalogError(f"{path} is no table of targets: {error}. Reinstall it.") from error
        found.append(msgspec.structs.replace(table, name=path.stem))
    return tuple(found)


def read_lora(
    shapes: Shapes, tables: Iterable[Targets], metadata: Mapping[str, object]
) -> Lora | None:
    """The LoRA that these tensors are, or None where they are none.

    ``metadata`` decides only between tables that fit equally well, and without it the table of
    more modules comes first: Chroma has nearly all modules of Flux, but Flux has others too.
    """
    found = list(_factors(_unlike(shapes), shapes))
    if not found:
        return None
    modules = frozenset((target(name), sizes) for name, sizes, _, _ in found)
    form = Counter(form for _, _, _, form in found).most_common(1)[0][0]
    ranks = Counter(rank for _, _, rank, _ in found if rank)
    fits = [
        (sum(sizes in table.modules.get(name, ()) for name, sizes in modules), table)
        for table in tables
    ]
    most = max((count for count, _ in fits), default=0)
    said = _said(metadata)
    best = sorted(
        (table for count, table in fits if count == most and most),
        key=lambda table: (-_longest(table, said), -len(table.modules)),
    )
    rank = ranks.most_common(1)[0][0] if ranks else 0
    return Lora(_form(form, found[0][0]), rank, modules, tuple(best), most)


def target(module: str) -> str:
    """A module's name as tables write it: without the program's prefix, numbers as ``#``."""
    name = module.removeprefix("base_model.model.")
    text = _TEXTS.match(name)
    if text:
        name = name[text.end() :].removeprefix("text_model_").removeprefix("text_model.")
    else:
        for prefix in _NETS:
            name = name.removeprefix(prefix)
    name = name.replace(".processor.to_out", ".to_out.0").replace(".processor.to_", ".to_")
    plain = _NUMBER.sub("#", name.replace(".", "_"))
    return f"text:{plain}" if text else plain


def read_embedding(shapes: Shapes, tables: Iterable[Targets]) -> tuple[Targets, ...] | None:
    """The tables that a textual inversion fits; None where the tensors are none.

    It is one tensor, or one per text encoder, of a few rows as wide as the encoder. Under other
    names than the usual ones only a width that a table has is taken for one.
    """
    usual = {"emb_params", "clip_l", "clip_g", "t5xxl", "string_to_param.*"}
    if not shapes or len(shapes) > 4 or not all(len(s) in (1, 2) for s in shapes.values()):
        return None
    if any(len(s) == 2 and s[0] > 1024 for s in shapes.values()):
        return None
    widths = {name: shape[-1] for name, shape in shapes.items()}
    if len(widths) == 1:
        widths = {"emb_params": next(iter(widths.values()))}
    fits = tuple(table for table in tables if table.embedding == widths)
    if not fits and not set(shapes) <= usual:
        return None
    return fits


def _unlike(shapes: Shapes) -> Iterable[str]:
    """The first tensors of modules, of those that differ in nothing but their numbers only one:
    blocks repeat, and a file has hundreds of them."""
    names = list(shapes)
    plain = _NUMBER.sub("#", "\n".join(names)).split("\n")
    if len(plain) != len(names):  # a name has a line break
        plain = names
    unlike = dict(zip(zip(plain, shapes.values(), strict=True), names, strict=True))
    return dict.fromkeys(_first(name, shapes) for name in unlike.values())


def _first(name: str, shapes: Shapes) -> str:
    """The first tensor of the module that a tensor belongs to; itself where there is none."""
    for ending, firsts in _SECONDS:
        if name.endswith(ending):
            module = name[: -len(ending)]
            return next((module + first for first in firsts if module + first in shapes), name)
    return name


def _factors(
    names: Iterable[str], shapes: Shapes
) -> Iterator[tuple[str, tuple[int, int], int, str]]:
    """Module, (out, in), rank and form of each product of factors whose first tensor is named."""
    pairs = list(_PAIRS)
    for key in names:
        if not key.endswith(_FIRSTS):
            continue
        shape = shapes[key]
        for number, (down, up, form) in enumerate(pairs):
            if key.endswith(down):
                module = key[: -len(down)]
                other = shapes.get(module + up)
                if other and len(other) >= 2 and len(shape) >= 2:
                    yield module, (other[0], shape[1]), shape[0], form
                pairs.insert(0, pairs.pop(number))  # the next is most likely of the same form
                break
        else:
            module, _, leaf = key.rpartition(".")
            if leaf.startswith("lokr"):
                yield from _kronecker(shapes, module)
            elif leaf.startswith("oft"):
                yield module, (0, 0), 0, "oft"
            elif len(shape) >= 2:
                yield module, (shape[0], shape[1]), 0, "full difference"


def _kronecker(shapes: Shapes, module: str) -> Iterator[tuple[str, tuple[int, int], int, str]]:
    """A LoKr module: the Kronecker product of two matrices, either of them maybe in factors."""
    sizes, rank = [1, 1], 0
    for which in ("lokr_w1", "lokr_w2"):
        whole = shapes.get(f"{module}.{which}")
        left, right = shapes.get(f"{module}.{which}_a"), shapes.get(f"{module}.{which}_b")
        if whole is not None and len(whole) >= 2:
            pair = whole[:2]
        elif left is not None and right is not None and len(left) >= 2 and len(right) >= 2:
            pair, rank = (left[0], right[1]), right[0]
        else:
            return
        sizes = [sizes[0] * pair[0], sizes[1] * pair[1]]
    yield module, (sizes[0], sizes[1]), rank, "lokr"


def _form(form: str, module: str) -> str:
    """``peft`` and ``kohya`` endings also stand in files that other programs name otherwise."""
    if form == "peft" and not module.startswith("base_model."):
        return (
            "diffusers" if module.startswith(("transformer", "unet.", "text_enc")) else "original"
        )
    if form == "kohya" and not module.startswith("lora_"):
        return "original"
    return form


def _said(metadata: Mapping[str, object]) -> str:
    """What the file itself says it was trained on."""
    keys = ("modelspec.architecture", "ss_base_model_version", "base_model", "ss_sd_model_name")
    return " ".join(str(metadata[key]).lower() for key in keys if key in metadata)


def _longest(table: Targets, said: str) -> int:
    return max((len(base) for base in table.bases if base in said), default=0)
