"""Making networks without their weights, for weights that come later or never.

Only the thread that makes one is affected, unlike with what patches torch's classes meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from backend.memory.held import DTYPES, Cell, HeldTensor, Unpack
from backend.memory.source import Source
from backend.memory.stored import Stored

_NAMED = frozenset({"float", "to", "type", "type_as", "from_numpy", "frombuffer"})
"""Functions that say by their name or their arguments which precision comes out."""


class _Hollow(TorchFunctionMode):
    """``torch.empty``, by which all layers make their parameters, takes no memory; what is filled
    with numbers, as buffers are, is made as ever."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func is torch.empty:
            options["device"] = "meta"
        found = func(*args, **options)
        if self._dtype == torch.float32 or not isinstance(found, Tensor):
            return found
        return found.to(self._dtype) if _by_default(func, found, args, options) else found


def _by_default(func: Any, found: Tensor, args: Any, options: Mapping[str, Any]) -> bool:
    """Whether something has torch's default precision because nothing said another one."""
    if found.dtype != torch.float32 or getattr(func, "__name__", "") in _NAMED:
        return False
    given = [*args, *options.values()]
    return not any(
        isinstance(each, torch.dtype) or "float" in str(getattr(each, "dtype", ""))
        for each in given
    )


@contextmanager
def hollow(dtype: torch.dtype = torch.float32) -> Iterator[None]:
    """Networks that are made in here have no memory behind their parameters, and buffers of
    ``dtype`` where they do not name one. For this thread."""
    with _Hollow(dtype), torch.no_grad():
        yield


def absent(
    stored: Mapping[str, Stored], source: Source, dtype: torch.dtype, unpack: Unpack | None = None
) -> dict[str, Tensor]:
    """Weights of files by name, as tensors that hold nothing yet.

    Args:
        stored: Where they are.
        source: What reads their files.
        dtype: What they are computed with in, where they are numbers with a point.
        unpack: What makes numbers of quantised forms.
    """
    return {
        name: HeldTensor(Cell(each, source.one, unpack), _computed(each, dtype))
        for name, each in stored.items()
    }


def _computed(stored: Stored, wanted: torch.dtype) -> torch.dtype:
    own = None if stored.quantised else DTYPES[stored.form]
    return wanted if own is None or own.is_floating_point or stored.scale is not None else own


def assign(
    module: nn.Module,
    state: Mapping[str, Tensor],
    dtype_of: Callable[[str], torch.dtype] | None = None,
) -> list[str]:
    """Put weights into a network under their names; buffers are read at once.

    Of a parameter that has several names one is enough.

    Args:
        module: A network as ``hollow`` makes it.
        state: Its weights; others are left out.
        dtype_of: The precision of a weight with a point, if it is to be another than it has.

    Returns:
        The names of weights that it lacks.

    Raises:
        ValueError: a weight is of another shape.
    """
    aliases: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        aliases.setdefault(id(parameter), []).append(name)
    shared = {name: names for names in aliases.values() for name in names}
    made: dict[tuple[str, torch.dtype], nn.Parameter] = {}
    lacking = []
    own_state: Mapping[str, Tensor] = module.state_dict(keep_vars=True)
    for name, old in own_state.items():
        named = name if name in state else next((n for n in shared.get(name, ()) if n in state), "")
        if not named:
            lacking.append(name)
            continue
        value = state[named]
        if value.shape != old.shape:
            raise ValueError(f"{name} is {tuple(value.shape)}, where {tuple(old.shape)} is asked")
        if dtype_of is not None and value.is_floating_point():
            value = value.to(dtype_of(name))
        path, _, own = name.rpartition(".")
        owner: Any = module.get_submodule(path)
        if not isinstance(old, nn.Parameter):
            setattr(owner, own, value.dense() if isinstance(value, HeldTensor) else value)
            continue
        fresh = nn.Parameter(value, requires_grad=False)
        setattr(owner, own, made.setdefault((named, value.dtype), fresh))
    return lacking
