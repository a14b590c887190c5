"""What is loaded: each component is made once per process, and its weights come and go under a
budget (`backend.memory`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.source import read_source
from backend.memory.course import Visit
from backend.memory.reading import Reading
from backend.memory.residency import Residency, go_on
from backend.models.family import Family
from backend.models.loaders import Loader
from backend.models.numerics import compute_dtype
from backend.models.pipelines.reference import FAMILY as PIPELINE
from backend.values import Weights

if TYPE_CHECKING:
    from torch import Tensor

    from backend.memory.copying import Copier

Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Coming:
    """A component that a step computes with: how often all of it is called, and the bytes that the
    step computes in beside weights."""

    weights: Weights
    passes: int = 1
    activation: int = 0


class Store:
    """Holds components by identity, part, device and precision; patches go on for the length of a
    call only, so all references to one component share it.

    The weights of a network are read when it is asked for, and as far as there is room they stay.
    Safe to call from several threads: one makes a component, the others wait for it.
    """

    def __init__(
        self,
        families: Mapping[str, Family],
        budget: int,
        others: Mapping[str, Loader] | None = None,
        host: int = 0,
    ) -> None:
        """``budget`` is in bytes; what can only be loaded as a whole stays for the step that asked
        for it even above that. ``others`` load what no family answers for. ``host`` are the bytes
        of host memory in which weights may wait for a device that has memory of its own."""
        self._families = families
        self._others = others or {}
        self._values: dict[Key, Any] = {}
        self._readings: dict[Key, Reading] = {}
        self._lock = threading.RLock()
        self._copiers: dict[str, Copier] = {}
        self.residency = Residency(budget, self._trim, host)

    def get(self, weights: Weights, device: str, check: Callable[[], None] = go_on) -> Any:
        """The component ``weights.part`` of the model at ``weights.source``, made if need be.

        Outside of a step (``expect``) all of it is there if it fits. Inside, its blocks are waited
        for when they are called; ``check`` is called meanwhile and may raise.

        Raises:
            CatalogError: the files are missing, broken, or of no known family.
            NoRoom: not even one block of it fits the budget.
        """
        key = self._key(weights, device)
        with self._lock:
            self._drop_spoilt(key)
            value = self._values.get(key)
            if value is None:
                value = self._made(key, weights, device)
        self.residency.enter(_name(key), check)
        return value

    def expect(self, step: Sequence[Coming], later: Sequence[Coming], device: str) -> None:
        """A step begins that computes with some components, and after it others do, in order."""
        self.residency.expect(self._visits(step, device), self._visits(later, device))

    def leave(self) -> None:
        """The step is over."""
        self.residency.leave()

    def values(self) -> tuple[Any, ...]:
        """The components that were made."""
        return tuple(self._values.values())

    def resident(self) -> Mapping[str, int]:
        """Bytes that are loaded, by what people call it."""
        return self.residency.resident()

    def clear(self) -> None:
        """Let go of all weights."""
        self.residency.clear()
        self._settle()

    def close(self) -> None:
        """Let go of everything."""
        self.residency.close()
        self._settle()
        self._values.clear()
        self._readings.clear()

    @property
    def nbytes(self) -> int:
        """Bytes of what is loaded."""
        return self.residency.taken

    @property
    def waited(self) -> float:
        """Seconds that computing has waited for weights, in all."""
        return self.residency.waited

    @property
    def read(self) -> tuple[int, float]:
        """Bytes of weights that were read from files, in all, and the seconds that took."""
        return self.residency.copies.read, self.residency.copies.seconds

    @property
    def short(self) -> int:
        """Bytes that the step is thought to compute in beyond its budget."""
        return self.residency.short

    @property
    def budget(self) -> int:
        """Bytes for weights and what steps compute in."""
        return self.residency.budget

    def _visits(self, coming: Sequence[Coming], device: str) -> list[Visit]:
        keys = [_name(self._key(each.weights, device)) for each in coming]
        return [
            Visit(key, each.passes, each.activation) for key, each in zip(keys, coming, strict=True)
        ]

    def _key(self, weights: Weights, device: str) -> Key:
        dtype = self._dtype(weights, device)
        return weights.family, weights.identity, weights.part, device, dtype

    def _dtype(self, weights: Weights, device: str) -> str:
        if weights.family in self._others:
            return ""
        if weights.family not in self._families:
            raise CatalogError(f"There is no model family {weights.family!r} in this version.")
        return compute_dtype(device, self._families[weights.family].card, weights.part)

    def _made(self, key: Key, weights: Weights, device: str) -> Any:
        value = self._load(weights, device, key[-1])
        from backend.memory.sheet import sheet_of

        sheet = sheet_of(value)
        if sheet is not None and weights.family == PIPELINE and device.startswith("cuda"):
            sheet.fill()  # diffusers moves its modules itself
            sheet = None
        beside = component_bytes(value)
        self._values[key] = value
        title = f"the {weights.part} of this {weights.family} model"
        if sheet is not None:
            reading = Reading(sheet, self._copier(device))
            self._readings[key] = reading
            self.residency.add(_name(key), value, reading, beside, title)
            sheet.asked(partial(self._asked, key, reading))
        else:
            forget = partial(self._values.pop, key, None)
            self.residency.add_whole(_name(key), beside, forget, title)
        return value

    def _copier(self, device: str) -> Copier:
        import torch

        from backend.memory.copying import copier_for

        if device not in self._copiers:
            self._copiers[device] = copier_for(torch.device(device), self.residency.copies.budget)
        return self._copiers[device]

    def _trim(self, nbytes: int) -> None:
        for copier in list(self._copiers.values()):
            copier.trim(nbytes)

    def _settle(self) -> None:
        for copier in list(self._copiers.values()):
            copier.settle()

    def _drop_spoilt(self, key: Key) -> None:
        """Let go of a component whose files were not as its headers say: by now they may be."""
        if key in self._readings and self._readings[key].spoilt:
            del self._readings[key]
            self._values.pop(key, None)
            self.residency.remove(_name(key))

    def _asked(self, key: Key, reading: Reading, name: str) -> Tensor:
        """The bytes of a weight that is used while it is not there: outside of the blocks."""
        self.residency.demand(_name(key), name)
        copy: Tensor | None = self.residency.copied(_name(key), name)
        return copy if copy is not None else reading.read((name,), go_on)[name]

    def _load(self, weights: Weights, device: str, dtype: str) -> Any:
        if weights.family in self._others:
            return self._others[weights.family].load(weights, device)
        folder = read_source(weights.source)
        self.residency.make_room(folder.component(weights.part).nbytes)
        return self._families[weights.family].load_part(folder, weights.part, device, dtype)


def _name(key: Key) -> str:
    return " ".join(key)


def component_bytes(value: Any) -> int:
    """Bytes of a module's parameters and buffers as they are held, or what a value says itself;
    else 0."""
    if isinstance(said := getattr(value, "nbytes", None), int):
        return said
    if not hasattr(value, "parameters"):
        return 0
    from backend.memory.sheet import held_bytes

    return sum(held_bytes(each) for each in [*value.parameters(), *value.buffers()])
