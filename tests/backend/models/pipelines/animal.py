"""What a tiny pipeline is: how it is built, and how it is called through a node and directly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers as df
import numpy as np

from backend.models.pipelines.arguments import Task
from backend.models.pipelines.quiet import hush
from backend.sdk import Image, Mask
from tests.backend.models.pipelines import parts
from tests.backend.models.tiny import shake


@dataclass(frozen=True)
class Animal:
    """One tiny pipeline: its class, what its node is told and what the direct call is told for the
    same. ``quick`` ones run in the ordinary tests."""

    kind: str
    task: Task
    build: Callable[[], Mapping[str, Any]]
    wish: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = True
    folder_only: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write its model folder."""
        hush()
        pipeline = getattr(df, self.kind)(**self.build())
        pipeline.save_pretrained(folder)
        index = json.loads((folder / "model_index.json").read_text())
        index |= {name: ["transformers", kind] for name, kind in self.folder_only.items()}
        (folder / "model_index.json").write_text(json.dumps(index))
        return folder


def photo(side: int = 32, seed: int = 0) -> Image:
    codes = np.random.default_rng(seed).integers(0, 256, (1, side, side, 3))
    return Image((codes / 255).astype(np.float32))


def half_mask(side: int = 32) -> Mask:
    coverage = np.zeros((1, side, side), np.float32)
    coverage[:, :, side // 2 :] = 1
    return Mask(coverage)


def flow(**settings: Any) -> Any:
    return df.FlowMatchEulerDiscreteScheduler(**settings)


def net(kind: Any, gain: float = 1.0, **settings: Any) -> Any:
    return shake(parts.seeded(kind, **settings), 1, gain)
