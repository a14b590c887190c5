"""What is known of one module's weights: where each is stored, and whether it is here."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from backend.memory.buffers import Buffers
from backend.memory.held import Cell, HeldTensor, plain, widened
from backend.memory.source import Check, Source, go_on
from backend.memory.stored import Stored
from backend.plan.blocks import blocks_of
from backend.plan.sizes import WIDEN

_PLACE = "_weft_sheet"

Placed = tuple["weakref.ref[nn.Module]", str]
"""A module, and the name of one of its own parameters."""


@dataclass(frozen=True)
class _Row:
    """One weight: the names that it has in its module, and the absent one that stands in for it."""

    places: tuple[Placed, ...]
    held: HeldTensor
    stays: bool

    @property
    def stored(self) -> Stored:
        return self.held.cell.stored

    @property
    def nbytes(self) -> int:
        if not self.stays:
            return self.held.numel() * self.held.element_size()
        return self.stored.nbytes


class Sheet:
    """The weights of one module that can be read and let go of one by one.

    Weights are known by their names in the module; one with several names goes by the first.
    Reading is safe from any thread. ``place`` and ``absent`` change the module: nothing may
    compute with it meanwhile.
    """

    def __init__(
        self, module: nn.Module, source: Source, device: torch.device, hold: bool = True
    ) -> None:
        """Takes in hand all parameters of ``module`` that are absent weights of ``source``; others
        stay where they are.

        Args:
            module: A network whose parameters are ``HeldTensor``s without bytes.
            source: What reads their files.
            device: Where ``place`` puts them.
            hold: False to widen all weights when they are placed, whatever that takes.
        """
        self.source, self.device = source, device
        found = _absent_in(module, device)
        wide = sum(held.numel() * held.element_size() for held, _ in found.values())
        self._rows = {
            name: _Row(places, held, hold and wide > WIDEN and _stays(held))
            for name, (held, places) in found.items()
        }
        self._stored = {name: row.stored for name, row in self._rows.items()}
        self._sizes = {name: row.nbytes for name, row in self._rows.items()}

    @property
    def stored(self) -> Mapping[str, Stored]:
        """Where each weight is, by name."""
        return MappingProxyType(self._stored)

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes that each weight takes when it is placed, by name."""
        return MappingProxyType(self._sizes)

    def nbytes(self, names: Iterable[str] | None = None) -> int:
        """Bytes that weights take when they are placed; of all, if none are named."""
        return sum(self._sizes[name] for name in (self._sizes if names is None else names))

    def present(self) -> frozenset[str]:
        """The names of the weights that are here."""
        return frozenset(
            name
            for name, row in self._rows.items()
            if row.held.cell.raw is not None or _now(row) is not row.held
        )

    def asked(self, ask: Callable[[str], Tensor] | None) -> None:
        """Have ``ask`` give the bytes of a weight, by its name, that is used while it is absent;
        None has it read for that one use.

        The module keeps ``ask``: what that holds lives as long as the module.
        """
        for name, row in self._rows.items():
            row.held.cell.ask = None if ask is None else partial(ask, name)

    def read(
        self, names: Iterable[str], check: Check = go_on, buffers: Buffers | None = None
    ) -> dict[str, Tensor]:
        """The stored bytes of weights by name, each ``[nbytes]`` uint8 in host memory. The scales
        of those that have one are read with them and stay.

        Raises:
            CatalogError: a file was cut short, changed or replaced, or cannot be read.
        """
        wanted = {name: self._stored[name] for name in names}
        scales = {
            name: stored.scale
            for name, stored in wanted.items()
            if stored.scale is not None and self._rows[name].held.cell.scale is None
        }
        for name, raw in (self.source.read(scales, check) if scales else {}).items():
            self._rows[name].held.cell.scale = plain(raw, scales[name])
        return self.source.read(wanted, check, buffers)

    def made(self, name: str, raw: Tensor) -> Tensor:
        """A weight as the module is to have it, of its bytes on the device.

        One that is kept as stored shares the memory of its bytes; so does one that is stored in
        the precision that is computed in.
        """
        row = self._rows[name]
        if row.stays:
            return raw
        cell, dtype = row.held.cell, row.held.dtype
        return _owned(raw, row.stored, dtype, cell.scale_for(dtype, self.device), cell)

    def put(self, made: Mapping[str, Tensor]) -> None:
        """Have the module compute with weights from ``made``."""
        for name, weight in made.items():
            row = self._rows[name]
            row.held.cell.raw = weight if row.stays else None
            _set(row, row.held if row.stays else nn.Parameter(weight, requires_grad=False))

    def place(self, raws: Mapping[str, Tensor]) -> None:
        """Put weights into the module whose bytes were read, wherever those are by now."""
        for name, raw in raws.items():
            self.put({name: self.made(name, raw.to(self.device))})

    def absent(self, names: Iterable[str]) -> list[Tensor]:
        """Let go of weights. Their memory is free once nothing else shares it, and the list of
        those that were here is dropped."""
        gone: list[Tensor] = []
        for name in names:
            row = self._rows[name]
            now, raw = _now(row), row.held.cell.raw
            if raw is not None:
                gone.append(raw)
            elif isinstance(now, Tensor) and now is not row.held:
                gone.append(now)
            row.held.cell.raw = None
            _set(row, row.held)
        return gone

    def fill(self, check: Check = go_on, buffers: Buffers | None = None) -> None:
        """Read and place all that is absent, block by block.

        Raises:
            CatalogError: as in ``read``; nothing that was absent stays then. So it is with whatever
                ``check`` raises.
        """
        here = self.present()
        sizes = {name: size for name, size in self.sizes.items() if name not in here}
        try:
            for names in blocks_of(sizes).values():
                self.place(self.read(names, check, buffers))
        except BaseException:
            self.absent(sizes)
            raise


def sheet_of(module: object) -> Sheet | None:
    """The sheet of a module, if its weights are read by it."""
    return getattr(module, "__dict__", {}).get(_PLACE)


def give_sheet(module: nn.Module, sheet: Sheet) -> None:
    """Have ``sheet_of`` find the sheet."""
    module.__dict__[_PLACE] = sheet


def fill(value: object, check: Check = go_on, buffers: Buffers | None = None) -> None:
    """Read whatever weights of a value are absent; nothing for what has none.

    Raises:
        CatalogError: as in ``Sheet.read``.
    """
    sheet = sheet_of(value)
    if sheet is not None:
        sheet.fill(check, buffers)


def held_bytes(tensor: Tensor) -> int:
    """Bytes that a tensor takes up: of a weight held as stored those, of an absent one none."""
    if isinstance(tensor, HeldTensor):
        return tensor.cell.nbytes
    return tensor.numel() * tensor.element_size()


def _absent_in(
    module: nn.Module, device: torch.device
) -> dict[str, tuple[HeldTensor, tuple[Placed, ...]]]:
    """The absent parameters by their first name, with all places where they are; each says from
    now on that it is on the device, as what it computes with is."""
    firsts: dict[int, str] = {}
    tensors: dict[str, HeldTensor] = {}
    places: dict[str, list[Placed]] = {}
    for prefix, each in module.named_modules(remove_duplicate=True):
        for own, value in each.named_parameters(recurse=False, remove_duplicate=False):
            if isinstance(value, HeldTensor) and value.cell.raw is None:
                name = firsts.setdefault(id(value), f"{prefix}.{own}" if prefix else own)
                tensors[name] = value
                places.setdefault(name, []).append((weakref.ref(each), own))
    return {
        name: (_on(device, tensors[name], places[name]), tuple(places[name])) for name in tensors
    }


def _on(device: torch.device, held: HeldTensor, places: Iterable[Placed]) -> HeldTensor:
    if held.device == device:
        return held
    moved = nn.Parameter(HeldTensor(held.cell, held.dtype, device), requires_grad=False)
    assert isinstance(moved, HeldTensor)
    for owner, own in places:
        module = owner()
        if module is not None:
            setattr(module, own, moved)
    return moved


def _stays(held: HeldTensor) -> bool:
    """Whether a weight is kept as it is stored: where that takes less than to widen it, and it is
    more than one row of numbers, such as a bias or a norm's."""
    rows = sum(size > 1 for size in held.shape)
    return rows > 1 and held.cell.stored.nbytes < held.numel() * held.element_size()


def _owned(
    raw: Tensor, stored: Stored, dtype: torch.dtype, scale: Tensor | None, cell: Cell
) -> Tensor:
    """A weight as it is computed with, that keeps no more memory than its own where it can be
    helped: a few numbers shall not hold a buffer of many megabytes."""
    found = widened(raw, stored, dtype, scale, cell.unpack)
    shared = not stored.quantised and found.data_ptr() == raw.data_ptr()
    return found.clone() if shared and sum(size > 1 for size in found.shape) < 2 else found


def _now(row: _Row) -> Any:
    owner, own = row.places[0]
    module = owner()
    return None if module is None else getattr(module, own)


def _set(row: _Row, value: Tensor) -> None:
    for owner, own in row.places:
        module = owner()
        if module is not None:
            setattr(module, own, value)  # recurrent layers keep a list of theirs by this
