"""The interface of a native family, the scan that finds them, and what follows from a card."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import blake3

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder, content_hash
from backend.catalog.source import read_source
from backend.diffusion.process import Denoiser
from backend.models.card import Card, ModelFacts, Space
from backend.models.tiling.tiles import WHOLE, Coding
from backend.models.tokens import TokenRow
from backend.values import (
    VAE,
    Conditioning,
    Float32,
    Image,
    Latent,
    Model,
    Params,
    TextEncoder,
    Video,
    Weights,
)

Load: TypeAlias = Callable[[Weights], Any]
"""Gives the loaded component behind a reference: ``Store.get`` bound to a device, or ``ctx.load``.

A family asks for one component at a time (``part_of(model, "scheduler")``), when it needs it, so
an expert that a run never reaches is never loaded.
"""

HASH_AT_ONCE = 256 * 2**20
"""Bytes up to which weights are hashed by content when a model is first named."""


class Family(Protocol):
    """A native family: one architecture's components, text, latents, denoiser and codec.

    Latents are unpacked and scaled as the denoiser sees them, ``[b, c, h, w]`` or, for video,
    ``[b, c, t, h, w]``; conditionings are the family's own tensors by name.
    """

    @property
    def card(self) -> Card:
        """The family as data."""

    def facts(self, folder: ModelFolder) -> ModelFacts:
        """What this model speaks and needs, from its configs. Light: no torch.

        Raises:
            CatalogError: its components do not fit together.
        """

    def load_part(self, folder: ModelFolder, part: str, device: str, dtype: str) -> Any:
        """Load one component: a module on ``device`` in ``dtype``, a tokenizer, or settings.

        ``loading.load_part`` with the family's card, unless a component needs more.
        """

    def encode_text(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        options: Params,
        load: Load,
        device: str,
    ) -> Conditioning:
        """Turn texts into one conditioning with an entry per text."""

    def token_spans(
        self, encoder: TextEncoder, text: str, options: Params, load: Load
    ) -> tuple[TokenRow, ...]:
        """The tokens of a text by each tokenizer, as ``encode_text`` reads it with these options:
        which characters each stands for and which places of the conditioning it fills.

        ``tokens.token_row`` for each tokenizer. Weights, token views and attention maps use it.
        """

    def denoiser(self, model: Model, load: Load, device: str) -> Denoiser:
        """The model ready to be called, with its path, parametrisation and schedule."""

    def encode_image(
        self,
        vae: VAE,
        image: Image,
        load: Load,
        device: str,
        seed: int | None = None,
        coding: Coding = WHOLE,
    ) -> Latent:
        """Encode pictures: the mean of the posterior, or with ``seed`` a sample of it."""

    def decode_latent(
        self, vae: VAE, latent: Latent, load: Load, device: str, coding: Coding = WHOLE
    ) -> Image:
        """Decode latents to sRGB pictures, 0..1 unless the coding is wide."""


@runtime_checkable
class VideoFamily(Protocol):
    """What a family offers besides, where its latents hold videos (``Geometry.frame_factor`` is
    not 0)."""

    def encode_video(
        self,
        vae: VAE,
        video: Video,
        load: Load,
        device: str,
        seed: int | None = None,
        coding: Coding = WHOLE,
    ) -> Latent:
        """Encode a video, a few frames at a time: the mean of the posterior, or with ``seed`` a
        sample of it."""

    def decode_video(
        self, vae: VAE, latent: Latent, load: Load, device: str, coding: Coding = WHOLE
    ) -> Iterator[Float32]:
        """Decode a latent of one sample: its sRGB frames in order, ``[n, height, width, 3]`` at a
        time, 0..1."""


@runtime_checkable
class SeeingFamily(Protocol):
    """What a family offers besides, some of whose text encoders see pictures. Those of which
    models do is among their capabilities: ``sees``."""

    def encode_seen(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        images: Sequence[Image],
        options: Params,
        load: Load,
        device: str,
    ) -> Conditioning:
        """Turn texts about pictures into one conditioning with an entry per text. All texts are
        about all of the pictures."""


@cache
def families() -> Mapping[str, Family]:
    """All families by name: every module beside this one that defines ``FAMILY``. Light."""
    home = importlib.import_module("backend.models")
    found: dict[str, Family] = {}
    for info in pkgutil.iter_modules(home.__path__):
        module = importlib.import_module(f"backend.models.{info.name}")
        family: Any = getattr(module, "FAMILY", None)
        if isinstance(getattr(family, "card", None), Card):  # others may use the word for a name
            found[family.card.name] = family
    return MappingProxyType(found)


def family_of(weights: Weights) -> Family:
    """The family that a reference names.

    Raises:
        CatalogError: there is none of that name.
    """
    known = families()
    if weights.family not in known:
        from backend.models.pipelines.reference import whole_sentence  # which asks here too

        if whole := whole_sentence(weights.family):
            raise CatalogError(whole)
        raise CatalogError(
            f"There is no model family {weights.family!r} in this version (it has "
            f"{', '.join(known)}). Choose another model."
        )
    return known[weights.family]


def video_family_of(weights: Weights) -> VideoFamily:
    """The family that a reference names, which must be one of videos.

    Raises:
        CatalogError: there is none of that name, or it makes pictures only.
    """
    family = family_of(weights)
    if not isinstance(family, VideoFamily):
        raise CatalogError(
            f"{family.card.title} models make pictures, not videos. Choose a video model such as "
            "Wan, or use the nodes for pictures."
        )
    return family


def recognise(folder: ModelFolder, known: Mapping[str, Family]) -> Family:
    """The family of a model folder, by its component classes.

    Raises:
        CatalogError: no family matches.
    """
    for family in known.values():
        if _fits(family.card, folder):
            return family
    kinds = ", ".join(f"{c.name} ({c.kind})" for c in folder.components.values())
    titles = ", ".join(f.card.title for f in known.values())
    raise CatalogError(
        f"{folder.path} is a {folder.pipeline or 'model'} with {kinds}, which is of no family "
        f"that can be run here ({titles}). Choose a model of one of these."
    )


def _fits(card: Card, folder: ModelFolder) -> bool:
    kinds = {name: component.kind for name, component in folder.components.items()}
    marked = all(kinds.get(name) in card.classes[name] for name in card.marks)
    return marked and not any(name in kinds for name in card.without)


class References(NamedTuple):
    """What a model folder offers to links."""

    model: Model
    text: TextEncoder
    vae: VAE


def references(folder: ModelFolder, family: Family) -> References:
    """The three links of a model folder.

    Weights up to ``HASH_AT_ONCE`` bytes get their content hash at once, larger ones their fast
    identity, until somebody has hashed them.

    Raises:
        CatalogError: a component of a role is missing, or the components do not fit together.
    """
    facts, roles, source = read_facts(family, folder), family.card.roles, folder.source

    def common(parts: tuple[str, ...]) -> tuple[str, str, str, str]:
        return family.card.name, folder.component(parts[0]).name, identity(folder, parts), source

    return References(
        Model(*common(roles["model"])),
        TextEncoder(*common(roles["text"]), space=facts.text_space),
        VAE(*common(roles["vae"]), space=facts.latent_space),
    )


def identity(folder: ModelFolder, parts: Iterable[str]) -> str:
    """The identity of some components: by content where that is quick, else the fast one."""
    names = tuple(parts)
    size = sum(folder.components[n].nbytes for n in names if n in folder.components)
    return content_hash(folder, names) if size <= HASH_AT_ONCE else folder.identity(names)


W = TypeVar("W", bound=Weights)


def part_of(weights: W, part: str) -> W:
    """The reference to another component of the same model."""
    return replace(weights, part=part)


def describe(weights: Weights) -> ModelFacts:
    """The facts of the model behind a reference. Light; kept per identity.

    Raises:
        CatalogError: the files are gone or broken.
    """
    family_of(weights)
    return _describe(weights.family, weights.identity, weights.source)


@cache
def _describe(family: str, identity: str, source: str) -> ModelFacts:
    return read_facts(families()[family], read_source(source))


def read_facts(family: Family, folder: ModelFolder) -> ModelFacts:
    """What a model speaks and needs, from its configs. Light.

    Raises:
        CatalogError: its components do not fit together, or a config holds something senseless.
    """
    try:
        return family.facts(folder)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        if isinstance(error, CatalogError):
            raise
        raise CatalogError(
            f"A config in {folder.path} holds a value that no {family.card.title} has "
            f"({str(error)[:120]}). Get the config files of this model again."
        ) from error


def space_of(folder: ModelFolder, known: Sequence[Space], family: str, like: object) -> str:
    """The name of a space: that of the first known one whose config values all agree, else
    ``family:`` and eight digits over ``like``, so that equal configs share a space."""
    for space in known:
        component = folder.components.get(space.component)
        if component and all(component.config.get(k) == v for k, v in space.config.items()):
            return space.name
    digest = blake3.blake3(json.dumps(like, sort_keys=True).encode()).hexdigest()
    return f"{family}:{digest[:8]}"
