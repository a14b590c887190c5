"""Disk caches in a folder of the test, and results to put into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.engine.disk import DiskCache
from backend.engine.results import make_result
from backend.plan.keys import result_digest
from backend.plan.result import Result
from backend.values import Data, Image


def picture(number: float = 0.5, size: int = 8) -> Image:
    """An image of one value."""
    return Image(np.full((1, size, size, 3), number, np.float32))


def result(number: float = 0.5, seconds: float = 1.0, size: int = 8, **more: Any) -> Result:
    """What a step gave that took so long."""
    return make_result({"image": picture(number, size)}, seconds, True, **more)


def digests(values: dict[str, Data]) -> dict[str, str]:
    return {name: result_digest(value) for name, value in values.items()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "results"


@pytest.fixture
def opened(root: Path) -> Iterator[Callable[..., DiskCache]]:
    """Makes caches over the same folder, as another process would; closes them in the end."""
    made: list[DiskCache] = []

    def make(budget: int = 10**9, costly: float = 0.5, **more: Any) -> DiskCache:
        made.append(DiskCache(root, budget, costly, **more))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


def entries(root: Path) -> list[str]:
    """The files of entries in a cache folder."""
    return sorted(p.name for p in root.iterdir() if p.suffix in (".safetensors", ".frames"))
