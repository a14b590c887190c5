"""Whatever runs through the adapter equals the diffusers pipeline called directly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.sdk import UserError
from tests.backend.models.pipelines.bench import SEED, Bench, array_of, directly, through_node
from tests.backend.models.pipelines.zoo import ZOO

NAMES = [
    pytest.param(name, marks=() if animal.quick else pytest.mark.slow)
    for name, animal in ZOO.items()
]
ROUNDING = 0.5 / 65535 + 1e-7
"""Frames are kept with 16 bits."""


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_gives_what_it_gives_directly(name: str, tmp_path: Path) -> None:
    animal = ZOO[name]
    folder = animal.write(tmp_path / "model")
    bench = Bench(folder, tmp_path / "spool")
    if animal.refused:
        with pytest.raises(UserError, match=animal.refused):
            through_node(animal, bench)
        return
    ours, theirs = array_of(through_node(animal, bench)), directly(animal, folder)
    assert ours.shape == theirs.shape
    assert np.isfinite(ours).all()
    assert ours.std() > 0.01
    allowed = {"video": ROUNDING, "audio": 1e-5}.get(animal.task, 1e-6)
    assert np.abs(ours - theirs).max() <= allowed
    steps = animal.wish["steps"] * animal.wish.get("count", 1)
    assert bench.done[-1][0] == bench.done[-1][1]
    assert len(bench.done) <= 2 * steps + 1
    another = array_of(through_node(animal, Bench(folder, tmp_path / "spool"), seed=SEED + 1))
    assert np.abs(ours - another).max() > 1e-3  # so that equal is not merely constant
