"""From references to the components behind them, by headers alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.catalog.components import Component as Described
from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.catalog.gguf import read_gguf
from backend.catalog.header import read_header
from backend.catalog.source import read_source
from backend.models.controlnet.file import FAMILY_NAME as CONTROLNET
from backend.models.controlnet.file import facts_of_net
from backend.models.controlnet.patch import KIND as CONTROLNET_PATCH
from backend.models.controlnet.patch import reference_of
from backend.models.experts import experts_of
from backend.models.family import family_of, part_of
from backend.models.language.reference import FAMILY_NAME as LANGUAGE
from backend.models.lora.adapter import FAMILY as ADAPTER
from backend.models.lora.adapter import reference as adapter_reference
from backend.models.numerics import compute_dtype
from backend.models.pipelines.reference import FAMILY as PIPELINE
from backend.models.pipelines.reference import PREFIX
from backend.models.upscale.learned import FAMILY_NAME as UPSCALER
from backend.plan.needs import Component, Used, in_blocks
from backend.plan.sizes import Weight
from backend.values import (
    VAE,
    Guider,
    LanguageModel,
    Model,
    Patch,
    TextEncoder,
    Upscaler,
    Weights,
)

_ENDINGS = (".safetensors", ".gguf")
_DENOISERS = ("transformer", "unet", "prior", "decoder")
_LAST = ("vae", "vocoder", "movq", "vqgan")
"""How the parts of pipelines are called that are used at each step, and those used at the end."""


@dataclass
class Components:
    """The components that references stand for, each described once; they are collected in
    ``found`` by their ids."""

    device: str
    found: dict[str, Component] = field(default_factory=dict)
    _folders: dict[str, ModelFolder] = field(default_factory=dict)
    _ids: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def used(self, value: object, passes: int) -> tuple[Used, ...]:
        """What a call uses that goes through the networks of a reference so many times, in order.

        Raises:
            CatalogError: files are gone or broken.
        """
        if isinstance(value, Guider):
            value = value.model
        if isinstance(value, Model) and value.family.startswith(PREFIX):
            return tuple(self._pipeline(value, passes))
        if isinstance(value, Model):
            return tuple(self._denoisers(value, passes))
        if isinstance(value, TextEncoder):
            return tuple(self._encoders(value, passes))
        if isinstance(value, VAE | LanguageModel | Upscaler):
            return (Used(self._component(value), passes),)
        return ()

    def _denoisers(self, model: Model, passes: int) -> Iterator[Used]:
        """Experts take turns; which one takes how many steps depends on the noise levels of the
        run, so they are told to share them evenly."""
        experts = experts_of(model)
        each = math.ceil(passes / len(experts)) if passes else 0
        for expert in experts:
            if each:
                one = expert.model
                beside, before = self._adapters(one.patches), self._controls(one.patches)
                yield Used(self._component(one), each, beside, before=before)

    def _encoders(self, encoder: TextEncoder, passes: int) -> Iterator[Used]:
        folder = self._folder(encoder.source)
        beside = self._adapters(encoder.patches)
        for part in family_of(encoder).card.roles["text"]:
            if part in folder.components and folder.components[part].nbytes:
                yield Used(self._component(part_of(encoder, part)), passes, beside)

    def _pipeline(self, model: Model, passes: int) -> Iterator[Used]:
        folder = self._folder(model.source)
        names = [name for name, part in folder.components.items() if part.nbytes]
        for name in sorted(names, key=lambda n: (n.startswith(_LAST), n.startswith(_DENOISERS))):
            reference = Weights(PIPELINE, name, model.identity, model.source)
            yield Used(self._component(reference), passes if name.startswith(_DENOISERS) else 1)

    def _adapters(self, patches: tuple[Patch, ...]) -> tuple[str, ...]:
        laid = [patch for patch in patches if patch.kind == ADAPTER and patch.strength]
        return tuple(dict.fromkeys(self._component(adapter_reference(patch)) for patch in laid))

    def _controls(self, patches: tuple[Patch, ...]) -> tuple[str, ...]:
        """ControlNets, which are gone through before each pass of the denoiser; one that reads
        several pictures as often."""
        laid = [patch for patch in patches if patch.kind == CONTROLNET_PATCH and patch.strength]
        return tuple(self._component(reference_of(patch)) for patch in laid)

    def _component(self, weights: Weights) -> str:
        key = weights.family, weights.identity, weights.part
        if key not in self._ids:
            plain = Weights(weights.family, weights.part, weights.identity, weights.source)
            name, sizes = self._sizes(plain)
            id, number = name, 2
            while id in self.found:  # another model of the same name
                id, number = f"{name} ({number})", number + 1
            whole = weights.family in (ADAPTER, PIPELINE, UPSCALER)
            self.found[id] = in_blocks(id, plain, self._dtype(plain), sizes, whole)
            self._ids[key] = id
        return self._ids[key]

    def _dtype(self, weights: Weights) -> str:
        if weights.family == UPSCALER:
            return "float32"
        if weights.family in (ADAPTER, PIPELINE, LANGUAGE, CONTROLNET):
            return "bfloat16" if self.device.startswith("cuda") else "float32"
        return compute_dtype(self.device, family_of(weights).card, weights.part)

    def _sizes(self, weights: Weights) -> tuple[str, Mapping[str, Weight]]:
        """What people call it, and its weights by their names in the file."""
        if weights.family in (ADAPTER, UPSCALER):
            path = Path(weights.source)
            return path.stem, read_weights(path)
        control = weights.family == CONTROLNET
        folder = facts_of_net(weights).folder if control else self._folder(weights.source)
        part = folder.component(weights.part)
        place = part.bare.file if part.bare else folder.path
        name = place.stem if part.bare else place.name
        return f"{name}/{weights.part}", weights_of(folder, part)

    def _folder(self, source: str) -> ModelFolder:
        if source not in self._folders:
            self._folders[source] = read_source(source)
        return self._folders[source]


def weights_of(folder: ModelFolder, part: Described) -> dict[str, Weight]:
    """The weights of one component of a model by the names in its files.

    Raises:
        CatalogError: a file is gone or broken.
    """
    if part.bare is not None:
        start = part.bare.prefix
        found = read_weights(part.bare.file)
        return {n.removeprefix(start): w for n, w in found.items() if n.startswith(start)}
    sizes: dict[str, Weight] = {}
    for name in part.files:
        if name.endswith(_ENDINGS):
            sizes |= read_weights(folder.path / name)
    return sizes


def read_weights(path: Path) -> dict[str, Weight]:
    """The weights of a file by name, from its header.

    Raises:
        CatalogError: it is gone or broken.
    """
    if not path.is_file():
        raise CatalogError(f"{path} is no longer there. Choose the model again.")
    if path.suffix.lower() == ".gguf":
        packed = read_gguf(path)
        return {
            name: Weight(info.dtype, packed.shapes[name], info.nbytes)
            for name, info in packed.tensors.items()
        }
    tensors = read_header(path).tensors
    return {name: Weight(info.dtype, info.shape, info.nbytes) for name, info in tensors.items()}
