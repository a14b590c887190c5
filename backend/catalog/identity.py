"""What a model file or folder turned out to be, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Found:
    """One part of a file: what it is, and under which prefix its tensors stand.

    ``pack`` and ``form`` name the signature that fitted; ``also`` are other packs whose signatures
    fit as well (Flux and SD3 have VAEs of one shape).
    """

    part: str
    kind: str
    pack: str
    form: str
    prefix: str = ""
    precision: str = ""
    nbytes: int = 0
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Near:
    """The signature that an unknown file comes nearest to; ``differs`` is the first difference."""

    pack: str
    title: str
    part: str
    form: str
    matched: int
    total: int
    differs: str


@dataclass(frozen=True)
class Identity:
    """What a file is.

    ``kind`` is ``checkpoint`` (several parts of a model in one file), ``folder`` (a diffusers
    folder), ``lora``, ``embedding``, ``unknown``, or the kind of a pack's part: ``denoiser``,
    ``text``, ``vae``, ``controlnet``, ``upscaler`` and so on. ``family`` is "" where it is not
    known or several families share the file; ``families`` are all that it may serve, the likeliest
    first. ``pack`` is the name of the pack (of a LoRA, of the table of targets) and ``also`` those
    that fit as well. ``precision`` is the type that most bytes have: a safetensors name
    (``BF16``, ``F8_E4M3``), ``NF4``, or a GGUF type (``Q4_K``). ``nbytes`` are those of weights.
    """

    kind: str
    title: str = ""
    family: str = ""
    families: tuple[str, ...] = ()
    pack: str = ""
    form: str = ""
    precision: str = ""
    nbytes: int = 0
    parameters: int = 0
    spaces: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    parts: tuple[Found, ...] = ()
    also: tuple[str, ...] = ()
    rank: int = 0
    near: Near | None = None

    @property
    def sentence(self) -> str:
        """What it is, in a sentence for people."""
        if self.kind != "unknown":
            rank = f", rank {self.rank}" if self.rank else ""
            others = f"; {', '.join(self.also)} would fit as well" if self.also else ""
            return f"{self.title} ({KINDS.get(self.kind, self.kind)}{rank}{others})."
        if self.near is None:
            return "Unknown: no tensor is called as in any model that is known."
        near = self.near
        return (
            f"Unknown. The nearest is the {near.part} of {near.title}, of which {near.matched} of "
            f"{near.total} tensors are as they should be; {near.differs}."
        )


KINDS: Mapping[str, str] = MappingProxyType(
    {
        "denoiser": "denoiser", "text": "text encoder", "vae": "VAE", "vision": "image encoder",
        "controlnet": "ControlNet", "ip-adapter": "IP-Adapter", "t2i-adapter": "T2I-Adapter",
        "lora": "LoRA", "embedding": "embedding", "checkpoint": "checkpoint",
        "folder": "model folder", "upscaler": "upscaler", "motion": "motion module",
        "taesd": "tiny VAE", "other": "other network", "unknown": "unknown",
    }
)  # fmt: skip
"""The kinds as people read them."""


def to_plain(identity: Identity) -> dict[str, Any]:
    """An identity as JSON values."""
    plain = {name: getattr(identity, name) for name in Identity.__dataclass_fields__}
    plain["spaces"] = dict(identity.spaces)
    plain["parts"] = [vars(found) | {"also": list(found.also)} for found in identity.parts]
    plain["near"] = None if identity.near is None else dict(vars(identity.near))
    return plain | {"also": list(identity.also), "families": list(identity.families)}


def from_plain(plain: Mapping[str, Any]) -> Identity:
    """The identity that ``to_plain`` wrote."""
    near = plain["near"]
    return Identity(
        **{
            **plain,
            "spaces": MappingProxyType(dict(plain["spaces"])),
            "parts": tuple(Found(**{**p, "also": tuple(p["also"])}) for p in plain["parts"]),
            "near": None if near is None else Near(**near),
            "also": tuple(plain["also"]),
            "families": tuple(plain["families"]),
        }
    )
