"""A weight that is held as it is stored and is widened for the time of one operation only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from backend.memory.stored import Stored, joined

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
        "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
        "F8_E8M0": torch.float8_e8m0fnu, "C64": torch.complex64,
        "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
        "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16, "U8": torch.uint8,
        "BOOL": torch.bool,
    }
)  # fmt: skip
"""torch's types by the names that files give them."""

Unpack = Callable[[Tensor, str], Tensor]
"""Numbers from the bytes of a quantised form, ``[nbytes]`` uint8 to ``[numel]``."""
Read = Callable[[Stored], Tensor]
"""Reads the bytes of one weight, ``[nbytes]`` uint8."""


class Cell:
    """What stands behind one weight: its bytes as stored, or nothing.

    ``raw`` are the bytes, ``[nbytes]`` uint8; without them the weight is absent, and an operation
    that needs them has ``ask`` give them, or reads them for itself. ``scale`` is what the numbers
    are multiplied by, once somebody needed it.
    """

    __slots__ = ("__weakref__", "ask", "raw", "read", "scale", "stored", "unpack")

    def __init__(
        self, stored: Stored, read: Read, unpack: Unpack | None = None, raw: Tensor | None = None
    ) -> None:
        self.stored, self.read, self.unpack, self.raw = stored, read, unpack, raw
        self.ask: Callable[[], Tensor] | None = None
        self.scale: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that it takes up now."""
        return 0 if self.raw is None else self.raw.nbytes

    def like(self, stored: Stored, raw: Tensor | None = None) -> Cell:
        """Another weight of the same source."""
        return Cell(stored, self.read, self.unpack, raw)

    def bytes_on(self, device: torch.device) -> Tensor:
        """The stored bytes, fetched if they are not here."""
        raw = self.raw
        if raw is None:
            raw = self.ask() if self.ask else self.read(self.stored)
        return raw.to(device)

    def scale_for(self, dtype: torch.dtype, device: torch.device) -> Tensor | None:
        """What the numbers are to be multiplied by; None if by nothing."""
        if self.stored.scale is None:
            return None
        if self.scale is None:
            self.scale = plain(self.read(self.stored.scale), self.stored.scale)
        self.scale = self.scale.to(device)
        return self.scale.to(dtype)


def plain(raw: Tensor, stored: Stored) -> Tensor:
    """Stored bytes as a tensor of the type that they have, in the weight's shape; no copy, if they
    lie where such numbers may."""
    dtype = DTYPES[stored.form]
    if raw.storage_offset() % dtype.itemsize:
        raw = raw.clone()
    return raw.view(dtype).view(stored.shape)


def widened(
    raw: Tensor,
    stored: Stored,
    dtype: torch.dtype,
    scale: Tensor | None = None,
    unpack: Unpack | None = None,
) -> Tensor:
    """Stored bytes as numbers to compute with: brought to ``dtype``, then times the scale. Numbers
    without a point keep their type."""
    if stored.quantised:
        if unpack is None:
            raise ValueError(f"{stored.file} has weights stored as {stored.form}, which is unknown")
        found = unpack(raw, stored.form).view(stored.shape).to(dtype)
    else:
        found = plain(raw, stored)
        found = found.to(dtype) if found.is_floating_point() else found
    return found if scale is None else found * scale


class HeldTensor(Tensor):
    """Looks like a weight in the precision that is computed in; holds the bytes of the file.

    Any operation on it gets the widened weight, made for that operation and dropped after it. An
    embedding looks up the stored rows and widens those. While it is absent, what only cuts, joins
    or renames (as the converters of the libraries do) gives another absent weight.
    """

    cell: Cell

    @staticmethod
    def __new__(
        cls: type[HeldTensor], cell: Cell, dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> HeldTensor:
        made: HeldTensor = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001
            cls, cell.stored.shape, dtype=dtype, device=torch.device(device), requires_grad=False
        )
        made.cell = cell
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        where = "absent" if self.cell.raw is None else f"{self.cell.nbytes} bytes"
        form, shape = self.cell.stored.form, tuple(self.shape)
        return f"HeldTensor({shape}, {self.dtype}, stored as {form}, {where})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        dense: Any = self.dense()
        return dense.__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        cell = self.cell
        copied = cell.like(cell.stored, cell.raw)
        found: Tensor = HeldTensor(copied, self.dtype, self.device)
        if isinstance(self, torch.nn.Parameter):
            found = torch.nn.Parameter(found, requires_grad=False)
        memo[id(self)] = found
        return found

    def dense(self) -> Tensor:
        """The widened weight."""
        cell = self.cell
        raw, scale = cell.bytes_on(self.device), cell.scale_for(self.dtype, self.device)
        return widened(raw, cell.stored, self.dtype, scale, cell.unpack)

    def rows(self, indices: Tensor) -> Tensor | None:
        """The widened rows that ``indices`` (of any shape) ask for; None if rows cannot be widened
        by themselves."""
        stored = self.cell.stored
        if len(stored.shape) != 2 or stored.rows(0, 1) is None:
            return None
        if stored.scale is not None and stored.scale.numel != 1:
            return None
        table = self.cell.bytes_on(self.device).view(stored.shape[0], -1)
        picked = table[indices.reshape(-1)]
        shape = (picked.shape[0], stored.shape[1])
        scale = self.cell.scale_for(self.dtype, self.device)
        asked = replace(stored, shape=shape, ranges=(), scale=None)
        found = widened(picked.view(-1), asked, self.dtype, scale, self.cell.unpack)
        return found.view(*indices.shape, stored.shape[1])

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        own = _OWN.get(func)
        if own is not None:
            found = own(func, *args, **kwargs)
            if found is not NotImplemented:
                return found
        if func._schema.is_mutable and isinstance(args[0], HeldTensor):  # noqa: SLF001
            raise RuntimeError("a weight that is held as stored is not to be written to")
        return func(*_dense(args), **{name: _dense(value) for name, value in kwargs.items()})


def _dense(value: Any) -> Any:
    if isinstance(value, HeldTensor):
        return value.dense()
    if isinstance(value, list | tuple):
        return type(value)(_dense(each) for each in value)
    return value


def _same(func: Any, held: HeldTensor, *_: Any, **__: Any) -> HeldTensor:
    """The weight itself, under another handle."""
    return HeldTensor(held.cell, held.dtype, held.device)


def _embedding(func: Any, weight: Any, indices: Tensor, *_: Any, **__: Any) -> Any:
    found = weight.rows(indices) if isinstance(weight, HeldTensor) else None
    return NotImplemented if found is None else found


def _moved(func: Any, held: HeldTensor, **options: Any) -> Any:
    """To another device, or to another precision where the way through the present one is the same
    as straight from what is stored."""
    cell, dtype = held.cell, options.get("dtype") or held.dtype
    device = torch.device(options.get("device") or held.device)
    if device.type == "meta" or (dtype != held.dtype and not _exact(held, dtype)):
        return NotImplemented
    raw = None if cell.raw is None else cell.raw.to(device)
    return HeldTensor(cell.like(cell.stored, raw), dtype, device)


def _exact(held: HeldTensor, dtype: torch.dtype) -> bool:
    """Whether the stored numbers fit unchanged into the present precision."""
    stored = held.cell.stored
    if stored.scale is not None or not dtype.is_floating_point or not held.is_floating_point():
        return False
    # What blocks are unpacked to has the precision of their factors, which is half.
    form = torch.float16 if stored.quantised else DTYPES[stored.form]
    return torch.promote_types(form, held.dtype) == held.dtype if form.itemsize > 1 else True


def _derived(held: HeldTensor, stored: Stored | None) -> Any:
    """An absent weight made of the file's bytes of another one."""
    cell = held.cell
    if stored is None or cell.raw is not None:
        return NotImplemented
    return HeldTensor(cell.like(stored), held.dtype, held.device)


def _shaped(func: Any, held: HeldTensor, size: Sequence[int], *_: Any, **__: Any) -> Any:
    if not isinstance(size, list | tuple):
        return NotImplemented
    count, known = held.numel(), 1
    for each in size:
        known *= 1 if each == -1 else each
    full = [count // known if each == -1 and known else each for each in size]
    return _derived(held, held.cell.stored.reshaped(full))


def _like_meta(func: Any, held: HeldTensor, *args: Any, **kwargs: Any) -> Any:
    """What only changes the shape, as torch would change it."""
    shape = func(torch.empty(held.shape, device="meta"), *args, **kwargs).shape
    return _derived(held, held.cell.stored.reshaped(shape))


def _selected(func: Any, held: HeldTensor, dim: int, index: int) -> Any:
    return _like_meta(func, held, dim, index) if held.shape[dim] == 1 else NotImplemented


def _sliced(
    func: Any,
    held: HeldTensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Any:
    low, high, _ = slice(start, end).indices(held.shape[dim])
    if (low, high) == (0, held.shape[dim]) and step == 1:
        return _same(func, held)
    if dim % held.ndim or step != 1 or held.cell.raw is not None:
        return NotImplemented
    return _derived(held, held.cell.stored.rows(low, max(low, high)))


def _split(func: Any, held: HeldTensor, sizes: Any, dim: int = 0) -> Any:
    rows = held.shape[dim]
    if dim % held.ndim or held.cell.raw is not None:
        return NotImplemented
    if isinstance(sizes, int):
        sizes = [min(sizes, rows - at) for at in range(0, rows, sizes)]
    if sum(sizes) != rows:
        return NotImplemented
    found, place = [], 0
    for size in sizes:
        found.append(_derived(held, held.cell.stored.rows(place, place + size)))
        place += size
    return NotImplemented if any(each is NotImplemented for each in found) else found


def _joined(func: Any, tensors: Sequence[Any], dim: int = 0) -> Any:
    held = [each for each in tensors if isinstance(each, HeldTensor)]
    first = held[0]
    apart = len(held) < len(tensors) or any(each.cell.raw is not None for each in held)
    if apart or dim % first.ndim or any(each.dtype != first.dtype for each in held):
        return NotImplemented
    return _derived(first, joined([each.cell.stored for each in held]))


def _empty(func: Any, held: HeldTensor, *args: Any, **kwargs: Any) -> Any:
    """Something new of the weight's shape, precision and place, whatever its values."""
    kwargs["device"] = kwargs.get("device") or held.device
    stand_in = torch.empty(held.shape, dtype=held.dtype, device="meta")
    return func(stand_in, *args, **kwargs)


def _ops(*names: str) -> tuple[Any, ...]:
    parts = [name.split(".") for name in names]
    return tuple(getattr(getattr(torch.ops.aten, op), overload) for op, overload in parts)


_OWN: Mapping[Any, Callable[..., Any]] = MappingProxyType(
    {
        **dict.fromkeys(_ops("detach.default", "alias.default", "clone.default"), _same),
        **dict.fromkeys(_ops("embedding.default"), _embedding),
        **dict.fromkeys(_ops("_to_copy.default"), _moved),
        **dict.fromkeys(
            _ops("view.default", "_unsafe_view.default", "_reshape_copy.default"), _shaped
        ),
        **dict.fromkeys(
            _ops("squeeze.default", "squeeze.dim", "squeeze.dims", "unsqueeze.default"), _like_meta
        ),
        **dict.fromkeys(_ops("select.int"), _selected),
        **dict.fromkeys(_ops("slice.Tensor"), _sliced),
        **dict.fromkeys(_ops("split.Tensor", "split_with_sizes.default"), _split),
        **dict.fromkeys(_ops("cat.default"), _joined),
        **dict.fromkeys(
            _ops(
                "empty_like.default",
                "zeros_like.default",
                "ones_like.default",
                "new_empty.default",
                "new_zeros.default",
                "new_ones.default",
            ),
            _empty,
        ),
    }
)
"""Operations that a held weight answers in another way than with the widened one."""
