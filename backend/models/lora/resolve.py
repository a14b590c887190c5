"""From an adapter's names to the layers of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor, nn

from backend.catalog.errors import CatalogError
from backend.models.lora.adapter import Adapter
from backend.models.lora.changes import Change, Full, Hadamard, Kronecker, LowRank
from backend.models.lora.names import Entry, parse
from backend.models.lora.originals import Originals

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Delta:
    """What changes in one layer of a network: ``name`` is its own, ``scale`` that of the file, and
    ``part`` which of its parameters is changed."""

    name: str
    module: nn.Module
    change: Change
    scale: float
    part: Literal["weight", "bias"] = "weight"

    def weight(self) -> Tensor:
        """The difference in the shape of the layer's weight, or of its bias, at strength 1."""
        shape = shape_of(self.module)
        whole = shape if self.part == "weight" else shape[:1]
        return (self.change.dense() * self.scale).view(whole)


def resolve(adapter: Adapter, net: nn.Module, part: str, title: str) -> list[Delta]:
    """What an adapter changes in a network; ``part`` names a text encoder, "" the denoiser.

    Names that the network does not have are looked up among those of its authors' code.

    Raises:
        CatalogError: a layer is not there, or its factors are of another size.
    """
    entries = [entry for entry in parse(adapter.tensors).entries if entry.part == part]
    layers = _Layers(net)
    places = [layers.find(entry.module) for entry in entries]
    strange = [e.module for e, place in zip(entries, places, strict=True) if not place]
    if strange:
        raise CatalogError(
            f"{adapter.path.name} was made for another model than this {title}: of its "
            f"{len(entries)} modules {len(strange)} are not there, the first is {strange[0]}. "
            "Choose a LoRA for this model."
        )
    found: list[Delta] = []
    for entry, place in zip(entries, places, strict=True):
        assert place is not None
        found += _deltas(adapter, entry, place)
    return found


def is_norm(module: nn.Module) -> bool:
    """Whether a module only scales, and maybe shifts, each channel of what it norms."""
    weight = getattr(module, "weight", None)
    return type(module).__name__.endswith("Norm") and weight is not None and weight.ndim == 1


def shape_of(module: Any) -> tuple[int, ...]:
    """A layer's weight as it is meant; a quantised one is stored in another shape."""
    if isinstance(module, nn.Linear):
        return module.out_features, module.in_features
    return tuple(module.weight.shape)


@dataclass(frozen=True)
class _Place:
    """The layers that an entry changes, by their names, and whether its halves are swapped."""

    layers: Sequence[tuple[str, nn.Module]]
    swapped: bool = False


class _Layers:
    """The layers of a network by their names with dots, with underscores in their place, and as
    the model's authors call them."""

    def __init__(self, net: nn.Module) -> None:
        self._exact = {
            name: m for name, m in net.named_modules() if isinstance(m, _LAYERS) or is_norm(m)
        }
        self._flat = {name.replace(".", "_"): name for name in self._exact}
        self._originals = Originals(net)

    def find(self, name: str) -> _Place | None:
        own = self._own(name)
        if own:
            return _Place([(own, self._exact[own])])
        place = self._originals.find(name)
        named = [self._own(target) for target in place.modules] if place else []
        if place is None or not all(named):
            return None
        return _Place([(n, self._exact[n]) for n in named], place.swapped)

    def _own(self, name: str) -> str:
        flat = name.replace(".", "_")
        tries = (flat, flat.removeprefix("text_model_"), f"text_model_{flat}")
        return next((self._flat[given] for given in tries if given in self._flat), "")


def _deltas(adapter: Adapter, entry: Entry, place: _Place) -> Iterator[Delta]:
    if entry.kind == "full":
        parts: tuple[Literal["weight", "bias"], ...] = ("weight", "bias")
        for part in parts:
            if part in entry.names:
                whole = Full(adapter.tensors[entry.names[part]])
                yield from _shared(adapter, entry, place, whole, 1.0, part)
        return
    change, scale = _change(adapter, entry, shape_of(place.layers[0][1]))
    yield from _shared(adapter, entry, place, change, scale, "weight")


def _shared(
    adapter: Adapter,
    entry: Entry,
    place: _Place,
    change: Change | None,
    scale: float,
    part: Literal["weight", "bias"],
) -> Iterator[Delta]:
    """The rows of a change, each for the layer that has them."""
    shapes = [shape_of(module) for _, module in place.layers]
    inner = {shape[1:] if part == "weight" else () for shape in shapes}
    rows, wanted = sum(shape[0] for shape in shapes), next(iter(inner))
    there = all(getattr(module, part, None) is not None for _, module in place.layers)
    if not there or len(inner) > 1 or change is None or change.shape != (rows, prod(wanted)):
        sizes = [list(adapter.tensors[name].shape) for name in entry.names.values()]
        lacks = "" if there else f", has no {part}"
        raise CatalogError(
            f"{adapter.path.name} does not fit this model: {entry.module} is "
            f"{[rows, *shapes[0][1:]]}{lacks}, its factors {', '.join(map(str, sizes))}. Choose a "
            "LoRA for this model."
        )
    if len(shapes) == 1 and not (place.swapped and _is_pair(shapes[0])):
        yield Delta(*place.layers[0], change, scale, part)
        return
    numbers = torch.arange(rows)
    if place.swapped:
        yield Delta(*place.layers[0], change.rows(numbers.roll(rows // 2)), scale, part)
        return
    start = 0
    for (name, module), shape in zip(place.layers, shapes, strict=True):
        yield Delta(name, module, change.rows(numbers[start : start + shape[0]]), scale, part)
        start += shape[0]


def _is_pair(shape: tuple[int, ...]) -> bool:
    """Whether a layer gives one shift and one scale for each of its inputs, and nothing more."""
    return shape[0] == 2 * shape[1]


def _change(adapter: Adapter, entry: Entry, shape: tuple[int, ...]) -> tuple[Change | None, float]:
    """An entry's factors and their scale; None where they do not go together."""
    given = {role: adapter.tensors[name] for role, name in entry.names.items()}
    alpha = float(given.pop("alpha")) if "alpha" in given else 0.0
    if any(factor.ndim < 2 for factor in given.values()):
        return None, 0.0
    try:
        if entry.kind == "lokr":
            first, rank = _factor(given, "w1", ())
            second, other = _factor(given, "w2", shape[2:])
            rank = other or rank
            return Kronecker(first, second), alpha / rank if alpha and rank else 1.0
        if entry.kind == "loha":
            a1, b1, a2, b2 = (given[f"w{n}_{which}"] for n in "12" for which in "ab")
            rank = b1.shape[0]
            fits = a1.shape == a2.shape and b1.shape == b2.shape and a1.shape[1] == rank
            made = Hadamard(a1, b1.flatten(1), a2, b2.flatten(1)) if fits else None
            return made, alpha / rank if alpha else 1.0
    except RuntimeError:  # sizes that do not multiply
        return None, 0.0
    down, up = given["down"], given["up"]
    rank = down.shape[0]
    return _low_rank(down, up, shape), alpha / rank if alpha else 1.0


def _low_rank(down: Tensor, up: Tensor, shape: tuple[int, ...]) -> LowRank | None:
    """Factors in the form of the layer: a 1x1 convolution in one program is a matrix in another."""
    if up.numel() != up.shape[0] * up.shape[1] or up.shape[1] != down.shape[0]:
        return None
    if down[0].numel() != prod(shape[1:]):
        return None
    return LowRank(down.reshape(down.shape[0], *shape[1:]), up.flatten(1))


def _factor(given: dict[str, Tensor], name: str, kernel: tuple[int, ...]) -> tuple[Tensor, int]:
    """One factor of a Kronecker product, and its rank where it is a product itself, else 0."""
    if name in given:
        return given[name], 0
    left, right = given[f"{name}_a"], given[f"{name}_b"].flatten(1)
    return (left @ right).view(left.shape[0], -1, *kernel), left.shape[1]
