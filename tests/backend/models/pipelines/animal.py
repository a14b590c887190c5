"""What a tiny pipeline is: how it is built, and how it is called through a node and directly."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import diffusers as df
import numpy as np

from backend.models.pipelines.arguments import Task
from backend.models.pipelines.quiet import hush
from backend.sdk import Image, Mask
from tests.backend.models.pipelines import parts
from tests.backend.models.tiny import shake

TEXT = {"prompt": "a red kite"}
SMALL = {"width": 32, "height": 32, "steps": 2}
SMALL_CALL = {"width": 32, "height": 32, "num_inference_steps": 2}


@dataclass(frozen=True)
class Animal:
    """One tiny pipeline: its class, what its node is told and what the direct call is told for the
    same. ``quick`` ones run in the ordinary tests.

    ``folder_only`` are processors that diffusers cannot load by itself without torchvision.
    ``sized_in`` is the module of a pipeline that scales every picture to a million pixels, which
    are a thousand here. ``refused`` is what a pipeline that cannot run here is refused with.
    """

    kind: str
    task: Task
    build: Callable[[], Mapping[str, Any]]
    wish: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = True
    folder_only: Mapping[str, str] = field(default_factory=dict)
    sized_in: str = ""
    refused: str = ""

    @contextlib.contextmanager
    def sized(self) -> Iterator[None]:
        """Within, the pipeline takes pictures for a thousand pixels large."""
        if not self.sized_in:
            yield
            return
        module = importlib.import_module(f"diffusers.pipelines.{self.sized_in}")
        right = module.calculate_dimensions
        with mock.patch.object(
            module, "calculate_dimensions", lambda area, ratio: right(32 * 32, ratio)
        ):
            yield

    def write(self, folder: Path) -> Path:
        """Write its model folder."""
        hush()
        if self.refused:
            index = self._by_parts(folder)
        else:
            pipeline = getattr(df, self.kind)(**self.build())
            pipeline.save_pretrained(folder)
            index = json.loads((folder / "model_index.json").read_text())
        index |= {name: ["transformers", kind] for name, kind in self.folder_only.items()}
        (folder / "model_index.json").write_text(json.dumps(index))
        return folder

    def _by_parts(self, folder: Path) -> dict[str, Any]:
        """Write the components of a pipeline that cannot be made here; gives its index."""
        index: dict[str, Any] = {"_class_name": self.kind}
        for name, part in self.build().items():
            part.save_pretrained(folder / name)
            index[name] = [type(part).__module__.split(".")[0], type(part).__name__]
        return index


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
