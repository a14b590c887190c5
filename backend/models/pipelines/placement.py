"""Where the modules of a pipeline stand while it runs, by the means that diffusers has."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from backend.models.store import component_bytes

Means = Literal["none", "model", "group", "sequential"]

RESERVE = 2 * 2**30
"""Bytes of a GPU that are left to activations when it is decided how to place weights."""


@dataclass(frozen=True)
class Placement:
    """How modules come to a device: all at once (``none``), one after the other (``model``), in
    small groups (``group``) or one layer at a time (``sequential``)."""

    means: Means
    device: str

    @contextlib.contextmanager
    def of(self, pipeline: Any) -> Iterator[None]:
        """Have the pipeline's modules placed for the time of a run.

        Afterwards they stay on the device with ``none``, for the next run, and else go back.

        Raises:
            RuntimeError: the device has no room.
        """
        _PLACE[self.means](pipeline, self.device)
        try:
            yield
        finally:
            _LIFT[self.means](pipeline)


def choose(device: str, sizes: Mapping[str, int], free: int) -> Placement:
    """The quickest placement that leaves room.

    Args:
        device: ``cpu`` or ``cuda:N``. On the CPU everything is in place already.
        sizes: Bytes of each module.
        free: Bytes of the device that are free, or held by these modules already.
    """
    room = free - RESERVE
    if device == "cpu" or sum(sizes.values()) <= room:
        return Placement("none", device)
    if max(sizes.values(), default=0) <= room:
        return Placement("model", device)
    return Placement("group", device)


def free_bytes(device: str, pipeline: Any) -> int:
    """Bytes of a device that are free or held by the pipeline's modules; 0 for the CPU."""
    if not device.startswith("cuda"):
        return 0
    import torch

    held = sum(
        component_bytes(part)
        for part in pipeline.components.values()
        if str(getattr(part, "device", "")).startswith("cuda")
    )
    return int(torch.cuda.mem_get_info(device)[0]) + held


def module_sizes(pipeline: Any) -> dict[str, int]:
    """Bytes of the weights of each module."""
    return {
        name: component_bytes(part)
        for name, part in pipeline.components.items()
        if hasattr(part, "parameters")
    }


def _whole(pipeline: Any, device: str) -> None:
    if device != "cpu":
        pipeline.to(device)


def _by_module(pipeline: Any, device: str) -> None:
    pipeline.enable_model_cpu_offload(device=device)


def _by_layer(pipeline: Any, device: str) -> None:
    pipeline.enable_sequential_cpu_offload(device=device)


def _by_group(pipeline: Any, device: str) -> None:
    import torch

    pipeline.enable_group_offload(
        onload_device=torch.device(device),
        offload_device=torch.device("cpu"),
        offload_type="leaf_level",
    )


def _stay(pipeline: Any) -> None:
    """The modules stay for the next run; whoever keeps them under a budget lets them go."""


def _unhook(pipeline: Any) -> None:
    pipeline.remove_all_hooks()
    pipeline.to("cpu")


def _ungroup(pipeline: Any) -> None:
    from diffusers.hooks import HookRegistry

    for part in pipeline.components.values():
        if not hasattr(part, "modules"):
            continue
        for module in part.modules():
            registry = getattr(module, "_diffusers_hook", None)
            if isinstance(registry, HookRegistry):
                for name in [n for n in registry.hooks if "group_offload" in n]:
                    registry.remove_hook(name, recurse=False)
        part.to("cpu")


_PLACE: Mapping[Means, Callable[[Any, str], None]] = MappingProxyType(
    {"none": _whole, "model": _by_module, "group": _by_group, "sequential": _by_layer}
)
_LIFT: Mapping[Means, Callable[[Any], None]] = MappingProxyType(
    {"none": _stay, "model": _unhook, "group": _ungroup, "sequential": _unhook}
)
