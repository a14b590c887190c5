"""From the names that a model's authors gave its layers to those that diffusers gives them.

Many trainers work on the authors' code, where several layers of diffusers' network may be one:
query, key and value as one matrix, say. Which becomes which is data, ``resources/configs/
lora-names.json`` (``docs/lora.md``); the blocks of a UNet are counted, since their places follow
from its config.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from backend.catalog.errors import CatalogError
from backend.catalog.pack import packs_folder


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The names of some classes of networks.

    ``names`` maps a pattern over an original name to the layer or layers of diffusers' network
    that its rows are, in their order. ``swapped`` are patterns of layers that give shift and scale
    where diffusers' give scale and shift.
    """

    classes: tuple[str, ...]
    names: dict[str, str | tuple[str, ...]]
    swapped: dict[str, str] = {}


@dataclass(frozen=True)
class Place:
    """Where the rows of an original layer are in diffusers' network: one after the other in these
    layers, or the halves swapped in the only one."""

    modules: tuple[str, ...]
    swapped: bool = False


Pattern = tuple[re.Pattern[str], tuple[str, ...], bool]
"""An original name with underscores for dots, the layers it stands for, and whether swapped."""


class Originals:
    """The original names of one network's layers."""

    def __init__(self, net: Any) -> None:
        kind = type(net).__name__
        self._rules = _patterns(kind)
        if kind == "UNet2DConditionModel":
            self._rules = (*_unet(net.config), *self._rules)

    def find(self, name: str) -> Place | None:
        """The place of a layer by its original name, with dots or with underscores for them."""
        flat = name.replace(".", "_")
        for pattern, targets, swapped in self._rules:
            if found := pattern.fullmatch(flat):
                return Place(tuple(found.expand(target) for target in targets), swapped)
        return None


@cache
def load_rules(path: Path | None = None) -> tuple[Rules, ...]:
    """All rules in a file, by default the shipped ones.

    Raises:
        CatalogError: it cannot be read or holds something else.
    """
    path = path or packs_folder() / "lora-names.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Rules, ...])
    except (OSError, msgspec.DecodeError) as error:
        raise CatalogError(f"{path} holds no names of layers: {error}. Reinstall it.") from error


@cache
def _patterns(kind: str) -> tuple[Pattern, ...]:
    found: list[Pattern] = []
    for rules in load_rules():
        if kind in rules.classes:
            for name, given in rules.names.items():
                targets = (given,) if isinstance(given, str) else given
                found.append((_flat(name), targets, False))
            found += [(_flat(name), (to,), True) for name, to in rules.swapped.items()]
    return tuple(found)


def _flat(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("\\.", "_"))


_RESIDUAL = {
    "in_layers_2": "conv1", "emb_layers_1": "time_emb_proj", "out_layers_3": "conv2",
    "skip_connection": "conv_shortcut",
}  # fmt: skip


def _unet(config: Mapping[str, Any]) -> tuple[Pattern, ...]:
    """The blocks of the CompVis UNet, which counts its layers through where diffusers' nests."""
    found: dict[str, str] = {}
    for there, here in _unet_blocks(config):
        if ".resnets." in here:
            found |= {f"{there}_{old}": f"{here}.{new}" for old, new in _RESIDUAL.items()}
        elif ".attentions." in here:
            found[f"{there}_(.+)"] = f"{here}.\\1"
        else:
            found[there] = here
    return tuple((re.compile(name), (target,), False) for name, target in found.items())


def _unet_blocks(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    down, up = config["down_block_types"], config["up_block_types"]
    each, last = config["layers_per_block"], len(down) - 1
    at = 1
    for level, kind in enumerate(down):
        for layer in range(each):
            yield f"input_blocks_{at}_0", f"down_blocks.{level}.resnets.{layer}"
            if "Attn" in kind:
                yield f"input_blocks_{at}_1", f"down_blocks.{level}.attentions.{layer}"
            at += 1
        if level < last:
            yield f"input_blocks_{at}_0_op", f"down_blocks.{level}.downsamplers.0.conv"
            at += 1
    yield "middle_block_0", "mid_block.resnets.0"
    yield "middle_block_1", "mid_block.attentions.0"
    yield "middle_block_2", "mid_block.resnets.1"
    for number in range(len(up) * (each + 1)):
        level, layer = divmod(number, each + 1)
        attends = "Attn" in up[level]
        yield f"output_blocks_{number}_0", f"up_blocks.{level}.resnets.{layer}"
        if attends:
            yield f"output_blocks_{number}_1", f"up_blocks.{level}.attentions.{layer}"
        if layer == each and level < last:
            inner = 2 if attends else 1
            yield f"output_blocks_{number}_{inner}_conv", f"up_blocks.{level}.upsamplers.0.conv"
