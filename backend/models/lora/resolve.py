"""From an adapter's names to the modules of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from backend.catalog.errors import CatalogError
from backend.models.lora.adapter import Adapter
from backend.models.lora.names import Pair, parse


@dataclass(frozen=True)
class Delta:
    """The factors for one module: ``down`` ``[rank, in, ...]``, ``up`` ``[out, rank, ...]``, and
    ``scale``, alpha over rank."""

    module: nn.Module
    down: Tensor
    up: Tensor
    scale: float


def resolve(adapter: Adapter, net: nn.Module, part: str, converter: str, title: str) -> list[Delta]:
    """What an adapter changes in a network; ``part`` names a text encoder, "" the denoiser.

    Names that the network does not have are tried once more after the converter of diffusers'
    loader class ``converter``, which knows what other trainers call them.

    Raises:
        CatalogError: a module is not there, or its factors are of another size.
    """
    tensors = adapter.tensors
    pairs = [pair for pair in parse(tensors).pairs if pair.part == part]
    modules = _Modules(net)
    if converter and any(modules.find(pair.module) is None for pair in pairs):
        tensors = _converted(adapter, converter, net)
        pairs = [pair for pair in parse(tensors).pairs if pair.part == part]
    strange = [pair.module for pair in pairs if modules.find(pair.module) is None]
    if strange:
        raise CatalogError(
            f"{adapter.path.name} was made for another model than this {title}: of its "
            f"{len(pairs)} modules {len(strange)} are not there, the first is {strange[0]}. Choose "
            "a LoRA for this model."
        )
    return [_delta(adapter, tensors, pair, modules) for pair in pairs]


class _Modules:
    """The layers of a network by their names with dots, and with underscores in their place."""

    def __init__(self, net: nn.Module) -> None:
        kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
        self.exact = {name: m for name, m in net.named_modules() if isinstance(m, kinds)}
        self.flat = {name.replace(".", "_"): module for name, module in self.exact.items()}

    def find(self, name: str) -> nn.Module | None:
        for given in (name, name.removeprefix("text_model."), f"text_model.{name}"):
            if given in self.exact:
                return self.exact[given]
        flat = name.replace(".", "_")
        for given in (flat, flat.removeprefix("text_model_"), f"text_model_{flat}"):
            if given in self.flat:
                return self.flat[given]
        return None


def _delta(adapter: Adapter, tensors: Mapping[str, Tensor], pair: Pair, known: _Modules) -> Delta:
    module = known.find(pair.module)
    assert module is not None
    down, up = tensors[pair.down], tensors[pair.up]
    shape, rank = _shape(module), down.shape[0]
    fits = down.ndim == up.ndim == len(shape) and up.shape[1] == rank
    if not fits or tuple(down.shape[1:]) != shape[1:] or up.shape[0] != shape[0]:
        raise CatalogError(
            f"{adapter.path.name} does not fit this model: {pair.module} is "
            f"{list(shape)}, its factors {list(down.shape)} and {list(up.shape)}. Choose a "
            "LoRA for this model."
        )
    alpha = float(tensors[pair.alpha]) if pair.alpha else float(rank)
    return Delta(module, down, up, alpha / rank)


def _shape(module: Any) -> tuple[int, ...]:
    """A layer's weight as it is meant; a quantised one is stored in another shape."""
    if isinstance(module, nn.Linear):
        return module.out_features, module.in_features
    return tuple(module.weight.shape)


def _converted(adapter: Adapter, converter: str, net: Any) -> dict[str, Tensor]:
    """The tensors under the names of diffusers; unchanged where its converter cannot tell."""
    from diffusers.loaders import lora_pipeline

    mixin = getattr(lora_pipeline, converter)
    options = {"unet_config": net.config} if "UNet" in type(net).__name__ else {}
    if "return_alphas" in mixin.lora_state_dict.__code__.co_varnames:
        options["return_alphas"] = True
    try:
        given = mixin.lora_state_dict(dict(adapter.tensors), **options)
    except (ValueError, KeyError, IndexError, RuntimeError, AttributeError):
        return dict(adapter.tensors)
    parts = given if isinstance(given, tuple) else (given,)
    found: dict[str, Tensor] = {}
    for part in parts:
        found |= {k: v for k, v in (part or {}).items() if hasattr(v, "shape")}
    return found
