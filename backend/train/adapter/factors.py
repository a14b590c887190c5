"""The factors of a LoRA as parameters, laid on as the finished file will be."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from backend.catalog.errors import CatalogError
from backend.models.lora.changes import LowRank
from backend.models.lora.resolve import Delta
from backend.models.patch import Stage
from backend.models.seams.sites import layers_of


def layers(stage: Stage, targets: str) -> dict[str, nn.Linear]:
    """The linear layers of a network that learn, by name (``plan.TARGETS``).

    Raises:
        CatalogError: there are none.
    """
    card, net = stage.card, stage.net
    paths = [site.path for site in card.sites] if targets == "attention" else []
    paths += [run.path for run in card.blocks] if targets == "blocks" else []
    inside = {
        id(each) for path in paths for module in layers_of(net, path) for each in module.modules()
    }
    found = {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, nn.Linear) and (targets == "all" or id(module) in inside)
    }
    if not found:
        raise CatalogError(
            f"{card.title} models have no linear layers called {targets!r}. Choose the targets all."
        )
    return found


class Factors(nn.Module):
    """LoRA (arXiv:2106.09685 section 4.1): beside each layer ``up @ down``, where ``down`` begins
    random and ``up`` at nothing, so that training begins with the model as it is."""

    def __init__(self, stage: Stage, targets: str, rank: int) -> None:
        super().__init__()
        self._layers = layers(stage, targets)
        down, up = {}, {}
        for name, layer in self._layers.items():
            inner = min(rank, layer.in_features, layer.out_features)
            first = torch.empty(inner, layer.in_features)
            nn.init.kaiming_uniform_(first, a=math.sqrt(5))
            down[_plain(name)] = nn.Parameter(first)
            up[_plain(name)] = nn.Parameter(torch.zeros(layer.out_features, inner))
        self.down, self.up = nn.ParameterDict(down), nn.ParameterDict(up)

    def deltas(self) -> list[Delta]:
        """What ``attached`` takes."""
        return [
            Delta(name, layer, LowRank(self.down[_plain(name)], self.up[_plain(name)]), 1.0)
            for name, layer in self._layers.items()
        ]

    def tensors(self, part: str) -> dict[str, Tensor]:
        """The factors by their names in the file, in the manner of PEFT; ``part`` is the network's
        component (``transformer``, ``unet``)."""
        found: dict[str, Tensor] = {}
        for name in self._layers:
            found[f"{part}.{name}.lora_A.weight"] = self.down[_plain(name)]
            found[f"{part}.{name}.lora_B.weight"] = self.up[_plain(name)]
        return found


def _plain(name: str) -> str:
    """A name that torch takes for a parameter."""
    return name.replace(".", "/")
