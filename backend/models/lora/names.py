"""The names of tensors in adapter files: which network and module each belongs to. Light.

diffusers and PEFT write ``transformer.blocks.0.to_q.lora_A.weight``, with dots; kohya's trainers
write ``lora_unet_blocks_0_to_q.lora_down.weight``, where underscores stand for dots too; older
diffusers files have ``.lora.down.weight`` and ``..._lora.down.weight``. LyCORIS writes its other
forms by the same names of modules. Differences of whole weights and biases (``.diff``, ``.diff_b``)
stand beside factors of the same module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_ROLES = tuple(
    (re.compile(ending + "$"), kind, role)
    for ending, kind, role in (
        (r"\.lora_A(\.[\w-]+)?\.weight", "lora", "down"),
        (r"\.lora_B(\.[\w-]+)?\.weight", "lora", "up"),
        (r"(\.lora_|\.lora\.|_lora\.|\.lora_linear_layer\.|(?<=_lora[12])\.)down\.weight", "lora",
         "down"),
        (r"(\.lora_|\.lora\.|_lora\.|\.lora_linear_layer\.|(?<=_lora[12])\.)up\.weight", "lora",
         "up"),
        (r"\.hada_(?P<role>w[12]_[ab])", "loha", ""),
        (r"\.lokr_(?P<role>w[12](_[ab])?)", "lokr", ""),
        (r"\.(diff|w_norm)", "full", "weight"),
        (r"\.(diff_b|b_norm)", "full", "bias"),
        (r"\.(lora_)?alpha", "", "alpha"),
    )
)  # fmt: skip
"""Endings of names, the form that each tells of, and what the tensor is in it."""

_OTHER = re.compile(
    r"\.(dora_scale|lora_magnitude_vector(\.[\w-]+)?(\.weight)?|hada_t\w+|lokr_t\w+"
    r"|lora_mid\.weight|oft_\w+|lora_[AB](\.[\w-]+)?\.bias|on_input|scalar)$"
)
FORMS = {
    "dora": "DoRA", "magnitude": "DoRA", "hada": "Tucker LoHa", "lokr": "Tucker LoKr",
    "mid": "Tucker LoCon", "oft": "OFT", "bias": "LoRA with bias", "on_input": "IA3",
    "scalar": "LyCORIS with a scalar",
}  # fmt: skip

_PARTS = (
    ("lora_te1_", "text_encoder"), ("lora_te2_", "text_encoder_2"), ("lora_te3_", "text_encoder_3"),
    ("lora_te_", "text_encoder"), ("text_encoder_2.", "text_encoder_2"),
    ("text_encoder_3.", "text_encoder_3"), ("text_encoder.", "text_encoder"),
    ("text_encoders.clip_l.transformer.", "text_encoder"),
    ("text_encoders.clip_g.transformer.", "text_encoder_2"),
    ("lora_unet_", ""), ("lora_transformer_", ""), ("lycoris_", ""), ("transformer.", ""),
    ("unet.", ""), ("base_model.model.", ""), ("model.diffusion_model.", ""),
    ("diffusion_model.", ""),
)  # fmt: skip
"""What stands before a module's name, and whose module it is; "" is the denoiser."""

_WHOLE: Mapping[str, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        "lora": (frozenset({"down", "up"}),),
        "loha": (frozenset({"w1_a", "w1_b", "w2_a", "w2_b"}),),
        "lokr": tuple(
            frozenset(first) | frozenset(second)
            for first in (("w1",), ("w1_a", "w1_b"))
            for second in (("w2",), ("w2_a", "w2_b"))
        ),
        "full": tuple(map(frozenset, (("weight",), ("bias",), ("weight", "bias")))),
    }
)
"""By form: the factors that a module must have."""


_SHOWN, _LONGEST = 3, 100
"""Unknown names that are told, and characters of each; a stranger made them up."""


@dataclass(frozen=True)
class Entry:
    """What a file holds for one module: its form and the names of its tensors by their role. One
    with factors and whole differences has two entries.

    ``part`` is the component of the text encoder, or "" for the denoiser; ``module`` is the name
    in it, with dots or, in kohya's form, with underscores in their place.
    """

    part: str
    module: str
    kind: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class Parsed:
    """What the names of a file say: its entries, modules that lack some of their factors, and
    names that are neither."""

    entries: tuple[Entry, ...]
    torn: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def form(self) -> str:
        """The name of the first form that cannot be laid on, or "" if all can."""
        for name in self.others:
            if found := _OTHER.search(name):
                return next(title for sign, title in FORMS.items() if sign in found[0])
        return ""

    @property
    def unused(self) -> str:
        """A sentence on the tensors that have no effect, or "" if all have."""
        if not self.others:
            return ""
        count = len(self.others)
        more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
        shown = ", ".join(name[:_LONGEST] for name in self.others[:_SHOWN])
        have = "tensors of this file have" if count > 1 else "tensor of this file has"
        return (
            f"{count} {have} no effect, since no known adapter has such names: {shown}{more}. "
            "All else is laid on."
        )


def parse(names: Iterable[str]) -> Parsed:
    """Sort the tensor names of an adapter file into entries by module."""
    bases: dict[tuple[str, bool], dict[str, str]] = {}
    kinds: dict[tuple[str, bool], str] = {}
    others: list[str] = []
    for name in names:
        base, kind, role = _role(name)
        if role:
            key = base, kind == "full"
            bases.setdefault(key, {})[role] = name
            kinds[key] = kind or kinds.get(key, "")
        else:
            others.append(name)
    entries, torn = [], []
    for (base, whole), found in bases.items():
        kind = kinds[base, whole]
        if kind and found.keys() - {"alpha"} in _WHOLE[kind]:
            part, module = split(base)
            entries.append(Entry(part, module, kind, MappingProxyType(found)))
        elif kind:
            torn.append(base)
        else:  # an alpha of nothing
            others += found.values()
    return Parsed(tuple(entries), tuple(torn), tuple(others))


def _role(name: str) -> tuple[str, str, str]:
    for ending, kind, role in _ROLES:
        if found := ending.search(name):
            return name[: found.start()], kind, role or found["role"]
    return name, "", ""


def split(base: str) -> tuple[str, str]:
    """The part and the module that a name without its ending stands for."""
    part, again = "", True
    while again:
        again = False
        for prefix, owner in _PARTS:
            if base.startswith(prefix):
                part, base, again = part or owner, base[len(prefix) :], True
                break
    base = re.sub(r"\.processor\.to_out$", ".to_out.0", base)
    return part, base.replace(".processor.to_", ".to_")
